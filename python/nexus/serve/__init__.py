"""Endpoints: a handler behind HTTP, as SageMaker serves it, on this machine.

A handler is a Python callable or the name of a built-in one. :class:`Endpoint` serves it on
threads of its own, :class:`Client` calls it, and so does an unmodified ``boto3``.

>>> from nexus.serve import Client, Endpoint
>>> def shout(body: bytes) -> bytes:
...     return body.upper()
>>> with Endpoint(shout) as endpoint, Client(endpoint.url) as client:
...     client.invoke(b"hello")
b'HELLO'
"""

from nexus.serve._aws import InvokeEndpointOutput, SageMakerRuntime, StreamingBody, boto3_client
from nexus.serve._client import Client, EndpointError, Json
from nexus.serve._endpoint import Answer, Endpoint

__all__ = [
    "Answer",
    "Client",
    "Endpoint",
    "EndpointError",
    "InvokeEndpointOutput",
    "Json",
    "SageMakerRuntime",
    "StreamingBody",
    "boto3_client",
]
