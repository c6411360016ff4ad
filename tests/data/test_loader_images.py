"""The loader of images: the tensors of torchvision's recipe, from every kind of file."""

from __future__ import annotations

import io
import itertools
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from nexus.data import ImageLoader

np = pytest.importorskip("numpy", reason="needs NumPy")
FILES = Path(__file__).parents[2] / "crates/image/tests/files"
NAMES = ["rgb.png", "s444.jpg", "lossless.webp", "grey.png", "rgba.png", "palette8.png"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder for each of two classes."""
    for at, name in enumerate(NAMES):
        path = tmp_path / ("cat", "dog")[at % 2] / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes((FILES / name).read_bytes())
    return tmp_path


def archive(path: Path, files: list[bytes]) -> None:
    with tarfile.open(path, "w") as out:
        for at, file in enumerate(files):
            for name, data in ((f"{at:03}.jpg", file), (f"{at:03}.cls", str(at % 2).encode())):
                info = tarfile.TarInfo(name)
                info.size = len(data)
                out.addfile(info, io.BytesIO(data))


def test_a_folder_gives_images_labels_and_classes(folder: Path) -> None:
    loader = ImageLoader(folder, batch_size=4, size=(10, 12), tail="keep")
    assert loader.classes == ["cat", "dog"]
    assert (len(loader), loader.rows) == (2, 6)
    seen: list[tuple[int, int]] = []
    for batch in loader:
        images, labels = np.asarray(batch.images), np.asarray(batch.labels)
        assert images.shape == (len(batch), 3, 10, 12)
        assert images.dtype == np.float32
        assert labels.dtype == np.int64
        seen += zip(batch.rows, labels.tolist(), strict=True)
    assert sorted(seen) == [(0, 0), (1, 0), (2, 0), (3, 1), (4, 1), (5, 1)]
    assert loader.epoch == 1


def test_layouts_and_types(folder: Path) -> None:
    options: dict[str, Any] = {"batch_size": 6, "size": 8, "crop": "none", "shuffle": False}
    floats = next(ImageLoader(folder, mean=(0, 0, 0), std=(1, 1, 1), **options))
    first = next(ImageLoader(folder, dtype="uint8", **options))
    last = next(ImageLoader(folder, dtype="uint8", layout="NHWC", **options))
    chw, hwc = np.asarray(first.images), np.asarray(last.images)
    assert chw.dtype == np.uint8
    assert (chw == hwc.transpose(0, 3, 1, 2)).all()
    assert (np.asarray(floats.images) == chw.astype(np.float32) / np.float32(255)).all()


def test_pillow_gives_the_same_pixels(folder: Path) -> None:
    pillow = pytest.importorskip("PIL.Image", reason="needs Pillow")
    loader = ImageLoader(folder, size=16, resize=20, dtype="uint8", layout="NHWC", shuffle=False)
    names = [*sorted(NAMES[::2]), *sorted(NAMES[1::2])]
    for name, batch in zip(names, loader, strict=True):
        image = pillow.open(FILES / name).convert("RGB")
        width, height = image.size
        shorter = min(width, height)
        sides = (int(20 * width / shorter), int(20 * height / shorter))
        image = image.resize(sides, pillow.Resampling.BILINEAR)
        left, top = (round((side - 16) / 2.0) for side in sides)
        wanted = np.asarray(image.crop((left, top, left + 16, top + 16)))
        difference = np.abs(np.asarray(batch.images)[0].astype(int) - wanted)
        assert difference.max() <= (2 if name.endswith("jpg") else 0), name


def test_augmentation_and_order_resume(folder: Path) -> None:
    def loader(**options: Any) -> ImageLoader:
        return ImageLoader(
            folder, size=8, crop="random_resized", flip=0.5, seed=3, tail="keep", **options
        )

    both = loader(batch_size=1, threads=0)
    whole = {
        (batch.epoch, row): image
        for batch in itertools.chain(both, both)
        for row, image in zip(batch.rows, np.asarray(batch.images), strict=True)
    }
    assert any((whole[0, row] != whole[1, row]).any() for row in range(6))
    first = loader(batch_size=2, threads=3)
    seen = next(first).rows
    state = json.loads(json.dumps(first.state_dict()))
    ranks = [loader(batch_size=1, rank=rank, world_size=2) for rank in range(2)]
    for rank in ranks:
        rank.load_state_dict(state)
        for batch in rank:
            seen += batch.rows
            assert (np.asarray(batch.images)[0] == whole[0, batch.rows[0]]).all()
    assert sorted(seen) == list(range(6))


def test_torch_and_jax_share_the_memory(folder: Path) -> None:
    torch = pytest.importorskip("torch", reason="needs torch")
    batch = next(ImageLoader(folder, batch_size=3, size=8))
    images = torch.from_dlpack(batch.images)
    labels = torch.from_dlpack(batch.labels)
    assert images.dtype == torch.float32
    assert labels.dtype == torch.int64
    assert images.data_ptr() == np.asarray(batch.images).__array_interface__["data"][0]


def test_a_broken_image_is_named_or_skipped(tmp_path: Path) -> None:
    files = [(FILES / "s444.jpg").read_bytes() for _ in range(4)]
    files[2] = files[2][:100]
    archive(tmp_path / "x.tar", files)
    with pytest.raises(ValueError, match=r'the member "002.jpg" of `.*x.tar`'):
        list(ImageLoader(tmp_path, batch_size=2, shuffle=False))
    loader = ImageLoader(tmp_path, batch_size=2, shuffle=False, on_error="skip")
    assert [(batch.rows, batch.skipped) for batch in loader] == [([0, 1], []), ([3], [2])]
    assert loader.skipped == 1


def test_tables_of_hugging_face_are_read(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow", reason="needs pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs pyarrow")
    files = [(FILES / name).read_bytes() for name in NAMES]
    images: list[dict[str, object]]
    images = [{"bytes": file, "path": name} for file, name in zip(files, NAMES, strict=True)]
    table = arrow.table({"image": images, "label": [0, 1, 0, 1, 0, 1]})
    parquet.write_table(table, tmp_path / "data.parquet", row_group_size=2)
    loader = ImageLoader(tmp_path, batch_size=6, size=8, dtype="uint8")
    batch = next(loader)
    assert sorted(batch.rows) == list(range(6))
    assert np.asarray(batch.labels).tolist() == [row % 2 for row in batch.rows]
    images[3] = {"bytes": None, "path": "away.png"}
    table = arrow.table({"image": images, "label": [0, 1, 0, 1, 0, 1]})
    parquet.write_table(table, tmp_path / "data.parquet", row_group_size=2)
    with pytest.raises(ValueError, match=r"row 3 of .*no bytes"):
        list(ImageLoader(tmp_path, size=8))


def test_datasets_of_hugging_face_are_read(tmp_path: Path, folder: Path) -> None:
    datasets = pytest.importorskip("datasets", reason="needs datasets")
    pytest.importorskip("PIL", reason="needs Pillow")
    features = datasets.Features(
        {"image": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog"])}
    )
    files = [{"bytes": (FILES / name).read_bytes(), "path": None} for name in NAMES]
    columns = {"image": files, "label": [0, 1] * 3}
    path = tmp_path / "hf.parquet"
    datasets.Dataset.from_dict(columns, features=features).to_parquet(str(path), batch_size=4)
    batch = next(ImageLoader(path, batch_size=6, size=8))
    assert np.asarray(batch.labels).tolist() == [row % 2 for row in batch.rows]


def test_webdataset_archives_are_read(tmp_path: Path) -> None:
    webdataset = pytest.importorskip("webdataset", reason="needs webdataset")
    with webdataset.ShardWriter(str(tmp_path / "%03d.tar"), maxcount=4, verbose=0) as out:
        for at, name in enumerate(NAMES):
            kind = name.split(".")[-1]
            out.write({"__key__": f"{at:03}", kind: (FILES / name).read_bytes(), "cls": at})
    batch = next(ImageLoader(tmp_path, batch_size=6, size=8))
    assert np.asarray(batch.labels).tolist() == batch.rows


def test_litdata_chunks_are_read(tmp_path: Path) -> None:
    writer = pytest.importorskip("litdata.streaming.writer", reason="needs litdata")
    pillow = pytest.importorskip("PIL.Image", reason="needs Pillow")
    out = writer.BinaryWriter(str(tmp_path / "x"), chunk_bytes=1 << 16)
    for at, name in enumerate(["s444.jpg", "s420.jpg", "rgb.jpg"]):
        out[at] = {"image": pillow.open(FILES / name), "label": at}
    out.done()
    out.merge(1)
    options: dict[str, Any] = {"batch_size": 3, "size": 8}
    for fields in ({}, {"image_field": "image", "label_field": "label"}, {"image_field": "0"}):
        batch = next(ImageLoader(tmp_path / "x", **options, **fields))
        assert np.asarray(batch.labels).tolist() == batch.rows
    # Of plain values it writes a file of Arrow into the chunk.
    out = writer.BinaryWriter(str(tmp_path / "y"), chunk_bytes=1 << 16)
    out[0] = {"image": (FILES / NAMES[0]).read_bytes(), "label": 0}
    out.done()
    out.merge(1)
    with pytest.raises(ValueError, match="holds an Arrow file"):
        ImageLoader(tmp_path / "y")


@pytest.mark.parametrize("compression", [None, "zstd:3"])
def test_mds_shards_are_read(tmp_path: Path, compression: str | None) -> None:
    streaming = pytest.importorskip("streaming", reason="needs mosaicml-streaming")
    columns = {"image": "bytes", "label": "int"}
    options = {"columns": columns, "compression": compression, "hashes": ["sha1"]}
    with streaming.MDSWriter(out=str(tmp_path / "x"), size_limit=5000, **options) as out:
        for at, name in enumerate(NAMES):
            out.write({"image": (FILES / name).read_bytes(), "label": at})
    batch = next(ImageLoader(tmp_path / "x", batch_size=6, size=8))
    assert np.asarray(batch.labels).tolist() == batch.rows


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({"crop": "left"}, 'cannot use crop "left"'),
        ({"dtype": "int8"}, 'cannot use dtype "int8"'),
        ({"layout": "CHW"}, 'cannot use layout "CHW"'),
        ({"on_error": "ignore"}, 'cannot use on_error "ignore"'),
        ({"interpolation": "nearest"}, 'cannot use interpolation "nearest"'),
        ({"size": 0}, "empty"),
        ({"crop": "random", "resize": 7}, "shorter side"),
        ({"shuffle": "some"}, 'cannot use shuffle "some"'),
        ({"format": "npy"}, 'cannot use format "npy"'),
    ],
)
def test_what_cannot_be_done_says_why(folder: Path, options: dict[str, Any], wanted: str) -> None:
    with pytest.raises(ValueError, match=wanted):
        ImageLoader(folder, **options)


def test_no_image_at_all_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="cannot find images"):
        ImageLoader(tmp_path)
