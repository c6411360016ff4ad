"""Products of whole numbers and of narrow floats, and weights in blocks, against NumPy."""

from __future__ import annotations

import gc
import json
import pickle
import subprocess
import sys
import weakref
from pathlib import Path
from typing import Any

import pytest

from nexus import linalg
from nexus.linalg import Matrix, QMatrix

np = pytest.importorskip("numpy", reason="NumPy is the oracle")

ROOT = Path(__file__).parents[2]
GGUF_FILES = ROOT / "crates/convert/tests/files"
SHAPES = [(1, 1, 1), (3, 5, 2), (1, 70, 9), (9, 70, 1), (33, 300, 17), (2, 0, 3), (0, 4, 2)]
WHOLE = ["int8", "uint8", "int16", "int32", "int64"]
FORMATS = [("q8_0", 34, 127), ("q4_0", 18, 7)]
# Without their types, to give them what these forbid.
Q: Any = QMatrix
untyped: Any = linalg


def whole(rng: Any, shape: tuple[int, ...], dtype: str) -> Any:
    """Whole numbers out of the whole range of a type."""
    limits = np.iinfo(dtype)
    return rng.integers(limits.min, limits.max, shape, dtype=dtype, endpoint=True)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("dtype", WHOLE)
def test_products_of_whole_numbers_wrap_around_as_in_numpy(dtype: str, threads: int) -> None:
    rng = np.random.default_rng(1)
    for m, k, n in SHAPES:
        a, b = whole(rng, (m, k), dtype), whole(rng, (k, n), dtype)
        for left, right in ((a, b), (a[::-1], b[:, ::-1]), (np.asfortranarray(a), b)):
            product = linalg.matmul(left, right, threads=threads)
            assert product.dtype == dtype
            assert np.array_equal(np.asarray(product), left @ right)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("int8", "int8"),
        ("uint8", "int8"),
        ("int8", "uint8"),
        ("uint8", "uint8"),
        ("int16", "int16"),
    ],
)
def test_sums_of_a_wider_type_are_exact(left: str, right: str) -> None:
    rng = np.random.default_rng(2)
    for m, k, n in SHAPES:
        a, b = whole(rng, (m, k), left), whole(rng, (k, n), right)
        product = linalg.matmul(a, b, dtype="int32")
        assert product.dtype == "int32"
        assert np.array_equal(np.asarray(product), a.astype("int32") @ b.astype("int32"))


def test_types_of_whole_numbers_combine_as_in_numpy() -> None:
    rng = np.random.default_rng(3)
    for left in WHOLE:
        for right in WHOLE:
            a, b = whole(rng, (3, 4), left), whole(rng, (4, 2), right)
            product = linalg.matmul(a, b)
            assert (product.dtype, product.tolist()) == (str((a @ b).dtype), (a @ b).tolist())


def test_stacks_and_vectors_of_whole_numbers() -> None:
    rng = np.random.default_rng(4)
    a, b = whole(rng, (5, 1, 3, 4), "int8"), whole(rng, (2, 4, 6), "int8")
    product = linalg.matmul(a, b, dtype="int32")
    assert np.array_equal(np.asarray(product), a.astype("int32") @ b.astype("int32"))
    vector = whole(rng, (4,), "int64")
    assert untyped.matmul(vector, vector) == int(vector @ vector)


@pytest.mark.parametrize("m", [1, 7, 40])
def test_float16_products_are_those_of_float32(m: int) -> None:
    rng = np.random.default_rng(5)
    a = rng.standard_normal((m, 130)).astype("float16")
    b = rng.standard_normal((130, 23)).astype("float16")
    product = linalg.matmul(a, b)
    assert product.dtype == "float32"
    exact = a.astype("float64") @ b.astype("float64")
    bound = 130 * 2.0**-24 * (abs(a.astype("float64")) @ abs(b.astype("float64")))
    assert (abs(np.asarray(product) - exact) <= bound).all()


@pytest.mark.parametrize("name", ["bfloat16", "float16"])
def test_products_of_narrow_tensors_are_those_of_torch_in_float32(name: str) -> None:
    torch = pytest.importorskip("torch", reason="torch is the oracle of bfloat16")
    torch.manual_seed(6)
    dtype = getattr(torch, name)
    a, b = torch.randn(9, 200).to(dtype), torch.randn(200, 31).to(dtype)
    product = linalg.matmul(a, b, like=a)
    assert product.dtype == torch.float32
    exact = a.double() @ b.double()
    bound = 200 * 2.0**-24 * (a.double().abs() @ b.double().abs())
    assert ((product.double() - exact).abs() <= bound).all()


@pytest.mark.parametrize(("name", "size", "steps"), FORMATS)
@pytest.mark.parametrize("shape", [(1, 1), (3, 32), (5, 70), (70, 300), (0, 5), (2, 0)])
def test_no_weight_moves_by_more_than_half_a_step(
    name: Any, size: int, steps: int, shape: tuple[int, int]
) -> None:
    weights = np.random.default_rng(7).standard_normal(shape).astype("float32")
    q = QMatrix(weights, name)
    blocks = -(-shape[1] // 32)
    assert (q.shape, q.format, q.nbytes) == (shape, name, shape[0] * blocks * size)
    assert repr(q) == f"QMatrix {shape[0]}x{shape[1]} {name}"
    back = np.asarray(q.dequantize())
    assert back.dtype == "float32"
    for start in range(0, shape[1], 32):
        part = np.s_[:, start : start + 32]
        step = abs(weights[part]).max(axis=1, keepdims=True) / steps
        assert (abs(back[part] - weights[part]) <= step * 0.501).all()


@pytest.mark.parametrize(("name", "size", "steps"), FORMATS)
def test_products_with_weights_in_blocks(name: Any, size: int, steps: int) -> None:
    rng = np.random.default_rng(8)
    q = QMatrix(rng.standard_normal((45, 150)), format=name)
    weights = np.asarray(q.dequantize()).astype("float64")
    x = rng.standard_normal((150, 20)).astype("float32")
    # A matrix is multiplied in float32.
    product = np.asarray(q @ x)
    assert (product.shape, product.dtype) == ((45, 20), "float32")
    assert np.allclose(product, weights @ x, rtol=1e-4, atol=1e-4)
    assert np.array_equal(linalg.matmul(q, x, threads=2), product)
    assert np.array_equal(linalg.matmul(q.dequantize(), x), product)
    assert np.allclose(np.asarray(q.linear(x.T)), product.T, rtol=1e-5, atol=1e-5)
    # Each 32 items of a vector are rounded to 127ths of the largest one.
    for column in x.T:
        steps_of_x = np.repeat([abs(column[i : i + 32]).max() / 127 for i in range(0, 150, 32)], 32)
        bound = abs(weights) @ (steps_of_x[:150] / 2) * 1.001 + 1e-4
        product = np.asarray(q @ column)
        assert product.shape == (45,)
        assert (abs(product - weights @ column) <= bound).all()
        assert np.array_equal(q.linear(column, threads=2), product)
        assert np.array_equal(linalg.matmul(q, column, dtype="float32"), product)


def test_stacks_of_vectors_and_of_matrices() -> None:
    rng = np.random.default_rng(9)
    q = QMatrix(rng.standard_normal((6, 40)))
    x = rng.standard_normal((2, 3, 40, 5)).astype("float32")
    stack = np.asarray(q @ x)
    assert stack.shape == (2, 3, 6, 5)
    assert np.array_equal(stack[1, 2], q @ x[1, 2])
    rows = np.asarray(q.linear(np.swapaxes(x, 2, 3)))
    assert rows.shape == (2, 3, 5, 6)
    assert np.allclose(rows, np.swapaxes(stack, 2, 3), rtol=1e-5, atol=1e-5)
    assert q.linear(np.zeros((0, 40))).shape == (0, 6)


def test_results_go_where_like_and_out_say() -> None:
    q = QMatrix([[1.0, 2.0], [3.0, 4.0]])
    out = np.empty((2, 2), "float32")
    assert q.dequantize(out=out) is out
    assert np.allclose(out, [[1, 2], [3, 4]], atol=0.02)
    assert isinstance(q.linear(out, like=out), np.ndarray)
    assert isinstance(linalg.matmul(q, [[1], [1]], like=[]), list)
    assert linalg.matmul(q, out, out=out) is out


@pytest.mark.parametrize(("name", "size", "steps"), FORMATS)
def test_blocks_are_shared_with_their_buffer(name: Any, size: int, steps: int) -> None:
    q = QMatrix(np.random.default_rng(10).standard_normal((4, 64)), name)
    data = bytearray(q.blocks())
    assert len(data) == q.nbytes == 4 * 2 * size
    shared = QMatrix.from_blocks(data, name, (4, 64))
    assert np.asarray(shared.blocks()).ctypes.data == np.frombuffer(data, "uint8").ctypes.data
    assert shared.blocks().readonly
    assert np.array_equal(shared.dequantize(), q.dequantize())
    data[:2] = np.float16(0).tobytes()
    assert np.asarray(shared.dequantize())[0, :32].tolist() == [0.0] * 32
    reference = weakref.ref(shared)
    with pytest.raises(BufferError):
        data.append(0)
    del shared
    gc.collect()
    assert reference() is None
    data.append(0)


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_pickles_hold_the_blocks_and_protocol_5_takes_them_out(protocol: int) -> None:
    q = QMatrix(np.random.default_rng(11).standard_normal((3, 50)), "q4_0")
    again = pickle.loads(pickle.dumps(q, protocol))
    assert (again.shape, again.format, bytes(again.blocks())) == (
        q.shape,
        "q4_0",
        bytes(q.blocks()),
    )
    if protocol >= 5:
        buffers: list[pickle.PickleBuffer] = []
        small = pickle.dumps(q, protocol, buffer_callback=buffers.append)
        assert len(buffers) == 1
        assert len(small) < 200
        assert bytes(pickle.loads(small, buffers=buffers).blocks()) == bytes(q.blocks())


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: Q(), TypeError, r"QMatrix\(\) takes weights"),
        (lambda: Q([[1]], "q8_0", 1), TypeError, r"takes at most 2 arguments \(3 given\)"),
        (lambda: Q([[1]], "q8_0", format="q8_0"), TypeError, "multiple values .* 'format'"),
        (lambda: Q(weights=[[1]]), TypeError, "takes weights by position alone"),
        (lambda: Q([[1]], "q5_0"), ValueError, 'format is "q8_0" or "q4_0", not "q5_0"'),
        (lambda: Q([1.0]), ValueError, "expected a matrix of weights, found 1"),
        (lambda: Q([[1j]]), TypeError, "expected real numbers, not complex128"),
        (lambda: Q([[1, float("nan")]]), ValueError, r"NaN at \(0, 1\)"),
        (lambda: Q([[1, float("inf")]]), ValueError, r"an infinity at \(0, 1\)"),
        (lambda: Q([[1e30]]), ValueError, "a weight of row 0 is too large"),
        (lambda: Q.from_blocks(bytes(33), "q8_0", (1, 32)), ValueError, "needs 34 bytes"),
        (lambda: Q.from_blocks([1.0], "q8_0", (1, 32)), TypeError, "not items of type"),
        (lambda: Q.from_blocks(bytes(34)), TypeError, "takes data, format and shape"),
        (
            lambda: Q([[1, 2]]) @ [1, 2, 3],
            ValueError,
            "by 3: the inner sizes differ",
        ),
        (lambda: Q([[1, 2]]) @ [[1]], ValueError, "the inner sizes differ"),
        (lambda: Q([[1, 2]]) @ [1j, 2], TypeError, "expected real numbers"),
        (lambda: Q([[1, 2]]) @ None, TypeError, "unsupported operand"),
        (lambda: Matrix([[1, 2]]) @ Q([[1], [2]]), TypeError, r"q.linear\(x\) is x @ W.T"),
        (lambda: Q([[1, 2]]).linear([[1]]), ValueError, "do not fit the 1x2 matrix: 2 items"),
        (lambda: Q([[1, 2]]).linear([1, 2], threads=0), ValueError, "threads is at least 1"),
        (lambda: Q([[1, 2]]).linear([1, 2], axis=1), TypeError, "keyword argument 'axis'"),
        (lambda: untyped.matmul(Q([[1]]), [1], dtype="int8"), TypeError, "is float32"),
        (lambda: untyped.det(Q([[1]])), TypeError, "expected a Matrix, .* not QMatrix"),
    ],
)
def test_bad_input_is_named(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_nan_and_infinity_in_a_vector_make_its_product_nan() -> None:
    q = QMatrix([[1.0, 2.0], [0.0, 1.0]])
    for x in (float("nan"), float("inf")):
        assert np.isnan(np.asarray(q @ [x, 1.0])).all()


def test_every_interpreter_has_a_type_of_its_own() -> None:
    code = """
try:
    import _interpreters as interpreters
    def run(code):
        found = interpreters.create()
        failed = interpreters.exec(found, code)
        interpreters.destroy(found)
        assert failed is None, failed
except ImportError:
    import _xxsubinterpreters as interpreters
    def run(code):
        found = interpreters.create()
        interpreters.run_string(found, code)
        interpreters.destroy(found)
each = '''
import pickle
from nexus.linalg import QMatrix
q = QMatrix([[1.0] * 64] * 3)
assert q.linear([1.0] * 64).shape == (3,)
assert type(pickle.loads(pickle.dumps(q))) is QMatrix
'''
for _ in range(3):
    run(each)
exec(each)
print("done")
"""
    command = [sys.executable, "-c", code]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (ended.stdout, ended.stderr) == ("done\n", "")


def gguf_tensor(data: bytes, name: str) -> tuple[int, tuple[int, ...], int]:
    """Find a tensor in a GGUF file: its type, its shape and where its data start.

    The reader is as small as the format allows; this file's metadata are one number.
    """

    def number(at: int, size: int) -> int:
        return int.from_bytes(data[at : at + size], "little")

    assert data[:4] == b"GGUF"
    tensors, keys, at = number(8, 8), number(16, 8), 24
    alignment = 32
    for _ in range(keys):
        length = number(at, 8)
        key, kind = data[at + 8 : at + 8 + length], number(at + 8 + length, 4)
        at += 12 + length
        if kind == 4:  # a number of 32 bits
            alignment = number(at, 4) if key == b"general.alignment" else alignment
            at += 4
        else:
            assert kind == 8, "text"
            at += 8 + number(at, 8)
    found = None
    for _ in range(tensors):
        length = number(at, 8)
        label = data[at + 8 : at + 8 + length].decode()
        at += 8 + length
        rank = number(at, 4)
        sizes = tuple(number(at + 4 + 8 * i, 8) for i in range(rank))
        at += 4 + 8 * rank
        if label == name:
            found = (number(at, 4), sizes[::-1], number(at + 4, 8))
        at += 12
    assert found is not None
    start = -(-at // alignment) * alignment
    return found[0], found[1], start + found[2]


@pytest.mark.parametrize(
    ("tensor", "name", "kind", "size"), [("q8", "q8_0", 8, 34), ("q4", "q4_0", 2, 18)]
)
def test_blocks_of_a_gguf_file_are_weights(tensor: str, name: Any, kind: int, size: int) -> None:
    data = (GGUF_FILES / "quantized.gguf").read_bytes()
    shape = (3, 64)
    found, sizes, start = gguf_tensor(data, tensor)
    assert (found, sizes) == (kind, shape)
    part = memoryview(data)[start : start + 3 * 2 * size]
    q = QMatrix.from_blocks(part, name, shape)
    # What the gguf package makes of the same blocks.
    data = (GGUF_FILES / "quantized.f32.safetensors").read_bytes()
    length = int.from_bytes(data[:8], "little")
    first, last = json.loads(data[8 : 8 + length])[tensor]["data_offsets"]
    expected = np.frombuffer(data[8 + length :][first:last], "float32").reshape(shape)
    assert np.array_equal(q.dequantize(), expected)
