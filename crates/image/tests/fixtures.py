"""Write the files of tests/files and what is expected of them; needs Pillow, numpy and ImageHash.

The committed files were written by Pillow 13.0.0 (libjpeg-turbo 3.2.0, libwebp 1.6.0), numpy 2.4.6
and ImageHash 4.3.2. Expected output is a digest where it is exact, else a PNG.
"""

from __future__ import annotations

import struct
import sys
import zlib
from pathlib import Path

import imagehash
import numpy as np
from PIL import Image, ImageOps

HERE = Path(__file__).parent / "files"
FILTERS = {"bilinear": Image.BILINEAR, "bicubic": Image.BICUBIC, "lanczos": Image.LANCZOS}
SIZES = [(29, 23), (97, 70), (128, 13), (5, 140), (1, 1), (97, 31), (31, 70), (300, 200)]
# The shorter side, and the width and the height of the crop.
CROPS = [(48, 40, 40), (35, 31, 34), (33, 60, 20), (20, 24, 25), (90, 90, 90), (70, 60, 50)]
MEAN, STD = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])


def fnv(data: bytes) -> str:
    """Digest bytes by FNV-1a of 64 bits."""
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return f"{value:016x}"


def picture(seed: int, width: int = 97, height: int = 70) -> Image.Image:
    """Smooth shapes and an edge."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    planes = []
    for _ in range(3):
        a, b, c, d = random.uniform(0.02, 0.25, 4)
        planes.append(np.sin(a * x + b * y) * 70 + np.cos(c * x - d * y) * 50 + 128)
    pixels = np.stack(planes, -1)
    pixels[height // 3 : height // 2, width // 4 : width // 2] = random.uniform(0, 255, 3)
    return Image.fromarray(np.clip(pixels, 0, 255).astype("uint8"))


def deep(color: int, channels: int) -> bytes:
    """A PNG of 16 bits a sample, which Pillow does not write for all kinds."""
    random = np.random.default_rng(color)
    pixels = random.integers(0, 65536, (6, 7, channels)).astype(">u2")
    if color == 0:
        pixels[:3] %= 300
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 7, 6, 16, color, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def symmetric() -> dict[str, Image.Image]:
    """Images with frequencies that are exactly 0."""
    y, x = np.mgrid[0:48, 0:64]
    planes = {
        "flat": np.full((48, 64), 77),
        "white": np.full((48, 64), 255),
        "ramp": x * 4,
        "stripes": x // 8 % 2 * 255,
        "mirror": np.minimum(x, 63 - x) * 8,
        "chess": (x // 8 + y // 8) % 2 * 255,
        "disc": ((x - 31.5) ** 2 + (y - 23.5) ** 2 < 300) * 255,
    }
    return {name: Image.fromarray(plane.astype("uint8")) for name, plane in planes.items()}


def with_exif(number: int) -> bytes:
    """An EXIF block with an orientation."""
    exif = Image.Exif()
    exif[0x0112] = number
    return exif.tobytes()


def write_files() -> None:
    """Write an image of each kind."""
    rgb, small = picture(1).point(lambda value: value & 0xF0), picture(2, 40, 27)
    grey, alpha = small.convert("L"), small.convert("RGBA")
    alpha.putalpha(Image.fromarray(np.tile(np.arange(40, dtype="uint8") * 6, (27, 1))))
    rgb.save(HERE / "rgb.png", optimize=True)
    for name, image in symmetric().items():
        image.save(HERE / f"{name}.png", optimize=True)
    for depth in 1, 2, 4:
        grey.quantize(2**depth).save(HERE / f"palette{depth}.png", bits=depth)
    few = small.quantize(60)
    few.save(HERE / "palette8.png", optimize=True)
    few.save(HERE / "palette_clear.png", transparency=3)
    grey.save(HERE / "grey.png")
    grey.save(HERE / "grey_clear.png", transparency=128)
    grey.convert("1").save(HERE / "bilevel.png")
    alpha.save(HERE / "rgba.png")
    alpha.convert("LA").save(HERE / "grey_alpha.png")
    for color, channels in (0, 1), (2, 3), (4, 2), (6, 4):
        (HERE / f"deep{color}.png").write_bytes(deep(color, channels))
    picture(5, 24, 16).save(HERE / "turned.png", exif=with_exif(5))
    small.save(HERE / "lossless.webp", lossless=True)
    alpha.save(HERE / "lossless_alpha.webp", lossless=True, exact=True)
    small.save(HERE / "lossy.webp", quality=80)
    alpha.save(HERE / "lossy_alpha.webp", quality=80, exact=True)
    picture(5, 24, 16).save(HERE / "turned.webp", lossless=True, exif=with_exif(8))
    few = [picture(seed, 16, 9) for seed in (3, 4)]
    few[0].save(HERE / "moving.webp", save_all=True, append_images=few[1:], lossless=True)
    small.save(HERE / "s420.jpg", quality=85)
    small.save(HERE / "s422.jpg", quality=85, subsampling="4:2:2")
    small.save(HERE / "s444.jpg", quality=85, subsampling="4:4:4")
    small.save(HERE / "rgb.jpg", quality=85, keep_rgb=True)
    small.save(HERE / "progressive.jpg", quality=85, progressive=True)
    small.save(HERE / "restart.jpg", quality=85, restart_marker_blocks=2)
    grey.save(HERE / "grey.jpg", quality=85)
    small.convert("CMYK").save(HERE / "cmyk.jpg", quality=85)
    for number in range(1, 9):
        picture(5, 24, 16).save(HERE / f"turned{number}.jpg", quality=90, exif=with_exif(number))


def tensor(image: Image.Image, shorter: int, width: int, height: int, filter: int) -> np.ndarray:
    """torchvision's Compose([Resize, CenterCrop, ToTensor, Normalize]), written out."""
    w, h = image.size
    size = (shorter, int(shorter * h / w)) if w <= h else (int(shorter * w / h), shorter)
    pixels = np.asarray(image.resize(size, filter))
    pad_x, pad_y = max(width - size[0], 0), max(height - size[1], 0)
    pads = [(pad_y // 2, (pad_y + 1) // 2), (pad_x // 2, (pad_x + 1) // 2), (0, 0)]
    pixels = np.pad(pixels, pads)
    top = round((pixels.shape[0] - height) / 2.0)
    left = round((pixels.shape[1] - width) / 2.0)
    pixels = pixels[top : top + height, left : left + width]
    scaled = pixels.astype("float32") / np.float32(255)
    return ((scaled - MEAN) / STD).astype("float32")


def write_expected() -> None:
    """Write what Pillow, torchvision's rules and imagehash make of the images."""
    files = sorted(path for path in HERE.iterdir() if path.suffix in {".jpg", ".png", ".webp"})
    lines = []
    for path in files:
        with Image.open(path) as opened:
            image = ImageOps.exif_transpose(opened).convert("RGB")
        if path.suffix == ".jpg":
            image.save(HERE / "expected" / f"{path.name}.png", optimize=True)
            digest = "-"
        else:
            digest = fnv(image.tobytes())
        lines.append(f"{path.name} {image.width} {image.height} {digest}")
    (HERE / "decode.txt").write_text("\n".join(lines) + "\n")

    rgb = Image.open(HERE / "rgb.png").convert("RGB")
    lines = [
        f"{name} {w} {h} {fnv(rgb.resize((w, h), filter).tobytes())}"
        for name, filter in FILTERS.items()
        for w, h in SIZES
    ]
    (HERE / "resize.txt").write_text("\n".join(lines) + "\n")

    lines = []
    for name, filter in FILTERS.items():
        for shorter, w, h in CROPS:
            values = tensor(rgb, shorter, w, h, filter)
            planes = np.ascontiguousarray(values.transpose(2, 0, 1))
            lines.append(
                f"{name} {shorter} {w} {h} {fnv(planes.tobytes())} {fnv(values.tobytes())}"
            )
    (HERE / "tensor.txt").write_text("\n".join(lines) + "\n")

    lines = []
    for path in files:
        if path.suffix == ".jpg":
            continue
        with Image.open(path) as opened:
            image = ImageOps.exif_transpose(opened).convert("RGB")
        lines.append(f"{path.name} {imagehash.phash(image)} {imagehash.dhash(image)}")
    (HERE / "hash.txt").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    (HERE / "expected").mkdir(parents=True, exist_ok=True)
    if "--expected-only" not in sys.argv:
        write_files()
    write_expected()
