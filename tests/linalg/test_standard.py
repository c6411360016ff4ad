"""The array API's linear algebra extension against NumPy, and the rules of docs/linalg.md."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import pytest

from nexus import linalg

np = pytest.importorskip("numpy", reason="NumPy is the oracle")

STACKS = [(), (3,), (2, 0), (2, 3)]
SIZES = [0, 1, 2, 3, 5, 17, 40]


def operands(*shapes: tuple[int, ...], dtype: str = "float64") -> list[Any]:
    rng = np.random.default_rng(sum(map(sum, shapes), 7))
    return [rng.standard_normal(shape).astype(dtype) for shape in shapes]


def close(found: Any, expected: Any, dtype: str = "float64", factor: float = 1.0) -> None:
    expected = np.asarray(expected)
    found_array = np.asarray(found)
    assert found_array.shape == expected.shape
    tolerance = factor * {"float32": 2e-4, "float64": 1e-11}[dtype]
    scale = max(1.0, float(np.max(np.abs(expected), initial=0)))
    np.testing.assert_allclose(found_array, expected, rtol=tolerance, atol=tolerance * scale)


def backward(factors: Any, a: Any) -> None:
    """Assert that a decomposition gives its matrices back to within ten roundings for each row."""
    n = max(a.shape[-2:], default=0)
    size = np.linalg.norm(a, axis=(-2, -1)) if a.size else 0.0
    error = np.linalg.norm(np.asarray(factors) - a, axis=(-2, -1)) if a.size else 0.0
    assert np.all(error <= 10 * max(n, 1) * np.finfo(a.dtype).eps * size)


def orthonormal(q: Any) -> None:
    q = np.asarray(q)
    product = np.swapaxes(q, -1, -2) @ q
    bound = 10 * max(q.shape[-2], 1) * np.finfo(q.dtype).eps
    assert np.all(np.abs(product - np.eye(q.shape[-1])) <= bound)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("stack", STACKS)
def test_square_functions_equal_numpy(stack: tuple[int, ...], dtype: str) -> None:
    for n in SIZES:
        (a, b) = operands((*stack, n, n), (*stack, n, 2), dtype=dtype)
        a += n * np.eye(n, dtype=dtype)
        wide = a.astype("float64")
        close(linalg.inv(a), np.linalg.inv(wide), dtype)
        close(linalg.solve(a, b), np.linalg.solve(wide, b), dtype)
        close(linalg.slogdet(a).logabsdet, np.linalg.slogdet(wide).logabsdet, dtype, n + 1)
        close(linalg.slogdet(a).sign, np.linalg.slogdet(wide).sign, dtype)
        if n < 10:
            close(linalg.det(a), np.linalg.det(wide), dtype)
        for power in (-2, 0, 1, 3) if n < 10 else ():
            close(linalg.matrix_power(a, power), np.linalg.matrix_power(wide, power), dtype)
        definite = a @ np.swapaxes(a, -1, -2) + np.eye(n, dtype=dtype)
        lower = linalg.cholesky(definite)
        close(lower, np.linalg.cholesky(definite.astype("float64")), dtype)
        close(linalg.cholesky(definite, upper=True), np.swapaxes(np.asarray(lower), -1, -2), dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("stack", STACKS)
def test_decompositions_give_their_matrices_back(stack: tuple[int, ...], dtype: str) -> None:
    for m, n in itertools.product([0, 1, 3, 8, 60], repeat=2):
        (a,) = operands((*stack, m, n), dtype=dtype)
        for mode in ("reduced", "complete"):
            q, r = (np.asarray(part) for part in linalg.qr(a, mode=mode))
            expected = np.linalg.qr(a, mode=mode)
            assert (q.shape, r.shape) == (expected.Q.shape, expected.R.shape)
            backward(q @ r, a)
            orthonormal(q)
            assert np.all(np.diagonal(r, axis1=-2, axis2=-1) >= 0)
            assert np.all(np.tril(r, -1) == 0)
        for full in (True, False):
            u, s, vh = (np.asarray(part) for part in linalg.svd(a, full_matrices=full))
            expected_svd = np.linalg.svd(a, full_matrices=full)
            assert [u.shape, s.shape, vh.shape] == [part.shape for part in expected_svd]
            k = min(m, n)
            backward((u[..., :k] * s[..., None, :]) @ vh[..., :k, :], a)
            orthonormal(u)
            orthonormal(np.swapaxes(vh, -1, -2))
            close(linalg.svdvals(a), expected_svd.S, dtype)
        if m == n:
            w, v = (np.asarray(part) for part in linalg.eigh(np.tril(a)))
            symmetric = np.tril(a) + np.swapaxes(np.tril(a, -1), -1, -2)
            backward((v * w[..., None, :]) @ np.swapaxes(v, -1, -2), symmetric)
            orthonormal(v)
            close(linalg.eigvalsh(a), w, dtype)
        close(linalg.pinv(a), np.linalg.pinv(a.astype("float64"), rtol=1e-5), dtype, 10)
        ranks = linalg.matrix_rank(a)
        assert np.array_equal(np.asarray(ranks), np.full(stack, min(m, n)))


def test_products_equal_numpy_with_broadcasting() -> None:
    shapes: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
        ((3,), (3,)),
        ((3,), (3, 4)),
        ((2, 3), (3,)),
        ((5, 1, 2, 3), (4, 3, 2)),
        ((4, 2, 3), (3,)),
        ((3,), (4, 3, 2)),
        ((0, 2, 3), (3, 2)),
        ((2, 0), (0, 2)),
    ]
    for left, right in shapes:
        a, b = operands(left, right)
        close(linalg.matmul(a, b), a @ b)
        close(linalg.Matrix(a) @ b, a @ b)
    a, b = operands((4, 1, 3), (5, 3))
    close(linalg.vecdot(a, b), np.vecdot(a, b))
    turned = np.swapaxes(a, -1, -2)
    close(linalg.vecdot(turned, b.T, axis=-2), np.vecdot(turned, b.T, axis=-2))
    close(linalg.outer(a[0, 0], b[0]), np.outer(a[0, 0], b[0]))
    close(linalg.cross(a, b), np.linalg.cross(a, b))
    close(linalg.cross(b.T, b.T[:, ::-1], axis=0), np.linalg.cross(b.T, b.T[:, ::-1], axis=0))
    c, d = operands((2, 3, 4), (4, 3, 5))
    close(linalg.tensordot(c, d, axes=1), np.tensordot(c, d, axes=1))
    close(linalg.tensordot(c, d, axes=0), np.tensordot(c, d, axes=0))
    close(linalg.tensordot(c, d, axes=((1, 2), (1, 0))), np.tensordot(c, d, axes=((1, 2), (1, 0))))
    close(linalg.tensordot(c, c, axes=3), np.tensordot(c, c, axes=3))


def test_norms_traces_and_diagonals_equal_numpy() -> None:
    (a,) = operands((2, 3, 4))
    for order in (None, "fro", "nuc", 1, -1, 2, -2, math.inf, -math.inf):
        for keepdims in (False, True):
            named = "fro" if order is None else order
            expected = np.linalg.matrix_norm(a, ord=named, keepdims=keepdims)
            close(linalg.matrix_norm(a, ord=order, keepdims=keepdims), expected)
    axes: list[Any] = [None, 0, -1, (0, 2), (2, 0, 1)]
    for order, axis, keepdims in itertools.product(
        [0, 1, 2, 3.5, -1, math.inf, -math.inf], axes, [0, 1]
    ):
        expected = np.linalg.vector_norm(a, ord=order, axis=axis, keepdims=bool(keepdims))
        close(linalg.vector_norm(a, ord=order, axis=axis, keepdims=bool(keepdims)), expected)
    for offset in range(-4, 6):
        close(linalg.diagonal(a, offset=offset), np.linalg.diagonal(a, offset=offset))
        close(linalg.trace(a, offset=offset), np.linalg.trace(a, offset=offset))
    assert linalg.trace([[1, 2], [3, 4]]) == 5.0
    close(linalg.matrix_transpose(a), np.swapaxes(a, -1, -2))


def test_norms_do_not_overflow_where_the_result_does_not() -> None:
    assert linalg.vector_norm([3e200, 4e200]) == pytest.approx(5e200, rel=1e-15)
    assert linalg.vector_norm([3e-200, 4e-200]) == pytest.approx(5e-200, rel=1e-15)
    assert linalg.vector_norm([3e-320, 4e-320]) == pytest.approx(5e-320, rel=1e-3)
    assert linalg.matrix_norm([[1e300, 1e300], [0, 0]]) == pytest.approx(math.sqrt(2) * 1e300)
    assert linalg.vector_norm([1e200, 1e200], ord=3) == pytest.approx(2 ** (1 / 3) * 1e200)
    assert linalg.matrix_norm([[0, 1e300], [-1e300, 0]], ord=2) == pytest.approx(1e300)


def views(a: Any) -> Iterator[Any]:
    yield a.T
    yield a[::-1, ::2]
    yield a[1::3, ::-3]
    yield np.asfortranarray(a)
    yield np.broadcast_to(a[0], (7, a.shape[1]))
    yield np.broadcast_to(a[:, :1], a.shape)
    yield a.astype(">f8").astype("=f8")[2:, 1:]


def test_any_strides_are_read_in_their_own_order() -> None:
    (a,) = operands((9, 12))
    for view in views(a):
        dense = view.copy()
        close(linalg.svdvals(view), np.linalg.svd(dense, compute_uv=False))
        close(linalg.matmul(view, view.T), dense @ dense.T)
        n = min(view.shape)
        square = view[:n, :n] + 20 * np.eye(n)
        close(linalg.solve(square[::-1], dense[:n]), np.linalg.solve(square[::-1], dense[:n]))
        close(linalg.Matrix(view)[::-1].T, dense[::-1].T)


def test_least_squares_equal_numpy() -> None:
    a, b = operands((9, 4), (9, 2))
    deficient = np.column_stack([a, a[:, 0]])
    for matrix, right in [(a, b), (a, b[:, 0]), (deficient, b), (a.T, b[:4])]:
        x, rank, values = linalg.lstsq(matrix, right)
        expected = np.linalg.lstsq(matrix, right, rcond=None)
        close(x, expected[0])
        assert rank == expected[2]
        close(values, expected[3])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: linalg.inv([[1, 2], [2, 4]]),
            r"inv: .* 2x2 .* singular, pivot 1 is zero \(float64\)",
        ),
        (
            lambda: linalg.solve([[[1, 0], [0, 1]], [[0, 0], [0, 1]]], [1, 2]),
            r"solve: .*pivot 0 is zero \(float64, matrix \[1\] of the stack 2x2x2\)",
        ),
        (
            lambda: linalg.cholesky([[1, 2], [2, 1]]),
            r"cholesky: .*not positive definite, minor 2 is not positive",
        ),
        (lambda: linalg.svd([[1, math.inf]]), r"svd: .*an infinity at \(0, 1\) \(float64\)"),
        (lambda: linalg.eigvalsh([[1, 0], [-math.inf, 1]]), r"an infinity at \(1, 0\)"),
        (lambda: linalg.matrix_rank([[math.nan]]), r"matrix_rank: .*NaN at \(0, 0\)"),
        (lambda: linalg.det([[1, 2, 3]]), "det: expected square matrices, found shape 1x3"),
        (lambda: linalg.qr([1, 2]), "qr: expected a matrix or a stack of them, found shape 2"),
        (lambda: linalg.solve([[1, 0], [0, 1]], [1, 2, 3]), "solve: 2x2 does not fit 3"),
        (
            lambda: linalg.vecdot([1, 2], [1, 2, 3]),
            "vecdot: axis -1 of 2 and of 3 differ in length",
        ),
        (lambda: linalg.cross([1, 2], [3, 4]), "cross: axis -1 of 2 has not length 3"),
        (lambda: linalg.matmul(linalg.Matrix([1.0]), 2.0), "expected a Matrix"),
    ],
)
def test_errors_name_the_function_the_shape_the_type_and_the_place(call: Any, message: str) -> None:
    with pytest.raises((linalg.LinAlgError, TypeError), match=message):
        call()
    assert issubclass(linalg.LinAlgError, ValueError)


def test_nan_spreads_and_nothing_hangs() -> None:
    for bad in (math.nan, math.inf, -math.inf, 1e308, -1e308, 5e-324):
        for n in (1, 2, 3, 20):
            a = np.eye(n) + 0.1
            a[n // 2, 0] = bad
            names = (
                "inv det slogdet cholesky eigh eigvalsh qr svd svdvals matrix_rank pinv matrix_norm"
            )
            for name in names.split():
                try:
                    found = getattr(linalg, name)(a)
                except linalg.LinAlgError:
                    continue
                if name in ("eigvalsh", "svdvals") and math.isnan(bad):
                    assert np.all(np.isnan(np.asarray(found)))
    assert math.isnan(linalg.det([[math.nan, 1], [1, 1]]))
    lower = linalg.cholesky([[1, 0], [math.nan, 1]]).tolist()
    assert [math.isnan(x) for x in (lower[0][0], lower[1][0], lower[1][1])] == [True] * 3


def test_awkward_matrices_have_small_residuals() -> None:
    n = 12
    i, j = np.indices((n, n))
    wilkinson = np.diag(np.abs(np.arange(n) - n // 2)) + np.eye(n, k=1) + np.eye(n, k=-1)
    graded = np.where(i == j, 1.0, 0.3) * 10.0 ** -(i + j)
    kahan = np.triu(np.where(i == j, 1, -math.cos(1.2))) * math.sin(1.2) ** i
    for a in (
        1 / (i + j + 1.0),
        wilkinson,
        graded,
        kahan,
        np.ones((n, n)),
        np.zeros((n, n)),
        graded * 1e-300,
    ):
        u, s, vh = (np.asarray(part) for part in linalg.svd(a))
        backward((u * s) @ vh, a)
        orthonormal(u)
        q, r = (np.asarray(part) for part in linalg.qr(a))
        backward(q @ r, a)
        orthonormal(q)
        symmetric = (a + a.T) / 2
        w, v = (np.asarray(part) for part in linalg.eigh(symmetric))
        backward((v * w) @ v.T, symmetric)
        orthonormal(v)


def test_signs_are_chosen_by_rule() -> None:
    (a,) = operands((6, 4))
    for vectors in (np.asarray(linalg.svd(a).U), np.asarray(linalg.eigh(a @ a.T).eigenvectors)):
        largest = vectors[np.argmax(np.abs(vectors), axis=0), np.arange(vectors.shape[1])]
        assert np.all(largest > 0)
    flipped = linalg.svd(-a)
    assert np.allclose(np.asarray(flipped.U), np.asarray(linalg.svd(a).U))


def test_the_bits_do_not_depend_on_threads_or_the_place_in_a_stack() -> None:
    a, b = operands((300, 300), (300, 40))
    assert linalg.solve(a, b).tobytes() == linalg.solve(a, b, threads=2).tobytes()
    assert linalg.inv(a).tobytes() == linalg.inv(a.T.copy().T, threads=2).tobytes()
    small = a[:9, :9]
    stack = np.stack([a[i : i + 9, i : i + 9] for i in range(9)])
    for name in ("inv", "det", "eigvalsh", "svdvals"):
        function = getattr(linalg, name)
        assert np.asarray(function(stack))[0].tobytes() == np.asarray(function(small)).tobytes()
