"""The loop's methods of plain sockets: native where there is one, asyncio's for the rest.

A native method does its work at once and answers what it brought, or answers a future that is done
when the socket is ready. It answers `NotImplemented` for what asyncio's own method is for: debug
mode, other classes than `socket.socket`, and arguments that may be wrong. A future is let go of at
the end, for an exception keeps the frame: it would keep its own future, and so itself.
"""

# What asyncio calls its own is not in its stubs.
# mypy: disable-error-code="attr-defined, misc, no-any-return"

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any

from nexus import _eventloop

if TYPE_CHECKING:
    from typing_extensions import Buffer


class SocketMethods(_eventloop.Core, asyncio.SelectorEventLoop):
    """A loop with native `sock_*`."""

    async def sock_recv(self, sock: socket.socket, n: int) -> bytes:
        """Receive at most `n` bytes."""
        result = self._receive(sock, n)
        if type(result) is bytes:
            return result
        if result is NotImplemented:
            return await super().sock_recv(sock, n)
        try:
            return await result
        except BaseException:
            self._abandon(sock, result)
            raise
        finally:
            del result

    async def sock_recv_into(self, sock: socket.socket, buf: Buffer) -> int:
        """Receive into a buffer; how many bytes."""
        result = self._receive_into(sock, buf)
        if type(result) is int:
            return result
        if result is NotImplemented:
            return await super().sock_recv_into(sock, buf)
        try:
            return await result
        except BaseException:
            self._abandon(sock, result)
            raise
        finally:
            del result

    async def sock_recvfrom(self, sock: socket.socket, bufsize: int) -> tuple[bytes, Any]:
        """Receive a datagram, and the address it came from."""
        result = self._receive_from(sock, bufsize)
        if type(result) is tuple:
            return result
        if result is NotImplemented:
            return await super().sock_recvfrom(sock, bufsize)
        try:
            return await result
        except BaseException:
            self._abandon(sock, result)
            raise
        finally:
            del result

    async def sock_recvfrom_into(
        self, sock: socket.socket, buf: Buffer, nbytes: int = 0
    ) -> tuple[int, Any]:
        """Receive a datagram into a buffer; its size, and the address it came from."""
        result = self._receive_from_into(sock, buf, nbytes or len(buf))  # type: ignore[arg-type]
        if type(result) is tuple:
            return result
        if result is NotImplemented:
            return await super().sock_recvfrom_into(sock, buf, nbytes)
        try:
            return await result
        except BaseException:
            self._abandon(sock, result)
            raise
        finally:
            del result

    async def sock_sendall(self, sock: socket.socket, data: Buffer) -> None:
        """Send all of it."""
        result = self._send_all(sock, data)
        if result is None:
            return
        if result is NotImplemented:
            return await super().sock_sendall(sock, data)
        try:
            await result
        except BaseException:
            self._abandon(sock, result)
            raise
        finally:
            del result

    async def sock_sendto(self, sock: socket.socket, data: Buffer, address: Any) -> int:
        """Send a datagram to an address; how many bytes."""
        result = self._send_to(sock, data, address)
        if type(result) is int:
            return result
        if result is NotImplemented:
            return await super().sock_sendto(sock, data, address)
        try:
            return await result
        except BaseException:
            self._abandon(sock, result)
            raise
        finally:
            del result

    async def sock_accept(self, sock: socket.socket) -> tuple[socket.socket, Any]:
        """Accept a connection: a socket that does not block, and the address of the peer."""
        result = self._accept(sock)
        if type(result) is tuple:
            return result
        if result is NotImplemented:
            return await super().sock_accept(sock)
        try:
            return await result
        except BaseException:
            self._abandon(sock, result)
            raise
        finally:
            del result

    def _adopt(self, listener: socket.socket, fd: int) -> socket.socket:
        # The flag says that it does not block already.
        kind = listener.type | socket.SOCK_NONBLOCK
        return socket.socket(listener.family, kind, listener.proto, fileno=fd)

    async def sock_connect(self, sock: socket.socket, address: Any) -> None:
        """Connect to an address."""
        if self._debug or type(sock) is not socket.socket or sock.fileno() < 0:
            return await super().sock_connect(sock, address)
        if sock.family in (socket.AF_INET, socket.AF_INET6):
            resolved = await self._ensure_resolved(
                address, family=sock.family, type=sock.type, proto=sock.proto, loop=self
            )
            address = resolved[0][4]
        try:
            return sock.connect(address)
        except (BlockingIOError, InterruptedError):
            # An interrupted one goes on by itself.
            result = self._connected(sock, address)
        try:
            await result
        except BaseException:
            self._abandon(sock, result)
            raise
        finally:
            del result
