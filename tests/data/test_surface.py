"""What people try who have only the documentation: other names, wrong arguments, forks, signals."""

from __future__ import annotations

import json
import os
import pickle
import signal
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from nexus.data import AnyLoader, ImageLoader, Loader, Pipeline, Row, Tokenizer

np = pytest.importorskip("numpy", reason="needs NumPy")


@pytest.fixture
def records(tmp_path: Path) -> Path:
    """Two records, whose text is not called so."""
    path = tmp_path / "records.jsonl"
    lines = [{"content": "One.", "sha": "f00d", "text": 1}, {"content": "Two.", "id": "i"}]
    path.write_text("\n".join(json.dumps(line) for line in lines))
    return path


@pytest.fixture
def tokens(tmp_path: Path) -> Path:
    """128 rows of 8 tokens."""
    path = tmp_path / "tokens.npy"
    np.save(path, np.arange(1024, dtype=np.uint16))
    return path


def test_text_and_id_may_have_other_names(records: Path) -> None:
    pipeline = Pipeline(records, text="content", id="sha")
    rows = [(row["id"], row["text"], row["fields"]) for row in pipeline]
    expected = [("f00d", "One.", {"text": 1}), ("records.jsonl:2", "Two.", {"id": "i"})]
    assert rows == expected
    again = [row["id"] for row in Pipeline.from_toml(pipeline.to_toml())]
    assert again == [id for id, _, _ in expected]
    wrong = Pipeline(records, text="body").run()
    assert (wrong.rows, wrong.rejected) == (0, 2)
    assert wrong.rejected_samples[0].endswith("records.jsonl:1: the record has no `body`")
    with pytest.raises(ValueError, match="the text and the id of a record"):
        Pipeline(records, text="content", id="content").run()


@pytest.mark.parametrize("format", ["parquet", "arrow"])
def test_the_text_of_a_table_may_have_another_name(tmp_path: Path, format: str) -> None:
    pa = pytest.importorskip("pyarrow")
    table = pa.table({"content": ["One.", None], "sha": [7, 8], "text": ["t", "u"]})
    path = tmp_path / f"table.{format}"
    if format == "parquet":
        pytest.importorskip("pyarrow.parquet").write_table(table, path)
    else:
        with pa.ipc.new_file(path, table.schema) as file:
            file.write_table(table)
    pipeline = Pipeline(path, text="content", id="sha")
    assert [(row["id"], row["text"], row["fields"]) for row in pipeline] == [
        ("7", "One.", {"text": "t"})
    ]
    assert pipeline.run().rejected_samples[0].endswith("2: `content` is null")


def shout(row: Row) -> str:
    return row["text"].upper()


def test_a_pipeline_is_pickled_by_its_plan(records: Path, tmp_path: Path) -> None:
    pipeline = Pipeline(records, text="content").clean().write(tmp_path / "out.parquet")
    copy = pickle.loads(pickle.dumps(pipeline))
    assert copy.to_toml() == pipeline.to_toml()
    assert [row["text"] for row in copy] == ["One.", "Two."]
    with pytest.raises(TypeError, match="cannot pickle a pipeline: step `map`, a function"):
        pickle.dumps(pipeline.map(shout))
    secret = pipeline.storage(aws_secret_access_key="s3cr3t").min_chars(1)
    with pytest.raises(TypeError, match="options of object stores") as refused:
        pickle.dumps(secret)
    assert "s3cr3t" not in str(refused.value)


def test_a_source_of_a_loader_is_a_path_or_several(tokens: Path) -> None:
    folder = tokens.parent
    for source in [str(tokens), folder, [tokens], (str(tokens),), folder.glob("*.npy")]:
        assert Loader(source, row_len=8).rows == 128, source
    for wrong in [5, None, b"tokens.npy", [tokens, 5], {tokens: 5}.items()]:
        with pytest.raises(TypeError, match="a source is a path, or several of them, not"):
            Loader(wrong, row_len=8)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda p: Loader(p, row_len=8, shuffle=3), TypeError, 'a bool, "full" or "units"'),
        (lambda p: ImageLoader(p, size="3"), TypeError, "a number of pixels, or height and width"),
        (lambda p: Pipeline(p).tokenize(5), TypeError, "a Tokenizer or the path of its file"),
        (lambda p: Pipeline(p).quality("dedup_exact"), ValueError, "there is no filter"),
        (lambda p: Pipeline(p).quality("pii"), ValueError, "known are gopher_quality,"),
        (lambda p: Pipeline(p).format("basic"), ValueError, "there is no formatter `basic`"),
        (lambda p: Pipeline(p).dedup_near(bands="x"), ValueError, "^`bands` is a whole number"),
        (
            lambda p: Loader(p, row_len=8).load_state_dict(
                {**Loader(p, row_len=8).state_dict(), "epoch": -1}
            ),
            ValueError,
            "a state whose `epoch` is -1",
        ),
        (lambda p: Loader(p.parent / "no", row_len=8), FileNotFoundError, "cannot open"),
    ],
)
def test_wrong_arguments_are_refused_in_terms_of_python(
    tokens: Path, call: Callable[[Path], object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message) as refused:
        call(tokens)
    assert "variant" not in str(refused.value)


def test_a_folder_of_plain_files_wants_the_format(tmp_path: Path) -> None:
    np.arange(64, dtype=np.uint16).tofile(tmp_path / "train.dat")
    with pytest.raises(FileNotFoundError, match="cannot find shards") as refused:
        Loader(tmp_path, row_len=8, stored="uint16")
    assert 'the format "plain"' in refused.value.__notes__[0]
    assert Loader(tmp_path, row_len=8, stored="uint16", format="plain").rows == 8


def test_a_function_of_map_gives_text(records: Path) -> None:
    pipeline = Pipeline(records, text="content", id="sha").map(lambda row: 5)  # type: ignore[arg-type, return-value]
    with pytest.raises(TypeError, match="`map` gave `int` for the row `f00d`, not a str"):
        pipeline.run()


def test_loaders_have_one_base(tokens: Path) -> None:
    loader = Loader(tokens, row_len=8)
    assert isinstance(loader, AnyLoader) and iter(loader) is loader
    with loader as entered:
        assert entered is loader
    for name in ["__next__", "state_dict", "load_state_dict", "set_epoch", "close"]:
        assert name not in vars(Loader) and name not in vars(ImageLoader)
    with pytest.raises(TypeError):
        AnyLoader()


def test_a_state_is_numbers_that_any_checkpoint_holds(tokens: Path) -> None:
    for row_len in range(1, 20):
        loader = Loader(tokens, row_len=row_len)
        next(loader)
        state = loader.state_dict()
        signed = {name: np.int64(number) for name, number in state.items()}
        loader.load_state_dict(signed)  # type: ignore[arg-type]
        assert loader.state_dict() == state


def test_who_writes_into_offsets_changes_a_copy(tmp_path: Path) -> None:
    (tmp_path / "vocab.txt").write_text("[UNK]\none\ntwo\n")
    batch = Tokenizer.from_file(tmp_path / "vocab.txt").encode_ragged(["one two", "two"])
    offsets = np.asarray(batch.offsets)
    offsets[:] = [1 << 62, -5, 7]
    assert [list(memoryview(ids)) for ids in batch] == [[1, 2], [2]]
    assert list(memoryview(batch.offsets)) == [0, 2, 3]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_rows_of_a_run_in_another_process_are_an_error(records: Path) -> None:
    rows = iter(Pipeline(records, text="content"))
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            list(rows)
        except RuntimeError as error:
            os.write(write, str(error).encode())
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        assert "a run in another process" in pipe.read()
    assert os.waitpid(child, 0)[1] == 0
    assert len(list(rows)) == 2


def test_a_program_ends_while_rows_are_under_way(tmp_path: Path) -> None:
    (tmp_path / "many.jsonl").write_text('{"text": "one"}\n' * 5000)
    program = (
        "import sys\nfrom nexus.data import Pipeline\n"
        "rows = iter(Pipeline(sys.argv[1]).map(lambda row: row['text'] * 2))\n"
        "print(next(rows)['text'])\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "many.jsonl")]
    for _ in range(5):
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (0, "oneone\n", "")


class Rang(Exception):
    """What the alarm raises, as Ctrl-C raises `KeyboardInterrupt`."""


@contextmanager
def alarm(seconds: float) -> Iterator[None]:
    def ring(*_: object) -> None:
        raise Rang

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def interrupted(work: Callable[[], object]) -> None:
    """Whether a signal ends `work` long before its end."""
    start = time.perf_counter()
    work()
    whole = time.perf_counter() - start
    start = time.perf_counter()
    with pytest.raises(Rang), alarm(whole / 10):
        work()
    assert time.perf_counter() - start < whole / 2 + 0.1


def png(side: int) -> bytes:
    """A square of grey noise, which takes a while to decode."""
    rows = np.random.default_rng(0).integers(0, 255, (side, side + 1), dtype=np.uint8)
    rows[:, 0] = 4
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows.tobytes(), 1)),
        (b"IEND", b""),
    ]
    parts = [
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs an alarm")
@pytest.mark.parametrize("threads", [0, 1])
def test_a_signal_ends_a_batch_of_images(tmp_path: Path, threads: int) -> None:
    image = png(1500)
    for number in range(48):
        (tmp_path / f"{number:02}.png").write_bytes(image)
    loader = ImageLoader(tmp_path, batch_size=48, size=32, threads=threads, prefetch=1)
    state = loader.state_dict()

    def first() -> Any:
        loader.load_state_dict(state)
        return next(loader)

    interrupted(first)
    assert loader.state_dict() == state
    assert sorted(next(loader).rows) == list(range(48))


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs an alarm")
def test_a_signal_ends_the_opening_of_shards(tmp_path: Path) -> None:
    documents = 1_500_000
    head = b"MMIDIDX\0\0" + struct.pack("<QBQQ", 1, 8, documents, 0)
    sizes = np.full(documents, 4, np.int32).tobytes()
    places = (np.arange(documents, dtype=np.int64) * 8).tobytes()
    (tmp_path / "many.idx").write_bytes(head + sizes + places)
    np.zeros(documents * 4, np.uint16).tofile(tmp_path / "many.bin")
    paths = [tmp_path / "many.idx"] * 8
    interrupted(lambda: Loader(paths, row_len=8, kind="packed"))


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs an alarm")
def test_a_signal_ends_the_encoding_of_a_batch(tmp_path: Path) -> None:
    (tmp_path / "vocab.txt").write_text("[UNK]\none\ntwo\n")
    tokenizer = Tokenizer.from_file(tmp_path / "vocab.txt")
    texts = ["one two three " * 400] * 12_000
    interrupted(lambda: tokenizer.encode_batch(texts))
