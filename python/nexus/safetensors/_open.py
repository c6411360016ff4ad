"""The class ``safe_open``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Generic, Literal, TypeVar, cast, overload

from nexus._native import SafetensorError, SafeTensorsFile, Tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    import numpy as np
    import torch  # type: ignore[import-not-found, unused-ignore]

    AnyArray = np.ndarray[tuple[int, ...], np.dtype[np.generic]]

T = TypeVar("T")


class safe_open(Generic[T]):
    """Open a file and read its tensors as they are asked for.

    ``framework`` says what tensors are: ``"np"`` NumPy arrays, ``"pt"`` torch tensors, ``None``
    :class:`nexus.safetensors.Tensor`. All of them are writable views of a private map of the file:
    nothing is read before it is touched, writes stay in memory, and a tensor keeps the map alive
    after the file is closed.

    >>> from nexus.safetensors import Tensor, safe_open, save_file
    >>> save_file({"x": Tensor(b"ab", dtype="U8", shape=(2,))}, "x.safetensors", {"by": "hand"})
    >>> with safe_open("x.safetensors", framework="np") as file:
    ...     file
    ...     file.metadata()
    ...     file["x"]
    <safe_open 'x.safetensors': 1 tensor, 98 bytes, framework np>
    {'by': 'hand'}
    array([97, 98], dtype=uint8)
    """

    _file: SafeTensorsFile | None

    @overload
    def __init__(
        self: safe_open[AnyArray],
        filename: str | os.PathLike[str],
        framework: Literal["np", "numpy"] = "np",
        device: str = "cpu",
    ) -> None: ...
    @overload
    def __init__(
        self: safe_open[torch.Tensor],
        filename: str | os.PathLike[str],
        framework: Literal["pt", "torch", "pytorch"],
        device: str | int = "cpu",
    ) -> None: ...
    @overload
    def __init__(
        self: safe_open[Tensor],
        filename: str | os.PathLike[str],
        framework: None,
        device: str = "cpu",
    ) -> None: ...
    def __init__(
        self,
        filename: str | os.PathLike[str],
        framework: str | None = "np",
        device: str | int = "cpu",
    ) -> None:
        """Map the file and read its header."""
        self._wrap = cast("Callable[[Tensor], T]", _wrapper(framework, device))
        self._framework = framework
        self._filename = os.fspath(filename)
        self._file = SafeTensorsFile(self._filename)

    def keys(self) -> list[str]:
        """Return the names, sorted."""
        return self._opened().keys()

    def offset_keys(self) -> list[str]:
        """Return the names in the order of the data."""
        return self._opened().offset_keys()

    def metadata(self) -> dict[str, str] | None:
        """Return the free text of the header."""
        return self._opened().metadata()

    def info(self, name: str) -> tuple[str, tuple[int, ...], int, int]:
        """Return type, shape, first byte and one past the last byte of a tensor in the file."""
        dtype, shape, start, end = self._opened().info(name)
        return dtype, tuple(shape), start, end

    def get_tensor(self, name: str) -> T:
        """Return one tensor, without a copy."""
        return self._wrap(self._opened().get_tensor(name))

    def get_tensors(self) -> dict[str, T]:
        """Return every tensor by name, in the order of the data."""
        return {name: self.get_tensor(name) for name in self.offset_keys()}

    def close(self) -> None:
        """Let the map go as soon as the last tensor does."""
        self._file = None

    def __getitem__(self, name: str) -> T:
        """Return one tensor; a missing name is a KeyError."""
        if name not in self:
            raise KeyError(name)
        return self.get_tensor(name)

    def __contains__(self, name: object) -> bool:
        """Whether there is a tensor of this name."""
        return isinstance(name, str) and name in self._opened()

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names, sorted."""
        return iter(self.keys())

    def __len__(self) -> int:
        """Return the number of tensors."""
        return len(self._opened())

    def __enter__(self) -> safe_open[T]:
        """Return the file itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the file."""
        self.close()

    def __repr__(self) -> str:
        """Tell the state in one line."""
        if self._file is None:
            return f"<safe_open {self._filename!r}: closed>"
        count = len(self._file)
        tensors = "1 tensor" if count == 1 else f"{count} tensors"
        size = self._file.size_bytes
        return (
            f"<safe_open {self._filename!r}: {tensors}, {size} bytes, framework {self._framework}>"
        )

    def _opened(self) -> SafeTensorsFile:
        if self._file is None:
            raise SafetensorError("File is closed")
        return self._file


def _wrapper(framework: str | None, device: str | int) -> Callable[[Tensor], object]:
    if framework in ("pt", "torch", "pytorch"):
        from nexus.safetensors.torch import _importer

        return _importer(device)
    if framework not in (None, "np", "numpy"):
        raise SafetensorError(f"framework {framework} is invalid")
    if device != "cpu":
        name = "numpy" if framework else "None"
        raise SafetensorError(f"Device {device} is not supported for framework {name}")
    if framework is None:
        return _identity
    from nexus.safetensors.numpy import _to_numpy

    return _to_numpy


def _identity(tensor: Tensor) -> Tensor:
    return tensor
