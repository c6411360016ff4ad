"""Streams: asyncio's readers get what arrives as from asyncio's own transport."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import sys
from collections.abc import Awaitable, Callable
from types import FrameType
from typing import Any

import pytest

from nexus import eventloop

LOCALHOST = "127.0.0.1"


Client = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def between(server: Client, client: Client, **options: Any) -> None:
    """Has a server's and a client's coroutine talk."""
    done = asyncio.get_running_loop().create_future()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await server(reader, writer)
            writer.close()
        except BaseException as error:
            done.set_exception(error)
        else:
            done.set_result(None)

    listener = await asyncio.start_server(serve, LOCALHOST, 0, **options)
    reader, writer = await asyncio.open_connection(*listener.sockets[0].getsockname(), **options)
    await client(reader, writer)
    await asyncio.wait_for(done, 20)
    writer.close()
    listener.close()


@pytest.mark.parametrize("limit", [16, 1000, 1 << 16])
@pytest.mark.parametrize("seed", range(4))
def test_every_way_of_reading_gets_the_bytes_in_order(
    loop: asyncio.AbstractEventLoop, seed: int, limit: int
) -> None:
    chance = random.Random(seed)
    sizes = [chance.choice([1, 7, 100, 5000, 300_000]) for _ in range(40)]
    sent = os.urandom(sum(sizes))

    async def write(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        at = 0
        for size in sizes:
            writer.write(sent[at : at + size])
            at += size
            if chance.random() < 0.5:
                await writer.drain()
        writer.write_eof()

    async def read(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        got = bytearray()
        while len(got) < len(sent):
            size = min(chance.choice([1, 10, 3000, 200_000]), len(sent) - len(got))
            if chance.random() < 0.5:
                got += await reader.readexactly(size)
            else:
                got += await reader.read(size)
        assert await reader.read() == b""
        assert bytes(got) == sent

    loop.run_until_complete(between(read, write, limit=limit))


def test_lines_and_the_end(loop: asyncio.AbstractEventLoop) -> None:
    async def write(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for part in (b"first\nsec", b"ond\n", b"rest"):
            writer.write(part)
            await asyncio.sleep(0.01)
        writer.write_eof()

    async def read(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        assert [line async for line in reader] == [b"first\n", b"second\n", b"rest"]
        assert reader.at_eof()

    loop.run_until_complete(between(read, write))


def test_a_reader_that_nobody_reads_stops_the_peer(loop: asyncio.AbstractEventLoop) -> None:
    async def write(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(bytes(20_000_000))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(writer.drain(), 0.2)
        assert writer.transport.get_write_buffer_size() > 1_000_000

    async def read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.3)
        transport: Any = writer.transport
        assert not transport.is_reading()
        assert 2 * 1000 < len(reader._buffer) < 1_000_000  # type: ignore[attr-defined]
        assert len(await reader.readexactly(20_000_000)) == 20_000_000

    loop.run_until_complete(between(read, write, limit=1000))


def test_a_cancelled_read_loses_nothing(loop: asyncio.AbstractEventLoop) -> None:
    async def write(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for number in range(50):
            writer.write(b"%02d" % number)
            await asyncio.sleep(0.001)

    async def read(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        got = b""
        while len(got) < 100:
            try:
                got += await asyncio.wait_for(reader.read(2), 0.0005)
            except TimeoutError:
                continue
        assert got == b"".join(b"%02d" % number for number in range(50))

    loop.run_until_complete(between(read, write))


def test_a_reader_of_another_class_is_fed_by_its_method(loop: asyncio.AbstractEventLoop) -> None:
    fed: list[bytes] = []

    class Reader(asyncio.StreamReader):
        def feed_data(self, data: bytes) -> None:
            fed.append(data)
            super().feed_data(data)

    async def main() -> None:
        async def write(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"data")
            await writer.drain()
            writer.close()

        listener = await asyncio.start_server(write, LOCALHOST, 0)
        reader = Reader()
        protocol = asyncio.StreamReaderProtocol(reader)
        address = listener.sockets[0].getsockname()
        transport, _ = await asyncio.get_running_loop().create_connection(
            lambda: protocol, *address
        )
        assert await reader.read() == b"data"
        transport.close()
        listener.close()

    loop.run_until_complete(main())
    assert b"".join(fed) == b"data"


def test_methods_that_somebody_exchanged_are_called(
    loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    fed: list[bytes] = []
    before = asyncio.StreamReader.feed_data

    def feed_data(self: asyncio.StreamReader, data: bytes) -> None:
        fed.append(data)
        before(self, data)

    monkeypatch.setattr(asyncio.StreamReader, "feed_data", feed_data)

    async def write(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"data")

    async def read(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        assert await reader.readexactly(4) == b"data"

    loop.run_until_complete(between(read, write))
    assert fed == [b"data"]


def test_a_reader_that_is_gone_is_no_error(loop: asyncio.AbstractEventLoop) -> None:
    reports: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: reports.append(context))

    async def main() -> None:
        async def write(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await asyncio.sleep(0.05)
            writer.write(b"data")
            await writer.drain()
            writer.close()

        listener = await asyncio.start_server(write, LOCALHOST, 0)
        address = listener.sockets[0].getsockname()
        reader, writer = await asyncio.open_connection(*address)
        transport = writer.transport
        del reader, writer
        gc.collect()
        await asyncio.sleep(0.1)
        transport.close()
        listener.close()

    loop.run_until_complete(main())
    assert all("garbage collected" in report["message"] for report in reports)


def test_what_arrives_is_fed_without_python() -> None:
    names: set[str] = set()

    def note(frame: FrameType, event: str, _: Any) -> None:
        if event == "call":
            names.add(frame.f_code.co_name)

    async def write(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"data")

    async def read(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        sys.setprofile(note)
        try:
            assert await reader.readexactly(4) == b"data"
        finally:
            sys.setprofile(None)

    eventloop.run(between(read, write), debug=False)
    assert "_wait_for_data" in names
    assert not names & {"data_received", "feed_data", "_wakeup_waiter"}
