"""The typed surface of the extension module `nexus._linalg`."""

from collections.abc import Callable, Iterator, Sequence
from types import EllipsisType
from typing import (
    Any,
    Generic,
    Literal,
    NamedTuple,
    Protocol,
    SupportsIndex,
    TypeAlias,
    TypeVar,
    final,
    overload,
)

from typing_extensions import Buffer, CapsuleType

__all__ = [
    "EighResult",
    "IterationResult",
    "LinAlgError",
    "LstsqResult",
    "Matrix",
    "QRResult",
    "SVDResult",
    "SlogdetResult",
    "SparseFactor",
    "SparseMatrix",
    "__version__",
    "_rebuild",
    "_rebuild_sparse",
    "bicgstab",
    "cg",
    "cholesky",
    "coo",
    "cross",
    "csc",
    "csr",
    "det",
    "diagonal",
    "eigh",
    "eigsh",
    "eigvalsh",
    "gmres",
    "ilu0",
    "inv",
    "jacobi",
    "lstsq",
    "matmul",
    "matrix_norm",
    "matrix_power",
    "matrix_rank",
    "matrix_transpose",
    "minres",
    "outer",
    "pinv",
    "qr",
    "randomized_svd",
    "slogdet",
    "softmax",
    "solve",
    "sparse_factor",
    "sparse_solve",
    "svd",
    "svds",
    "svdvals",
    "tensordot",
    "trace",
    "vecdot",
    "vector_norm",
]

__version__: str

_T = TypeVar("_T")
_Number: TypeAlias = float | int

class _DLPack(Protocol):
    def __dlpack__(self, *, stream: None = ...) -> CapsuleType: ...

class _ArrayInterface(Protocol):
    @property
    def __array_interface__(self) -> dict[str, Any]: ...

_Nested: TypeAlias = Sequence[_Number] | Sequence[_Nested] | Sequence[Buffer]
_Operand: TypeAlias = Matrix | Buffer | _DLPack | _ArrayInterface | _Nested
_Index: TypeAlias = SupportsIndex | slice | EllipsisType
_Key: TypeAlias = _Index | tuple[_Index, ...]

class LinAlgError(ValueError): ...

class EighResult(NamedTuple, Generic[_T]):
    eigenvalues: _T
    eigenvectors: _T

class IterationResult(NamedTuple, Generic[_T]):
    x: _T
    info: int
    iterations: int
    residual: float

class LstsqResult(NamedTuple, Generic[_T]):
    x: _T
    rank: int
    singular_values: _T

class QRResult(NamedTuple, Generic[_T]):
    Q: _T
    R: _T

class SlogdetResult(NamedTuple, Generic[_T]):
    sign: _T
    logabsdet: _T

class SVDResult(NamedTuple, Generic[_T]):
    U: _T
    S: _T
    Vh: _T

@final
class Matrix:
    def __new__(
        cls, data: _Operand, /, *, dtype: Literal["float32", "float64"] | None = ...
    ) -> Matrix: ...
    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def ndim(self) -> int: ...
    @property
    def size(self) -> int: ...
    @property
    def dtype(self) -> str: ...
    @property
    def T(self) -> Matrix: ...
    @property
    def mT(self) -> Matrix: ...
    def tolist(self) -> list[Any]: ...
    def tobytes(self) -> bytes: ...
    def __matmul__(self, other: _Operand, /) -> Any: ...
    def __rmatmul__(self, other: _Operand, /) -> Any: ...
    def __add__(self, other: _Operand | _Number, /) -> Matrix: ...
    def __radd__(self, other: _Operand | _Number, /) -> Matrix: ...
    def __sub__(self, other: _Operand | _Number, /) -> Matrix: ...
    def __rsub__(self, other: _Operand | _Number, /) -> Matrix: ...
    def __mul__(self, other: _Operand | _Number, /) -> Matrix: ...
    def __rmul__(self, other: _Operand | _Number, /) -> Matrix: ...
    def __truediv__(self, other: _Operand | _Number, /) -> Matrix: ...
    def __rtruediv__(self, other: _Operand | _Number, /) -> Matrix: ...
    def __neg__(self) -> Matrix: ...
    def __pos__(self) -> Matrix: ...
    def __getitem__(self, key: _Key, /) -> Any: ...
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[Any]: ...
    def __reduce_ex__(self, protocol: SupportsIndex, /) -> tuple[Any, ...]: ...
    @property
    def __array_interface__(self) -> dict[str, Any]: ...
    def __dlpack__(
        self,
        *,
        stream: None = ...,
        max_version: tuple[int, int] | None = ...,
        dl_device: tuple[int, int] | None = ...,
        copy: bool | None = ...,
    ) -> CapsuleType: ...
    def __dlpack_device__(self) -> tuple[int, int]: ...
    def __buffer__(self, flags: int, /) -> memoryview: ...

@final
class SparseMatrix:
    @property
    def shape(self) -> tuple[int, int]: ...
    @property
    def ndim(self) -> int: ...
    @property
    def nnz(self) -> int: ...
    @property
    def dtype(self) -> Literal["float32", "float64"]: ...
    @property
    def format(self) -> Literal["csr", "csc"]: ...
    @property
    def data(self) -> Matrix: ...
    @property
    def indices(self) -> Matrix: ...
    @property
    def indptr(self) -> Matrix: ...
    @property
    def T(self) -> SparseMatrix: ...
    @property
    def __array_priority__(self) -> float: ...
    def tocsr(self) -> SparseMatrix: ...
    def tocsc(self) -> SparseMatrix: ...
    def todense(self) -> Matrix: ...
    def toarray(self) -> Matrix: ...
    def to_scipy(self) -> Any: ...
    def diagonal(self) -> Matrix: ...
    def sum_duplicates(self) -> SparseMatrix: ...
    def astype(self, dtype: Literal["float32", "float64"], /) -> SparseMatrix: ...
    def __matmul__(self, other: _Compressed | _Operand, /) -> Any: ...
    def __rmatmul__(self, other: _Compressed | _Operand, /) -> Any: ...
    def __add__(self, other: _Compressed, /) -> SparseMatrix: ...
    def __radd__(self, other: _Compressed, /) -> SparseMatrix: ...
    def __sub__(self, other: _Compressed, /) -> SparseMatrix: ...
    def __rsub__(self, other: _Compressed, /) -> SparseMatrix: ...
    def __mul__(self, other: _Number, /) -> SparseMatrix: ...
    def __rmul__(self, other: _Number, /) -> SparseMatrix: ...
    def __truediv__(self, other: _Number, /) -> SparseMatrix: ...
    def __rtruediv__(self, other: _Number, /) -> SparseMatrix: ...
    def __neg__(self) -> SparseMatrix: ...
    def __reduce_ex__(self, protocol: SupportsIndex, /) -> tuple[Any, ...]: ...

@final
class SparseFactor:
    @property
    def shape(self) -> tuple[int, int]: ...
    @property
    def dtype(self) -> Literal["float32", "float64"]: ...
    @property
    def method(self) -> Literal["lu", "cholesky", "qr", "ilu0", "jacobi"]: ...
    def solve(self, b: _Operand, /) -> Matrix: ...
    def solve_transpose(self, b: _Operand, /) -> Matrix: ...
    def matvec(self, b: _Operand, /) -> Matrix: ...
    def rmatvec(self, b: _Operand, /) -> Matrix: ...
    def refactor(self, a: _AnyMatrix, /) -> SparseFactor: ...

class _Compressed(Protocol):
    @property
    def data(self) -> Any: ...
    @property
    def indices(self) -> Any: ...
    @property
    def indptr(self) -> Any: ...
    @property
    def shape(self) -> tuple[int, int]: ...
    @property
    def format(self) -> str: ...

class _HasMatvec(Protocol):
    def matvec(self, x: Any, /) -> Any: ...

class _HasMatmul(Protocol):
    def __matmul__(self, x: Any, /) -> Any: ...

_AnyMatrix: TypeAlias = _Compressed | _Operand
_Operator: TypeAlias = _AnyMatrix | _HasMatvec | _HasMatmul
_Map: TypeAlias = _Operator | Callable[[Any], Any]

@overload
def cholesky(
    x: _Operand, /, *, upper: bool = ..., threads: int = ..., like: None = ...
) -> Matrix: ...
@overload
def cholesky(x: _Operand, /, *, upper: bool = ..., threads: int = ..., like: _T) -> _T: ...
@overload
def cross(x1: _Operand, x2: _Operand, /, *, axis: int = ..., like: None = ...) -> Matrix: ...
@overload
def cross(x1: _Operand, x2: _Operand, /, *, axis: int = ..., like: _T) -> _T: ...
@overload
def det(x: _Operand, /, *, threads: int = ..., like: None = ...) -> Any: ...
@overload
def det(x: _Operand, /, *, threads: int = ..., like: _T) -> _T | float: ...
@overload
def diagonal(x: _Operand, /, *, offset: int = ..., like: None = ...) -> Matrix: ...
@overload
def diagonal(x: _Operand, /, *, offset: int = ..., like: _T) -> _T: ...
@overload
def eigh(x: _Operand, /, *, like: None = ...) -> EighResult[Matrix]: ...
@overload
def eigh(x: _Operand, /, *, like: _T) -> EighResult[_T]: ...
@overload
def eigvalsh(x: _Operand, /, *, like: None = ...) -> Matrix: ...
@overload
def eigvalsh(x: _Operand, /, *, like: _T) -> _T: ...
@overload
def inv(x: _Operand, /, *, threads: int = ..., like: None = ...) -> Matrix: ...
@overload
def inv(x: _Operand, /, *, threads: int = ..., like: _T) -> _T: ...
@overload
def lstsq(
    x1: _Operand, x2: _Operand, /, *, rtol: float | None = ..., like: None = ...
) -> LstsqResult[Matrix]: ...
@overload
def lstsq(
    x1: _Operand, x2: _Operand, /, *, rtol: float | None = ..., like: _T
) -> LstsqResult[_T]: ...
@overload
def matmul(x1: _Operand, x2: _Operand, /, *, threads: int = ..., like: None = ...) -> Matrix: ...
@overload
def matmul(x1: _Operand, x2: _Operand, /, *, threads: int = ..., like: _T) -> _T: ...
@overload
def matrix_norm(
    x: _Operand,
    /,
    *,
    keepdims: bool = ...,
    ord: float | Literal["fro", "nuc"] | None = ...,
    like: None = ...,
) -> Any: ...
@overload
def matrix_norm(
    x: _Operand,
    /,
    *,
    keepdims: bool = ...,
    ord: float | Literal["fro", "nuc"] | None = ...,
    like: _T,
) -> _T | float: ...
@overload
def matrix_power(x: _Operand, n: int, /, *, threads: int = ..., like: None = ...) -> Matrix: ...
@overload
def matrix_power(x: _Operand, n: int, /, *, threads: int = ..., like: _T) -> _T: ...
@overload
def matrix_rank(
    x: _Operand, /, *, rtol: float | _Operand | None = ..., like: None = ...
) -> Any: ...
@overload
def matrix_rank(x: _Operand, /, *, rtol: float | _Operand | None = ..., like: _T) -> _T | int: ...
@overload
def matrix_transpose(x: _Operand, /, *, like: None = ...) -> Matrix: ...
@overload
def matrix_transpose(x: _Operand, /, *, like: _T) -> _T: ...
@overload
def outer(x1: _Operand, x2: _Operand, /, *, like: None = ...) -> Matrix: ...
@overload
def outer(x1: _Operand, x2: _Operand, /, *, like: _T) -> _T: ...
@overload
def pinv(x: _Operand, /, *, rtol: float | _Operand | None = ..., like: None = ...) -> Matrix: ...
@overload
def pinv(x: _Operand, /, *, rtol: float | _Operand | None = ..., like: _T) -> _T: ...
@overload
def qr(
    x: _Operand, /, *, mode: Literal["reduced", "complete"] = ..., like: None = ...
) -> QRResult[Matrix]: ...
@overload
def qr(x: _Operand, /, *, mode: Literal["reduced", "complete"] = ..., like: _T) -> QRResult[_T]: ...
@overload
def slogdet(x: _Operand, /, *, threads: int = ..., like: None = ...) -> SlogdetResult[Any]: ...
@overload
def slogdet(x: _Operand, /, *, threads: int = ..., like: _T) -> SlogdetResult[_T | float]: ...
@overload
def solve(x1: _Operand, x2: _Operand, /, *, threads: int = ..., like: None = ...) -> Matrix: ...
@overload
def solve(x1: _Operand, x2: _Operand, /, *, threads: int = ..., like: _T) -> _T: ...
@overload
def svd(x: _Operand, /, *, full_matrices: bool = ..., like: None = ...) -> SVDResult[Matrix]: ...
@overload
def svd(x: _Operand, /, *, full_matrices: bool = ..., like: _T) -> SVDResult[_T]: ...
@overload
def svdvals(x: _Operand, /, *, like: None = ...) -> Matrix: ...
@overload
def svdvals(x: _Operand, /, *, like: _T) -> _T: ...
@overload
def tensordot(
    x1: _Operand,
    x2: _Operand,
    /,
    *,
    axes: int | tuple[Sequence[int], Sequence[int]] = ...,
    like: None = ...,
) -> Any: ...
@overload
def tensordot(
    x1: _Operand,
    x2: _Operand,
    /,
    *,
    axes: int | tuple[Sequence[int], Sequence[int]] = ...,
    like: _T,
) -> _T | float: ...
@overload
def trace(
    x: _Operand,
    /,
    *,
    offset: int = ...,
    dtype: Literal["float32", "float64"] | None = ...,
    like: None = ...,
) -> Any: ...
@overload
def trace(
    x: _Operand,
    /,
    *,
    offset: int = ...,
    dtype: Literal["float32", "float64"] | None = ...,
    like: _T,
) -> _T | float: ...
@overload
def vecdot(x1: _Operand, x2: _Operand, /, *, axis: int = ..., like: None = ...) -> Any: ...
@overload
def vecdot(x1: _Operand, x2: _Operand, /, *, axis: int = ..., like: _T) -> _T | float: ...
@overload
def vector_norm(
    x: _Operand,
    /,
    *,
    axis: int | Sequence[int] | None = ...,
    keepdims: bool = ...,
    ord: float = ...,
    like: None = ...,
) -> Any: ...
@overload
def vector_norm(
    x: _Operand,
    /,
    *,
    axis: int | Sequence[int] | None = ...,
    keepdims: bool = ...,
    ord: float = ...,
    like: _T,
) -> _T | float: ...
def softmax(a: _Operand, /) -> Matrix: ...
def _rebuild(items: Buffer, dtype: str, shape: Sequence[int], /) -> Matrix: ...
def _rebuild_sparse(
    format: str, shape: tuple[int, int], data: Matrix, indices: Matrix, indptr: Matrix, /
) -> SparseMatrix: ...
@overload
def bicgstab(
    a: _Map,
    b: _Operand,
    x0: _Operand | None = ...,
    *,
    rtol: float = ...,
    atol: float = ...,
    maxiter: int | None = ...,
    M: _Map | None = ...,
    threads: int = ...,
    like: None = ...,
    out: None = ...,
) -> IterationResult[Matrix]: ...
@overload
def bicgstab(
    a: _Map,
    b: _Operand,
    x0: _Operand | None = ...,
    *,
    rtol: float = ...,
    atol: float = ...,
    maxiter: int | None = ...,
    M: _Map | None = ...,
    threads: int = ...,
    like: _T,
    out: None = ...,
) -> IterationResult[_T]: ...
@overload
def bicgstab(
    a: _Map,
    b: _Operand,
    x0: _Operand | None = ...,
    *,
    rtol: float = ...,
    atol: float = ...,
    maxiter: int | None = ...,
    M: _Map | None = ...,
    threads: int = ...,
    like: None = ...,
    out: _T,
) -> IterationResult[_T]: ...
@overload
def cg(
    a: _Map,
    b: _Operand,
    x0: _Operand | None = ...,
    *,
    rtol: float = ...,
    atol: float = ...,
    maxiter: int | None = ...,
    M: _Map | None = ...,
    threads: int = ...,
    like: None = ...,
    out: None = ...,
) -> IterationResult[Matrix]: ...
@overload
def cg(
    a: _Map,
    b: _Operand,
    x0: _Operand | None = ...,
    *,
    rtol: float = ...,
    atol: float = ...,
    maxiter: int | None = ...,
    M: _Map | None = ...,
    threads: int = ...,
    like: _T,
    out: None = ...,
) -> IterationResult[_T]: ...
@overload
def cg(
    a: _Map,
    b: _Operand,
    x0: _Operand | None = ...,
    *,
    rtol: float = ...,
    atol: float = ...,
    maxiter: int | None = ...,
    M: _Map | None = ...,
    threads: int = ...,
    like: None = ...,
    out: _T,
) -> IterationResult[_T]: ...
def coo(
    data: _Operand,
    rows: _Operand,
    columns: _Operand,
    *,
    shape: tuple[int, int] | None = ...,
    format: Literal["csr", "csc"] = ...,
) -> SparseMatrix: ...
def csc(
    data: _AnyMatrix,
    indices: _Operand | None = ...,
    indptr: _Operand | None = ...,
    *,
    shape: tuple[int, int] | None = ...,
) -> SparseMatrix: ...
def csr(
    data: _AnyMatrix,
    indices: _Operand | None = ...,
    indptr: _Operand | None = ...,
    *,
    shape: tuple[int, int] | None = ...,
) -> SparseMatrix: ...
@overload
def eigsh(
    a: _Operator,
    k: int = ...,
    *,
    which: Literal["LM", "SM", "LA", "SA"] = ...,
    sigma: float | None = ...,
    ncv: int | None = ...,
    maxiter: int | None = ...,
    tol: float = ...,
    seed: int = ...,
    threads: int = ...,
    errors: Literal["raise", "nan"] = ...,
    like: None = ...,
    out: None = ...,
) -> EighResult[Matrix]: ...
@overload
def eigsh(
    a: _Operator,
    k: int = ...,
    *,
    which: Literal["LM", "SM", "LA", "SA"] = ...,
    sigma: float | None = ...,
    ncv: int | None = ...,
    maxiter: int | None = ...,
    tol: float = ...,
    seed: int = ...,
    threads: int = ...,
    errors: Literal["raise", "nan"] = ...,
    like: _T,
    out: None = ...,
) -> EighResult[_T]: ...
@overload
def eigsh(
    a: _Operator,
    k: int = ...,
    *,
    which: Literal["LM", "SM", "LA", "SA"] = ...,
    sigma: float | None = ...,
    ncv: int | None = ...,
    maxiter: int | None = ...,
    tol: float = ...,
    seed: int = ...,
    threads: int = ...,
    errors: Literal["raise", "nan"] = ...,
    like: None = ...,
    out: tuple[_T, ...],
) -> EighResult[_T]: ...
@overload
def eigsh(
    a: _Operator,
    k: int = ...,
    *,
    which: Literal["LM", "SM", "LA", "SA"] = ...,
    sigma: float | None = ...,
    ncv: int | None = ...,
    maxiter: int | None = ...,
    tol: float = ...,
    seed: int = ...,
    threads: int = ...,
    errors: Literal["info"],
    like: Any = ...,
    out: Any = ...,
) -> tuple[Any, Any]: ...
@overload
def gmres(
    a: _Map,
    b: _Operand,
    x0: _Operand | None = ...,
    *,
    rtol: float = ...,
    atol: float = ...,
    restart: int = ...,
    maxiter: int | None = ...,
    M: _Map | None = ...,
    threads: int = ...,
    like: None = ...,
    out: None = ...,
) -> IterationResult[Matrix]: ...
@overload
def gmres(
    a: _Map,
    b: _Operand,
    x0: _Operand | None = ...,
    *,
    rtol: float = ...,
    atol: float = ...,
    restart: int = ...,
    maxiter: int | None = ...,
    M: _Map | None = ...,
    threads: int = ...,
    like: _T,
    out: None = ...,
) -> IterationResult[_T]: ...
@overload
def gmres(
    a: _Map,
    b: _Operand,
    x0: _Operand | None = ...,
    *,
    rtol: float = ...,
    atol: float = ...,
    restart: int = ...,
    maxiter: int | None = ...,
    M: _Map | None = ...,
    threads: int = ...,
    like: None = ...,
    out: _T,
) -> IterationResult[_T]: ...
def ilu0(a: _AnyMatrix, /) -> SparseFactor: ...
def jacobi(a: _AnyMatrix, /) -> SparseFactor: ...
@overload
def minres(
    a: _Map,
    b: _Operand,
    x0: _Operand | None = ...,
    *,
    rtol: float = ...,
    atol: float = ...,
    maxiter: int | None = ...,
    M: _Map | None = ...,
    threads: int = ...,
    like: None = ...,
    out: None = ...,
) -> IterationResult[Matrix]: ...
@overload
def minres(
    a: _Map,
    b: _Operand,
    x0: _Operand | None = ...,
    *,
    rtol: float = ...,
    atol: float = ...,
    maxiter: int | None = ...,
    M: _Map | None = ...,
    threads: int = ...,
    like: _T,
    out: None = ...,
) -> IterationResult[_T]: ...
@overload
def minres(
    a: _Map,
    b: _Operand,
    x0: _Operand | None = ...,
    *,
    rtol: float = ...,
    atol: float = ...,
    maxiter: int | None = ...,
    M: _Map | None = ...,
    threads: int = ...,
    like: None = ...,
    out: _T,
) -> IterationResult[_T]: ...
@overload
def randomized_svd(
    a: _Operator,
    k: int = ...,
    *,
    oversampling: int = ...,
    power_iterations: int = ...,
    seed: int = ...,
    threads: int = ...,
    errors: Literal["raise", "nan"] = ...,
    like: None = ...,
    out: None = ...,
) -> SVDResult[Matrix]: ...
@overload
def randomized_svd(
    a: _Operator,
    k: int = ...,
    *,
    oversampling: int = ...,
    power_iterations: int = ...,
    seed: int = ...,
    threads: int = ...,
    errors: Literal["raise", "nan"] = ...,
    like: _T,
    out: None = ...,
) -> SVDResult[_T]: ...
@overload
def randomized_svd(
    a: _Operator,
    k: int = ...,
    *,
    oversampling: int = ...,
    power_iterations: int = ...,
    seed: int = ...,
    threads: int = ...,
    errors: Literal["raise", "nan"] = ...,
    like: None = ...,
    out: tuple[_T, ...],
) -> SVDResult[_T]: ...
@overload
def randomized_svd(
    a: _Operator,
    k: int = ...,
    *,
    oversampling: int = ...,
    power_iterations: int = ...,
    seed: int = ...,
    threads: int = ...,
    errors: Literal["info"],
    like: Any = ...,
    out: Any = ...,
) -> tuple[Any, Any]: ...
def sparse_factor(a: _AnyMatrix, method: Literal["lu", "cholesky", "qr"] = ...) -> SparseFactor: ...
@overload
def sparse_solve(
    a: _AnyMatrix,
    b: _Operand,
    *,
    method: Literal["lu", "cholesky", "qr"] = ...,
    errors: Literal["raise", "nan"] = ...,
    like: None = ...,
    out: None = ...,
) -> Matrix: ...
@overload
def sparse_solve(
    a: _AnyMatrix,
    b: _Operand,
    *,
    method: Literal["lu", "cholesky", "qr"] = ...,
    errors: Literal["raise", "nan"] = ...,
    like: _T,
    out: None = ...,
) -> _T: ...
@overload
def sparse_solve(
    a: _AnyMatrix,
    b: _Operand,
    *,
    method: Literal["lu", "cholesky", "qr"] = ...,
    errors: Literal["raise", "nan"] = ...,
    like: None = ...,
    out: _T,
) -> _T: ...
@overload
def sparse_solve(
    a: _AnyMatrix,
    b: _Operand,
    *,
    method: Literal["lu", "cholesky", "qr"] = ...,
    errors: Literal["info"],
    like: Any = ...,
    out: Any = ...,
) -> tuple[Any, Any]: ...
@overload
def svds(
    a: _Operator,
    k: int = ...,
    *,
    ncv: int | None = ...,
    maxiter: int | None = ...,
    tol: float = ...,
    seed: int = ...,
    threads: int = ...,
    errors: Literal["raise", "nan"] = ...,
    like: None = ...,
    out: None = ...,
) -> SVDResult[Matrix]: ...
@overload
def svds(
    a: _Operator,
    k: int = ...,
    *,
    ncv: int | None = ...,
    maxiter: int | None = ...,
    tol: float = ...,
    seed: int = ...,
    threads: int = ...,
    errors: Literal["raise", "nan"] = ...,
    like: _T,
    out: None = ...,
) -> SVDResult[_T]: ...
@overload
def svds(
    a: _Operator,
    k: int = ...,
    *,
    ncv: int | None = ...,
    maxiter: int | None = ...,
    tol: float = ...,
    seed: int = ...,
    threads: int = ...,
    errors: Literal["raise", "nan"] = ...,
    like: None = ...,
    out: tuple[_T, ...],
) -> SVDResult[_T]: ...
@overload
def svds(
    a: _Operator,
    k: int = ...,
    *,
    ncv: int | None = ...,
    maxiter: int | None = ...,
    tol: float = ...,
    seed: int = ...,
    threads: int = ...,
    errors: Literal["info"],
    like: Any = ...,
    out: Any = ...,
) -> tuple[Any, Any]: ...
