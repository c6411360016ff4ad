"""What fails, comes at the wrong moment, or is not what it should be."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import os
import resource
import socket
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from nexus import eventloop

SIZE = 5_000_000


@pytest.fixture
def loop() -> Iterator[eventloop.EventLoop]:
    made = eventloop.new_event_loop()
    made.set_debug(False)
    yield made
    made.close()


def pair() -> tuple[socket.socket, socket.socket]:
    ends = socket.socketpair()
    for end in ends:
        end.setblocking(False)
    return ends


async def receive_all(loop: asyncio.AbstractEventLoop, sock: socket.socket) -> int:
    count = 0
    while data := await loop.sock_recv(sock, 1 << 20):
        count += len(data)
    return count


def test_connection_lost_that_raises_is_reported(loop: eventloop.EventLoop) -> None:
    reports: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: reports.append(context))

    class Failing(asyncio.Protocol):
        def connection_lost(self, exc: Exception | None) -> None:
            raise ValueError("in connection_lost")

    async def main() -> int:
        ours, theirs = pair()
        with theirs:
            transport, _ = await loop.create_connection(Failing, sock=ours)
            transport.write(bytes(SIZE))
            transport.close()
            return await receive_all(loop, theirs)

    assert loop.run_until_complete(main()) == SIZE
    (report,) = reports
    assert isinstance(report["exception"], ValueError)
    assert isinstance(report["transport"], asyncio.Transport)


def test_an_exit_in_connection_lost_ends_the_loop(loop: eventloop.EventLoop) -> None:
    class Exiting(asyncio.Protocol):
        def connection_lost(self, exc: Exception | None) -> None:
            raise SystemExit(3)

    async def main() -> None:
        ours, theirs = pair()
        with theirs:
            transport, _ = await loop.create_connection(Exiting, sock=ours)
            transport.write(bytes(SIZE))
            transport.close()
            await receive_all(loop, theirs)

    with pytest.raises(SystemExit):
        loop.run_until_complete(main())


def test_connections_have_contexts_of_their_own(loop: eventloop.EventLoop) -> None:
    variable = contextvars.ContextVar("variable", default="unset")
    seen: list[tuple[str, str]] = []
    received = asyncio.Event()

    class Noting(asyncio.Protocol):
        def __init__(self, name: str) -> None:
            self.name = name

        def data_received(self, data: bytes) -> None:
            seen.append((self.name, variable.get()))
            variable.set(self.name + data.decode())
            received.set()

    def make(name: str) -> Callable[[], Noting]:
        return lambda: Noting(name)

    async def main() -> None:
        ends = []
        for name in "AB":
            ours, theirs = pair()
            await loop.create_connection(make(name), sock=ours)
            ends.append(theirs)
        for data in (b"1", b"2"):
            for end in ends:
                received.clear()
                end.send(data)
                await received.wait()
        for end in ends:
            end.close()

    loop.run_until_complete(main())
    assert seen == [("A", "unset"), ("B", "unset"), ("A", "A1"), ("B", "B1")]
    assert variable.get() == "unset"


def test_own_time_loses_no_wakeup() -> None:
    asked = threading.Event()
    added = threading.Event()

    class Loop(eventloop.EventLoop):
        lets_another_run = False

        def time(self) -> float:
            # Between the look at the queue and the wait, another thread adds a callback.
            if self.lets_another_run:
                self.lets_another_run = False
                asked.set()
                assert added.wait(10)
            return super().time()

    loop = Loop()
    ran: list[str] = []

    def stop() -> None:
        ran.append("added")
        loop.stop()

    def add() -> None:
        assert asked.wait(10)
        loop.call_soon_threadsafe(stop)
        added.set()

    # A lost callback would be run after this one.
    loop.call_later(5, lambda: (ran.append("timer"), loop.stop()))
    loop.call_soon(setattr, loop, "lets_another_run", True)
    thread = threading.Thread(target=add)
    thread.start()
    loop.run_forever()
    thread.join()
    loop.close()
    assert ran == ["added"]


def test_a_handle_may_be_cancelled_while_its_arguments_are_asked_for(
    loop: eventloop.EventLoop,
) -> None:
    class Cancelling:
        me: object

        def __del__(self) -> None:
            handle.cancel()

    handle = loop.call_soon(print, "first", "second")
    # No memory of tuples is left to be used again.
    kept = [(place, place) for place in range(5000)]
    gc.collect()
    garbage = Cancelling()
    garbage.me = garbage
    del garbage
    before = gc.get_threshold()
    try:
        gc.set_threshold(1)
        arguments = handle._args  # type: ignore[attr-defined]
    finally:
        gc.set_threshold(*before)
    assert arguments in (("first", "second"), None)
    assert len(kept) == 5000


def test_callbacks_of_a_descriptor_closed_without_a_word_may_use_the_loop_as_they_go(
    loop: eventloop.EventLoop,
) -> None:
    kept: list[socket.socket] = []

    class Callback:
        def __call__(self) -> None:
            raise AssertionError

        def __del__(self) -> None:
            kept.extend(socket.socket() for _ in range(50))
            for sock in kept:
                loop.add_reader(sock, print)
            for _ in range(300):
                loop.call_soon(print).cancel()

    class Other:
        def __call__(self) -> None:
            raise AssertionError

    sock = socket.socket()
    fd = sock.fileno()
    loop.add_reader(fd, Callback())
    other = Other()
    seen = weakref.ref(other)
    loop.add_writer(fd, other)
    del other
    sock.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        loop.remove_reader(fd)
    assert seen() is None
    assert len(kept) == 50
    for sock in kept:
        assert loop.remove_reader(sock)
        sock.close()


@pytest.mark.parametrize(
    ("fd", "expected"),
    [
        (-1, ValueError),
        (-(2**80), ValueError),
        (2**20, OSError),
        (2**30, OSError),
        (2**40, OverflowError),
        (2**80, OverflowError),
    ],
)
def test_a_wrong_descriptor_is_refused_as_by_asyncio(
    loop: eventloop.EventLoop, fd: int, expected: type[Exception]
) -> None:
    stock = asyncio.SelectorEventLoop()
    try:
        for one in (stock, loop):
            for add in (one.add_reader, one.add_writer):
                with pytest.raises(expected):
                    add(fd, print)
            for remove in (one.remove_reader, one.remove_writer):
                if expected is ValueError:
                    with pytest.raises(ValueError, match=f"^Invalid file descriptor: {fd}$"):
                        remove(fd)
                else:
                    assert not remove(fd)
    finally:
        stock.close()


def test_a_loop_whose_selector_is_closed_says_so(loop: eventloop.EventLoop) -> None:
    loop.call_soon(loop._selector.close)
    with pytest.raises(RuntimeError, match="selector of the event loop is closed"):
        loop.run_forever()


def test_a_huge_descriptor_is_refused(loop: eventloop.EventLoop) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    huge = 1 << 20
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (huge + 1, max(hard, huge + 1)))
    except (OSError, ValueError):
        pytest.skip("this process may not have such a descriptor")
    first, second = socket.socketpair()
    try:
        with first, second:
            os.dup2(first.fileno(), huge)
            try:
                with pytest.raises(OSError, match=f"cannot watch descriptor {huge}"):
                    loop.add_reader(huge, print)
                assert not loop.remove_reader(huge)
                assert not loop._selector.get_map().get(huge)
            finally:
                os.close(huge)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, max(hard, huge + 1)))


AT_EXIT = """
import builtins, threading, time
from nexus import eventloop

count, end = 4, threading.Event()
ready = threading.Barrier(count + 1)

def run():
    loop = eventloop.EventLoop()
    def callback():
        time.sleep(0.002)
        if end.is_set():
            loop.call_later(0.02, callback)
        else:
            loop.call_soon(callback)
    loop.call_soon(ready.wait)
    loop.call_soon(callback)
    loop.run_forever()

for _ in range(count):
    threading.Thread(target=run, daemon=True).start()
ready.wait()

# The last to go: while it does, the threads ask for the lock.
class Last:
    def __del__(self):
        time.sleep(0.05)

if __import__("sys").argv[1] == "waits":
    end.set()
builtins.last = Last()
"""


@pytest.mark.parametrize("kind", ["runs", "waits"])
def test_a_daemon_thread_does_not_crash_the_exit(kind: str) -> None:
    command = [sys.executable, "-c", AT_EXIT, kind]
    for _ in range(5):
        ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert (ran.returncode, ran.stderr) == (0, "")
