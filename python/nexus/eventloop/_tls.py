"""TLS: asyncio's protocol, with fewer steps for a message where nothing is in the way."""

# What asyncio calls its own is not in its stubs.
# mypy: disable-error-code="attr-defined, misc, name-defined, union-attr"

import ssl
from asyncio import sslproto
from typing import Any

_WRAPPED = sslproto.SSLProtocolState.WRAPPED

# Plain bytes of a record at most (RFC 8446, 5.1).
_RECORD_SIZE = 1 << 14


class TlsProtocol(sslproto.SSLProtocol):
    """The protocol of a connection with TLS: the states, the handshake and the end are inherited.

    asyncio asks OpenSSL for more until it raises that there is none, and has room for 256 KiB made
    each time. Here it is asked again where something is left, with room for what came.
    """

    def data_received(self, data: bytes) -> None:
        """Take what the socket has; native transports call it, so that nobody asks for a buffer."""
        self._incoming.write(data)
        if self._state is _WRAPPED:
            self._do_read()
        else:
            # What it is to do now, asyncio's method knows.
            self.buffer_updated(0)

    def _do_read(self) -> None:
        if (
            self._state is not _WRAPPED
            or self._app_reading_paused
            or self._app_protocol_is_buffer
            or type(self._sslobj) is not ssl.SSLObject
        ):
            super()._do_read()
            return
        incoming = self._incoming
        native = self._sslobj._sslobj
        try:
            try:
                # No bytes at all are the end.
                data = native.read(min(incoming.pending, _RECORD_SIZE) or _RECORD_SIZE)
                has_ended = not data
            except sslproto.SSLAgainErrors:
                data, has_ended = b"", False
            if data:
                if incoming.pending or native.pending():
                    data, has_ended = self._read_rest(data)
                self._app_protocol.data_received(data)
            if has_ended:
                self._call_eof_received()
                self._start_shutdown()
            if self._write_backlog:
                self._do_write()
            elif self._outgoing.pending:
                self._process_outgoing()
            if self._ssl_reading_paused or incoming.pending:
                self._control_ssl_reading()
        except Exception as error:
            self._fatal_error(error, "Fatal error on SSL protocol")

    def _read_rest(self, first: bytes) -> tuple[bytes, bool]:
        """All there is, of which something has been read; whether it is the last."""
        incoming, native = self._incoming, self._sslobj._sslobj
        chunks = [first]
        try:
            while chunks[-1] and (incoming.pending or native.pending()):
                # It brings one record at most.
                chunks.append(native.read(min(incoming.pending, _RECORD_SIZE) or _RECORD_SIZE))
        except sslproto.SSLAgainErrors:
            pass
        return b"".join(chunks), not chunks[-1]

    def _write_appdata(self, list_of_data: Any) -> None:
        if (
            self._state is not _WRAPPED
            or self._write_backlog
            or self._ssl_writing_paused
            or self._app_writing_paused
            or len(list_of_data) != 1
            or type(list_of_data[0]) is not bytes
            or type(self._sslobj) is not ssl.SSLObject
        ):
            super()._write_appdata(list_of_data)
            return
        try:
            count = self._sslobj._sslobj.write(list_of_data[0])
        except sslproto.SSLAgainErrors:
            count = 0
        except Exception as error:
            self._fatal_error(error, "Fatal error on SSL protocol")
            return
        if count == len(list_of_data[0]):
            self._transport.write(self._outgoing.read())
        else:
            super()._write_appdata([list_of_data[0][count:]])
