"""Evaluation sets, repeated lines and substrings, and indexes of earlier dumps, from Python."""

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
folder = sys.argv[1]
lines = Pipeline(f"{folder}/in").dedup_lines(
    min_words=2, min_doc_words=None, min_num_sentences=None
)
pipeline = lines.dedup_near(
    index=f"{folder}/old", write_index=f"{sys.argv[2]}.index"
).dedup_substrings(length=40, min_doc_words=None).write(sys.argv[2], format="jsonl").write_audit(
    sys.argv[2] + ".audit"
)
how = {"group_size": int(sys.argv[3])} if len(sys.argv) > 3 else {}
if len(sys.argv) > 4:
    how |= {"work": f"{sys.argv[2]}.work", "node": (int(sys.argv[4]), 3), "node_timeout": 60}
else:
    how["resume"] = True
pipeline.run(threads=2, memory="64MiB", **how)
"""


def corpus(folder: Path, documents: int) -> list[str]:
    """Write documents of lines from a small store; give their texts."""
    rng = random.Random(5)
    lines = [" ".join(rng.choices("abcdefghij", k=rng.randrange(2, 40))) for _ in range(documents)]
    lines += ["", "}", "Share this with your friends."]
    texts = ["\n".join(rng.choices(lines, k=rng.randrange(1, 12))) for _ in range(documents)]
    folder.mkdir()
    with (folder / "a.jsonl").open("w") as file:
        for number, text in enumerate(texts):
            file.write(json.dumps({"id": f"d{number:04}", "text": text}) + "\n")
    return texts


def files(folder: Path) -> dict[str, bytes]:
    """Give what is in the files of a folder."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_a_killed_run_with_all_decisions_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    corpus(tmp_path / "in", 1500)
    corpus(tmp_path / "first", 1600)
    (tmp_path / "old").mkdir()
    Pipeline(tmp_path / "first").dedup_near(write_index=tmp_path / "old" / "1").run()

    def run(output: Path) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-c", RUN, str(tmp_path), str(output)])

    start = time.monotonic()
    whole = tmp_path / "whole"
    assert run(whole).wait() == 0
    seconds = time.monotonic() - start
    rng = random.Random(3)
    for attempt in range(4):
        output = tmp_path / f"out-{attempt}"
        for _ in range(2):
            process = run(output)
            try:
                process.wait(timeout=seconds * rng.uniform(0.2, 1.0))
            except subprocess.TimeoutExpired:
                os.kill(process.pid, signal.SIGKILL)
                process.wait()
        assert run(output).wait() == 0
        assert files(output) == files(whole)
        for kind in ("audit", "index"):
            one, other = Path(f"{output}.{kind}"), Path(f"{whole}.{kind}")
            if kind == "index":
                assert files(one) == files(other)
            else:
                assert one.read_bytes() == other.read_bytes()
    left = [path.name for path in tmp_path.iterdir() if path.name.endswith(".work")]
    assert left == []


def test_killed_nodes_with_all_decisions_go_on_to_the_same_bytes(tmp_path: Path) -> None:
    texts = corpus(tmp_path / "in", 1200)
    for part in range(6):
        rows = enumerate(texts[part * 200 : (part + 1) * 200])
        lines = [json.dumps({"id": f"{part}-{row}", "text": text}) for row, text in rows]
        (tmp_path / "in" / f"{part}.jsonl").write_text("\n".join(lines) + "\n")
    (tmp_path / "in" / "a.jsonl").unlink()
    corpus(tmp_path / "first", 300)
    (tmp_path / "old").mkdir()
    Pipeline(tmp_path / "first").dedup_near(write_index=tmp_path / "old" / "1").run()

    def run(output: Path, *node: int) -> subprocess.Popen[bytes]:
        arguments = [str(tmp_path), str(output), "20000", *map(str, node)]
        return subprocess.Popen([sys.executable, "-c", RUN, *arguments])

    start = time.monotonic()
    whole = tmp_path / "whole"
    assert run(whole).wait() == 0
    seconds = time.monotonic() - start
    rng = random.Random(7)
    for victim in (0, 0, 1, 2):
        output = tmp_path / f"out-{rng.random()}"
        nodes = [run(output, index) for index in range(3)]
        for _ in range(3):
            try:
                nodes[victim].wait(timeout=seconds * rng.uniform(0.3, 1.2))
            except subprocess.TimeoutExpired:
                nodes[victim].kill()
                nodes[victim].wait()
                nodes[victim] = run(output, victim)
        assert [node.wait() for node in nodes] == [0, 0, 0]
        assert files(output) == files(whole)
        assert files(Path(f"{output}.index")) == files(Path(f"{whole}.index"))
        audit = Path(f"{output}.audit").read_bytes()
        assert audit == Path(f"{whole}.audit").read_bytes()


def test_substrings_are_those_of_a_search_for_each(tmp_path: Path) -> None:
    texts = corpus(tmp_path / "in", 60)
    length, before, expected = 30, "", []
    for text in texts:
        goes = [False] * len(text)
        for at in range(len(text) - length + 1):
            run = text[at : at + length]
            # In an earlier document, or wholly before in this one.
            if run in before or run in text[:at]:
                goes[at : at + length] = [True] * length
        before += text + "\0"
        expected.append("".join(c for c, is_gone in zip(text, goes, strict=True) if not is_gone))
    pipeline = Pipeline(tmp_path / "in").dedup_substrings(length=length, min_doc_words=None)
    assert [row["text"] for row in pipeline] == [text for text in expected if text.strip()]


def test_settings_are_those_of_the_plan(tmp_path: Path) -> None:
    sets: list[str | Path] = [tmp_path / "a", "b"]
    pipeline = (
        Pipeline(tmp_path)
        .quality("n_grams_decont", paths=sets, n_grams=13, norm_numbers=False)
        .dedup_exact(index="old", write_index=tmp_path / "new")
        .dedup_near(index=["one", tmp_path / "two"])
        .dedup_lines(unit="sentence", span=3, min_words=0, remove=False, min_doc_words=None)
        .dedup_substrings(length=50, tokenizer="tokenizer.json")
    )
    plan = pipeline.to_toml()
    for line in (
        f'paths = ["{tmp_path}/a", "b"]',
        "n_grams = 13",
        "norm_numbers = false",
        'index = ["old"]',
        f'write_index = "{tmp_path}/new"',
        f'index = ["one", "{tmp_path}/two"]',
        'unit = "sentence"',
        "span = 3",
        "min_words = 0",
        "remove = false",
        "min_doc_words = false",
        "length = 50",
        'tokenizer = "tokenizer.json"',
    ):
        assert f"\n{line}\n" in plan
    assert "min_num_sentences" not in plan
    assert Pipeline.from_toml(plan).to_toml() == plan


def test_wrong_settings_say_what_is_right(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match='`unit` is "line", "paragraph" or "sentence"'):
        Pipeline(tmp_path).dedup_lines(unit="word")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="needs the key `paths`"):
        Pipeline(tmp_path).quality("n_grams_decont")
    with pytest.raises(FileNotFoundError, match="cannot open the index"):
        Pipeline(tmp_path).dedup_near(index=tmp_path / "none").run()
