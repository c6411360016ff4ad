"""Files against the ``safetensors`` package: what one writes the other reads, byte for byte."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest

import nexus.safetensors as room
from nexus.safetensors import SafetensorError, Tensor, safe_open
from nexus.safetensors import numpy as ours

peer = pytest.importorskip("safetensors", reason="the oracle: pip install safetensors==0.8.0")
theirs = pytest.importorskip("safetensors.numpy")

NUMPY_TYPES = ["?", "u1", "i1", "u2", "i2", "f2", "u4", "i4", "f4", "c8", "u8", "i8", "f8"]


def arrays() -> dict[str, np.ndarray]:
    """Every NumPy type, scalars, empty arrays, long and odd names."""
    random = np.random.default_rng(7)
    found = {f"t.{t}": random.integers(0, 2, (3, 5)).astype(t) for t in NUMPY_TYPES}
    found |= {"scalar": np.array(3.5, "f4"), "none": np.empty((0, 4), "i8")}
    return found | {"": np.arange(3, dtype="u1"), 'é"\\\n😀': np.arange(5.0)}


def raw(header: str | bytes, data: bytes = b"") -> bytes:
    header = header.encode() if isinstance(header, str) else header
    return struct.pack("<Q", len(header)) + header + data


def same(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> bool:
    return sorted(a) == sorted(b) and all(
        a[k].dtype == b[k].dtype and a[k].shape == b[k].shape and a[k].tobytes() == b[k].tobytes()
        for k in a
    )


@pytest.mark.parametrize("metadata", [None, {}, {"format": "np"}])
def test_both_write_the_same_bytes(tmp_path: Path, metadata: dict[str, str] | None) -> None:
    ours.save_file(arrays(), tmp_path / "ours", metadata)
    theirs.save_file(arrays(), tmp_path / "theirs", metadata)
    assert (tmp_path / "ours").read_bytes() == (tmp_path / "theirs").read_bytes()
    assert ours.save(arrays(), metadata) == theirs.save(arrays(), metadata)


def test_each_reads_what_the_other_writes(tmp_path: Path) -> None:
    ours.save_file(arrays(), tmp_path / "ours")
    theirs.save_file(arrays(), tmp_path / "theirs")
    assert same(theirs.load_file(tmp_path / "ours"), arrays())
    assert same(ours.load_file(tmp_path / "theirs"), arrays())
    assert same(ours.load(theirs.save(arrays())), arrays())
    assert same(theirs.load(ours.save(arrays())), arrays())


@pytest.mark.parametrize(
    "name",
    ["bfloat16", "float8_e4m3fn", "float8_e5m2", "float8_e8m0fnu", "float8_e4m3fnuz",
     "float8_e5m2fnuz"],
)  # fmt: skip
def test_types_that_numpy_lacks_come_from_ml_dtypes(name: str) -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    array = np.arange(256, dtype="u1").view(getattr(ml_dtypes, name)).reshape(2, -1)
    assert ours.save({"x": array}) == theirs.save({"x": array})
    assert same(ours.load(ours.save({"x": array})), {"x": array})


def info(dtype: str, shape: list[int], start: int, end: int) -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


SOUND = json.dumps({"a": info("U8", [2], 0, 2)})
BAD_FILES = {
    "too short": b"abc",
    "empty file": b"",
    "header behind the end": struct.pack("<Q", 99) + b"{}",
    "header too large": struct.pack("<Q", 100_000_001) + b"{}",
    "empty header": raw(""),
    "no JSON": raw("{"),
    "no UTF-8": raw(b'{"\xff":1}'),
    "NUL padding": raw("{}\0\0\0\0\0\0"),
    "lower-case type": raw(json.dumps({"a": info("f32", [1], 0, 4)}), bytes(4)),
    "missing field": raw('{"a":{"dtype":"U8","shape":[1]}}', bytes(1)),
    "negative": raw(json.dumps({"a": info("U8", [-1], 0, 1)}), bytes(1)),
    "metadata of numbers": raw('{"__metadata__":{"a":1}}'),
    "hole": raw(json.dumps({"a": info("U8", [1], 1, 2)}), bytes(2)),
    "overlap": raw(json.dumps({"a": info("U8", [2], 0, 2), "b": info("U8", [2], 1, 3)}), bytes(3)),
    "size mismatch": raw(json.dumps({"a": info("F32", [1], 0, 2)}), bytes(2)),
    "overflow": raw(json.dumps({"a": info("F32", [2**40, 2**40], 0, 4)}), bytes(4)),
    "half a byte": raw(json.dumps({"a": info("F4", [3], 0, 1)}), bytes(1)),
    "cut off": raw(SOUND, bytes(1)),
    "bytes behind": raw(SOUND, bytes(3)),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_bad_files_are_refused_in_the_words_of_the_peer(tmp_path: Path, case: str) -> None:
    path = tmp_path / "bad"
    path.write_bytes(BAD_FILES[case])
    with pytest.raises(peer.SafetensorError) as their_error:
        theirs.load_file(path)
    with pytest.raises(SafetensorError) as our_error:
        ours.load_file(path)
    assert str(our_error.value) == str(their_error.value)
    with pytest.raises(SafetensorError) as from_bytes:
        room.load(BAD_FILES[case])
    with pytest.raises(peer.SafetensorError) as theirs_from_bytes:
        theirs.load(BAD_FILES[case])
    assert str(from_bytes.value) == str(theirs_from_bytes.value)


def test_odd_but_sound_files_are_read_as_the_peer_reads_them(tmp_path: Path) -> None:
    odd = {
        "blanks": raw(f" \n{SOUND}\t", b"xy"),
        "array": raw('{"a":["I16",[1],[0,2]]}', b"xy"),
        "null metadata": raw('{"__metadata__":null}'),
        "unaligned": raw(
            json.dumps({"a": info("U8", [1], 0, 1), "b": info("F64", [2], 1, 17)}), bytes(range(17))
        ),
    }
    for case, content in odd.items():
        (tmp_path / "odd").write_bytes(content)
        read = ours.load_file(tmp_path / "odd")
        assert same(read, theirs.load_file(tmp_path / "odd")), case
        assert (read["b"] + 1 if "b" in read else np.ones(1)).all()


def test_a_large_write_is_equal_too(tmp_path: Path) -> None:
    tensors = {str(at): np.arange(at * 99_991, dtype="f4") for at in range(8)}
    ours.save_file(tensors, tmp_path / "ours", fsync=True)
    theirs.save_file(tensors, tmp_path / "theirs")
    assert (tmp_path / "ours").read_bytes() == (tmp_path / "theirs").read_bytes()


def test_packed_types_are_carried_as_bytes(tmp_path: Path) -> None:
    packed = Tensor(b"\x12\x34\x56", dtype="F6_E2M3", shape=(4,))
    room.save_file({"x": packed}, tmp_path / "packed")
    with safe_open(tmp_path / "packed", framework=None) as file:
        assert file["x"].tobytes() == b"\x12\x34\x56"
        assert file.info("x")[:2] == ("F6_E2M3", (4,))
    with pytest.raises(SafetensorError, match="framework=None"):
        ours.load_file(tmp_path / "packed")
    assert peer.safe_open(tmp_path / "packed", "np").keys() == ["x"]
