"""Checksums of tensors: kept in the metadata, compared by verify and by loads."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import nexus.safetensors as room
from nexus.safetensors import (
    SafetensorError,
    Tensor,
    safe_open,
    save_async,
    save_sharded,
    verify,
)
from nexus.safetensors import numpy as nst

KEY = "nexus.checksums"
ARRAYS = {"a": np.arange(3000, dtype="f4"), "b": np.arange(5, dtype="u1"), "none": np.zeros(0)}
#: How many digits a checksum has.
SUMS = {"xxh3": 16, "blake3": 64}


def spoil(path: Path, name: str) -> None:
    """Change the last byte of a tensor."""
    with safe_open(path, framework=None) as file:
        end = file.info(name)[3]
    data = bytearray(path.read_bytes())
    data[end - 1] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("algorithm", SUMS)
@pytest.mark.parametrize("backend", ["mmap", "pread", "auto", "direct"])
def test_a_sound_file_is_loaded(tmp_path: Path, algorithm: str, backend: str) -> None:
    path = tmp_path / "x"
    nst.save_file(ARRAYS, path, {"k": "v"}, checksum=algorithm)
    report = verify(path, threads=2)
    assert report.ok and report.verified == 3 and report.algorithm == algorithm
    arrays = nst.load_file(path, backend=backend, verify=True)
    assert all(np.array_equal(arrays[name], array) for name, array in ARRAYS.items())
    with safe_open(path, framework="np") as file:
        text = file.metadata() or {}
    assert text["k"] == "v"
    sums = json.loads(text[KEY])
    assert sums["algorithm"] == algorithm
    assert {len(each) for each in sums["tensors"].values()} == {SUMS[algorithm]}


@pytest.mark.parametrize("algorithm", SUMS)
@pytest.mark.parametrize("backend", ["mmap", "pread"])
def test_a_tensor_that_has_changed_is_named(tmp_path: Path, algorithm: str, backend: str) -> None:
    path = tmp_path / "x"
    nst.save_file(ARRAYS, path, checksum=algorithm)
    spoil(path, "b")
    report = verify(path)
    assert not report.ok and report.verified == 2
    (mismatch,) = report.mismatches
    assert (mismatch.name, mismatch.end - mismatch.start) == ("b", 5)
    assert path.read_bytes()[mismatch.start : mismatch.end] == bytes([0, 1, 2, 3, 5])
    with pytest.raises(SafetensorError) as caught:
        nst.load_file(path, backend=backend, verify=True)
    assert caught.value.tensor == "b"
    assert caught.value.hint == "fetch the file again, or restore it from a copy"
    assert str(caught.value) == (
        f"cannot load `{path}`: tensor `b` does not have the bytes that it was saved with: its"
        f" {algorithm} is {mismatch.found}, not {mismatch.expected}"
    )
    assert nst.load_file(path, backend=backend)["b"].tolist() == [0, 1, 2, 3, 5]
    spoil(path, "a")
    with pytest.raises(SafetensorError, match=r"saved with \(2 tensors do not\)"):
        nst.load_file(path, verify=True)


def test_checksums_that_are_not_there_are_missed(tmp_path: Path) -> None:
    path = tmp_path / "x"
    nst.save_file(ARRAYS, path)
    report = verify(path)
    assert (report.ok, report.algorithm, report.missing) == (False, None, ["a", "b", "none"])
    with pytest.raises(SafetensorError, match="it has no checksums") as caught:
        nst.load_file(path, verify=True)
    assert caught.value.hint == "save it with `checksum=`, or load it without `verify`"
    for tensors, tensor, text in [
        ({"a": "0" * 16}, "a", "does not have the bytes"),
        ({}, "a", "tensor has no checksum: `a`"),
    ]:
        entry = json.dumps({"algorithm": "xxh3", "tensors": tensors})
        nst.save_file({"a": np.zeros(1)}, path, {KEY: entry})
        with pytest.raises(SafetensorError, match=text) as caught:
            nst.load_file(path, verify=True)
        assert caught.value.tensor == tensor
    entry = json.dumps({"algorithm": "xxh3", "tensors": {"x": "0"}})
    nst.save_file({}, path, {KEY: entry})
    assert verify(path).unknown == ["x"]
    with pytest.raises(SafetensorError, match="checksum has no tensor: `x`"):
        nst.load_file(path, verify=True)
    nst.save_file({}, path, {KEY: "no json"})
    with pytest.raises(SafetensorError, match=KEY):
        verify(path)


@pytest.mark.parametrize("algorithm", SUMS)
def test_all_files_of_a_checkpoint_are_compared(tmp_path: Path, algorithm: str) -> None:
    *shards, index = save_sharded(ARRAYS, tmp_path, max_shard_size=100, checksum=algorithm)
    assert len(shards) == 2
    for path in [tmp_path, index]:
        report = verify(path)
        assert report.ok and report.verified == 3 and report.algorithm == algorithm
    # What is written again keeps what it had.
    with safe_open(shards[0], framework="np") as file:
        text, arrays = file.metadata(), file.get_tensors()
    save_sharded(arrays, tmp_path / "again", max_shard_size=1, metadata=text)
    assert verify(tmp_path / "again").ok
    for shard in shards:
        with safe_open(shard, framework=None) as file:
            names = file.keys()
        if "b" in names:
            spoil(shard, "b")
            changed = shard
    (mismatch,) = verify(tmp_path).mismatches
    assert (mismatch.name, mismatch.file, mismatch.end - mismatch.start) == ("b", changed, 5)
    nst.save_file({"new": np.zeros(3)}, changed)
    with pytest.raises(SafetensorError, match=r"cannot verify .*does not have it"):
        verify(tmp_path)
    changed.write_bytes(b"version")
    with pytest.raises(SafetensorError) as caught:
        verify(tmp_path)
    assert str(caught.value) == f"cannot verify `{changed}`: header too small"


@pytest.mark.parametrize("snapshot", [True, False])
def test_a_save_that_goes_on_writes_checksums(tmp_path: Path, snapshot: bool) -> None:
    save_async(ARRAYS, tmp_path / "x", {"k": "v"}, snapshot=snapshot, checksum="xxh3").result()
    nst.save_file(ARRAYS, tmp_path / "y", {"k": "v"}, checksum="xxh3")
    assert (tmp_path / "x").read_bytes() == (tmp_path / "y").read_bytes()


def test_what_is_no_file_or_algorithm_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        verify(tmp_path / "gone")
    with pytest.raises(SafetensorError, match='checksum "crc" is invalid'):
        nst.save_file(ARRAYS, tmp_path / "x", checksum="crc")
    assert not (tmp_path / "x").exists()


def test_plain_tensors_have_checksums_too(tmp_path: Path) -> None:
    tensors = {"a": Tensor(b"abc", dtype="U8", shape=(3,))}
    room.save_file(tensors, tmp_path / "x", checksum="xxh3")
    assert room.load_file(tmp_path / "x", verify=True)["a"].tobytes() == b"abc"
    with safe_open(tmp_path / "x", framework=None) as file:
        text = (file.metadata() or {})[KEY]
    # As `xxhsum -H3` prints it.
    assert json.loads(text)["tensors"] == {"a": "78af5f94892f3950"}


def test_torch_tensors_have_checksums_too(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="./x test --with torch")
    from nexus.safetensors import torch as st

    st.save_file({"a": torch.arange(4)}, tmp_path / "x", checksum="blake3")
    assert st.load_file(tmp_path / "x", verify=True)["a"].tolist() == [0, 1, 2, 3]
    spoil(tmp_path / "x", "a")
    with pytest.raises(SafetensorError, match="tensor `a`"):
        st.load_file(tmp_path / "x", verify=True)
