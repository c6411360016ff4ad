"""Factors and functions of matrices in `nexus.linalg`: identities, and SciPy where it is there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nexus import linalg

DTYPES = ["float32", "float64", "complex64", "complex128"]
REAL = ["float32", "float64"]
ROUNDING = {"float32": 1.2e-7, "float64": 2.3e-16, "complex64": 1.2e-7, "complex128": 2.3e-16}


def matrices(shape: tuple[int, ...], dtype: str, seed: int = 1) -> Any:
    rng = np.random.default_rng(seed)
    items = rng.standard_normal(shape)
    if dtype.startswith("complex"):
        items = items + 1j * rng.standard_normal(shape)
    return items.astype(dtype)


def near(found: Any, expected: Any, dtype: str, slack: float = 2000.0) -> None:
    """Within some roundings of the largest item."""
    found, expected = np.asarray(found), np.asarray(expected)
    assert found.shape == expected.shape
    scale = max(np.abs(expected).max(initial=0.0), 1.0)
    assert np.abs(found - expected).max(initial=0.0) <= slack * ROUNDING[dtype] * scale


def adjoint(a: Any) -> Any:
    return np.asarray(a).conj().swapaxes(-1, -2)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(1, 1), (5, 5), (40, 40), (3, 7), (20, 6), (2, 3, 4, 4), (0, 3)])
def test_the_factors_of_elimination_multiply_to_the_matrix(
    shape: tuple[int, ...], dtype: str
) -> None:
    a = matrices(shape, dtype)
    p, lower, upper = linalg.lu(a)
    near(np.asarray(p) @ np.asarray(lower) @ np.asarray(upper), a, dtype)
    assert np.array_equal(np.tril(lower), np.asarray(lower))
    assert np.array_equal(np.triu(upper), np.asarray(upper))
    assert np.array_equal(np.asarray(p).real.sum(axis=-1), np.ones(shape[:-1]))
    assert str(np.asarray(upper).dtype) == dtype
    packed, _ = linalg.lu_factor(a)
    assert np.array_equal(np.triu(packed)[..., : np.asarray(upper).shape[-2], :], np.asarray(upper))


@pytest.mark.parametrize("dtype", DTYPES)
def test_factors_solve_for_vectors_columns_and_stacks(dtype: str) -> None:
    a = matrices((2, 6, 6), dtype) + 4 * np.eye(6, dtype=dtype)
    positive = a @ adjoint(a)
    for b in (matrices((6,), dtype), matrices((6, 3), dtype), matrices((2, 6, 4), dtype)):
        columns = b[:, None] if b.ndim == 1 else b

        def check(x: Any, system: Any, columns: Any = columns, vector: bool = b.ndim == 1) -> None:
            x = np.asarray(x)
            near(
                system @ (x[..., None] if vector else x),
                np.broadcast_to(columns, (2, *columns.shape[-2:])),
                dtype,
            )

        factors = linalg.lu_factor(a)
        check(linalg.lu_solve(factors, b), a)
        check(linalg.lu_solve(factors, b, trans=1), a.swapaxes(-1, -2))
        check(linalg.lu_solve((factors.lu, factors.piv), b, trans=2, threads=2), adjoint(a))
        for lower in (False, True):
            check(linalg.cho_solve(linalg.cho_factor(positive, lower=lower), b), positive)
            triangle = np.tril(a) if lower else np.triu(a)
            check(linalg.solve_triangular(a, b, lower=lower), triangle)
            check(linalg.solve_triangular(a, b, lower=lower, trans=1), triangle.swapaxes(-1, -2))
            check(linalg.solve_triangular(a, b, lower=lower, trans=2), adjoint(triangle))
            ones = np.eye(6, dtype=dtype) + (np.tril(a, -1) if lower else np.triu(a, 1)) / 8
            check(linalg.solve_triangular(ones, b, lower=lower, unit_diagonal=True), ones)


@pytest.mark.parametrize("dtype", REAL)
@pytest.mark.parametrize("lower", [True, False])
def test_symmetric_factors_multiply_to_the_matrix(dtype: str, lower: bool) -> None:
    for shape in [(1, 1), (4, 4), (30, 30), (3, 5, 5), (0, 0)]:
        a = matrices(shape, dtype)
        a = a + a.swapaxes(-1, -2)
        read = np.tril(a) if lower else np.triu(a)
        factor, blocks, perm = (np.asarray(part) for part in linalg.ldl(read, lower=lower))
        near(factor @ blocks @ factor.swapaxes(-1, -2), a, dtype)
        sorted_rows = np.take_along_axis(factor, perm[..., None], axis=-2)
        triangle = np.tril if lower else np.triu
        assert np.array_equal(triangle(sorted_rows), sorted_rows)


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
@pytest.mark.parametrize("hermitian", [True, False])
@pytest.mark.parametrize("lower", [True, False])
def test_complex_factors_multiply_to_the_matrix(dtype: str, hermitian: bool, lower: bool) -> None:
    for shape in [(1, 1), (4, 4), (30, 30), (3, 5, 5), (0, 0)]:
        a = matrices(shape, dtype) * (1 + 0.5j)
        a = (a + a.swapaxes(-1, -2).conj() if hermitian else a + a.swapaxes(-1, -2)).astype(dtype)
        read = np.tril(a) if lower else np.triu(a)
        parts = linalg.ldl(read, lower=lower, hermitian=hermitian)
        factor, blocks, perm = (np.asarray(part) for part in parts)
        assert factor.dtype == blocks.dtype == a.dtype
        turned = factor.swapaxes(-1, -2)
        near(factor @ blocks @ (turned.conj() if hermitian else turned), a, dtype)
        sorted_rows = np.take_along_axis(factor, perm[..., None], axis=-2)
        triangle = np.tril if lower else np.triu
        assert np.array_equal(triangle(sorted_rows), sorted_rows)


def test_pivots_of_both_kinds_are_those_of_scipy() -> None:
    scipy = pytest.importorskip("scipy.linalg", reason="SciPy is not installed")
    a = matrices((20, 20), "float64")
    packed, piv = linalg.lu_factor(a)
    expected = scipy.lu_factor(a)
    near(packed, expected[0], "float64")
    assert np.asarray(piv).tolist() == expected[1].tolist()
    near(linalg.lu_solve(expected, a[0]), scipy.lu_solve(expected, a[0]), "float64")
    for part, theirs in zip(linalg.ldl(a + a.T), scipy.ldl(a + a.T), strict=True):
        near(part, theirs, "float64")
    turned = a + 1j * a[::-1]
    for b, hermitian in [(turned + turned.conj().T, True), (turned + turned.T, False)]:
        ours = linalg.ldl(b, hermitian=hermitian)
        for part, theirs in zip(ours, scipy.ldl(b, hermitian=hermitian), strict=True):
            near(part, theirs, "complex128")
    positive = a @ a.T
    near(np.triu(linalg.cho_factor(positive)[0]), np.triu(scipy.cho_factor(positive)[0]), "float64")


def test_functions_are_those_of_scipy() -> None:
    scipy = pytest.importorskip("scipy.linalg", reason="SciPy is not installed")
    for dtype in ("float64", "complex128"):
        a, b = matrices((12, 12), dtype), matrices((7, 7), dtype, 2)
        q = matrices((12, 7), dtype, 3)
        near(linalg.expm(a), scipy.expm(a), dtype)
        near(linalg.logm(a), scipy.logm(a), dtype, 1e5)
        near(linalg.sqrtm(a), scipy.sqrtm(a), dtype, 1e5)
        near(linalg.solve_sylvester(a, b, q), scipy.solve_sylvester(a, b, q), dtype, 1e5)
        for side in ("left", "right"):
            for part, theirs in zip(linalg.polar(q, side=side), scipy.polar(q, side), strict=True):
                near(part, theirs, dtype)
        low = q[:, :4] @ b[:4]
        for ours, theirs in [
            (linalg.null_space(low), scipy.null_space(low)),
            (linalg.orth(low), scipy.orth(low)),
        ]:
            ours = np.asarray(ours)
            near(ours @ adjoint(ours), theirs @ adjoint(theirs), dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [0, 1, 2, 5, 20])
def test_functions_undo_each_other(dtype: str, n: int) -> None:
    a = matrices((2, n, n), dtype) / (n + 1) + 2 * np.eye(n, dtype=dtype)
    near(linalg.expm(linalg.logm(a)), a, dtype)
    root = np.asarray(linalg.sqrtm(a))
    near(root @ root, a, dtype)
    near(linalg.expm(-a) @ linalg.expm(a), np.broadcast_to(np.eye(n), a.shape), dtype, 1e4)
    assert np.asarray(linalg.expm(a)).dtype == np.asarray(root).dtype == a.dtype


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("output", ["real", "complex"])
def test_schur_forms_multiply_to_the_matrix(dtype: str, output: str) -> None:
    a = matrices((2, 9, 9), dtype)
    t, z = (np.asarray(part) for part in linalg.schur(a, output=output))
    near(z @ t @ adjoint(z), a, dtype)
    near(z @ adjoint(z), np.broadcast_to(np.eye(9), a.shape), dtype)
    real = output == "real" and not dtype.startswith("complex")
    assert np.array_equal(np.triu(t, -1 if real else 0), t)
    assert np.iscomplexobj(t) != real


@pytest.mark.parametrize("dtype", DTYPES)
def test_sylvester_polar_and_condition_are_what_they_say(dtype: str) -> None:
    a, b, q = matrices((2, 5, 5), dtype), matrices((3, 3), dtype, 2), matrices((5, 3), dtype, 3)
    x = np.asarray(linalg.solve_sylvester(a, b, q))
    near(a @ x + x @ b, np.broadcast_to(q, (2, 5, 3)), dtype)
    for side in ("left", "right"):
        u, p = (np.asarray(part) for part in linalg.polar(a[:, :3], side=side))
        near(p @ u if side == "left" else u @ p, a[:, :3], dtype)
        near(u @ adjoint(u), np.broadcast_to(np.eye(3), (2, 3, 3)), dtype)
        assert np.linalg.eigvalsh(p).min() > -1e-5
    for order in (None, 1, -1, 2, -2, np.inf, -np.inf, "fro"):
        found, expected = np.asarray(linalg.cond(a, order)), np.linalg.cond(a, order)
        assert np.allclose(
            found, expected, rtol=1e-3 if dtype in ("float32", "complex64") else 1e-10
        )
    estimate, exact = np.asarray(linalg.rcond(a)), 1 / np.linalg.cond(a, 1)
    assert (estimate > 0.99 * exact).all()
    assert (estimate < 3.1 * exact).all()
    assert linalg.cond([[1, 2], [2, 4]], 1) == np.inf
    assert linalg.rcond([[1, 2], [2, 4]]) == 0.0


def test_a_negative_eigenvalue_makes_the_whole_stack_complex() -> None:
    stack = np.array([[[4.0, 0.0], [0.0, 9.0]], [[-4.0, 0.0], [0.0, 9.0]]])
    assert np.asarray(linalg.sqrtm(stack[0])).dtype == "float64"
    assert np.array_equal(
        np.asarray(linalg.sqrtm(stack)).diagonal(axis1=1, axis2=2), [[2, 3], [2j, 3]]
    )
    near(np.asarray(linalg.logm(stack))[1, 0, 0], np.log(4) + np.pi * 1j, "complex128")


def test_results_go_where_like_and_out_say() -> None:
    a = matrices((3, 3), "float64") + 3 * np.eye(3)
    lower, upper = np.empty((3, 3)), np.empty((3, 3))
    result = linalg.lu(a, out=(np.empty((3, 3)), lower, upper))
    assert result.U is upper
    assert np.array_equal(linalg.expm(a, like=a), np.asarray(linalg.expm(a)))
    assert linalg.block_diag([[1]], 2, like=[]) == [[1.0, 0.0], [0.0, 2.0]]
    into = np.empty((3, 3))
    assert linalg.sqrtm(a, out=into) is into
    factor, is_lower = linalg.cho_factor(a @ a.T, out=into)
    assert factor is into
    assert is_lower is False


def test_a_failure_in_a_stack_is_raised_spoiled_or_told() -> None:
    stack = np.array([np.eye(2), [[1.0, 2.0], [2.0, 4.0]]])
    factors = linalg.lu_factor(stack)
    message = r"lu_solve: .* pivot 1 is zero \(float64, matrix \[1\] of the stack 2x2x2\)"
    with pytest.raises(linalg.LinAlgError, match=message):
        linalg.lu_solve(factors, [1.0, 1.0])
    x = np.asarray(linalg.lu_solve(factors, [1.0, 1.0], errors="nan"))
    assert np.array_equal(x, [[1, 1], [np.nan, np.nan]], equal_nan=True)
    x, info = linalg.lu_solve(factors, [1.0, 1.0], errors="info")
    assert info.tolist() == [0, 2]
    (c, lower), info = linalg.cho_factor(-stack, errors="info")
    assert (info.tolist(), lower) == ([1, 1], False)
    assert np.isnan(np.asarray(c)).all()
    nilpotent = np.array([[0.0, 1.0], [0.0, 0.0]])
    for function in (linalg.logm, linalg.sqrtm):
        _, info = function([np.eye(2), nilpotent], errors="info")
        assert info.tolist()[0] == 0
        assert info.tolist()[1] > 0
    infinite = np.array([np.eye(2), [[np.inf, 1.0], [0.0, 1.0]]])
    for name in ("expm", "logm", "sqrtm", "polar", "schur", "cond"):
        function = getattr(linalg, name)
        with pytest.raises(linalg.LinAlgError, match=rf"{name}: .*infinity at \(0, 0\)"):
            function(infinite)
        assert function(infinite, errors="info")[1].tolist() == [0, -1]


CASES = [
    (lambda: linalg.lu([1, 2]), "lu: expected a matrix"),
    (lambda: linalg.lu_solve((np.eye(2), [0, 1]), [1, 2, 3]), "lu_solve: 2x2 does not fit 3"),
    (lambda: linalg.lu_solve((np.eye(2), np.array([0])), [1, 2]), "piv of shape 1 does not fit"),
    (lambda: linalg.lu_solve((np.eye(2), np.array([1, 0])), [1, 2]), r"piv\[1\] is 0, not a row"),
    (lambda: linalg.lu_solve((np.eye(2), np.array([-1, 1])), [1, 2]), r"piv\[0\] is -1"),
    (lambda: linalg.lu_solve(linalg.lu_factor(np.eye(2)), [1, 2], trans=3), "trans is 0, 1 or 2"),
    (lambda: linalg.ldl(np.ones((2, 3))), "ldl: expected square matrices"),
    (lambda: linalg.cho_factor([[-1.0]]), "cho_factor: .*not positive definite"),
    (lambda: linalg.cho_solve((np.zeros((1, 1)), True), [1.0]), "cho_solve: .*pivot 0 is zero"),
    (lambda: linalg.solve_triangular([[0.0]], [1.0]), "solve_triangular: .*pivot 0 is zero"),
    (lambda: linalg.expm(np.ones((2, 3))), "expm: expected square matrices"),
    (lambda: linalg.polar(np.eye(2), side="up"), 'side is "left" or "right", not "up"'),
    (lambda: linalg.schur(np.eye(2), output="none"), 'output is "real" or "complex"'),
    (lambda: linalg.solve_sylvester([[1.0]], [[-1.0]], [[1.0]]), "add up to zero"),
    (lambda: linalg.solve_sylvester([[1.0]], [[1.0]], [[1.0, 2.0]]), "1x1 and 1x1 do not fit 1x2"),
    (lambda: linalg.cond(np.ones((0, 2))), "cond: matrices without items"),
    (lambda: linalg.cond(np.eye(2), 3), "cond: the norm is"),
    (lambda: linalg.cond(np.ones((2, 3)), 1), "cond: expected square"),
    (lambda: linalg.orth([np.eye(2), np.ones((2, 2))]), "different ranks: 2 at 0, 1 at 1"),
    (lambda: linalg.null_space([np.eye(2), np.ones((2, 2))]), "different ranks: 2 at 0, 1 at 1"),
    (lambda: linalg.null_space([[np.nan]]), "NaN at"),
]


@pytest.mark.parametrize(("call", "message"), CASES)
def test_what_does_not_fit_is_said(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_pivots_that_are_no_rows_are_refused() -> None:
    with pytest.raises(TypeError, match="piv has whole numbers, not float64"):
        linalg.lu_solve((np.eye(2), np.array([0.0, 1.0])), [1, 2])


def test_nan_spreads() -> None:
    a = np.array([[1.0, np.nan], [0.0, 1.0]])
    for name in ("expm", "logm", "sqrtm"):
        assert np.isnan(np.asarray(getattr(linalg, name)(a))).all()
    assert np.isnan(linalg.cond(a))
    for part in (*linalg.polar(a), *linalg.schur(a)):
        assert np.isnan(np.asarray(part)).all()


def test_bases_of_stacks_have_one_shape() -> None:
    a = matrices((4, 2, 5), "float64")
    null = np.asarray(linalg.null_space(a))
    assert null.shape == (4, 5, 3)
    near(a @ null, np.zeros((4, 2, 3)), "float64")
    assert np.asarray(linalg.orth(a)).shape == (4, 2, 2)
    assert np.asarray(linalg.null_space(np.eye(3))).shape == (3, 0)
    assert np.asarray(linalg.orth(np.diag([1.0, 1e-3]), rtol=1e-2)).shape == (2, 1)
