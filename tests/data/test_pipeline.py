"""The Python surface: rows, runs, plans, errors, signals."""

from __future__ import annotations

import doctest
import gzip
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import nexus.data as room
from nexus.data import Pipeline, Progress, Row, Tokenizer

VOCAB = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nhello\nworld\n##s\n,\n!\ncafe\n語\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three documents, one of them twice, and a bad record."""
    records = [{"text": "Hello, world!", "n": 1}, {"text": "worlds", "id": 7}]
    lines = [json.dumps(record) for record in records]
    source = tmp_path / "in"
    source.mkdir()
    (source / "a.jsonl.gz").write_bytes(gzip.compress("\n".join([*lines, "{"]).encode()))
    (source / "b.txt").write_text("Hello,   world!\n")
    (source / "c.md").write_text("# Café\n\n*語*")
    (source / "d.png").write_bytes(b"")
    (tmp_path / "vocab.txt").write_text(VOCAB)
    return tmp_path


def test_docstrings_are_true(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    failed, attempted = doctest.testmod(room)
    assert attempted and not failed
    # Those of the extension module, which doctest's own search leaves out.
    for documented in [Pipeline, Tokenizer]:
        doc, name = documented.__doc__ or "", documented.__name__
        test = doctest.DocTestParser().get_doctest(doc, dict(vars(room)), name, None, None)
        assert test.examples
        assert not doctest.DocTestRunner().run(test).failed


def test_rows_come_in_order_with_all_columns(folder: Path) -> None:
    rows = list(Pipeline(folder / "in").clean())
    assert [row["id"] for row in rows] == ["a.jsonl.gz:1", "7", "b.txt", "c.md"]
    assert rows[0] == {
        "id": "a.jsonl.gz:1",
        "text": "Hello, world!",
        "source": str(folder / "in/a.jsonl.gz"),
        "line": 1,
        "fields": {"n": 1},
    }
    assert rows[3]["line"] is None
    assert rows[3]["fields"] == {"title": "Café"}


def test_a_run_writes_and_reports(folder: Path) -> None:
    calls: list[Progress] = []
    report = (
        Pipeline(folder / "in")
        .clean()
        .min_chars(3)
        .dedup_exact()
        .tokenize(folder / "vocab.txt")
        .cut(max_tokens=4)
        .write_jsonl(folder / "out.jsonl")
        .write_rejects(folder / "rejects.jsonl")
        .run(threads=2, progress=calls.append)
    )
    written = [json.loads(line) for line in (folder / "out.jsonl").read_text().splitlines()]
    assert [(row["id"], row["part"], row["passage"]) for row in written] == [
        ("a.jsonl.gz:1", 0, "Hello,"),
        ("a.jsonl.gz:1", 1, "world!"),
        ("7", 0, "worlds"),
        ("c.md", 0, "Café\n\n語"),
    ]
    assert (report.rows, report.duplicates, report.rejected, report.skipped) == (4, 1, 1, 1)
    assert (report.files, report.threads) == (3, 2)
    assert report.seconds > 0
    assert report.rejected_samples[0].endswith(
        "a.jsonl.gz:3: bad JSON in column 1: EOF while parsing an object"
    )
    assert report.skipped_samples == [str(folder / "in/d.png")]
    steps = [(step.name, step.rows_in, step.rows_out) for step in report.steps]
    assert steps == [
        ("read", 5, 4),
        ("clean", 4, 4),
        ("min_chars", 4, 4),
        ("dedup_exact", 4, 3),
        ("tokenize", 3, 3),
        ("cut", 3, 4),
        ("write_jsonl", 4, 4),
    ]
    reject = json.loads((folder / "rejects.jsonl").read_text())
    assert (reject["file"], reject["line"]) == (str(folder / "in/a.jsonl.gz"), 3)
    last = calls[-1]
    assert (last.rows, last.rows_read, last.stage, last.stages) == (4, 4, 1, 1)
    assert (last.bytes, last.fraction, last.seconds_left) == (last.bytes_total, 1.0, 0.0)
    assert last.rows_per_second == pytest.approx(4 / last.seconds)
    assert [step.name for step in last.steps] == [name for name, _, _ in steps]
    assert "4 documents" in str(last)
    assert "<nexus.data.Progress: " in repr(last)
    lines = str(report).splitlines()
    assert " ".join(lines[0].split()) == "step rows in rows out time share rows/s bytes/s"
    assert [line.split()[:3] for line in lines[1:8]] == [
        [name, str(rows_in), str(rows_out)] for name, rows_in, rows_out in steps
    ]
    assert lines[-1].startswith("4 rows, 1 duplicates, 1 rejected, 1 files skipped, ")
    assert report.steps[0].rows_per_second > 0
    assert "4 rows, 1 duplicates, 1 rejected" in repr(report)


def test_a_link_stays_a_link_and_a_device_stays_a_device(folder: Path, tmp_path: Path) -> None:
    target, link = tmp_path / "target.jsonl", tmp_path / "link.jsonl"
    target.write_text("old")
    link.symlink_to(target)
    Pipeline(folder).write_jsonl(link).run()
    assert link.is_symlink()
    assert target.read_text().startswith("{")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="no regular file"):
        Pipeline(folder).write_jsonl(tmp_path / "pipe").run()


def test_functions_see_rows(folder: Path) -> None:
    pipeline = (
        Pipeline(folder / "in")
        .filter(lambda row: row["line"] is not None)
        .map(lambda row: row["text"].upper())
    )
    assert [row["text"] for row in pipeline] == ["HELLO, WORLD!", "WORLDS"]
    assert pipeline.run(threads=4).rows == 2


def test_an_exception_of_a_function_is_raised_as_it_is(folder: Path) -> None:
    def refuse(row: Row) -> str:
        raise LookupError(row["id"])

    pipeline = Pipeline(folder / "in").map(refuse).write_jsonl(folder / "out")
    with pytest.raises(LookupError, match=r"a\.jsonl\.gz:1"):
        pipeline.run()
    with pytest.raises(LookupError, match=r"a\.jsonl\.gz:1"):
        list(pipeline)
    with pytest.raises(TypeError):
        list(Pipeline(folder / "in").map(lambda row: 3))  # type: ignore[arg-type, return-value]
    assert sorted(os.listdir(folder)) == ["in", "vocab.txt"]


def test_plans_are_pipelines(folder: Path) -> None:
    pipeline = Pipeline(folder / "in").clean().tokenize(folder / "vocab.txt").cut(max_tokens=9)
    plan = pipeline.write_jsonl("out").to_toml()
    again = Pipeline.from_toml(plan)
    assert again.to_toml() == plan
    assert list(again) == list(pipeline)
    assert "clean, tokenize" in repr(again)


def test_errors_are_the_built_in_ones_with_hints(folder: Path) -> None:
    def note(error: pytest.ExceptionInfo[Exception]) -> str:
        return "".join(getattr(error.value, "__notes__", []))

    with pytest.raises(FileNotFoundError, match="cannot read the source") as error:
        Pipeline(folder / "missing").run()
    assert note(error).startswith("hint: ")
    with pytest.raises(FileNotFoundError, match="cannot read the source"):
        list(Pipeline(folder / "missing"))
    with pytest.raises(ValueError, match="line 4: there is no step `cleen`") as wrong:
        Pipeline.from_toml("[source]\npath = 'x'\n[[steps]]\nop = 'cleen'\n")
    assert note(wrong) == "hint: did you mean `clean`?"
    with pytest.raises(ValueError, match="needs the column `ids`"):
        Pipeline(folder / "in").cut().run()
    with pytest.raises(ValueError, match="has no form in TOML"):
        Pipeline(folder).map(lambda row: "").to_toml()
    with pytest.raises(FileNotFoundError, match=r"none\.json"):
        Tokenizer.from_file(folder / "none.json")
    with pytest.raises(ValueError, match=r"\[UNK\]"):
        Tokenizer.from_file(folder / "in/b.txt")


def test_iterating_is_bounded_and_can_be_abandoned(tmp_path: Path) -> None:
    seen: list[str] = []
    lock = threading.Lock()

    def count(row: Row) -> bool:
        with lock:
            seen.append(row["id"])
        return True

    (tmp_path / "a.jsonl").write_text('{"text": "x"}\n' * 200_000)
    rows = iter(Pipeline(tmp_path).filter(count))
    assert next(rows)["id"] == "a.jsonl:1"
    assert rows.report is None
    threads = os.cpu_count() or 1
    # A batch of 1024 rows for each thread, and those that wait.
    assert len(seen) <= 1024 * (threads + 3)
    del rows


def test_the_report_of_an_iteration_is_there_at_its_end(folder: Path) -> None:
    rows = iter(Pipeline(folder / "in").dedup_exact())
    assert len(list(rows)) == 3
    assert rows.report is not None
    assert (rows.report.rows, rows.report.duplicates) == (3, 1)


def test_tokens_know_their_place_in_the_text(folder: Path) -> None:
    tokenizer = Tokenizer.from_file(folder / "vocab.txt")
    text = "Café, 語 worlds"
    encoding = tokenizer.encode(text)
    assert [tokenizer.token(id) for id in encoding.ids] == ["cafe", ",", "語", "world", "##s"]
    assert [text[a:b] for a, b in encoding.offsets] == ["Café", ",", "語", "world", "s"]
    batch = tokenizer.encode_batch([text, "", "hello"])
    assert [len(encoding) for encoding in batch] == [5, 0, 1]
    assert batch[0].ids == encoding.ids
    special = (tokenizer.pad_id, tokenizer.unk_id, tokenizer.cls_id, tokenizer.sep_id)
    assert special == (0, 1, 2, 3)
    assert (tokenizer.vocab_size, tokenizer.token(12)) == (12, None)
    rows = list(Pipeline(folder / "in").tokenize(tokenizer))
    assert (rows[1]["ids"], rows[1]["starts"], rows[1]["ends"]) == ([6, 7], [0, 5], [5, 6])


def test_arrow_readers_take_a_pipeline(folder: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    pipeline = Pipeline(folder / "in").filter(lambda row: True).tokenize(folder / "vocab.txt")
    table = pyarrow.table(pipeline.cut(max_tokens=4))
    assert table.column_names == ["id", "source", "line", "fields", "part", "passage", "ids"]
    assert table.column("passage").to_pylist()[:2] == ["Hello,", "world!"]
    with pytest.raises(Exception, match="boom"):
        pyarrow.table(Pipeline(folder / "in").map(lambda row: int("boom")))  # type: ignore


INTERRUPTED = """
import _thread, sys, threading
from nexus.data import Pipeline
started, never = threading.Event(), threading.Event()
def slow(row):
    started.set()
    never.wait(0.001)
    return True
def interrupt():
    started.wait()
    _thread.interrupt_main()
threading.Thread(target=interrupt).start()
pipeline = Pipeline(sys.argv[1]).filter(slow)
try:
    {use}
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.parametrize("use", ["pipeline.write_jsonl(sys.argv[2]).run()", "list(pipeline)"])
def test_ctrl_c_stops_a_run(tmp_path: Path, use: str) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "x"}\n' * 500_000)
    (tmp_path / "out").mkdir()
    code = INTERRUPTED.replace("{use}", use)
    arguments = [sys.executable, "-c", code, str(tmp_path / "a.jsonl"), str(tmp_path / "out/x")]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=60)
    assert done.stdout == "interrupted\n", done.stderr
    assert os.listdir(tmp_path / "out") == []


FULL = """
import resource, sys
from nexus.data import Pipeline
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
try:
    Pipeline(sys.argv[1]).write_jsonl(sys.argv[2]).run()
except OSError as error:
    print(type(error).__name__, error)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGXFSZ"), reason="files have no size limit here")
def test_a_full_disk_leaves_no_file(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "x"}\n' * 10_000)
    (tmp_path / "out").mkdir()
    arguments = [sys.executable, "-c", FULL, str(tmp_path / "a.jsonl"), str(tmp_path / "out/x")]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=60)
    assert done.stdout.startswith("OSError cannot write "), done.stderr
    assert os.listdir(tmp_path / "out") == []
