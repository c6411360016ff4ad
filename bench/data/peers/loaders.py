"""Shuffled batches of token rows, or of images, into torch tensors.

    python loaders.py CONTESTANT WORKERS FOLDER

51,200 rows of 2048 uint16, batches of 32, 50,000 rows are taken. The files are made on the first
call, which is not measured. It prints rows a second, seconds to the first batch, and milliseconds
of the median and of the slowest batch in a hundred.

Images: 512 JPEGs of 500 x 375 pixels, shorter side to 256, centre of 224 x 224, normalised, as
`float32`; 1024 are taken.
"""

from __future__ import annotations

import io
import itertools
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

ROWS, WIDTH, BATCH, TAKEN = 51_200, 2048, 32, 50_000
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


def grain_read(folder: Path, workers: int) -> Iterator[torch.Tensor]:
    import grain

    rows = np.load(folder / "rows.npy", mmap_mode="r")
    found = grain.MapDataset.source(rows).shuffle(seed=SEED).to_iter_dataset().batch(BATCH)
    if workers:
        found = found.mp_prefetch(grain.MultiprocessingOptions(num_workers=workers))
    for batch in found:
        yield torch.from_numpy(batch)


def datasets_write(folder: Path) -> None:
    import datasets

    features = datasets.Features({"row": datasets.List(datasets.Value("uint16"), length=WIDTH)})
    found = datasets.Dataset.from_dict({"row": tokens()}, features=features)
    found.save_to_disk(str(folder / "rows"))


def datasets_read(folder: Path, workers: int) -> Iterator[torch.Tensor]:
    import datasets

    rows = datasets.load_from_disk(str(folder / "rows")).with_format("torch")
    chance = torch.Generator().manual_seed(SEED)
    for batch in DataLoader(rows, BATCH, True, num_workers=workers, generator=chance):
        yield batch["row"]


def parquet_write(folder: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    rows = pyarrow.FixedSizeListArray.from_arrays(pyarrow.array(tokens().ravel()), WIDTH)
    rows = rows.cast(pyarrow.list_(pyarrow.uint16()))
    table = pyarrow.table({"tokens": rows})
    pyarrow.parquet.write_table(table, folder / "rows.parquet", row_group_size=512)


def nexus_read(folder: Path, _: int) -> Iterator[torch.Tensor]:
    """It has threads; processes would only copy."""
    from nexus.data import Loader

    mds = (folder / "index.json").exists() and "zip_data" in (folder / "index.json").read_text()
    kind = "documents" if mds or (folder / "rows.parquet").exists() else "windows"
    for batch in Loader(folder, row_len=WIDTH, batch_size=BATCH, kind=kind, seed=SEED):
        yield torch.from_dlpack(batch.tokens)


def images_write(folder: Path) -> None:
    from PIL import Image

    chance = np.random.default_rng(SEED)
    for number in range(512):
        path = folder / f"class{number % 4}" / f"{number:03}.jpg"
        path.parent.mkdir(exist_ok=True)
        # Smooth with some noise, which takes about as many bytes as a photograph.
        small = chance.integers(0, 256, (24, 32, 3), np.uint8)
        image = np.asarray(Image.fromarray(small).resize((500, 375), Image.Resampling.BICUBIC))
        noisy = image + chance.normal(0, 8, image.shape)
        file = io.BytesIO()
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=85)
        path.write_bytes(file.getvalue())


def torchvision_read(folder: Path, workers: int) -> Iterator[torch.Tensor]:
    from torchvision import datasets, transforms

    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    recipe = [transforms.Resize(256), transforms.CenterCrop(224), transforms.ToTensor()]
    recipe.append(transforms.Normalize(mean, std))
    images = datasets.ImageFolder(str(folder), transforms.Compose(recipe))
    while True:
        for batch, _ in DataLoader(images, BATCH, True, num_workers=workers):
            yield batch


def nexus_images(folder: Path, _: int) -> Iterator[torch.Tensor]:
    from nexus.data import ImageLoader

    loader = ImageLoader(folder, batch_size=BATCH, size=224, resize=256, seed=SEED)
    for batch in itertools.chain.from_iterable(itertools.repeat(loader)):
        yield torch.from_dlpack(batch.images)


CONTESTANTS = {
    "nexus": (memmap_write, nexus_read),
    "nexus over litdata's chunks": (litdata_write, nexus_read),
    "nexus over Parquet": (parquet_write, nexus_read),
    "nexus images": (images_write, nexus_images),
    "torchvision images": (images_write, torchvision_read),
    "grain over memmap": (memmap_write, grain_read),
    "datasets": (datasets_write, datasets_read),
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
    images = contestant.endswith("images")
    shape, wanted = ((3, 224, 224), 1024) if images else ((WIDTH,), TAKEN)
    before = resource.getrusage(resource.RUSAGE_SELF)
    start = last = time.perf_counter()
    delays, taken = [], 0
    for batch in read(folder, int(workers)):
        assert batch.shape[1:] == shape
        now = time.perf_counter()
        delays.append(now - last)
        last, taken = now, taken + len(batch)
        if taken >= wanted:
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
