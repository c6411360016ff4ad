"""Datagrams: what asyncio's transport does, in the same order, by fewer system calls."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nexus import eventloop
from nexus.eventloop._datagram import DatagramTransport

LOCALHOST = "127.0.0.1"


@pytest.fixture
def ours() -> Iterator[eventloop.EventLoop]:
    made = eventloop.new_event_loop()
    made.set_debug(False)
    yield made
    made.close()


class Recorder(asyncio.DatagramProtocol):
    """Notes what comes; what is to be done with each may be given."""

    def __init__(self, then: Callable[[bytes], None] | None = None) -> None:
        self.then = then
        self.received: list[bytes] = []
        self.senders: list[Any] = []
        self.errors: list[Exception] = []
        self.lost: list[Exception | None] = []

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.received.append(data)
        self.senders.append(addr)
        if self.then is not None:
            self.then(data)

    def error_received(self, exc: Exception) -> None:
        self.errors.append(exc)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.append(exc)


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not is_so():
            await asyncio.sleep(0.001)


async def endpoint(
    then: Callable[[bytes], None] | None = None, **options: Any
) -> tuple[asyncio.DatagramTransport, Recorder]:
    if not options:
        options = {"local_addr": (LOCALHOST, 0)}
    loop = asyncio.get_running_loop()
    transport, recorder = await loop.create_datagram_endpoint(lambda: Recorder(then), **options)
    assert isinstance(transport, DatagramTransport) == isinstance(loop, eventloop.EventLoop)
    return transport, recorder


def address_of(transport: asyncio.DatagramTransport) -> Any:
    return transport.get_extra_info("sockname")


@pytest.mark.parametrize("host", [LOCALHOST, "::1"])
@pytest.mark.parametrize("is_connected", [False, True])
def test_every_size_goes_there_and_back(
    loop: asyncio.AbstractEventLoop, host: str, is_connected: bool
) -> None:
    if host == "::1":
        try:
            socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).bind((host, 0))
        except OSError as error:
            pytest.skip(f"no IPv6 here: {error}")
    sizes = [1, 2, 1000, 1472, 9000, 65_000, 65_507]
    sent = [os.urandom(size) for size in sizes]

    async def main() -> None:
        server, heard = await endpoint(local_addr=(host, 0))
        heard.then = lambda data: server.sendto(data, heard.senders[-1])
        if is_connected:
            client, answers = await endpoint(remote_addr=address_of(server)[:2])
        else:
            client, answers = await endpoint(local_addr=(host, 0))
        for count, data in enumerate(sent, 1):
            client.sendto(data, None if is_connected else address_of(server))
            await until(lambda count=count: len(answers.received) == count)  # type: ignore[misc]
        assert answers.received == heard.received == sent
        assert set(heard.senders) == {address_of(client)}
        assert set(answers.senders) == {address_of(server)}
        client.close()
        server.close()
        await until(lambda: heard.lost == answers.lost == [None])

    loop.run_until_complete(main())


def test_a_burst_comes_in_order(loop: asyncio.AbstractEventLoop) -> None:
    async def main() -> None:
        transport, heard = await endpoint()
        expected = [b"%d" % number for number in range(150)]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for data in expected:
                sender.sendto(data, address_of(transport))
        await until(lambda: len(heard.received) == len(expected))
        assert heard.received == expected
        transport.close()

    loop.run_until_complete(main())


def test_a_burst_needs_fewer_calls_than_datagrams(ours: eventloop.EventLoop) -> None:
    async def main() -> None:
        transport, heard = await endpoint()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for _ in range(60):
                sender.sendto(b"data", address_of(transport))
        before = ours.stats().system_calls
        await until(lambda: len(heard.received) == 60)
        # Fifteen full receives, one that finds nothing, and polls.
        assert ours.stats().system_calls - before <= 30
        transport.close()

    ours.run_until_complete(main())


def test_a_flood_does_not_keep_other_callbacks_waiting(ours: eventloop.EventLoop) -> None:
    async def main() -> None:
        seen: list[int] = []
        transport, heard = await endpoint(
            lambda _: transport.sendto(b"again", address_of(transport))
        )
        ours.call_later(0.05, lambda: seen.append(len(heard.received)))
        transport.sendto(b"first", address_of(transport))
        await until(lambda: bool(seen))
        assert seen[0] > 10
        transport.close()

    ours.run_until_complete(main())


@pytest.mark.parametrize("which", [0, 1, 3, 6])
def test_a_protocol_that_fails_loses_no_other(loop: asyncio.AbstractEventLoop, which: int) -> None:
    reports: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: reports.append(context))

    def fail(data: bytes) -> None:
        if data == b"%d" % which:
            raise ZeroDivisionError(which)

    async def main() -> None:
        transport, heard = await endpoint(fail)
        expected = [b"%d" % number for number in range(7)]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for data in expected:
                sender.sendto(data, address_of(transport))
        await until(lambda: len(heard.received) == len(expected))
        assert heard.received[: which + 1] == expected[: which + 1]
        assert sorted(heard.received) == expected
        transport.close()

    loop.run_until_complete(main())
    assert [type(report["exception"]) for report in reports] == [ZeroDivisionError]


def test_nothing_comes_after_close(loop: asyncio.AbstractEventLoop) -> None:
    async def main() -> None:
        transport, heard = await endpoint(lambda _: transport.close())
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for number in range(4):
                sender.sendto(b"%d" % number, address_of(transport))
        await until(lambda: heard.lost == [None])
        assert heard.received == [b"0"]

    loop.run_until_complete(main())


def test_another_protocol_gets_what_follows(loop: asyncio.AbstractEventLoop) -> None:
    async def main() -> None:
        second = Recorder()
        transport, first = await endpoint(lambda _: transport.set_protocol(second))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for number in range(3):
                sender.sendto(b"%d" % number, address_of(transport))
        await until(lambda: len(second.received) == 2)
        assert (first.received, second.received) == ([b"0"], [b"1", b"2"])
        transport.close()

    loop.run_until_complete(main())


def test_a_refusal_is_told(loop: asyncio.AbstractEventLoop) -> None:
    async def main() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gone:
            gone.bind((LOCALHOST, 0))
            address = gone.getsockname()
        transport, heard = await endpoint(remote_addr=address)
        transport.sendto(b"anybody?")
        await until(lambda: bool(heard.errors))
        assert isinstance(heard.errors[0], ConnectionRefusedError)
        assert not transport.is_closing()
        transport.close()

    loop.run_until_complete(main())


def test_too_large_a_datagram_is_told(loop: asyncio.AbstractEventLoop) -> None:
    async def main() -> None:
        transport, heard = await endpoint()
        transport.sendto(bytes(70_000), address_of(transport))
        assert [error.errno for error in heard.errors] == [90]  # type: ignore[attr-defined]
        transport.close()

    loop.run_until_complete(main())


@pytest.mark.parametrize("kind", [bytearray, memoryview])
def test_any_bytes_are_sent(loop: asyncio.AbstractEventLoop, kind: Callable[[bytes], Any]) -> None:
    async def main() -> None:
        transport, heard = await endpoint()
        transport.sendto(kind(b"data"), address_of(transport))
        await until(lambda: heard.received == [b"data"])
        transport.close()

    loop.run_until_complete(main())


def test_an_empty_datagram_is_as_in_this_python(loop: asyncio.AbstractEventLoop) -> None:
    async def main() -> None:
        transport, heard = await endpoint()
        transport.sendto(b"", address_of(transport))
        transport.sendto(b"end", address_of(transport))
        await until(lambda: b"end" in heard.received)
        assert heard.received in ([b"", b"end"], [b"end"])
        assert (b"" in heard.received) == (sys.version_info >= (3, 13))
        transport.close()

    loop.run_until_complete(main())


def test_an_empty_datagram_is_received(loop: asyncio.AbstractEventLoop) -> None:
    async def main() -> None:
        transport, heard = await endpoint()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"", address_of(transport))
        await until(lambda: heard.received == [b""])
        transport.close()

    loop.run_until_complete(main())


def test_wrong_arguments_are_refused(loop: asyncio.AbstractEventLoop) -> None:
    async def main() -> None:
        free, heard = await endpoint()
        bound, _ = await endpoint(remote_addr=address_of(free))
        with pytest.raises(TypeError, match="bytes-like"):
            free.sendto("text", address_of(free))  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="must be None or"):
            bound.sendto(b"data", (LOCALHOST, 1))
        bound.sendto(b"data", address_of(free))
        await until(lambda: heard.received == [b"data"])
        free.close()
        bound.close()

    loop.run_until_complete(main())


def test_one_address_without_a_connection_is_compared(loop: asyncio.AbstractEventLoop) -> None:
    async def main() -> None:
        free, heard = await endpoint()
        bound, _ = await endpoint(remote_addr=address_of(free), allow_broadcast=True)
        with pytest.raises(ValueError, match="must be None or"):
            bound.sendto(b"data", (LOCALHOST, 1))
        bound.sendto(b"one")
        bound.sendto(b"two", address_of(free))
        await until(lambda: heard.received == [b"one", b"two"])
        free.close()
        bound.close()

    loop.run_until_complete(main())


def test_what_the_system_does_not_take_is_sent_later(
    loop: asyncio.AbstractEventLoop, tmp_path: Path
) -> None:
    path = str(tmp_path / "socket")

    async def main() -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
            receiver.bind(path)
            receiver.setblocking(False)
            transport, _ = await endpoint(remote_addr=path, family=socket.AF_UNIX)
            expected = [b"%d" % number * 1000 for number in range(2000)]
            for data in expected:
                transport.sendto(data)
            assert transport.get_write_buffer_size() > 0
            transport.close()
            received = []
            while len(received) < len(expected):
                try:
                    received.append(receiver.recv(1 << 17))
                except BlockingIOError:
                    await asyncio.sleep(0)
            assert received == expected

    loop.run_until_complete(asyncio.wait_for(main(), 20))


def test_large_datagrams_of_unix_sockets_are_whole(
    loop: asyncio.AbstractEventLoop, tmp_path: Path
) -> None:
    path = str(tmp_path / "socket")

    async def main() -> None:
        transport, heard = await endpoint(local_addr=path, family=socket.AF_UNIX)
        data = os.urandom(100_000)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.sendto(data, path)
        await until(lambda: heard.received == [data])
        transport.close()

    loop.run_until_complete(main())


def test_debug_mode_is_asyncios() -> None:
    async def main() -> None:
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            Recorder, local_addr=(LOCALHOST, 0)
        )
        assert not isinstance(transport, DatagramTransport)
        transport.close()

    eventloop.run(main(), debug=True)
