"""Makes the files that the benchmark loads: weights as models have them, from a fixed seed.

    python bench/safetensors/checkpoint.py FOLDER

* ``llm.safetensors``: a decoder of 15 layers, hidden size 2048, BF16, 167 tensors, 2.13 GB. Weights
  are Gaussian, row scales log-normal around 0.7 / sqrt(fan in), as those of trained models are.
* ``unet.safetensors``, ``vae.safetensors``, ``text_encoder.safetensors``: the shapes of a latent
  diffusion pipeline at a quarter of its width, F16, about 2000 small tensors.
* ``many.safetensors``: 100 000 tensors of four bytes; its header has about 8 MB.

Files that are there already are kept.
"""

from __future__ import annotations

import json
import os
import struct
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

Shapes = Iterator[tuple[str, tuple[int, ...]]]

MANY = 100_000


def llm(layers: int = 15, hidden: int = 2048, inner: int = 6144, kv: int = 1024) -> Shapes:
    """The tensors of a decoder, in the order of their names in the file."""
    yield "model.embed_tokens.weight", (151_936, hidden)
    for layer in range(layers):
        start = f"model.layers.{layer}."
        yield start + "input_layernorm.weight", (hidden,)
        yield start + "mlp.down_proj.weight", (hidden, inner)
        yield start + "mlp.gate_proj.weight", (inner, hidden)
        yield start + "mlp.up_proj.weight", (inner, hidden)
        yield start + "post_attention_layernorm.weight", (hidden,)
        yield start + "self_attn.k_norm.weight", (128,)
        yield start + "self_attn.k_proj.weight", (kv, hidden)
        yield start + "self_attn.o_proj.weight", (hidden, hidden)
        yield start + "self_attn.q_norm.weight", (128,)
        yield start + "self_attn.q_proj.weight", (hidden, hidden)
        yield start + "self_attn.v_proj.weight", (kv, hidden)
    yield "model.norm.weight", (hidden,)


def unet(width: int = 80) -> Shapes:
    """Blocks of residual convolutions and attention."""
    for block, factor in enumerate([1, 2, 4, 4, 4, 4, 2, 1]):
        channels = width * factor
        for unit in range(12):
            start = f"blocks.{block}.units.{unit}."
            for convolution in ("conv1", "conv2"):
                yield start + f"resnet.{convolution}.weight", (channels, channels, 3, 3)
                yield start + f"resnet.{convolution}.bias", (channels,)
            for norm in ("norm1", "norm2", "norm3"):
                yield start + f"{norm}.weight", (channels,)
                yield start + f"{norm}.bias", (channels,)
            for projection in ("to_q", "to_k", "to_v", "to_out"):
                yield start + f"attention.{projection}.weight", (channels, channels)
            yield start + "ff.in.weight", (channels * 8, channels)
            yield start + "ff.in.bias", (channels * 8,)
            yield start + "ff.out.weight", (channels, channels * 4)
            yield start + "ff.out.bias", (channels,)


def vae(width: int = 32) -> Shapes:
    """An encoder and a decoder of convolutions."""
    for half in ("encoder", "decoder"):
        for block, factor in enumerate([1, 2, 4, 4]):
            channels = width * factor
            for unit in range(8):
                start = f"{half}.{block}.{unit}."
                yield start + "conv.weight", (channels, channels, 3, 3)
                yield start + "conv.bias", (channels,)
                yield start + "norm.weight", (channels,)
                yield start + "norm.bias", (channels,)


def text_encoder(hidden: int = 192) -> Shapes:
    """A small transformer."""
    yield "embeddings.weight", (49_408, hidden)
    for layer in range(12):
        for part in ("q", "k", "v", "out"):
            yield f"layers.{layer}.{part}.weight", (hidden, hidden)
            yield f"layers.{layer}.{part}.bias", (hidden,)
        yield f"layers.{layer}.fc1.weight", (hidden * 4, hidden)
        yield f"layers.{layer}.fc2.weight", (hidden, hidden * 4)


def gaussian(shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Weights as F32: norms around 1, matrices with log-normal row scales."""
    random = np.random.default_rng(seed)
    if len(shape) == 1:
        return (1 + 0.2 * random.standard_normal(shape)).astype(np.float32)
    rows, columns = shape[0], int(np.prod(shape[1:]))
    values = random.standard_normal((rows, columns), dtype=np.float32)
    scale = 0.7 / np.sqrt(columns) * np.exp(0.25 * random.standard_normal((rows, 1)))
    values *= scale.astype(np.float32)
    return values.reshape(shape)


def encode(values: np.ndarray, dtype: str) -> bytes:
    """The bytes in the format's type; BF16 is rounded to the nearest even."""
    if dtype == "F16":
        return values.astype(np.float16).tobytes()
    bits = values.view(np.uint32)
    bits += 0x7FFF + ((bits >> 16) & 1)
    return (bits >> 16).astype(np.uint16).tobytes()


def write(path: Path, shapes: list[tuple[str, tuple[int, ...]]], dtype: str) -> None:
    """Writes a file without any of the contestants; it appears when it is whole."""
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    start = 0
    for name, shape in shapes:
        end = start + int(np.prod(shape)) * 2
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}
        start = end
    head = json.dumps(header, separators=(",", ":")).encode()
    head += b" " * (-len(head) % 8)
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        file.write(struct.pack("<Q", len(head)) + head)
        for name, shape in shapes:
            file.write(encode(gaussian(shape, zlib.crc32(name.encode())), dtype))
        file.flush()
        os.fsync(file.fileno())
    part.rename(path)


def make(folder: Path) -> None:
    """Makes the files that are missing."""
    folder.mkdir(parents=True, exist_ok=True)
    plans = {
        "llm": (llm(), "BF16"),
        "unet": (unet(), "F16"),
        "vae": (vae(), "F16"),
        "text_encoder": (text_encoder(), "F16"),
        "many": (((f"layers.{n // 100}.experts.{n % 100}.w", (2,)) for n in range(MANY)), "F16"),
    }
    for name, (shapes, dtype) in plans.items():
        path = folder / f"{name}.safetensors"
        if not path.exists():
            print(f"making {path}", file=sys.stderr)
            write(path, sorted(shapes), dtype)


if __name__ == "__main__":
    make(Path(sys.argv[1]))
