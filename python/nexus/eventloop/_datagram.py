"""Datagrams: asyncio's transport, with native receiving and sending where nothing is in the way."""

# What asyncio calls its own is not in its stubs.
# mypy: disable-error-code="attr-defined, misc, name-defined"

import socket
from asyncio import futures, protocols, selector_events
from typing import Any

_INTERNET = (socket.AF_INET, socket.AF_INET6)


class DatagramTransport(selector_events._SelectorDatagramTransport):
    """The transport of a UDP or unix socket.

    Several datagrams are received by one system call. Those of unix sockets may be larger than the
    room that there is for each, so they are received by asyncio's own method.
    """

    def __init__(
        self,
        loop: Any,
        sock: socket.socket,
        protocol: protocols.DatagramProtocol,
        address: Any = None,
        waiter: futures.Future[None] | None = None,
        extra: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(loop, sock, protocol, address, waiter, extra)
        self._family = int(sock.family)
        self._is_of_internet = sock.family in _INTERNET
        self._is_connected = bool(self._extra["peername"])
        # Where it sends to one address by another way, asyncio's method compares the addresses.
        self._is_plain = self._is_connected or not address

    def _read_ready(self) -> None:
        if not self._is_of_internet:
            super()._read_ready()
        elif not self._conn_lost:
            self._loop._receive_datagrams(self, self._sock_fd)

    def _deliver(self, data: bytes, address: Any) -> None:
        """Hand over what was received together with a datagram at which the protocol failed."""
        if not self._closing:
            self._protocol.datagram_received(data, address)

    def sendto(self, data: Any, addr: Any = None) -> None:
        """Send a datagram: to an address, or where the transport is connected, to its peer."""
        if (
            not self._buffer
            and not self._conn_lost
            and self._is_plain
            and (addr is None) == self._is_connected
            and self._loop._send_datagram(self, self._sock_fd, self._family, data, addr)
        ):
            return
        super().sendto(data, addr)
