"""Estimates before a run, and the bar while it runs."""

from __future__ import annotations

import gzip
import io
import json
import random
from pathlib import Path

import pytest

from nexus.data import Pipeline
from nexus.data._progress import Bar, bar

STEPS = ["read", "min_chars", "dedup_near", "read again", "write_jsonl"]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of 3 MB in all, the later ones with more short documents."""
    folder = tmp_path_factory.mktemp("corpus") / "in"
    folder.mkdir()
    rng = random.Random(5)
    words = [f"word{number}" for number in range(3000)]
    for part in range(12):
        records = []
        for number in range(200):
            count = 3 if rng.random() < 0.1 + part / 60 else rng.randrange(50, 400)
            text = " ".join(rng.choices(words, k=count))
            records.append(json.dumps({"id": f"{part}-{number}", "text": text}) + "\n")
        data = "".join(records).encode()
        path = folder / f"{part:02}.jsonl"
        if part % 2:
            path.with_suffix(".jsonl.gz").write_bytes(gzip.compress(data))
        else:
            path.write_bytes(data)
    (folder / "broken.jsonl").write_text("{}\n" * 50)
    return folder


def tree(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))


def test_a_sample_of_all_is_exact(corpus: Path) -> None:
    some = Pipeline(f"{corpus}/[0b]*[0-3n].jsonl*")
    pipeline = some.quality("gopher_quality", min_stop_words=None).dedup_exact()
    report = pipeline.run()
    estimate = pipeline.estimate(sample="1GiB")
    assert estimate.is_whole
    assert (estimate.documents.value, estimate.documents.margin) == (800, 0)
    assert (estimate.kept.value, estimate.rejected.value) == (report.rows, report.rejected)
    found = {
        step: {reason: count.value for reason, count in reasons.items()}
        for step, reasons in estimate.dropped.items()
    }
    assert found == report.dropped
    assert estimate.files == report.files == 5
    assert estimate.bytes == report.steps[0].bytes_in
    assert estimate.plain_bytes.value > 1.5 * estimate.bytes
    steps = [(step.name, step.rows_in.value, step.rows_out.value) for step in estimate.steps]
    assert steps[0] == ("read", 850, 800)
    assert steps[-1][2] == report.rows


def test_a_small_sample_is_near_and_says_how_near(corpus: Path, tmp_path: Path) -> None:
    before = tree(corpus.parent), tree(tmp_path)
    output = tmp_path / "out.jsonl.gz"
    pipeline = Pipeline(corpus).min_chars(100).dedup_near().write(output)
    estimate = pipeline.estimate(sample="1MiB", threads=2, memory="64MiB")
    assert (tree(corpus.parent), tree(tmp_path)) == before
    assert [step.name for step in estimate.steps] == STEPS
    assert [step.stage for step in estimate.steps] == [1, 1, 1, 2, 2]
    report = pipeline.run(memory="64MiB")
    true = {
        "documents": 2400,
        "kept": report.rows,
        "output_bytes": output.stat().st_size,
    }
    for name, number in true.items():
        found = getattr(estimate, name)
        assert found.margin is not None and found.margin > 0, name
        # Twice the margin: a test must not fail for one case in twenty.
        assert abs(found.value - number) <= max(2 * found.margin, 0.05 * number), (name, found)
        assert found.margin < 0.5 * found.value, (name, found)
    assert not estimate.is_whole
    assert 0 < estimate.sample_bytes < estimate.bytes
    assert 0 < estimate.seconds.value <= estimate.cpu_seconds.value
    assert estimate.work_bytes.value > 0
    assert estimate.memory_bytes.value >= 64 << 20
    assert any("copies are more over all documents" in note for note in estimate.notes)
    assert any("sorted" in note for note in estimate.notes)
    again = pipeline.estimate(sample="1MiB", threads=2, memory="64MiB")
    assert (again.documents.value, again.kept.value) == (
        estimate.documents.value,
        estimate.kept.value,
    )
    text = str(estimate)
    assert text.startswith("source       13 files, ")
    assert "± " in text
    assert "note: " in text
    assert "<nexus.data.Estimate: " in repr(estimate)
    assert float(estimate.kept) == estimate.kept.value
    assert "+-" in repr(estimate.kept)


@pytest.mark.parametrize(
    "name", ["a.jsonl", "a.jsonl.zst", "a.parquet", "a.arrow", "a.arrows", "a.tar", "mds"]
)
def test_the_size_of_each_output_is_near(corpus: Path, tmp_path: Path, name: str) -> None:
    kind = "mds" if name == "mds" else None
    pipeline = Pipeline(corpus / "00.jsonl").write(tmp_path / name, format=kind)  # type: ignore[arg-type]
    estimate = pipeline.estimate()
    assert not tree(tmp_path)
    assert estimate.is_whole
    pipeline.run()
    size = sum(path.stat().st_size for path in tree(tmp_path) if path.is_file())
    assert estimate.output_bytes.value == pytest.approx(size, rel=0.05)


def test_errors_of_a_run_are_those_of_its_estimate(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Pipeline(tmp_path / "none").estimate()
    (tmp_path / "a.txt").write_text("a")
    with pytest.raises(ValueError, match="ESTIMATE_SAMPLE_SIZE_MIN"):
        Pipeline(tmp_path).estimate(sample=1)
    with pytest.raises(ValueError, match="step `cut` needs the column `ids`"):
        Pipeline(tmp_path).cut().estimate()
    with pytest.raises(ValueError, match="says no format"):
        Pipeline(tmp_path).write(tmp_path / "out").estimate()
    with pytest.raises(ZeroDivisionError):
        Pipeline(tmp_path).map(lambda row: str(1 // 0)).estimate()


class Screen(io.StringIO):
    """A stream that says what it is."""

    def __init__(self, *, is_terminal: bool) -> None:
        super().__init__()
        self.is_terminal = is_terminal

    def isatty(self) -> bool:
        return self.is_terminal


def test_a_bar_is_drawn_on_a_terminal_and_removed(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = Screen(is_terminal=True)
    monkeypatch.setattr("sys.stderr", screen)
    monkeypatch.setattr("nexus.data._progress.QUIET_SECONDS", 0)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "200")
    report = Pipeline(corpus).dedup_near().run(progress=True, memory="64MiB")
    assert report.rows > 0
    drawn = screen.getvalue()
    # The first stage may be over before it is time to draw again.
    assert "stage 2 of 2" in drawn
    assert "documents" in drawn and "/s" in drawn and "left" in drawn
    assert drawn.endswith(" \r")


def test_no_bar_is_drawn_without_a_terminal(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen(is_terminal=False)
    monkeypatch.setattr("sys.stderr", screen)
    monkeypatch.setattr("nexus.data._progress.QUIET_SECONDS", 0)
    Pipeline(corpus).run(progress=True)
    Pipeline(corpus).run(progress=False)
    assert screen.getvalue() == ""
    monkeypatch.setattr("sys.stderr", None)
    Pipeline(corpus).run(progress=True)


def test_a_notebook_is_a_place_for_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    class OutStream(Screen):
        pass

    OutStream.__module__ = "ipykernel.iostream"
    stream = OutStream(is_terminal=False)
    monkeypatch.setattr("sys.stderr", stream)
    made = bar()
    made._write("x")
    assert stream.getvalue() == "x"


def test_a_terminal_that_has_gone_does_not_end_the_run() -> None:
    class Gone(Screen):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    gone = Bar(Gone(is_terminal=True), 80)
    gone._write("x")
    gone.close()
