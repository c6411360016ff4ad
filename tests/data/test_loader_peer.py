"""Shards that litdata and mosaicml-streaming write, where they are installed."""

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
