"""CPython's own tests of asyncio, run by `cpython/run.py` in a process of their own.

The extension is built for one version of Python: for the others that are here it is built first.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import interpreters
import pytest

from nexus import eventloop

RUN = Path(__file__).parent / "cpython" / "run.py"
ROOT = Path(__file__).parents[2]
# The others test what is inherited, or take long; `./x test --full` runs all.
QUICK = [
    "test_buffered_proto",
    "test_context",
    "test_futures2",
    "test_locks",
    "test_queues",
    "test_runners",
    "test_sendfile",
    "test_server",
    "test_sock_lowlevel",
    "test_ssl",
    "test_streams",
    "test_taskgroups",
    "test_timeouts",
    "test_unix_events",
]


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("modules", [QUICK, ["test_events"]], ids=["quick", "events"])
def test_cpythons_tests_pass(modules: list[str]) -> None:
    pytest.importorskip("test.test_asyncio", reason="this Python comes without its tests")
    chosen = [] if os.environ.get("NEXUS_TEST_FULL") and modules is QUICK else modules
    command = [sys.executable, str(RUN), *chosen]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout[-6000:] + ran.stderr[-2000:]
    assert " loops were ours" in ran.stdout


OTHERS = [minor for minor in (11, 12, 13) if sys.version_info[:2] != (3, minor)]


@pytest.fixture(params=OTHERS, ids="3.{}".format)
def another(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Path]:
    """Another version of Python, and a folder that has the loop built for it."""
    minor: int = request.param
    python = interpreters.find(minor)
    if python is None:
        pytest.skip(f"there is no Python 3.{minor} here")
    if not shutil.which("cargo"):
        pytest.skip("there is no cargo here to build the extension with")
    has_tests = subprocess.run([python, "-c", "import test.test_asyncio"], capture_output=True)
    if has_tests.returncode:
        pytest.skip(f"Python 3.{minor} comes here without its tests")
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / f"python3.{minor}"
    command = ["cargo", "build", "--quiet", "--release", "-p", "nexus-py-eventloop"]
    command += ["--features", "pyo3-ffi/extension-module", "--target-dir", str(target)]
    variables = os.environ | {"PYO3_PYTHON": python}
    built = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr[-4000:]
    package = tmp_path / "nexus"
    source = Path(eventloop.__file__).parent
    shutil.copytree(source, package / "eventloop", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(target / "release/libnexus_py_eventloop.so", package / "_eventloop.so")
    return python, tmp_path


@pytest.mark.timeout(1200)
def test_cpythons_tests_pass_on_other_versions(another: tuple[str, Path]) -> None:
    python, folder = another
    variables = os.environ | {"PYTHONPATH": str(folder)}
    chosen = [] if os.environ.get("NEXUS_TEST_FULL") else [*QUICK, "test_events"]
    command = [python, str(RUN), *chosen]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, env=variables)
    assert ran.returncode == 0, ran.stdout[-6000:] + ran.stderr[-2000:]
    assert " loops were ours" in ran.stdout
