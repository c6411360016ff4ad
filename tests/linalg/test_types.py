"""Types of numbers: how they combine, and complex numbers everywhere, against NumPy."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from nexus import linalg
from nexus.linalg import Matrix

np = pytest.importorskip("numpy", reason="NumPy is the oracle")

from bounds import backward, bound, dagger, exponent, kinds, norms, scaled, unitary, wide  # noqa: E402

NAMES = [
    "float16",
    "float32",
    "float64",
    "complex64",
    "complex128",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "bfloat16",
]
COMPLEX = ["complex64", "complex128"]
COMPUTED = ["float32", "float64", *COMPLEX]
REAL = {"complex64": "float32", "complex128": "float64"}
STACKS = [(), (3,), (2, 0), (2, 3)]


def numbers(shape: tuple[int, ...], dtype: str, seed: int = 0) -> Any:
    rng = np.random.default_rng([seed, *shape])
    a = rng.standard_normal(shape)
    if dtype in COMPLEX:
        a = a + 1j * rng.standard_normal(shape)
    return a.astype(dtype)


def close(found: Any, expected: Any, dtype: str, factor: float = 1.0) -> None:
    found, expected = np.asarray(found), np.asarray(expected)
    assert found.shape == expected.shape
    tolerance = factor * {"float32": 2e-4, "float64": 1e-11}[REAL.get(dtype, dtype)]
    scale = max(1.0, float(np.max(np.abs(expected), initial=0)))
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance * scale)


def test_types_combine_as_numpys_do_and_narrow_floats_give_float32() -> None:
    for left, right in itertools.product(NAMES[:-1], repeat=2):
        expected = str(np.result_type(left, right))
        if expected == "float16":
            expected = "float32"
        a, b = Matrix([[1, 2], [3, 4]], dtype=left), Matrix([[2, 0], [1, 2]], dtype=right)
        for found in (a + b, a - b, a * b, a @ b, linalg.matmul(a, b), linalg.outer(a[0], b[0])):
            assert found.dtype == expected, (left, right)
        assert (a @ b).tolist() == [[4, 4], [10, 8]]
        # Whole numbers are computed as float64 before types combine, as in numpy.linalg.
        wide = ["float64" if "int" in kind else kind for kind in (left, right)]
        computed = str(np.result_type(*wide, "float32"))
        assert linalg.solve(a, b).dtype == computed, (left, right)


@pytest.mark.parametrize("other", NAMES)
def test_bfloat16_is_computed_as_float32(other: str) -> None:
    expected = {
        "float64": "float64",
        "complex64": "complex64",
        "complex128": "complex128",
        "int32": "float64",
        "int64": "float64",
    }.get(other, "float32")
    a, b = Matrix([[1, 2]], dtype="bfloat16"), Matrix([[3], [4]], dtype=other)
    assert (a @ b).dtype == (b.T + a).dtype == expected
    assert (a @ b).tolist() == [[11]]


@pytest.mark.parametrize("dtype", NAMES)
def test_results_have_the_type_that_is_computed_with(dtype: str) -> None:
    a = Matrix([[5, 1], [1, 4]], dtype=dtype)
    real = {"complex64": "float32", "float16": "float32", "bfloat16": "float32"}
    real = real.get(dtype, "float32" if dtype == "float32" else "float64")
    computed = dtype if dtype in COMPLEX else real
    narrow = dtype if dtype.startswith(("int", "uint")) else computed
    complex_type = {"float32": "complex64", "float64": "complex128"}[real]
    of_type = {
        computed: ("inv", "cholesky", "pinv"),
        real: ("eigvalsh", "svdvals"),
        complex_type: ("eigvals",),
        dtype: ("diagonal", "matrix_transpose"),
    }
    for expected, names in of_type.items():
        for name in names:
            assert getattr(linalg, name)(a).dtype == expected, name
    assert [part.dtype for part in linalg.svd(a)] == [computed, real, computed]
    assert [part.dtype for part in linalg.qr(a)] == [computed] * 2
    assert [part.dtype for part in linalg.eigh(a)] == [real, computed]
    assert [part.dtype for part in linalg.eig(a)] == [complex_type] * 2
    assert linalg.matrix_power(a, 2).dtype == linalg.tensordot(a, a, axes=1).dtype == narrow
    assert linalg.vector_norm(a, axis=0).dtype == real
    assert linalg.matrix_rank([a.tolist()]).dtype == "int64"
    stack = Matrix([[[5, 1], [1, 4]]], dtype=dtype)
    assert linalg.det(stack).dtype == computed
    assert linalg.matrix_norm(stack).dtype == real
    trace = "int64" if dtype.startswith(("int", "uint")) else dtype
    assert linalg.trace(stack).dtype == trace
    kinds = {"i": int, "u": int, "c": complex}
    assert type(linalg.trace(a)) is kinds.get(dtype[0], float)
    assert type(linalg.det(a)) is (complex if dtype in COMPLEX else float)


def test_types_are_cast_by_name() -> None:
    a = Matrix([[1.5, -2.5]])
    for dtype in NAMES[:10]:
        if dtype == "uint8":
            continue
        cast = a.astype(dtype)
        assert (cast.dtype, cast.shape) == (dtype, (1, 2))
        assert cast.tolist() == np.array([[1.5, -2.5]]).astype(dtype).tolist()
    assert a.astype("bfloat16").astype("float64").tolist() == [[1.5, -2.5]]
    with pytest.raises(TypeError, match="cannot make float64 of complex128: take the real part"):
        Matrix([[1j]]).astype("float64")
    with pytest.raises(ValueError, match=r"dtype is one of float16, .*uint8, not float8"):
        a.astype("float8")  # type: ignore[arg-type]


def test_whole_products_are_exact_and_wrap_around_in_their_type() -> None:
    rng = np.random.default_rng(5)
    for dtype in ("int8", "uint8", "int16", "int32", "int64"):
        info = np.iinfo(dtype)
        for m, k, n in [(1, 1, 1), (3, 70, 5), (33, 129, 40), (2, 0, 3)]:
            a = rng.integers(info.min, info.max, (m, k), dtype, endpoint=True)
            b = rng.integers(info.min, info.max, (k, n), dtype, endpoint=True)
            assert np.array_equal(np.asarray(linalg.matmul(a, b)), a @ b)
            assert np.array_equal(np.asarray(linalg.matmul(a[::-1], b.copy("F"))), a[::-1] @ b)
            exact = a.astype("int64") @ b.astype("int64")
            found = np.asarray(linalg.matmul(a, b, dtype="int64", threads=2))
            assert np.array_equal(found, exact)
            if dtype in ("int8", "uint8"):
                found = np.asarray(linalg.matmul(a, b, dtype="int32"))
                assert np.array_equal(found, exact)


@pytest.mark.parametrize("dtype", COMPLEX)
@pytest.mark.parametrize("stack", STACKS)
def test_complex_systems_equal_numpy(stack: tuple[int, ...], dtype: str) -> None:
    for n in (0, 1, 2, 3, 4, 7, 20):
        a = numbers((*stack, n, n), dtype) + np.eye(n, dtype=dtype) * n
        b = numbers((*stack, n, 2), dtype, 1)
        close(linalg.matmul(a, b), wide(a) @ wide(b), dtype)
        close(linalg.inv(a), np.linalg.inv(wide(a)), dtype)
        close(linalg.solve(a, b), np.linalg.solve(wide(a), wide(b)), dtype)
        sign, size = linalg.slogdet(a)
        expected = np.linalg.slogdet(wide(a))
        close(sign, expected.sign, dtype)
        close(size, expected.logabsdet, dtype, n + 1)
        if n < 8:
            close(linalg.det(a), np.linalg.det(wide(a)), dtype)
            for power in (-2, 0, 3):
                close(
                    linalg.matrix_power(a, power), np.linalg.matrix_power(wide(a), power), dtype, 10
                )
        definite = a @ dagger(a) + np.eye(n, dtype=dtype)
        lower = np.asarray(linalg.cholesky(definite))
        backward(lower @ dagger(lower), definite, dtype)
        assert np.all(np.triu(lower, 1) == 0)
        upper = np.asarray(linalg.cholesky(definite, upper=True))
        backward(dagger(upper) @ upper, definite, dtype)


@pytest.mark.parametrize("dtype", COMPLEX)
@pytest.mark.parametrize("stack", STACKS)
def test_complex_decompositions_give_their_matrices_back(
    stack: tuple[int, ...], dtype: str
) -> None:
    for m, n in itertools.product([0, 1, 2, 3, 8, 33], repeat=2):
        a = numbers((*stack, m, n), dtype)
        for mode in ("reduced", "complete"):
            q, r = (np.asarray(part) for part in linalg.qr(a, mode=mode))
            backward(q @ r, a, dtype)
            unitary(q, dtype)
            diagonal = np.diagonal(r, axis1=-2, axis2=-1)
            assert np.all((diagonal.imag == 0) & (diagonal.real >= 0))
        for full in (True, False):
            u, s, vh = (np.asarray(part) for part in linalg.svd(a, full_matrices=full))
            k = min(m, n)
            backward((u[..., :k] * s[..., None, :]) @ vh[..., :k, :], a, dtype)
            unitary(u, dtype)
            unitary(dagger(vh), dtype)
            close(s, np.linalg.svd(wide(a), compute_uv=False), dtype)
        close(linalg.pinv(a), np.linalg.pinv(wide(a), rtol=1e-5), dtype, 10)
        assert np.array_equal(np.asarray(linalg.matrix_rank(a)), np.full(stack, min(m, n)))
        for order in (None, "nuc", 1, -2, np.inf):
            if a.size or order in (None, "nuc"):
                named = "fro" if order is None else order
                expected = np.linalg.matrix_norm(wide(a), ord=named)
                close(linalg.matrix_norm(a, ord=order), expected, dtype)
    b = numbers((9, 4), dtype)
    right = numbers((9, 2), dtype, 1)
    x, rank, values = linalg.lstsq(b, right)
    expected = np.linalg.lstsq(wide(b), wide(right), rcond=None)
    close(x, expected[0], dtype)
    close(values, expected[3], dtype)
    assert rank == 4


@pytest.mark.parametrize("dtype", COMPUTED)
@pytest.mark.parametrize("stack", STACKS)
def test_eigenvectors_have_small_residuals(stack: tuple[int, ...], dtype: str) -> None:
    for n in (0, 1, 2, 3, 8, 33):
        a = numbers((*stack, n, n), dtype)
        values, vectors = (np.asarray(part) for part in linalg.eig(a))
        assert values.dtype.kind == vectors.dtype.kind == "c"
        assert values.shape == (*stack, n)
        backward_of_pairs(a, values, vectors, dtype)
        assert np.allclose(np.linalg.norm(wide(vectors), axis=-2), 1, atol=bound(a, dtype))
        close(np.sort_complex(linalg.eigvals(a)), np.sort_complex(values), dtype, 10)
        if n and dtype in REAL.values():
            # The eigenvalues of real matrices come in pairs.
            total = np.sum(values, axis=-1)
            assert np.all(np.abs(total.imag) <= bound(a, dtype) * norms(a))

        lower = np.tril(a)
        hermitian = lower + dagger(np.tril(a, -1))
        if dtype in COMPLEX:
            hermitian -= 1j * np.imag(hermitian) * np.eye(n)
            hermitian = hermitian.astype(dtype)
        # What is above the diagonal, and the imaginary parts on it, are not read.
        values, vectors = (np.asarray(part) for part in linalg.eigh(a))
        backward((vectors * values[..., None, :]) @ dagger(vectors), hermitian, dtype)
        unitary(vectors, dtype)
        assert np.all(np.diff(values, axis=-1) >= 0)
        close(linalg.eigvalsh(a), np.linalg.eigvalsh(wide(hermitian)), dtype)


def backward_of_pairs(a: Any, values: Any, vectors: Any, dtype: str, least: float = 0.0) -> None:
    error = norms(wide(a) @ wide(vectors) - wide(vectors) * wide(values)[..., None, :])
    allowed = bound(a, dtype) * norms(a) * np.maximum(norms(vectors), 1)
    assert np.all(error <= allowed + least * np.shape(a)[-1])


@pytest.mark.parametrize("dtype", COMPUTED)
def test_eigenvalues_of_awkward_matrices_have_small_residuals(dtype: str) -> None:
    for a in kinds(10, dtype).values():
        by = exponent(a)
        values, vectors = (np.asarray(part) for part in linalg.eig(a))
        # Of a denormal matrix the values are rounded to what there is.
        least = float(np.ldexp(float(np.finfo(dtype).smallest_subnormal), by))
        backward_of_pairs(scaled(a, by), scaled(values, by), vectors, dtype, least)


@pytest.mark.parametrize("dtype", COMPLEX)
def test_complex_products_equal_numpy(dtype: str) -> None:
    a, b = numbers((4, 1, 3), dtype), numbers((5, 3), dtype)
    close(linalg.vecdot(a, b), np.vecdot(a, b), dtype)
    close(linalg.vecdot(a.real, b), np.vecdot(a.real, b), dtype)
    close(linalg.outer(a[0, 0], b[0]), np.outer(a[0, 0], b[0]), dtype)
    close(linalg.cross(a, b), np.linalg.cross(a, b), dtype)
    c, d = numbers((2, 3, 4), dtype), numbers((4, 3, 5), dtype)
    for axes in (0, 1, ((1, 2), (1, 0))):
        close(linalg.tensordot(c, d, axes=axes), np.tensordot(c, d, axes=axes), dtype)
    close(linalg.matrix_transpose(c), np.swapaxes(c, -1, -2), dtype)
    for offset in (-3, -1, 0, 2):
        close(linalg.diagonal(c, offset=offset), np.linalg.diagonal(c, offset=offset), dtype)
        close(linalg.trace(c, offset=offset), np.linalg.trace(c, offset=offset), dtype)
    for order in (0, 1, 2, 3.5, -1, np.inf, -np.inf):
        close(
            linalg.vector_norm(c, axis=1, ord=order),
            np.linalg.vector_norm(c, axis=1, ord=order),
            dtype,
        )
    big = np.array([3e200j, 4e200])
    assert linalg.vector_norm(big) == pytest.approx(5e200)
    assert (Matrix([1 + 2j]) * 2j - 1).tolist() == [-5 + 2j]
    assert (Matrix([1 + 2j]) / Matrix([2j])).tolist() == [1 - 0.5j]


def test_complex_lists_are_operands() -> None:
    assert linalg.det([[1j, 0], [0, 1j]]) == -1
    assert linalg.solve([[2j]], [2]).tolist() == [-1j]
    assert Matrix([[1j, 2]], dtype="complex64").dtype == "complex64"
    assert repr(Matrix([1 + 2j])) == "Matrix 1 complex128\n  [1+2j]"
