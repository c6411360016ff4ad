"""Images in pipelines: formats of other libraries, which are the oracles, are read and written.

Each library that is not installed is skipped by name. Pillow makes the images.
"""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any, Literal

import pytest

from nexus.data import Pipeline

if TYPE_CHECKING:
    from pathlib import Path

Image = pytest.importorskip("PIL.Image")
np = pytest.importorskip("numpy")

MEAN = [0.485, 0.456, 0.406]
STD = [0.229, 0.224, 0.225]


def picture(seed: int, width: int = 90, height: int = 60) -> Any:
    """Smooth shapes, as photographs have them."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    x, y = x / width * 90, y / height * 60
    planes = []
    for _ in range(3):
        a, b, c, d = random.uniform(0.02, 0.25, 4)
        planes.append(np.sin(a * x + b * y) * 70 + np.cos(c * x - d * y) * 50 + 128)
    return Image.fromarray(np.clip(np.stack(planes, -1), 0, 255).astype("uint8"))


def encoded(image: Any, kind: str = "png", **options: Any) -> bytes:
    """Give the bytes of a file."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of images: some the same in other sizes, qualities and kinds; two broken."""
    folder = tmp_path_factory.mktemp("photos")
    for seed in range(12):
        image = picture(seed)
        (folder / f"{seed:02}.png").write_bytes(encoded(image))
        if seed % 3 == 0:
            (folder / f"{seed:02}-small.png").write_bytes(encoded(image.resize((45, 30))))
            (folder / f"{seed:02}.jpg").write_bytes(encoded(image, "jpeg", quality=60))
            (folder / f"{seed:02}.webp").write_bytes(encoded(image, "webp", lossless=True))
    (folder / "cut.jpg").write_bytes((folder / "03.jpg").read_bytes()[:-300])
    (folder / "cut.png").write_bytes((folder / "03.png").read_bytes()[:-300])
    return folder


def test_broken_images_are_rejected_as_pillow_rejects_them(photos: Path) -> None:
    broken = []
    for path in sorted(photos.iterdir()):
        try:
            Image.open(path).load()
        except OSError:
            broken.append(str(path))
    report = Pipeline(photos).images().run()
    assert [line.partition(": ")[0] for line in report.rejected_samples] == broken
    assert report.rows == len(list(photos.iterdir())) - len(broken)


@pytest.mark.parametrize(("name", "distance"), [("phash", 6), ("dhash", 4), ("phash", 0)])
def test_copies_are_those_of_imagehash(
    photos: Path, tmp_path: Path, name: Literal["phash", "dhash"], distance: int
) -> None:
    imagehash = pytest.importorskip("imagehash")
    kept: dict[str, Any] = {}
    expected: dict[str, str] = {}
    for path in sorted(photos.glob("*.png")) + sorted(photos.glob("*.webp")):
        if path.stem == "cut":
            continue
        found = getattr(imagehash, name)(Image.open(path).convert("RGB"))
        near = next((other for other, own in kept.items() if own - found <= distance), None)
        if near is None:
            kept[path.name] = found
        else:
            expected[path.name] = near
    # JPEG differs by a level here and there, so hashes of it may differ in a bit.
    for kind in ["png", "webp"]:
        (tmp_path / kind).mkdir()
        for path in photos.glob(f"*.{kind}"):
            (tmp_path / kind / path.name).write_bytes(path.read_bytes())
    audit = tmp_path / "audit.jsonl"
    pipeline = Pipeline(tmp_path).images().dedup_images(hash=name, distance=distance)
    report = pipeline.write_audit(audit).run(threads=3)
    assert report.duplicates == len(expected)
    lines = [json.loads(line) for line in audit.read_text().splitlines()]
    found = {line["id"].split("/")[1]: line["duplicate_of"].split("/")[1] for line in lines}
    assert found == expected
    assert len(found) >= (4 if distance else 1)


def test_rows_have_bytes_and_tensors(photos: Path) -> None:
    rows = list(Pipeline(photos / "01.png").images())
    assert rows[0]["image"] == (photos / "01.png").read_bytes()
    assert rows[0]["text"] == ""
    tensors = Pipeline(photos / "01.png").images().image_tensors(width=20, height=10, resize=None)
    (row,) = tensors
    assert "image" not in row
    pixels = np.asarray(row["pixels"])
    expected = np.asarray(Image.open(photos / "01.png").resize((20, 10), Image.BILINEAR))
    assert pixels.shape == (3, 10, 20)
    assert pixels.dtype == np.uint8
    assert (pixels == expected.transpose(2, 0, 1)).all()
    (row,) = (
        Pipeline(photos / "01.png")
        .images()
        .image_tensors(width=20, height=10, resize=None, layout="hwc", dtype="float32")
    )
    scaled = (expected.astype("float32") / np.float32(255) - np.float32(MEAN)) / np.float32(STD)
    assert np.asarray(row["pixels"]).dtype == np.float32
    assert (np.asarray(row["pixels"]) == scaled).all()


def test_samples_of_webdataset_are_read_and_written(tmp_path: Path) -> None:
    webdataset = pytest.importorskip("webdataset")
    source = tmp_path / "in.tar"
    samples = []
    with webdataset.TarWriter(str(source)) as writer:
        for seed in range(20):
            kind = ["jpg", "png", "webp"][seed % 3]
            bytes_ = encoded(picture(seed), "jpeg" if kind == "jpg" else kind)
            sample = {"__key__": f"s{seed}", kind: bytes_, "txt": f"caption {seed}", "cls": seed}
            writer.write(sample)
            samples.append((kind, bytes_, f"caption {seed}"))
    out = tmp_path / "out"
    report = Pipeline(source).images().write(out, format="webdataset").run()
    assert (report.rows, report.rejected) == (20, 0)
    urls = sorted(str(path) for path in out.glob("*.tar"))
    rows = list(webdataset.WebDataset(urls, shardshuffle=False))
    assert [row["txt"].decode() for row in rows] == [caption for _, _, caption in samples]
    for row, (kind, bytes_, _) in zip(rows, samples, strict=True):
        assert row[kind] == bytes_
    decoded = next(iter(webdataset.WebDataset(urls, shardshuffle=False).decode("pil")))
    assert decoded["jpg"].size == (90, 60)
    assert decoded["json"]["fields"] == {"cls": "0", "image": "s0.jpg"}


def test_structs_of_hf_datasets_are_read(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    images: list[dict[str, Any] | None] = [
        {"bytes": encoded(picture(seed)), "path": f"{seed}.png" if seed else None}
        for seed in range(3)
    ]
    images.append(None)
    images.append({"bytes": b"broken", "path": "x.png"})
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    table = pa.table({"image": pa.array(images, kind), "label": pa.array(range(5))})
    parquet.write_table(table, tmp_path / "in.parquet")
    pipeline = Pipeline(tmp_path / "in.parquet").images()
    report = pipeline.write(tmp_path / "out.parquet").run()
    assert report.dropped == {"images": {"no_image": 1}}
    (reject,) = report.rejected_samples
    assert "in.parquet:5: the image `x.png`: cannot decode" in reject
    found = parquet.read_table(tmp_path / "out.parquet")
    assert found["image"].to_pylist() == [image["bytes"] for image in images[:3] if image]
    fields = [json.loads(text) for text in found["fields"].to_pylist()]
    assert [(each["label"], each["image"]) for each in fields] == [
        (0, None),
        (1, "1.png"),
        (2, "2.png"),
    ]
    column = parquet.ParquetFile(tmp_path / "out.parquet").metadata.row_group(0).column(5)
    assert (column.path_in_schema, column.compression) == ("image", "UNCOMPRESSED")


@pytest.mark.parametrize("name", ["x.parquet", "x.arrow"])
def test_tensors_are_those_of_pyarrow(photos: Path, tmp_path: Path, name: str) -> None:
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    pipeline = Pipeline(photos).images().image_tensors(width=8, height=6, resize=9)
    pipeline.write(tmp_path / name).run()
    if name.endswith("parquet"):
        table = parquet.read_table(tmp_path / name)
    else:
        table = pa.ipc.open_file(tmp_path / name).read_all()
    pixels = table["pixels"].combine_chunks()
    assert pixels.type == pa.fixed_shape_tensor(pa.uint8(), (3, 6, 8))
    tensors = pixels.to_numpy_ndarray()
    streamed = pa.table(pipeline)["pixels"].combine_chunks()
    assert (streamed.to_numpy_ndarray() == tensors).all()
    for row, tensor in zip(pipeline, tensors, strict=True):
        assert (np.asarray(row["pixels"]) == tensor).all()


def test_polars_reads_images(photos: Path, tmp_path: Path) -> None:
    polars = pytest.importorskip("polars")
    Pipeline(photos).images().write(tmp_path / "x.parquet").run()
    frame = polars.read_parquet(tmp_path / "x.parquet")
    for name, bytes_ in zip(frame["id"], frame["image"], strict=True):
        assert (photos / name).read_bytes() == bytes_


def test_mosaicml_streaming_reads_images(photos: Path, tmp_path: Path) -> None:
    streaming = pytest.importorskip("streaming")
    out = tmp_path / "mds"
    Pipeline(photos).images().write(out, format="mds", shard_size_bytes=20_000).run()
    assert len(list(out.glob("*.mds"))) > 2
    reader = streaming.LocalDataset(str(out))
    rows = [reader[n] for n in range(len(reader))]
    assert len(rows) == len(list(photos.iterdir())) - 2
    for row in rows:
        assert row["image"] == (photos / row["id"]).read_bytes()


def test_settings_have_names(photos: Path) -> None:
    plan = Pipeline(photos).images(min_size=40, max_aspect=2).dedup_images(hash="dhash").to_toml()
    assert 'op = "images"\nmin_size = 40\nmax_aspect = 2.0\n' in plan
    report = Pipeline.from_toml(plan).run()
    assert report.dropped == {"images": {"small": 4}}
    for wrong, message in [
        ({"min_sise": 3}, "has no key `min_sise`"),
        ({"required": "yes"}, "`required` is true or false"),
    ]:
        with pytest.raises(ValueError, match=message):
            Pipeline(photos).images(**wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="needs the step `images` before it"):
        Pipeline(photos).dedup_images().run()
    with pytest.raises(ValueError, match="`image` of type Binary has no form in JSON"):
        Pipeline(photos).images().write_jsonl(photos / "x.jsonl").run()
