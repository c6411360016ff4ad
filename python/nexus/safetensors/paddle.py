"""Tensor files as Paddle tensors.

>>> import paddle
>>> from nexus.safetensors.paddle import load, save
>>> load(save({"x": paddle.arange(3)}))["x"].tolist()
[0, 1, 2]
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nexus._native import load as _load
from nexus._native import load_file as _load_file
from nexus.safetensors import (
    TensorSpec,
    _texts,
    deserialize,
    numpy,
    safe_open,
    serialize,
    serialize_file,
)
from nexus.safetensors._describe import text_of

try:
    import numpy as np
    import paddle  # type: ignore[import-not-found, unused-ignore]
except ImportError as _error:
    _message = "nexus.safetensors.paddle needs PaddlePaddle: pip install paddlepaddle"
    raise ImportError(_message) from _error

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping

    from nexus._native import _Described
    from nexus.safetensors.numpy import AnyArray

__all__ = [
    "TensorSpec",
    "deserialize",
    "load",
    "load_file",
    "np",
    "numpy",
    "safe_open",
    "save",
    "save_file",
    "serialize",
    "serialize_file",
]


def save(tensors: dict[str, paddle.Tensor], metadata: Mapping[str, str] | None = None) -> bytes:
    """Return the bytes of a file with these tensors."""
    kept: list[paddle.Tensor] = []
    return serialize(_flatten(tensors, kept), text_of(metadata))


def save_file(
    tensors: dict[str, paddle.Tensor],
    filename: str | os.PathLike[str],
    metadata: Mapping[str, str] | None = None,
    *,
    fsync: bool = False,
    mode: str | None = None,
    align: int | None = None,
    checksum: str | None = None,
) -> None:
    """Write tensors to a file, which appears or changes at once and only when all went well."""
    kept: list[paddle.Tensor] = []
    serialize_file(
        _flatten(tensors, kept),
        filename,
        text_of(metadata),
        fsync=fsync,
        mode=mode,
        align=align,
        checksum=checksum,
    )


def load(
    data: bytes, device: str = "cpu", *, rules: str = "compatible"
) -> dict[str, paddle.Tensor]:
    """Return every tensor of the bytes of a file by name."""
    return {
        name: _moved(tensor, device) for name, tensor in _load(data, "paddle", rules=rules).items()
    }


def load_file(
    filename: str | os.PathLike[str],
    device: str | int = "cpu",
    *,
    backend: str = "mmap",
    rules: str = "compatible",
    verify: bool = False,
) -> dict[str, paddle.Tensor]:
    """Return every tensor of a file by name: views of one private map, or copies on a device."""
    return _load_file(filename, "paddle", device, backend=backend, rules=rules, verify=verify)


#: Bytes of an item.
_SIZE = {
    paddle.bool: 1,
    paddle.uint8: 1,
    paddle.int8: 1,
    paddle.float8_e4m3fn: 1,
    paddle.float8_e5m2: 1,
    paddle.int16: 2,
    paddle.float16: 2,
    paddle.bfloat16: 2,
    paddle.int32: 4,
    paddle.float32: 4,
    paddle.int64: 8,
    paddle.float64: 8,
    paddle.complex64: 8,
}
_TYPES = {
    "BOOL": paddle.bool,
    "U8": paddle.uint8,
    "I8": paddle.int8,
    "F8_E4M3": paddle.float8_e4m3fn,
    "F8_E5M2": paddle.float8_e5m2,
    "I16": paddle.int16,
    "F16": paddle.float16,
    "BF16": paddle.bfloat16,
    "I32": paddle.int32,
    "F32": paddle.float32,
    "I64": paddle.int64,
    "F64": paddle.float64,
}
#: NumPy's types of the same size.
NPDTYPES = {
    paddle.bool: bool,
    paddle.uint8: np.uint8,
    paddle.int8: np.int8,
    paddle.float8_e4m3fn: np.uint8,
    paddle.float8_e5m2: np.uint8,
    paddle.int16: np.int16,
    paddle.float16: np.float16,
    paddle.bfloat16: np.float16,
    paddle.int32: np.int32,
    paddle.float32: np.float32,
    paddle.int64: np.int64,
    paddle.float64: np.float64,
}


def _moved(tensor: paddle.Tensor, device: str) -> paddle.Tensor:
    return tensor if device == "cpu" else tensor.to(device)


def _getdtype(dtype_str: str) -> paddle.dtype:
    return _TYPES[dtype_str]


def _np2paddle(numpy_dict: Mapping[str, AnyArray], device: str = "cpu") -> dict[str, paddle.Tensor]:
    return {name: paddle.to_tensor(each, place=device) for name, each in numpy_dict.items()}


def _paddle2np(paddle_dict: Mapping[str, paddle.Tensor]) -> dict[str, AnyArray]:
    return {name: each.detach().cpu().numpy() for name, each in paddle_dict.items()}


def _view2paddle(
    safeview: Iterable[tuple[str, _Described]], device: str
) -> dict[str, paddle.Tensor]:
    """Turn what ``deserialize`` returns into tensors."""
    tensors = {}
    for name, view in safeview:
        dtype, data = _getdtype(view["dtype"]), view["data"]
        # Paddle refuses to view a buffer of no bytes.
        flat = paddle.base.core.frombuffer(data, dtype) if data else paddle.empty([0], dtype=dtype)
        tensors[name] = _moved(flat.reshape(view["shape"]), device)
    return tensors


def _to_ndarray(tensor: paddle.Tensor, name: str) -> tuple[paddle.Tensor, int, int]:
    """Return the tensor in memory, where its bytes are and how many."""
    if not tensor.is_contiguous():
        raise ValueError(_texts.not_contiguous(name))
    if not tensor.place.is_cpu_place():
        tensor = tensor.cpu()
    return tensor, tensor.data_ptr(), int(tensor.size) * _SIZE[tensor.dtype]


def _flatten(
    tensors: dict[str, paddle.Tensor], keep_alive_buffer: list[paddle.Tensor]
) -> dict[str, TensorSpec]:
    """Describe tensors for ``serialize``; what must outlive it goes to the buffer."""
    if not isinstance(tensors, dict):
        raise ValueError(f"Expected a dict of [str, paddle.Tensor] but received {type(tensors)}")
    for name, tensor in tensors.items():
        if not isinstance(tensor, paddle.Tensor):
            raise ValueError(
                f"Key `{name}` is invalid, expected paddle.Tensor but received {type(tensor)}"
            )
    return {name: _spec(name, tensor, keep_alive_buffer) for name, tensor in tensors.items()}


def _spec(name: str, tensor: paddle.Tensor, keep_alive_buffer: list[paddle.Tensor]) -> TensorSpec:
    there, address, size = _to_ndarray(tensor, name)
    keep_alive_buffer.append(there)
    return TensorSpec(
        dtype=str(tensor.dtype).removeprefix("paddle."),
        shape=tensor.shape,
        data_ptr=address,
        data_len=size,
    )
