"""Linear algebra on nested lists, buffers, NumPy arrays and tensors; needs no third-party package.

The functions have the names, signatures and named tuples of the array API standard's linear
algebra extension, and take stacks of matrices. Results are of type `Matrix`; with ``like=`` they
are what its argument is: a list, a NumPy array, a tensor.

>>> from nexus import linalg
>>> linalg.solve([[2, 1], [1, 3]], [3, 5])
Matrix 2 float64
  [0.8, 1.4]
>>> linalg.matmul([[1, 2], [3, 4]], [[0, 1], [1, 0]], like=[])
[[2.0, 1.0], [4.0, 3.0]]
"""

from __future__ import annotations

from nexus._linalg import (
    EighResult,
    EigResult,
    LinAlgError,
    LstsqResult,
    Matrix,
    QRResult,
    SlogdetResult,
    SVDResult,
    cholesky,
    cross,
    det,
    diagonal,
    eig,
    eigh,
    eigsh,
    eigvals,
    eigvalsh,
    inv,
    lstsq,
    matmul,
    matrix_norm,
    matrix_power,
    matrix_rank,
    matrix_transpose,
    outer,
    pinv,
    qr,
    randomized_svd,
    slogdet,
    softmax,
    solve,
    svd,
    svds,
    svdvals,
    tensordot,
    trace,
    vecdot,
    vector_norm,
)
from nexus.linalg import sparse

__all__ = [
    "EigResult",
    "EighResult",
    "LinAlgError",
    "LstsqResult",
    "Matrix",
    "QRResult",
    "SVDResult",
    "SlogdetResult",
    "cholesky",
    "cross",
    "det",
    "diagonal",
    "eig",
    "eigh",
    "eigsh",
    "eigvals",
    "eigvalsh",
    "inv",
    "lstsq",
    "matmul",
    "matrix_norm",
    "matrix_power",
    "matrix_rank",
    "matrix_transpose",
    "outer",
    "pinv",
    "qr",
    "randomized_svd",
    "slogdet",
    "softmax",
    "solve",
    "sparse",
    "svd",
    "svds",
    "svdvals",
    "tensordot",
    "trace",
    "vecdot",
    "vector_norm",
]
