"""Tensor files as JAX arrays, which Flax models are made of.

>>> from jax import numpy as jnp
>>> from nexus.safetensors.flax import load, save
>>> load(save({"x": jnp.arange(3)}))
{'x': Array([0, 1, 2], dtype=int32)}
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus._native import load as _load
from nexus._native import load_file as _load_file
from nexus.safetensors import numpy, safe_open

try:
    import jax.numpy as jnp  # type: ignore[import-not-found, unused-ignore]
    import numpy as np
    from jax import Array
except ImportError as _error:
    _message = "nexus.safetensors.flax needs JAX: pip install 'nexus-rs[jax]'"
    raise ImportError(_message) from _error

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from nexus.safetensors.numpy import AnyArray

__all__ = ["load", "load_file", "np", "numpy", "safe_open", "save", "save_file"]


def save(tensors: Mapping[str, Array], metadata: Mapping[str, str] | None = None) -> bytes:
    """Return the bytes of a file with these arrays."""
    return numpy.save(_jnp2np(tensors), metadata)


def save_file(
    tensors: Mapping[str, Array],
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
        _jnp2np(tensors),
        filename,
        metadata,
        fsync=fsync,
        mode=mode,
        align=align,
        checksum=checksum,
    )


def load(data: bytes, *, rules: str = "compatible") -> dict[str, Array]:
    """Return every tensor of the bytes of a file by name."""
    return _load(data, "flax", rules=rules)


def load_file(
    filename: str | os.PathLike[str],
    *,
    backend: str = "mmap",
    rules: str = "compatible",
    verify: bool = False,
) -> dict[str, Array]:
    """Return every tensor of a file by name."""
    return _load_file(filename, "flax", backend=backend, rules=rules, verify=verify)


def _np2jnp(numpy_dict: Mapping[str, AnyArray]) -> dict[str, Array]:
    return {name: jnp.asarray(each) for name, each in numpy_dict.items()}


def _jnp2np(jnp_dict: Mapping[str, Array]) -> dict[str, AnyArray]:
    return {name: np.asarray(each) for name, each in jnp_dict.items()}
