"""Tensor files as NumPy arrays. Types that NumPy lacks come from ``ml_dtypes``.

>>> import numpy as np
>>> from nexus.safetensors.numpy import load, save
>>> load(save({"x": np.arange(3.0)}))
{'x': array([0., 1., 2.])}
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, TypeAlias

from nexus._native import load as _load
from nexus._native import load_file as _load_file
from nexus.safetensors import TensorSpec, deserialize, safe_open, serialize, serialize_file
from nexus.safetensors._describe import text_of

try:
    import numpy as np
except ImportError as _error:
    _message = "nexus.safetensors.numpy needs NumPy: pip install 'nexus-rs[numpy]'"
    raise ImportError(_message) from _error

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping

    from nexus._native import _Described

    AnyArray: TypeAlias = np.ndarray[tuple[int, ...], np.dtype[np.generic]]

__all__ = [
    "TensorSpec",
    "deserialize",
    "load",
    "load_file",
    "safe_open",
    "save",
    "save_file",
    "serialize",
    "serialize_file",
]


def save(tensor_dict: Mapping[str, AnyArray], metadata: Mapping[str, str] | None = None) -> bytes:
    """Return the bytes of a file with these arrays.

    >>> import numpy as np
    >>> len(save({"x": np.zeros(4, dtype=np.int8)}))
    68
    """
    kept: list[AnyArray] = []
    return serialize(_flatten(tensor_dict, kept), text_of(metadata))


def save_file(
    tensor_dict: Mapping[str, AnyArray],
    filename: str | os.PathLike[str],
    metadata: Mapping[str, str] | None = None,
    *,
    fsync: bool = False,
    mode: str | None = None,
    align: int | None = None,
    checksum: str | None = None,
) -> None:
    """Write arrays to a file, which appears or changes at once and only when all went well.

    Arrays that are dense and little-endian are written from where they are; others are copied.

    >>> import numpy as np
    >>> save_file({"x": np.asfortranarray(np.eye(2))}, "eye.safetensors", {"made_by": "hand"})
    """
    kept: list[AnyArray] = []
    serialize_file(
        _flatten(tensor_dict, kept),
        filename,
        text_of(metadata),
        fsync=fsync,
        mode=mode,
        align=align,
        checksum=checksum,
    )


def load(data: bytes, *, rules: str = "compatible") -> dict[str, AnyArray]:
    """Return every tensor of the bytes of a file by name. The bytes are copied once.

    >>> import numpy as np
    >>> load(save({"x": np.float32(1)[None]}))
    {'x': array([1.], dtype=float32)}
    """
    return _load(data, "np", rules=rules)


def load_file(
    filename: str | os.PathLike[str],
    *,
    backend: str = "mmap",
    rules: str = "compatible",
    verify: bool = False,
) -> dict[str, AnyArray]:
    """Return every tensor of a file by name: writable views of one private map, without a copy.

    Writes stay in memory; the map lives as long as one of the arrays does.

    >>> import numpy as np
    >>> save_file({"x": np.zeros(2)}, "zeros.safetensors")
    >>> load_file("zeros.safetensors")
    {'x': array([0., 0.])}
    """
    return _load_file(filename, "np", backend=backend, rules=rules, verify=verify)


_TYPES: dict[str, type] = {
    "BOOL": bool,
    "U8": np.uint8,
    "I8": np.int8,
    "U16": np.uint16,
    "I16": np.int16,
    "F16": np.float16,
    "U32": np.uint32,
    "I32": np.int32,
    "F32": np.float32,
    "C64": np.complex64,
    "U64": np.uint64,
    "I64": np.int64,
    "F64": np.float64,
}


def _getdtype(dtype_str: str) -> type:
    return _TYPES[dtype_str]


def _flatten(
    tensor_dict: Mapping[str, AnyArray], keep_alive_buffer: list[AnyArray]
) -> dict[str, TensorSpec]:
    """Describe arrays for ``serialize``; copies that must outlive it go to the buffer."""
    return {name: _spec(array, keep_alive_buffer) for name, array in tensor_dict.items()}


def _spec(array: AnyArray, keep_alive_buffer: list[AnyArray]) -> TensorSpec:
    # Row-major and little-endian, in place where the array is so already.
    dense = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    keep_alive_buffer.append(dense)
    return TensorSpec(
        dtype=dense.dtype.name,
        shape=array.shape,
        data_ptr=dense.__array_interface__["data"][0],
        data_len=dense.nbytes,
    )


def _view2np(safeview: Iterable[tuple[str, _Described]]) -> dict[str, AnyArray]:
    """Turn what ``deserialize`` returns into arrays."""
    return {
        name: np.frombuffer(view["data"], _getdtype(view["dtype"])).reshape(view["shape"])
        for name, view in safeview
    }


def _is_little_endian(tensor: AnyArray) -> bool:
    order = tensor.dtype.byteorder
    if order == "=":
        return sys.byteorder == "little"
    return order != ">"
