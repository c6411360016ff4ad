"""MKL by ctypes: no NumPy on PyPI is linked to it. Matrices lie by columns, as LAPACK has them.

A call copies its operand where LAPACK overwrites it, as NumPy does.
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

from contestant import Library

COLUMNS, NO_TRANSPOSE, TRANSPOSE = 102, 111, 112


class Mkl(Library):
    """The functions of LAPACKE and CBLAS under NumPy's names."""

    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        os.environ["MKL_NUM_THREADS"] = str(threads)
        found = sorted(Path(sys.prefix, "lib").glob("libmkl_rt.so*"))
        if not found:
            raise LookupError("libmkl_rt is not in this environment")
        self.library = ctypes.CDLL(str(found[-1]))
        self.calls: dict[tuple[str, type], Any] = {}
        self.statements["svd"] = "svd(a)"

    def names(self) -> dict[str, Any]:
        own = ("matmul", "solve", "inv", "det", "cholesky", "qr", "eigvalsh", "eigh", "eigvals")
        rest = ("eig", "svdvals", "svd", "lstsq", "lu_factor")
        return {name: getattr(self, name) for name in own + rest}

    def run(self, name: str, of: Any, *arguments: Any) -> int:
        """Calls `name`, whose `?` is the type's letter; arrays go as pointers."""
        letter = "s" if of.dtype == np.float32 else "d"
        real = ctypes.c_float if letter == "s" else ctypes.c_double
        function = getattr(self.library, name.replace("?", letter))
        converted = []
        for each in arguments:
            if isinstance(each, np.ndarray):
                converted.append(ctypes.c_void_p(each.ctypes.data))
            elif isinstance(each, float):
                converted.append(real(each))
            elif isinstance(each, bytes):
                converted.append(ctypes.c_char(each))
            else:
                converted.append(ctypes.c_int(each))
        return int(function(*converted))

    @staticmethod
    def single(a: Any) -> int:
        if a.ndim > 2:
            raise LookupError("LAPACK has no stacks")
        return int(a.shape[0])

    def matmul(self, a: Any, b: Any) -> Any:
        n = self.single(a)
        if b.ndim == 1:
            y = np.empty(n, a.dtype)
            rest = (n, n, 1.0, a, n, b, 1, 0.0, y, 1)
            self.run("cblas_?gemv", a, 101, NO_TRANSPOSE, *rest)
            return y
        result = np.empty((n, n), a.dtype)
        turned = NO_TRANSPOSE if b.flags.c_contiguous else TRANSPOSE
        rest = (n, n, n, 1.0, a, n, b, n, 0.0, result, n)
        self.run("cblas_?gemm", a, 101, NO_TRANSPOSE, turned, *rest)
        return result

    def factored(self, a: Any) -> tuple[Any, Any]:
        n = self.single(a)
        lu, pivots = a.T.copy(), np.empty(n, np.int32)
        self.run("LAPACKE_?getrf", a, COLUMNS, n, n, lu, n, pivots)
        return lu, pivots

    def lu_factor(self, a: Any) -> Any:
        return self.factored(a)

    def solve(self, a: Any, c: Any) -> Any:
        n = self.single(a)
        # A matrix by rows is its transpose by columns.
        lu, pivots, x = a.T.copy(), np.empty(n, np.int32), c.copy()
        self.run("LAPACKE_?gesv", a, COLUMNS, n, 1, lu, n, pivots, x, n)
        return x

    def inv(self, a: Any) -> Any:
        n = self.single(a)
        lu, pivots = self.factored(a)
        self.run("LAPACKE_?getri", a, COLUMNS, n, lu, n, pivots)
        return lu

    def det(self, a: Any) -> Any:
        lu, pivots = self.factored(a)
        exchanges = np.count_nonzero(pivots != np.arange(1, len(pivots) + 1))
        return lu.diagonal().prod() * (-1.0) ** exchanges

    def cholesky(self, p: Any) -> Any:
        n = self.single(p)
        factor = p.copy()
        self.run("LAPACKE_?potrf", p, COLUMNS, b"U", n, factor, n)
        return np.tril(factor)

    def qr(self, a: Any) -> Any:
        n = self.single(a)
        q, tau = a.T.copy(), np.empty(n, a.dtype)
        self.run("LAPACKE_?geqrf", a, COLUMNS, n, n, q, n, tau)
        r = np.tril(q)
        self.run("LAPACKE_?orgqr", a, COLUMNS, n, n, n, q, n, tau)
        return q, r

    def symmetric(self, s: Any, job: bytes) -> tuple[Any, Any]:
        n = self.single(s)
        vectors, values = s.copy(), np.empty(n, s.dtype)
        self.run("LAPACKE_?syevd", s, COLUMNS, job, b"L", n, vectors, n, values)
        return values, vectors

    def eigvalsh(self, s: Any) -> Any:
        return self.symmetric(s, b"N")[0]

    def eigh(self, s: Any) -> Any:
        return self.symmetric(s, b"V")

    def general(self, a: Any, job: bytes) -> tuple[Any, Any]:
        n = self.single(a)
        copy, real, imaginary = a.T.copy(), np.empty(n, a.dtype), np.empty(n, a.dtype)
        vectors = np.empty((n, n), a.dtype)
        rest = (n, copy, n, real, imaginary, copy, n, vectors, n)
        self.run("LAPACKE_?geev", a, COLUMNS, b"N", job, *rest)
        return real + 1j * imaginary, vectors

    def eigvals(self, a: Any) -> Any:
        return self.general(a, b"N")[0]

    def eig(self, a: Any) -> Any:
        return self.general(a, b"V")

    def singular(self, a: Any, job: bytes) -> tuple[Any, Any, Any]:
        n = self.single(a)
        copy, values = a.T.copy(), np.empty(n, a.dtype)
        size = n if job == b"S" else 1
        u, v = np.empty((size, size), a.dtype), np.empty((size, size), a.dtype)
        self.run("LAPACKE_?gesdd", a, COLUMNS, job, n, n, copy, n, values, u, size, v, size)
        return u, values, v

    def svdvals(self, a: Any) -> Any:
        return self.singular(a, b"N")[1]

    def svd(self, a: Any) -> Any:
        return self.singular(a, b"S")

    def lstsq(self, a: Any, c: Any) -> Any:
        n = self.single(a)
        copy, x, values = a.T.copy(), c.copy(), np.empty(n, a.dtype)
        rank, tolerance = np.empty(1, np.int32), -1.0
        rest = (n, n, 1, copy, n, x, n, values, tolerance, rank)
        self.run("LAPACKE_?gelsd", a, COLUMNS, *rest)
        return x, rank[0], values
