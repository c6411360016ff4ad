"""Slices against NumPy's own indexing."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from nexus.safetensors import PySafeSlice, SafetensorError, safe_open
from nexus.safetensors.numpy import save_file

SHAPES = [(), (7,), (3, 5), (2, 3, 4), (4, 0, 2), (1, 6, 1, 2)]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("slices") / "x"
    arrays = {str(shape): np.arange(np.prod(shape), dtype="i4").reshape(shape) for shape in SHAPES}
    save_file(arrays, path)
    return path


def some_index(source: random.Random, shape: tuple[int, ...]) -> object:
    """A basic index of any kind, inside the shape or not."""

    def bound() -> int | None:
        return source.choice([None, None, source.randint(-9, 9), -(2**70), 2**70])

    def part() -> object:
        return source.choice(
            [
                None,
                source.randint(-8, 8),
                slice(bound(), bound(), source.choice([None, 1, 2, 3, 9, -1, -2, 2**70, -(2**70)])),
                slice(bound(), bound()),
                np.int64(source.randint(-2, 2)),
            ]
        )

    parts = [part() for _ in range(source.randint(0, len(shape) + 1))]
    if source.random() < 0.5:
        parts.insert(source.randint(0, len(parts)), ...)
    return parts[0] if len(parts) == 1 and source.random() < 0.5 else tuple(parts)


@pytest.mark.parametrize("backend", ["auto", "mmap", "populate", "pread", "direct", "uring"])
def test_every_basic_index_gives_what_numpy_gives(path: Path, backend: str) -> None:
    source = random.Random(11)
    found, refused = 0, 0
    with safe_open(path, "np", backend=backend) as file:
        for _ in range(5000):
            shape = source.choice(SHAPES)
            whole, part = file[str(shape)], file.get_slice(str(shape))
            index = some_index(source, shape)
            try:
                wanted = whole[index]
            except IndexError:
                with pytest.raises(SafetensorError):
                    part[index]
                refused += 1
                continue
            array = part[index]
            assert (array.shape, array.dtype) == (np.shape(wanted), whole.dtype), index
            assert np.array_equal(array, wanted), index
            found += 1
    assert found > 1000 and refused > 500


def test_a_slice_tells_what_it_is_of(path: Path) -> None:
    with safe_open(path, "np") as file:
        part = file.get_slice("(3, 5)")
    assert isinstance(part, PySafeSlice)
    assert (part.get_shape(), part.get_dtype()) == ([3, 5], "I32")
    assert repr(part) == "<nexus.safetensors.PySafeSlice I32 [3, 5]>"
    assert part[1].tolist() == [5, 6, 7, 8, 9], "it outlives the file"


def test_slices_are_views_of_the_map(path: Path) -> None:
    with safe_open(path, "np") as file:
        part = file.get_slice("(3, 5)")
        part[...][0, 1] = -1
        part[:, ::-1][0, 0] = -4
        assert file["(3, 5)"][0].tolist() == [0, -1, 2, 3, -4]
        assert part[[]].shape == (0, 5)


def test_slices_without_a_framework_are_dense(path: Path) -> None:
    with safe_open(path, None) as file:
        part = file.get_slice("(3, 5)")
        assert memoryview(part[1:]).tolist() == [[5, 6, 7, 8, 9], [10, 11, 12, 13, 14]]
        assert memoryview(part[::-2, 1:3]).tolist() == [[11, 12], [1, 2]]
        assert part[2, 3].shape == ()


def read_bytes() -> int:
    """The bytes that read calls of this process have given so far."""
    return int(Path("/proc/self/io").read_text().split()[1])


PLANS = {
    "rows": (slice(256, 512),),
    "columns": (slice(None), slice(256, 512)),
    "every fourth row": (slice(None, None, 4),),
    "backwards": (slice(None, None, -4),),
    "one row": (7,),
    "a corner": (slice(-1, None), slice(-1, None)),
}


@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="no /proc")
@pytest.mark.parametrize("framework", ["np", None])
@pytest.mark.parametrize("plan", PLANS)
def test_only_the_bytes_of_a_slice_are_read(
    tmp_path: Path, plan: str, framework: Literal["np"] | None
) -> None:
    whole = np.arange(1 << 20, dtype="i4").reshape(1024, 1024)
    save_file({"x": whole}, tmp_path / "x")
    part = safe_open(tmp_path / "x", framework, backend="pread").get_slice("x")
    before = read_bytes()
    measured = read_bytes() - before
    before = read_bytes()
    found = part[PLANS[plan]]
    read = read_bytes() - before - measured
    assert np.array_equal(np.asarray(found), whole[PLANS[plan]])
    assert found.nbytes <= read <= found.nbytes * 1.1 + 64
