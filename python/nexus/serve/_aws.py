"""The AWS client for an endpoint on this machine."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Protocol, TypedDict, cast

if TYPE_CHECKING:
    from nexus.serve._endpoint import Endpoint


class StreamingBody(Protocol):
    """The part of botocore's ``StreamingBody`` that is used here."""

    def read(self) -> bytes:
        """Return the whole body."""
        ...


class InvokeEndpointOutput(TypedDict):
    """What ``invoke_endpoint`` returns, in part."""

    Body: StreamingBody
    ContentType: str
    InvokedProductionVariant: str
    CustomAttributes: str


class SageMakerRuntime(Protocol):
    """The part of boto3's ``sagemaker-runtime`` client that endpoints here answer."""

    def invoke_endpoint(
        self,
        *,
        EndpointName: str,
        Body: bytes | str,
        ContentType: str = ...,
        Accept: str = ...,
        CustomAttributes: str = ...,
    ) -> InvokeEndpointOutput:
        """Call an endpoint (`InvokeEndpoint`_).

        .. _InvokeEndpoint:
           https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html
        """
        ...


def boto3_client(endpoint: Endpoint | str) -> SageMakerRuntime:
    """Return an unmodified ``boto3`` client for an endpoint, or the URL of one.

    Region and credentials are placeholders; nothing is sent to AWS. A request that fails is sent
    once. Needs ``pip install 'nexus-rs[aws]'``, else raises ``ImportError``.
    """
    try:
        boto3 = import_module("boto3")
        config = import_module("botocore.config")
    except ImportError as error:
        raise ImportError(
            "boto3_client needs boto3: pip install 'nexus-rs[aws]'", name="boto3"
        ) from error
    url = endpoint if isinstance(endpoint, str) else endpoint.url
    client = boto3.client(
        "sagemaker-runtime",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
        # No proxy: what has no region and no credentials is on this machine.
        config=config.Config(retries={"total_max_attempts": 1}, proxies={}),
    )
    return cast("SageMakerRuntime", client)
