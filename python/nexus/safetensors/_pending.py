"""Saves that go on while the program does."""

from __future__ import annotations

import functools
import threading
import warnings
from concurrent.futures import Future
from typing import TYPE_CHECKING, Self

from nexus._native import Snapshot, serialize_file
from nexus.safetensors._describe import describe_all, text_of

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Generator, Mapping


def save_async(
    tensors: Mapping[str, object],
    path: str | os.PathLike[str],
    metadata: Mapping[str, str] | None = None,
    *,
    snapshot: bool = True,
    fsync: bool = False,
    checksum: str | None = None,
) -> PendingSave:
    """Write tensors to a file while the caller goes on.

    With ``snapshot`` the tensors are copied first, so that they may be changed when this returns:
    that costs the size of the file in memory until the save is done. Without, nothing is copied,
    and the tensors must stay as they are until then. The file is replaced in one step or, when the
    save fails, not at all. ``checksum`` is that of ``save_file``.

    >>> from nexus.safetensors import Tensor, load_file, save_async
    >>> weights = bytearray(b"old")
    >>> with save_async({"w": Tensor(weights, dtype="U8", shape=(3,))}, "w.safetensors"):
    ...     weights[:] = b"new"
    >>> load_file("w.safetensors")["w"].tobytes()
    b'old'
    """
    described, kept = describe_all(tensors)
    text = text_of(metadata)
    if snapshot:
        taken = Snapshot(described, text, checksum=checksum)
        return PendingSave(path, lambda: taken.save(path, fsync=fsync))

    def save() -> None:
        serialize_file(described, path, text, fsync=fsync, checksum=checksum)
        # Until here the tensors are needed.
        kept.clear()

    return PendingSave(path, save)


class PendingSave:
    """A save that may still be going on. Made by :func:`save_async`.

    ``await`` waits for it in an event loop; the end of a ``with`` block waits for it too. A program
    that ends waits for its saves. That a save has failed is a warning if nobody asks.
    """

    def __init__(self, path: str | os.PathLike[str], save: Callable[[], None]) -> None:
        """Begin to save, in a thread."""
        self.path = path
        self._asked = False
        self._future: Future[None] = Future()
        work = functools.partial(_run, self._future, save)
        threading.Thread(target=work, name="safetensors-save").start()

    def done(self) -> bool:
        """Tell whether the save is over, well or not."""
        return self._future.done()

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Wait for the save, at most ``timeout`` seconds, and return what it raised.

        ``TimeoutError`` says that it is still going on.
        """
        error = self._future.exception(timeout)
        self._asked = True
        return error

    def result(self, timeout: float | None = None) -> None:
        """Wait for the save, at most ``timeout`` seconds, and raise what it raised."""
        error = self.exception(timeout)
        if error is not None:
            raise error

    def __enter__(self) -> Self:
        """Return the save."""
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        """Wait for the save; raise what it raised, unless the block has raised."""
        failure = self.exception()
        if failure is not None and error is None:
            raise failure

    def __await__(self) -> Generator[object, None, None]:
        """Wait for the save in an event loop."""
        import asyncio

        return asyncio.to_thread(self.result).__await__()

    def __del__(self) -> None:
        """Leave the save to itself."""
        if not self._asked:
            self._future.add_done_callback(functools.partial(_report, self.path))

    def __repr__(self) -> str:
        """Tell the state in one line."""
        if not self._future.done():
            state = "going on"
        else:
            state = "failed" if self._future.exception() else "done"
        return f"<PendingSave {str(self.path)!r}: {state}>"


def _run(future: Future[None], save: Callable[[], None]) -> None:
    try:
        save()
    except BaseException as error:
        future.set_exception(error)
    else:
        future.set_result(None)


def _report(path: str | os.PathLike[str], future: Future[None]) -> None:
    error = future.exception()
    if error is not None:
        message = f"the save of {str(path)!r} has failed, and nobody has asked for its result: "
        warnings.warn(f"{message}{error}", RuntimeWarning, stacklevel=2)
