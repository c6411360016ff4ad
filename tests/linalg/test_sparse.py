"""Sparse matrices against dense NumPy, and against SciPy where it is installed."""

from __future__ import annotations

import contextlib
import gc
import pickle
import signal
import sys
import threading
import time
import weakref
from typing import Any

import numpy as np
import pytest

from nexus import linalg
from nexus.linalg import sparse

RNG = np.random.default_rng(5)
FORMATS = {"csr": sparse.csr, "csc": sparse.csc}
TYPES = ["float32", "float64"]


def dense_of(m: int, n: int, dtype: str = "float64", share: float = 0.3) -> Any:
    values = RNG.standard_normal((m, n)) * (RNG.random((m, n)) < share)
    return values.astype(dtype)


def laplacian(n: int) -> Any:
    """-u'' on n points: symmetric, positive definite, with known eigenvalues."""
    return 2 * np.eye(n) - np.eye(n, k=1) - np.eye(n, k=-1)


def wind(n: int) -> Any:
    """Not symmetric, and dominated by its diagonal."""
    return laplacian(n) + np.eye(n) - 0.3 * np.eye(n, k=1)


def close(found: Any, expected: Any, dtype: str = "float64", factor: float = 100) -> None:
    scale = max(1.0, float(np.abs(expected).max(initial=0)))
    atol = factor * float(np.finfo(dtype).eps) * scale
    np.testing.assert_allclose(np.asarray(found), expected, rtol=0, atol=atol)


# What it is made of


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("shape", [(4, 7), (7, 4), (5, 5), (1, 1), (0, 3), (3, 0)])
def test_a_dense_matrix_comes_back(shape: tuple[int, int], format: str, dtype: str) -> None:
    a = dense_of(*shape, dtype)
    s = FORMATS[format](a)
    assert (s.shape, s.ndim, s.dtype, s.format) == (shape, 2, dtype, format)
    assert s.nnz == np.count_nonzero(a)
    for same in [s, s.T.T, s.tocsr(), s.tocsc(), s.tocsc().tocsr(), pickle.loads(pickle.dumps(s))]:
        assert np.array_equal(np.asarray(same.todense()), a)
    assert np.array_equal(np.asarray(s.T.todense()), a.T)
    close(s.diagonal(), np.diagonal(a))


def test_parts_are_shared_and_named_as_scipy_names_them() -> None:
    data, indices, indptr = np.array([1.0, 2, 3]), np.array([0, 2, 1]), np.array([0, 2, 3])
    s = sparse.csr(data, indices, indptr, shape=(2, 4))
    assert np.asarray(s.data).tolist() == [1, 2, 3]
    assert np.shares_memory(np.asarray(s.data), data)
    assert np.shares_memory(np.asarray(s.indices), indices)
    assert np.shares_memory(np.asarray(s.indptr), indptr)
    assert (s.indices.dtype, s.shape, s.nnz) == ("int64", (2, 4), 3)
    assert repr(s) == "SparseMatrix 2x4 float64 csr, 3 items"
    assert sparse.csr([1.0, 2], [0, 1], [0, 1, 2]).shape == (2, 2)
    assert sparse.csr(data, indices.astype("int32"), indptr).indices.dtype == "int64"
    data[0] = 7
    assert s.todense()[0, 0] == 7


def test_items_of_one_place_are_summed() -> None:
    expected = [[0.0, 3.0], [4.0, 0.0]]
    for format in FORMATS:
        s = sparse.coo([1.0, 4, 2], [0, 1, 0], [1, 0, 1], format=format)
        assert (s.todense().tolist(), s.nnz, s.format) == (expected, 2, format)
    twice = sparse.csr([1.0, 2, 4], [1, 1, 0], [0, 2, 3])
    assert (twice.nnz, twice.todense().tolist()) == (3, expected)
    assert twice.sum_duplicates().nnz == 2
    assert (twice @ [1.0, 10.0]).tolist() == [30, 4]
    assert (twice.tocsc().nnz, (twice + twice).todense().tolist()) == (2, [[0, 6], [8, 0]])


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (([1.0], [5], [0, 1], (1, 2)), ValueError, "index 5"),
        (([1.0], [-1], [0, 1], (1, 2)), ValueError, "index -1"),
        (([1.0], [0], [0, 2], (1, 2)), ValueError, "past the 1 indices"),
        (([1.0], [0], [1, 1], (1, 2)), ValueError, "first pointer is 1"),
        (([1.0, 2], [0, 1], [0, 2, 1], (2, 2)), ValueError, "before it begins"),
        (([1.0], [0], [0, 1], (2, 2)), ValueError, "2 pointers for 2 rows"),
        (([1.0, 2], [0], [0, 1], (1, 2)), ValueError, "2 values, 1 indices"),
        (([[1.0]], [0], [0, 1], (1, 2)), ValueError, "data is a vector"),
        ((np.array([1]), [0], [0, 1], (1, 2)), TypeError, "float32 or float64"),
        ((np.array([1j]), [0], [0, 1], (1, 2)), TypeError, "float32 or float64"),
        (([1.0], np.array([0.0]), [0, 1], (1, 2)), TypeError, "int32 or int64"),
    ],
)
def test_parts_that_do_not_fit_are_refused(
    arguments: Any, error: type[Exception], message: str
) -> None:
    *parts, shape = arguments
    with pytest.raises(error, match=message):
        sparse.csr(*parts, shape=shape)


def test_other_matrices_are_refused_by_name() -> None:
    with pytest.raises(TypeError, match="of float32 or float64"):
        sparse.csr(np.eye(2, dtype="complex128"))
    with pytest.raises(TypeError, match="data, indices and indptr"):
        sparse.csr([1.0], [0])
    with pytest.raises(ValueError, match="expected a matrix"):
        sparse.csr(np.zeros((2, 2, 2)))
    with pytest.raises(ValueError, match="format"):
        sparse.coo([1.0], [0], [0], format="bsr")
    with pytest.raises(TypeError):
        sparse.SparseMatrix()
    with pytest.raises((AttributeError, TypeError)):
        sparse.csr(np.eye(2)).data = None


def test_arrays_may_change_after_the_check() -> None:
    data, indices, indptr = np.ones(4), np.array([0, 1, 0, 1]), np.array([0, 2, 4])
    s = sparse.csr(data, indices, indptr, shape=(2, 2))
    for index, pointer in [(10**12, 2), (-1, 2), (0, 10**12), (0, -5)]:
        indices[:], indptr[1] = index, pointer
        for work in [
            lambda: s @ np.ones(2),
            lambda: s.T @ np.ones((2, 3)),
            s.tocsc,
            s.todense,
            s.diagonal,
            lambda: s + s,
            lambda: s @ s,
            lambda: sparse.solve(s, np.ones(2)),
            lambda: sparse.ic0(s),
            lambda: sparse.ilu0(s),
            lambda: linalg.svds(s, 1),
        ]:
            with contextlib.suppress(ValueError):
                work()


# Arithmetic


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("format", FORMATS)
def test_products_and_sums_are_those_of_the_dense_matrices(format: str, dtype: str) -> None:
    a, b = dense_of(9, 6, dtype), dense_of(9, 6, dtype)
    s, t = FORMATS[format](a), sparse.csr(b)
    x, wide = RNG.standard_normal(6).astype(dtype), RNG.standard_normal((6, 20)).astype(dtype)
    for left, right, expected in [
        (s, x, a @ x),
        (s, x[::-1], a @ x[::-1]),
        (s, wide, a @ wide),
        (s, wide.T.copy().T, a @ wide),
        (s, wide[:, :0], a @ wide[:, :0]),
        (s, x.tolist(), a @ x),
        (s, linalg.Matrix(x), a @ x),
        (b[:, 0], s, b[:, 0] @ a),
        (b.T, s, b.T @ a),
        (linalg.Matrix(b.T), s, b.T @ a),
        (b.T.tolist(), s, b.T @ a),
    ]:
        product = left @ right
        assert isinstance(product, linalg.Matrix)
        close(product, expected, dtype)
    for found, expected in [
        (s + t, a + b),
        (s - t, a - b),
        (s @ t.T, a @ b.T),
        (s.T @ t, a.T @ b),
        (2 * s, 2 * a),
        (s * 0.5, a * 0.5),
        (s / 4, a / 4),
        (-s, -a),
    ]:
        assert isinstance(found, sparse.SparseMatrix)
        assert found.dtype == dtype
        close(found.todense(), expected, dtype)


def test_types_are_promoted() -> None:
    a = sparse.csr(np.eye(3, dtype="float32"))
    assert (a @ np.ones(3)).dtype == "float64"
    assert (a @ np.ones(3, dtype="float32")).dtype == "float32"
    assert (a + sparse.csr(np.eye(3))).dtype == "float64"
    assert a.astype("float64").dtype == "float64"
    assert (a @ [1, 2, 3]).tolist() == [1, 2, 3]
    with pytest.raises(TypeError, match="complex128"):
        a @ np.ones(3, dtype="complex128")


def test_operands_that_do_not_fit_are_refused() -> None:
    a = sparse.csr(dense_of(3, 4))
    for wrong in [np.ones(3), np.ones((3, 2)), np.ones((1, 4, 2)), sparse.csr(np.eye(3))]:
        with pytest.raises(ValueError, match=r"multiply|matrix"):
            a @ wrong
    with pytest.raises(ValueError, match="shapes differ"):
        a + a.T
    for wrong in [lambda: a + 1, lambda: a * a, lambda: 1 / a, lambda: a @ "x"]:
        with pytest.raises(TypeError):
            wrong()


def test_scipy_and_we_have_the_same_memory() -> None:
    scipy = pytest.importorskip("scipy.sparse", reason="needs scipy")
    for kind in ["csr_array", "csc_array", "csr_matrix", "csc_matrix"]:
        theirs = getattr(scipy, kind)(dense_of(6, 5))
        ours = FORMATS[theirs.format](theirs)
        assert np.shares_memory(np.asarray(ours.data), theirs.data)
        assert np.shares_memory(np.asarray(ours.indices), theirs.indices)
        back = ours.to_scipy()
        assert back.format == theirs.format
        assert np.shares_memory(back.data, theirs.data)
        assert (abs(back - theirs)).nnz == 0
        close(ours @ theirs.T @ np.ones(6), theirs @ theirs.T @ np.ones(6))
    for kind in ["coo_array", "bsr_array", "lil_array", "dok_array", "dia_array"]:
        theirs = getattr(scipy, kind)(dense_of(6, 4))
        close(sparse.csc(theirs).todense(), theirs.toarray())


def test_scipy_is_asked_for_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy.sparse", None)
    with pytest.raises(ImportError, match="scipy"):
        sparse.csr(np.eye(2)).to_scipy()


# Systems by iteration

METHODS = {
    "cg": (sparse.cg, laplacian),
    "minres": (sparse.minres, laplacian),
    "bicgstab": (sparse.bicgstab, wind),
    "gmres": (sparse.gmres, wind),
}


class Multiplies:
    """An object with `matvec`, as SciPy's LinearOperator."""

    def __init__(self, a: Any) -> None:
        self.a, self.shape = a, a.shape

    def matvec(self, x: Any) -> Any:
        return self.a @ x

    def rmatvec(self, x: Any) -> Any:
        return self.a.T @ x


class AtSign:
    def __init__(self, a: Any) -> None:
        self.a, self.shape = a, a.shape

    def __matmul__(self, x: Any) -> Any:
        return self.a @ x

    @property
    def T(self) -> AtSign:
        return AtSign(self.a.T)


OPERATORS = {
    "csr": sparse.csr,
    "csc": sparse.csc,
    "numpy": lambda a: a,
    "transposed": lambda a: np.asfortranarray(a),
    "Matrix": linalg.Matrix,
    "matvec": Multiplies,
    "@": AtSign,
    "call": lambda a: lambda x: a @ x,
}


@pytest.mark.parametrize("kind", OPERATORS)
@pytest.mark.parametrize("name", METHODS)
def test_iterations_solve_with_every_kind_of_operator(name: str, kind: str) -> None:
    solve, make = METHODS[name]
    n = 40
    a = make(n)
    b = RNG.standard_normal(n)
    found = solve(OPERATORS[kind](a), b, rtol=1e-10)
    assert type(found) is sparse.IterationResult
    assert (found.info, found.x.shape) == (0, (n,))
    assert 0 < found.iterations <= 10 * n
    residual = np.linalg.norm(b - a @ np.asarray(found.x))
    assert residual <= 1e-9 * np.linalg.norm(b)
    assert found.residual == pytest.approx(residual, rel=1e-2, abs=1e-12)


@pytest.mark.parametrize("name", METHODS)
def test_keywords_are_those_of_scipy(name: str) -> None:
    solve, make = METHODS[name]
    a, b = make(50), np.ones(50)
    s = sparse.csr(a)
    exact = np.linalg.solve(a, b)
    assert solve(s, b, exact, rtol=1e-8).iterations == 0
    short = solve(s, b, maxiter=2, rtol=1e-12)
    assert (short.info, short.iterations) == (2, 2)
    assert solve(s, b, atol=1e6).iterations == 0
    columns = solve(s, b[:, None], rtol=1e-10)
    assert columns.x.shape == (50, 1)
    assert isinstance(solve(s, b, like=b).x, np.ndarray)
    assert isinstance(solve(s, b.tolist(), like=[]).x, list)
    out = np.zeros(50)
    assert solve(s, b, rtol=1e-12, out=out).x is out
    close(out, exact, factor=1e5)
    one, two = solve(s, b), solve(s, b, threads=2)
    assert np.array_equal(np.asarray(one.x), np.asarray(two.x))
    small = solve(s.astype("float32"), b.astype("float32"), rtol=1e-3)
    assert (small.x.dtype, small.info) == ("float32", 0)
    assert solve(s, [0.0] * 50).x.tolist() == [0.0] * 50


@pytest.mark.parametrize("name", METHODS)
def test_preconditioners_save_iterations(name: str) -> None:
    solve, _ = METHODS[name]
    n = 60
    scale = 10.0 ** RNG.uniform(-2, 2, n)
    a = laplacian(n) * np.sqrt(scale)[:, None] * np.sqrt(scale)
    b = a @ np.ones(n)
    s = sparse.csr(a)
    plain = solve(s, b, rtol=1e-9, maxiter=5000)
    factors = [sparse.factor(s), sparse.factor(s, "cholesky")]
    for m in [sparse.ic0(s), sparse.ilu0(s), *factors, np.linalg.inv(a)]:
        found = solve(s, b, M=m, rtol=1e-9)
        assert found.info == 0
        assert found.iterations < 6 < plain.iterations
    diagonal = solve(s, b, M=sparse.jacobi(s), rtol=1e-9, maxiter=5000)
    by_hand = solve(s, b, M=lambda x: x / np.diagonal(a), rtol=1e-9, maxiter=5000)
    assert diagonal.info == by_hand.info == 0
    assert diagonal.iterations <= plain.iterations


def test_scipy_solves_with_the_same_numbers() -> None:
    scipy = pytest.importorskip("scipy.sparse.linalg", reason="needs scipy")
    a = laplacian(100)
    s, b = sparse.csr(a), RNG.standard_normal(100)
    theirs, info = scipy.cg(s.to_scipy(), b, rtol=1e-8)
    ours = sparse.cg(s, b, rtol=1e-8)
    assert (ours.info, info) == (0, 0)
    close(ours.x, theirs, factor=1e12)
    operator = scipy.aslinearoperator(s.to_scipy())
    close(sparse.cg(operator, b, rtol=1e-8).x, theirs, factor=1e12)
    m = scipy.LinearOperator((100, 100), matvec=sparse.ilu0(s).matvec)
    assert scipy.cg(s.to_scipy(), b, M=m, rtol=1e-8)[1] == 0


def test_breakdown_is_told_by_info() -> None:
    indefinite = np.diag([1.0, -1.0])
    assert sparse.cg(indefinite, [1.0, 1.0]).info < 0


def test_vectors_come_to_a_function_as_the_kind_of_the_right_side() -> None:
    seen = set()

    def product(x: Any) -> Any:
        seen.add(type(x))
        return 2.0 * np.asarray(x)

    sparse.cg(product, np.ones(3))
    sparse.cg(product, [1.0, 1.0, 1.0])
    assert seen == {np.ndarray, linalg.Matrix}


def test_exceptions_of_operators_come_back_as_they_are() -> None:
    class Special(Exception):
        pass

    def fails(x: Any) -> Any:
        raise Special("mine")

    for solve, _ in METHODS.values():
        with pytest.raises(Special, match="mine"):
            solve(fails, [1.0, 2.0])
        with pytest.raises(Special):
            solve(np.eye(2), [1.0, 2.0], M=fails)
    operator = Multiplies(np.eye(8))
    operator.matvec = fails
    for search in [linalg.eigsh, linalg.svds, linalg.randomized_svd]:
        with pytest.raises(Special):
            search(operator, 2)


@pytest.mark.parametrize(
    ("work", "error", "message"),
    [
        (lambda: sparse.cg(np.eye(3), [1.0, 2.0]), ValueError, "3x3"),
        (lambda: sparse.cg(np.ones((2, 3)), [1.0, 2.0]), ValueError, "2x3"),
        (lambda: sparse.cg(np.eye(2), np.eye(2)), ValueError, "b is a vector"),
        (lambda: sparse.cg(np.eye(2), [1.0, 2.0], [1.0]), ValueError, "x0"),
        (lambda: sparse.cg(np.eye(2), [1.0, np.nan]), ValueError, "NaN"),
        (lambda: sparse.cg(np.eye(2), [1.0, 2.0], rtol=-1), ValueError, "rtol"),
        (lambda: sparse.gmres(np.eye(2), [1.0, 2.0], restart=0), ValueError, "restart"),
        (lambda: sparse.cg(np.eye(2), [1.0, 2.0], threads=0), ValueError, "threads"),
        (lambda: sparse.cg(np.eye(2), np.array([1j, 2])), TypeError, "complex128"),
        (lambda: sparse.cg(np.eye(2) * 1j, [1.0, 2.0]), TypeError, "complex128"),
        (lambda: sparse.cg(lambda x: [1.0], [1.0, 2.0]), ValueError, "1 items"),
        (lambda: sparse.cg(lambda x: x * 1j, np.ones(2)), TypeError, "complex128"),
        (lambda: sparse.cg(lambda x: "no", np.ones(2)), TypeError, "expected"),
        (lambda: sparse.cg(object(), np.ones(2)), TypeError, "expected"),
        (lambda: linalg.eigsh(lambda x: x, 1), TypeError, "shape"),
    ],
)
def test_what_does_not_fit_is_refused(work: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        work()


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="needs pthread_kill")
@pytest.mark.parametrize("kind", ["csr", "call"])
def test_ctrl_c_ends_an_iteration(kind: str) -> None:
    n = 20_000
    main = threading.main_thread().ident
    assert main is not None
    a = sparse.coo(
        np.r_[np.full(n, 2.0), np.full(n - 1, -1.0), np.full(n - 1, -1.0)],
        np.r_[np.arange(n), np.arange(n - 1), np.arange(1, n)],
        np.r_[np.arange(n), np.arange(1, n), np.arange(n - 1)],
    )
    operator = a if kind == "csr" else (lambda x: a @ x)
    sent: list[float] = []

    def interrupt() -> None:
        sent.append(time.perf_counter())
        signal.pthread_kill(main, signal.SIGINT)

    timer = threading.Timer(0.3, interrupt)
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            sparse.cg(operator, np.ones(n), rtol=0.0, maxiter=10**9)
            time.sleep(10)
    finally:
        timer.cancel()
    assert time.perf_counter() - sent[0] < 5


# Direct systems


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("method", ["lu", "cholesky", "qr"])
def test_factors_solve(method: str, format: str, dtype: str) -> None:
    n = 30
    a = (laplacian(n) if method == "cholesky" else wind(n)).astype(dtype)
    s = FORMATS[format](a)
    b = RNG.standard_normal((n, 3)).astype(dtype)
    f = sparse.factor(s, method)
    assert (f.shape, f.dtype, f.method) == ((n, n), dtype, method)
    assert repr(f) == f"SparseFactor 30x30 {dtype}, {method}"
    for right in [b, b[:, 0], b[::-1], b.T.copy().T]:
        close(a @ np.asarray(f.solve(right)), right, dtype, 1000)
        close(a @ np.asarray(sparse.solve(s, right, method=method)), right, dtype, 1000)
        if method != "qr":
            close(a.T @ np.asarray(f.solve_transpose(right)), right, dtype, 1000)
    again = f.refactor(s * 2)
    close(np.asarray(again.solve(b)) * 2, np.asarray(f.solve(b)), dtype)
    with pytest.raises(ValueError, match="other places"):
        f.refactor(np.ones((n, n), dtype=dtype))


def test_least_squares_are_those_of_numpy() -> None:
    a = dense_of(12, 5) + np.eye(12, 5)
    b = RNG.standard_normal((12, 2))
    expected = np.linalg.lstsq(a, b, rcond=None)[0]
    close(sparse.factor(a, "qr").solve(b), expected)
    close(sparse.solve(sparse.csr(a), b[:, 0], method="qr"), expected[:, 0])
    with pytest.raises(ValueError, match="QR"):
        sparse.factor(np.eye(3), "qr").solve_transpose(np.ones(3))


def test_matrices_without_a_factor_are_named() -> None:
    singular = sparse.csr([[1.0, 2], [2, 4]])
    with pytest.raises(linalg.LinAlgError, match="singular"):
        sparse.factor(singular)
    x, code = sparse.solve(singular, [1.0, 2.0], errors="info")
    assert np.isnan(x).all()
    assert code > 0
    assert np.isnan(np.asarray(sparse.solve(singular, [1.0, 2.0], errors="nan"))).all()
    x, code = sparse.solve(sparse.csr(np.eye(2)), [1.0, 2.0], errors="info", like=[])
    assert (x, code) == ([1.0, 2.0], 0)
    with pytest.raises(linalg.LinAlgError, match="positive definite"):
        sparse.factor(np.diag([1.0, -1.0]), "cholesky")
    with pytest.raises(linalg.LinAlgError, match="NaN at"):
        sparse.factor(np.array([[np.nan, 1], [1, 1]]))
    with pytest.raises(linalg.LinAlgError, match="not square"):
        sparse.factor(np.ones((2, 3)))
    with pytest.raises(linalg.LinAlgError, match="zero"):
        sparse.jacobi(np.array([[0.0, 1], [1, 0]]))
    with pytest.raises(linalg.LinAlgError, match="pivot 0"):
        sparse.ilu0(np.array([[0.0, 1], [1, 0]]))
    with pytest.raises(linalg.LinAlgError, match="pivot 1 is -3, not positive"):
        sparse.ic0(np.array([[1.0, 2], [2, 1]]))
    with pytest.raises(ValueError, match="2x3"):
        sparse.ic0(np.ones((2, 3)))
    with pytest.raises(ValueError, match="method"):
        sparse.factor(np.eye(2), "svd")
    with pytest.raises(ValueError, match="rows differ"):
        sparse.factor(np.eye(2)).solve(np.ones(3))


def test_preconditioners_are_the_inverse_of_what_they_say() -> None:
    a = laplacian(20)
    b = RNG.standard_normal(20)
    close(sparse.jacobi(a).solve(b), b / np.diagonal(a))
    # A tridiagonal matrix fills nothing in.
    for m in [sparse.ilu0(a), sparse.ilu0(sparse.csc(a)), sparse.ilu0(a * 3).refactor(a)]:
        close(a @ np.asarray(m.solve(b)), b, factor=1000)
        close(a.T @ np.asarray(m.solve_transpose(b)), b, factor=1000)


@pytest.mark.parametrize("of", [np.asarray, sparse.csr, sparse.csc])
def test_cholesky_without_fill_has_the_items_of_the_matrix_in_its_places(of: Any) -> None:
    # A grid, whose factor would fill in: the product differs only where the matrix has no items.
    a = np.kron(laplacian(5), np.eye(4)) + np.kron(np.eye(5), laplacian(4))
    m = sparse.ic0(of(np.tril(a)))
    assert m.method == "ic0"
    product = np.linalg.inv(np.asarray(m.solve(np.eye(20))))
    close(np.where(a == 0, 0, product), a, factor=1000)
    assert np.abs(product - a).max() > 0.01
    b = RNG.standard_normal(20)
    close(m.refactor(of(np.tril(a * 4))).solve(b), np.asarray(m.solve(b)) / 4, factor=1000)
    plain, eased = sparse.cg(a, b, rtol=1e-10), sparse.cg(a, b, rtol=1e-10, M=m)
    close(eased.x, np.linalg.solve(a, b), factor=1e7)
    assert eased.iterations < plain.iterations


# Some eigenvalues and singular values


@pytest.mark.parametrize("kind", ["csr", "csc", "numpy", "Matrix", "matvec", "@"])
@pytest.mark.parametrize("which", ["LM", "LA", "SA", "SM"])
def test_eigenvalues_at_an_end_are_those_of_numpy(which: str, kind: str) -> None:
    n, k = 60, 4
    a = laplacian(n) - 1.5 * np.eye(n)
    all_of = np.linalg.eigvalsh(a)
    order = {"LM": -np.abs(all_of), "SM": np.abs(all_of), "LA": -all_of, "SA": all_of}[which]
    expected = np.sort(all_of[np.argsort(order)[:k]])
    operator = OPERATORS[kind](a)
    if which == "SM" and kind in ("matvec", "@"):
        with pytest.raises(TypeError, match="factored"):
            linalg.eigsh(operator, k, which=which)
        return
    found = linalg.eigsh(operator, k, which=which)
    assert type(found) is linalg.EighResult
    close(found.eigenvalues, expected, factor=1000)
    v = np.asarray(found.eigenvectors)
    assert v.shape == (n, k)
    close(v.T @ v, np.eye(k), factor=1000)
    close(a @ v, v * expected, factor=10_000)


def test_eigenvalues_near_a_number_are_found() -> None:
    a = laplacian(50)
    all_of = np.linalg.eigvalsh(a)
    expected = np.sort(all_of[np.argsort(np.abs(all_of - 1.7))[:3]])
    for operator in [a, sparse.csr(a), sparse.csc(a)]:
        found = linalg.eigsh(operator, 3, sigma=1.7)
        close(found.eigenvalues, expected, factor=1000)
    with pytest.raises(linalg.LinAlgError, match="singular"):
        linalg.eigsh(np.diag([1.0, 2, 3]), 1, sigma=2.0)
    with pytest.raises(ValueError, match="which"):
        linalg.eigsh(a, which="SA", sigma=1.0)
    with pytest.raises(ValueError, match="which"):
        linalg.eigsh(a, which="BE")


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("kind", ["csr", "csc", "numpy", "Matrix", "matvec", "@"])
@pytest.mark.parametrize("shape", [(50, 30), (30, 50), (40, 40)])
def test_singular_values_are_those_of_numpy(shape: tuple[int, int], kind: str, dtype: str) -> None:
    a = (dense_of(*shape) * 2.0 ** -np.arange(shape[1])).astype(dtype)
    expected = np.linalg.svd(a.astype("float64"), compute_uv=False)[:5]
    operator = OPERATORS[kind](a)
    for name in ["svds", "randomized_svd"]:
        u, s, vh = found = getattr(linalg, name)(operator, 5)
        assert type(found) is linalg.SVDResult
        close(s, expected, dtype, 1000)
        assert (u.shape, vh.shape) == ((shape[0], 5), (5, shape[1]))
        u, s, vh = map(np.asarray, found)
        close(u.T @ u, np.eye(5), dtype, 1000)
        close(vh @ vh.T, np.eye(5), dtype, 1000)
        close(a @ vh.T, u * s, dtype, 1000)


def test_searches_take_the_keywords_of_all_functions() -> None:
    a = sparse.csr(dense_of(20, 20))
    assert isinstance(linalg.svds(a, 2, like=np.ones(1)).U, np.ndarray)
    out = (np.zeros((20, 2)), np.zeros(2), np.zeros((2, 20)))
    assert linalg.svds(a, 2, out=out).S is out[1]
    close(out[0] @ np.diag(out[1]) @ out[2] @ out[2].T, a @ out[2].T)
    one, two = linalg.svds(a, 3, threads=1), linalg.svds(a, 3, threads=2)
    assert all(np.array_equal(np.asarray(x), np.asarray(y)) for x, y in zip(one, two, strict=True))
    bad = np.eye(20)
    bad[3, 4] = np.nan
    for search in [linalg.eigsh, linalg.svds, linalg.randomized_svd]:
        with pytest.raises(linalg.LinAlgError, match="NaN"):
            search(bad, 2)
        result, code = search(bad, 2, errors="info")
        assert code == -1
        assert np.isnan(np.asarray(result[0])).all()
        with pytest.raises(ValueError, match="21"):
            search(bad, 21)
        assert np.asarray(search(np.eye(20), 0)[0]).size == 0
    with pytest.raises(ValueError, match="eigenvalues"):
        linalg.eigsh(np.ones((3, 4)), 1)


def test_scipy_finds_the_same_values() -> None:
    scipy = pytest.importorskip("scipy.sparse.linalg", reason="needs scipy")
    a = sparse.csr(laplacian(200))
    for which in ["LM", "LA", "SA"]:
        theirs = scipy.eigsh(a.to_scipy(), 5, which=which)[0]
        close(linalg.eigsh(a, 5, which=which).eigenvalues, np.sort(theirs), factor=1e4)
    b = sparse.csr(dense_of(60, 40))
    theirs = np.sort(scipy.svds(b.to_scipy(), 5)[1])[::-1]
    close(linalg.svds(b, 5).S, theirs, factor=1e4)


# Threads and memory


def test_eight_threads_have_the_same_bits() -> None:
    a = sparse.csr(laplacian(500))
    b = RNG.standard_normal(500)
    results: list[Any] = [None] * 8

    def work(index: int) -> None:
        f = sparse.factor(a)
        found = sparse.cg(a, b, M=f)
        results[index] = (a @ b).tolist(), f.solve(b).tolist(), found.x.tolist()

    threads = [threading.Thread(target=work, args=(index,)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(result == results[0] for result in results)


def test_foreign_memory_is_given_back() -> None:
    class Owner(np.ndarray):
        pass

    data = np.ones(3).view(Owner)
    alive = weakref.ref(data)
    s = sparse.csr(data, [0, 1, 2], [0, 1, 2, 3])
    t = (s @ s).T
    sparse.cg(s, np.ones(3))
    del data
    gc.collect()
    assert s.todense()[0, 0] == 1
    assert alive() is not None
    del s
    gc.collect()
    assert alive() is None
    assert t.nnz == 3
