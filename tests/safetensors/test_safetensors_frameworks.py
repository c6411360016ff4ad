"""TensorFlow, JAX and Paddle tensors, where those are installed."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

from nexus.safetensors import SafetensorError, safe_open, verify

# Module, its framework, how the framework makes a tensor of an array, and how it gives it back.
FRAMEWORKS = {
    "tensorflow": ("tensorflow", "constant", lambda tensor: tensor.numpy()),
    "flax": ("jax.numpy", "asarray", np.asarray),
    "paddle": ("paddle", "to_tensor", lambda tensor: tensor.numpy()),
    "mlx": ("mlx.core", "array", np.asarray),
}
# How each is installed for the tests.
INSTALL = {
    "tensorflow": "./x test --with tensorflow",
    "flax": "./x test --with jax",
    "paddle": "./x test --with paddlepaddle",
    "mlx": "pip install mlx",
}
BACKENDS = ["auto", "mmap", "populate", "pread", "direct", "uring"]
TYPES = ["bool", "uint8", "int8", "int16", "int32", "float16", "float32", "complex64"]


@pytest.fixture(params=FRAMEWORKS)
def framework(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    if name == "paddle" and "tensorflow" in sys.modules:
        pytest.skip("Paddle and TensorFlow bring two versions of protobuf: run with -k paddle")
    pytest.importorskip(FRAMEWORKS[name][0], reason=INSTALL[name])
    return name


def tensors(framework: str) -> dict[str, object]:
    module, make, _ = FRAMEWORKS[framework]
    function = getattr(importlib.import_module(module), make)
    arrays = {name: np.arange(6).reshape(2, 3).astype(name) for name in TYPES}
    arrays |= {"scalar": np.array(3, "f4"), "none": np.zeros((0, 2), "f4")}
    return {name: function(array) for name, array in arrays.items()}


def test_tensors_come_back_equal(framework: str, tmp_path: Path) -> None:
    ours = importlib.import_module(f"nexus.safetensors.{framework}")
    back = FRAMEWORKS[framework][2]
    given = tensors(framework)
    ours.save_file(given, tmp_path / "x", {"k": "v"})
    assert ours.save(given, {"k": "v"}) == (tmp_path / "x").read_bytes()
    for read in [
        ours.load_file(tmp_path / "x"),
        *(ours.load_file(tmp_path / "x", backend=backend) for backend in BACKENDS),
        ours.load((tmp_path / "x").read_bytes()),
    ]:
        assert sorted(read) == sorted(given)
        for name, tensor in given.items():
            assert type(read[name]) is type(tensor)
            assert read[name].dtype == tensor.dtype
            assert tuple(read[name].shape) == tuple(tensor.shape)
            assert np.array_equal(back(read[name]), back(tensor))
    assert given.keys() == tensors(framework).keys()
    assert type(given["float32"]) is type(read["float32"]), "the caller's dictionary is untouched"
    for backend in BACKENDS:
        with safe_open(tmp_path / "x", framework, backend=backend) as file:
            part = file.get_slice("float32")
            assert np.array_equal(back(part[1, ::2]), [3.0, 5.0])
            assert np.array_equal(back(part[::-1, ::-2]), [[5.0, 3.0], [2.0, 0.0]])
            assert np.array_equal(back(file["float32"]), back(given["float32"]))


def test_tensors_have_checksums(framework: str, tmp_path: Path) -> None:
    ours = importlib.import_module(f"nexus.safetensors.{framework}")
    given = tensors(framework)
    ours.save_file(given, tmp_path / "x", checksum="xxh3")
    assert verify(tmp_path / "x").verified == len(given)
    assert sorted(ours.load_file(tmp_path / "x", verify=True)) == sorted(given)
    (tmp_path / "x").write_bytes((tmp_path / "x").read_bytes()[:-1] + b"\xee")
    with pytest.raises(SafetensorError, match="does not have the bytes"):
        ours.load_file(tmp_path / "x", verify=True)


def test_bytes_equal_those_of_the_peer(framework: str) -> None:
    theirs = pytest.importorskip(f"safetensors.{framework}")
    ours = importlib.import_module(f"nexus.safetensors.{framework}")
    given = tensors(framework)
    # The peer cannot save TensorFlow's scalars, and changes the dictionary that it is given.
    del given["scalar"]
    assert ours.save(given) == theirs.save(dict(given))


@pytest.mark.parametrize("framework", ["tensorflow", "flax"], indirect=True)
def test_bfloat16_comes_back(framework: str) -> None:
    module = importlib.import_module(FRAMEWORKS[framework][0])
    ours = importlib.import_module(f"nexus.safetensors.{framework}")
    ones = module.ones((2, 3), dtype=module.bfloat16)
    read = ours.load(ours.save({"x": ones}))["x"]
    assert read.dtype == ones.dtype
    assert float(np.asarray(read).astype("f4").sum()) == 6.0
