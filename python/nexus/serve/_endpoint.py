"""Starting and stopping an endpoint."""

from __future__ import annotations

import atexit
import sys
import weakref
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

from nexus._serve import Server
from nexus.serve._client import Json

if TYPE_CHECKING:
    import os
    from collections.abc import Callable
    from types import TracebackType

#: What a Python handler may return: ``bytes`` as they are, ``str`` as text, the rest as JSON.
Answer: TypeAlias = bytes | bytearray | str | Mapping[str, Json] | Sequence[Json]


class Endpoint:
    """A handler that answers over HTTP until :meth:`stop`, or the end of the ``with`` block.

    ``handler`` is a callable that gets the request's body, or the name of a built-in handler
    (``"echo"``), which loads its model from ``model_dir``. A callable is called from one thread
    that is not the caller's, one request at a time. What it raises is answered as status 500 with
    the message, and the traceback goes to standard error; :class:`EndpointError` chooses another
    status, and a ``json.JSONDecodeError`` is answered 400.

    ``port`` 0 lets the system choose one. The model loads in the background; the ``with`` block
    begins when it is loaded.

    Raises ``ValueError`` for a name that cannot be, ``OSError`` if the address is in use.

    >>> with Endpoint("echo", name="mirror") as endpoint:
    ...     endpoint.ready()
    True
    """

    def __init__(
        self,
        handler: str | Callable[[bytes], Answer],
        *,
        name: str = "default",
        host: str = "127.0.0.1",
        port: int = 0,
        model_dir: str | os.PathLike[str] | None = None,
    ) -> None:
        self._server = Server(handler, name=name, host=host, port=port, model_dir=model_dir)
        _running.add(self)

    @property
    def url(self) -> str:
        """``http://host:port``, for :class:`Client` and as ``endpoint_url`` for ``boto3``."""
        return self._server.url

    @property
    def name(self) -> str:
        """The endpoint's name, ``EndpointName`` for ``boto3``."""
        return self._server.name

    def ready(self) -> bool:
        """Whether the handler is loaded and the endpoint is not stopped."""
        return self._server.ready()

    def wait_ready(self, timeout: float = 60.0) -> None:
        """Wait until the handler is loaded, at most ``timeout`` seconds.

        Raises ``TimeoutError`` if it is not, ``RuntimeError`` if it cannot be or the endpoint is
        stopped.
        """
        self._server.wait_ready(timeout)

    def stop(self) -> None:
        """Answer the requests in flight, at most for 25 s, and end. A second call does nothing.

        Raises ``RuntimeError`` if requests were left unanswered.
        """
        self._server.stop()
        _running.discard(self)

    def __enter__(self) -> Endpoint:
        """Wait until the handler is loaded."""
        try:
            self.wait_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop."""
        self.stop()

    def __repr__(self) -> str:
        """Name, address and state."""
        state = "ready" if self.ready() else "not ready"
        return f"<nexus.serve.Endpoint {self.name} at {self.url}, {state}>"


_running: weakref.WeakSet[Endpoint] = weakref.WeakSet()


@atexit.register
def _stop_all() -> None:
    """Stop what still runs while the interpreter can still answer requests."""
    for endpoint in list(_running):
        try:
            endpoint.stop()
        except RuntimeError as error:
            print(f"nexus.serve: {endpoint.name}: {error}", file=sys.stderr)
