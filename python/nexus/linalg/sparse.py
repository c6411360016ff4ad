"""Sparse matrices: their type, solvers of systems with them, and preconditioners.

The functions have the keywords of `scipy.sparse.linalg`; matrices of `scipy.sparse` are taken
over the memory that they have. `nexus.linalg` has `eigsh`, `svds` and `randomized_svd`, which take
sparse matrices too.

>>> from nexus.linalg import sparse
>>> a = sparse.coo([2.0, -1.0, -1.0, 2.0], [0, 0, 1, 1], [0, 1, 0, 1])
>>> a
SparseMatrix 2x2 float64 csr, 4 items
>>> [round(x, 6) for x in sparse.solve(a, [3.0, 0.0], like=[])]
[2.0, 1.0]
"""

from nexus._linalg import (
    SparseFactor,
    SparseMatrix,
    bicgstab,
    cg,
    coo,
    csc,
    csr,
    gmres,
    ic0,
    ilu0,
    jacobi,
    minres,
)
from nexus._linalg import sparse_factor as factor
from nexus._linalg import sparse_solve as solve

# As `typing.TYPE_CHECKING`, without importing `typing`.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from nexus._linalg import IterationResult
else:
    # Makes the class of the named tuple when it is first wanted.
    from nexus._linalg import __getattr__  # noqa: F401

__all__ = [
    "IterationResult",
    "SparseFactor",
    "SparseMatrix",
    "bicgstab",
    "cg",
    "coo",
    "csc",
    "csr",
    "factor",
    "gmres",
    "ic0",
    "ilu0",
    "jacobi",
    "minres",
    "solve",
]
