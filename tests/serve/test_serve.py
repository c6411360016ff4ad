"""What ``nexus.serve`` promises, over loopback, with an unmodified ``boto3``."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator

import pytest

import nexus.serve
from nexus.serve import Client, Endpoint, EndpointError

WRONG_ANSWER = "TypeError: the handler returned {}, expected bytes, str, dict or list"


@pytest.fixture(scope="module")
def echo() -> Iterator[Endpoint]:
    with Endpoint("echo") as endpoint:
        yield endpoint


def obey(body: bytes) -> object:
    """Does what the body says."""
    orders: dict[bytes, object] = {
        b"bytes": b"\x00\xff",
        b"bytearray": bytearray(b"abc"),
        b"str": "grüß",
        b"dict": {"a": [1, None]},
        b"list": [1, 2],
        b"none": None,
        b"int": 7,
        b"unserialisable": {"a": object()},
    }
    match body:
        case b"value error":
            raise ValueError("out of\nluck")
        case b"refuse":
            raise EndpointError(404, "no such row")
        case b"teapot":
            raise EndpointError(418, "short and stout")
        case b"bad status":
            raise EndpointError(-1, "no status")
        case b"exit":
            raise SystemExit(3)
        case b"json":
            return {"parsed": json.loads(b"{")}
    return orders[body]


@pytest.fixture(scope="module")
def obedient() -> Iterator[Endpoint]:
    with Endpoint(obey) as endpoint:  # type: ignore[arg-type]  # some answers are wrong on purpose
        yield endpoint


@pytest.mark.parametrize(
    ("order", "answer"),
    [
        (b"bytes", b"\x00\xff"),
        (b"bytearray", b"abc"),
        (b"str", "grüß".encode()),
        (b"dict", {"a": [1, None]}),
        (b"list", b"[1, 2]"),
    ],
)
def test_answers_of_a_python_handler_arrive(
    obedient: Endpoint, order: bytes, answer: object
) -> None:
    with Client(obedient.url) as client:
        assert client.invoke(order) == answer


@pytest.mark.parametrize(
    ("order", "status", "message"),
    [
        (b"value error", 500, "ValueError: out of\nluck"),
        (b"refuse", 404, "no such row"),
        (b"teapot", 418, "short and stout"),
        (b"bad status", 500, "EndpointError: status -1: no status"),
        (b"exit", 500, "SystemExit: 3"),
        (
            b"none",
            500,
            "TypeError: the handler returned NoneType, expected bytes, str, dict or list",
        ),
        (b"int", 500, "TypeError: the handler returned int, expected bytes, str, dict or list"),
        (b"unserialisable", 500, "TypeError: Object of type object is not JSON serializable"),
        (b"unknown", 500, "KeyError: b'unknown'"),
        (
            b"json",
            400,
            "the body is not JSON: Expecting property name enclosed in double quotes: "
            "line 1 column 2 (char 1)",
        ),
    ],
)
def test_failures_of_a_python_handler_are_told(
    obedient: Endpoint, order: bytes, status: int, message: str
) -> None:
    with Client(obedient.url) as client:
        with pytest.raises(EndpointError) as caught:
            client.invoke(order)
        assert (caught.value.status, caught.value.message) == (status, message)
        assert client.invoke(b"str") == "grüß".encode()


def test_a_traceback_goes_to_standard_error() -> None:
    program = """
        from nexus.serve import Client, Endpoint, EndpointError
        def fail(body: bytes) -> bytes:
            raise ValueError("out of luck")
        with Endpoint(fail) as endpoint, Client(endpoint.url) as client:
            try:
                client.invoke(b"")
            except EndpointError as error:
                print(error)
    """
    ran = run(program)
    assert ran.stdout == "status 500: ValueError: out of luck\n"
    assert "Traceback" in ran.stderr
    assert "in fail" in ran.stderr


def test_an_unmodified_boto3_client_is_answered(echo: Endpoint) -> None:
    boto3 = pytest.importorskip("boto3")
    client = boto3.client(
        "sagemaker-runtime",
        endpoint_url=echo.url,
        region_name="us-east-1",
        aws_access_key_id="x",
        aws_secret_access_key="x",
    )
    answer = client.invoke_endpoint(
        EndpointName="default",
        Body=b"1,2",
        ContentType="text/csv",
        Accept="text/csv",
        CustomAttributes="trace=1",
    )
    assert answer["Body"].read() == b"1,2"
    assert answer["ContentType"] == "text/csv"
    assert answer["InvokedProductionVariant"] == "AllTraffic"
    assert answer["CustomAttributes"] == "trace=1"
    metadata = answer["ResponseMetadata"]
    assert metadata["HTTPStatusCode"] == 200
    assert len(metadata["RequestId"]) == 36


def test_a_body_of_six_mebibytes_passes_and_one_byte_more_does_not(echo: Endpoint) -> None:
    ClientError = pytest.importorskip("botocore.exceptions").ClientError

    client = nexus.serve.boto3_client(echo)
    body = os.urandom(6_291_456)
    assert client.invoke_endpoint(EndpointName="default", Body=body)["Body"].read() == body
    with pytest.raises(ClientError) as caught:
        client.invoke_endpoint(EndpointName="default", Body=body + b"x")
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413
    assert caught.value.response["Error"]["Code"] == "ValidationError"


def test_errors_have_the_shapes_that_boto3_knows(obedient: Endpoint) -> None:
    ClientError = pytest.importorskip("botocore.exceptions").ClientError

    client = nexus.serve.boto3_client(obedient.url)
    with pytest.raises(ClientError) as caught:
        client.invoke_endpoint(EndpointName="default", Body=b"refuse")
    assert type(caught.value).__name__ == "ModelError"
    assert caught.value.response["OriginalStatusCode"] == 404
    assert caught.value.response["OriginalMessage"] == "no such row"
    with pytest.raises(ClientError) as caught:
        client.invoke_endpoint(EndpointName="nobody", Body=b"")
    assert caught.value.response["Error"] == {
        "Code": "ValidationError",
        "Message": "endpoint nobody not found",
    }


def test_a_stopped_endpoint_says_so() -> None:
    endpoint = Endpoint("echo")
    endpoint.wait_ready(10)
    assert endpoint.ready()
    endpoint.stop()
    endpoint.stop()
    assert not endpoint.ready()
    assert "not ready" in repr(endpoint)
    with pytest.raises(RuntimeError, match="stopped"):
        endpoint.wait_ready(1)
    with pytest.raises(ConnectionRefusedError):
        Client(endpoint.url).invoke(b"")


@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (lambda: Endpoint("nothing"), ValueError, "no built-in handler is named `nothing`"),
        (lambda: Endpoint("echo", name="a_b"), ValueError, "cannot name an endpoint"),
        (lambda: Endpoint("echo", host="nowhere.invalid"), OSError, "cannot resolve"),
        (lambda: Endpoint(7), TypeError, "neither a name nor callable"),  # type: ignore[arg-type]
        (lambda: Endpoint(len, model_dir="m"), ValueError, "built-in"),  # type: ignore[arg-type]
        (lambda: Endpoint("echo", port=65536), OverflowError, "int"),
        (lambda: Client("ftp://x"), ValueError, "not an http"),
    ],
)
def test_what_cannot_be_is_refused(
    make: Callable[[], object], error: type[Exception], match: str
) -> None:
    with pytest.raises(error, match=match):
        make()


def test_a_port_in_use_is_named_with_a_hint(echo: Endpoint) -> None:
    port = int(echo.url.rsplit(":", 1)[1])
    with pytest.raises(OSError, match=r"the address is in use\nhint: ") as caught:
        Endpoint("echo", port=port)
    assert str(port) in str(caught.value)


def test_a_client_survives_a_restart_of_its_server() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    client = Client(f"http://127.0.0.1:{port}")
    for number in range(2):
        with Endpoint("echo", port=port):
            assert client.invoke({"number": number}) == {"number": number}
    client.close()


def test_many_threads_are_answered() -> None:
    with Endpoint(lambda body: body[::-1]) as endpoint:
        failures: list[object] = []

        def call(number: int) -> None:
            with Client(endpoint.url) as client:
                for round_ in range(50):
                    text = f"{number}:{round_}".encode()
                    if client.invoke(text) != text[::-1]:
                        failures.append(text)

        threads = [threading.Thread(target=call, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []


def test_stop_answers_what_is_in_flight() -> None:
    entered, leave = threading.Event(), threading.Event()

    def wait(body: bytes) -> bytes:
        entered.set()
        leave.wait(60)
        return body

    endpoint = Endpoint(wait)
    endpoint.wait_ready()
    answers: list[object] = []
    caller = threading.Thread(target=lambda: answers.append(Client(endpoint.url).invoke(b"kept")))
    caller.start()
    assert entered.wait(60)
    stopper = threading.Thread(target=endpoint.stop)
    stopper.start()
    leave.set()
    stopper.join(60)
    caller.join(60)
    assert answers == [b"kept"]


def test_dropping_a_running_endpoint_ends_it() -> None:
    endpoint = Endpoint(lambda body: body)
    endpoint.wait_ready()
    url = endpoint.url
    with Client(url) as client:
        assert client.invoke(b"x") == b"x"
    del endpoint
    with pytest.raises(ConnectionRefusedError):
        Client(url).invoke(b"x")


def test_an_endpoint_left_running_ends_with_the_interpreter() -> None:
    ran = run("""
        from nexus.serve import Client, Endpoint
        endpoint = Endpoint(lambda body: body)
        endpoint.wait_ready()
        client = Client(endpoint.url)
        print(client.invoke(b"x"))
    """)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "b'x'\n", "")


def test_a_forked_child_leaves_the_endpoint_alone() -> None:
    ran = run("""
        import os
        from nexus.serve import Client, Endpoint
        endpoint = Endpoint(lambda body: body)
        endpoint.wait_ready()
        child = os.fork()
        if child == 0:
            assert not endpoint.ready()
            endpoint.stop()
            del endpoint
            raise SystemExit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        print(Client(endpoint.url).invoke(b"alive"))
        endpoint.stop()
    """)
    assert (ran.returncode, ran.stdout) == (0, "b'alive'\n"), ran.stderr


def test_ctrl_c_interrupts_a_wait() -> None:
    program = """
        import threading
        from nexus.serve import Client, Endpoint
        entered = threading.Event()
        def forever(body: bytes) -> bytes:
            entered.set()
            threading.Event().wait(60)
            return body
        endpoint = Endpoint(forever)
        endpoint.wait_ready()
        threading.Thread(
            target=lambda: Client(endpoint.url).invoke(b""), daemon=True
        ).start()
        entered.wait()
        try:
            print("waiting", flush=True)
            endpoint.stop()
        except KeyboardInterrupt:
            print("interrupted", flush=True)
            import os
            os._exit(0)
    """
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "waiting\n"
    child.send_signal(signal.SIGINT)
    assert child.stdout.readline() == "interrupted\n"
    assert child.wait(60) == 0
    child.stdout.close()


def test_boto3_is_asked_for_by_name_if_it_is_missing(
    echo: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(ImportError, match=r"pip install 'nexus-rs\[aws\]'"):
        nexus.serve.boto3_client(echo)


def run(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
