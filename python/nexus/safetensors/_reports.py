"""What is found when files are verified or packed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nexus._native import pack_file as _pack_file
from nexus._native import verify as _verify

if TYPE_CHECKING:
    import os
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A tensor whose bytes, ``start`` to ``end`` of the file, are not those it was saved with."""

    name: str
    file: Path
    start: int
    end: int
    expected: str
    found: str


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What :func:`verify` found.

    ``algorithm`` is None where no file has checksums, ``verified`` the number of sound tensors,
    ``missing`` names tensors without a checksum and ``unknown`` checksums without a tensor.
    """

    algorithm: str | None
    verified: int
    mismatches: list[Mismatch]
    missing: list[str]
    unknown: list[str]

    @property
    def ok(self) -> bool:
        """Whether every tensor has a checksum, every checksum a tensor, and all agree."""
        return not (self.mismatches or self.missing or self.unknown)


def verify(path: str | os.PathLike[str], *, threads: int | None = None) -> VerifyReport:
    """Compare every tensor of a file, of a folder or of an index with its checksum.

    Reads each byte once. The files of a folder are those that :func:`load_checkpoint` reads.

    >>> from nexus.safetensors import Tensor, save_file, verify
    >>> save_file({"w": Tensor(b"abc", dtype="U8", shape=(3,))}, "w.safetensors", checksum="xxh3")
    >>> verify("w.safetensors")
    VerifyReport(algorithm='xxh3', verified=1, mismatches=[], missing=[], unknown=[])
    """
    algorithm, verified, mismatches, missing, unknown = _verify(path, threads=threads)
    found = [Mismatch(*mismatch) for mismatch in mismatches]
    return VerifyReport(algorithm, verified, found, missing, unknown)


@dataclass(frozen=True, slots=True)
class PackedTensor:
    """What became of one tensor. ``codec`` is None where it is stored as it is."""

    name: str
    dtype: str
    codec: str | None
    raw_bytes: int
    packed_bytes: int


@dataclass(frozen=True, slots=True)
class PackReport:
    """What :func:`pack_file` did: bytes of all tensors before and after, and each tensor."""

    raw_bytes: int
    packed_bytes: int
    tensors: list[PackedTensor]

    @property
    def ratio(self) -> float:
        """Bytes after, for each byte before."""
        return self.packed_bytes / self.raw_bytes if self.raw_bytes else 1.0


def pack_file(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    threads: int | None = None,
    fsync: bool = False,
) -> PackReport:
    """Pack the BF16 and F16 tensors of a file into another one, without loss.

    The target is a safetensors file that every reader opens: there, packed tensors are lists of U8.
    :func:`load_packed` reads them as what they were. A tensor that would not get smaller is stored
    as it is.

    >>> from nexus.safetensors import Tensor, load_packed, pack_file, save_file
    >>> weights = Tensor(b"\\x80\\x3f" * 8192, dtype="BF16", shape=(64, 128))
    >>> save_file({"w": weights}, "w.safetensors")
    >>> pack_file("w.safetensors", "w.packed").ratio < 0.7
    True
    >>> load_packed("w.packed")["w"].tobytes() == weights.tobytes()
    True
    """
    raw, packed, tensors = _pack_file(source, target, threads=threads, fsync=fsync)
    return PackReport(raw, packed, [PackedTensor(*tensor) for tensor in tensors])
