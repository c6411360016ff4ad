"""Tensor files as NumPy arrays. Types that NumPy lacks come from ``ml_dtypes``.

>>> import numpy as np
>>> from nexus.safetensors.numpy import load, save
>>> load(save({"x": np.arange(3.0)}))
{'x': array([0., 1., 2.])}
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

import nexus.safetensors as _safetensors
from nexus.safetensors import SafetensorError, Tensor

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping
    from types import ModuleType

    import numpy as np

    AnyArray = np.ndarray[tuple[int, ...], np.dtype[np.generic]]

__all__ = ["load", "load_file", "save", "save_file"]

# Names in the format, and of NumPy's types.
_NUMPY = {
    "BOOL": "bool",
    "U8": "uint8",
    "I8": "int8",
    "U16": "uint16",
    "I16": "int16",
    "F16": "float16",
    "U32": "uint32",
    "I32": "int32",
    "F32": "float32",
    "C64": "complex64",
    "U64": "uint64",
    "I64": "int64",
    "F64": "float64",
}
# Names of ml_dtypes' types.
_ML_DTYPES = {
    "BF16": "bfloat16",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
    "F8_E8M0": "float8_e8m0fnu",
    "F8_E4M3FNUZ": "float8_e4m3fnuz",
    "F8_E5M2FNUZ": "float8_e5m2fnuz",
}
_FORMAT = {numpy_name: name for name, numpy_name in (_NUMPY | _ML_DTYPES).items()}


def load_file(filename: str | os.PathLike[str]) -> dict[str, AnyArray]:
    """Return every tensor of a file by name: writable views of one private map, without a copy.

    Writes stay in memory; the map lives as long as one of the arrays does.

    >>> import numpy as np
    >>> save_file({"x": np.zeros(2)}, "zeros.safetensors")
    >>> load_file("zeros.safetensors")
    {'x': array([0., 0.])}
    """
    return {name: _to_numpy(each) for name, each in _safetensors.load_file(filename).items()}


def load(data: bytes) -> dict[str, AnyArray]:
    """Return every tensor of the bytes of a file by name. The bytes are copied once.

    >>> import numpy as np
    >>> load(save({"x": np.float32(1)[None]}))
    {'x': array([1.], dtype=float32)}
    """
    return {name: _to_numpy(each) for name, each in _safetensors.load(data).items()}


def save_file(
    tensor_dict: Mapping[str, AnyArray],
    filename: str | os.PathLike[str],
    metadata: Mapping[str, str] | None = None,
    *,
    fsync: bool = False,
) -> None:
    """Write arrays to a file, which appears or changes at once and only when all went well.

    Arrays that are dense and little-endian are written from where they are; others are copied.

    >>> import numpy as np
    >>> save_file({"x": np.asfortranarray(np.eye(2))}, "eye.safetensors", {"made_by": "hand"})
    """
    _safetensors.save_file(_from_numpys(tensor_dict), filename, metadata, fsync=fsync)


def save(tensor_dict: Mapping[str, AnyArray], metadata: Mapping[str, str] | None = None) -> bytes:
    """Return the bytes of a file with these arrays.

    >>> import numpy as np
    >>> len(save({"x": np.zeros(4, dtype=np.int8)}))
    68
    """
    return _safetensors.save(_from_numpys(tensor_dict), metadata)


def _to_numpy(tensor: Tensor) -> AnyArray:
    np = _numpy()
    dtype = _dtype(tensor.dtype)
    # NumPy refuses to view a buffer of no bytes.
    flat: AnyArray = np.frombuffer(tensor, dtype) if tensor.nbytes else np.empty(0, dtype)
    return flat.reshape(tensor.shape)


def _from_numpys(arrays: Mapping[str, AnyArray]) -> dict[str, Tensor]:
    return {name: _from_numpy(name, array) for name, array in arrays.items()}


def _from_numpy(name: str, array: AnyArray) -> Tensor:
    np = _numpy()
    dtype = _FORMAT.get(array.dtype.name)
    if dtype is None:
        supported = ", ".join(_FORMAT)
        message = (
            f'cannot save `{name}`: unknown dtype "{array.dtype.name}". Supported: {supported}'
        )
        raise SafetensorError(message)
    # Row-major and little-endian, in place where the array is so already. A scalar becomes a row
    # of one, so that its bytes can be viewed.
    dense = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    return Tensor(dense.reshape(-1).view(np.uint8), dtype=dtype, shape=array.shape)


def _dtype(name: str) -> np.dtype[np.generic]:
    if name in _NUMPY:
        return _as_dtype(_NUMPY[name])
    if name not in _ML_DTYPES:
        message = f"NumPy has no type for {name}: read it with framework=None, as packed bytes"
        raise SafetensorError(message)
    try:
        ml_dtypes = importlib.import_module("ml_dtypes")
    except ImportError as error:
        message = f"NumPy has no type for {name} by itself: pip install ml_dtypes"
        raise ImportError(message) from error
    return _as_dtype(getattr(ml_dtypes, _ML_DTYPES[name]))


def _as_dtype(type_or_name: object) -> np.dtype[np.generic]:
    dtype: np.dtype[np.generic] = _numpy().dtype(type_or_name)
    return dtype


def _numpy() -> ModuleType:
    try:
        return importlib.import_module("numpy")
    except ImportError as error:
        message = "nexus.safetensors.numpy needs NumPy: pip install 'nexus-rs[numpy]'"
        raise ImportError(message) from error
