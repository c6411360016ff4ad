"""What is seldom called of a connected socket's transport: opening, closing, failing."""

# What asyncio calls its own is not in its stubs.
# mypy: disable-error-code="attr-defined"

import socket
import sys
import warnings
from asyncio import base_events, constants, futures, protocols, transports, trsock
from asyncio.log import logger
from asyncio.streams import StreamReader, StreamReaderProtocol
from typing import Any

from nexus import _eventloop
from nexus.eventloop._tls import TlsProtocol

# Since then a server knows its transports.
_SERVER_KNOWS_TRANSPORTS = sys.version_info >= (3, 13)


# Where somebody has put others in their place, these are called.
_FEEDING = (
    StreamReaderProtocol.data_received,
    StreamReader.feed_data,
    StreamReader._wakeup_waiter,
)


def _is_untouched() -> bool:
    data_received, feed_data, wakeup_waiter = _FEEDING
    return (
        StreamReaderProtocol.data_received is data_received
        and StreamReader.feed_data is feed_data
        and StreamReader._wakeup_waiter is wakeup_waiter
    )


class SocketTransport(_eventloop.StreamTransport):
    """The transport of a TCP or unix socket; reading and writing are native."""

    _start_tls_compatible = True
    _sendfile_compatible = constants._SendfileMode.TRY_NATIVE

    def __init__(
        self,
        loop: Any,
        sock: socket.socket,
        protocol: protocols.BaseProtocol,
        waiter: futures.Future[None] | None = None,
        extra: dict[str, Any] | None = None,
        server: Any = None,
    ) -> None:
        transports.BaseTransport.__init__(self, extra)
        self._extra["socket"] = trsock.TransportSocket(sock)
        for name, ask in [("sockname", sock.getsockname), ("peername", sock.getpeername)]:
            if name not in self._extra or name == "sockname":
                try:
                    self._extra[name] = ask()
                except OSError:
                    self._extra[name] = None
        self._open(loop, sock, sock.fileno(), server)
        self._set_write_buffer_limits()
        self.set_protocol(protocol)
        if server is not None:
            server._attach(*self._to_server())
        loop._transports[self._sock_fd] = self
        base_events._set_nodelay(sock)
        loop.call_soon(protocol.connection_made, self)
        # Only then, so that the protocol knows of its connection first.
        loop.call_soon(self._start_reading)
        if waiter is not None:
            loop.call_soon(futures._set_result_unless_cancelled, waiter, None)

    def _to_server(self) -> tuple[()] | tuple[Any]:
        return (self,) if _SERVER_KNOWS_TRANSPORTS else ()

    def _start_reading(self) -> None:
        self._reads = True

    def __repr__(self) -> str:
        info = [type(self).__name__]
        if self._sock is None:
            info.append("closed")
        elif self._closing:
            info.append("closing")
        info.append(f"fd={self._sock_fd}")
        if self._loop is not None and not self._loop.is_closed():
            info.append("read=polling" if self._reads and self.is_reading() else "read=idle")
            size = self.get_write_buffer_size()
            info.append(f"write=<{'polling' if size else 'idle'}, bufsize={size}>")
        return f"<{' '.join(info)}>"

    def __del__(self) -> None:
        sock = self._sock
        if sock is not None:
            warnings.warn(
                f"unclosed transport {self!r}", ResourceWarning, source=self, stacklevel=2
            )
            server = self._server
            sock.close()
            if server is not None and _SERVER_KNOWS_TRANSPORTS:
                server._detach(self)

    # Protocol and flow.

    def set_protocol(self, protocol: protocols.BaseProtocol) -> None:
        """Have another protocol from now on."""
        is_buffered = isinstance(protocol, protocols.BufferedProtocol) and not isinstance(
            protocol, TlsProtocol
        )
        is_of_streams = type(protocol) is StreamReaderProtocol and _is_untouched()
        self._set_protocol(protocol, is_buffered, is_of_streams)

    def get_protocol(self) -> protocols.BaseProtocol:
        """Tell the protocol."""
        protocol: protocols.BaseProtocol = self._protocol
        return protocol

    def is_reading(self) -> bool:
        """Tell whether it is neither paused nor closed."""
        return not self._closing and not self._paused

    def pause_reading(self) -> None:
        """Receive nothing until `resume_reading`."""
        if not self.is_reading():
            return
        self._paused = True
        self._sync()

    def resume_reading(self) -> None:
        """Receive again."""
        if self._closing or not self._paused:
            return
        self._paused = False
        self._reads = True

    def _flow_failed(self, name: str, error: BaseException) -> None:
        self._report(error, f"protocol.{name}() failed")

    def _report(self, error: BaseException, message: str) -> None:
        if self._loop is not None:
            context = {
                "message": message,
                "exception": error,
                "transport": self,
                "protocol": self._protocol,
            }
            self._loop.call_exception_handler(context)

    # The end.

    def can_write_eof(self) -> bool:
        """Tell that sockets can."""
        return True

    def write_eof(self) -> None:
        """Send no more once all is written."""
        if self._closing or self._eof:
            return
        self._eof = True
        if not self.get_write_buffer_size():
            self._sock.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Close the connection once all is written."""
        if self._closing:
            return
        self._closing = True
        if not self.get_write_buffer_size():
            self._conn_lost += 1
            self._loop.call_soon(self._call_connection_lost, None)
        self._sync()

    def abort(self) -> None:
        """Close the connection now."""
        self._force_close(None)

    def _force_close(self, error: BaseException | None) -> None:
        if self._conn_lost:
            return
        self._clear_pending()
        self._closing = True
        self._conn_lost += 1
        self._sync()
        self._loop.call_soon(self._call_connection_lost, error)

    def _fatal_error(self, error: BaseException, message: str = "Fatal error on transport") -> None:
        if self._loop is None:
            return
        if isinstance(error, OSError):
            if self._loop.get_debug():
                logger.debug("%r: %s", self, message, exc_info=True)
        else:
            self._report(error, message)
        if self._empty_waiter is not None and not self._empty_waiter.done():
            self._empty_waiter.set_exception(error)
        self._force_close(error)

    def _drained(self) -> None:
        """All is written, and somebody waits for that."""
        waiter = self._empty_waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
        if self._closing:
            if not self._conn_lost:
                self._conn_lost += 1
                self._call_connection_lost(None)
        elif self._eof:
            self._sock.shutdown(socket.SHUT_WR)

    def _call_connection_lost(self, error: BaseException | None) -> None:
        try:
            self._protocol.connection_lost(error)
        finally:
            sock, server = self._sock, self._server
            self._forget()
            sock.close()
            if server is not None:
                server._detach(*self._to_server())
            waiter = self._empty_waiter
            if waiter is not None and not waiter.done():
                waiter.set_exception(ConnectionError("Connection is closed by peer"))

    def _warn_lost(self) -> None:
        logger.warning("socket.send() raised exception.")

    # For the loop's `sendfile`.

    def _make_empty_waiter(self) -> futures.Future[None]:
        if self._empty_waiter is not None:
            raise RuntimeError("Empty waiter is already set")
        self._empty_waiter = self._loop.create_future()
        if not self.get_write_buffer_size():
            self._empty_waiter.set_result(None)
        return self._empty_waiter

    def _reset_empty_waiter(self) -> None:
        self._empty_waiter = None
