"""The typed surface of the extension module `nexus._linalg`."""

from collections.abc import Iterator, Sequence
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
    "LinAlgError",
    "LstsqResult",
    "Matrix",
    "QMatrix",
    "QRResult",
    "SVDResult",
    "SlogdetResult",
    "__version__",
    "_rebuild",
    "cholesky",
    "cross",
    "det",
    "diagonal",
    "eigh",
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
def matmul(
    x1: _Operand | QMatrix,
    x2: _Operand,
    /,
    *,
    dtype: str | None = ...,
    threads: int = ...,
    like: None = ...,
    out: None = ...,
) -> Matrix: ...
@overload
def matmul(
    x1: _Operand | QMatrix,
    x2: _Operand,
    /,
    *,
    dtype: str | None = ...,
    threads: int = ...,
    like: _T,
) -> _T: ...
@overload
def matmul(
    x1: _Operand | QMatrix,
    x2: _Operand,
    /,
    *,
    dtype: str | None = ...,
    threads: int = ...,
    out: _T,
) -> _T: ...
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
