"""The typed surface of the extension module `nexus._linalg`."""

from collections.abc import Callable, Iterator, Sequence
from types import EllipsisType, ModuleType
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
    "EigResult",
    "EighResult",
    "EinsumPathResult",
    "IterationResult",
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
    "SparseFactor",
    "SparseMatrix",
    "__version__",
    "_rebuild",
    "_rebuild_sparse",
    "bicgstab",
    "block_diag",
    "cg",
    "cho_factor",
    "cho_solve",
    "cholesky",
    "cond",
    "coo",
    "cross",
    "csc",
    "csr",
    "det",
    "diagonal",
    "eig",
    "eigh",
    "eigsh",
    "eigvals",
    "eigvalsh",
    "einsum",
    "einsum_path",
    "expm",
    "gmres",
    "ic0",
    "ilu0",
    "inv",
    "jacobi",
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
    "minres",
    "multi_dot",
    "null_space",
    "orth",
    "outer",
    "pinv",
    "polar",
    "qr",
    "randomized_svd",
    "rcond",
    "schur",
    "slogdet",
    "softmax",
    "solve",
    "solve_sylvester",
    "solve_triangular",
    "sparse_factor",
    "sparse_solve",
    "sqrtm",
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
_Number: TypeAlias = complex | float | int
_Dtype: TypeAlias = Literal[
    "bfloat16",
    "complex64",
    "complex128",
    "float16",
    "float32",
    "float64",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
]

class _DLPack(Protocol):
    def __dlpack__(self, *, stream: None = ...) -> CapsuleType: ...

class _ArrayInterface(Protocol):
    @property
    def __array_interface__(self) -> dict[str, Any]: ...

class _ArrayStruct(Protocol):
    @property
    def __array_struct__(self) -> CapsuleType: ...

_Nested: TypeAlias = Sequence[_Number] | Sequence[_Nested] | Sequence[Buffer]
_Operand: TypeAlias = Matrix | Buffer | _DLPack | _ArrayInterface | _ArrayStruct | _Nested
_Order: TypeAlias = Literal["fro", "nuc"] | _Number
_Index: TypeAlias = SupportsIndex | slice | EllipsisType
_Key: TypeAlias = _Index | tuple[_Index, ...]

class LinAlgError(ValueError): ...

class EigResult(NamedTuple, Generic[_T]):
    eigenvalues: _T
    eigenvectors: _T

class EighResult(NamedTuple, Generic[_T]):
    eigenvalues: _T
    eigenvectors: _T

class EinsumPathResult(NamedTuple):
    path: list[tuple[int, int]]
    cost: float

class LDLResult(NamedTuple, Generic[_T]):
    L: _T
    D: _T
    perm: _T

class LUFactorResult(NamedTuple, Generic[_T]):
    lu: _T
    piv: _T

class LUResult(NamedTuple, Generic[_T]):
    P: _T
    L: _T
    U: _T

class LstsqResult(NamedTuple, Generic[_T]):
    x: _T
    rank: Any
    singular_values: _T

class PolarResult(NamedTuple, Generic[_T]):
    U: _T
    P: _T

class QRResult(NamedTuple, Generic[_T]):
    Q: _T
    R: _T

class SchurResult(NamedTuple, Generic[_T]):
    T: _T
    Z: _T

class SlogdetResult(NamedTuple, Generic[_T]):
    sign: _T
    logabsdet: _T

class SVDResult(NamedTuple, Generic[_T]):
    U: _T
    S: _T
    Vh: _T

@final
class Matrix:
    def __new__(cls, data: _Operand, /, *, dtype: _Dtype | None = ...) -> Matrix: ...
    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def ndim(self) -> int: ...
    @property
    def size(self) -> int: ...
    @property
    def dtype(self) -> _Dtype: ...
    @property
    def device(self) -> Literal["cpu"]: ...
    @property
    def T(self) -> Matrix: ...
    @property
    def mT(self) -> Matrix: ...
    def astype(self, dtype: _Dtype, /) -> Matrix: ...
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
    @property
    def __array_struct__(self) -> CapsuleType: ...
    def __array_namespace__(self, /, *, api_version: str | None = ...) -> ModuleType: ...
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

_Format: TypeAlias = Literal["q8_0", "q4_0"]

@final
class QMatrix:
    def __new__(cls, weights: _Operand, /, format: _Format = ...) -> QMatrix: ...
    @classmethod
    def from_blocks(
        cls, data: Buffer | _DLPack, /, format: _Format, shape: tuple[int, int]
    ) -> QMatrix: ...
    @property
    def shape(self) -> tuple[int, int]: ...
    @property
    def format(self) -> _Format: ...
    @property
    def nbytes(self) -> int: ...
    def blocks(self) -> memoryview: ...
    @overload
    def dequantize(self, /, *, like: None = ..., out: None = ...) -> Matrix: ...
    @overload
    def dequantize(self, /, *, like: _T) -> _T: ...
    @overload
    def dequantize(self, /, *, out: _T) -> _T: ...
    @overload
    def linear(
        self, x: _Operand, /, *, threads: int = ..., like: None = ..., out: None = ...
    ) -> Matrix: ...
    @overload
    def linear(self, x: _Operand, /, *, threads: int = ..., like: _T) -> _T: ...
    @overload
    def linear(self, x: _Operand, /, *, threads: int = ..., out: _T) -> _T: ...
    def __matmul__(self, other: _Operand, /) -> Matrix: ...
    def __rmatmul__(self, other: _Operand, /) -> Matrix: ...
    def __reduce_ex__(self, protocol: SupportsIndex, /) -> tuple[Any, ...]: ...

@overload
def block_diag(*arrays: _Operand | _Number, like: None = ..., out: None = ...) -> Matrix: ...
@overload
def block_diag(*arrays: _Operand | _Number, like: _T, out: None = ...) -> _T: ...
@overload
def block_diag(*arrays: _Operand | _Number, like: None = ..., out: _T) -> _T: ...
@overload
def cho_factor(
    x: _Operand,
    /,
    *,
    lower: bool = ...,
    errors: Literal["raise", "nan"] = ...,
    threads: int = ...,
    like: None = ...,
    out: None = ...,
) -> tuple[Matrix, bool]: ...
@overload
def cho_factor(
    x: _Operand,
    /,
    *,
    lower: bool = ...,
    errors: Literal["raise", "nan"] = ...,
    threads: int = ...,
    like: _T,
    out: None = ...,
) -> tuple[_T, bool]: ...
@overload
def cho_factor(
    x: _Operand,
    /,
    *,
    lower: bool = ...,
    errors: Literal["raise", "nan"] = ...,
    threads: int = ...,
    like: None = ...,
    out: _T,
) -> tuple[_T, bool]: ...
@overload
def cho_factor(
    x: _Operand,
    /,
    *,
    lower: bool = ...,
    errors: Literal["info"],
    threads: int = ...,
    like: Any = ...,
    out: Any = ...,
) -> tuple[Any, Any]: ...
@overload
def cho_solve(
    c_and_lower: tuple[_Operand, bool],
    b: _Operand,
    /,
    *,
    errors: Literal["raise", "nan"] = ...,
    threads: int = ...,
    like: None = ...,
    out: None = ...,
) -> Matrix: ...
@overload
def cho_solve(
    c_and_lower: tuple[_Operand, bool],
    b: _Operand,
    /,
    *,
    errors: Literal["raise", "nan"] = ...,
    threads: int = ...,
    like: _T,
    out: None = ...,
) -> _T: ...
@overload
def cho_solve(
    c_and_lower: tuple[_Operand, bool],
    b: _Operand,
    /,
    *,
    errors: Literal["raise", "nan"] = ...,
    threads: int = ...,
    like: None = ...,
    out: _T,
) -> _T: ...
@overload
def cho_solve(
    c_and_lower: tuple[_Operand, bool],
    b: _Operand,
    /,
    *,
    errors: Literal["info"],
    threads: int = ...,
    like: Any = ...,
    out: Any = ...,
) -> tuple[Any, Any]: ...
@overload
def cholesky(
    x: _Operand,
    /,
    *,
    upper: bool = ...,
    errors: Literal["raise", "nan"] = ...,
    threads: int = ...,
    like: None = ...,
    out: None = ...,
) -> Matrix: ...
@overload
def cholesky(
    x: _Operand,
    /,
    *,
    upper: bool = ...,
    errors: Literal["raise", "nan"] = ...,
    threads: int = ...,
    like: _T,
    out: None = ...,
) -> _T: ...
@overload
def cholesky(
    x: _Operand,
    /,
    *,
    upper: bool = ...,
    errors: Literal["raise", "nan"] = ...,
    threads: int = ...,
    like: None = ...,
    out: _T,
) -> _T: ...
@overload
def cholesky(
    x: _Operand,
    /,
    *,
    upper: bool = ...,
    errors: Literal["info"],
    threads: int = ...,
    like: Any = ...,
    out: Any = ...,
) -> tuple[Any, Any]: ...
@overload
def cond(
    x: _Operand,
    /,
    p: _Order | None = ...,
    *,
    errors: Literal["raise", "nan"] = ...,
    threads: int = ...,
    like: None = ...,
    out: None = ...,
) -> Any: ...
@overload
def cond(
    x: _Operand,
    /,
    p: _Order | None = ...,
    *,
    errors: Literal["raise", "nan"] = ...,
    threads: int = ...,
    like: _T,
    out: None = ...,
) -> _T | Any: ...
@overload
def cond(
    x: _Operand,
    /,
    p: _Order | None = ...,
    *,
    errors: Literal["raise", "nan"] = ...,
    threads: int = ...,
    like: None = ...,
    out: _T,
) -> _T: ...
@overload
def cond(
    x: _Operand,
    /,
    p: _Order | None = ...,
    *,
    errors: Literal["info"],
    threads: int = ...,
    like: Any = ...,
    out: Any = ...,
) -> tuple[Any, Any]: ...
@overload
def cross(
    x1: _Operand, x2: _Operand, /, *, axis: int = ..., like: None = ..., out: None = ...
) -> Matrix: ...
@overload
def cross(x1: _Operand, x2: _Operand, /, *, axis: int = ..., like: _T, out: None = ...) -> _T: ...
@overload
def cross(x1: _Operand, x2: _Operand, /, *, axis: int = ..., like: None = ..., out: _T) -> _T: ...
@overload
def det(x: _Operand, /, *, threads: int = ..., like: None = ..., out: None = ...) -> Any: ...
@overload
def det(x: _Operand, /, *, threads: int = ..., like: _T, out: None = ...) -> _T | float: ...
@overload
def det(x: _Operand, /, *, threads: int = ..., like: None = ..., out: _T) -> _T: ...
@overload
def diagonal(x: _Operand, /, *, offset: int = ..., like: None = ...) -> Matrix: ...
@overload
def diagonal(x: _Operand, /, *, offset: int = ..., like: _T) -> _T: ...
@overload
def eig(
    x: _Operand,
    /,
    *,
    errors: Literal["raise", "nan"] = ...,
    threads: int = ...,
    like: None = ...,
    out: None = ...,
) -> EigResult[Matrix]: ...
@overload
def eig(
    x: _Operand,
    /,
    *,
    errors: Literal["raise", "nan"] = ...,
    threads: int = ...,
    like: _T,
    out: None = ...,
) -> EigResult[_T]: ...
@overload
def eig(
    x: _Operand,
    /,
    *,
    errors: Literal["raise", "nan"] = ...,
    threads: int = ...,
    like: None = ...,
    out: tuple[_T, _T],
) -> EigResult[_T]: ...
@overload
def eig(
    x: _Operand, /, *, errors: Literal["info"], threads: int = ..., like: Any = ..., out: Any = ...
) -> tuple[Any, Any]: ...
@overload
def eigh(
    x: _Operand,
    /,
    *,
    errors: Literal["raise", "nan"] = ...,
    threads: int = ...,
    like: None = ...,
    out: None = ...,
) -> EighResult[Matrix]: ...
@overload
def eigh(
    x: _Operand,
    /,
    *,
    errors: Literal["raise", "nan"] = ...,
    threads: int = ...,
    like: _T,
    out: None = ...,
) -> EighResult[_T]: ...
@overload
def eigh(
    x: _Operand,
    /,
    *,
    errors: Literal["raise", "nan"] = ...,
    threads: int = ...,
    like: None = ...,
    out: tuple[_T, _T],
) -> EighResult[_T]: ...
@overload
def eigh(
    x: _Operand, /, *, errors: Literal["info"], threads: int = ..., like: Any = ..., out: Any = ...
) -> tuple[Any, Any]: ...
@overload
def eigvals(
    x: _Operand,
    /,
    *,
    errors: Literal["raise", "nan"] = ...,
    threads: int = ...,
    like: None = ...,
    out: None = ...,
) -> Matrix: ...
@overload
def eigvals(
    x: _Operand,
    /,
    *,
    errors: Literal["raise", "nan"] = ...,
    threads: int = ...,
    like: _T,
    out: None = ...,
) -> _T: ...
@overload
def eigvals(
    x: _Operand,
    /,
    *,
    errors: Literal["raise", "nan"] = ...,
    threads: int = ...,
    like: None = ...,
    out: _T,
) -> _T: ...
@overload
def eigvals(
    x: _Operand, /, *, errors: Literal["info"], threads: int = ..., like: Any = ..., out: Any = ...
) -> tuple[Any, Any]: ...
@overload
def eigvalsh(
    x: _Operand,
    /,
    *,
    errors: Literal["raise", "nan"] = ...,
    threads: int = ...,
    like: None = ...,
    out: None = ...,
) -> Matrix: ...
@overload
def eigvalsh(
    x: _Operand,
    /,
    *,
    errors: Literal["raise", "nan"] = ...,
    threads: int = ...,
    like: _T,
    out: None = ...,
) -> _T: ...
@overload
def eigvalsh(
    x: _Operand,
    /,
    *,
    errors: Literal["raise", "nan"] = ...,
    threads: int = ...,
    like: None = ...,
    out: _T,
) -> _T: ...
@overload
def eigvalsh(
    x: _Operand, /, *, errors: Literal["info"], threads: int = ..., like: Any = ..., out: Any = ...
) -> tuple[Any, Any]: ...
@overload
def einsum(
    subscripts: str,
    /,
    *operands: _Operand | _Number,
    threads: int = ...,
    like: None = ...,
    out: None = ...,
) -> Any: ...
@overload
def einsum(
    subscripts: str, /, *operands: _Operand | _Number, threads: int = ..., like: _T, out: None = ...
) -> _T | Any: ...
@overload
def einsum(
    subscripts: str, /, *operands: _Operand | _Number, threads: int = ..., like: None = ..., out: _T
) -> _T: ...
def einsum_path(subscripts: str, /, *operands: _Operand | _Number) -> EinsumPathResult: ...
@overload
def expm(
    x: _Operand,
    /,
    *,
    errors: Literal["raise", "nan"] = ...,
    threads: int = ...,
    like: None = ...,
    out: None = ...,
) -> Matrix: ...
@overload
def expm(
    x: _Operand,
    /,
    *,
    errors: Literal["raise", "nan"] = ...,
    threads: int = ...,
    like: _T,
    out: None = ...,
) -> _T: ...
@overload
def expm(
    x: _Operand,
    /,
    *,
    errors: Literal["raise", "nan"] = ...,
    threads: int = ...,
    like: None = ...,
    out: _T,
) -> _T: ...
@overload
def expm(
    x: _Operand, /, *, errors: Literal["info"], threads: int = ..., like: Any = ..., out: Any = ...
) -> tuple[Any, Any]: ...
@overload
def inv(
    x: _Operand,
    /,
    *,
    errors: Literal["raise", "nan"] = ...,
    threads: int = ...,
    like: None = ...,
    out: None = ...,
) -> Matrix: ...
@overload
def inv(
    x: _Operand,
    /,
    *,
    errors: Literal["raise", "nan"] = ...,
    threads: int = ...,
    like: _T,
    out: None = ...,
) -> _T: ...
@overload
def inv(
    x: _Operand,
    /,
    *,
    errors: Literal["raise", "nan"] = ...,
    threads: int = ...,
    like: None = ...,
    out: _T,
) -> _T: ...
@overload
def inv(
    x: _Operand, /, *, errors: Literal["info"], threads: int = ..., like: Any = ..., out: Any = ...
) -> tuple[Any, Any]: ...
@overload
def kron(
    a: _Operand, b: _Operand, /, *, threads: int = ..., like: None = ..., out: None = ...
) -> Matrix: ...
@overload
def kron(a: _Operand, b: _Operand, /, *, threads: int = ..., like: _T, out: None = ...) -> _T: ...
@overload
def kron(a: _Operand, b: _Operand, /, *, threads: int = ..., like: None = ..., out: _T) -> _T: ...
@overload
def ldl(
    x: _Operand,
    /,
    *,
    lower: bool = ...,
    hermitian: bool = ...,
    threads: int = ...,
    like: None = ...,
    out: None = ...,
) -> LDLResult[Matrix]: ...
@overload
def ldl(
    x: _Operand,
    /,
    *,
    lower: bool = ...,
    hermitian: bool = ...,
    threads: int = ...,
    like: _T,
    out: None = ...,
) -> LDLResult[_T]: ...
@overload
def ldl(
    x: _Operand,
    /,
    *,
    lower: bool = ...,
    hermitian: bool = ...,
    threads: int = ...,
    like: None = ...,
    out: tuple[_T, _T, _T],
) -> LDLResult[_T]: ...
@overload
def logm(
    x: _Operand,
    /,
    *,
    errors: Literal["raise", "nan"] = ...,
    threads: int = ...,
    like: None = ...,
    out: None = ...,
) -> Matrix: ...
@overload
def logm(
    x: _Operand,
    /,
    *,
    errors: Literal["raise", "nan"] = ...,
    threads: int = ...,
    like: _T,
    out: None = ...,
) -> _T: ...
@overload
def logm(
    x: _Operand,
    /,
    *,
    errors: Literal["raise", "nan"] = ...,
    threads: int = ...,
    like: None = ...,
    out: _T,
) -> _T: ...
@overload
def logm(
    x: _Operand, /, *, errors: Literal["info"], threads: int = ..., like: Any = ..., out: Any = ...
) -> tuple[Any, Any]: ...
@overload
def lstsq(
    x1: _Operand,
    x2: _Operand,
    /,
    *,
    rtol: float | None = ...,
    errors: Literal["raise", "nan"] = ...,
    threads: int = ...,
    like: None = ...,
    out: None = ...,
) -> LstsqResult[Matrix]: ...
@overload
def lstsq(
    x1: _Operand,
    x2: _Operand,
    /,
    *,
    rtol: float | None = ...,
    errors: Literal["raise", "nan"] = ...,
    threads: int = ...,
    like: _T,
    out: None = ...,
) -> LstsqResult[_T]: ...
@overload
def lstsq(
    x1: _Operand,
    x2: _Operand,
    /,
    *,
    rtol: float | None = ...,
    errors: Literal["raise", "nan"] = ...,
    threads: int = ...,
    like: None = ...,
    out: tuple[_T, Any, _T],
) -> LstsqResult[_T]: ...
@overload
def lstsq(
    x1: _Operand,
    x2: _Operand,
    /,
    *,
    rtol: float | None = ...,
    errors: Literal["info"],
    threads: int = ...,
    like: Any = ...,
    out: Any = ...,
) -> tuple[Any, Any]: ...
@overload
def lu(
    x: _Operand, /, *, threads: int = ..., like: None = ..., out: None = ...
) -> LUResult[Matrix]: ...
@overload
def lu(x: _Operand, /, *, threads: int = ..., like: _T, out: None = ...) -> LUResult[_T]: ...
@overload
def lu(
    x: _Operand, /, *, threads: int = ..., like: None = ..., out: tuple[_T, _T, _T]
) -> LUResult[_T]: ...
@overload
def lu_factor(
    x: _Operand, /, *, threads: int = ..., like: None = ..., out: None = ...
) -> LUFactorResult[Matrix]: ...
@overload
def lu_factor(
    x: _Operand, /, *, threads: int = ..., like: _T, out: None = ...
) -> LUFactorResult[_T]: ...
@overload
def lu_factor(
    x: _Operand, /, *, threads: int = ..., like: None = ..., out: tuple[_T, _T]
) -> LUFactorResult[_T]: ...
@overload
def lu_solve(
    lu_and_piv: tuple[_Operand, _Operand],
    b: _Operand,
    /,
    *,
    trans: Literal[0, 1, 2] = ...,
    errors: Literal["raise", "nan"] = ...,
    threads: int = ...,
    like: None = ...,
    out: None = ...,
) -> Matrix: ...
@overload
def lu_solve(
    lu_and_piv: tuple[_Operand, _Operand],
    b: _Operand,
    /,
    *,
    trans: Literal[0, 1, 2] = ...,
    errors: Literal["raise", "nan"] = ...,
    threads: int = ...,
    like: _T,
    out: None = ...,
) -> _T: ...
@overload
def lu_solve(
    lu_and_piv: tuple[_Operand, _Operand],
    b: _Operand,
    /,
    *,
    trans: Literal[0, 1, 2] = ...,
    errors: Literal["raise", "nan"] = ...,
    threads: int = ...,
    like: None = ...,
    out: _T,
) -> _T: ...
@overload
def lu_solve(
    lu_and_piv: tuple[_Operand, _Operand],
    b: _Operand,
    /,
    *,
    trans: Literal[0, 1, 2] = ...,
    errors: Literal["info"],
    threads: int = ...,
    like: Any = ...,
    out: Any = ...,
) -> tuple[Any, Any]: ...
@overload
def matmul(
    x1: _Operand | QMatrix,
    x2: _Operand,
    /,
    *,
    dtype: _Dtype | None = ...,
    threads: int = ...,
    like: None = ...,
    out: None = ...,
) -> Any: ...
@overload
def matmul(
    x1: _Operand | QMatrix,
    x2: _Operand,
    /,
    *,
    dtype: _Dtype | None = ...,
    threads: int = ...,
    like: _T,
    out: None = ...,
) -> _T | complex: ...
@overload
def matmul(
    x1: _Operand | QMatrix,
    x2: _Operand,
    /,
    *,
    dtype: _Dtype | None = ...,
    threads: int = ...,
    like: None = ...,
    out: _T,
) -> _T: ...
@overload
def matrix_norm(
    x: _Operand,
    /,
    *,
    keepdims: bool = ...,
    ord: float | Literal["fro", "nuc"] | None = ...,
    errors: Literal["raise", "nan"] = ...,
    threads: int = ...,
    like: None = ...,
    out: None = ...,
) -> Any: ...
@overload
def matrix_norm(
    x: _Operand,
    /,
    *,
    keepdims: bool = ...,
    ord: float | Literal["fro", "nuc"] | None = ...,
    errors: Literal["raise", "nan"] = ...,
    threads: int = ...,
    like: _T,
    out: None = ...,
) -> _T | float: ...
@overload
def matrix_norm(
    x: _Operand,
    /,
    *,
    keepdims: bool = ...,
    ord: float | Literal["fro", "nuc"] | None = ...,
    errors: Literal["raise", "nan"] = ...,
    threads: int = ...,
    like: None = ...,
    out: _T,
) -> _T: ...
@overload
def matrix_norm(
    x: _Operand,
    /,
    *,
    keepdims: bool = ...,
    ord: float | Literal["fro", "nuc"] | None = ...,
    errors: Literal["info"],
    threads: int = ...,
    like: Any = ...,
    out: Any = ...,
) -> tuple[Any, Any]: ...
@overload
def matrix_power(
    x: _Operand, n: SupportsIndex, /, *, threads: int = ..., like: None = ..., out: None = ...
) -> Matrix: ...
@overload
def matrix_power(
    x: _Operand, n: SupportsIndex, /, *, threads: int = ..., like: _T, out: None = ...
) -> _T: ...
@overload
def matrix_power(
    x: _Operand, n: SupportsIndex, /, *, threads: int = ..., like: None = ..., out: _T
) -> _T: ...
@overload
def matrix_rank(
    x: _Operand,
    /,
    *,
    rtol: float | _Operand | None = ...,
    errors: Literal["raise", "nan"] = ...,
    threads: int = ...,
    like: None = ...,
    out: None = ...,
) -> Any: ...
@overload
def matrix_rank(
    x: _Operand,
    /,
    *,
    rtol: float | _Operand | None = ...,
    errors: Literal["raise", "nan"] = ...,
    threads: int = ...,
    like: _T,
    out: None = ...,
) -> _T | int: ...
@overload
def matrix_rank(
    x: _Operand,
    /,
    *,
    rtol: float | _Operand | None = ...,
    errors: Literal["raise", "nan"] = ...,
    threads: int = ...,
    like: None = ...,
    out: _T,
) -> _T: ...
@overload
def matrix_rank(
    x: _Operand,
    /,
    *,
    rtol: float | _Operand | None = ...,
    errors: Literal["info"],
    threads: int = ...,
    like: Any = ...,
    out: Any = ...,
) -> tuple[Any, Any]: ...
@overload
def matrix_transpose(x: _Operand, /, *, like: None = ...) -> Matrix: ...
@overload
def matrix_transpose(x: _Operand, /, *, like: _T) -> _T: ...
@overload
def multi_dot(
    arrays: Sequence[_Operand], /, *, threads: int = ..., like: None = ..., out: None = ...
) -> Any: ...
@overload
def multi_dot(
    arrays: Sequence[_Operand], /, *, threads: int = ..., like: _T, out: None = ...
) -> _T | Any: ...
@overload
def multi_dot(
    arrays: Sequence[_Operand], /, *, threads: int = ..., like: None = ..., out: _T
) -> _T: ...
@overload
def null_space(
    x: _Operand,
    /,
    *,
    rtol: float | None = ...,
    threads: int = ...,
    like: None = ...,
    out: None = ...,
) -> Matrix: ...
@overload
def null_space(
    x: _Operand, /, *, rtol: float | None = ..., threads: int = ..., like: _T, out: None = ...
) -> _T: ...
@overload
def null_space(
    x: _Operand, /, *, rtol: float | None = ..., threads: int = ..., like: None = ..., out: _T
) -> _T: ...
@overload
def orth(
    x: _Operand,
    /,
    *,
    rtol: float | None = ...,
    threads: int = ...,
    like: None = ...,
    out: None = ...,
) -> Matrix: ...
@overload
def orth(
    x: _Operand, /, *, rtol: float | None = ..., threads: int = ..., like: _T, out: None = ...
) -> _T: ...
@overload
def orth(
    x: _Operand, /, *, rtol: float | None = ..., threads: int = ..., like: None = ..., out: _T
) -> _T: ...
@overload
def outer(
    x1: _Operand, x2: _Operand, /, *, threads: int = ..., like: None = ..., out: None = ...
) -> Matrix: ...
@overload
def outer(
    x1: _Operand, x2: _Operand, /, *, threads: int = ..., like: _T, out: None = ...
) -> _T: ...
@overload
def outer(
    x1: _Operand, x2: _Operand, /, *, threads: int = ..., like: None = ..., out: _T
) -> _T: ...
@overload
def pinv(
    x: _Operand,
    /,
    *,
    rtol: float | _Operand | None = ...,
    errors: Literal["raise", "nan"] = ...,
    threads: int = ...,
    like: None = ...,
    out: None = ...,
) -> Matrix: ...
@overload
def pinv(
    x: _Operand,
    /,
    *,
    rtol: float | _Operand | None = ...,
    errors: Literal["raise", "nan"] = ...,
    threads: int = ...,
    like: _T,
    out: None = ...,
) -> _T: ...
@overload
def pinv(
    x: _Operand,
    /,
    *,
    rtol: float | _Operand | None = ...,
    errors: Literal["raise", "nan"] = ...,
    threads: int = ...,
    like: None = ...,
    out: _T,
) -> _T: ...
@overload
def pinv(
    x: _Operand,
    /,
    *,
    rtol: float | _Operand | None = ...,
    errors: Literal["info"],
    threads: int = ...,
    like: Any = ...,
    out: Any = ...,
) -> tuple[Any, Any]: ...
@overload
def polar(
    x: _Operand,
    /,
    *,
    side: Literal["left", "right"] = ...,
    errors: Literal["raise", "nan"] = ...,
    threads: int = ...,
    like: None = ...,
    out: None = ...,
) -> PolarResult[Matrix]: ...
@overload
def polar(
    x: _Operand,
    /,
    *,
    side: Literal["left", "right"] = ...,
    errors: Literal["raise", "nan"] = ...,
    threads: int = ...,
    like: _T,
    out: None = ...,
) -> PolarResult[_T]: ...
@overload
def polar(
    x: _Operand,
    /,
    *,
    side: Literal["left", "right"] = ...,
    errors: Literal["raise", "nan"] = ...,
    threads: int = ...,
    like: None = ...,
    out: tuple[_T, _T],
) -> PolarResult[_T]: ...
@overload
def polar(
    x: _Operand,
    /,
    *,
    side: Literal["left", "right"] = ...,
    errors: Literal["info"],
    threads: int = ...,
    like: Any = ...,
    out: Any = ...,
) -> tuple[Any, Any]: ...
@overload
def qr(
    x: _Operand,
    /,
    *,
    mode: Literal["reduced", "complete"] = ...,
    errors: Literal["raise", "nan"] = ...,
    threads: int = ...,
    like: None = ...,
    out: None = ...,
) -> QRResult[Matrix]: ...
@overload
def qr(
    x: _Operand,
    /,
    *,
    mode: Literal["reduced", "complete"] = ...,
    errors: Literal["raise", "nan"] = ...,
    threads: int = ...,
    like: _T,
    out: None = ...,
) -> QRResult[_T]: ...
@overload
def qr(
    x: _Operand,
    /,
    *,
    mode: Literal["reduced", "complete"] = ...,
    errors: Literal["raise", "nan"] = ...,
    threads: int = ...,
    like: None = ...,
    out: tuple[_T, _T],
) -> QRResult[_T]: ...
@overload
def qr(
    x: _Operand,
    /,
    *,
    mode: Literal["reduced", "complete"] = ...,
    errors: Literal["info"],
    threads: int = ...,
    like: Any = ...,
    out: Any = ...,
) -> tuple[Any, Any]: ...
@overload
def rcond(x: _Operand, /, *, threads: int = ..., like: None = ..., out: None = ...) -> Any: ...
@overload
def rcond(x: _Operand, /, *, threads: int = ..., like: _T, out: None = ...) -> _T | Any: ...
@overload
def rcond(x: _Operand, /, *, threads: int = ..., like: None = ..., out: _T) -> _T: ...
@overload
def schur(
    x: _Operand,
    /,
    *,
    output: Literal["real", "complex"] = ...,
    errors: Literal["raise", "nan"] = ...,
    threads: int = ...,
    like: None = ...,
    out: None = ...,
) -> SchurResult[Matrix]: ...
@overload
def schur(
    x: _Operand,
    /,
    *,
    output: Literal["real", "complex"] = ...,
    errors: Literal["raise", "nan"] = ...,
    threads: int = ...,
    like: _T,
    out: None = ...,
) -> SchurResult[_T]: ...
@overload
def schur(
    x: _Operand,
    /,
    *,
    output: Literal["real", "complex"] = ...,
    errors: Literal["raise", "nan"] = ...,
    threads: int = ...,
    like: None = ...,
    out: tuple[_T, _T],
) -> SchurResult[_T]: ...
@overload
def schur(
    x: _Operand,
    /,
    *,
    output: Literal["real", "complex"] = ...,
    errors: Literal["info"],
    threads: int = ...,
    like: Any = ...,
    out: Any = ...,
) -> tuple[Any, Any]: ...
@overload
def slogdet(
    x: _Operand, /, *, threads: int = ..., like: None = ..., out: None = ...
) -> SlogdetResult[Any]: ...
@overload
def slogdet(
    x: _Operand, /, *, threads: int = ..., like: _T, out: None = ...
) -> SlogdetResult[_T | float]: ...
@overload
def slogdet(
    x: _Operand, /, *, threads: int = ..., like: None = ..., out: tuple[_T, _T]
) -> SlogdetResult[_T]: ...
@overload
def solve(
    x1: _Operand,
    x2: _Operand,
    /,
    *,
    errors: Literal["raise", "nan"] = ...,
    threads: int = ...,
    like: None = ...,
    out: None = ...,
) -> Matrix: ...
@overload
def solve(
    x1: _Operand,
    x2: _Operand,
    /,
    *,
    errors: Literal["raise", "nan"] = ...,
    threads: int = ...,
    like: _T,
    out: None = ...,
) -> _T: ...
@overload
def solve(
    x1: _Operand,
    x2: _Operand,
    /,
    *,
    errors: Literal["raise", "nan"] = ...,
    threads: int = ...,
    like: None = ...,
    out: _T,
) -> _T: ...
@overload
def solve(
    x1: _Operand,
    x2: _Operand,
    /,
    *,
    errors: Literal["info"],
    threads: int = ...,
    like: Any = ...,
    out: Any = ...,
) -> tuple[Any, Any]: ...
@overload
def solve_sylvester(
    a: _Operand,
    b: _Operand,
    q: _Operand,
    /,
    *,
    errors: Literal["raise", "nan"] = ...,
    threads: int = ...,
    like: None = ...,
    out: None = ...,
) -> Matrix: ...
@overload
def solve_sylvester(
    a: _Operand,
    b: _Operand,
    q: _Operand,
    /,
    *,
    errors: Literal["raise", "nan"] = ...,
    threads: int = ...,
    like: _T,
    out: None = ...,
) -> _T: ...
@overload
def solve_sylvester(
    a: _Operand,
    b: _Operand,
    q: _Operand,
    /,
    *,
    errors: Literal["raise", "nan"] = ...,
    threads: int = ...,
    like: None = ...,
    out: _T,
) -> _T: ...
@overload
def solve_sylvester(
    a: _Operand,
    b: _Operand,
    q: _Operand,
    /,
    *,
    errors: Literal["info"],
    threads: int = ...,
    like: Any = ...,
    out: Any = ...,
) -> tuple[Any, Any]: ...
@overload
def solve_triangular(
    a: _Operand,
    b: _Operand,
    /,
    *,
    lower: bool = ...,
    unit_diagonal: bool = ...,
    trans: Literal[0, 1, 2] = ...,
    errors: Literal["raise", "nan"] = ...,
    threads: int = ...,
    like: None = ...,
    out: None = ...,
) -> Matrix: ...
@overload
def solve_triangular(
    a: _Operand,
    b: _Operand,
    /,
    *,
    lower: bool = ...,
    unit_diagonal: bool = ...,
    trans: Literal[0, 1, 2] = ...,
    errors: Literal["raise", "nan"] = ...,
    threads: int = ...,
    like: _T,
    out: None = ...,
) -> _T: ...
@overload
def solve_triangular(
    a: _Operand,
    b: _Operand,
    /,
    *,
    lower: bool = ...,
    unit_diagonal: bool = ...,
    trans: Literal[0, 1, 2] = ...,
    errors: Literal["raise", "nan"] = ...,
    threads: int = ...,
    like: None = ...,
    out: _T,
) -> _T: ...
@overload
def solve_triangular(
    a: _Operand,
    b: _Operand,
    /,
    *,
    lower: bool = ...,
    unit_diagonal: bool = ...,
    trans: Literal[0, 1, 2] = ...,
    errors: Literal["info"],
    threads: int = ...,
    like: Any = ...,
    out: Any = ...,
) -> tuple[Any, Any]: ...
@overload
def sqrtm(
    x: _Operand,
    /,
    *,
    errors: Literal["raise", "nan"] = ...,
    threads: int = ...,
    like: None = ...,
    out: None = ...,
) -> Matrix: ...
@overload
def sqrtm(
    x: _Operand,
    /,
    *,
    errors: Literal["raise", "nan"] = ...,
    threads: int = ...,
    like: _T,
    out: None = ...,
) -> _T: ...
@overload
def sqrtm(
    x: _Operand,
    /,
    *,
    errors: Literal["raise", "nan"] = ...,
    threads: int = ...,
    like: None = ...,
    out: _T,
) -> _T: ...
@overload
def sqrtm(
    x: _Operand, /, *, errors: Literal["info"], threads: int = ..., like: Any = ..., out: Any = ...
) -> tuple[Any, Any]: ...
@overload
def svd(
    x: _Operand,
    /,
    *,
    full_matrices: bool = ...,
    errors: Literal["raise", "nan"] = ...,
    threads: int = ...,
    like: None = ...,
    out: None = ...,
) -> SVDResult[Matrix]: ...
@overload
def svd(
    x: _Operand,
    /,
    *,
    full_matrices: bool = ...,
    errors: Literal["raise", "nan"] = ...,
    threads: int = ...,
    like: _T,
    out: None = ...,
) -> SVDResult[_T]: ...
@overload
def svd(
    x: _Operand,
    /,
    *,
    full_matrices: bool = ...,
    errors: Literal["raise", "nan"] = ...,
    threads: int = ...,
    like: None = ...,
    out: tuple[_T, _T, _T],
) -> SVDResult[_T]: ...
@overload
def svd(
    x: _Operand,
    /,
    *,
    full_matrices: bool = ...,
    errors: Literal["info"],
    threads: int = ...,
    like: Any = ...,
    out: Any = ...,
) -> tuple[Any, Any]: ...
@overload
def svdvals(
    x: _Operand,
    /,
    *,
    errors: Literal["raise", "nan"] = ...,
    threads: int = ...,
    like: None = ...,
    out: None = ...,
) -> Matrix: ...
@overload
def svdvals(
    x: _Operand,
    /,
    *,
    errors: Literal["raise", "nan"] = ...,
    threads: int = ...,
    like: _T,
    out: None = ...,
) -> _T: ...
@overload
def svdvals(
    x: _Operand,
    /,
    *,
    errors: Literal["raise", "nan"] = ...,
    threads: int = ...,
    like: None = ...,
    out: _T,
) -> _T: ...
@overload
def svdvals(
    x: _Operand, /, *, errors: Literal["info"], threads: int = ..., like: Any = ..., out: Any = ...
) -> tuple[Any, Any]: ...
@overload
def tensordot(
    x1: _Operand,
    x2: _Operand,
    /,
    *,
    axes: int | Sequence[int | Sequence[int]] = ...,
    threads: int = ...,
    like: None = ...,
    out: None = ...,
) -> Any: ...
@overload
def tensordot(
    x1: _Operand,
    x2: _Operand,
    /,
    *,
    axes: int | Sequence[int | Sequence[int]] = ...,
    threads: int = ...,
    like: _T,
    out: None = ...,
) -> _T | complex: ...
@overload
def tensordot(
    x1: _Operand,
    x2: _Operand,
    /,
    *,
    axes: int | Sequence[int | Sequence[int]] = ...,
    threads: int = ...,
    like: None = ...,
    out: _T,
) -> _T: ...
@overload
def trace(
    x: _Operand,
    /,
    *,
    offset: int = ...,
    dtype: _Dtype | None = ...,
    like: None = ...,
    out: None = ...,
) -> Any: ...
@overload
def trace(
    x: _Operand, /, *, offset: int = ..., dtype: _Dtype | None = ..., like: _T, out: None = ...
) -> _T | complex: ...
@overload
def trace(
    x: _Operand, /, *, offset: int = ..., dtype: _Dtype | None = ..., like: None = ..., out: _T
) -> _T: ...
@overload
def vecdot(
    x1: _Operand,
    x2: _Operand,
    /,
    *,
    axis: int = ...,
    threads: int = ...,
    like: None = ...,
    out: None = ...,
) -> Any: ...
@overload
def vecdot(
    x1: _Operand, x2: _Operand, /, *, axis: int = ..., threads: int = ..., like: _T, out: None = ...
) -> _T | complex: ...
@overload
def vecdot(
    x1: _Operand, x2: _Operand, /, *, axis: int = ..., threads: int = ..., like: None = ..., out: _T
) -> _T: ...
@overload
def vector_norm(
    x: _Operand,
    /,
    *,
    axis: int | Sequence[int] | None = ...,
    keepdims: bool = ...,
    ord: float = ...,
    like: None = ...,
    out: None = ...,
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
    out: None = ...,
) -> _T | float: ...
@overload
def vector_norm(
    x: _Operand,
    /,
    *,
    axis: int | Sequence[int] | None = ...,
    keepdims: bool = ...,
    ord: float = ...,
    like: None = ...,
    out: _T,
) -> _T: ...
def softmax(a: _Operand, /) -> Matrix: ...
def _rebuild(items: Buffer, dtype: str, shape: Sequence[int], /) -> Matrix: ...

class IterationResult(NamedTuple, Generic[_T]):
    x: _T
    info: int
    iterations: int
    residual: float

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
    def method(self) -> Literal["lu", "cholesky", "qr", "ic0", "ilu0", "jacobi"]: ...
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
def ic0(a: _AnyMatrix, /) -> SparseFactor: ...
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
