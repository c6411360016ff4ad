"""Texts of errors that programs look for: those of ``safetensors`` 0.8.0, to the letter."""

from __future__ import annotations

_MORE = "https://huggingface.co/docs/safetensors/torch_shared_tensors"


def not_contiguous(name: str) -> str:
    """Return why a tensor that is not contiguous is not saved."""
    return (
        f"You are trying to save a non contiguous tensor: `{name}` which is not allowed. It either"
        " means you are trying to save tensors which are reference of each other in which case it's"
        " recommended to save only the full tensors, and reslice at load time, or simply call"
        " `.contiguous()` on your tensor to pack it before saving."
    )


def sparse(names: list[str]) -> str:
    """Return why sparse tensors are not saved."""
    return (
        f"You are trying to save a sparse tensors: `{names}` which this library does not support."
        " You can make it a dense tensor before saving with `.to_dense()` but be aware this might"
        " make a much larger file than needed."
    )


def sharing(names: list[set[str]]) -> str:
    """Return why tensors that share memory are not saved."""
    lines = [
        "Some tensors share memory, this will lead to duplicate memory on disk and potential"
        f" differences when loading them again: {names}.",
        "A potential way to correctly save your model is to use `save_model`.",
        f"More information at {_MORE}",
    ]
    return "\n" + "".join(f"{'':12}{line}\n" for line in lines) + f"{'':12}"


def none_complete(names: set[str]) -> str:
    """Return why no name of tensors that share memory can be kept."""
    return (
        "Error while trying to find names to remove to save state dict, but found no suitable name"
        f" to keep for saving amongst: {names}. None is covering the entire storage.Refusing to"
        " save/load the model since you could be storing much more memory than needed. Please refer"
        f" to {_MORE} for more information. Or open an issue."
    )
