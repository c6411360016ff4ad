"""Linear algebra on nested lists, buffers and NumPy arrays; needs no third-party package.

>>> from nexus import linalg
>>> linalg.matmul([[1, 2], [3, 4]], [[0, 1], [1, 0]])
Matrix 2x2 float64
  [2, 1]
  [4, 3]
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus import _linalg
from nexus._linalg import Matrix

if TYPE_CHECKING:
    from nexus._linalg import _Operand as Operand

__all__ = ["Matrix", "matmul", "softmax"]


def matmul(a: Operand, b: Operand, /, *, threads: int = 1) -> Matrix:
    """Return the matrix product of ``a`` (m x k) and ``b`` (k x n).

    An operand is a `Matrix`, an object with a two-dimensional buffer of float32 or float64 (a NumPy
    array, a memoryview), or rows of numbers. Two float32 operands give float32, anything else
    float64. The number of threads does not change the result. The GIL is released meanwhile.

    Raises:
        ValueError: the inner sizes differ, or an operand is not two-dimensional.
        TypeError: an operand is none of the above.
    """
    return _linalg.matmul(a, b, threads=threads)


def softmax(a: Operand, /) -> Matrix:
    """Return the softmax of each row of ``a``, in float32.

    >>> softmax([[0.0, 0.0]])
    Matrix 1x2 float32
      [0.5, 0.5]

    Raises:
        ValueError: the operand is not two-dimensional.
        TypeError: the operand is no matrix.
    """
    return _linalg.softmax(a)
