"""What every call takes: `errors=`, `out=`, `threads=`, `like=`; threads and forks beside it."""

from __future__ import annotations

import array
import os
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from nexus import linalg
from nexus.linalg import LinAlgError, Matrix

np = pytest.importorskip("numpy", reason="NumPy is the oracle")

NAN, INF = float("nan"), float("inf")
GOOD = [[4.0, 1.0], [1.0, 3.0]]
SINGULAR = [[1.0, 2.0], [2.0, 4.0]]
INFINITE = [[INF, 0.0], [0.0, 1.0]]
INDEFINITE = [[1.0, 2.0], [2.0, 1.0]]

AN_INFINITY = r"an infinity at \(0, 0\)"

# Functions that take more than a matrix.
NOT_ALONE = {
    "cholesky",
    "lstsq",
    "matmul",
    "matrix_norm",
    "matrix_power",
    "outer",
    "solve",
    "tensordot",
    "vecdot",
}

# Function, the matrix that has no result, its code, what the error says, the call.
FAILING: list[tuple[str, Any, int, str, Callable[..., Any]]] = [
    ("solve", SINGULAR, 2, "pivot 1 is zero", lambda a, **kw: linalg.solve(a, [1, 2], **kw)),
    ("inv", SINGULAR, 2, "pivot 1 is zero", linalg.inv),
    ("cholesky", INDEFINITE, 2, "minor 2 is not positive", linalg.cholesky),
    ("cholesky", INFINITE, -1, AN_INFINITY, linalg.cholesky),
    ("eig", INFINITE, -1, AN_INFINITY, linalg.eig),
    ("eigh", INFINITE, -1, AN_INFINITY, linalg.eigh),
    ("eigvals", INFINITE, -1, AN_INFINITY, linalg.eigvals),
    ("eigvalsh", INFINITE, -1, AN_INFINITY, linalg.eigvalsh),
    ("lstsq", INFINITE, -1, AN_INFINITY, lambda a, **kw: linalg.lstsq(a, [1, 2], **kw)),
    ("matrix_norm", INFINITE, -1, AN_INFINITY, lambda a, **kw: linalg.matrix_norm(a, ord=2, **kw)),
    ("matrix_rank", INFINITE, -1, AN_INFINITY, linalg.matrix_rank),
    ("pinv", INFINITE, -1, AN_INFINITY, linalg.pinv),
    ("qr", INFINITE, -1, AN_INFINITY, linalg.qr),
    ("svd", INFINITE, -1, AN_INFINITY, linalg.svd),
    ("svdvals", INFINITE, -1, AN_INFINITY, linalg.svdvals),
]


def parts(found: Any) -> list[Any]:
    """The arrays of a result, which may be a tuple or a number."""
    return [np.asarray(part) for part in (found if isinstance(found, tuple) else (found,))]


def bits(alone: Any, part: Any) -> bytes:
    """The bits of a number or an array as one of another array's type."""
    return bytes(np.asarray(alone, part.dtype).tobytes())


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
@pytest.mark.parametrize(
    ("name", "bad", "code", "message", "call"),
    FAILING,
    ids=[f"{case[0]}{case[2]}" for case in FAILING],
)
def test_a_matrix_without_a_result_leaves_the_others_theirs(
    name: str, bad: Any, code: int, message: str, call: Any, dtype: str
) -> None:
    stack = np.array([[GOOD, GOOD], [bad, GOOD]], dtype)
    place = rf"{name}: .*{message}.*\({dtype}, matrix \[1, 0\] of the stack 2x2x2x2\)"
    with pytest.raises(LinAlgError, match=place):
        call(stack)
    alone = parts(call(np.array(GOOD, dtype)))
    spoilt = parts(call(stack, errors="nan"))
    with_info, info = call(stack, errors="info")
    assert (info.dtype, info.tolist()) == ("int64", [[0, 0], [code, 0]])
    for part, same, expected in zip(spoilt, parts(with_info), alone, strict=True):
        assert part.tobytes() == same.tobytes()
        for good in ((0, 0), (0, 1), (1, 1)):
            assert part[good].tobytes() == bits(expected, part)
        # Whole numbers have no NaN: a rank that there is not is -1.
        assert np.all(part[1, 0] == -1 if part.dtype.kind == "i" else np.isnan(part[1, 0]))
    fine, none = call(np.array(GOOD, dtype), errors="info")
    assert none == 0
    assert [part.tobytes() for part in parts(fine)] == [part.tobytes() for part in alone]
    listed, codes = call(np.array([GOOD, bad], dtype), errors="info", like=[])
    assert codes == [0, code]
    assert all(
        isinstance(part, list) for part in (listed if isinstance(listed, tuple) else [listed])
    )


CALLS: dict[str, Callable[..., Any]] = {
    "cholesky": lambda a, **kw: linalg.cholesky(a @ np.swapaxes(a, -1, -2) + np.eye(len(a)), **kw),
    "det": linalg.det,
    "eig": linalg.eig,
    "eigh": linalg.eigh,
    "eigvals": linalg.eigvals,
    "eigvalsh": linalg.eigvalsh,
    "inv": linalg.inv,
    "lstsq": lambda a, **kw: linalg.lstsq(a, a[..., ::-1, :], **kw),
    "matmul": lambda a, **kw: linalg.matmul(a, a, **kw),
    "matrix_norm": lambda a, **kw: linalg.matrix_norm(a, ord="nuc", **kw),
    "matrix_power": lambda a, **kw: linalg.matrix_power(a, 3, **kw),
    "matrix_rank": linalg.matrix_rank,
    "outer": lambda a, **kw: linalg.outer(a.ravel()[:40], a.ravel()[40:90], **kw),
    "pinv": linalg.pinv,
    "qr": linalg.qr,
    "slogdet": linalg.slogdet,
    "solve": lambda a, **kw: linalg.solve(a, a[..., ::-1, :], **kw),
    "svd": linalg.svd,
    "svdvals": linalg.svdvals,
    "tensordot": lambda a, **kw: linalg.tensordot(a, a, axes=1, **kw),
    "vecdot": lambda a, **kw: linalg.vecdot(a, a[..., ::-1, :], **kw),
}


@pytest.mark.parametrize("name", CALLS)
def test_the_bits_do_not_depend_on_threads_strides_and_callers(name: str) -> None:
    n = 60 if name in ("eig", "eigvals") else 150
    a = np.random.default_rng(8).standard_normal((n, n))
    call = CALLS[name]
    expected = [part.tobytes() for part in parts(call(a))]
    for threads in (2, 3, 64):
        assert [part.tobytes() for part in parts(call(a, threads=threads))] == expected
    # A row times a column takes its sums in an order that depends on how it lies.
    if name != "vecdot":
        assert [part.tobytes() for part in parts(call(np.asfortranarray(a)))] == expected
    results: list[list[bytes]] = []

    def work() -> None:
        for _ in range(2):
            results.append([part.tobytes() for part in parts(call(a, threads=2))])

    workers = [threading.Thread(target=work) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert results == [expected] * 16


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 8])
def test_small_matrices_of_a_stack_have_the_bits_of_single_ones(n: int, dtype: str) -> None:
    rng = np.random.default_rng(n)
    stack = rng.standard_normal((9, n, n)).astype(dtype)
    if dtype.startswith("complex"):
        stack = (stack + 1j * rng.standard_normal((9, n, n))).astype(dtype)
    stack[4] = np.eye(n)
    right = stack[::-1].copy()
    functions: dict[str, Callable[..., Any]] = {
        **{name: getattr(linalg, name) for name in CALLS if name not in NOT_ALONE},
        "cholesky": lambda a: linalg.cholesky(
            a @ np.swapaxes(a.conj(), -1, -2) + np.eye(n, dtype=dtype)
        ),
        "matmul": lambda a: linalg.matmul(a, right if a.ndim == 3 else right[at]),
        "solve": lambda a: linalg.solve(a, right if a.ndim == 3 else right[at]),
        "lstsq": lambda a: linalg.lstsq(a, right if a.ndim == 3 else right[at]),
        "matrix_power": lambda a: linalg.matrix_power(a, 3),
        "matrix_norm": lambda a: linalg.matrix_norm(a, ord=2),
    }
    for name, function in functions.items():
        whole = parts(function(stack))
        for at in range(len(stack)):
            for form in (stack[at], np.asfortranarray(stack[at])):
                for part, alone in zip(whole, parts(function(form)), strict=True):
                    assert part[at].tobytes() == bits(alone, part), (name, at)


def outs() -> Iterator[Any]:
    """Arrays of two times two float64 that may be written."""
    yield np.zeros((2, 2))
    yield np.zeros((2, 2), order="F")
    yield np.zeros((4, 6))[1:3, ::-4]
    yield memoryview(array.array("d", [0.0] * 4)).cast("B").cast("d", (2, 2))


def test_results_are_written_to_where_out_says() -> None:
    expected = linalg.inv(GOOD).tolist()
    for out in outs():
        assert linalg.inv(GOOD, out=out) is out
        assert out.tolist() == expected
        assert linalg.matmul(GOOD, expected, out=out) is out
    vector = array.array("f", [0.0] * 2)
    assert linalg.solve(np.eye(2, dtype="f"), np.array([3, 4], "f"), out=vector) is vector
    assert vector.tolist() == [3, 4]
    # The operand itself may take the result.
    a = np.array(GOOD)
    assert linalg.inv(a, out=a) is a
    assert a.tolist() == expected
    stack = np.array([GOOD, SINGULAR])
    found, info = linalg.inv(stack, out=stack, errors="info")
    assert found is stack and info.tolist() == [0, 2]
    assert stack[0].tolist() == expected and np.isnan(stack[1]).all()
    values, vectors = np.zeros(2), np.zeros((2, 2))
    pair = linalg.eigh(GOOD, out=(values, vectors))
    assert type(pair) is linalg.EighResult
    assert pair.eigenvalues is values and pair.eigenvectors is vectors
    assert values.tolist() == linalg.eigvalsh(GOOD).tolist()
    number = np.zeros(())
    assert linalg.det(GOOD, out=number) is number and number == 11.0
    complex_values = np.zeros(2, complex)
    linalg.eigvals([[0, 1], [-1, 0]], out=complex_values)
    assert sorted(complex_values.imag) == [-1, 1]


def test_results_are_written_to_tensors() -> None:
    torch = pytest.importorskip("torch", reason="tensors need torch")
    out = torch.zeros(2, 2, dtype=torch.float64).T
    assert linalg.inv(GOOD, out=out) is out
    assert out.tolist() == linalg.inv(GOOD).tolist()
    u, s, vh = (torch.zeros(shape, dtype=torch.complex64) for shape in [(2, 2), (2,), (2, 2)])
    s = s.real.contiguous()
    operand = torch.tensor(GOOD, dtype=torch.complex64)
    found = linalg.svd(operand, out=(u, s, vh))
    assert found.U is u
    assert torch.allclose(u @ torch.diag(s).to(u.dtype) @ vh, operand)
    with pytest.raises(TypeError, match="out has items of type float32, the result float64"):
        linalg.inv(GOOD, out=torch.zeros(2, 2))


def read_only() -> Any:
    out = np.zeros((2, 2))
    out.flags.writeable = False
    return out


@pytest.mark.parametrize(
    ("out", "error", "message"),
    [
        (np.zeros((3, 2)), ValueError, "inv: out has the shape 3x2, the result 2x2"),
        (np.zeros(4), ValueError, "inv: out has the shape 4, the result 2x2"),
        (np.zeros((1, 2, 2)), ValueError, "inv: out has the shape 1x2x2, the result 2x2"),
        (np.zeros((2, 2), "f"), TypeError, "inv: out has items of type float32, the result"),
        (np.zeros((2, 2), complex), TypeError, "items of type complex128, the result float64"),
        (read_only(), TypeError, "inv: out cannot be written: it is read-only"),
        (bytes(32), TypeError, "inv: out cannot be written: it is read-only"),
        (Matrix(GOOD), TypeError, "inv: out is a Matrix, which is immutable: give an array"),
        ([[0.0, 0.0], [0.0, 0.0]], TypeError, "inv: out is an array that may be written, not list"),
        (7, TypeError, "inv: out is an array that may be written, not int"),
    ],
)
def test_an_out_that_does_not_fit_is_named_and_not_written(
    out: Any, error: type[Exception], message: str
) -> None:
    before = repr(out)
    with pytest.raises(error, match=message):
        linalg.inv(GOOD, out=out)
    assert repr(out) == before


def test_words_that_are_not_known_are_errors_that_name_what_is() -> None:
    calls = {**CALLS, "cross": None, "diagonal": None, "trace": None, "vector_norm": None}
    a = np.eye(3)
    for name, call in calls.items():
        call = call or getattr(linalg, name)
        with pytest.raises(TypeError, match=r"unexpected keyword argument 'nothing'"):
            call(a, nothing=1)
    for name, _, _, _, call in FAILING:
        with pytest.raises(
            ValueError, match=f'{name}: errors is "raise", "nan" or "info", not "no"'
        ):
            call(a, errors="no")
    for name, call in CALLS.items():
        for threads in (0, -1):
            with pytest.raises(ValueError, match=f"{name}: threads is at least 1, not {threads}"):
                call(np.eye(90), threads=threads)
        with pytest.raises(TypeError, match=f"{name}: give like or out, not both"):
            call(np.eye(90), like=[], out=np.zeros((2, 2)))
    for name in ("eig", "eigh", "qr", "slogdet", "svd", "lstsq"):
        with pytest.raises(TypeError, match=f"{name}: out is a tuple of [23] arrays"):
            CALLS[name](a, out=np.zeros((3, 3)))
    with pytest.raises(ValueError, match='qr: mode is "reduced" or "complete", not "full"'):
        linalg.qr(a, mode="full")  # type: ignore[call-overload]
    with pytest.raises(ValueError, match=r'matrix_norm: the norm is "fro", "nuc", .*, not 3'):
        linalg.matrix_norm(a, ord=3)
    with pytest.raises(ValueError, match=r"matmul: dtype is one of .*, not float8"):
        linalg.matmul(a, a, dtype="float8")  # type: ignore[call-overload]
    with pytest.raises(ValueError, match="vector_norm: ord is nan"):
        linalg.vector_norm([1.0], ord=NAN)


def test_nothing_is_written_where_a_part_of_out_does_not_fit() -> None:
    values, narrow = np.full(3, 7.0), np.full((3, 3), 7, dtype="float32")
    with pytest.raises(TypeError, match="eigh: out has items of type float32, the result float64"):
        linalg.eigh(np.eye(3), out=(values, narrow))
    assert values.tolist() == [7.0] * 3
    assert (narrow == 7).all()
    for n in (2, 9):
        odd = np.zeros((n, n), dtype=[("odd", "u1"), ("item", "f8")])["item"]
        with pytest.raises(TypeError, match="inv: out cannot be written: its items are not align"):
            linalg.inv(np.eye(n), out=odd)


def test_operands_of_numpy_give_the_same_wherever_they_lie() -> None:
    """Products and systems of single matrices read NumPy's items where they lie."""
    rng = np.random.default_rng(5)
    for dtype in ("float32", "float64", "complex64", "complex128", "float16", "int32", ">f8"):
        for m, k, n in [(1, 1, 1), (2, 3, 4), (5, 9, 1), (17, 8, 30)]:
            a, b = rng.integers(-9, 9, (m, k)), rng.integers(-9, 9, (k, n))
            whole, expected = (a.astype(dtype), b.astype(dtype)), a @ b
            spread = np.zeros((3 * m, 2 * k), dtype)
            spread[::3, ::2] = whole[0]
            packed = np.zeros(m * k + 1, dtype=[("odd", "u1"), ("item", dtype)])["item"]
            packed[1:] = whole[0].ravel()
            places = {
                "dense": whole[0],
                "by columns": np.asfortranarray(whole[0]),
                "spread": spread[::3, ::2],
                "backwards": whole[0][::-1, ::-1][::-1, ::-1],
                "mirrored": np.ascontiguousarray(whole[0][:, ::-1])[:, ::-1],
                "unaligned": packed[1:].reshape(m, k),
                "read-only": np.frombuffer(whole[0].tobytes(), dtype).reshape(m, k),
            }
            if dtype == ">f8":
                with pytest.raises(TypeError, match=">f8"):
                    linalg.matmul(*whole)
                continue
            for place, left in places.items():
                for threads in (1, 2):
                    found = linalg.matmul(left, whole[1], threads=threads)
                    assert np.asarray(found).tolist() == expected.tolist(), (dtype, place)
                column = linalg.matmul(left, whole[1][:, 0])
                assert np.asarray(column).tolist() == expected[:, 0].tolist(), (dtype, place)
                row = linalg.matmul(whole[1].T[0], left.T)
                assert np.asarray(row).tolist() == expected[:, 0].tolist(), (dtype, place)
    repeated = np.broadcast_to(np.array([2.0, 3.0]), (4, 2))
    assert linalg.matmul(repeated, [1.0, 1.0]).tolist() == [5.0] * 4
    assert linalg.matmul(np.zeros((2, 0)), np.zeros((0, 3))).tolist() == [[0.0] * 3] * 2
    with pytest.raises(ValueError, match="threads is at least 1, not 0"):
        linalg.matmul(repeated, [1.0, 1.0], threads=0)


def test_like_gives_the_kind_that_it_is() -> None:
    a = np.array(GOOD)
    expected = linalg.inv(a).tolist()
    for like in (a, np.zeros(0), [], Matrix([1])):
        found = linalg.inv(GOOD, like=like)
        assert type(found) is type(like)
        assert (found if isinstance(found, list) else found.tolist()) == expected
    for name, call in CALLS.items():
        b = np.random.default_rng(1).standard_normal((10, 10))
        for found, plain in zip(parts(call(b, like=a)), parts(call(b)), strict=True):
            assert found.tobytes() == plain.tobytes(), name
    assert all(type(part) is np.ndarray for part in linalg.svd(a, like=a))
    result = linalg.inv(a, like=a)
    result[0, 0] = 7
    with pytest.raises(
        TypeError, match=r"like is a list, a Matrix or an array .* not builtins.int"
    ):
        linalg.inv(a, like=3)


def test_like_gives_tensors() -> None:
    torch = pytest.importorskip("torch", reason="tensors need torch")
    tensor = torch.tensor(GOOD)
    found = linalg.inv(tensor, like=tensor)
    assert type(found) is torch.Tensor and found.dtype == torch.float32
    assert torch.allclose(found @ tensor, torch.eye(2), atol=1e-6)
    found += 1
    pair = linalg.eig(tensor, like=tensor)
    assert pair.eigenvalues.dtype == torch.complex64
    assert isinstance(linalg.inv(tensor, like=np.zeros(1)), np.ndarray)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform has no fork")
def test_the_child_of_a_fork_computes_with_threads_of_its_own() -> None:
    a = np.random.default_rng(9).standard_normal((300, 300))
    expected = linalg.matmul(a, a, threads=2).tobytes()
    for _ in range(3):
        child = os.fork()
        if child == 0:
            status = 1
            try:
                same = linalg.matmul(a, a, threads=2).tobytes() == expected
                linalg.solve(a, a, threads=2)
                linalg.svdvals(a[:60], threads=2)
                status = 0 if same else 2
            except BaseException:
                traceback.print_exc(file=sys.__stderr__)
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert linalg.matmul(a, a, threads=2).tobytes() == expected
