"""CPython's own tests of asyncio, run by `cpython/run.py` in a process of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

RUN = Path(__file__).parent / "cpython" / "run.py"
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
