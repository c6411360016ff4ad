"""Sums of products by subscripts, chains, Kronecker products and blocks against NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nexus import linalg

EXPRESSIONS = [
    ("ii", [(4, 4)]),
    ("ii->i", [(4, 4)]),
    ("ij->ji", [(2, 3)]),
    ("ij->", [(2, 3)]),
    ("i,i", [(5,), (5,)]),
    ("i,j->ij", [(3,), (4,)]),
    ("ij,jk", [(3, 4), (4, 5)]),
    ("ij,kj->ki", [(3, 4), (5, 4)]),
    ("bij,bjk->bik", [(2, 3, 4), (2, 4, 5)]),
    ("...ij,...jk->...ik", [(2, 1, 3, 4), (6, 4, 5)]),
    ("bhqd,bhkd->bhqk", [(2, 3, 4, 5), (2, 3, 6, 5)]),
    ("ij,jk,kl,lm->im", [(3, 30), (30, 4), (4, 50), (50, 2)]),
    ("ea,fb,abcd,gc,hd->efgh", [(4, 3)] * 2 + [(3, 3, 3, 3)] + [(4, 3)] * 2),
    ("i,i,i->", [(6,)] * 3),
    ("ij,j->i", [(0, 3), (3,)]),
]


def operands(shapes: list[tuple[int, ...]], dtype: str) -> list[Any]:
    rng = np.random.default_rng(7)
    if dtype.startswith("int"):
        return [rng.integers(-5, 6, shape).astype(dtype) for shape in shapes]
    arrays = [rng.standard_normal(shape) for shape in shapes]
    if dtype.startswith("complex"):
        arrays = [array + 1j * rng.standard_normal(array.shape) for array in arrays]
    return [array.astype(dtype) for array in arrays]


@pytest.mark.parametrize(
    "dtype", ["float32", "float64", "complex64", "complex128", "int32", "int64"]
)
@pytest.mark.parametrize(("subscripts", "shapes"), EXPRESSIONS)
def test_einsum_is_numpys(subscripts: str, shapes: list[tuple[int, ...]], dtype: str) -> None:
    arrays = operands(shapes, dtype)
    found = np.asarray(linalg.einsum(subscripts, *arrays, threads=2))
    expected = np.einsum(subscripts, *arrays)
    assert found.shape == expected.shape
    if expected.ndim > 0:
        assert found.dtype == expected.dtype
    size = np.einsum(subscripts, *(np.abs(array) for array in arrays))
    rounding = 1e-5 if dtype in ("float32", "complex64") else 1e-13
    assert (np.abs(found - expected) <= rounding * np.abs(size)).all()


def test_operands_may_lie_in_any_order() -> None:
    a = np.arange(24.0).reshape(4, 6)[::2, ::-1]
    assert np.array_equal(linalg.einsum("ij,kj->ik", a, a, like=a), a @ a.T)
    assert linalg.einsum("i,i", [1, 2], [3, 4]) == 11
    assert linalg.einsum(",i", 2, [3, 4], like=[]) == [6.0, 8.0]
    into = np.empty((2, 2))
    assert linalg.einsum("ij,kj->ik", a, a, out=into) is into


def test_a_path_is_the_cheapest_one() -> None:
    arrays = operands([(100, 2), (2, 100), (100, 3)], "float64")
    path, cost = linalg.einsum_path("ij,jk,kl", *arrays)
    assert (path, cost) == ([(1, 2), (0, 1)], 2400.0)


def test_sums_of_whole_numbers_are_exact_or_refused() -> None:
    large = np.full(4, 2**25)
    assert linalg.einsum("i,i", large, large) == 2**52
    with pytest.raises(ValueError, match=r"not below 2\*\*53: give float64 operands"):
        linalg.einsum("i,i,i", large, large, large)
    with pytest.raises(ValueError, match="may reach 9007199254740992"):
        linalg.einsum("i->i", np.array([2**53 + 1]))
    small = np.full(4, 100, dtype="int8")
    assert linalg.einsum("i,i", small, small) == np.einsum("i,i", small, small)


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex128", "int64", "int8"])
def test_chains_products_and_blocks_are_numpys(dtype: str) -> None:
    a, b, c, d = operands([(3, 20), (20, 4), (4, 30), (30, 2)], dtype)
    slack = 1e-4 if dtype == "float32" else 1e-11
    found = np.asarray(linalg.multi_dot([a, b, c, d]))
    assert found.dtype == dtype
    assert np.allclose(found, a @ b @ c @ d, rtol=slack, atol=slack)
    assert np.allclose(
        linalg.multi_dot([a[0], b, c, d[:, 0]]), a[0] @ b @ c @ d[:, 0], slack, slack
    )
    assert np.allclose(np.asarray(linalg.multi_dot([a])), a)
    assert np.allclose(linalg.kron(b, d, like=b), np.kron(b, d), slack, slack)
    assert np.allclose(linalg.kron(b[0], d[0], like=b), np.kron(b[0], d[0]), slack, slack)
    stacks = np.asarray(linalg.kron(np.stack([b, b + b]), d))
    assert np.allclose(stacks[1], np.kron(b + b, d), slack, slack)
    blocks = np.asarray(linalg.block_diag(b, d[0], np.stack([d, d])))
    assert blocks.shape == (2, 20 + 1 + 30, 4 + 2 + 2)
    assert blocks.dtype == dtype
    assert np.array_equal(blocks[1, 21:, 6:], d)
    assert np.count_nonzero(blocks[0, :20, 4:]) == 0


def test_blocks_are_those_of_scipy() -> None:
    scipy = pytest.importorskip("scipy.linalg", reason="SciPy is not installed")
    parts = [np.ones((2, 3)), np.arange(4.0), 7.0, np.eye(2)]
    assert np.array_equal(linalg.block_diag(*parts, like=parts[0]), scipy.block_diag(*parts))


CASES = [
    (lambda: linalg.einsum("ij,jk", np.eye(2), np.eye(3)), "einsum: .*`j` has length 3"),
    (lambda: linalg.einsum("ij", [1.0]), "einsum: cannot follow the subscripts `ij`"),
    (lambda: linalg.einsum_path("i->j", [1.0]), "cannot follow"),
    (lambda: linalg.multi_dot([]), "multi_dot: cannot multiply a chain of no matrices"),
    (lambda: linalg.multi_dot([[1.0]]), "multi_dot: expected a matrix at 0"),
    (lambda: linalg.multi_dot([np.eye(2), np.eye(3)]), "cannot multiply 2x2 by 3x3"),
    (lambda: linalg.multi_dot([np.eye(1)] * 513), "more than 512"),
    (lambda: linalg.kron([1.0], np.eye(2)), "kron: expected a matrix"),
    (lambda: linalg.kron(np.ones((2, 1, 1)), np.ones((3, 1, 1))), "kron: the stacks of"),
    (
        lambda: linalg.block_diag(np.ones((2, 1, 1)), np.ones((3, 1, 1))),
        "block_diag: the stacks of",
    ),
]


@pytest.mark.parametrize(("call", "message"), CASES)
def test_what_does_not_fit_is_said(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
