"""An echo server on one loop: ``python server.py LOOP KIND [ADDRESS]``.

It prints its address, and serves until standard input ends.
"""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import ssl
import sys
import threading

from loops import factory


class Echo(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)  # type: ignore[attr-defined]


class Buffered(asyncio.BufferedProtocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.room = memoryview(bytearray(256 << 10))

    def get_buffer(self, sizehint: int) -> memoryview:
        return self.room

    def buffer_updated(self, nbytes: int) -> None:
        self.transport.write(self.room[:nbytes])  # type: ignore[attr-defined]


class Datagrams(asyncio.DatagramProtocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        self.transport.sendto(data, address)  # type: ignore[attr-defined]


async def stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(256 << 10):
        writer.write(data)
        await writer.drain()
    writer.close()


async def accept(listener: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    tasks = set()
    while True:
        peer, _ = await loop.sock_accept(listener)
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        task = asyncio.create_task(echo(loop, peer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)


async def echo(loop: asyncio.AbstractEventLoop, peer: socket.socket) -> None:
    with peer:
        while data := await loop.sock_recv(peer, 256 << 10):
            await loop.sock_sendall(peer, data)


async def serve(kind: str, address: str) -> None:
    loop = asyncio.get_running_loop()
    if kind == "udp":
        transport, _ = await loop.create_datagram_endpoint(Datagrams, ("127.0.0.1", 0))
        tell(transport.get_extra_info("sockname"))
    elif kind == "sock":
        listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        listener.setblocking(False)
        tell(listener.getsockname())
        await accept(listener)
    elif kind == "unix":
        server = await loop.create_unix_server(Echo, address)
        print(address, flush=True)
    else:
        context = None
        if kind == "tls":
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(address)
        options = {"ssl": context, "backlog": 1024}
        if kind == "streams":
            server = await asyncio.start_server(stream, "127.0.0.1", 0, **options)
        else:
            made = Buffered if kind == "buffered" else Echo
            server = await loop.create_server(made, "127.0.0.1", 0, **options)
        tell(server.sockets[0].getsockname())
    await asyncio.Event().wait()


def tell(address: tuple[str, int]) -> None:
    print(f"{address[0]}:{address[1]}", flush=True)


def end() -> None:
    """Ends the process when the bench has, whatever the loop is doing."""
    sys.stdin.read()
    os._exit(0)


def main() -> None:
    name, kind, address = [*sys.argv[1:], ""][:3]
    threading.Thread(target=end, daemon=True).start()
    loop = factory(name)()
    asyncio.set_event_loop(loop)
    gc.freeze()
    try:
        loop.run_until_complete(serve(kind, address))
    # A loop that lacks this kind of server ends with the reason, which the bench lists.
    except (NotImplementedError, AttributeError, TypeError) as error:
        sys.exit(f"{type(error).__name__}: {error}")


main()
