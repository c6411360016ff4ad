"""The bar of ``run(progress=True)``, on a terminal and in a notebook; elsewhere nothing."""

from __future__ import annotations

import os
import shutil
import sys
import time
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from nexus.data import Progress

WIDTH = 30
#: A run that ends sooner shows no bar.
QUIET_SECONDS = 0.3


class Bar:
    """A line that is drawn again and again."""

    def __init__(self, stream: TextIO | None, columns: int | None) -> None:
        self._stream = stream
        self._columns = columns
        self._start = time.monotonic()
        self._drawn = 0

    def __call__(self, now: Progress) -> None:
        """Draw how far the run is."""
        if self._stream is None or time.monotonic() - self._start < QUIET_SECONDS:
            return
        text = str(now)
        if now.fraction is not None:
            full = round(WIDTH * now.fraction)
            text = f"{now.fraction:4.0%} {'█' * full}{'░' * (WIDTH - full)} {text}"
        if self._columns is not None:
            text = text[: self._columns - 1]
        self._write("\r" + text.ljust(self._drawn))
        self._drawn = len(text)

    def close(self) -> None:
        """Remove the line."""
        if self._drawn:
            self._write("\r" + " " * self._drawn + "\r")

    def _write(self, text: str) -> None:
        if self._stream is None:
            return
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            # A terminal that has gone does not end the work.
            self._stream = None


def bar() -> Bar:
    """Make a bar for where this program runs."""
    stream = sys.stderr
    if stream is None:
        return Bar(None, None)
    if stream.isatty() and os.environ.get("TERM") != "dumb":
        return Bar(stream, shutil.get_terminal_size().columns)
    # A notebook's kernel replaces the stream by its own, which obeys carriage returns.
    if type(stream).__module__.startswith("ipykernel."):
        return Bar(stream, None)
    return Bar(None, None)
