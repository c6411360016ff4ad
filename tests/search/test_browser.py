"""The browser driver itself, on a page that a test can predict."""

from __future__ import annotations

import http.server
import socket
import threading
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import pytest

from browser import Browser, BrowserError, find_chromium

pytestmark = pytest.mark.skipif(
    find_chromium() is None, reason="no chromium on PATH (Debian: apt-get install chromium)"
)

PAGE = """<!doctype html><meta name=viewport content="width=device-width"><title>echo</title>
<form><input name=q></form><p class=echo data-text="{text}">{text}</p>
<script>document.querySelector(".echo").dataset.scripted = "yes"</script>"""


class Echo(http.server.BaseHTTPRequestHandler):
    """Shows the form and what was sent with it."""

    def do_GET(self) -> None:
        fields = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        body = PAGE.format(text=fields.get("q", ["nothing"])[0]).encode()
        self.send_response(200)
        self.send_header("content-type", "text/html; charset=utf-8")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Stay silent."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser() as running:
        yield running


def test_typed_text_is_sent_by_enter(browser: Browser, url: str) -> None:
    page = browser.page()
    page.goto(url)
    assert page.texts(".echo") == ["nothing"]
    page.type("input[name=q]", "naïve 🦀")
    page.press("Enter")
    page.wait_for('.echo[data-text^="naïve"]')
    assert page.texts(".echo") == ["naïve 🦀"]


def test_scripts_can_be_turned_off(browser: Browser, url: str) -> None:
    page = browser.page()
    page.disable_scripts()
    page.goto(url)
    assert page.count(".echo") == 1
    assert page.count("[data-scripted]") == 0


def test_a_phone_is_as_wide_as_told(browser: Browser, url: str) -> None:
    page = browser.page()
    page.set_viewport(390, 844, phone=True)
    page.goto(url)
    assert page.evaluate("innerWidth") == 390


def test_a_screenshot_is_a_png(browser: Browser, url: str, tmp_path: Path) -> None:
    page = browser.page()
    page.goto(url)
    page.screenshot(tmp_path / "page.png")
    assert (tmp_path / "page.png").read_bytes().startswith(b"\x89PNG\r\n")


def test_what_is_missing_is_named(browser: Browser, url: str) -> None:
    page = browser.page()
    page.goto(url)
    with pytest.raises(BrowserError, match=r"nothing matches \.absent"):
        page.wait_for(".absent", timeout_s=0.1)
    with pytest.raises(BrowserError, match="nothing to type into"):
        page.type(".absent", "text")
    with pytest.raises(BrowserError, match="boom"):
        page.evaluate("(() => { throw new Error('boom') })()")


def test_an_address_that_refuses_is_named(browser: Browser) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # bound, not listening: connections are refused
        address = f"http://127.0.0.1:{bound.getsockname()[1]}/"
        with pytest.raises(BrowserError, match=f"cannot open {address}.*REFUSED"):
            browser.page().goto(address)
