"""Steps that decide when all documents are known, from Python; runs that are killed and go on."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nexus.data import Pipeline

RUN = """
import sys
from nexus.data import Pipeline
Pipeline(sys.argv[1]).quality("gopher_repetition").dedup_exact(keep="least_id").dedup_near(
    threshold=0.8
).clean().write(sys.argv[2], format="jsonl.gz", shard_size_bytes=1 << 20).write_audit(
    sys.argv[3]
).run(threads=2, memory="64MiB", resume=True)
"""


def corpus(folder: Path, documents: int) -> Path:
    source = folder / "in"
    source.mkdir()
    rng = random.Random(7)
    vocabulary = [f"w{number}" for number in range(5000)]
    texts: list[list[str]] = []
    for part in range(4):
        with (source / f"{part}.jsonl").open("w") as file:
            for number in range(documents // 4):
                kind = rng.random()
                if texts and kind < 0.3:
                    words = list(rng.choice(texts))
                    if kind < 0.15:
                        words[rng.randrange(len(words))] = "changed"
                else:
                    words = rng.choices(vocabulary, k=rng.randrange(60, 400))
                    texts.append(words)
                file.write(json.dumps({"id": f"{part}-{number:05}", "text": " ".join(words)}))
                file.write("\n")
    return source


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def run(source: Path, output: Path, audit: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", RUN, str(source), str(output), str(audit)])


def test_a_run_that_is_killed_at_any_point_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    source = corpus(tmp_path, 4000)
    start = time.monotonic()
    assert run(source, tmp_path / "whole", tmp_path / "whole.jsonl").wait() == 0
    seconds = time.monotonic() - start
    whole = files(tmp_path / "whole")
    assert len(whole) > 2
    rng = random.Random(11)
    killed = 0
    for attempt in range(8):
        output, audit = tmp_path / f"out-{attempt}", tmp_path / f"audit-{attempt}.jsonl"
        for _ in range(3):
            process = run(source, output, audit)
            try:
                process.wait(timeout=seconds * rng.uniform(0.2, 1.0))
            except subprocess.TimeoutExpired:
                os.kill(process.pid, signal.SIGKILL)
                killed += 1
                process.wait()
        assert run(source, output, audit).wait() == 0
        assert files(output) == whole
        assert audit.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
        assert not (tmp_path / f".out-{attempt}.work").exists()
    assert killed > 4


def test_settings_are_those_of_the_plan(tmp_path: Path) -> None:
    pipeline = (
        Pipeline(tmp_path)
        .quality("gopher_quality", min_doc_words=20, max_doc_words=None, stop_words=["a", 'b"'])
        .quality("gopher_repetition", top_n_grams=[(2, 0.25)])
        .quality("c4_bad_words", path=tmp_path / "words.txt")
        .dedup_exact(keep="least_id", ignore_space=False)
        .dedup_near(threshold=None, family="affine:1", bands=20)
        .tokenize("tokenizer.json", offsets=False, end="<eos>")
    )
    plan = pipeline.to_toml()
    for line in (
        "min_doc_words = 20",
        "max_doc_words = false",
        r'stop_words = ["a", "b\""]',
        "top_n_grams = [[2, 0.25]]",
        'keep = "least_id"',
        "ignore_space = false",
        "threshold = false",
        'family = "affine:1"',
        "bands = 20",
        "offsets = false",
        'end = "<eos>"',
    ):
        assert f"\n{line}\n" in plan
    # What is as by default is not said.
    assert "min_stop_words" not in plan
    assert Pipeline.from_toml(plan).to_toml() == plan


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (lambda p: p.quality("gopher"), "there is no step `gopher`"),
        (lambda p: p.quality("gopher_quality", min_words=3), "has no key `min_words`"),
        (lambda p: p.quality("gopher_quality", min_doc_words="3"), "`min_doc_words` is a whole"),
        (lambda p: p.dedup_near(keep="last"), '`keep` is "first" or "least_id"'),
        (lambda p: p.dedup_near(family="fast"), '`family` is "fast1"'),
    ],
)
def test_wrong_settings_say_what_is_right(step: object, message: str, tmp_path: Path) -> None:
    assert callable(step)
    with pytest.raises(ValueError, match=message):
        step(Pipeline(tmp_path))


def test_wrong_sizes_and_types_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a")
    with pytest.raises(ValueError, match="no unit `ells`"):
        Pipeline(tmp_path).run(memory="3ells")
    with pytest.raises(TypeError, match="not `set`"):
        Pipeline(tmp_path).quality("gopher_quality", stop_words={"a"})  # type: ignore[arg-type]


def test_a_plan_explains_itself(tmp_path: Path) -> None:
    pipeline = Pipeline(tmp_path).clean().quality("basic").dedup_near().min_chars(3)
    lines = pipeline.write("out.parquet").explain().splitlines()
    assert lines[1] == "stage 1: clean, basic"
    assert lines[2].startswith("all documents: dedup_near")
    assert lines[3:] == ["stage 2: min_chars", "write out.parquet as parquet, one file"]


def test_what_is_dropped_is_counted_by_step_and_reason(tmp_path: Path) -> None:
    source = corpus(tmp_path, 400)
    near = Pipeline(source).quality("gopher_quality", min_doc_words=100, min_stop_words=None)
    near = near.dedup_near()
    report = near.write_audit(tmp_path / "audit.jsonl").run(work=tmp_path / "work")
    lines = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    assert len(lines) + report.rows == 400
    dropped = [line for line in lines if line["step"] == "gopher_quality"]
    assert sum(report.dropped["gopher_quality"].values()) == len(dropped)
    copies = [line for line in lines if line["step"] == "dedup_near"]
    assert len(copies) == report.duplicates > 0
    assert all(line["similarity"] >= 0.8 for line in copies)
    assert {line["duplicate_of"] for line in copies} <= {row["id"] for row in near}
    assert not (tmp_path / "work").exists()
