"""What CPython's tests do not ask of a loop: native handles, signals, descriptors, memory."""

from __future__ import annotations

import asyncio
import contextvars
import errno
import gc
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Iterator

import pytest

from nexus import _eventloop, eventloop


@pytest.fixture
def loop() -> Iterator[eventloop.EventLoop]:
    made = eventloop.new_event_loop()
    made.set_debug(False)
    yield made
    made.close()


def step(loop: asyncio.AbstractEventLoop) -> None:
    loop.call_soon(loop.stop)
    loop.run_forever()


def test_the_ways_to_a_loop() -> None:
    async def main() -> type:
        await asyncio.sleep(0)
        return type(asyncio.get_running_loop())

    assert eventloop.run(main()) is eventloop.EventLoop
    with asyncio.Runner(loop_factory=eventloop.new_event_loop) as runner:
        assert runner.run(main()) is eventloop.EventLoop
    try:
        eventloop.install()
        assert asyncio.run(main()) is eventloop.EventLoop
        assert isinstance(asyncio.get_event_loop_policy(), eventloop.EventLoopPolicy)
    finally:
        asyncio.set_event_loop_policy(None)


@pytest.mark.parametrize("count", range(6))
def test_callbacks_get_all_their_arguments(loop: eventloop.EventLoop, count: int) -> None:
    got: list[tuple[object, ...]] = []
    arguments = [object() for _ in range(count)]
    handle = loop.call_soon(lambda *a: got.append(a), *arguments)
    assert handle._args == tuple(arguments)  # type: ignore[attr-defined]
    loop.call_later(0, lambda *a: got.append(a), *arguments)
    step(loop)
    step(loop)
    assert got == [tuple(arguments)] * 2


def test_a_context_is_the_callbacks_own(loop: eventloop.EventLoop) -> None:
    name = contextvars.ContextVar("name", default="outside")
    context = contextvars.copy_context()
    context.run(name.set, "inside")
    seen: list[str] = []
    loop.call_soon(lambda: seen.append(name.get()), context=context)
    loop.call_soon(lambda: seen.append(name.get()), context=None)
    loop.call_later(0, lambda: seen.append(name.get()), context=context)
    step(loop)
    step(loop)
    assert sorted(seen) == ["inside", "inside", "outside"]


def test_a_cancelled_callback_is_let_go_at_once(loop: eventloop.EventLoop) -> None:
    class Callback:
        def __call__(self) -> None:
            raise AssertionError

    for schedule in (loop.call_soon, lambda c: loop.call_later(1000, c)):
        callback = Callback()
        seen = weakref.ref(callback)
        handle = schedule(callback)
        assert not handle.cancelled()
        del callback
        assert seen() is not None
        handle.cancel()
        handle.cancel()
        assert handle.cancelled()
        assert seen() is None
        assert "cancelled" in repr(handle)
    assert loop._counts()[1] == 0
    step(loop)


def test_a_callback_may_cancel_its_own_handle(loop: eventloop.EventLoop) -> None:
    ran: list[object] = []
    handles: list[asyncio.Handle] = []

    def callback(first: object, second: object) -> None:
        handles[0].cancel()
        gc.collect()
        ran.append((first, second))

    handles.append(loop.call_soon(callback, "a" * 100, ["b"]))
    step(loop)
    assert ran == [("a" * 100, ["b"])]


def test_timers_compare_by_their_time(loop: eventloop.EventLoop) -> None:
    early, late = loop.call_at(1e9, print), loop.call_at(2e9, print)
    assert early < late
    assert late >= early
    assert early != late
    assert early.when() == 1e9
    assert len({early, late, early}) == 2
    with pytest.raises(TypeError):
        assert early < 5  # type: ignore[operator]


def test_wrong_calls_are_errors(loop: eventloop.EventLoop) -> None:
    for call in (
        lambda: loop.call_soon(),  # type: ignore[call-arg]
        lambda: loop.call_later(1),  # type: ignore[call-arg]
        lambda: loop.call_later(None, print),  # type: ignore[arg-type]
        lambda: loop.call_later("1", print),  # type: ignore[arg-type]
        lambda: loop.call_at(None, print),  # type: ignore[arg-type]
        lambda: loop.call_soon(print, name=1),  # type: ignore[call-arg]
        lambda: _eventloop.Handle(),
    ):
        with pytest.raises(TypeError):
            call()
    for file in ("text", object()):
        with pytest.raises(ValueError, match="Invalid file object"):
            loop.add_reader(file, print)  # type: ignore[arg-type]
    with open(__file__) as file, pytest.raises(PermissionError) as refused:
        loop.add_reader(file, print)
    assert refused.value.errno == errno.EPERM
    assert refused.value.strerror == os.strerror(errno.EPERM)
    loop.close()
    for call in (
        lambda: loop.call_soon(print),
        lambda: loop.call_soon_threadsafe(print),
        lambda: loop.call_later(1, print),
        lambda: loop.call_at(1, print),
        lambda: loop.add_reader(0, print),
    ):
        with pytest.raises(RuntimeError, match="closed"):
            call()


def test_another_thread_ends_the_wait(loop: eventloop.EventLoop) -> None:
    for _ in range(20):
        loop.call_later(60, loop.stop)
        start = time.monotonic()
        thread = threading.Thread(target=loop.call_soon_threadsafe, args=(loop.stop,))
        loop.call_soon(thread.start)
        loop.run_forever()
        thread.join()
        assert time.monotonic() - start < 30


def test_loops_in_threads_do_not_meet() -> None:
    results: list[int] = []

    async def count() -> int:
        total = 0
        for _ in range(500):
            await asyncio.sleep(0)
            total += await asyncio.get_running_loop().run_in_executor(None, int, 1)
        return total

    threads = [
        threading.Thread(target=lambda: results.append(eventloop.run(count()))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [500] * 4


def test_ctrl_c_loses_no_callback(loop: eventloop.EventLoop) -> None:
    ran: list[int] = []
    interrupts = 0
    chance = random.Random(0)
    for number in range(2000):
        loop.call_soon(ran.append, number)
        if chance.random() < 0.05:
            # One raises at once, in its callback; the other at the end of a step.
            raising = chance.choice([(signal.raise_signal,), (os.kill, os.getpid())])
            loop.call_soon(*raising, signal.SIGINT)
    while len(ran) < 2000:
        try:
            step(loop)
        except KeyboardInterrupt:
            interrupts += 1
    assert ran == list(range(2000))
    assert interrupts > 10


def test_a_handler_of_a_signal_wakes_the_loop(loop: eventloop.EventLoop) -> None:
    loop.add_signal_handler(signal.SIGUSR1, loop.stop)
    timer = threading.Timer(0.02, os.kill, [os.getpid(), signal.SIGUSR1])
    timer.start()
    loop.call_later(60, loop.stop)
    start = time.monotonic()
    loop.run_forever()
    timer.join()
    assert time.monotonic() - start < 30
    assert loop.remove_signal_handler(signal.SIGUSR1)


def test_ready_descriptors_are_seen_while_callbacks_spin(loop: eventloop.EventLoop) -> None:
    source, target = socket.socketpair()
    with source, target:
        target.send(b"x")
        loop.add_reader(source, loop.stop)
        spins = 0

        def spin() -> None:
            nonlocal spins
            spins += 1
            loop.call_soon(spin)

        loop.call_soon(loop.call_soon, spin)
        loop.run_forever()
        assert spins < 100_000
        loop.remove_reader(source)


def test_no_event_crosses_to_the_next_owner_of_a_descriptor(loop: eventloop.EventLoop) -> None:
    for _ in range(50):
        pairs = [socket.socketpair() for _ in range(2)]
        wrong: list[str] = []
        new: list[socket.socket] = []

        def first(
            number: int,
            pairs: list[tuple[socket.socket, socket.socket]] = pairs,
            new: list[socket.socket] = new,
            wrong: list[str] = wrong,
        ) -> None:
            if new:
                wrong.append("the removed reader was called")
                return
            other = pairs[1 - number][0]
            fd = other.fileno()
            loop.remove_reader(other)
            other.close()
            new.extend(socket.socketpair())
            assert new[0].fileno() == fd
            loop.add_reader(new[0], wrong.append, "the new socket is not ready")

        for number, (source, target) in enumerate(pairs):
            target.send(b"x")
            loop.add_reader(source, first, number)
        step(loop)
        assert new
        assert not wrong
        for sock in [*new, *(sock for pair in pairs for sock in pair)]:
            if sock.fileno() >= 0:
                loop.remove_reader(sock)
                sock.close()


def test_a_descriptor_closed_without_a_word_can_be_watched_again(
    loop: eventloop.EventLoop,
) -> None:
    source, target = socket.socketpair()
    fd = source.fileno()
    loop.add_reader(source, print)
    source.close()
    target.close()
    source, target = socket.socketpair()
    assert fd in (source.fileno(), target.fileno())
    if target.fileno() == fd:
        source, target = target, source
    with source, target:
        target.send(b"x")
        loop.add_reader(source, loop.stop)
        loop.call_later(60, loop.stop)
        start = time.monotonic()
        loop.run_forever()
        assert time.monotonic() - start < 30
        assert loop._selector.get_key(source).events == 1  # type: ignore[attr-defined]
        loop.remove_reader(source)


def test_handles_leave_no_memory(loop: eventloop.EventLoop) -> None:
    def many() -> None:
        for number in range(20_000):
            loop.call_soon(int, number)
            loop.call_later(1000, int, number, 10).cancel()
            loop.call_later(0, int)
        step(loop)
        step(loop)

    many()
    gc.collect()
    before = sys.getallocatedblocks()
    for _ in range(5):
        many()
    gc.collect()
    assert sys.getallocatedblocks() - before < 2000


def test_a_loop_with_work_left_is_collected() -> None:
    loop = eventloop.new_event_loop()
    seen = weakref.ref(loop)
    loop.call_soon(print, loop)
    loop.call_later(1000, print, loop)
    source, target = socket.socketpair()
    with source, target:
        loop.add_reader(source, print, loop)
        with pytest.warns(ResourceWarning, match="unclosed event loop"):
            del loop
            gc.collect()
        assert seen() is None


def test_an_open_transport_that_nobody_has_warns(loop: eventloop.EventLoop) -> None:
    source, target = socket.socketpair()
    with target:
        made = loop.create_connection(asyncio.Protocol, sock=source)
        transport, _ = loop.run_until_complete(made)
        assert isinstance(transport, asyncio.Transport)
        assert isinstance(transport, _eventloop.StreamTransport)
        seen = weakref.ref(transport)
        loop.close()
        with pytest.warns(ResourceWarning, match="unclosed transport"):
            del transport, made
            gc.collect()
        assert seen() is None


def test_what_is_written_arrives_in_order(loop: eventloop.EventLoop) -> None:
    async def main() -> None:
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        transport, _ = await loop.create_connection(asyncio.Protocol, sock=ours)
        sent = bytearray()
        mutable = bytearray(b"m" * 300_000)
        for piece in (b"a" * 400_000, mutable, memoryview(b"v" * 9), b"", b"z"):
            sent += piece
            transport.write(piece)
        # What was written is what was there then.
        mutable[:] = b"!" * len(mutable)
        transport.writelines([b"1", b"2"])
        sent += b"12"
        assert transport.get_write_buffer_size() > 0
        with pytest.raises(TypeError, match="bytes-like"):
            transport.write("text")  # type: ignore[arg-type]
        transport.close()
        got = bytearray()
        while data := await loop.sock_recv(theirs, 70_000):
            got += data
        assert got == sent
        theirs.close()

    loop.run_until_complete(main())


def test_debug_mode_checks_as_asyncio_does(loop: eventloop.EventLoop) -> None:
    loop.set_debug(True)
    errors: list[BaseException] = []

    def call() -> None:
        try:
            loop.call_soon(print)
        except RuntimeError as error:
            errors.append(error)

    async def main() -> None:
        await loop.run_in_executor(None, call)

    loop.run_until_complete(main())
    loop.run_until_complete(loop.shutdown_default_executor())
    assert "Non-thread-safe" in str(errors[0])
    with pytest.raises(TypeError, match="coroutines cannot be used"):
        loop.call_soon(main)


def test_a_subclass_may_have_its_own_time() -> None:
    class Later(eventloop.EventLoop):
        def time(self) -> float:
            return super().time() + 1e6

    loop = Later()
    try:
        assert loop.time() - time.monotonic() > 9e5
        start = time.monotonic()
        loop.call_at(loop.time() + 0.02, loop.stop)
        loop.run_forever()
        loop.call_later(0.02, loop.stop)
        loop.run_forever()
        assert 0.04 <= time.monotonic() - start < 30
    finally:
        loop.close()


def test_a_child_of_a_fork_has_a_loop_of_its_own() -> None:
    code = """
import asyncio, os
from nexus import eventloop
async def child(): await asyncio.sleep(0.01)
async def main():
    pid = os.fork()
    if pid == 0:
        asyncio._set_running_loop(None)
        eventloop.run(child())
        os._exit(7)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
print(eventloop.run(main()))
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "7\n"
