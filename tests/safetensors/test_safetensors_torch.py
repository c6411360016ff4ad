"""Torch tensors, where torch is installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from nexus.safetensors import safe_open

torch = pytest.importorskip("torch", reason="./x test --with torch")
ours = pytest.importorskip("nexus.safetensors.torch")

TYPES = [
    "bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64",
    "complex64", "float8_e4m3fn", "float8_e5m2",
]  # fmt: skip


def tensors() -> dict[str, object]:
    found = {name: torch.ones(2, 3).to(getattr(torch, name)) for name in TYPES}
    return found | {"scalar": torch.tensor(3), "none": torch.empty(0, 2)}


def test_tensors_come_back_equal(tmp_path: Path) -> None:
    ours.save_file(tensors(), tmp_path / "x", {"format": "pt"})
    for read in [ours.load_file(tmp_path / "x"), ours.load((tmp_path / "x").read_bytes())]:
        assert sorted(read) == sorted(tensors())
        for name, tensor in tensors().items():
            assert (read[name].dtype, read[name].shape) == (tensor.dtype, tensor.shape)
            assert read[name].tolist() == tensor.tolist()
    with safe_open(tmp_path / "x", framework="pt") as file:
        file["float32"].add_(1)
        assert torch.equal(file["float32"], torch.full((2, 3), 2.0)), "views of one map"
    assert torch.equal(ours.load_file(tmp_path / "x")["float32"], torch.ones(2, 3))


def test_bytes_equal_those_of_the_peer() -> None:
    theirs = pytest.importorskip("safetensors.torch")
    assert ours.save(tensors(), {"format": "pt"}) == theirs.save(tensors(), {"format": "pt"})


def test_dlpack_shares_memory(tmp_path: Path) -> None:
    ours.save_file({"x": torch.zeros(4)}, tmp_path / "x")
    with safe_open(tmp_path / "x", framework=None) as file:
        tensor = file["x"]
    imported = torch.from_dlpack(tensor)
    imported += 1
    assert memoryview(tensor).tolist() == [1.0] * 4


def test_tensors_that_cannot_be_saved_are_refused() -> None:
    base = torch.arange(6.0).reshape(2, 3)
    for kind, words, bad in [
        (ValueError, "not contiguous", {"x": base.T}),
        (RuntimeError, "shares memory", {"x": base, "y": base[:1]}),
        (ValueError, "to_dense", {"x": base.to_sparse()}),
        (ValueError, "unknown dtype", {"x": base.to(torch.complex128)}),
    ]:
        with pytest.raises(kind, match=words):
            ours.save(bad)
