"""Tensor files as MLX arrays.

>>> import mlx.core as mx
>>> from nexus.safetensors.mlx import load, save
>>> load(save({"x": mx.arange(3)}))
{'x': array([0, 1, 2], dtype=int32)}
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus._native import load as _load
from nexus._native import load_file as _load_file
from nexus.safetensors import numpy, safe_open

try:
    import mlx.core as mx  # type: ignore[import-not-found, unused-ignore]
    import numpy as np
except ImportError as _error:
    _message = "nexus.safetensors.mlx needs MLX: pip install mlx"
    raise ImportError(_message) from _error

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from nexus.safetensors.numpy import AnyArray

__all__ = ["load", "load_file", "np", "numpy", "safe_open", "save", "save_file"]


def save(tensors: Mapping[str, mx.array], metadata: Mapping[str, str] | None = None) -> bytes:
    """Return the bytes of a file with these arrays."""
    return numpy.save(_mx2np(tensors), metadata)


def save_file(
    tensors: Mapping[str, mx.array],
    filename: str | os.PathLike[str],
    metadata: Mapping[str, str] | None = None,
    *,
    fsync: bool = False,
    mode: str | None = None,
    align: int | None = None,
    checksum: str | None = None,
) -> None:
    """Write arrays to a file, which appears or changes at once and only when all went well."""
    numpy.save_file(
        _mx2np(tensors),
        filename,
        metadata,
        fsync=fsync,
        mode=mode,
        align=align,
        checksum=checksum,
    )


def load(data: bytes, *, rules: str = "compatible") -> dict[str, mx.array]:
    """Return every tensor of the bytes of a file by name."""
    return _load(data, "mlx", rules=rules)


def load_file(
    filename: str | os.PathLike[str],
    *,
    backend: str = "mmap",
    rules: str = "compatible",
    verify: bool = False,
) -> dict[str, mx.array]:
    """Return every tensor of a file by name."""
    return _load_file(filename, "mlx", backend=backend, rules=rules, verify=verify)


def _np2mx(numpy_dict: Mapping[str, AnyArray]) -> dict[str, mx.array]:
    return {name: mx.array(each) for name, each in numpy_dict.items()}


def _mx2np(mx_dict: Mapping[str, mx.array]) -> dict[str, AnyArray]:
    return {name: np.asarray(each) for name, each in mx_dict.items()}
