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

from nexus._linalg import (
    LinAlgError,
    Matrix,
    QMatrix,
    block_diag,
    cho_factor,
    cho_solve,
    cholesky,
    cond,
    cross,
    det,
    diagonal,
    eig,
    eigh,
    eigvals,
    eigvalsh,
    einsum,
    einsum_path,
    expm,
    inv,
    kron,
    ldl,
    logm,
    lstsq,
    lu,
    lu_factor,
    lu_solve,
    matmul,
    matrix_norm,
    matrix_power,
    matrix_rank,
    matrix_transpose,
    multi_dot,
    null_space,
    orth,
    outer,
    pinv,
    polar,
    qr,
    rcond,
    schur,
    slogdet,
    softmax,
    solve,
    solve_sylvester,
    solve_triangular,
    sqrtm,
    svd,
    svdvals,
    tensordot,
    trace,
    vecdot,
    vector_norm,
)

# As `typing.TYPE_CHECKING`, without importing `typing`.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from nexus._linalg import (
        EighResult,
        EigResult,
        EinsumPathResult,
        LDLResult,
        LstsqResult,
        LUFactorResult,
        LUResult,
        PolarResult,
        QRResult,
        SchurResult,
        SlogdetResult,
        SVDResult,
    )
else:
    # Makes the classes of named tuples when they are first wanted.
    from nexus._linalg import __getattr__  # noqa: F401

__all__ = [
    "EigResult",
    "EighResult",
    "EinsumPathResult",
    "LDLResult",
    "LUFactorResult",
    "LUResult",
    "LinAlgError",
    "LstsqResult",
    "Matrix",
    "PolarResult",
    "QMatrix",
    "QRResult",
    "SVDResult",
    "SchurResult",
    "SlogdetResult",
    "block_diag",
    "cho_factor",
    "cho_solve",
    "cholesky",
    "cond",
    "cross",
    "det",
    "diagonal",
    "eig",
    "eigh",
    "eigvals",
    "eigvalsh",
    "einsum",
    "einsum_path",
    "expm",
    "install",
    "inv",
    "kron",
    "ldl",
    "logm",
    "lstsq",
    "lu",
    "lu_factor",
    "lu_solve",
    "matmul",
    "matrix_norm",
    "matrix_power",
    "matrix_rank",
    "matrix_transpose",
    "multi_dot",
    "null_space",
    "orth",
    "outer",
    "pinv",
    "polar",
    "qr",
    "rcond",
    "schur",
    "slogdet",
    "softmax",
    "solve",
    "solve_sylvester",
    "solve_triangular",
    "sqrtm",
    "svd",
    "svdvals",
    "tensordot",
    "trace",
    "uninstall",
    "vecdot",
    "vector_norm",
]


def install() -> None:
    """Let ``import math.linalg`` find this module, in this process, until :func:`uninstall`.

    ``python -m nexus.linalg install`` does it for every process of an environment. The module is
    the same one by both names.

    >>> import nexus.linalg
    >>> nexus.linalg.install()
    >>> import math.linalg
    >>> math.linalg is nexus.linalg
    True
    >>> nexus.linalg.uninstall()
    """
    from nexus.linalg._install import install

    install()


def uninstall() -> None:
    """Undo :func:`install` in this process, also where the environment has it."""
    from nexus.linalg._install import uninstall

    uninstall()
