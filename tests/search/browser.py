"""Drive a headless Chromium from a test, over the pipe that Chromium offers for it.

    with Browser() as browser:
        page = browser.page()
        page.goto("http://127.0.0.1:8080/")
        page.type("input[name=q]", "compress a file")
        page.press("Enter")
        page.wait_for(".hit")
        print(page.texts(".hit .title"))

``--remote-debugging-pipe`` makes Chromium read commands from file descriptor 3 and write replies
and events to 4: JSON messages that end with a zero byte, in the Chrome DevTools Protocol
(https://chromedevtools.github.io/devtools-protocol/). No port, no driver program, no package.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless=new",
    "--no-sandbox",  # it refuses its sandbox to root, and the pages are our own
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--no-default-browser-check",
    "--no-first-run",
    "--no-proxy-server",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)
# The first start on a slow machine unpacks caches and takes most of this.
START_TIMEOUT_S = 60.0
ANSWER_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 10.0
POLL_INTERVAL_S = 0.02
READ_SIZE = 1 << 16

# A child's descriptors 3 and 4 can be chosen only from within it, before it becomes Chromium.
LAUNCHER = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.dup2(int(sys.argv[2]), 4)
os.execv(sys.argv[3], sys.argv[3:])
"""

Json = dict[str, object]


class BrowserError(RuntimeError):
    """Chromium refused a command, ended, or did not do in time what a test waits for."""


def find_chromium() -> str | None:
    """Return the path of the first Chromium or Chrome on PATH."""
    return next((path for name in PROGRAMS if (path := shutil.which(name))), None)


class Browser:
    """A headless Chromium with an empty profile, ended and removed when its block ends."""

    def __init__(self) -> None:
        program = find_chromium()
        if program is None:
            raise BrowserError(f"cannot find a browser: none of {', '.join(PROGRAMS)} is on PATH")
        self._profile = tempfile.TemporaryDirectory(
            prefix="chromium-profile-", ignore_cleanup_errors=True
        )
        self._log = Path(self._profile.name, "stderr.log")
        self._buffer = bytearray()
        self._events: list[Json] = []
        self._last_id = 0
        self._start(program)

    def _start(self, program: str) -> None:
        # Above the descriptors that the launcher overwrites.
        commands_out, self._commands = high_pipe()
        self._answers, answers_in = high_pipe()
        launcher = [sys.executable, "-I", "-S", "-c", LAUNCHER, str(commands_out), str(answers_in)]
        with open(self._log, "wb") as log:
            self._process = subprocess.Popen(
                [*launcher, program, *FLAGS, f"--user-data-dir={self._profile.name}"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(commands_out, answers_in),
                start_new_session=True,
            )
        os.close(commands_out)
        os.close(answers_in)
        try:
            version = self.call("Browser.getVersion", timeout_s=START_TIMEOUT_S)
        except BrowserError:
            self.close()
            raise
        self.version = str(version["product"])

    def __enter__(self) -> Browser:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ask Chromium to end, see to it that it does, and remove its profile."""
        with contextlib.suppress(BrowserError, OSError):
            self.call("Browser.close", timeout_s=STOP_TIMEOUT_S)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_TIMEOUT_S)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for descriptor in (self._commands, self._answers):
            with contextlib.suppress(OSError):
                os.close(descriptor)
        self._profile.cleanup()

    def page(self) -> Page:
        """Open an empty page."""
        target = self.call("Target.createTarget", {"url": "about:blank"})["targetId"]
        attached = self.call("Target.attachToTarget", {"targetId": target, "flatten": True})
        return Page(self, str(attached["sessionId"]))

    def call(
        self,
        method: str,
        params: Json | None = None,
        *,
        session: str | None = None,
        timeout_s: float = ANSWER_TIMEOUT_S,
    ) -> Json:
        """Send a command and return its result; events that come meanwhile are kept."""
        self._last_id += 1
        message: Json = {"id": self._last_id, "method": method, "params": params or {}}
        if session:
            message["sessionId"] = session
        try:
            write_all(self._commands, json.dumps(message).encode() + b"\0")
        except OSError as error:
            raise self._ended(method) from error
        deadline = time.monotonic() + timeout_s
        while True:
            answer = self._read(deadline)
            if answer is None:
                raise BrowserError(f"no answer to {method} in {timeout_s:g} s")
            if answer.get("id") != self._last_id:
                self._keep(answer)
            elif "error" in answer:
                raise BrowserError(f"{method}: {answer['error']}")
            else:
                result = answer["result"]
                assert isinstance(result, dict)
                return result

    def wait_for_event(self, session: str, method: str, timeout_s: float, **fields: object) -> None:
        """Wait until an event has come to a page whose parameters have these fields."""
        deadline = time.monotonic() + timeout_s
        while True:
            for event in self._events:
                params = event.get("params")
                if (
                    event.get("sessionId") == session
                    and event.get("method") == method
                    and isinstance(params, dict)
                    and all(params.get(name) == value for name, value in fields.items())
                ):
                    self._events.remove(event)
                    return
            message = self._read(deadline)
            if message is None:
                raise BrowserError(f"no event {method} {fields} in {timeout_s:g} s")
            self._keep(message)

    def idle(self, seconds: float) -> None:
        """Let time pass while events are read."""
        deadline = time.monotonic() + seconds
        while (message := self._read(deadline)) is not None:
            self._keep(message)

    def _keep(self, message: Json) -> None:
        """Keep an event; answers to commands given up on are dropped."""
        if "method" in message:
            self._events.append(message)

    def _read(self, deadline: float) -> Json | None:
        """Read one message; none when the time is over."""
        while True:
            message, end, rest = self._buffer.partition(b"\0")
            if end:
                self._buffer = rest
                parsed = json.loads(message)
                assert isinstance(parsed, dict)
                return parsed
            remaining_s = max(0.0, deadline - time.monotonic())
            if not select.select([self._answers], [], [], remaining_s)[0]:
                return None
            chunk = os.read(self._answers, READ_SIZE)
            if not chunk:
                raise self._ended("reading")
            self._buffer += chunk

    def _ended(self, action: str) -> BrowserError:
        log = self._log.read_text("utf-8", "replace") if self._log.exists() else ""
        return BrowserError(f"Chromium ended during {action}; its last output:\n{log[-2000:]}")


class Page:
    """One tab."""

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser = browser
        self._session = session
        self._call("Page.enable")
        self._call("Page.setLifecycleEventsEnabled", enabled=True)

    def _call(self, method: str, **params: object) -> Json:
        return self._browser.call(method, dict(params), session=self._session)

    def goto(self, url: str, *, timeout_s: float = ANSWER_TIMEOUT_S) -> None:
        """Open an address and wait until the page has loaded."""
        started = self._call("Page.navigate", url=url)
        if reason := started.get("errorText"):
            raise BrowserError(f"cannot open {url}: {reason}")
        self._browser.wait_for_event(
            self._session,
            "Page.lifecycleEvent",
            timeout_s,
            name="load",
            loaderId=started["loaderId"],
        )

    def evaluate(self, expression: str) -> object:
        """Return the value of a JavaScript expression, which must be expressible in JSON."""
        answer = self._call("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in answer:
            raise BrowserError(f"{expression}: {answer['exceptionDetails']}")
        result = answer["result"]
        assert isinstance(result, dict)
        return result.get("value")

    def texts(self, selector: str) -> list[str]:
        """Return the visible text of each element that a CSS selector finds, in page order."""
        found = self.evaluate(f"[...{query_all(selector)}].map(element => element.innerText)")
        assert isinstance(found, list)
        return [str(text).strip() for text in found]

    def count(self, selector: str) -> int:
        """Return how many elements a CSS selector finds."""
        found = self.evaluate(f"{query_all(selector)}.length")
        assert isinstance(found, int)
        return found

    def wait_for(self, selector: str, *, timeout_s: float = ANSWER_TIMEOUT_S) -> None:
        """Wait until a CSS selector finds an element, across navigations."""
        deadline = time.monotonic() + timeout_s
        while True:
            # While one page replaces another there is nothing to evaluate in.
            with contextlib.suppress(BrowserError):
                if self.count(selector):
                    return
            if time.monotonic() > deadline:
                raise BrowserError(f"nothing matches {selector} after {timeout_s:g} s")
            self._browser.idle(POLL_INTERVAL_S)

    def type(self, selector: str, text: str) -> None:
        """Put the cursor into a field and enter text, as a keyboard or an input method would."""
        focused = self.evaluate(
            f"(element => element && (element.focus(), element === document.activeElement))"
            f"(document.querySelector({json.dumps(selector)}))"
        )
        if not focused:
            raise BrowserError(f"nothing to type into matches {selector}")
        self._call("Input.insertText", text=text)

    def press(self, key: str) -> None:
        """Press and release a key: Enter, Tab or Escape."""
        code, text = {"Enter": (13, "\r"), "Tab": (9, ""), "Escape": (27, "")}[key]
        event = {"key": key, "code": key, "windowsVirtualKeyCode": code}
        down = "keyDown" if text else "rawKeyDown"
        self._call("Input.dispatchKeyEvent", type=down, text=text, **event)
        self._call("Input.dispatchKeyEvent", type="keyUp", **event)

    def set_viewport(self, width: int, height: int, *, phone: bool = False) -> None:
        """Set the size in CSS pixels; a phone also lays out by the page's viewport tag."""
        scale = 2 if phone else 1
        self._call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=scale,
            mobile=phone,
        )

    def disable_scripts(self) -> None:
        """Run no script of any page from now on; `evaluate` goes on working."""
        self._call("Emulation.setScriptExecutionDisabled", value=True)

    def screenshot(self, path: Path) -> None:
        """Write what the page shows to a PNG file."""
        data = self._call("Page.captureScreenshot", format="png")["data"]
        path.write_bytes(base64.b64decode(str(data)))


def query_all(selector: str) -> str:
    """Write the JavaScript that finds a selector's elements."""
    return f"document.querySelectorAll({json.dumps(selector)})"


def high_pipe() -> tuple[int, int]:
    """Make a pipe whose descriptors are none of the first ten."""
    ends = os.pipe()
    high = tuple(fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends)
    for end in ends:
        os.close(end)
    return high[0], high[1]


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of the data."""
    while data:
        data = data[os.write(descriptor, data) :]
