"""Shuffled batches of token rows into torch tensors.

    python loaders.py CONTESTANT WORKERS FOLDER

10,240 rows of 2048 uint16, batches of 32, 8000 rows are taken. The files are made on the first
call, which is not measured. It prints rows a second, seconds to the first batch, and milliseconds
of the median and of the slowest batch in a hundred.
"""

from __future__ import annotations

import json
import resource
import shutil
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

ROWS, WIDTH, BATCH, TAKEN = 10_240, 2048, 32, 8000
SEED = 7


def tokens() -> np.ndarray:
    return np.random.default_rng(SEED).integers(0, 50257, (ROWS, WIDTH), np.uint16)


class Mapped(Dataset[torch.Tensor]):
    """Rows of a file in memory."""

    def __init__(self, path: Path) -> None:
        self.rows = np.load(path, mmap_mode="r")

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, row: int) -> torch.Tensor:
        return torch.from_numpy(self.rows[row].copy())

    def __getitems__(self, rows: list[int]) -> torch.Tensor:
        return torch.from_numpy(self.rows[rows])


def memmap_write(folder: Path) -> None:
    np.save(folder / "rows.npy", tokens())


def memmap_read(folder: Path, workers: int) -> Iterator[torch.Tensor]:
    rows = Mapped(folder / "rows.npy")
    chance = torch.Generator().manual_seed(SEED)
    yield from DataLoader(
        rows, BATCH, True, num_workers=workers, generator=chance, collate_fn=lambda batch: batch
    )


def litdata_write(folder: Path) -> None:
    from litdata.streaming.writer import BinaryWriter

    writer = BinaryWriter(str(folder), chunk_bytes=64 << 20)
    for number, row in enumerate(tokens()):
        writer.add_item(number, torch.from_numpy(row.astype(np.int32)).to(torch.uint16))
    writer.done()
    writer.merge()


def litdata_read(folder: Path, workers: int) -> Iterator[torch.Tensor]:
    from litdata import StreamingDataLoader, StreamingDataset

    rows = StreamingDataset(str(folder), shuffle=True, seed=SEED, drop_last=False)
    yield from StreamingDataLoader(rows, batch_size=BATCH, num_workers=workers)


def mosaic_write(folder: Path) -> None:
    from streaming import MDSWriter

    with MDSWriter(out=str(folder), columns={"row": f"ndarray:uint16:{WIDTH}"}) as writer:
        for row in tokens():
            writer.write({"row": row})


def mosaic_read(folder: Path, workers: int) -> Iterator[torch.Tensor]:
    from streaming import StreamingDataset
    from streaming.base.util import clean_stale_shared_memory

    clean_stale_shared_memory()
    rows = StreamingDataset(
        local=str(folder), shuffle=True, shuffle_seed=SEED, batch_size=BATCH, num_canonical_nodes=1
    )
    for batch in DataLoader(rows, BATCH, num_workers=workers):
        yield batch["row"]


def webdataset_write(folder: Path) -> None:
    import webdataset

    with webdataset.ShardWriter(str(folder / "rows-%03d.tar"), maxcount=1280) as writer:
        for number, row in enumerate(tokens()):
            writer.write({"__key__": f"{number:06d}", "npy": row})


def webdataset_read(folder: Path, workers: int) -> Iterator[torch.Tensor]:
    import webdataset

    shards = sorted(map(str, folder.glob("*.tar")))
    rows = (
        webdataset.WebDataset(shards, shardshuffle=len(shards), seed=SEED)
        .shuffle(1000)
        .decode()
        .to_tuple("npy")
        .batched(BATCH)
    )
    for (batch,) in webdataset.WebLoader(rows, batch_size=None, num_workers=workers):
        yield torch.as_tensor(batch)


CONTESTANTS = {
    "torch DataLoader over memmap": (memmap_write, memmap_read),
    "litdata": (litdata_write, litdata_read),
    "mosaicml-streaming": (mosaic_write, mosaic_read),
    "webdataset": (webdataset_write, webdataset_read),
}


def main(contestant: str, workers: str, root: str) -> None:
    write, read = CONTESTANTS[contestant]
    folder = Path(root) / contestant.replace(" ", "-")
    if not (folder / ".ready").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        write(folder)
        (folder / ".ready").touch()
    before = resource.getrusage(resource.RUSAGE_SELF)
    start = last = time.perf_counter()
    delays, taken = [], 0
    for batch in read(folder, int(workers)):
        assert batch.shape[1:] == (WIDTH,)
        now = time.perf_counter()
        delays.append(now - last)
        last, taken = now, taken + len(batch)
        if taken >= TAKEN:
            break
    after = resource.getrusage(resource.RUSAGE_SELF)
    rest = sorted(delays[1:])
    figures = {
        "rows": taken,
        "rows_per_s": (taken - BATCH) / (last - start - delays[0]),
        "first_s": delays[0],
        "p50_ms": 1000 * statistics.median(rest),
        "p99_ms": 1000 * rest[len(rest) * 99 // 100],
        "wall_s": last - start,
        "cpu_s": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main(*sys.argv[1:])
