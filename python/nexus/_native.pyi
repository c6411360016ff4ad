"""Types of the extension module behind ``nexus.safetensors`` and ``nexus.data``."""

import os
from collections.abc import Iterator, Sequence
from typing import ClassVar, TypedDict, final

from typing_extensions import Buffer, CapsuleType

__all__ = [
    "SafeTensorsFile",
    "SafetensorError",
    "Tensor",
    "__version__",
    "save_bytes",
    "save_file",
]
__version__: str

# nexus.safetensors

class SafetensorError(ValueError): ...

class _ArrayInterface(TypedDict):
    version: int
    typestr: str
    shape: tuple[int, ...]
    data: tuple[int, bool]
    strides: None

@final
class Tensor:
    __hash__: ClassVar[None]  # type: ignore[assignment]
    def __new__(cls, data: Buffer, /, *, dtype: str, shape: Sequence[int]) -> Tensor: ...
    @property
    def dtype(self) -> str: ...
    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def nbytes(self) -> int: ...
    @property
    def readonly(self) -> bool: ...
    @property
    def __array_interface__(self) -> _ArrayInterface: ...
    def tobytes(self) -> bytes: ...
    def __buffer__(self, flags: int, /) -> memoryview: ...
    def __dlpack__(
        self,
        *,
        stream: object | None = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[int, int] | None = None,
        copy: bool | None = None,
    ) -> CapsuleType: ...
    def __dlpack_device__(self) -> tuple[int, int]: ...

@final
class SafeTensorsFile:
    def __new__(cls, filename: str | os.PathLike[str], /) -> SafeTensorsFile: ...
    @staticmethod
    def copy_of(data: Buffer, /) -> SafeTensorsFile: ...
    def keys(self) -> list[str]: ...
    def offset_keys(self) -> list[str]: ...
    def metadata(self) -> dict[str, str] | None: ...
    def info(self, name: str) -> tuple[str, list[int], int, int]: ...
    def get_tensor(self, name: str) -> Tensor: ...
    @property
    def size_bytes(self) -> int: ...
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[str]: ...
    def __contains__(self, name: str, /) -> bool: ...

def save_bytes(
    tensors: Sequence[tuple[str, Tensor]], metadata: dict[str, str] | None = None
) -> bytes: ...
def save_file(
    tensors: Sequence[tuple[str, Tensor]],
    filename: str | os.PathLike[str],
    metadata: dict[str, str] | None = None,
    *,
    fsync: bool = False,
) -> None: ...
