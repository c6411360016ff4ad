"""The typed surface of the extension module `nexus._linalg`."""

from collections.abc import Iterator, Sequence
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
    "LinAlgError",
    "LstsqResult",
    "Matrix",
    "QRResult",
    "SVDResult",
    "SlogdetResult",
    "__version__",
    "_rebuild",
    "cholesky",
    "cross",
    "det",
    "diagonal",
    "eig",
    "eigh",
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
    "slogdet",
    "softmax",
    "solve",
    "svd",
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
_Index: TypeAlias = SupportsIndex | slice | EllipsisType
_Key: TypeAlias = _Index | tuple[_Index, ...]

class LinAlgError(ValueError): ...

class EigResult(NamedTuple, Generic[_T]):
    eigenvalues: _T
    eigenvectors: _T

class EighResult(NamedTuple, Generic[_T]):
    eigenvalues: _T
    eigenvectors: _T

class LstsqResult(NamedTuple, Generic[_T]):
    x: _T
    rank: Any
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
def matmul(
    x1: _Operand,
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
    x1: _Operand,
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
    x1: _Operand,
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
    x: _Operand, n: int, /, *, threads: int = ..., like: None = ..., out: None = ...
) -> Matrix: ...
@overload
def matrix_power(
    x: _Operand, n: int, /, *, threads: int = ..., like: _T, out: None = ...
) -> _T: ...
@overload
def matrix_power(
    x: _Operand, n: int, /, *, threads: int = ..., like: None = ..., out: _T
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
    axes: int | tuple[Sequence[int], Sequence[int]] = ...,
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
    axes: int | tuple[Sequence[int], Sequence[int]] = ...,
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
    axes: int | tuple[Sequence[int], Sequence[int]] = ...,
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
