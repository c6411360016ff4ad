"""Every function of the array API's linear algebra, on drawn operands, beside array-api-strict."""

from __future__ import annotations

import inspect
import math
from typing import Any

import pytest

np = pytest.importorskip("numpy", reason="NumPy is the oracle")
xp = pytest.importorskip("array_api_strict", reason="array-api-strict is the oracle")
pytest.importorskip("hypothesis", reason="operands are drawn by hypothesis")

from bounds import backward, bound, dagger, exponent, kinds, norms, scaled, unitary, wide  # noqa: E402
from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from nexus import linalg  # noqa: E402

settings.register_profile("nexus", max_examples=60, deadline=None, derandomize=True)
settings.load_profile("nexus")

MAIN = ["matmul", "matrix_transpose", "tensordot", "vecdot"]
DTYPES = st.sampled_from(["float32", "float64", "complex64", "complex128"])
SIZE = st.integers(0, 6)
STACK = st.lists(st.integers(0, 3), max_size=2).map(tuple)
LAYOUTS = st.sampled_from(["C", "F", "backward", "spread", "repeated"])


def laid_out(a: Any, layout: str) -> Any:
    """The same numbers, or those of one row, in other strides."""
    if a.ndim < 2 or not a.size:
        return a
    if layout == "F":
        return np.swapaxes(np.swapaxes(a, -1, -2).copy(), -1, -2)
    if layout == "backward":
        return a[..., ::-1, ::-1].copy()[..., ::-1, ::-1]
    if layout == "spread":
        room = np.full((*a.shape[:-1], 3 * a.shape[-1]), 9, a.dtype)
        room[..., 1::3] = a
        return room[..., 1::3]
    return a


@st.composite
def arrays(draw: Any, shape: Any, dtype: str) -> Any:
    """Numbers of a type in a shape, in any layout."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    a = rng.standard_normal(shape)
    if draw(st.booleans()):
        a = np.round(a * 2)
    if dtype.startswith("complex"):
        a = a + 1j * rng.standard_normal(shape)
    a = a.astype(dtype)
    layout = draw(LAYOUTS)
    if layout == "repeated" and a.ndim and a.size:
        return np.broadcast_to(a[..., :1, :] if a.ndim > 1 else a[:1], a.shape)
    return laid_out(a, layout)


def told(found: Any) -> tuple[Any, ...]:
    """The arrays of a result."""
    return tuple(found) if isinstance(found, tuple) else (found,)


def agree(
    name: str, *operands: Any, numbers: bool = True, factor: float = 1, **options: Any
) -> Any:
    """Assert that shapes, types and names are the oracle's, and with `numbers` the numbers too."""
    oracle = getattr(xp.linalg, name)(*(xp.asarray(a.copy()) for a in operands), **options)
    found = getattr(linalg, name)(*operands, **options)
    assert getattr(found, "_fields", None) == getattr(oracle, "_fields", None)
    for part, expected in zip(told(found), told(oracle), strict=True):
        expected = np.asarray(expected)
        part = np.asarray(part)
        assert part.shape == expected.shape, name
        if part.ndim and part.dtype.kind != "i":
            assert part.dtype == expected.dtype, name
        if numbers and part.size:
            real = expected.real.dtype if expected.dtype.kind in "fc" else np.dtype("float64")
            slack = factor * 1e4 * np.finfo(real).eps
            size = max(float(np.max(np.abs(expected))), 1.0)
            np.testing.assert_allclose(part, expected, rtol=slack, atol=slack * size)
    return found


def test_names_and_signatures_are_the_standards() -> None:
    names = [name for name in xp.linalg.__all__ if not name.startswith("_")]
    assert {"eigh", "vecdot", *MAIN} <= set(names)
    assert {"eig", "eigvals"} <= set(linalg.__all__)
    for name in names:
        own = inspect.signature(getattr(linalg, name)).parameters
        theirs = inspect.signature(getattr(xp.linalg, name)).parameters
        for key, parameter in theirs.items():
            if parameter.kind is parameter.POSITIONAL_ONLY:
                assert own[key].kind is parameter.kind, (name, key)
            else:
                assert own[key].kind is parameter.KEYWORD_ONLY, (name, key)
        positional = [key for key, p in own.items() if p.kind is p.POSITIONAL_ONLY]
        assert positional == [key for key, p in theirs.items() if p.kind is p.POSITIONAL_ONLY], name


@given(st.data(), DTYPES, STACK, SIZE, SIZE, SIZE)
def test_products(data: Any, dtype: str, stack: Any, m: int, k: int, n: int) -> None:
    a = data.draw(arrays((*stack, m, k), dtype))
    ours = stack[data.draw(st.integers(0, len(stack))) :]
    ours = tuple(data.draw(st.sampled_from([1, size])) for size in ours)
    b = data.draw(arrays((*ours, k, n), dtype))
    agree("matmul", a, b)
    agree("matrix_transpose", a)
    agree("tensordot", a, b[(0,) * len(ours)] if b.size else np.zeros((k, n), dtype), axes=1)
    c = data.draw(arrays((*stack, m, k), dtype))
    axes = data.draw(st.integers(0, a.ndim))
    agree("tensordot", a, np.moveaxis(c, range(-axes, 0), range(axes)) if axes else c, axes=axes)
    agree("vecdot", a, c)
    agree("vecdot", a, c, axis=-2)
    x, y = (data.draw(arrays((size,), dtype)) for size in (m, n))
    agree("outer", x, y)
    three = data.draw(arrays((*stack, 3), dtype))
    agree("cross", three, three[..., ::-1])


@given(st.data(), DTYPES, STACK, SIZE, SIZE)
def test_numbers_of_matrices(data: Any, dtype: str, stack: Any, m: int, n: int) -> None:
    a = data.draw(arrays((*stack, m, n), dtype))
    offset = data.draw(st.integers(-6, 6))
    agree("diagonal", a, offset=offset)
    agree("trace", a, offset=offset)
    keepdims = data.draw(st.booleans())
    orders = ["fro", "nuc"] + ([1, -1, 2, -2, math.inf, -math.inf] if m and n else [])
    agree("matrix_norm", a, ord=data.draw(st.sampled_from(orders)), keepdims=keepdims)
    order = data.draw(
        st.sampled_from([0, 1, 2, 3.5] + ([-1, math.inf, -math.inf] if a.size else []))
    )
    axis = data.draw(st.sampled_from([None, -1, 0, (-2, -1)]))
    agree("vector_norm", a, ord=order, axis=axis, keepdims=keepdims)
    agree("svdvals", a)
    if m and n:
        agree("matrix_rank", a)
        agree("pinv", a, rtol=1e-3, factor=1e4)


@given(st.data(), DTYPES, STACK, SIZE)
def test_systems(data: Any, dtype: str, stack: Any, n: int) -> None:
    a = data.draw(arrays((*stack, n, n), dtype))
    a = laid_out((a + 9 * np.eye(n)).astype(dtype), data.draw(LAYOUTS))
    agree("det", a)
    agree("slogdet", a)
    agree("inv", a)
    power = data.draw(st.integers(-3, 5))
    theirs = np.asarray(xp.linalg.matrix_power(xp.asarray(a.copy()), power))
    found = np.asarray(linalg.matrix_power(a, power))
    assert (found.shape, found.dtype) == (theirs.shape, theirs.dtype)
    size = np.max(np.abs(theirs), initial=0)
    assert np.allclose(found / (size or 1), theirs / (size or 1), atol=1e4 * np.finfo(dtype).eps)
    vector = data.draw(arrays((n,), dtype))
    matrix = data.draw(arrays((*stack, n, 2), dtype))
    for b in (vector, matrix):
        x = wide(agree("solve", a, b))
        if b.ndim == 1:
            x, b = x[..., None], b[:, None]
        error = norms(wide(a) @ x - b)
        assert np.all(error <= bound(a, dtype) * norms(a) * norms(x))
    definite = (wide(a) @ dagger(a)).astype(dtype)
    for upper in (False, True):
        factor = wide(agree("cholesky", definite, upper=upper))
        backward(dagger(factor) @ factor if upper else factor @ dagger(factor), definite, dtype)
    agree("eigvalsh", definite)


@given(st.data(), DTYPES, STACK, SIZE, SIZE)
def test_decompositions(data: Any, dtype: str, stack: Any, m: int, n: int) -> None:
    a = data.draw(arrays((*stack, m, n), dtype))
    mode = data.draw(st.sampled_from(["reduced", "complete"]))
    q, r = agree("qr", a, mode=mode, numbers=False)
    backward(wide(q) @ wide(r), a, dtype)
    unitary(q, dtype)
    full = data.draw(st.booleans())
    u, s, vh = map(wide, agree("svd", a, full_matrices=full, numbers=False))
    k = min(m, n)
    backward((u[..., :k] * s[..., None, :]) @ vh[..., :k, :], a, dtype)
    unitary(u, dtype)
    unitary(dagger(vh), dtype)
    if m == n:
        w, v = map(wide, agree("eigh", a, numbers=False))
        lower = wide(np.tril(a, -1))
        real = np.real(np.diagonal(a, axis1=-2, axis2=-1))[..., None] * np.eye(n)
        backward((v * w[..., None, :]) @ dagger(v), lower + dagger(lower) + real, dtype)
        unitary(v, dtype)


@given(st.data(), DTYPES, st.integers(1, 12), LAYOUTS)
@settings(max_examples=150)
def test_awkward_matrices(data: Any, dtype: str, n: int, layout: str) -> None:
    found = kinds(n, dtype)
    name = data.draw(st.sampled_from(sorted(found)))
    a = laid_out(found[name], layout)
    q, r = map(wide, linalg.qr(a))
    backward(q @ r, a, dtype)
    unitary(q, dtype)
    u, s, vh = map(wide, linalg.svd(a))
    backward((u * s) @ vh, a, dtype)
    unitary(u, dtype)
    unitary(dagger(vh), dtype)
    assert np.all(np.diff(s) <= 0) and np.all(s >= 0)
    backward(np.diag(wide(linalg.svdvals(a))), np.diag(s), dtype)
    w, v = map(wide, linalg.eigh(a))
    lower = wide(np.tril(a, -1))
    backward((v * w) @ dagger(v), lower + dagger(lower) + np.diag(np.real(np.diag(a))), dtype)
    unitary(v, dtype)
    backward(np.diag(wide(linalg.eigvalsh(a))), np.diag(w), dtype)
    # Growth of the pivots is what elimination promises nothing about.
    if name not in ("wilkinson growth", "denormal"):
        b = np.ones((n, 2), dtype)
        x, code = linalg.solve(a, b, errors="info")
        x = wide(x)
        if code == 0 and np.all(np.isfinite(x)):
            by = exponent(a)
            a, x = scaled(a, by), scaled(x, -by)
            assert np.all(norms(a @ x - b) <= bound(a, dtype) * norms(a) * norms(x))


@given(st.data(), DTYPES, SIZE, SIZE)
def test_bad_numbers_spread_or_are_named(data: Any, dtype: str, m: int, n: int) -> None:
    a = data.draw(arrays((m + 1, n + 1), dtype)).copy()
    bad = data.draw(st.sampled_from([math.nan, math.inf, -math.inf]))
    a[data.draw(st.integers(0, m)), data.draw(st.integers(0, n))] = bad
    for name in ("qr", "svd", "svdvals", "pinv"):
        for part in told(getattr(linalg, name)(a, errors="nan")):
            assert np.all(np.isnan(np.asarray(part))), name
    for name in ("inv", "eig", "eigvals", "cholesky", "det", "slogdet"):
        if m == n:
            extra = {} if name in ("det", "slogdet") else {"errors": "nan"}
            getattr(linalg, name)(a, **extra)
