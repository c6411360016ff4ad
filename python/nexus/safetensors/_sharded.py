"""One model in several files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from nexus._native import save_sharded as _save_sharded
from nexus.safetensors._describe import describe_all, text_of

if TYPE_CHECKING:
    from collections.abc import Mapping

_UNITS = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


def save_sharded(
    tensors: Mapping[str, object],
    folder: str | os.PathLike[str],
    *,
    max_shard_size: int | str = "5GB",
    pattern: str = "model{suffix}.safetensors",
    metadata: Mapping[str, str] | None = None,
    fsync: bool = False,
    checksum: str | None = None,
) -> list[Path]:
    """Write tensors to files of at most ``max_shard_size`` bytes each, and an index.

    Files are filled in the order of ``tensors``, as ``huggingface_hub`` does; a larger tensor has
    a file of its own. When one file is enough it is ``model.safetensors``, without an index.
    ``metadata`` goes into every file; with ``checksum``, so do the checksums of its tensors, as
    ``save_file`` writes them. Nothing changes in the folder, which is made where there is
    none, before all files are written; files of an earlier save under the same pattern are removed
    then. Returns the paths, the index last.

    >>> from nexus.safetensors import Tensor
    >>> tensor = Tensor(bytes(600), dtype="U8", shape=(600,))
    >>> paths = save_sharded({"a": tensor, "b": tensor}, "sharded", max_shard_size="1KB")
    >>> for path in paths:
    ...     print(path.name)
    model-00001-of-00002.safetensors
    model-00002-of-00002.safetensors
    model.safetensors.index.json
    """
    size = _parse(max_shard_size) if isinstance(max_shard_size, str) else max_shard_size
    described, _kept = describe_all(tensors)
    os.makedirs(folder, exist_ok=True)
    listed = list(described.items())
    text = text_of(metadata)
    return _save_sharded(listed, folder, pattern, size, text, fsync=fsync, checksum=checksum)


def _parse(size: str) -> int:
    """Return the number of bytes of a text such as "5GB"."""
    text = size.strip()
    try:
        return int(float(text[:-2]) * _UNITS[text[-2:].upper()])
    except (KeyError, ValueError, OverflowError):
        raise ValueError(
            f"max_shard_size {size!r} is invalid: give a number of bytes, or a text such as '500MB'"
            f" or '5GB' ({', '.join(_UNITS)})"
        ) from None
