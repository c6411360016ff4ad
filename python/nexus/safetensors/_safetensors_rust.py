"""The names of the extension module of the ``safetensors`` package."""

from nexus._native import (
    PySafeSlice,
    SafetensorError,
    TensorSpec,
    _safe_open_handle,
    deserialize,
    safe_open,
    serialize,
    serialize_file,
)
from nexus.safetensors import __version__

__all__ = [
    "PySafeSlice",
    "SafetensorError",
    "TensorSpec",
    "__version__",
    "_safe_open_handle",
    "deserialize",
    "safe_open",
    "serialize",
    "serialize_file",
]
