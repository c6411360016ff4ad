"""Models of one file or many: all at once, one tensor after the other, in place."""

from __future__ import annotations

from typing import TYPE_CHECKING, overload

from nexus._native import Checkpoint, Plan
from nexus._native import load_packed as _load_packed
from nexus.safetensors._into import Into

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Mapping
    from typing import Literal, TypedDict, TypeVar, Unpack

    import torch  # type: ignore[import-not-found, unused-ignore]

    from nexus._native import Tensor, TensorStream, _AnyArray, _AnyTensors, _ElementType
    from nexus.safetensors._into import Module

    _Path = str | os.PathLike[str]
    _Progress = Callable[[int, int], object]
    _T = TypeVar("_T")

    class _Options(TypedDict, total=False):
        """What every overload takes alike; the functions themselves list it."""

        names: Iterable[str] | None
        shard: Mapping[str, int] | None
        rank: int
        world: int
        device: str | int
        backend: str
        rules: str
        threads: int | None
        progress: _Progress | None


@overload
def load_checkpoint(
    path: _Path,
    *,
    framework: None = None,
    dtype: _ElementType | None = None,
    into: None = None,
    strict: bool = True,
    **options: Unpack[_Options],
) -> dict[str, Tensor]: ...
@overload
def load_checkpoint(
    path: _Path,
    *,
    framework: Literal["np", "numpy"],
    dtype: _ElementType | None = None,
    into: None = None,
    strict: bool = True,
    **options: Unpack[_Options],
) -> dict[str, _AnyArray]: ...
@overload
def load_checkpoint(
    path: _Path,
    *,
    framework: Literal["pt", "torch", "pytorch"],
    dtype: _ElementType | None = None,
    into: None = None,
    strict: bool = True,
    **options: Unpack[_Options],
) -> dict[str, torch.Tensor]: ...
@overload
def load_checkpoint(
    path: _Path,
    *,
    framework: str,
    dtype: _ElementType | None = None,
    into: None = None,
    strict: bool = True,
    **options: Unpack[_Options],
) -> _AnyTensors: ...
@overload
def load_checkpoint(
    path: _Path,
    *,
    framework: str | None = None,
    dtype: None = None,
    into: Mapping[str, _T] | Module[_T],
    strict: bool = True,
    **options: Unpack[_Options],
) -> dict[str, _T]: ...
def load_checkpoint(
    path: _Path,
    *,
    framework: str | None = None,
    names: Iterable[str] | None = None,
    dtype: _ElementType | None = None,
    shard: Mapping[str, int] | None = None,
    rank: int = 0,
    world: int = 1,
    into: Mapping[str, _T] | Module[_T] | None = None,
    strict: bool = True,
    device: str | int = "cpu",
    backend: str = "auto",
    rules: str = "compatible",
    threads: int | None = None,
    progress: _Progress | None = None,
) -> _AnyTensors | dict[str, _T]:
    """Return the tensors of a file, of a folder or of an index, by name.

    A folder has ``model.safetensors``, ``model.safetensors.index.json`` or any ``*.safetensors``.

    :param framework: as for :func:`safe_open`: "pt", "np", ..., or None for :class:`Tensor`.
    :param names: only these tensors.
    :param dtype: converts floats on the way, e.g. to "bfloat16" or ``torch.float16``. Other types
        stay as they are.
    :param shard: cuts tensors whose name matches a pattern along an axis, and takes part ``rank``
        of ``world``: ``{"*.up_proj.weight": 0}``. The last pattern that matches counts.
    :param into: fills these tensors in place: those of a module, or of a dictionary. Bytes go
        straight to their memory where type and shape are those of the file; else they are
        converted.
    :param strict: whether names that only one side has are refused, in torch's words.
    :param device: where torch and paddle put tensors.
    :param backend: the way to read: "auto", "mmap", "populate", "pread", "direct" or "uring".
    :param rules: "strict" refuses headers that other readers may read in another way.
    :param threads: how many threads read.
    :param progress: called with bytes read and bytes to read.

    >>> from nexus.safetensors import Tensor, load_checkpoint, save_file
    >>> save_file({"w": Tensor(b"\\x80\\x3f", dtype="BF16", shape=(1,))}, "w.safetensors")
    >>> tensors = load_checkpoint("w.safetensors", dtype="float32")
    >>> memoryview(tensors["w"]).tolist()
    [1.0]
    >>> place = bytearray(2)
    >>> weights = {"w": Tensor(place, dtype="BF16", shape=(1,))}
    >>> _ = load_checkpoint("w.safetensors", into=weights)
    >>> bytes(place)
    b'\\x80?'
    """
    checkpoint = Checkpoint(path, backend=backend, threads=threads, rules=rules)
    cuts = list((shard or {}).items())
    listed = _listed(names)
    if into is None:
        plan = Plan(listed, dtype=dtype, shard=cuts, rank=rank, world=world)
        return checkpoint.load(plan, framework, device, progress=progress)
    if dtype is not None:
        raise ValueError("cannot convert to `dtype`: tensors of `into` have their types")
    return Into(into, checkpoint, listed, cuts, rank, world).load(strict=strict, progress=progress)


@overload
def stream(
    path: _Path,
    *,
    framework: None = None,
    budget_bytes: int = 256 << 20,
    dtype: _ElementType | None = None,
    **options: Unpack[_Options],
) -> TensorStream[Tensor]: ...
@overload
def stream(
    path: _Path,
    *,
    framework: Literal["np", "numpy"],
    budget_bytes: int = 256 << 20,
    dtype: _ElementType | None = None,
    **options: Unpack[_Options],
) -> TensorStream[_AnyArray]: ...
@overload
def stream(
    path: _Path,
    *,
    framework: Literal["pt", "torch", "pytorch"],
    budget_bytes: int = 256 << 20,
    dtype: _ElementType | None = None,
    **options: Unpack[_Options],
) -> TensorStream[torch.Tensor]: ...
@overload
def stream(
    path: _Path,
    *,
    framework: str,
    budget_bytes: int = 256 << 20,
    dtype: _ElementType | None = None,
    **options: Unpack[_Options],
) -> TensorStream[object]: ...
def stream(
    path: _Path,
    *,
    framework: str | None = None,
    budget_bytes: int = 256 << 20,
    names: Iterable[str] | None = None,
    dtype: _ElementType | None = None,
    shard: Mapping[str, int] | None = None,
    rank: int = 0,
    world: int = 1,
    device: str | int = "cpu",
    backend: str = "auto",
    rules: str = "compatible",
    threads: int | None = None,
    progress: _Progress | None = None,
) -> TensorStream[object]:
    """Return an iterator of names and tensors, in the order of the files.

    A thread reads ahead, at most ``budget_bytes`` that have not been taken; a tensor that is larger
    is read alone. Closing the iterator stops the thread. Other options are those of
    :func:`load_checkpoint`.

    >>> from nexus.safetensors import Tensor, save_file, stream
    >>> tensor = Tensor(bytes(4), dtype="F32", shape=(1,))
    >>> save_file({"a": tensor, "b": tensor}, "two.safetensors")
    >>> with stream("two.safetensors") as tensors:
    ...     for name, tensor in tensors:
    ...         print(name, tensor.shape)
    a (1,)
    b (1,)
    """
    checkpoint = Checkpoint(path, backend=backend, threads=threads, rules=rules)
    cuts = list((shard or {}).items())
    plan = Plan(_listed(names), dtype=dtype, shard=cuts, rank=rank, world=world)
    return checkpoint.stream(plan, framework, device, budget_bytes=budget_bytes, progress=progress)


@overload
def load_packed(
    path: _Path,
    framework: None = None,
    device: str | int = "cpu",
    *,
    threads: int | None = None,
) -> dict[str, Tensor]: ...
@overload
def load_packed(
    path: _Path,
    framework: Literal["np", "numpy"],
    device: str | int = "cpu",
    *,
    threads: int | None = None,
) -> dict[str, _AnyArray]: ...
@overload
def load_packed(
    path: _Path,
    framework: Literal["pt", "torch", "pytorch"],
    device: str | int = "cpu",
    *,
    threads: int | None = None,
) -> dict[str, torch.Tensor]: ...
@overload
def load_packed(
    path: _Path,
    framework: str,
    device: str | int = "cpu",
    *,
    threads: int | None = None,
) -> _AnyTensors: ...
def load_packed(
    path: _Path,
    framework: str | None = None,
    device: str | int = "cpu",
    *,
    threads: int | None = None,
) -> _AnyTensors:
    """Return every tensor of a file of :func:`pack_file` by name, as it was before.

    Tensors are decoded to memory of their own, each by as many threads as the machine runs at once,
    or ``threads``.

    >>> load_packed("missing.packed")
    Traceback (most recent call last):
        ...
    FileNotFoundError: [Errno 2] No such file or directory: 'missing.packed'
    """
    return _load_packed(path, framework, device, threads=threads)


def _listed(names: Iterable[str] | None) -> list[str] | None:
    if isinstance(names, str):
        raise TypeError(f"names must be several: [{names!r}] for one")
    return None if names is None else list(names)
