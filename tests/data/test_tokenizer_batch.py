"""Many texts at once: whatever they are given as, and whatever takes the ids."""

from __future__ import annotations

import json
import signal
import threading
import time
from pathlib import Path

import pytest

from nexus.data import Ragged, Tokenizer

TEXTS = ["the stream's tokens", "日本語の文章 é", "", "a" * 1000, "<|end|> the"]


def byte_level() -> dict[str, int]:
    """Return an id for each byte's character and for some merges."""
    visible = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in visible]
    characters = [chr(byte) for byte in visible] + [chr(0x100 + at) for at in range(len(others))]
    return {token: at for at, token in enumerate([*characters, "th", "the", "aa"])}


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small byte-level model with tokens around a text."""
    vocab = byte_level()
    file = {
        "added_tokens": [{"id": 300, "content": "<|end|>", "special": True}],
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False},
        "post_processor": {"type": "RobertaProcessing", "cls": ["<", 301], "sep": [">", 302]},
        "model": {"type": "BPE", "vocab": vocab, "merges": ["t h", "th e", "a a"]},
    }
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    path.write_text(json.dumps(file), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def tokenizer(path: Path) -> Tokenizer:
    return Tokenizer.from_file(path)


def lists(batch: Ragged) -> list[list[int]]:
    return [list(memoryview(ids)) for ids in batch]


def test_ids_are_those_of_the_texts_one_by_one(tokenizer: Tokenizer) -> None:
    expected = [tokenizer.encode(text).ids for text in TEXTS]
    for threads in (None, 1, 3):
        batch = tokenizer.encode_ragged(TEXTS, threads=threads)
        assert lists(batch) == expected
        assert len(batch) == len(TEXTS)
        assert list(memoryview(batch[-1])) == expected[-1]
        assert list(memoryview(batch.ids)) == [each for ids in expected for each in ids]
        assert list(memoryview(batch.offsets))[1] == len(expected[0])
        assert repr(batch).startswith("<nexus.data.Ragged of ")
        with pytest.raises(IndexError):
            batch[len(TEXTS)]
        with pytest.raises(IndexError):
            batch[-1 - len(TEXTS)]
    short = tokenizer.encode_ragged(TEXTS, dtype="uint16")
    assert (lists(short), short.ids.dtype) == (expected, "U16")
    counts = tokenizer.count_batch(TEXTS)
    assert list(memoryview(counts)) == [len(ids) for ids in expected]
    assert [tokenizer.count(text) for text in TEXTS] == list(memoryview(counts))
    assert lists(tokenizer.encode_ragged(TEXTS * 5000)) == expected * 5000


def test_texts_come_as_bytes_and_files(tokenizer: Tokenizer, tmp_path: Path) -> None:
    expected = lists(tokenizer.encode_ragged(TEXTS))
    assert lists(tokenizer.encode_ragged(text.encode() for text in TEXTS)) == expected
    assert lists(tokenizer.encode_ragged([bytearray(text.encode()) for text in TEXTS])) == expected
    paths = [tmp_path / f"{number}.txt" for number in range(len(TEXTS))]
    for path, text in zip(paths, TEXTS, strict=True):
        path.write_text(text, encoding="utf-8")
    assert lists(tokenizer.encode_ragged(paths)) == expected
    encodings = tokenizer.encode_batch(paths)
    assert [encoding.ids for encoding in encodings] == expected


def test_special_tokens_stand_around_a_text(tokenizer: Tokenizer, path: Path) -> None:
    plain = tokenizer.encode("the").ids
    framed = [301, *plain, 302]
    encoding = tokenizer.encode("the", add_special_tokens=True)
    assert encoding.ids == framed
    assert [encoding.offsets[0], encoding.offsets[-1]] == [(0, 0), (0, 0)]
    assert lists(tokenizer.encode_ragged(["the"], add_special_tokens=True)) == [framed]
    assert tokenizer.encode_batch(["the"], add_special_tokens=True)[0].ids == framed
    assert tokenizer.count("the", add_special_tokens=True) == len(framed)
    assert list(memoryview(tokenizer.count_batch(["the"], add_special_tokens=True))) == [3]
    assert tokenizer.encode("<|end|>").ids == [300]
    assert 300 not in Tokenizer.from_file(path, special="text").encode("<|end|>").ids


def test_what_cannot_be_encoded_is_refused(tokenizer: Tokenizer, tmp_path: Path) -> None:
    for texts in ("the", b"the", [1], 1, [None]):
        with pytest.raises(TypeError):
            tokenizer.encode_ragged(texts)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="text 1: it is no UTF-8 from byte 2 on"):
        tokenizer.encode_ragged(["a", b"ab\xff"])
    with pytest.raises(UnicodeEncodeError):
        tokenizer.encode_ragged(["\ud800"])
    with pytest.raises(FileNotFoundError, match="missing"):
        tokenizer.encode_ragged([tmp_path / "missing.txt"])
    with pytest.raises(ValueError, match="uint32 or uint16"):
        tokenizer.encode_ragged(["a"], dtype="int8")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="token or text"):
        Tokenizer.from_file(tmp_path, special="other")  # type: ignore[arg-type]


def test_numpy_and_torch_share_the_ids(tokenizer: Tokenizer) -> None:
    np = pytest.importorskip("numpy")
    batch = tokenizer.encode_ragged(TEXTS)
    ids = np.asarray(batch.ids)
    assert (ids.dtype, np.asarray(batch.offsets).dtype) == (np.uint32, np.int64)
    assert ids.ctypes.data == np.from_dlpack(batch.ids).ctypes.data
    assert np.asarray(batch[1]).ctypes.data == ids.ctypes.data + 4 * len(np.asarray(batch[0]))
    torch = pytest.importorskip("torch")
    assert torch.from_dlpack(batch.offsets).tolist() == np.asarray(batch.offsets).tolist()


def test_columns_of_arrow_are_texts_and_take_ids(tokenizer: Tokenizer) -> None:
    pa = pytest.importorskip("pyarrow")
    expected = lists(tokenizer.encode_ragged(TEXTS))
    array = pa.array(TEXTS)
    types = [pa.string(), pa.large_string(), pa.string_view(), pa.binary(), pa.large_binary()]
    for kind in types:
        assert lists(tokenizer.encode_ragged(array.cast(kind))) == expected, kind
    halves = pa.chunked_array([array[:2], array[2:]])
    assert lists(tokenizer.encode_ragged(halves)) == expected
    table = pa.table({"id": range(len(TEXTS)), "text": TEXTS})
    assert lists(tokenizer.encode_ragged(table)) == expected
    assert lists(tokenizer.encode_ragged(table.to_batches()[0])) == expected
    assert lists(tokenizer.encode_ragged(table.select(["text"]))) == expected
    one = tokenizer.encode("the").ids
    assert lists(tokenizer.encode_ragged(pa.array(["the", None]))) == [one, []]
    with pytest.raises(ValueError, match="none is called `text`"):
        tokenizer.encode_ragged(table.rename_columns(["a", "b"]))
    with pytest.raises(TypeError, match="Int64"):
        tokenizer.encode_ragged(pa.array([1]))
    with pytest.raises(ValueError, match="no UTF-8"):
        tokenizer.encode_ragged(pa.array([b"\xff"]))
    for dtype, kind in (("uint32", pa.uint32()), ("uint16", pa.uint16())):
        batch = pa.array(tokenizer.encode_ragged(TEXTS, dtype=dtype))  # type: ignore[arg-type]
        batch.validate(full=True)
        assert batch.type.value_type == kind
        assert batch.to_pylist() == expected


def test_a_column_of_polars_is_texts(tokenizer: Tokenizer) -> None:
    pl = pytest.importorskip("polars")
    expected = lists(tokenizer.encode_ragged(TEXTS))
    assert lists(tokenizer.encode_ragged(pl.Series(TEXTS))) == expected
    assert lists(tokenizer.encode_ragged(pl.DataFrame({"text": TEXTS, "n": 1}))) == expected
    assert pl.Series(tokenizer.encode_ragged(TEXTS)).to_list() == expected


def test_ctrl_c_ends_a_batch(tokenizer: Tokenizer) -> None:
    texts = [f"{number} the stream " * 100 for number in range(500)] * 400
    started = threading.Event()

    def interrupt() -> None:
        started.wait()
        signal.raise_signal(signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        for _ in range(100):
            started.set()
            tokenizer.encode_ragged(texts, threads=1)
    thread.join()


def test_other_threads_run_meanwhile(tokenizer: Tokenizer) -> None:
    texts = [f"{number} the stream " * 100 for number in range(500)] * 20
    done = threading.Event()
    turns: list[float] = []

    def count() -> None:
        while not done.is_set():
            turns.append(time.perf_counter())

    thread = threading.Thread(target=count)
    thread.start()
    before = len(turns)
    tokenizer.encode_ragged(texts)
    after = len(turns)
    done.set()
    thread.join()
    assert after > before
