"""What a pipeline writes is read by the libraries that its formats belong to.

Each library that is not installed is skipped by name. `NEXUS_PROGRAM` names a `nexus` program to
run the plans with, in place of the extension module.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

COUNT = 300
VOCAB = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nword\nnumber\n##s\n,\n!\né\n語\n"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Documents with all that text may hold, and a vocabulary."""
    folder = tmp_path_factory.mktemp("corpus")
    records = []
    for n in range(COUNT):
        text = "word, number! " * (n % 50) + '"quoted"\n\té 語 🙂\u2028\x7f' * (n % 3)
        records.append(json.dumps({"id": f"d{n}", "text": text, "n": n, "tags": ["a", None]}))
    (folder / "in").mkdir()
    (folder / "in/a.jsonl").write_text("\n".join(records), "utf-8")
    (folder / "in/b.txt").write_text("word", "utf-8")
    (folder / "vocab.txt").write_text(VOCAB, "utf-8")
    return folder


@pytest.fixture(scope="module")
def expected(corpus: Path) -> list[dict[str, Any]]:
    """The rows, read by nobody but `json`."""
    return lines(write(corpus, "expected.jsonl"))


def lines(path: Path) -> list[dict[str, Any]]:
    """Read JSON Lines; `str.splitlines` ends lines at more than line ends."""
    return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]


def write(corpus: Path, name: str, *, tokenize: bool = False, **sink: object) -> Path:
    """Write the corpus and give the path."""
    path = corpus / name
    plan = [f"source.path = {json.dumps(str(corpus / 'in'))}"]
    if tokenize:
        vocab = json.dumps(str(corpus / "vocab.txt"))
        plan.append(f"steps = [{{op = 'tokenize', path = {vocab}}}]")
    for key, value in {"write": str(path), **sink}.items():
        plan.append(f"sink.{key} = {json.dumps(value)}")
    text = "\n".join(plan)
    if program := os.environ.get("NEXUS_PROGRAM"):
        (corpus / "plan.toml").write_text(text)
        subprocess.run([program, "data", "run", str(corpus / "plan.toml")], check=True)
    else:
        from nexus.data import Pipeline

        Pipeline.from_toml(text).run()
    return path


def check(rows: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    """Compare rows of columns, in which `fields` is text."""
    assert len(rows) == COUNT + 1
    for row, wanted in zip(rows, expected, strict=True):
        assert {**row, "fields": json.loads(row["fields"])} == wanted


@pytest.mark.parametrize("name", ["x.parquet", "x.arrow", "x.arrows"])
def test_pyarrow_reads_tables(corpus: Path, expected: list[dict[str, Any]], name: str) -> None:
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = write(corpus, name)
    if name.endswith("parquet"):
        table = parquet.read_table(path)
    elif name.endswith("arrow"):
        table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
    else:
        table = pa.ipc.open_stream(str(path)).read_all()
    table.validate(full=True)
    check(table.to_pylist(), expected)


def test_pyarrow_reads_a_folder_of_shards(corpus: Path, expected: list[dict[str, Any]]) -> None:
    dataset = pytest.importorskip("pyarrow.dataset")
    path = write(corpus, "shards-pa", format="parquet", shard_size_bytes=4096)
    assert len(list(path.glob("part-*.parquet"))) > 1 or COUNT < 1024
    check(dataset.dataset(path, format="parquet").to_table().to_pylist(), expected)


@pytest.mark.parametrize("name", ["x.parquet", "x.arrow", "x.jsonl.zst", "x.jsonl.gz"])
def test_polars_reads_files(corpus: Path, expected: list[dict[str, Any]], name: str) -> None:
    polars = pytest.importorskip("polars")
    path = write(corpus, name)
    if "jsonl" in name:
        frame = polars.read_ndjson(path.read_bytes())
        assert frame["text"].to_list() == [row["text"] for row in expected]
        return
    read = polars.read_parquet if name.endswith("parquet") else polars.read_ipc
    check(read(path).to_dicts(), expected)


def test_duckdb_reads_files(corpus: Path, expected: list[dict[str, Any]]) -> None:
    duckdb = pytest.importorskip("duckdb")
    path = write(corpus, "shards-duck", format="parquet")
    query = f"select * from read_parquet('{path}/*.parquet')"
    cursor = duckdb.connect().execute(query)
    names = [column[0] for column in cursor.description]
    check([dict(zip(names, row, strict=True)) for row in cursor.fetchall()], expected)
    for name in ["x.jsonl.zst", "x.jsonl.gz"]:
        query = f"select text from read_json('{write(corpus, name)}', format='newline_delimited')"
        found = duckdb.connect().execute(query).fetchall()
        assert [row[0] for row in found] == [row["text"] for row in expected]


def test_readers_of_zstd_see_all_lines(corpus: Path, expected: list[dict[str, Any]]) -> None:
    zstandard = pytest.importorskip("zstandard")
    with zstandard.open(write(corpus, "y.jsonl.zst"), "rt", encoding="utf-8", newline="\n") as file:
        assert [json.loads(line) for line in file] == expected


def test_hf_datasets_reads_files(corpus: Path, expected: list[dict[str, Any]]) -> None:
    datasets = pytest.importorskip("datasets")
    cache = str(corpus / "cache")
    for kind, name in {
        "parquet": "hf.parquet",
        "arrow": "hf.arrows",
        "json": "hf.jsonl.zst",
    }.items():
        path = str(write(corpus, name))
        read = datasets.load_dataset(kind, data_files=path, split="train", cache_dir=cache)
        assert read["text"][:] == [row["text"] for row in expected], name
        assert read["id"][:] == [row["id"] for row in expected], name


def test_mosaicml_streaming_reads_mds(corpus: Path, expected: list[dict[str, Any]]) -> None:
    streaming = pytest.importorskip("streaming")
    path = write(corpus, "mds", tokenize=True, format="mds", shard_size_bytes=20_000)
    assert len(list(path.glob("*.mds"))) > 3
    reader = streaming.LocalDataset(str(path))
    rows = [reader[n] for n in range(len(reader))]
    assert len(rows) == COUNT + 1
    for row, wanted in zip(rows, expected, strict=True):
        assert {key: row[key] for key in wanted} == wanted
        assert row["ids"].dtype == "uint32"
    assert rows[-1]["ids"].tolist() == [5]


def test_webdataset_reads_archives(corpus: Path, expected: list[dict[str, Any]]) -> None:
    webdataset = pytest.importorskip("webdataset")
    path = write(corpus, "wds", tokenize=True, format="webdataset", shard_size_bytes=200_000)
    urls = sorted(str(shard) for shard in path.glob("*.tar"))
    assert len(urls) > 3
    rows = list(webdataset.WebDataset(urls, shardshuffle=False).decode())
    assert [row["__key__"] for row in rows] == [f"{n:09}" for n in range(COUNT + 1)]
    assert [row["txt"] for row in rows] == [row["text"] for row in expected]
    others = [{key: row[key] for key in row if key != "text"} for row in expected]
    assert [row["json"] for row in rows] == others
    assert rows[-1]["ids.npy"].tolist() == [5]
    assert rows[-1]["ids.npy"].dtype == "uint32"


def test_tar_reads_archives(corpus: Path) -> None:
    names = subprocess.run(
        ["tar", "-tf", str(write(corpus, "t.tar"))], capture_output=True, check=True, text=True
    ).stdout.split()
    assert names[:2] == ["000000000.txt", "000000000.json"]
    assert len(names) == 2 * (COUNT + 1)


def megatron(path: Path) -> Iterator[list[int]]:
    """Read a `.bin` by its `.idx`, as Megatron-LM's `_IndexReader` does."""
    np = pytest.importorskip("numpy")
    index = path.with_suffix(".idx").read_bytes()
    assert index[:9] == b"MMIDIDX\x00\x00"
    assert index[9:17] == (1).to_bytes(8, "little")
    dtype = {4: np.int32, 8: np.uint16}[index[17]]
    count = int.from_bytes(index[18:26], "little")
    documents = int.from_bytes(index[26:34], "little")
    sizes = np.frombuffer(index, np.int32, count, 34)
    starts = np.frombuffer(index, np.int64, count, 34 + sizes.nbytes)
    ends = np.frombuffer(index, np.int64, documents, 34 + sizes.nbytes + starts.nbytes)
    assert len(index) == 34 + sizes.nbytes + starts.nbytes + ends.nbytes
    assert ends.tolist() == list(range(count + 1))
    data = path.read_bytes()
    for size, start in zip(sizes, starts, strict=True):
        yield np.frombuffer(data, dtype, size, start).tolist()


@pytest.mark.parametrize("token_type", ["uint16", "uint32"])
def test_token_files_agree(corpus: Path, token_type: str) -> None:
    expected = [row["ids"] for row in lines(write(corpus, "tokens.jsonl", tokenize=True))]
    path = write(corpus, "tokens.bin", tokenize=True, token_type=token_type)
    assert list(megatron(path)) == expected
    safetensors = pytest.importorskip("safetensors.numpy")
    path = write(corpus, "tokens.safetensors", tokenize=True, token_type=token_type)
    found = safetensors.load_file(path)
    assert str(found["ids"].dtype) == token_type
    ids, offsets = found["ids"].tolist(), found["offsets"].tolist()
    pairs = itertools.pairwise(offsets)
    assert [ids[start:end] for start, end in pairs] == expected
