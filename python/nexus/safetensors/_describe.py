"""Tensors of any framework as what the extension module writes."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from nexus._native import Tensor, TensorSpec

if TYPE_CHECKING:
    from typing import TypeGuard

    import torch  # type: ignore[import-not-found, unused-ignore]


def is_torch(tensor: object) -> TypeGuard[torch.Tensor]:
    """Tell whether something is a torch tensor, without importing torch."""
    module = sys.modules.get("torch")
    return module is not None and isinstance(tensor, module.Tensor)


def describe(tensor: object, name: str = "") -> tuple[Tensor | TensorSpec, object]:
    """Return what can be written, and what must be kept until it is."""
    if isinstance(tensor, (Tensor, TensorSpec)):
        return tensor, tensor
    if is_torch(tensor):
        from nexus.safetensors import torch as for_torch

        tensors: list[torch.Tensor] = []
        return for_torch._spec(name, tensor, tensors), tensors
    if not hasattr(tensor, "__array__"):
        kind = type(tensor)
        raise TypeError(f"cannot write {kind.__module__}.{kind.__qualname__}: it is no tensor")
    import numpy as np

    from nexus.safetensors import numpy as for_numpy

    arrays: list[for_numpy.AnyArray] = []
    return for_numpy._spec(np.asarray(tensor), arrays), arrays


def describe_all(
    tensors: Mapping[str, object],
) -> tuple[dict[str, Tensor | TensorSpec], list[object]]:
    """Return all that can be written by name, and what must be kept until it is.

    Torch tensors that share memory are refused, as ``save_file`` does.
    """
    theirs = {name: each for name, each in tensors.items() if is_torch(each)}
    if theirs:
        from nexus.safetensors import torch as for_torch

        for_torch._evaluate_tensors_for_save(theirs)
    kept: list[object] = []
    described = {}
    for name, tensor in tensors.items():
        described[name], owner = describe(tensor, name)
        kept.append(owner)
    return described, kept


def text_of(metadata: Mapping[str, str] | None) -> dict[str, str] | None:
    """Return free text as the extension module takes it, which refuses what is none."""
    return dict(metadata) if isinstance(metadata, Mapping) else metadata
