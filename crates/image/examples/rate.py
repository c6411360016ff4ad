"""The peer of rate.rs: Pillow, NumPy and ImageHash on the same files, in CPU seconds of one thread.

`python rate.py FOLDER` writes 32 photograph-like JPEGs of 500x375 pixels there, unless there are
files, and measures. Then `cargo run --release -p nexus-image --example rate -- FOLDER/*`.
"""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import imagehash
import numpy as np
import PIL
from PIL import Image, ImageDraw

MEAN, STD = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])
ROUNDS = 5


def photograph(seed: int) -> Image.Image:
    """Noise in octaves, and discs."""
    random = np.random.default_rng(seed)
    pixels = np.zeros((375, 500, 3))
    for octave in range(2, 9):
        side = 2**octave
        planes = random.normal(size=(3, side, side)).astype("f4")
        images = [Image.fromarray(plane).resize((500, 375), Image.BICUBIC) for plane in planes]
        noise = np.stack([np.asarray(image) for image in images], -1)
        grey = noise.mean(-1, keepdims=True)
        pixels += (0.7 * grey + 0.3 * noise) * 60 / 1.6 ** (octave - 2)
    image = Image.fromarray(np.clip(pixels + 128, 0, 255).astype("u1"))
    draw = ImageDraw.Draw(image)
    for _ in range(12):
        x, y, width, height, *color = (int(n) for n in random.integers(10, 250, 7))
        draw.ellipse([x, y, x + width, y + height], fill=tuple(color))
    return image


def decode(data: bytes) -> Image.Image:
    """Decode a file in memory."""
    return Image.open(io.BytesIO(data)).convert("RGB")


def tensor(image: Image.Image) -> np.ndarray:
    """Resize, crop and normalise as torchvision does."""
    width, height = image.size
    size = (256, 256 * height // width) if width <= height else (256 * width // height, 256)
    image = image.resize(size, Image.BILINEAR)
    left, top = round((size[0] - 224) / 2), round((size[1] - 224) / 2)
    values = np.asarray(image.crop((left, top, left + 224, top + 224)), dtype=np.float32)
    values = values / np.float32(255)
    values -= MEAN
    values /= STD
    return np.ascontiguousarray(values.transpose(2, 0, 1))


def measure(name: str, run: Callable[[object], object], items: Sequence[object]) -> None:
    """Print the best of some rounds."""
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.process_time()
        for item in items:
            run(item)
        best = min(best, (time.process_time() - start) / len(items))
    print(f"{name:<28} {best * 1e3:8.3f} ms {1 / best:8.0f} a second")


def main(folder: Path) -> None:
    """Write the files if there are none, and measure."""
    folder.mkdir(parents=True, exist_ok=True)
    if not any(folder.iterdir()):
        for seed in range(32):
            photograph(seed).save(folder / f"{seed:02}.jpg", quality=90)
    files = [path.read_bytes() for path in sorted(folder.iterdir())]
    images = [decode(data) for data in files]
    print(f"Pillow {PIL.__version__}, numpy {np.__version__}, ImageHash {imagehash.__version__}")
    measure("decode", decode, files)
    for filter in Image.BILINEAR, Image.BICUBIC, Image.LANCZOS:
        name = f"resize 341x256 {Image.Resampling(filter).name.capitalize()}"
        measure(name, lambda image, filter=filter: image.resize((341, 256), filter), images)
    measure("phash", imagehash.phash, images)
    measure("resize, crop, normalise", tensor, images)
    measure("all", lambda data: tensor(decode(data)), files)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
