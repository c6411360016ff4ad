"""Matrices and other objects' memory: buffers, DLPack, interfaces, pickles, views, `like=`."""

from __future__ import annotations

import array
import doctest
import gc
import hashlib
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from typing import Any

import pytest

from nexus import linalg
from nexus.linalg import Matrix

np = pytest.importorskip("numpy", reason="NumPy is the oracle")


def address(found: Any) -> int:
    return int(np.asarray(found).__array_interface__["data"][0])


def test_lists_tuples_arrays_and_buffers_are_operands() -> None:
    expected = [[1.0, 2.0], [3.0, 4.0]]
    for data in (
        [[1, 2], [3, 4]],
        ((1.0, 2), [3, 4.0]),
        [array.array("d", [1, 2]), array.array("f", [3, 4])],
        [np.float32(1) * np.array([1, 2]), Matrix([3, 4])],
        memoryview(array.array("d", [1, 2, 3, 4])).cast("B").cast("d", (2, 2)),
        [[np.float64(1), np.float32(2)], [np.int64(3), 4]],
    ):
        assert Matrix(data).tolist() == expected
    assert Matrix(array.array("i", [1, 2])).tolist() == [1.0, 2.0]
    assert Matrix(b"\x01\x02").tolist() == [1.0, 2.0]
    assert Matrix([[], []]).shape == (2, 0)
    assert Matrix([[1, 2]], dtype="float32").dtype == "float32"
    assert Matrix(range(3)).tolist() == [0.0, 1.0, 2.0]


@pytest.mark.parametrize(
    ("code", "dtype"),
    [
        ("e", "float16"),
        ("f", "float32"),
        ("d", "float64"),
        ("F", "complex64"),
        ("D", "complex128"),
        ("b", "int8"),
        ("B", "uint8"),
        ("h", "int16"),
        ("H", "int32"),
        ("i", "int32"),
        ("I", "int64"),
        ("q", "int64"),
        ("Q", "float64"),
    ],
)
def test_every_type_is_read_and_most_are_kept(code: str, dtype: str) -> None:
    source = np.arange(12).reshape(3, 4).astype(code)
    if code in "FD":
        source += 1j * source[::-1]
    for view in (source, source.T, source[::-1, ::2]):
        matrix = Matrix(view)
        assert np.array_equal(np.asarray(matrix), view)
        assert matrix.dtype == dtype
        assert matrix.tolist() == view.tolist()
        for door in (Interface, Struct, Exporter):
            assert np.array_equal(np.asarray(Matrix(door(view))), view)
        assert np.array_equal(np.from_dlpack(matrix), view)
        assert pickle.loads(pickle.dumps(matrix, 5)).tolist() == view.tolist()
        assert pickle.loads(pickle.dumps(matrix, 4)).dtype == dtype
        if code not in "HIQ":
            assert address(matrix) == address(view)
    unaligned = np.frombuffer(b"\0" + source.tobytes(), code, offset=1)
    assert np.array_equal(np.asarray(Matrix(unaligned)), unaligned)


def test_floats_are_shared_both_ways_and_kept_alive() -> None:
    source = np.arange(400.0).reshape(20, 20)
    matrix = Matrix(source)
    assert address(matrix) == address(source)
    assert address(matrix.T) == address(source)
    assert address(matrix[3:, 2]) == address(source[3:, 2])
    assert address(np.from_dlpack(matrix)) == address(source)
    expected = source.copy()
    kept = [np.from_dlpack(matrix.T), np.asarray(matrix[::-2, 1:]), memoryview(matrix)]
    del source, matrix
    gc.collect()
    assert np.array_equal(kept[0], expected.T)
    assert np.array_equal(kept[1], expected[::-2, 1:])
    assert kept[2].tolist() == expected.tolist()
    assert not kept[0].flags.writeable
    assert not kept[1].flags.writeable


class Interface:
    """An object that has nothing but an array interface."""

    def __init__(self, source: Any) -> None:
        self.source = source
        self.__array_interface__ = source.__array_interface__


class Struct:
    """An object that has nothing but the array interface in C."""

    def __init__(self, source: Any) -> None:
        self.source = source
        self.__array_struct__ = source.__array_struct__


class Exporter:
    """An object that has nothing but DLPack, in the form before 1.0."""

    def __init__(self, source: Any) -> None:
        self.source = source

    def __dlpack__(self, stream: None = None) -> Any:
        return self.source.__dlpack__()

    def __dlpack_device__(self) -> tuple[int, int]:
        return (1, 0)


@pytest.mark.parametrize("door", [Interface, Struct, Exporter])
def test_array_interfaces_and_dlpack_are_doors_without_copies(door: Any) -> None:
    source = np.arange(600.0).reshape(20, 30)
    for view in (source, source.T, source[::-1, ::3]):
        matrix = Matrix(door(view))
        assert np.array_equal(np.asarray(matrix), view)
        assert address(matrix) == address(view)
    assert Matrix(door(np.arange(3, dtype="int32"))).tolist() == [0.0, 1.0, 2.0]
    with pytest.raises((TypeError, BufferError)):
        Matrix(door(np.zeros(3, bool)))


def test_tensors_go_in_and_come_back() -> None:
    torch = pytest.importorskip("torch", reason="tensors need torch")
    source = torch.arange(600, dtype=torch.float64).reshape(20, 30).T
    matrix = Matrix(source)
    assert address(matrix) == source.data_ptr()
    assert torch.equal(torch.from_dlpack(matrix), source)
    half = Matrix(source.to(torch.bfloat16))
    assert half.dtype == "bfloat16"
    assert torch.equal(torch.from_dlpack(half), source.to(torch.bfloat16))
    assert linalg.matmul(half, half.T).dtype == "float32"
    for dtype in (torch.complex64, torch.complex128, torch.int8, torch.float16):
        other = source.to(dtype)
        assert torch.equal(torch.from_dlpack(Matrix(other)), other)
    product = linalg.matmul(source.T, source, like=source)
    assert isinstance(product, torch.Tensor)
    assert torch.allclose(product, source.T @ source)
    product += 1
    with pytest.raises((TypeError, BufferError, RuntimeError)):
        Matrix(torch.ones(2, requires_grad=True))


def test_what_tensors_cannot_share_is_refused_whatever_came_before() -> None:
    torch = pytest.importorskip("torch", reason="tensors need torch")

    class Tensor(torch.Tensor):  # type: ignore[misc]
        def __dlpack__(self, **options: Any) -> Any:
            raise BufferError("not this one")

    turned = torch.ones(2, 2, dtype=torch.complex64)
    refused = [
        (torch.ones(2, 2, requires_grad=True), "require gradient"),
        (torch.nn.Parameter(torch.ones(2, 2)), "require gradient"),
        (turned.conj(), "conjugate bit"),
        (torch.eye(2).to_sparse(), "strided"),
        (torch.ones(2, device="meta"), "meta"),
        (torch.ones(2, 2).as_subclass(Tensor), "not this one"),
    ]
    for _ in range(2):
        for tensor, message in refused:
            with pytest.raises(BufferError, match=message):
                Matrix(tensor)
        with pytest.raises(TypeError, match="no numbers"):
            Matrix(torch.ones(2, dtype=torch.bool))
        # The type of tensors is known from here on.
        assert Matrix(turned).dtype == "complex64"


def test_tensors_live_as_long_as_what_views_them() -> None:
    torch = pytest.importorskip("torch", reason="tensors need torch")
    for shape in [(), (0, 3), (2, 2), (40, 50), (3, 4, 5)]:
        tensor = torch.rand(shape, dtype=torch.float64)
        expected = tensor.tolist()
        matrices = [Matrix(tensor) for _ in range(3)]
        del tensor
        gc.collect()
        assert all(np.asarray(matrix).tolist() == expected for matrix in matrices)
    out = torch.zeros(2, 2, dtype=torch.float64).T
    operand = torch.tensor([[1.0, 2.0], [3.0, 4.0]], dtype=torch.float64)
    linalg.inv(operand, out=out)
    assert torch.allclose(out @ operand, torch.eye(2).to(out))
    like = torch.zeros(0)
    inverses = [linalg.inv(np.eye(n) * 2, like=like) for n in (2, 2, 40)]
    gc.collect()
    for inverse in inverses:
        assert type(inverse) is torch.Tensor
        inverse += 1
        assert torch.equal(inverse, torch.eye(len(inverse), dtype=torch.float64) / 2 + 1)


def test_like_takes_a_library() -> None:
    inverse = linalg.inv([[2, 0], [0, 2]], like=np)
    assert type(inverse) is np.ndarray
    assert inverse.flags.writeable
    assert linalg.svd([[2, 0], [0, 2]], like=np).S.tolist() == [2.0, 2.0]
    with pytest.raises(TypeError, match="like is a library without `from_dlpack`: gc"):
        linalg.inv([[2.0]], like=gc)
    torch = pytest.importorskip("torch", reason="tensors need torch")
    assert type(linalg.inv([[2.0]], like=torch)) is torch.Tensor


def test_like_names_the_kind_of_the_result() -> None:
    a = np.eye(3) * 2
    assert linalg.inv(a, like=[]) == [[0.5, 0, 0], [0, 0.5, 0], [0, 0, 0.5]]
    for n in (3, 30):
        inverse = linalg.inv(np.eye(n) * 2, like=a)
        assert isinstance(inverse, np.ndarray)
        assert inverse.flags.writeable
        assert np.array_equal(inverse, np.eye(n) / 2)
    assert isinstance(linalg.inv(a), Matrix)
    assert isinstance(linalg.inv(a, like=Matrix([1])), Matrix)
    parts = linalg.svd(a, like=a)
    assert type(parts) is linalg.SVDResult
    assert all(isinstance(part, np.ndarray) for part in parts)
    assert linalg.det(a, like=a) == 8.0
    with pytest.raises(TypeError, match="like is a list, a Matrix or an array"):
        linalg.inv(a, like=7)


def test_operators_equal_numpy_and_keep_the_type() -> None:
    for dtype in ("float32", "float64"):
        a = np.arange(6, dtype=dtype).reshape(2, 3) + 1
        row = np.array([3, 2, 1], dtype)
        m = Matrix(a)
        for found, expected in [
            (m + m, a + a),
            (m - row, a - row),
            (m * 2, a * 2),
            (2.5 - m, 2.5 - a),
            (1 / m, 1 / a),
            (m / m.T[0, 0], a / a[0, 0]),
            (-m, -a),
            (+m, a),
            ([[1], [2]] * m, [[1], [2]] * a),
            (m @ m.T, a @ a.T),
        ]:
            assert isinstance(found, Matrix)
            np.testing.assert_allclose(np.asarray(found), expected, rtol=1e-6)
        assert (m * 2).dtype == dtype
    with pytest.raises(linalg.LinAlgError, match="cannot add 2x3 and 2x2: the shapes differ"):
        m + np.ones((2, 2))
    with pytest.raises(TypeError, match="unsupported operand"):
        m + "text"  # type: ignore[operator]


def test_indexing_equals_numpy() -> None:
    a = np.arange(60.0).reshape(3, 4, 5)
    m = Matrix(a)
    for key in [
        0,
        -1,
        (1, 2),
        (1, 2, 3),
        slice(None, None, -1),
        (slice(1, 3), ..., 0),
        ...,
        (..., slice(0, 0)),
        (0, slice(3, 0, -2)),
        (slice(5, 9),),
        (..., -1),
        (2, ..., slice(None, None, 2)),
        (),
    ]:
        found, expected = m[key], a[key]
        assert np.array_equal(np.asarray(found), expected), key
        assert np.shape(found) == np.shape(expected)
    assert isinstance(m[0, 0, 0], float)
    assert [row.tolist() for row in Matrix([[1, 2], [3, 4]])] == [[1.0, 2.0], [3.0, 4.0]]
    for bad, message in [
        (3, "3 is out of range for 3"),
        ((0, -5), "-5 is out of range for 4"),
        ((0, 0, 0, 0), "4 indices are too many for 3x4x5"),
        ((..., ...), "at most one"),
    ]:
        with pytest.raises(IndexError, match=message):
            m[bad]
    with pytest.raises(TypeError, match="an index is a number"):
        m["x"]


def test_text_shows_shape_type_and_items() -> None:
    assert repr(Matrix([1, 2.5])) == "Matrix 2 float64\n  [1, 2.5]"
    assert repr(Matrix([[[1]], [[2]]])) == "Matrix 2x1x1 float64\n  [1]\n\n  [2]"
    assert repr(Matrix([[1e300, 1e-9]])) == "Matrix 1x2 float64\n  [1e300, 1e-9]"
    assert repr(Matrix([[], []])) == "Matrix 2x0 float64"
    lines = repr(Matrix(np.ones((9, 9)))).splitlines()
    assert lines[1] == "  [1, 1, 1, ..., 1, 1, 1]"
    assert lines[4] == "  ..."
    assert len(lines) == 8


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_pickles_come_back(protocol: int) -> None:
    source = np.arange(600.0).reshape(20, 30)
    ranks = linalg.matrix_rank(np.ones((3, 2, 2)))
    for matrix in (Matrix(source), Matrix(source.T), Matrix([[1, 2]], dtype="float32"), ranks):
        back = pickle.loads(pickle.dumps(matrix, protocol))
        assert (back.shape, back.dtype, back.tolist()) == (
            matrix.shape,
            matrix.dtype,
            matrix.tolist(),
        )


def test_protocol_5_takes_items_out_of_band_without_a_copy() -> None:
    matrix = Matrix(np.arange(600.0).reshape(20, 30))
    buffers: list[pickle.PickleBuffer] = []
    data = pickle.dumps(matrix, 5, buffer_callback=buffers.append)
    assert len(data) < 300
    assert address(pickle.loads(data, buffers=buffers)) == address(matrix)


def test_a_matrix_is_read_only() -> None:
    matrix = Matrix(np.ones((3, 3)))
    with pytest.raises(TypeError):
        memoryview(matrix)[0, 0] = 2
    with pytest.raises(TypeError):
        matrix[0, 0] = 2
    # DLPack before 1.0 cannot say that memory is read-only: it gets a copy.
    assert address(np.from_dlpack(Exporter(matrix))) != address(matrix)
    assert address(np.from_dlpack(matrix)) == address(matrix)
    with pytest.raises(BufferError, match="without a copy"):
        matrix.__dlpack__(copy=False)


def test_buffers_of_views_say_their_strides_or_refuse() -> None:
    view = Matrix(np.arange(12.0).reshape(3, 4)).T
    assert memoryview(view).strides == (8, 32)
    assert memoryview(view).f_contiguous
    with pytest.raises(BufferError, match="do not lie in the order asked for"):
        hashlib.sha256(view[::2])


def test_ctrl_c_ends_a_long_call_at_once() -> None:
    code = """
import time
from nexus import linalg
a = linalg.Matrix([[float((i * j) % 97) for j in range(900)] for i in range(900)])
print("ready", flush=True)
try:
    while True:
        linalg.svd(a)
except KeyboardInterrupt:
    print("ended", flush=True)
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.2)  # The call has begun; where it has not, the loop is interrupted as well.
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "ended\n"
    assert process.returncode == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_computes() -> None:
    a = np.eye(300) * 2
    linalg.solve(a, a, threads=2)
    child = os.fork()
    if child == 0:
        same = np.array_equal(np.asarray(linalg.matmul(a, a, threads=2)), a @ a)
        os._exit(0 if same else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_eight_threads_get_the_same_bits() -> None:
    a = np.random.default_rng(1).standard_normal((60, 60))
    expected = linalg.svd(a).U.tobytes()
    found: list[bytes] = []
    workers = [
        threading.Thread(target=lambda: found.append(linalg.svd(a).U.tobytes())) for _ in range(8)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert found == [expected] * 8


def test_examples_in_the_module_run() -> None:
    assert doctest.testmod(linalg).attempted > 0
    assert doctest.testmod(linalg).failed == 0
    finder = doctest.DocTestFinder()
    runner = doctest.DocTestRunner()
    for test in finder.find(Matrix, "Matrix", module=False, globs={}):
        runner.run(test)
    assert runner.summarize().failed == 0
