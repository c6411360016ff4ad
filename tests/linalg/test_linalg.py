"""`nexus.linalg` against NumPy, and what it says to bad input."""

import threading
from typing import Any

import numpy as np
import pytest

from nexus import linalg


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("threads", [1, 2])
def test_matmul_equals_numpy(dtype: str, threads: int) -> None:
    rng = np.random.default_rng(1)
    for m, k, n in [(1, 1, 1), (3, 5, 2), (64, 100, 33), (300, 200, 150), (2, 0, 3), (0, 4, 2)]:
        a = rng.standard_normal((m, k)).astype(dtype)
        b = rng.standard_normal((k, n)).astype(dtype)
        product = linalg.matmul(a, b, threads=threads)
        assert (product.shape, product.dtype) == ((m, n), dtype)
        expected = a.astype("float64") @ b.astype("float64")
        tolerance = {"float32": 1e-4, "float64": 1e-12}[dtype]
        assert np.allclose(np.asarray(product), expected, rtol=tolerance, atol=tolerance)


def test_strided_and_fortran_ordered_arrays_are_read_in_their_own_order() -> None:
    base = np.arange(48, dtype="float64").reshape(6, 8)
    for view in (base.T, base[::2, ::-1], np.asfortranarray(base)):
        eye = np.eye(view.shape[1])
        assert np.array_equal(np.asarray(linalg.matmul(view, eye)), view)


def test_lists_work_without_numpy_and_mixed_operands_give_float64() -> None:
    product = linalg.matmul([[1, 2], [3, 4]], [[5, 6], [7, 8]])
    assert product.tolist() == [[19.0, 22.0], [43.0, 50.0]]
    mixed = linalg.matmul(np.eye(2, dtype="float32"), [[1, 2], [3, 4]])
    assert mixed.dtype == "float64"


def test_a_matrix_is_a_buffer_an_operand_and_readable() -> None:
    matrix = linalg.matmul([[1, 2], [3, 4]], [[1, 0], [0, 1]])
    view = memoryview(matrix)
    assert (view.format, view.shape, view.readonly, view.tolist()) == (
        "d",
        (2, 2),
        True,
        [[1.0, 2.0], [3.0, 4.0]],
    )
    assert (matrix @ matrix).tolist() == [[7.0, 10.0], [15.0, 22.0]]
    assert ([[1, 1]] @ matrix).tolist() == [[4.0, 6.0]]
    assert (matrix[0, 1], matrix[-1, -1], len(matrix)) == (2.0, 4.0, 2)
    assert repr(matrix) == "Matrix 2x2 float64\n  [1, 2]\n  [3, 4]"
    with pytest.raises(IndexError, match="row 2 is out of range for 2 rows"):
        matrix[2, 0]


def test_softmax_rows_equal_numpy() -> None:
    a = np.random.default_rng(2).standard_normal((7, 33)).astype("float32")
    expected = np.exp(a - a.max(axis=1, keepdims=True))
    expected /= expected.sum(axis=1, keepdims=True)
    assert np.allclose(np.asarray(linalg.softmax(a)), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("a", "error", "message"),
    [
        (7, TypeError, "expected a Matrix, a buffer, an array or nested lists of numbers, not int"),
        ("no", TypeError, "nested lists of numbers, not str"),
        ([[1, 2], [3]], ValueError, r"item \[1\] has 1 items, the first one of its kind has 2"),
        ([[1, 2], "no"], TypeError, r"item \[1\] is str, not a number"),
        ([[1, 2], [3, None]], TypeError, r"item \[1, 1\] is NoneType, not a number"),
        ([[True, 2], [3, 4]], TypeError, r"item \[0, 0\] is bool, not a number"),
        (np.zeros((2, 2), bool), TypeError, "no numbers"),
        ([[1, 2, 3]], ValueError, "cannot multiply 1x3 by 2x2: the inner sizes differ"),
    ],
)
def test_bad_operands_are_named(a: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        linalg.matmul(a, [[1, 0], [0, 1]])


def test_a_result_that_fits_no_memory_is_a_memory_error() -> None:
    tall, wide = np.empty((1 << 40, 0), "float32"), np.empty((0, 1 << 40), "float32")
    with pytest.raises(MemoryError, match="no memory for a 1099511627776x1099511627776 result"):
        linalg.matmul(tall, wide)


def test_eight_threads_get_the_same_result() -> None:
    a = np.random.default_rng(3).standard_normal((120, 120)).astype("float32")
    expected = linalg.matmul(a, a).tolist()
    results: list[list[list[float]]] = []
    workers = [
        threading.Thread(target=lambda: results.append(linalg.matmul(a, a).tolist()))
        for _ in range(8)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert results == [expected] * 8


def test_zeros_have_the_signs_of_products_and_sums() -> None:
    norms = [linalg.vector_norm([], ord=order) for order in (0, 1, 2, 3, float("inf"))]
    norms += [linalg.matrix_norm(np.zeros((0, 0)), ord="nuc"), linalg.trace(np.zeros((0, 0)))]
    norms += [linalg.matrix_norm(np.zeros((0, 2)), ord=order) for order in (1, -1)]
    assert [str(norm) for norm in norms] == ["0.0"] * len(norms)
    assert str(linalg.outer([0.0], [-1.0]).tolist()) == "[[-0.0]]"
    assert str(linalg.tensordot([0.0], [-1.0], axes=0).tolist()) == "[[-0.0]]"
    assert linalg.outer([2j, 1], [1, 3j]).tolist() == [[2j, -6], [1, 3j]]
    assert linalg.outer(np.ones(2, "float16"), np.ones(2, "float16")).dtype == "float32"


def test_options_take_what_python_takes_for_them() -> None:
    a = np.arange(6.0).reshape(2, 3)
    assert linalg.svd(a, full_matrices=0).Vh.shape == (2, 3)  # type: ignore[call-overload]
    upper: Any = np.True_
    assert linalg.cholesky(np.eye(2), upper=upper).tolist() == np.eye(2).tolist()
    cases: list[tuple[Any, tuple[int, ...]]] = [
        (([0], [0]), (3, 3)),
        ([[1], [1]], (2, 2)),
        ((1, 1), (2, 2)),
        ((-1, [1]), (2, 2)),
        (0, (2, 3, 2, 3)),
        (((), ()), (2, 3, 2, 3)),
    ]
    for axes, expected in cases:
        found = np.asarray(linalg.tensordot(a, a, axes=axes))
        assert found.shape == expected
        assert np.array_equal(found, np.tensordot(a, a, axes))
    for axes in (-1, "a", [1, 2, 3], None):
        with pytest.raises(ValueError, match="axes is a number of axes, or a pair of axes"):
            linalg.tensordot(a, a, axes=axes)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"items of type >f8: .* in this machine's order of bytes"):
        linalg.det(np.eye(2, dtype=">f8"))


def test_powers_have_exponents_of_any_size() -> None:
    shear = [[1, 1], [0, 1]]
    assert linalg.matrix_power(shear, 2**70).tolist() == [[1.0, 2.0**70], [0.0, 1.0]]
    assert linalg.matrix_power(shear, -(2**70)).tolist() == [[1.0, -(2.0**70)], [0.0, 1.0]]
    assert linalg.matrix_power(shear, np.int8(3)).tolist() == [[1.0, 3.0], [0.0, 1.0]]
    assert linalg.matrix_power(shear, 0).tolist() == np.eye(2).tolist()
    with pytest.raises(TypeError, match=r"n is a whole number, not 0\.5"):
        linalg.matrix_power(shear, 0.5)  # type: ignore[call-overload]
