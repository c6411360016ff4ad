"""Make the files that the tests convert, with numpy, torch, gguf and safetensors as the oracle.

    pip install numpy torch gguf safetensors
    python crates/convert/tests/make_files.py

Writes tests/files (a source and NAME.safetensors, what it holds) and the fuzz corpora.
"""

from __future__ import annotations

import io
import os
import shutil
import zipfile
from pathlib import Path

import gguf
import numpy as np
import torch
from gguf.quants import dequantize, quant_shape_to_byte_shape, quantize
from safetensors.numpy import save_file
from safetensors.torch import save_file as save_torch

HERE = Path(__file__).parent
FILES = HERE / "files"
CORPUS = HERE.parents[2] / "fuzz" / "corpus"


def npz() -> None:
    """Arrays of every type and order, as numpy writes them."""
    counted = np.arange(24).reshape(2, 3, 4)
    arrays = {
        "c": counted.astype("<f4"),
        "fortran": np.asfortranarray(counted.astype("<i2")),
        "big": counted.astype(">f8"),
        "big_fortran": np.asfortranarray(counted.astype(">u4")),
        "complex": (counted[0] + 1j).astype(">c8"),
        "flags": counted[0] % 2 == 0,
        "scalar": np.array(7, "<i8"),
        "empty": np.zeros((0, 3), "<f2"),
        "folder/bytes": counted[0].astype("u1"),
    }
    plain = {
        name: np.ascontiguousarray(a).astype(a.dtype.newbyteorder("<"))
        for name, a in arrays.items()
    }
    plain["scalar"] = arrays["scalar"]
    np.savez(FILES / "stored.npz", **arrays)
    np.savez_compressed(FILES / "deflated.npz", **arrays)
    for name in ("stored", "deflated"):
        save_file(plain, FILES / f"{name}.npz.safetensors")
    for version in ((1, 0), (2, 0), (3, 0)):
        path = FILES / f"version{version[0]}.npy"
        with path.open("wb") as file:
            np.lib.format.write_array(file, arrays["fortran"], version)
        save_file({path.stem: plain["fortran"]}, f"{path}.safetensors")
        shutil.copy(path, CORPUS / "npz" / path.name)
    shutil.copy(FILES / "stored.npz", CORPUS / "npz")
    shutil.copy(FILES / "deflated.npz", CORPUS / "npz")
    np.save(FILES / "objects.npy", np.array([{}, None], object), allow_pickle=True)
    np.save(FILES / "structured.npy", np.zeros(2, [("a", "<i4"), ("b", "<f4")]))
    np.save(FILES / "text.npy", np.array(["a", "bc"]))
    # The 64-bit fields of zip, as large archives have them.
    with zipfile.ZipFile(FILES / "zip64.npz", "w") as archive:
        buffer = io.BytesIO()
        np.save(buffer, plain["c"])
        with archive.open("c.npy", "w", force_zip64=True) as member:
            member.write(buffer.getvalue())
    save_file({"c": plain["c"]}, FILES / "zip64.npz.safetensors")


def flat(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Tensors that share nothing."""
    return {name: tensor.detach().clone().contiguous() for name, tensor in tensors.items()}


def torch_files() -> None:
    """Checkpoints that are read, and such that are refused."""
    torch.manual_seed(0)
    layer = torch.nn.Linear(3, 2)
    shared = torch.arange(12, dtype=torch.float32).reshape(3, 4)
    checkpoints = {
        "state_dict": (layer.state_dict(), dict(layer.state_dict())),
        "types": (
            t := {
                str(d).partition(".")[2]: torch.arange(4).to(d)
                for d in (
                    torch.float64,
                    torch.float32,
                    torch.float16,
                    torch.bfloat16,
                    torch.int64,
                    torch.int32,
                    torch.int16,
                    torch.int8,
                    torch.uint8,
                    torch.bool,
                    torch.complex64,
                    torch.uint16,
                    torch.uint32,
                    torch.uint64,
                    torch.float8_e4m3fn,
                    torch.float8_e5m2,
                )
            },
            t,
        ),
        "strided": (
            t := {
                "turned": shared.t(),
                "columns": shared[:, 1:3],
                "rows": shared[1:],
                "steps": shared[::2, ::3],
                "repeated": torch.tensor([1.0, 2.0]).expand(3, 2),
                "scalar": torch.tensor(5.0),
                "empty": torch.zeros(0, 3),
            },
            t,
        ),
        "nested": (
            {
                "model": {"w": layer.weight, "list": [torch.ones(1), {"x": torch.zeros(2)}]},
                "optimizer": {
                    "state": {0: {"step": torch.tensor(3)}},
                    "lr": 0.1,
                    "betas": (0.9, 0.95),
                },
                "epoch": 3,
                "big": 1 << 80,
                "name": "run",
                "none": None,
                "done": True,
            },
            {
                "model.w": layer.weight,
                "model.list.0": torch.ones(1),
                "model.list.1.x": torch.zeros(2),
                "optimizer.state.0.step": torch.tensor(3),
            },
        ),
        "alone": (torch.arange(3), {"tensor": torch.arange(3)}),
    }
    for name, (value, expected) in checkpoints.items():
        for protocol in (2, 4):
            path = FILES / f"{name}.{protocol}.pt"
            torch.save(value, path, pickle_protocol=protocol)
            save_torch(flat(expected), f"{path}.safetensors")
            with zipfile.ZipFile(path) as archive:
                pickle = archive.read(
                    next(n for n in archive.namelist() if n.endswith("/data.pkl"))
                )
            (CORPUS / "torch_pickle" / f"{name}.{protocol}.pkl").write_bytes(pickle)
    big = io.BytesIO()
    torch.save({"big": torch.arange(3, dtype=torch.int32)}, big)
    with zipfile.ZipFile(big) as source, zipfile.ZipFile(FILES / "big_endian.pt", "w") as target:
        for member in source.namelist():
            data = source.read(member)
            if member.endswith("/byteorder"):
                data = b"big"
            elif member.endswith("/data/0"):
                data = np.frombuffer(data, "<i4").astype(">i4").tobytes()
            target.writestr(zipfile.ZipInfo(member), data)
    save_torch({"big": torch.arange(3, dtype=torch.int32)}, FILES / "big_endian.pt.safetensors")
    torch.save({"w": torch.ones(2)}, FILES / "legacy.pt", _use_new_zipfile_serialization=False)
    torch.save({"w": torch.ones(2), "path": Evil()}, FILES / "evil.pt")
    torch.save(layer, FILES / "module.pt")
    torch.save({"w": torch.eye(3).to_sparse()}, FILES / "sparse.pt")
    torch.jit.script(layer).save(FILES / "script.pt")
    with zipfile.ZipFile(FILES / "evil.pt") as archive:
        (CORPUS / "torch_pickle" / "evil.pkl").write_bytes(archive.read("evil/data.pkl"))


class Evil:
    """Runs a command when it is unpickled in the ordinary way."""

    def __reduce__(self) -> tuple[object, ...]:
        """Name a function and its arguments."""
        return os.system, ("echo unpickled",)


def gguf_files() -> None:
    """Plain and quantised tensors, as the gguf package writes them."""
    rows = np.linspace(-3, 3, 128, dtype=np.float32).reshape(2, 64)
    types = gguf.GGMLQuantizationType
    writer = gguf.GGUFWriter(FILES / "model.gguf", "llama")
    writer.add_name("tiny")
    writer.add_uint32("test.u32", 7)
    writer.add_float32("test.f32", 0.5)
    writer.add_bool("test.flag", val=True)
    writer.add_int64("test.i64", -9)
    writer.add_array("test.tokens", ["a", "b", "cd"])
    writer.add_array("test.scores", [0.5, 1.5])
    plain = {
        "f32": rows,
        "f16": rows.astype("f2"),
        "f64": rows.astype("f8"),
        "i8": np.arange(6, dtype="i1"),
        "i16": np.arange(6, dtype="i2").reshape(1, 2, 3),
        "i32": np.arange(2, dtype="i4"),
        "i64": np.arange(2, dtype="i8"),
    }
    for name, array in plain.items():
        writer.add_tensor(name, array)
    bf16 = quantize(rows, types.BF16)
    writer.add_tensor("bf16", bf16, raw_dtype=types.BF16)
    finish(writer)
    expected = {
        name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in plain.items()
    }
    expected["bf16"] = torch.from_numpy(bf16.view("i2").reshape(2, 64).copy()).view(torch.bfloat16)
    save_torch(expected, FILES / "model.gguf.safetensors")

    noise = np.random.default_rng(0).normal(size=(3, 64)).astype(np.float32)
    kinds = {"q8": types.Q8_0, "q4": types.Q4_0}
    writer = gguf.GGUFWriter(FILES / "quantized.gguf", "llama")
    writer.add_custom_alignment(64)
    blocks = {name: quantize(noise, kind) for name, kind in kinds.items()}
    for name, kind in kinds.items():
        writer.add_tensor(name, blocks[name], raw_dtype=kind)
    writer.add_tensor("norm", rows[0])
    finish(writer)
    floats = {name: dequantize(blocks[name], kind) for name, kind in kinds.items()}
    save_file(floats | {"norm": rows[0]}, FILES / "quantized.f32.safetensors")
    halves = {name: array.astype("f2") for name, array in floats.items()}
    save_file(halves | {"norm": rows[0]}, FILES / "quantized.f16.safetensors")
    save_file(blocks | {"norm": rows[0]}, FILES / "quantized.keep.safetensors")
    for name in ("model", "quantized"):
        shutil.copy(FILES / f"{name}.gguf", CORPUS / "gguf")


def gguf_blocks() -> None:
    """Random blocks of every type that is turned into floats."""
    types = gguf.GGMLQuantizationType
    kinds = [types.Q4_0, types.Q4_1, types.Q5_0, types.Q5_1, types.Q8_0]
    kinds += [types.Q2_K, types.Q3_K, types.Q4_K, types.Q5_K, types.Q6_K]
    kinds += [types.IQ4_NL, types.IQ4_XS, types.MXFP4]
    random = np.random.default_rng(0)
    writer = gguf.GGUFWriter(FILES / "blocks.gguf", "llama")
    floats = {}
    for kind in kinds:
        shape = quant_shape_to_byte_shape((2, 256), kind)
        while True:
            blocks = random.integers(0, 256, shape, dtype=np.uint8)
            with np.errstate(all="ignore"):
                floats[kind.name] = dequantize(blocks, kind)
            if np.isfinite(floats[kind.name]).all():
                break
        writer.add_tensor(kind.name, blocks, raw_dtype=kind)
    finish(writer)
    save_file(floats, FILES / "blocks.f32.safetensors")
    shutil.copy(FILES / "blocks.gguf", CORPUS / "gguf")


def finish(writer: gguf.GGUFWriter) -> None:
    """Write all and close."""
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    for folder in (FILES, CORPUS / "npz", CORPUS / "torch_pickle", CORPUS / "gguf"):
        folder.mkdir(parents=True, exist_ok=True)
    npz()
    torch_files()
    gguf_files()
    gguf_blocks()
