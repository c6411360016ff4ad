"""Tensor files: memory-mapped, checked, atomic.

Read and write `safetensors <https://huggingface.co/docs/safetensors/index#format>`_ files with the
names of the ``safetensors`` package: :class:`safe_open` here, ``load_file``, ``save_file``,
``load`` and ``save`` in :mod:`nexus.safetensors.numpy` and :mod:`nexus.safetensors.torch`.
:class:`Tensor` works without either.

>>> import tempfile
>>> from pathlib import Path
>>> from nexus.safetensors import Tensor, safe_open, save_file
>>> path = Path(tempfile.mkdtemp()) / "model.safetensors"
>>> save_file({"scale": Tensor(bytes(8), dtype="F32", shape=(2,))}, path)
>>> with safe_open(path, framework=None) as file:
...     scale = file["scale"]
>>> scale
<nexus.safetensors.Tensor F32 [2], 8 bytes>
>>> memoryview(scale).tolist()
[0.0, 0.0]
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus._native import SafetensorError, SafeTensorsFile, Tensor
from nexus._native import save_bytes as _save_bytes
from nexus._native import save_file as _save_file
from nexus.safetensors._open import safe_open

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

__all__ = [
    "SafeTensorsFile",
    "SafetensorError",
    "Tensor",
    "load",
    "load_file",
    "safe_open",
    "save",
    "save_file",
]


def load_file(filename: str | os.PathLike[str]) -> dict[str, Tensor]:
    """Return every tensor of a file by name, sorted, as views of one private map.

    >>> load_file("missing.safetensors")
    Traceback (most recent call last):
        ...
    FileNotFoundError: [Errno 2] No such file or directory: 'missing.safetensors'
    """
    return _tensors(SafeTensorsFile(filename))


def load(data: bytes) -> dict[str, Tensor]:
    """Return every tensor of the bytes of a file by name, sorted. The bytes are copied once.

    >>> load(save({"x": Tensor(b"ab", dtype="U8", shape=(2,))}))
    {'x': <nexus.safetensors.Tensor U8 [2], 2 bytes>}
    """
    return _tensors(SafeTensorsFile.copy_of(data))


def save_file(
    tensors: Mapping[str, Tensor],
    filename: str | os.PathLike[str],
    metadata: Mapping[str, str] | None = None,
    *,
    fsync: bool = False,
) -> None:
    """Write tensors to a file, which appears or changes at once and only when all went well.

    Symbolic links are followed, an existing file keeps its mode. With ``fsync`` the call returns
    when file and folder are on the disk.

    >>> save_file({}, ".")
    Traceback (most recent call last):
        ...
    nexus.safetensors.SafetensorError: Error while serializing: cannot replace `.`: ...
    """
    text = None if metadata is None else dict(metadata)
    _save_file(list(tensors.items()), filename, text, fsync=fsync)


def save(tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> bytes:
    """Return the bytes of a file with these tensors.

    >>> save({}, {"made_by": "hand"})[8:]
    b'{"__metadata__":{"made_by":"hand"}}     '
    """
    return _save_bytes(list(tensors.items()), None if metadata is None else dict(metadata))


def _tensors(file: SafeTensorsFile) -> dict[str, Tensor]:
    return {name: file.get_tensor(name) for name in file}
