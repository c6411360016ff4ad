"""A small client on the standard library."""

from __future__ import annotations

import http.client
import json
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import quote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

#: What JSON can hold.
Json: TypeAlias = bool | int | float | str | list["Json"] | dict[str, "Json"] | None


class EndpointError(RuntimeError):
    """An endpoint refused or failed: an HTTP status and a one-line reason.

    :class:`Client` raises it; a handler raises it to choose the status of its answer.

    >>> error = EndpointError(404, "no such row")
    >>> error.status, str(error)
    (404, 'status 404: no such row')
    """

    status: int
    message: str

    def __init__(self, status: int, message: str) -> None:
        super().__init__(status, message)
        self.status = status
        self.message = message

    def __str__(self) -> str:
        """Status and reason."""
        return f"status {self.status}: {self.message}"


class Client:
    """Calls one endpoint over one kept-alive connection. Not for several threads at a time.

    >>> from nexus.serve import Client, Endpoint
    >>> with Endpoint("echo") as endpoint, Client(endpoint.url) as client:
    ...     client.invoke({"inputs": [1, 2]})
    {'inputs': [1, 2]}
    """

    def __init__(self, url: str, name: str = "default", *, timeout: float = 60.0) -> None:
        """Connect on first use to the endpoint ``name`` of the server at ``url``."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"not an http or https URL: {url!r}")
        connection = (
            http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        )
        self._connection = connection(parts.hostname, parts.port, timeout=timeout)
        self._path = f"{parts.path.rstrip('/')}/endpoints/{quote(name, safe='')}/invocations"

    def invoke(
        self,
        payload: Mapping[str, Json] | bytes,
        *,
        content_type: str | None = None,
        accept: str | None = None,
    ) -> dict[str, Json] | bytes:
        """Send ``payload`` and return the answer.

        A mapping is sent as JSON; ``bytes`` are sent as they are, as ``application/octet-stream``
        unless ``content_type`` says otherwise. An answer that is a JSON object comes back as a
        ``dict``, any other as ``bytes``.

        Raises :class:`EndpointError` if the endpoint refuses or fails, ``OSError`` and
        ``http.client.HTTPException`` if it cannot be reached.
        """
        if isinstance(payload, bytes):
            body, default = payload, "application/octet-stream"
        else:
            body, default = json.dumps(payload).encode(), "application/json"
        headers = {"Content-Type": content_type or default, "Accept": accept or "*/*"}
        response = self._post(body, headers)
        data = response.read()
        if not 200 <= response.status < 300:
            raise _error(response.status, data)
        if response.headers.get_content_type() == "application/json":
            value: Json = json.loads(data)
            if isinstance(value, dict):
                return value
        return data

    def close(self) -> None:
        """Close the connection; the next call opens another."""
        self._connection.close()

    def __enter__(self) -> Client:
        """Return the client itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()

    def _post(self, body: bytes, headers: dict[str, str]) -> http.client.HTTPResponse:
        reused = self._connection.sock is not None
        try:
            return self._send(body, headers)
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
            # An idle connection may be closed by the server just when it is used again.
            self.close()
            if not reused:
                raise
        except BaseException:
            self.close()
            raise
        return self._send(body, headers)

    def _send(self, body: bytes, headers: dict[str, str]) -> http.client.HTTPResponse:
        self._connection.request("POST", self._path, body, headers)
        return self._connection.getresponse()


def _error(status: int, data: bytes) -> EndpointError:
    """What the endpoint says went wrong, whichever contract shaped it."""
    text = data.decode("utf-8", "replace")
    try:
        value = json.loads(text)
    except ValueError:
        return EndpointError(status, text)
    if not isinstance(value, dict):
        return EndpointError(status, text)
    original = value.get("OriginalStatusCode")
    if isinstance(original, int):
        return EndpointError(original, str(value.get("OriginalMessage", text)))
    return EndpointError(status, str(value.get("Message", value.get("error", text))))
