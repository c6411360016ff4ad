"""TLS: connections end, pause and fail as with asyncio's own loop, with fewer steps between."""

from __future__ import annotations

import asyncio
import os
import shutil
import ssl
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from nexus import eventloop
from nexus.eventloop._tls import TlsProtocol

LOCALHOST = "127.0.0.1"

pytestmark = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="needs the command openssl, to make a certificate"
)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    words = "req -x509 -nodes -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -days 2"
    command = ["openssl", *words.split(), "-subj", "/CN=localhost", "-addext"]
    command += ["subjectAltName=DNS:localhost", "-keyout", str(file), "-out", str(file) + ".crt"]
    subprocess.run(command, check=True, capture_output=True)
    file.write_bytes(file.read_bytes() + Path(str(file) + ".crt").read_bytes())
    return file


class Ends:
    """The contexts of a server and a client."""

    def __init__(self, certificate: Path, version: ssl.TLSVersion) -> None:
        self.server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.server.load_cert_chain(certificate)
        self.client = ssl.create_default_context(cafile=str(certificate) + ".crt")
        self.client.maximum_version = self.client.minimum_version = version


@pytest.fixture(params=[ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def ends(request: pytest.FixtureRequest, certificate: Path) -> Ends:
    return Ends(certificate, request.param)


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]


async def connected(
    ends: Ends, serve: Serve
) -> tuple[asyncio.Server, asyncio.StreamReader, asyncio.StreamWriter]:
    server = await asyncio.start_server(serve, LOCALHOST, 0, ssl=ends.server)
    port = server.sockets[0].getsockname()[1]
    reader, writer = await asyncio.open_connection(
        LOCALHOST, port, ssl=ends.client, server_hostname="localhost"
    )
    protocol: Any = writer.transport._ssl_protocol  # type: ignore[attr-defined]
    is_ours = isinstance(asyncio.get_running_loop(), eventloop.EventLoop)
    assert isinstance(protocol, TlsProtocol) == is_ours
    return server, reader, writer


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1 << 18):
        writer.write(data)
        await writer.drain()
    writer.close()


@pytest.mark.parametrize("size", [1, 100, 16_384, 16_385, 100_000, 3_000_000])
def test_all_goes_there_and_back(loop: asyncio.AbstractEventLoop, ends: Ends, size: int) -> None:
    async def main() -> None:
        server, reader, writer = await connected(ends, echo)
        sent = os.urandom(size)
        for kind in (bytes, bytearray, memoryview):
            writer.write(kind(sent))  # type: ignore[call-overload]
            assert await asyncio.wait_for(reader.readexactly(size), 20) == sent
        writer.writelines([sent, b"", sent])
        assert await asyncio.wait_for(reader.readexactly(2 * size), 20) == 2 * sent
        writer.close()
        await writer.wait_closed()
        server.close()

    loop.run_until_complete(main())


def test_what_comes_with_the_end_is_received(loop: asyncio.AbstractEventLoop, ends: Ends) -> None:
    sent = os.urandom(50_000)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(sent)
        writer.close()

    async def main() -> None:
        server, reader, writer = await connected(ends, serve)
        assert await asyncio.wait_for(reader.read(), 20) == sent
        assert reader.at_eof()
        writer.close()
        server.close()

    loop.run_until_complete(main())


def test_a_peer_that_does_not_read_pauses_the_writer(
    loop: asyncio.AbstractEventLoop, ends: Ends
) -> None:
    async def main() -> None:
        may_read = asyncio.Event()
        total = asyncio.get_running_loop().create_future()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await may_read.wait()
            total.set_result(len(await reader.read()))
            writer.close()

        server, _, writer = await connected(ends, serve)
        count = 0
        with pytest.raises(TimeoutError):
            while True:
                writer.write(bytes(100_000))
                count += 100_000
                await asyncio.wait_for(writer.drain(), 0.3)
        assert writer.transport.get_write_buffer_size() > 0
        may_read.set()
        await asyncio.wait_for(writer.drain(), 20)
        writer.close()
        assert await asyncio.wait_for(total, 20) == count
        server.close()

    loop.run_until_complete(main())


def test_a_paused_reader_gets_all_later(loop: asyncio.AbstractEventLoop, ends: Ends) -> None:
    class Paused(asyncio.Protocol):
        def __init__(self) -> None:
            self.received = bytearray()
            self.lost = asyncio.get_running_loop().create_future()

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport: Any = transport

        def data_received(self, data: bytes) -> None:
            self.received += data
            self.transport.pause_reading()
            asyncio.get_running_loop().call_later(0.001, self.transport.resume_reading)

        def connection_lost(self, exc: Exception | None) -> None:
            self.lost.set_result(exc)

    sent = os.urandom(2_000_000)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(sent)
        await writer.drain()
        writer.close()

    async def main() -> None:
        server = await asyncio.start_server(serve, LOCALHOST, 0, ssl=ends.server)
        port = server.sockets[0].getsockname()[1]
        _, protocol = await asyncio.get_running_loop().create_connection(
            Paused, LOCALHOST, port, ssl=ends.client, server_hostname="localhost"
        )
        await asyncio.wait_for(protocol.lost, 20)
        assert protocol.received == sent
        server.close()

    loop.run_until_complete(main())


def test_a_broken_record_ends_the_connection(loop: asyncio.AbstractEventLoop, ends: Ends) -> None:
    reports: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: reports.append(context))

    async def main() -> None:
        server, reader, writer = await connected(ends, echo)
        writer.write(b"data")
        assert await reader.readexactly(4) == b"data"
        protocol: Any = writer.transport._ssl_protocol  # type: ignore[attr-defined]
        broken = b"\x17\x03\x03\x00\x20" + bytes(32)
        room = protocol.get_buffer(len(broken))
        room[: len(broken)] = broken
        protocol.buffer_updated(len(broken))
        with pytest.raises(ssl.SSLError, match=r"(?i)bad record mac|decryption failed"):
            await asyncio.wait_for(reader.read(), 20)
        server.close()

    loop.run_until_complete(main())


def test_an_application_that_fails_is_reported(loop: asyncio.AbstractEventLoop, ends: Ends) -> None:
    reports: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: reports.append(context))

    class Failing(asyncio.Protocol):
        def data_received(self, data: bytes) -> None:
            raise ZeroDivisionError(data)

        def connection_lost(self, exc: Exception | None) -> None:
            lost.set_result(exc)

    lost = loop.create_future()

    async def main() -> None:
        async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"data")
            await writer.drain()

        server = await asyncio.start_server(serve, LOCALHOST, 0, ssl=ends.server)
        port = server.sockets[0].getsockname()[1]
        await asyncio.get_running_loop().create_connection(
            Failing, LOCALHOST, port, ssl=ends.client, server_hostname="localhost"
        )
        assert isinstance(await asyncio.wait_for(lost, 20), ZeroDivisionError)
        server.close()

    loop.run_until_complete(main())
    assert "Fatal error on SSL protocol" in [report["message"] for report in reports]


def test_an_object_of_another_class_is_used(loop: asyncio.AbstractEventLoop, ends: Ends) -> None:
    used: set[str] = set()

    class Object(ssl.SSLObject):
        def read(self, len: int = 1024, buffer: Any = None) -> Any:
            used.add("read")
            return super().read(len, buffer)

        def write(self, data: Any) -> int:
            used.add("write")
            return super().write(data)

    ends.client.sslobject_class = Object

    async def main() -> None:
        server, reader, writer = await connected(ends, echo)
        writer.write(b"data")
        assert await reader.readexactly(4) == b"data"
        writer.close()
        server.close()

    loop.run_until_complete(main())
    assert used == {"read", "write"}


def test_a_message_is_read_without_an_exception(certificate: Path) -> None:
    failed: list[str] = []

    def note(_: FrameType, event: str, called: Any) -> None:
        if event == "c_exception":
            failed.append(called.__name__)

    async def main() -> None:
        ends = Ends(certificate, ssl.TLSVersion.TLSv1_3)
        server, reader, writer = await connected(ends, echo)
        for number in range(20):
            if number == 5:
                sys.setprofile(note)
            writer.write(bytes(1000))
            await reader.readexactly(1000)
        sys.setprofile(None)
        writer.close()
        server.close()

    eventloop.run(main(), debug=False)
    assert "read" not in failed
