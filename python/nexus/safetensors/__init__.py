"""Tensor files: memory-mapped, checked, atomic.

Read and write `safetensors <https://huggingface.co/docs/safetensors/index#format>`_ files with the
names of the ``safetensors`` package 0.8.0: :class:`safe_open` here, ``load_file``, ``save_file``,
``load`` and ``save`` in :mod:`nexus.safetensors.numpy`, :mod:`nexus.safetensors.torch` and their
siblings. :class:`Tensor` works without any of them. :func:`install` lets programs that import
``safetensors`` use this package.

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

from nexus._native import (
    PySafeSlice,
    SafeAppender,
    SafetensorError,
    SafeWriter,
    Tensor,
    TensorSpec,
    TensorStream,
    _safe_open_handle,
    deserialize,
    is_packed,
    safe_open,
    serialize,
    serialize_file,
    unpack_file,
)
from nexus._native import load as _load
from nexus._native import load_file as _load_file
from nexus.safetensors._checkpoint import load_checkpoint, load_packed, stream
from nexus.safetensors._describe import text_of
from nexus.safetensors._install import install, uninstall
from nexus.safetensors._pending import PendingSave, save_async
from nexus.safetensors._reports import (
    Mismatch,
    PackedTensor,
    PackReport,
    VerifyReport,
    pack_file,
    verify,
)
from nexus.safetensors._sharded import save_sharded

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

#: The version of the package whose surface this is. Programs compare it; ours is
#: ``nexus.__version__``.
__version__ = "0.8.0"

__all__ = [
    "Mismatch",
    "PackReport",
    "PackedTensor",
    "PendingSave",
    "PySafeSlice",
    "SafeAppender",
    "SafeWriter",
    "SafetensorError",
    "Tensor",
    "TensorSpec",
    "TensorStream",
    "VerifyReport",
    "_safe_open_handle",
    "deserialize",
    "install",
    "is_packed",
    "load",
    "load_checkpoint",
    "load_file",
    "load_packed",
    "pack_file",
    "safe_open",
    "save",
    "save_async",
    "save_file",
    "save_sharded",
    "serialize",
    "serialize_file",
    "stream",
    "uninstall",
    "unpack_file",
    "verify",
]


def load_file(
    filename: str | os.PathLike[str],
    *,
    backend: str = "mmap",
    rules: str = "compatible",
    verify: bool = False,
) -> dict[str, Tensor]:
    """Return every tensor of a file by name.

    ``backend`` says how the file is read:

    - ``"mmap"``: not at all before a tensor is touched; tensors are views of one private map.
    - ``"pread"``: at once, by positional reads of several threads into large pages.
    - ``"auto"``: as ``"pread"``, or past the page cache where a large file is not in it.
    - ``"direct"``, ``"uring"``: at once, past the page cache, by threads or by ``io_uring``.
    - ``"populate"``: by a private map whose pages are read in at once.

    What a system refuses is replaced by the next simpler way. ``rules="strict"`` refuses what
    other readers may read in another way: keys that stand twice, NULs, blanks around the header.

    With ``verify`` every tensor is compared with its checksum, and a file whose tensors differ or
    have none is refused.

    >>> load_file("missing.safetensors")
    Traceback (most recent call last):
        ...
    FileNotFoundError: No such file or directory: missing.safetensors
    """
    return _load_file(filename, None, backend=backend, rules=rules, verify=verify)


def load(data: bytes, *, rules: str = "compatible") -> dict[str, Tensor]:
    """Return every tensor of the bytes of a file by name. The bytes are copied once.

    >>> load(save({"x": Tensor(b"ab", dtype="U8", shape=(2,))}))
    {'x': <nexus.safetensors.Tensor U8 [2], 2 bytes>}
    """
    return _load(data, None, rules=rules)


def save_file(
    tensors: Mapping[str, Tensor],
    filename: str | os.PathLike[str],
    metadata: Mapping[str, str] | None = None,
    *,
    fsync: bool = False,
    mode: str | None = None,
    align: int | None = None,
    checksum: str | None = None,
) -> None:
    """Write tensors to a file, which appears or changes at once and only when all went well.

    Symbolic links are followed, an existing file keeps its mode. With ``fsync`` the call returns
    when file and folder are on the disk.

    ``mode`` says how bytes are written: ``"buffered"`` through the page cache, ``"direct"`` or
    ``"uring"`` past it; by default durable saves of 8 MiB and more go past it. ``align`` lets the
    data begin at a multiple of so many bytes, a power of two: 4096 suits readers that map pages.

    ``checksum`` is ``"xxh3"``, which finds damage, or ``"blake3"``, which nobody can forge. The
    checksum of each tensor goes into the metadata, for :func:`verify` and ``load_file``.

    >>> save_file({}, ".")
    Traceback (most recent call last):
        ...
    nexus.safetensors.SafetensorError: Error while serializing: cannot replace `.`: ...
    """
    serialize_file(
        dict(tensors),
        filename,
        text_of(metadata),
        fsync=fsync,
        mode=mode,
        align=align,
        checksum=checksum,
    )


def save(tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> bytes:
    """Return the bytes of a file with these tensors.

    >>> save({}, {"made_by": "hand"})[8:]
    b'{"__metadata__":{"made_by":"hand"}}     '
    """
    return serialize(dict(tensors), text_of(metadata))
