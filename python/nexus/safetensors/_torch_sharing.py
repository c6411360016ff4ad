"""Torch tensors that share memory: who they are, and which one to keep."""

from __future__ import annotations

from nexus.safetensors import _texts

try:
    import torch  # type: ignore[import-not-found, unused-ignore]
except ImportError as _error:
    _message = "nexus.safetensors.torch needs PyTorch: pip install 'nexus-rs[torch]'"
    raise ImportError(_message) from _error

__all__ = [
    "_SIZE",
    "_end_ptr",
    "_filter_shared_not_shared",
    "_find_shared_tensors",
    "_float4_e2m1_x2",
    "_float8_e4m3fn",
    "_float8_e4m3fnuz",
    "_float8_e5m2",
    "_float8_e5m2fnuz",
    "_float8_e8m0",
    "_is_complete",
    "_remove_duplicate_names",
    "storage_ptr",
    "storage_size",
    "torch",
]

# Older versions of torch lack some types.
_float8_e4m3fn = getattr(torch, "float8_e4m3fn", None)
_float8_e4m3fnuz = getattr(torch, "float8_e4m3fnuz", None)
_float8_e5m2 = getattr(torch, "float8_e5m2", None)
_float8_e5m2fnuz = getattr(torch, "float8_e5m2fnuz", None)
_float8_e8m0 = getattr(torch, "float8_e8m0fnu", None)
_float4_e2m1_x2 = getattr(torch, "float4_e2m1fn_x2", None)

#: Bytes of an item.
_SIZE: dict[torch.dtype | None, int] = {
    torch.bool: 1,
    torch.uint8: 1,
    torch.int8: 1,
    torch.int16: 2,
    torch.float16: 2,
    torch.bfloat16: 2,
    torch.int32: 4,
    torch.float32: 4,
    torch.int64: 8,
    torch.float64: 8,
    torch.complex64: 8,
    _float8_e4m3fn: 1,
    _float8_e4m3fnuz: 1,
    _float8_e5m2: 1,
    _float8_e5m2fnuz: 1,
    _float8_e8m0: 1,
    _float4_e2m1_x2: 1,
}
for _name, _size in [("uint16", 2), ("uint32", 4), ("uint64", 8)]:
    if hasattr(torch, _name):
        _SIZE[getattr(torch, _name)] = _size


def storage_ptr(tensor: torch.Tensor) -> int:
    """Return the address of the memory that a tensor is a view of; 0 where there is none."""
    try:
        start: int = tensor.untyped_storage().data_ptr()
    except Exception:
        # Tensors without memory each have their own way to say so.
        return 0
    return start


def storage_size(tensor: torch.Tensor) -> int:
    """Return how many bytes of memory a tensor is a view of."""
    try:
        size: int = tensor.untyped_storage().nbytes()
    except (AttributeError, NotImplementedError):
        # How torch says that a tensor has no storage: an old release, or a sparse layout.
        size = tensor.nelement() * _SIZE[tensor.dtype]
    return size


def _end_ptr(tensor: torch.Tensor) -> int:
    """Return the address behind the last element."""
    start: int = tensor.data_ptr()
    if tensor.nelement() == 0:
        return start
    lengths = zip(tensor.shape, tensor.stride(), strict=True)
    last: int = sum((length - 1) * stride for length, stride in lengths)
    return start + (last + 1) * _SIZE[tensor.dtype]


def _is_complete(tensor: torch.Tensor) -> bool:
    """Tell whether a tensor shows all of its memory."""
    start: int = tensor.data_ptr()
    size: int = tensor.nelement() * _SIZE[tensor.dtype]
    return start == storage_ptr(tensor) and size == storage_size(tensor)


def _find_shared_tensors(state_dict: dict[str, torch.Tensor]) -> list[set[str]]:
    """Return the names by the memory they share; most stand alone."""
    by_memory: dict[tuple[torch.device, int, int], set[str]] = {}
    for name, tensor in state_dict.items():
        start, size = storage_ptr(tensor), storage_size(tensor)
        if tensor.device.type != "meta" and start != 0 and size != 0:
            by_memory.setdefault((tensor.device, start, size), set()).add(name)
    return _filter_shared_not_shared(sorted(by_memory.values()), state_dict)


def _filter_shared_not_shared(
    tensors: list[set[str]], state_dict: dict[str, torch.Tensor]
) -> list[set[str]]:
    """Take names apart that lie in one memory without touching each other."""
    touching: list[set[str]] = []
    for names in tensors:
        if len(names) < 2:
            touching.append(names)
            continue
        areas = sorted(
            (state_dict[name].data_ptr(), _end_ptr(state_dict[name]), name) for name in names
        )
        end_before = -1
        for start, end, name in areas:
            if start >= end_before:
                touching.append(set())
            touching[-1].add(name)
            # The end of the one before, as in ``safetensors``, though an earlier one may reach
            # farther.
            end_before = end
    return touching


def _remove_duplicate_names(
    state_dict: dict[str, torch.Tensor],
    *,
    preferred_names: list[str] | None = None,
    discard_names: list[str] | None = None,
) -> dict[str, list[str]]:
    """Choose a name to keep for each stretch of memory; return the others under it.

    Only a tensor that shows all of its memory can be kept. Among those, the first in order is,
    preferably one of ``preferred_names``; one of ``discard_names`` only where there is no other.
    """
    preferred, discarded = set(preferred_names or ()), set(discard_names or ())
    left_out: dict[str, list[str]] = {}
    for shared in _find_shared_tensors(state_dict):
        complete = {name for name in shared if _is_complete(state_dict[name])}
        if not complete:
            raise RuntimeError(_texts.none_complete(shared))
        kept = min(preferred & complete or complete - discarded or complete)
        others = sorted(shared - {kept})
        if others:
            left_out.setdefault(kept, []).extend(others)
    return left_out
