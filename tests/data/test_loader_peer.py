"""Shards that other libraries write, where they are installed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nexus.data import Loader

np = pytest.importorskip("numpy", reason="needs NumPy")

DOCS = [np.arange(length, dtype=np.uint16) * 7 + length for length in (5, 8, 1, 13, 8, 3)]


def check(loader: Loader) -> None:
    """The documents, a row each."""
    for doc, batch in zip(DOCS, loader, strict=True):
        row = np.asarray(batch.tokens)[0]
        assert (row[: len(doc)] == doc).all()
        assert not row[len(doc) :].any()


@pytest.mark.parametrize("tree", [False, True])
def test_litdata_chunks_are_read(tmp_path: Path, tree: bool) -> None:
    writer = pytest.importorskip("litdata.streaming.writer", reason="needs litdata")
    loaders = pytest.importorskip("litdata.streaming.item_loader", reason="needs litdata")
    torch = pytest.importorskip("torch", reason="needs torch")
    loader = loaders.PyTreeLoader() if tree else loaders.TokensLoader()
    size = {"chunk_bytes": 60} if tree else {"chunk_size": 20}
    out = writer.BinaryWriter(str(tmp_path), item_loader=loader, **size)
    for at, doc in enumerate(DOCS):
        tokens = torch.from_numpy(doc)
        out[at] = {"a": torch.tensor([at], dtype=torch.int32), "t": tokens} if tree else tokens
    out.done()
    out.merge(1)
    field = "1" if tree else None
    check(Loader(tmp_path, row_len=16, kind="documents", shuffle=False, field=field))


@pytest.mark.parametrize(
    ("columns", "options"),
    [
        ({"tokens": "bytes"}, {"stored": "uint16"}),
        ({"id": "int", "text": "str", "tokens": "ndarray:uint16"}, {}),
        ({"tokens": "ndarray"}, {}),
    ],
)
def test_mds_shards_are_read(
    tmp_path: Path, columns: dict[str, str], options: dict[str, Any]
) -> None:
    streaming = pytest.importorskip("streaming", reason="needs mosaicml-streaming")
    with streaming.MDSWriter(out=str(tmp_path / "x"), columns=columns, size_limit=250) as out:
        for at, doc in enumerate(DOCS):
            tokens = doc.tobytes() if columns["tokens"] == "bytes" else doc
            sample = {"id": at, "text": "x" * at, "tokens": tokens}
            out.write({name: sample[name] for name in columns})
    check(Loader(tmp_path / "x", row_len=16, kind="documents", shuffle=False, **options))


@pytest.mark.parametrize("tree", [False, True])
def test_packed_litdata_chunks_are_read(tmp_path: Path, tree: bool) -> None:
    writer = pytest.importorskip("litdata.streaming.writer", reason="needs litdata")
    loaders = pytest.importorskip("litdata.streaming.item_loader", reason="needs litdata")
    torch = pytest.importorskip("torch", reason="needs torch")
    pytest.importorskip("zstd", reason="litdata needs zstd")
    loader = loaders.PyTreeLoader() if tree else loaders.TokensLoader()
    size = {"chunk_bytes": 60} if tree else {"chunk_size": 20}
    packing = {"compression": "zstd", "compression_level": "chunk"}
    out = writer.BinaryWriter(str(tmp_path), item_loader=loader, **size, **packing)
    for at, doc in enumerate(DOCS):
        tokens = torch.from_numpy(doc)
        out[at] = {"a": torch.tensor([at], dtype=torch.int32), "t": tokens} if tree else tokens
    out.done()
    out.merge(1)
    field = "t" if tree else None
    check(Loader(tmp_path, row_len=16, kind="documents", shuffle=False, field=field))


@pytest.mark.parametrize("hashes", [[], ["sha1", "xxh64"], ["sha256", "xxh128"], ["blake2b"]])
def test_packed_mds_shards_are_read(tmp_path: Path, hashes: list[str]) -> None:
    streaming = pytest.importorskip("streaming", reason="needs mosaicml-streaming")
    folder = tmp_path / "x"
    options = {"compression": "zstd:7", "hashes": hashes, "size_limit": 250}
    with streaming.MDSWriter(out=str(folder), columns={"tokens": "bytes"}, **options) as out:
        for doc in DOCS:
            out.write({"tokens": doc.tobytes()})
    rows = {"row_len": 16, "kind": "documents", "shuffle": False}
    check(Loader(folder, stored="uint16", **rows))  # type: ignore[arg-type]
    index = folder / "index.json"
    text = index.read_text()
    if hashes in (["sha1", "xxh64"], ["sha256", "xxh128"]):
        at = text.index(f'"{hashes[0]}": "') + len(hashes[0]) + 5
        index.write_text(text[:at] + ("1" if text[at] == "0" else "0") + text[at + 1 :])
        with pytest.raises(ValueError, match="by the index"):
            list(Loader(folder, stored="uint16", **rows))  # type: ignore[arg-type]


@pytest.mark.parametrize("compression", ["none", "snappy", "zstd", "gzip", "lz4"])
@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_parquet_of_pyarrow_is_read(tmp_path: Path, compression: str, version: str) -> None:
    arrow = pytest.importorskip("pyarrow", reason="needs pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs pyarrow")
    tokens = [doc.tolist() for doc in DOCS]
    for kind in (
        arrow.list_(arrow.uint16()),
        arrow.large_list(arrow.int32()),
        arrow.list_(arrow.int64()),
        arrow.list_(arrow.field("item", arrow.uint32(), nullable=False)),
    ):
        table = arrow.table({"text": ["x"] * 6, "tokens": arrow.array(tokens, kind)})
        parquet.write_table(
            table,
            tmp_path / "x.parquet",
            compression=compression,
            data_page_version=version,
            row_group_size=4,
        )
        check(Loader(tmp_path, row_len=16, kind="documents", shuffle=False))


def test_parquet_of_datasets_and_polars_is_read(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets", reason="needs datasets")
    columns = {"input_ids": [doc.tolist() for doc in DOCS]}
    datasets.Dataset.from_dict(columns).to_parquet(str(tmp_path / "x.parquet"), batch_size=2)
    check(Loader(tmp_path, row_len=16, kind="documents", shuffle=False))
    polars = pytest.importorskip("polars", reason="needs Polars")
    polars.DataFrame(columns).write_parquet(tmp_path / "x.parquet")
    check(Loader(tmp_path, row_len=16, kind="documents", shuffle=False))


def test_parquet_is_shuffled_and_resumed(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow", reason="needs pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs pyarrow")
    table = arrow.table({"tokens": [[at] * 8 for at in range(1000)]})
    parquet.write_table(table, tmp_path / "x.parquet", row_group_size=40)

    def loader(**options: Any) -> Loader:
        return Loader(tmp_path, row_len=8, kind="documents", tail="keep", seed=9, **options)

    whole = [row for batch in loader() for row in batch.rows]
    assert sorted(whole) == list(range(1000))
    first = loader(batch_size=30, threads=4, cache="100KiB")
    seen = [row for _ in range(7) for row in next(first).rows]
    second = [loader(batch_size=8, rank=rank, world_size=2) for rank in range(2)]
    for rank in second:
        rank.load_state_dict(first.state_dict())
    while len(seen) < 1000:
        for rank in second:
            batch = next(rank)
            assert (np.asarray(batch.tokens) == np.array(batch.rows)[:, None]).all()
            seen += batch.rows
    assert seen == whole
    with pytest.raises(ValueError, match="windows of 8 units"):
        loader(cache=1000)
    with pytest.raises(ValueError, match="cannot go on in other rows"):
        loader(shuffle="full").load_state_dict(first.state_dict())
