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


RESUMED = """
import sys
from nexus.data import Pipeline
pipeline = Pipeline(sys.argv[1]).quality("gopher_repetition").dedup_exact().min_chars(300)
pipeline = pipeline.dedup_near(threshold=0.8).clean()
out = sys.argv[2]
pipeline = pipeline.write(out + "/shards", format="jsonl.gz", shard_size_bytes=1 << 20)
pipeline = pipeline.write_audit(out + "/audit.jsonl").write_rejects(out + "/rejects.jsonl")
how = {"work": sys.argv[3], "group_size": 200_000}
if len(sys.argv) > 4:
    how |= {"node": (int(sys.argv[4]), int(sys.argv[5])), "node_timeout": 60}
else:
    how["resume"] = True
print(pipeline.run(threads=2, memory="64MiB", **how).rows)
"""


def start(source: Path, out: Path, *node: int) -> subprocess.Popen[bytes]:
    out.mkdir(exist_ok=True)
    work = out.with_suffix(".work")
    arguments = [str(source), str(out), str(work), *map(str, node)]
    return subprocess.Popen([sys.executable, "-c", RESUMED, *arguments], stdout=subprocess.DEVNULL)


def tree(folder: Path) -> dict[str, bytes]:
    paths = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    # What is not complete is hidden; a kill leaves it where it is.
    shown = [path for path in paths if not any(part.startswith(".") for part in path.parts)]
    return {str(path): (folder / path).read_bytes() for path in shown}


def broken_corpus(folder: Path, documents: int) -> Path:
    source = corpus(folder, documents)
    for path in source.iterdir():
        lines = path.read_bytes().splitlines(keepends=True)
        third = len(lines) // 3
        for part in range(3):
            some = lines[part * third : (part + 1) * third]
            (source / f"{path.stem}-{part}.jsonl").write_bytes(b"".join(some) + b'{"text": oops}\n')
        path.unlink()
    return source


def test_a_run_of_groups_is_killed_again_and_again(tmp_path: Path) -> None:
    source = broken_corpus(tmp_path, 3000)
    begin = time.monotonic()
    assert start(source, tmp_path / "whole").wait() == 0
    seconds = time.monotonic() - begin
    whole = tree(tmp_path / "whole")
    assert whole["rejects.jsonl"].count(b"\n") == 12
    rng = random.Random(5)
    out = tmp_path / "out"
    kills = 0
    for _ in range(60):
        process = start(source, out)
        try:
            process.wait(timeout=seconds * rng.uniform(0.3, 0.9))
            break
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            kills += 1
            # What it left of these is of no use.
            (out / "rejects.jsonl").unlink(missing_ok=True)
    assert process.returncode == 0, "a run that goes on comes to its end"
    assert kills > 0
    assert tree(out) == whole
    assert not out.with_suffix(".work").exists()


def test_nodes_are_processes_and_one_of_them_is_killed(tmp_path: Path) -> None:
    source = broken_corpus(tmp_path, 3000)
    assert start(source, tmp_path / "whole").wait() == 0
    whole = tree(tmp_path / "whole")
    for victim in (0, 2):
        out = tmp_path / f"out-{victim}"
        nodes = [start(source, out, index, 3) for index in range(3)]
        # It is killed in the midst of its work: when the first group of files has its note.
        notes = out.with_suffix(".work") / "notes-0"
        while nodes[victim].poll() is None and not any(notes.glob("*.json")):
            time.sleep(0.01)
        assert nodes[victim].poll() is None
        nodes[victim].kill()
        nodes[victim].wait()
        nodes[victim] = start(source, out, victim, 3)
        assert [node.wait() for node in nodes] == [0, 0, 0]
        assert tree(out) == whole


def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    pytest.importorskip("resource")
    source = broken_corpus(tmp_path, 2000)
    assert start(source, tmp_path / "whole").wait() == 0
    out = tmp_path / "out"
    out.mkdir()
    limit = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))\n"
    for size in (50_000, 300_000):
        code = limit.format(size=size) + RESUMED
        arguments = [str(source), str(out), str(out.with_suffix(".work"))]
        full = subprocess.run(
            [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False
        )
        assert full.returncode == 1
        assert "File too large" in full.stderr
        assert tree(out) == {}
    assert start(source, out).wait() == 0
    assert tree(out) == tree(tmp_path / "whole")


def test_a_node_says_what_is_wrong(tmp_path: Path) -> None:
    source = corpus(tmp_path, 40)
    pipeline = Pipeline(source).clean().write_jsonl(tmp_path / "out.jsonl")
    work = tmp_path / "work"
    with pytest.raises(ValueError, match="no node 2 of 2: nodes count from 0"):
        pipeline.run(node=(2, 2), work=work)
    with pytest.raises(ValueError, match="no work folder that they share"):
        pipeline.run(node=(0, 2))
    with pytest.raises(ValueError, match="node_timeout"):
        pipeline.run(node=(0, 2), work=work, node_timeout=-1.0)
    with pytest.raises(TimeoutError, match="of the nodes 1"):
        pipeline.run(node=(0, 2), work=work, node_timeout=0.0, group_size=1)
    with pytest.raises(ValueError, match="of a run of 2 nodes, not of 3 nodes"):
        pipeline.run(node=(0, 3), work=work)


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
        (lambda p: p.quality("gopher"), "there is no filter `gopher`"),
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
