"""Tensor files as TensorFlow tensors.

>>> import tensorflow as tf
>>> from nexus.safetensors.tensorflow import load, save
>>> load(save({"x": tf.constant([0, 1, 2])}))["x"].numpy().tolist()
[0, 1, 2]
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus._native import load as _load
from nexus._native import load_file as _load_file
from nexus.safetensors import numpy, safe_open

try:
    import numpy as np
    import tensorflow as tf  # type: ignore[import-not-found, import-untyped, unused-ignore]
except ImportError as _error:
    _message = "nexus.safetensors.tensorflow needs TensorFlow: pip install 'nexus-rs[tensorflow]'"
    raise ImportError(_message) from _error

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from nexus.safetensors.numpy import AnyArray

__all__ = ["load", "load_file", "np", "numpy", "safe_open", "save", "save_file"]


def save(tensors: Mapping[str, tf.Tensor], metadata: Mapping[str, str] | None = None) -> bytes:
    """Return the bytes of a file with these tensors."""
    return numpy.save(_tf2np(tensors), metadata)


def save_file(
    tensors: Mapping[str, tf.Tensor],
    filename: str | os.PathLike[str],
    metadata: Mapping[str, str] | None = None,
    *,
    fsync: bool = False,
    mode: str | None = None,
    align: int | None = None,
    checksum: str | None = None,
) -> None:
    """Write tensors to a file, which appears or changes at once and only when all went well."""
    numpy.save_file(
        _tf2np(tensors),
        filename,
        metadata,
        fsync=fsync,
        mode=mode,
        align=align,
        checksum=checksum,
    )


def load(data: bytes, *, rules: str = "compatible") -> dict[str, tf.Tensor]:
    """Return every tensor of the bytes of a file by name."""
    return _load(data, "tf", rules=rules)


def load_file(
    filename: str | os.PathLike[str],
    *,
    backend: str = "mmap",
    rules: str = "compatible",
    verify: bool = False,
) -> dict[str, tf.Tensor]:
    """Return every tensor of a file by name."""
    return _load_file(filename, "tf", backend=backend, rules=rules, verify=verify)


def _np2tf(numpy_dict: Mapping[str, AnyArray]) -> dict[str, tf.Tensor]:
    return {name: tf.convert_to_tensor(each) for name, each in numpy_dict.items()}


def _tf2np(tf_dict: Mapping[str, tf.Tensor]) -> dict[str, AnyArray]:
    return {name: each.numpy() for name, each in tf_dict.items()}
