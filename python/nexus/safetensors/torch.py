"""Tensor files as torch tensors.

>>> import torch
>>> from nexus.safetensors.torch import load, save
>>> load(save({"x": torch.arange(3)}))
{'x': tensor([0, 1, 2])}
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus._native import load as _load
from nexus._native import load_file as _load_file
from nexus.safetensors import (
    TensorSpec,
    _texts,
    deserialize,
    safe_open,
    serialize,
    serialize_file,
)
from nexus.safetensors._describe import text_of
from nexus.safetensors._torch_sharing import (
    _SIZE,
    _end_ptr,
    _filter_shared_not_shared,
    _find_shared_tensors,
    _float4_e2m1_x2,
    _float8_e4m3fn,
    _float8_e4m3fnuz,
    _float8_e5m2,
    _float8_e5m2fnuz,
    _float8_e8m0,
    _is_complete,
    _remove_duplicate_names,
    storage_ptr,
    storage_size,
    torch,
)

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping

    import numpy as np

    from nexus._native import _Described

__all__ = [
    "_SIZE",
    "TensorSpec",
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
    "deserialize",
    "load",
    "load_file",
    "load_model",
    "safe_open",
    "save",
    "save_file",
    "save_model",
    "serialize",
    "serialize_file",
    "storage_ptr",
    "storage_size",
    "torch",
]


def save_model(
    model: torch.nn.Module,
    filename: str,
    metadata: dict[str, str] | None = None,
    force_contiguous: bool = True,
) -> None:
    """Write the tensors of a model, each stretch of shared memory once.

    The names that are left out go into ``metadata``, with the name that has their content.

    >>> import torch
    >>> model = torch.nn.Linear(2, 2)
    >>> save_model(model, "linear.safetensors")
    >>> load_model(model, "linear.safetensors")
    (set(), [])
    """
    tensors, text = model.state_dict(), text_of(metadata)
    for kept, left_out in _remove_duplicate_names(tensors).items():
        for name in left_out:
            text = {} if text is None else text
            text.setdefault(name, kept)
            del tensors[name]
    if force_contiguous:
        tensors = {name: tensor.contiguous() for name, tensor in tensors.items()}
    try:
        save_file(tensors, filename, text)
    except ValueError as error:
        hint = "Or use save_model(..., force_contiguous=True), read the docs for potential caveats."
        raise ValueError(f"{error} {hint}") from error


def load_model(
    model: torch.nn.Module,
    filename: str | os.PathLike[str],
    strict: bool = True,
    device: str | int = "cpu",
    *,
    backend: str = "mmap",
) -> tuple[set[str], list[str]]:
    """Fill a model from a file of :func:`save_model`; return missing and unexpected names.

    With ``strict``, such names are a ``RuntimeError``.
    """
    tensors = load_file(filename, device, backend=backend)
    shared = _remove_duplicate_names(model.state_dict(), preferred_names=list(tensors))
    loaded = model.load_state_dict(tensors, strict=False)
    missing, unexpected = set(loaded.missing_keys), list(loaded.unexpected_keys)
    for name in (name for left_out in shared.values() for name in left_out):
        if name in missing:
            missing.remove(name)
        else:
            unexpected.append(name)
    if strict and (missing or unexpected):
        lines = [f"Error(s) in loading state_dict for {type(model).__name__}:"]
        for kind, names in [("Missing", missing), ("Unexpected", unexpected)]:
            if names:
                quoted = ", ".join(f'"{name}"' for name in sorted(names))
                lines.append(f"    {kind} key(s) in state_dict: {quoted}")
        raise RuntimeError("\n".join(lines))
    return missing, unexpected


def save(tensors: dict[str, torch.Tensor], metadata: Mapping[str, str] | None = None) -> bytes:
    """Return the bytes of a file with these tensors.

    >>> import torch
    >>> len(save({"x": torch.zeros(4, dtype=torch.int8)}))
    68
    """
    kept: list[torch.Tensor] = []
    return serialize(_flatten_as_ptr(tensors, kept), text_of(metadata))


def save_file(
    tensors: dict[str, torch.Tensor],
    filename: str | os.PathLike[str],
    metadata: Mapping[str, str] | None = None,
    *,
    fsync: bool = False,
    mode: str | None = None,
    align: int | None = None,
    checksum: str | None = None,
) -> None:
    """Write tensors to a file, which appears or changes at once and only when all went well.

    Tensors must be contiguous and must not share memory; :func:`save_model` deals with those that
    do. They are written from where they are; from another device, by way of one copy.

    >>> import torch
    >>> save_file({"x": torch.zeros(2)}, "zeros.safetensors", {"made_by": "hand"})
    """
    kept: list[torch.Tensor] = []
    serialize_file(
        _flatten_as_ptr(tensors, kept),
        filename,
        text_of(metadata),
        fsync=fsync,
        mode=mode,
        align=align,
        checksum=checksum,
    )


def load_file(
    filename: str | os.PathLike[str],
    device: str | int = "cpu",
    *,
    backend: str = "mmap",
    rules: str = "compatible",
    verify: bool = False,
) -> dict[str, torch.Tensor]:
    """Return every tensor of a file by name: views of one private map, or copies on a device.

    >>> import torch
    >>> save_file({"x": torch.zeros(2)}, "zeros.safetensors")
    >>> load_file("zeros.safetensors")
    {'x': tensor([0., 0.])}
    """
    return _load_file(filename, "pt", device, backend=backend, rules=rules, verify=verify)


def load(data: bytes, *, rules: str = "compatible") -> dict[str, torch.Tensor]:
    """Return every tensor of the bytes of a file by name. The bytes are copied once."""
    return _load(data, "pt", rules=rules)


_NAMES = {
    "BOOL": "bool",
    "F4": "float4_e2m1fn_x2",
    "U8": "uint8",
    "I8": "int8",
    "F8_E5M2": "float8_e5m2",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E8M0": "float8_e8m0fnu",
    "F8_E4M3FNUZ": "float8_e4m3fnuz",
    "F8_E5M2FNUZ": "float8_e5m2fnuz",
    "I16": "int16",
    "U16": "uint16",
    "F16": "float16",
    "BF16": "bfloat16",
    "I32": "int32",
    "U32": "uint32",
    "F32": "float32",
    "C64": "complex64",
    "F64": "float64",
    "I64": "int64",
    "U64": "uint64",
}
_TYPES: dict[str, torch.dtype] = {
    name: getattr(torch, found) for name, found in _NAMES.items() if hasattr(torch, found)
}


def _getdtype(dtype_str: str) -> torch.dtype:
    return _TYPES[dtype_str]


def _flatten_as_ptr(
    tensors: dict[str, torch.Tensor], keep_alive_buffer: list[torch.Tensor]
) -> dict[str, TensorSpec]:
    """Describe tensors for ``serialize``; what must outlive it goes to the buffer."""
    _evaluate_tensors_for_save(tensors)
    return {name: _spec(name, tensor, keep_alive_buffer) for name, tensor in tensors.items()}


def _flatten(
    tensors: dict[str, torch.Tensor], keep_alive_buffer: list[torch.Tensor] | None = None
) -> dict[str, TensorSpec]:
    """Do what :func:`_flatten_as_ptr` does; without a buffer, the caller keeps the tensors."""
    return _flatten_as_ptr(tensors, [] if keep_alive_buffer is None else keep_alive_buffer)


def _spec(name: str, tensor: torch.Tensor, keep_alive_buffer: list[torch.Tensor]) -> TensorSpec:
    if not tensor.is_contiguous():
        raise ValueError(_texts.not_contiguous(name))
    there = _on_cpu(tensor)
    keep_alive_buffer.append(there)
    return TensorSpec(
        dtype=str(tensor.dtype).removeprefix("torch."),
        shape=tensor.shape,
        data_ptr=there.data_ptr(),
        data_len=there.nelement() * there.element_size(),
    )


def _on_cpu(tensor: torch.Tensor) -> torch.Tensor:
    """Return the tensor with its values in memory: neither elsewhere nor still to be conjugated."""
    if tensor.device.type != "cpu":
        tensor = tensor.to("cpu")
    if tensor.is_conj() or tensor.is_neg():
        tensor = tensor.resolve_conj().resolve_neg()
    return tensor


def _evaluate_tensors_for_save(tensors: dict[str, torch.Tensor]) -> None:
    """Refuse what cannot be saved."""
    if not isinstance(tensors, dict):
        raise ValueError(f"Expected a dict of [str, torch.Tensor] but received {type(tensors)}")
    sparse = []
    for name, tensor in tensors.items():
        if not isinstance(tensor, torch.Tensor):
            raise ValueError(
                f"Key `{name}` is invalid, expected torch.Tensor but received {type(tensor)}"
            )
        if tensor.layout != torch.strided:
            sparse.append(name)
    if sparse:
        raise ValueError(_texts.sparse(sparse))
    sharing = [names for names in _find_shared_tensors(tensors) if len(names) > 1]
    if sharing:
        raise RuntimeError(_texts.sharing(sharing))


def _to_ndarray(
    tensor: torch.Tensor,
) -> tuple[np.ndarray[tuple[int], np.dtype[np.uint8]], torch.Tensor]:
    """Return the bytes of a tensor as an array, and the tensor that has them."""
    there = _on_cpu(tensor)
    return there.detach().reshape(-1).view(torch.uint8).numpy(), there


def _tobytes(tensor: torch.Tensor, name: str) -> bytes:
    """Return a copy of the bytes of a tensor."""
    _spec(name, tensor, [])
    return _to_ndarray(tensor)[0].tobytes()


def _view2torch(safeview: Iterable[tuple[str, _Described]]) -> dict[str, torch.Tensor]:
    """Turn what ``deserialize`` returns into tensors."""
    tensors = {}
    for name, view in safeview:
        dtype, data, shape = _getdtype(view["dtype"]), view["data"], view["shape"]
        # torch refuses to view a buffer of no bytes.
        flat = torch.frombuffer(data, dtype=dtype) if data else torch.empty(0, dtype=dtype)
        tensors[name] = flat.reshape(shape)
    return tensors
