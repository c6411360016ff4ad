"""Tensor files as torch tensors.

>>> import torch
>>> from nexus.safetensors.torch import load, save
>>> load(save({"x": torch.arange(3)}))
{'x': tensor([0, 1, 2])}
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

import nexus.safetensors as _safetensors
from nexus.safetensors import SafetensorError, Tensor

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping
    from types import ModuleType

    import torch  # type: ignore[import-not-found, unused-ignore]

__all__ = ["load", "load_file", "save", "save_file"]

# Names in the format, and in torch. F4 is two elements an item there.
_TORCH = {
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
_FORMAT = {torch_name: name for name, torch_name in _TORCH.items()}


def load_file(
    filename: str | os.PathLike[str], device: str | int = "cpu"
) -> dict[str, torch.Tensor]:
    """Return every tensor of a file by name: views of one private map, or copies on a device.

    >>> import torch
    >>> save_file({"x": torch.zeros(2)}, "zeros.safetensors")
    >>> load_file("zeros.safetensors")
    {'x': tensor([0., 0.])}
    """
    wrap = _importer(device)
    return {name: wrap(each) for name, each in _safetensors.load_file(filename).items()}


def load(data: bytes) -> dict[str, torch.Tensor]:
    """Return every tensor of the bytes of a file by name. The bytes are copied once."""
    wrap = _importer("cpu")
    return {name: wrap(each) for name, each in _safetensors.load(data).items()}


def save_file(
    tensors: Mapping[str, torch.Tensor],
    filename: str | os.PathLike[str],
    metadata: Mapping[str, str] | None = None,
    *,
    fsync: bool = False,
) -> None:
    """Write tensors to a file, which appears or changes at once and only when all went well.

    Tensors must be contiguous and must not share memory, as in ``safetensors``.
    """
    _safetensors.save_file(_from_torches(tensors), filename, metadata, fsync=fsync)


def save(tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str] | None = None) -> bytes:
    """Return the bytes of a file with these tensors."""
    return _safetensors.save(_from_torches(tensors), metadata)


def _importer(device: str | int) -> Callable[[Tensor], torch.Tensor]:
    library = _torch()
    target = library.device(device)

    def wrap(tensor: Tensor) -> torch.Tensor:
        dtype = getattr(library, _TORCH.get(tensor.dtype, ""), None)
        if dtype is None:
            message = f"torch has no type for {tensor.dtype}: read it with framework=None"
            raise SafetensorError(message)
        shape = list(tensor.shape)
        if tensor.dtype == "F4" and shape:
            shape[-1] //= 2
        # torch refuses to view a buffer of no bytes.
        if tensor.nbytes == 0:
            return library.empty(shape, dtype=dtype, device=target)
        flat = library.frombuffer(tensor, dtype=library.uint8).view(dtype)
        return flat.reshape(shape).to(target)

    return wrap


def _from_torches(tensors: Mapping[str, torch.Tensor]) -> dict[str, Tensor]:
    owners: dict[int, str] = {}
    return {name: _from_torch(name, tensor, owners) for name, tensor in tensors.items()}


def _from_torch(name: str, tensor: torch.Tensor, owners: dict[int, str]) -> Tensor:
    library = _torch()
    dtype = _FORMAT.get(str(tensor.dtype).removeprefix("torch."))
    if dtype is None:
        raise SafetensorError(f'cannot save `{name}`: unknown dtype "{tensor.dtype}"')
    if tensor.layout != library.strided:
        raise ValueError(f"cannot save `{name}`: it is {tensor.layout}; call .to_dense() first")
    if not tensor.is_contiguous():
        raise ValueError(f"cannot save `{name}`: it is not contiguous; call .contiguous() first")
    if tensor.numel() and tensor.device.type == "cpu":
        first = owners.setdefault(tensor.untyped_storage().data_ptr(), name)
        if first != name:
            raise RuntimeError(
                f"cannot save `{name}`: it shares memory with `{first}`; .clone() one"
            )
    shape = list(tensor.shape)
    if dtype == "F4" and shape:
        shape[-1] *= 2
    flat = tensor.detach().cpu().reshape(-1).view(library.uint8)
    return Tensor(flat.numpy() if flat.numel() else b"", dtype=dtype, shape=shape)


def _torch() -> ModuleType:
    try:
        return importlib.import_module("torch")
    except ImportError as error:
        message = "nexus.safetensors.torch needs PyTorch: pip install 'nexus-rs[torch]'"
        raise ImportError(message) from error
