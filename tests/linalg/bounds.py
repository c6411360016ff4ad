"""What a decomposition owes: residuals, on LAPACK's kinds of test matrices."""

from __future__ import annotations

import math
from typing import Any

import numpy as np


def wide(a: Any) -> Any:
    """The numbers as float64 or complex128."""
    a = np.asarray(a)
    return a.astype("complex128" if np.iscomplexobj(a) else "float64")


def dagger(a: Any) -> Any:
    """The conjugate transposes of a stack."""
    return np.swapaxes(np.asarray(a), -1, -2).conj()


def exponent(a: Any) -> int:
    """The power of two that brings the largest item near one."""
    a = wide(a)
    largest = max(np.max(np.abs(part), initial=0) for part in (a.real, a.imag))
    return -int(np.frexp(largest)[1])


def scaled(a: Any, by: int) -> Any:
    """The numbers times a power of two, in steps that do not overflow."""
    a = wide(a)
    if np.iscomplexobj(a):
        return scaled(a.real, by) + 1j * scaled(a.imag, by)
    return np.ldexp(np.ldexp(a, by // 2), by - by // 2)


def norms(a: Any) -> Any:
    """The Frobenius norms of a stack."""
    return np.linalg.norm(wide(a), axis=(-2, -1)) if np.size(a) else np.zeros(np.shape(a)[:-2])


def bound(a: Any, dtype: str) -> Any:
    """Ten roundings for each row of matrices of this type, relative to one."""
    return 10 * max(*np.shape(a)[-2:], 1) * np.finfo(dtype).eps


def backward(product: Any, a: Any, dtype: str) -> None:
    """Assert that factors give their matrices back, to the bound or to the least normal number."""
    by = exponent(a)
    error = norms(scaled(wide(product) - wide(a), by))
    # What is below all normal numbers is rounded to what there is.
    least = math.ldexp(float(np.finfo(dtype).smallest_subnormal), by)
    allowed = bound(a, dtype) * (norms(scaled(a, by)) + least / np.finfo(dtype).eps)
    assert np.all(error <= allowed), (np.max(error / np.maximum(allowed, 1e-300)), dtype)


def unitary(q: Any, dtype: str) -> None:
    """Assert that the columns are orthonormal."""
    q = wide(q)
    assert np.all(norms(dagger(q) @ q - np.eye(q.shape[-1])) <= bound(q, dtype))


def kinds(n: int, dtype: str) -> dict[str, Any]:
    """The kinds of matrices that LAPACK tests its routines with, and others known for trouble."""
    rng = np.random.default_rng(n)
    i, j = np.indices((n, n))
    q, _ = np.linalg.qr(rng.standard_normal((n, n)))
    p, _ = np.linalg.qr(rng.standard_normal((n, n)))
    info = np.finfo(dtype)
    eps = float(info.eps)
    large, small = float(info.max) * 2.0**-27, float(info.tiny) * 2.0**27
    spread = np.arange(n) / max(n - 1, 1)
    graded = (0.3 + 0.7 * (i == j)) * 10.0 ** -(i + j).clip(max=30)
    found = {
        "zero": np.zeros((n, n)),
        "identity": np.eye(n),
        "diagonal": np.diag(rng.standard_normal(n)),
        "upper": np.triu(rng.standard_normal((n, n))),
        "random": rng.standard_normal((n, n)),
        "ones": np.ones((n, n)),
        "condition 1/eps": (q * eps**spread) @ p,
        "one large": (q * np.where(np.arange(n) == 0, 1, eps)) @ p,
        "one small": (q * np.where(np.arange(n) == n - 1, eps, 1)) @ p,
        "clustered": (q * (1 + eps * np.arange(n))) @ q.T,
        "graded": graded,
        "graded up": graded[::-1, ::-1].copy(),
        "hilbert": 1 / (i + j + 1.0),
        "kahan": np.triu(np.where(i == j, 1, -math.cos(1.2))) * math.sin(1.2) ** i,
        "wilkinson": np.diag(np.abs(np.arange(n) - n // 2.0)) + np.eye(n, k=1) + np.eye(n, k=-1),
        "wilkinson growth": np.eye(n) - np.tril(np.ones((n, n)), -1) + 1.0 * (j == n - 1) * (i < j),
        "jordan": np.eye(n, k=1),
        "rank one": np.outer(rng.standard_normal(n), rng.standard_normal(n)),
        "near overflow": rng.standard_normal((n, n)) * large,
        "near underflow": rng.standard_normal((n, n)) * small,
        "denormal": rng.integers(1, 9, (n, n)) * float(info.smallest_subnormal),
    }
    turn = (1 + 1j) / 2 if info.dtype != dtype else 1
    return {name: (a * turn).astype(dtype) for name, a in found.items()}
