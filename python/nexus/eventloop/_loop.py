"""The loop: native where it is hot, asyncio's where it is not."""

# What asyncio calls its own is not in its stubs.
# mypy: disable-error-code="attr-defined, misc, no-any-return"

import asyncio
import signal
import socket
import ssl
import threading
from asyncio import base_events, events, format_helpers
from collections.abc import Callable
from contextvars import Context
from selectors import BaseSelector
from typing import Any

from nexus import _eventloop
from nexus.eventloop._datagram import DatagramTransport
from nexus.eventloop._selector import ReactorSelector
from nexus.eventloop._sockets import SocketMethods
from nexus.eventloop._stats import Stats
from nexus.eventloop._tls import TlsProtocol
from nexus.eventloop._transport import SocketTransport


class _ReadyQueue:
    """The loop's ready queue, as far as asyncio's own methods use it."""

    __slots__ = ("_loop",)

    def __init__(self, loop: _eventloop.Core) -> None:
        self._loop = loop

    def append(self, handle: object) -> None:
        self._loop._push(handle)

    def clear(self) -> None:
        self._loop._forget()

    def __len__(self) -> int:
        return self._loop._counts()[0]


class EventLoop(SocketMethods):
    """An event loop with all methods of asyncio's `SelectorEventLoop`.

    A selector may be given, as to asyncio's loop; it is closed: the reactor is in its place.
    """

    def __init__(self, selector: BaseSelector | None = None) -> None:
        if selector is not None:
            selector.close()
        self._has_own_time = type(self).time is not _eventloop.Core.time
        super().__init__(ReactorSelector(self))

    # asyncio sets it once; what is in the queue is the native core's.
    _ready = property(_ReadyQueue, lambda self, value: None)

    def stats(self) -> Stats:
        """Tell what waits now, and what the loop has done since it was made."""
        return Stats(*self._stats())

    def run_forever(self) -> None:
        """Run until `stop` is called."""
        wakeup = self._watch_signals()
        outer = self._keeps_running
        self._keeps_running = True
        try:
            super().run_forever()
        finally:
            self._keeps_running = outer
            if wakeup is not None and not self._signal_handlers:
                signal.set_wakeup_fd(wakeup)

    def _watch_signals(self) -> int | None:
        """Have signals end the wait, also one that comes just before it; what was there before."""
        if threading.current_thread() is not threading.main_thread() or self._closed:
            return None
        try:
            return signal.set_wakeup_fd(self._csock.fileno(), warn_on_full_buffer=False)
        except ValueError:
            # Not the main interpreter: signals are not for it.
            return None

    # Debug mode: asyncio's own methods, which check more and note where they are called.
    _call_soon_debug = base_events.BaseEventLoop.call_soon
    _call_soon_threadsafe_debug = base_events.BaseEventLoop.call_soon_threadsafe
    _call_later_debug = base_events.BaseEventLoop.call_later

    def _call_at_debug(
        self,
        when: float | None,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        if when is None:
            raise TypeError("when cannot be None")
        self._check_closed()
        self._check_thread()
        self._check_callback(callback, "call_at")
        timer = events.TimerHandle(when, callback, args, self, context)
        if timer._source_traceback:
            del timer._source_traceback[-1]
        self._schedule(timer)
        timer._scheduled = True
        return timer

    def _run_debug(self, handle: Any) -> None:
        if handle._cancelled:
            return
        self._current_handle = handle
        try:
            start = self.time()
            handle._run()
            seconds = self.time() - start
            if seconds >= self.slow_callback_duration:
                name = base_events._format_handle(handle)
                base_events.logger.warning("Executing %s took %.3f seconds", name, seconds)
        finally:
            self._current_handle = None
            # An exception keeps this frame, and what it has.
            handle = None

    # Called by the native core.

    def _callback_failed(self, handle: Any, error: BaseException) -> None:
        callback = format_helpers._format_callback_source(handle._callback, handle._args)
        context = {
            "message": f"Exception in callback {callback}",
            "exception": error,
            "handle": handle,
        }
        self.call_exception_handler(context)

    def _transport_failed(self, transport: Any, error: BaseException) -> None:
        context = {
            "message": "Exception in a transport's callback",
            "exception": error,
            "transport": transport,
        }
        self.call_exception_handler(context)

    def _represent(self, handle: Any) -> str:
        info = [type(handle).__name__]
        if handle._cancelled:
            info.append("cancelled")
        if isinstance(handle, _eventloop.TimerHandle):
            info.append(f"when={handle._when}")
        if handle._callback is not None:
            info.append(format_helpers._format_callback_source(handle._callback, handle._args))
        return f"<{' '.join(info)}>"

    # Transports of connected sockets; in debug mode asyncio's.

    def _make_socket_transport(
        self,
        sock: socket.socket,
        protocol: asyncio.BaseProtocol,
        waiter: Any = None,
        *,
        extra: dict[str, Any] | None = None,
        server: Any = None,
    ) -> asyncio.Transport:
        if self._debug:
            return super()._make_socket_transport(
                sock, protocol, waiter, extra=extra, server=server
            )
        self._ensure_fd_no_transport(sock)
        return SocketTransport(self, sock, protocol, waiter, extra, server)

    def _make_ssl_transport(
        self,
        rawsock: socket.socket,
        protocol: asyncio.BaseProtocol,
        sslcontext: ssl.SSLContext,
        waiter: Any = None,
        *,
        extra: dict[str, Any] | None = None,
        server: Any = None,
        **options: Any,
    ) -> asyncio.Transport:
        if self._debug:
            return super()._make_ssl_transport(
                rawsock, protocol, sslcontext, waiter, extra=extra, server=server, **options
            )
        self._ensure_fd_no_transport(rawsock)
        tls = TlsProtocol(self, protocol, sslcontext, waiter, **options)
        SocketTransport(self, rawsock, tls, None, extra, server)
        return tls._app_transport

    def _make_datagram_transport(
        self,
        sock: socket.socket,
        protocol: asyncio.DatagramProtocol,
        address: Any = None,
        waiter: Any = None,
        extra: dict[str, Any] | None = None,
    ) -> asyncio.DatagramTransport:
        if self._debug:
            return super()._make_datagram_transport(sock, protocol, address, waiter, extra)
        self._ensure_fd_no_transport(sock)
        return DatagramTransport(self, sock, protocol, address, waiter, extra)
