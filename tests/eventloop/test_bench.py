"""The bench of the loop runs, and its tables have what it measures."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

RUN = Path(__file__).parents[2] / "bench/eventloop/run.py"


@pytest.mark.timeout(900)
@pytest.mark.skipif(not shutil.which("cargo"), reason="the load generator is written in Rust")
def test_a_short_run_of_the_bench_measures_all_kinds(tmp_path: Path) -> None:
    command = [sys.executable, str(RUN), "--rounds", "1", "--ms", "20", "--idle", "50"]
    folders = ["--out", str(tmp_path), "--peers", "asyncio", "--no-page"]
    ran = subprocess.run([*command, *folders], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    report = json.loads((tmp_path / "figures.json").read_text())
    assert not report["missing"]["nexus"]
    for quantity, count in (("cpu", 20), ("rate", 20), ("loop", 9)):
        rows = report["values"][quantity]
        assert len(rows) == count
        assert all(rows[row]["nexus"][0] > 0 and rows[row]["asyncio"][0] > 0 for row in rows)
    for title in ("server CPU, µs a message", "The loop alone", "Floors"):
        assert title in ran.stdout
