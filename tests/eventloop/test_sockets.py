"""Plain sockets: `sock_recv` and its like do as asyncio's, and lose nothing."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import socket
import struct
import weakref
from collections.abc import Awaitable, Callable, Iterator

import pytest

from nexus import eventloop


@pytest.fixture
def loop() -> Iterator[eventloop.EventLoop]:
    made = eventloop.new_event_loop()
    made.set_debug(False)
    yield made
    made.close()


def pair() -> tuple[socket.socket, socket.socket]:
    """Two ends of a TCP connection, which do not block."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        first = socket.create_connection(server.getsockname())
        second, _ = server.accept()
    for end in (first, second):
        end.setblocking(False)
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return first, second


def epoll_calls(loop: eventloop.EventLoop) -> int:
    return loop.stats().polls


def watched(loop: eventloop.EventLoop) -> list[int]:
    """What is watched beside the loop's own pipe."""
    return [fd for fd in loop._selector.get_map() if fd != loop._ssock.fileno()]  # type: ignore[attr-defined]


async def started(awaitable: Awaitable[object]) -> asyncio.Future[object]:
    task = asyncio.ensure_future(awaitable)
    await asyncio.sleep(0)
    return task


def test_what_comes_with_the_peers_end_is_all_received(loop: eventloop.EventLoop) -> None:
    async def main() -> None:
        ours, theirs = pair()
        with ours, theirs:
            for _ in range(3):
                task = await started(loop.sock_recv(ours, 100))
                theirs.send(b"data")
                assert await task == b"data"
            task = await started(loop.sock_recv(ours, 100))
            theirs.send(b"last")
            theirs.shutdown(socket.SHUT_WR)
            assert await task == b"last"
            assert await asyncio.wait_for(loop.sock_recv(ours, 100), 5) == b""
            assert await asyncio.wait_for(loop.sock_recv(ours, 100), 5) == b""

    loop.run_until_complete(main())


def test_urgent_data_does_not_hide_what_follows(loop: eventloop.EventLoop) -> None:
    async def main() -> None:
        ours, theirs = pair()
        with ours, theirs:
            task = await started(loop.sock_recv(ours, 100))
            theirs.send(b"a")
            assert await task == b"a"
            task = await started(loop.sock_recv(ours, 100))
            theirs.send(b"before")
            theirs.send(b"!", socket.MSG_OOB)
            theirs.send(b"after")
            got = await task
            while not got.endswith(b"after"):
                got += await asyncio.wait_for(loop.sock_recv(ours, 100), 5)
            assert got == b"beforeafter"

    loop.run_until_complete(main())


def test_unix_messages_with_descriptors_are_cut_and_all_received(loop: eventloop.EventLoop) -> None:
    async def main() -> None:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.setblocking(False)
            task = await started(loop.sock_recv(ours, 100))
            theirs.send(b"a")
            assert await task == b"a"
            task = await started(loop.sock_recv(ours, 100))
            socket.send_fds(theirs, [b"one"], [0])
            socket.send_fds(theirs, [b"two"], [0])
            got = await task
            while len(got) < 6:
                got += await asyncio.wait_for(loop.sock_recv(ours, 100), 5)
            assert got == b"onetwo"

    loop.run_until_complete(main())


def test_a_cancelled_operation_takes_nothing_and_keeps_nothing(loop: eventloop.EventLoop) -> None:
    async def main() -> None:
        ours, theirs = pair()
        memory = bytearray(100)
        with theirs:
            for operation in (loop.sock_recv(ours, 100), loop.sock_recv_into(ours, memory)):
                task = await started(operation)
                assert watched(loop) == [ours.fileno()]
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                assert not watched(loop)
            # A buffer that somebody has may not grow.
            memory.extend(b"more")
            task = await started(loop.sock_recv(ours, 100))
            theirs.send(b"data")
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await loop.sock_recv(ours, 100) == b"data"
            del task, operation
            seen = weakref.ref(ours)
            ours.close()
            del ours
            gc.collect()
            assert seen() is None

    loop.run_until_complete(main())


def test_a_socket_with_the_number_of_a_closed_one_is_another(loop: eventloop.EventLoop) -> None:
    async def main() -> None:
        kept = []
        for number in range(20):
            ours, theirs = pair()
            # The file of every other socket lives on, and so does its registration.
            kept.append(os.dup(ours.fileno()) if number % 2 else os.dup(theirs.fileno()))
            for message in (b"one", b"two"):
                task = await started(loop.sock_recv(ours, 100))
                theirs.send(message)
                assert await asyncio.wait_for(task, 5) == message
            ours.close()
            theirs.send(b"into the old file")
            theirs.close()
        before = epoll_calls(loop)
        await asyncio.sleep(0.05)
        assert epoll_calls(loop) - before < 50
        for fd in kept:
            os.close(fd)

    loop.run_until_complete(main())


def test_callbacks_and_operations_share_a_descriptor(loop: eventloop.EventLoop) -> None:
    async def main() -> None:
        ours, theirs = pair()
        calls: list[str] = []
        with ours, theirs:
            task = await started(loop.sock_recv(ours, 100))
            theirs.send(b"one")
            assert await task == b"one"
            task = await started(loop.sock_recv(ours, 100))
            loop.add_writer(ours, calls.append, "writer")
            await asyncio.sleep(0.01)
            assert len(calls) > 1
            theirs.send(b"two")
            assert await asyncio.wait_for(task, 5) == b"two"
            assert loop.remove_writer(ours)
            assert not loop.remove_reader(ours)
            loop.add_reader(ours, calls.append, "reader")
            theirs.send(b"three")
            calls.clear()
            while len(calls) < 3:
                # What is not read is told again.
                await asyncio.sleep(0)
            assert await loop.sock_recv(ours, 100) == b"three"
            assert loop.remove_reader(ours)
            assert not watched(loop)

    loop.run_until_complete(main())


def test_a_transport_may_follow_operations(loop: eventloop.EventLoop) -> None:
    async def main() -> None:
        ours, theirs = pair()
        task = await started(loop.sock_recv(ours, 100))
        theirs.send(b"one")
        assert await task == b"one"
        reader, writer = await asyncio.open_connection(sock=ours)
        theirs.send(b"two")
        assert await reader.readexactly(3) == b"two"
        with pytest.raises(RuntimeError, match="is used by transport"):
            await loop.sock_recv(writer.get_extra_info("socket")._sock, 100)
        writer.close()
        await writer.wait_closed()
        theirs.close()

    loop.run_until_complete(main())


def talk(loop: asyncio.AbstractEventLoop, seed: int) -> list[object]:
    """Random messages both ways over every family, with cancels; what happened."""
    chance = random.Random(seed)

    async def main() -> list[object]:
        log: list[object] = []
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.setblocking(False)
            ours = socket.socket()
            ours.setblocking(False)
            accepted = asyncio.ensure_future(loop.sock_accept(server))
            await loop.sock_connect(ours, server.getsockname())
            theirs, peer = await accepted
            assert peer == ours.getsockname()
            assert theirs.gettimeout() == 0
            log.append((theirs.family, theirs.type, theirs.proto))
        with ours, theirs:
            for _ in range(10):
                message = chance.randbytes(chance.choice([1, 1000, 70000, 5_000_000]))
                if chance.random() < 0.3:
                    task = asyncio.ensure_future(loop.sock_recv(theirs, 10))
                    await asyncio.sleep(0)
                    task.cancel()
                sending = asyncio.ensure_future(loop.sock_sendall(ours, message))
                got = bytearray()
                while len(got) < len(message):
                    if chance.random() < 0.5:
                        got += await loop.sock_recv(theirs, chance.choice([7777, 1 << 20]))
                    else:
                        memory = bytearray(5000)
                        count = await loop.sock_recv_into(theirs, memory)
                        got += memory[:count]
                log.append((await sending, bytes(got) == message))
            ours.close()
            log.append(await loop.sock_recv(theirs, 10))
        return log

    return loop.run_until_complete(main())


def datagrams(loop: asyncio.AbstractEventLoop) -> list[object]:
    async def main() -> list[object]:
        log: list[object] = []
        ends = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
        for end in ends:
            end.bind(("127.0.0.1", 0))
            end.setblocking(False)
        first, second = ends
        with first, second:
            for size in (0, 1, 60000):
                task = asyncio.ensure_future(loop.sock_recvfrom(second, 65536))
                await asyncio.sleep(0)
                log.append(await loop.sock_sendto(first, bytes(size), second.getsockname()))
                data, address = await task
                log.append((len(data), address == first.getsockname()))
                await loop.sock_sendto(first, bytes(size), ("localhost", second.getsockname()[1]))
                memory = bytearray(65536)
                count, address = await loop.sock_recvfrom_into(second, memory)
                log.append((count, address == first.getsockname()))
            # A short read leaves the next message.
            for message in (b"a", b"b", b"c"):
                first.sendto(message, second.getsockname())
            log += [await loop.sock_recv(second, 100) for _ in range(3)]
            first.sendto(b"cut off", second.getsockname())
            log.append((await loop.sock_recvfrom(second, 3))[0])
        return log

    return loop.run_until_complete(main())


def failures(loop: asyncio.AbstractEventLoop) -> list[object]:
    """What is wrong with arguments, sockets and peers."""

    async def raised(awaitable: Awaitable[object]) -> object:
        try:
            return await asyncio.wait_for(awaitable, 5)
        except Exception as error:
            return (type(error), getattr(error, "errno", None) or str(error))

    async def main() -> list[object]:
        ours, theirs = pair()
        closed = socket.socket()
        closed.close()
        unused = socket.socket()
        unused.setblocking(False)
        refused = socket.socket()
        refused.setblocking(False)
        with socket.create_server(("127.0.0.1", 0)) as server:
            nobody = server.getsockname()
        log = [
            await raised(awaitable)
            for awaitable in (
                loop.sock_recv(ours, "x"),  # type: ignore[arg-type]
                loop.sock_recv(ours, -1),
                loop.sock_recv(ours, 2**70),
                loop.sock_recv(ours, 0),
                loop.sock_recv_into(ours, b"fixed"),
                loop.sock_recv_into(ours, bytearray()),
                loop.sock_recvfrom_into(ours, bytearray(3), 10),
                loop.sock_sendall(ours, "text"),  # type: ignore[arg-type]
                loop.sock_sendall(ours, b""),
                loop.sock_sendto(unused, b"x", ("127.0.0.1", 70000)),
                loop.sock_recv(closed, 10),
                loop.sock_sendall(closed, b"x"),
                loop.sock_accept(closed),
                loop.sock_accept(unused),
                loop.sock_recv(unused, 10),
                loop.sock_connect(refused, nobody),
            )
        ]
        theirs.close()
        await raised(loop.sock_sendall(ours, b"x"))
        await asyncio.sleep(0.01)
        log.append(await raised(loop.sock_sendall(ours, b"x")))
        for sock in (ours, unused, refused):
            sock.close()
        return [entry for entry in log if nobody[1] not in (entry or ())]  # type: ignore[operator]

    return loop.run_until_complete(main())


def both(act: Callable[[asyncio.AbstractEventLoop], list[object]]) -> list[list[object]]:
    found = []
    for loop in (asyncio.SelectorEventLoop(), eventloop.new_event_loop()):
        loop.set_debug(False)
        try:
            found.append(act(loop))
        finally:
            loop.close()
    return found


@pytest.mark.parametrize("seed", range(5))
def test_streams_go_asyncios_way(seed: int) -> None:
    theirs, ours = both(lambda loop: talk(loop, seed))
    assert ours == theirs


@pytest.mark.parametrize("act", [datagrams, failures])
def test_datagrams_and_failures_are_asyncios(
    act: Callable[[asyncio.AbstractEventLoop], list[object]],
) -> None:
    theirs, ours = both(act)
    assert ours == theirs


def test_a_blocking_socket_does_not_hold_the_loop(loop: eventloop.EventLoop) -> None:
    async def main() -> bytes:
        ours, theirs = pair()
        ours.setblocking(True)
        with ours, theirs:
            loop.call_later(0.01, theirs.send, b"late")
            return await loop.sock_recv(ours, 100)

    assert loop.run_until_complete(main()) == b"late"


@pytest.mark.parametrize("operation", ["connect", "receive"])
def test_an_exception_keeps_no_future(loop: eventloop.EventLoop, operation: str) -> None:
    async def main() -> None:
        ours, theirs = pair()
        with ours, theirs, socket.socket() as unconnected:
            if operation == "connect":
                unconnected.setblocking(False)
                with socket.socket() as gone:
                    gone.bind(("127.0.0.1", 0))
                    address = gone.getsockname()
                task = asyncio.ensure_future(loop.sock_connect(unconnected, address))
            else:
                task = asyncio.ensure_future(loop.sock_recv(ours, 100))  # type: ignore[arg-type]
                await asyncio.sleep(0)
                linger = struct.pack("ii", 1, 0)
                theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                theirs.close()
            await asyncio.wait([task])
            error = task.exception()
            assert isinstance(error, (ConnectionRefusedError, ConnectionResetError))
            kept = [one for one in gc.get_referrers(error) if isinstance(one, asyncio.Future)]
            assert [one for one in kept if one is not task] == []

    loop.run_until_complete(main())
