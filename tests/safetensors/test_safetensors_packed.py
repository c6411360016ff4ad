"""Packed files: BF16 and F16 in fewer bytes, without loss."""

from __future__ import annotations

import doctest
from pathlib import Path

import numpy as np
import pytest

from nexus import _native
from nexus.safetensors import (
    SafetensorError,
    _reports,
    is_packed,
    load_checkpoint,
    load_packed,
    pack_file,
    safe_open,
    unpack_file,
)
from nexus.safetensors import numpy as nst


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file of weights, and of what is not packed."""
    random = np.random.default_rng(1)
    weights = random.normal(0, 0.02, (300, 70)).astype("f2")
    noise = random.integers(0, 1 << 16, 999, dtype="u2").view("f2")
    arrays = {"weights": weights, "noise": noise, "steps": np.arange(5), "none": weights[:0]}
    nst.save_file(arrays, tmp_path / "plain", {"k": "v"})
    return tmp_path / "plain"


def test_docstrings_are_true(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    failed, attempted = doctest.testmod(_reports, optionflags=doctest.ELLIPSIS)
    assert attempted and not failed
    finder, runner = doctest.DocTestFinder(), doctest.DocTestRunner()
    for each in [
        _native.SafeAppender, _native.SafeWriter, _native.is_packed, _native.unpack_file,
    ]:  # fmt: skip
        for test in finder.find(each, each.__name__, globs={}):
            assert not runner.run(test).failed


@pytest.mark.parametrize("threads", [None, 1, 3])
def test_packing_loses_nothing(path: Path, tmp_path: Path, threads: int | None) -> None:
    packed, again = tmp_path / "packed", tmp_path / "again"
    report = pack_file(path, packed, threads=threads)
    assert not is_packed(path) and is_packed(packed)
    tensors = {tensor.name: tensor for tensor in report.tensors}
    assert [tensors[name].codec for name in ["noise", "steps", "weights"]] == [
        None,
        None,
        "cascade",
    ]
    assert tensors["weights"].dtype == "F16"
    assert tensors["weights"].packed_bytes < 0.9 * tensors["weights"].raw_bytes
    assert report.raw_bytes == sum(tensor.raw_bytes for tensor in report.tensors)
    assert report.ratio == report.packed_bytes / report.raw_bytes < 1
    unpack_file(packed, again, threads=threads)
    assert again.read_bytes() == path.read_bytes()
    wanted, found = nst.load_file(path), load_packed(packed, "np", threads=threads)
    assert list(found) == list(wanted)
    for name, array in wanted.items():
        assert (found[name].dtype, found[name].shape) == (array.dtype, array.shape)
        assert found[name].tobytes() == array.tobytes()
        found[name][...] = 0


def test_other_readers_see_lists_of_bytes(path: Path, tmp_path: Path) -> None:
    pack_file(path, tmp_path / "packed")
    with safe_open(tmp_path / "packed", framework="np") as file:
        assert file["weights"].dtype == np.uint8 and file["weights"].ndim == 1
        assert file["steps"].tolist() == [0, 1, 2, 3, 4]
        assert (file.metadata() or {})["k"] == "v"
    plain = load_packed(tmp_path / "packed")["weights"]
    assert (plain.dtype, plain.shape) == ("F16", (300, 70))


def test_what_is_not_packed_or_is_already_is_refused(path: Path, tmp_path: Path) -> None:
    pack_file(path, tmp_path / "packed")
    for call, text in [
        (
            lambda: pack_file(tmp_path / "packed", tmp_path / "x"),
            "cannot pack `.*packed`: .*already",
        ),
        (lambda: unpack_file(path, tmp_path / "x"), "cannot unpack `.*plain`: .*not.*packed"),
        (lambda: load_packed(path), "cannot load `.*plain`: .*not.*packed"),
    ]:
        with pytest.raises(SafetensorError, match=text):
            call()
    assert not (tmp_path / "x").exists()
    for call in [
        lambda: pack_file(tmp_path / "gone", tmp_path / "x"),
        lambda: pack_file(path, tmp_path / "gone" / "x"),
        lambda: unpack_file(tmp_path / "gone", tmp_path / "x"),
        lambda: load_packed(tmp_path / "gone"),
        lambda: is_packed(tmp_path / "gone"),
    ]:
        with pytest.raises(FileNotFoundError, match="gone"):
            call()


def test_a_packed_tensor_that_is_not_sound_is_named(path: Path, tmp_path: Path) -> None:
    packed = tmp_path / "packed"
    pack_file(path, packed)
    with safe_open(packed, framework=None) as file:
        start = file.info("weights")[2]
    data = bytearray(packed.read_bytes())
    data[start : start + 2] = b"\xff\xff"
    packed.write_bytes(data)
    with pytest.raises(SafetensorError, match="`weights`") as caught:
        load_packed(packed, "np")
    assert caught.value.tensor == "weights"
    assert caught.value.hint == "fetch the file again, or pack the original anew"
    with pytest.raises(SafetensorError, match="`weights`"):
        unpack_file(packed, tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_torch_reads_packed_files(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="./x test --with torch")
    from nexus.safetensors import torch as st

    torch.manual_seed(1)
    weights = {"w": torch.randn(128, 256).mul(0.02).to(torch.bfloat16)}
    st.save_file(weights, tmp_path / "plain")
    assert pack_file(tmp_path / "plain", tmp_path / "packed").ratio < 0.75
    found = load_packed(tmp_path / "packed", framework="pt")["w"]
    assert found.dtype == torch.bfloat16 and torch.equal(found, weights["w"])
    assert load_checkpoint(tmp_path / "packed", framework="pt")["w"].dtype == torch.uint8
