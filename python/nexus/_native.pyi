"""Types of the extension module behind ``nexus.safetensors`` and ``nexus.data``."""

import os
import pathlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import EllipsisType
from typing import (
    ClassVar,
    Generic,
    Literal,
    Protocol,
    Self,
    TypeAlias,
    TypedDict,
    TypeVar,
    final,
    overload,
)

import jax  # type: ignore[import-not-found, unused-ignore]
import mlx.core as mx  # type: ignore[import-not-found, unused-ignore]
import numpy as np
import paddle  # type: ignore[import-not-found, import-untyped, unused-ignore]
import tensorflow as tf  # type: ignore[import-not-found, import-untyped, unused-ignore]
import torch  # type: ignore[import-not-found, unused-ignore]
from typing_extensions import Buffer, CapsuleType, Unpack, disjoint_base

from nexus.data._arrow import ArrowArray, ArrowStream
from nexus.data._loader import LoaderState
from nexus.data._ray import RayPipeline
from nexus.data._row import OutputFormat, Row
from nexus.data._settings import (
    DedupExact,
    DedupImages,
    DedupLines,
    DedupNear,
    DedupSubstrings,
    Images,
    ImageTensors,
    QualityFilter,
    Setting,
    TextFormatter,
    Tokenize,
)
from nexus.data._texts import Texts

__all__ = [
    "AnyLoader",
    "Batch",
    "Checkpoint",
    "Decider",
    "Encoding",
    "Ending",
    "Estimate",
    "Estimated",
    "ImageBatch",
    "ImageLoader",
    "Loader",
    "Pieces",
    "Pipeline",
    "Plan",
    "Progress",
    "PySafeSlice",
    "Ragged",
    "RecordBatch",
    "Removals",
    "Report",
    "Rows",
    "SafeAppender",
    "SafeWriter",
    "SafetensorError",
    "Snapshot",
    "StepEstimate",
    "StepReport",
    "Tensor",
    "TensorSpec",
    "TensorStream",
    "Tokenizer",
    "UnitPieces",
    "Wanted",
    "__version__",
    "_safe_open_handle",
    "deserialize",
    "is_packed",
    "load",
    "load_file",
    "load_packed",
    "pack_file",
    "safe_open",
    "save_sharded",
    "serialize",
    "serialize_file",
    "shared_records",
    "unpack_file",
    "verify",
]
__version__: str

# nexus.safetensors

_AnyArray = np.ndarray[tuple[int, ...], np.dtype[np.generic]]

class SafetensorError(ValueError):
    tensor: str | None
    offset: int | None
    hint: str | None

class _ArrayInterface(TypedDict):
    version: int
    typestr: str
    shape: tuple[int, ...]
    data: tuple[int, bool]
    strides: None

@final
class Tensor:
    __hash__: ClassVar[None]  # type: ignore[assignment]
    def __new__(cls, data: Buffer, /, *, dtype: str, shape: Sequence[int]) -> Tensor: ...
    @property
    def dtype(self) -> str: ...
    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def nbytes(self) -> int: ...
    @property
    def readonly(self) -> bool: ...
    @property
    def __array_interface__(self) -> _ArrayInterface: ...
    def tobytes(self) -> bytes: ...
    def __buffer__(self, flags: int, /) -> memoryview: ...
    def __dlpack__(
        self,
        *,
        stream: object | None = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[int, int] | None = None,
        copy: bool | None = None,
    ) -> CapsuleType: ...
    def __dlpack_device__(self) -> tuple[int, int]: ...

@final
class TensorSpec:
    def __new__(
        cls, *, dtype: str, shape: Sequence[int], data_ptr: int, data_len: int
    ) -> TensorSpec: ...
    @property
    def dtype(self) -> str: ...
    @property
    def shape(self) -> list[int]: ...
    @property
    def data_ptr(self) -> int: ...
    @property
    def data_len(self) -> int: ...

_T = TypeVar("_T")

@disjoint_base
class safe_open(Generic[_T]):
    @overload
    def __new__(
        cls,
        filename: str | os.PathLike[str],
        framework: Literal["np", "numpy"],
        device: str | int | None = ...,
        *,
        backend: str = ...,
        rules: str = ...,
    ) -> safe_open[_AnyArray]: ...
    @overload
    def __new__(
        cls,
        filename: str | os.PathLike[str],
        framework: Literal["pt", "torch", "pytorch"],
        device: str | int | None = ...,
        *,
        backend: str = ...,
        rules: str = ...,
    ) -> safe_open[torch.Tensor]: ...
    @overload
    def __new__(
        cls,
        filename: str | os.PathLike[str],
        framework: None,
        device: str | int | None = ...,
        *,
        backend: str = ...,
        rules: str = ...,
    ) -> safe_open[Tensor]: ...
    @overload
    def __new__(
        cls,
        filename: str | os.PathLike[str],
        framework: Literal["tf", "tensorflow"],
        device: str | int | None = ...,
        *,
        backend: str = ...,
        rules: str = ...,
    ) -> safe_open[tf.Tensor]: ...
    @overload
    def __new__(
        cls,
        filename: str | os.PathLike[str],
        framework: Literal["flax", "jax"],
        device: str | int | None = ...,
        *,
        backend: str = ...,
        rules: str = ...,
    ) -> safe_open[jax.Array]: ...
    @overload
    def __new__(
        cls,
        filename: str | os.PathLike[str],
        framework: Literal["paddle"],
        device: str | int | None = ...,
        *,
        backend: str = ...,
        rules: str = ...,
    ) -> safe_open[paddle.Tensor]: ...
    @overload
    def __new__(
        cls,
        filename: str | os.PathLike[str],
        framework: Literal["mlx"],
        device: str | int | None = ...,
        *,
        backend: str = ...,
        rules: str = ...,
    ) -> safe_open[mx.array]: ...
    def keys(self) -> list[str]: ...
    def offset_keys(self) -> list[str]: ...
    def metadata(self) -> dict[str, str] | None: ...
    def info(self, name: str) -> tuple[str, tuple[int, ...], int, int]: ...
    def get_tensor(self, name: str) -> _T: ...
    def get_tensors(self) -> dict[str, _T]: ...
    def get_slice(self, name: str) -> PySafeSlice[_T]: ...
    def close(self) -> None: ...
    def __getitem__(self, name: str, /) -> _T: ...
    def __contains__(self, name: object, /) -> bool: ...
    def __iter__(self) -> Iterator[str]: ...
    def __len__(self) -> int: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, _exc_type: object, _exc_value: object, _traceback: object) -> None: ...
    @classmethod
    def __class_getitem__(cls, _item: object) -> type: ...

class _Handle(Protocol):
    @property
    def name(self) -> str | bytes | os.PathLike[str]: ...
    def fileno(self) -> int: ...

@final
class _safe_open_handle(safe_open[_T]):
    def __new__(
        cls,
        f: _Handle,
        framework: str | None,
        device: str | int | None = ...,
        *,
        backend: str = ...,
        rules: str = ...,
    ) -> _safe_open_handle[_T]: ...

_Index = int | slice[int | None, int | None, int | None] | EllipsisType | None

@final
class PySafeSlice(Generic[_T]):
    def get_shape(self) -> list[int]: ...
    def get_dtype(self) -> str: ...
    def __getitem__(self, index: _Index | tuple[_Index, ...], /) -> _T: ...

class _Described(TypedDict):
    shape: list[int]
    dtype: str
    data: bytearray

def serialize(
    tensor_dict: dict[str, TensorSpec] | dict[str, Tensor],
    metadata: dict[str, str] | None = None,
) -> bytes: ...
def serialize_file(
    tensor_dict: Mapping[str, Tensor | TensorSpec],
    filename: str | os.PathLike[str],
    metadata: dict[str, str] | None = None,
    *,
    fsync: bool = False,
    mode: str | None = None,
    align: int | None = None,
    checksum: str | None = None,
) -> None: ...
def deserialize(bytes: bytes) -> list[tuple[str, _Described]]: ...
@overload
def load(data: Buffer, framework: None, *, rules: str = ...) -> dict[str, Tensor]: ...
@overload
def load(data: Buffer, framework: Literal["np"], *, rules: str = ...) -> dict[str, _AnyArray]: ...
@overload
def load(
    data: Buffer, framework: Literal["pt"], *, rules: str = ...
) -> dict[str, torch.Tensor]: ...
@overload
def load(data: Buffer, framework: Literal["tf"], *, rules: str = ...) -> dict[str, tf.Tensor]: ...
@overload
def load(data: Buffer, framework: Literal["flax"], *, rules: str = ...) -> dict[str, jax.Array]: ...
@overload
def load(
    data: Buffer, framework: Literal["paddle"], *, rules: str = ...
) -> dict[str, paddle.Tensor]: ...
@overload
def load(data: Buffer, framework: Literal["mlx"], *, rules: str = ...) -> dict[str, mx.array]: ...
@overload
def load_file(
    filename: str | os.PathLike[str],
    framework: None,
    device: str | int | None = ...,
    *,
    backend: str = ...,
    rules: str = ...,
    verify: bool = False,
) -> dict[str, Tensor]: ...
@overload
def load_file(
    filename: str | os.PathLike[str],
    framework: Literal["np"],
    device: str | int | None = ...,
    *,
    backend: str = ...,
    rules: str = ...,
    verify: bool = False,
) -> dict[str, _AnyArray]: ...
@overload
def load_file(
    filename: str | os.PathLike[str],
    framework: Literal["pt"],
    device: str | int | None = ...,
    *,
    backend: str = ...,
    rules: str = ...,
    verify: bool = False,
) -> dict[str, torch.Tensor]: ...
@overload
def load_file(
    filename: str | os.PathLike[str],
    framework: Literal["tf"],
    device: str | int | None = ...,
    *,
    backend: str = ...,
    rules: str = ...,
    verify: bool = False,
) -> dict[str, tf.Tensor]: ...
@overload
def load_file(
    filename: str | os.PathLike[str],
    framework: Literal["flax"],
    device: str | int | None = ...,
    *,
    backend: str = ...,
    rules: str = ...,
    verify: bool = False,
) -> dict[str, jax.Array]: ...
@overload
def load_file(
    filename: str | os.PathLike[str],
    framework: Literal["paddle"],
    device: str | int | None = ...,
    *,
    backend: str = ...,
    rules: str = ...,
    verify: bool = False,
) -> dict[str, paddle.Tensor]: ...
@overload
def load_file(
    filename: str | os.PathLike[str],
    framework: Literal["mlx"],
    device: str | int | None = ...,
    *,
    backend: str = ...,
    rules: str = ...,
    verify: bool = False,
) -> dict[str, mx.array]: ...

# nexus.safetensors, beyond the `safetensors` package

_ElementType = str | np.dtype[np.generic] | type[np.generic] | torch.dtype
_AnyTensors = (
    dict[str, Tensor]
    | dict[str, _AnyArray]
    | dict[str, torch.Tensor]
    | dict[str, tf.Tensor]
    | dict[str, jax.Array]
    | dict[str, paddle.Tensor]
    | dict[str, mx.array]
)
_Writable = Tensor | TensorSpec
_Progress = Callable[[int, int], object]
_T_co = TypeVar("_T_co", covariant=True)

class _Declared(Protocol):
    @property
    def dtype(self) -> _ElementType: ...
    @property
    def shape(self) -> Sequence[int]: ...

@final
class Plan:
    def __new__(
        cls,
        names: list[str] | None = None,
        *,
        dtype: _ElementType | None = None,
        dtypes: list[tuple[str, str]] = ...,
        shard: list[tuple[str, int]] = ...,
        rank: int = 0,
        world: int = 1,
    ) -> Plan: ...

@final
class Checkpoint:
    def __new__(
        cls,
        path: str | os.PathLike[str],
        *,
        backend: str,
        threads: int | None = None,
        rules: str = ...,
    ) -> Checkpoint: ...
    def names(self) -> list[str]: ...
    def info(self, name: str) -> tuple[str, tuple[int, ...], int]: ...
    def load(
        self,
        plan: Plan,
        framework: str | None,
        device: str | int = ...,
        *,
        progress: _Progress | None = None,
    ) -> _AnyTensors: ...
    def stream(
        self,
        plan: Plan,
        framework: str | None,
        device: str | int = ...,
        *,
        budget_bytes: int,
        progress: _Progress | None = None,
    ) -> TensorStream[object]: ...
    def load_into(
        self, targets: list[tuple[str, TensorSpec]], *, progress: _Progress | None = None
    ) -> None: ...

@final
class TensorStream(Generic[_T_co]):
    def close(self) -> None: ...
    def __iter__(self) -> Self: ...
    def __next__(self) -> tuple[str, _T_co]: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, _exc_type: object, _exc_value: object, _traceback: object) -> None: ...
    @classmethod
    def __class_getitem__(cls, _item: object) -> type: ...

@final
class SafeWriter:
    def __new__(
        cls,
        path: str | os.PathLike[str],
        tensors: Mapping[str, tuple[_ElementType, Sequence[int]] | _Declared],
        metadata: dict[str, str] | None = None,
        *,
        fsync: bool = False,
        align: int | None = None,
    ) -> SafeWriter: ...
    def write(self, name: str, tensor: object) -> None: ...
    def write_at(self, name: str, offset: int, data: Buffer) -> None: ...
    @property
    def missing_bytes(self) -> int: ...
    def finish(self) -> None: ...
    def discard(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, exc_type: object, _exc_value: object, _traceback: object) -> None: ...

@final
class SafeAppender:
    @classmethod
    def create(
        cls,
        path: str | os.PathLike[str],
        *,
        header_capacity: int = ...,
        metadata: dict[str, str] | None = None,
        fsync: bool = False,
    ) -> SafeAppender: ...
    @classmethod
    def open(cls, path: str | os.PathLike[str], *, fsync: bool = False) -> SafeAppender: ...
    def push(self, name: str, tensor: object) -> None: ...
    @property
    def header_room(self) -> int: ...
    def finish(self) -> None: ...
    def discard(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, exc_type: object, _exc_value: object, _traceback: object) -> None: ...

@final
class Snapshot:
    def __new__(
        cls,
        tensors: Mapping[str, _Writable],
        metadata: dict[str, str] | None = None,
        *,
        checksum: str | None = None,
    ) -> Snapshot: ...
    def save(self, path: str | os.PathLike[str], *, fsync: bool = False) -> None: ...

def save_sharded(
    tensors: Sequence[tuple[str, _Writable]],
    folder: str | os.PathLike[str],
    pattern: str,
    max_shard_size: int,
    metadata: dict[str, str] | None = None,
    *,
    fsync: bool = False,
    checksum: str | None = None,
) -> list[pathlib.Path]: ...
def verify(
    path: str | os.PathLike[str], *, threads: int | None = None
) -> tuple[
    str | None, int, list[tuple[str, pathlib.Path, int, int, str, str]], list[str], list[str]
]: ...
def pack_file(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    threads: int | None = None,
    fsync: bool = False,
) -> tuple[int, int, list[tuple[str, str, str | None, int, int]]]: ...
def unpack_file(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    threads: int | None = None,
    fsync: bool = False,
) -> None: ...
def is_packed(path: str | os.PathLike[str]) -> bool: ...
def load_packed(
    path: str | os.PathLike[str],
    framework: str | None,
    device: str | int = ...,
    *,
    threads: int | None = None,
) -> _AnyTensors: ...

# nexus.data

@final
class Batch:
    @property
    def tokens(self) -> Tensor: ...
    @property
    def position_ids(self) -> Tensor | None: ...
    @property
    def cu_seqlens(self) -> Tensor | None: ...
    @property
    def max_seqlen(self) -> int | None: ...
    @property
    def rows(self) -> list[int]: ...
    @property
    def epoch(self) -> int: ...
    def __len__(self) -> int: ...

@disjoint_base
class AnyLoader(Generic[_T_co]):
    def __iter__(self) -> Self: ...
    def __next__(self) -> _T_co: ...
    def __len__(self) -> int: ...
    @property
    def batches_left(self) -> int: ...
    @property
    def rows(self) -> int: ...
    @property
    def epoch(self) -> int: ...
    def state_dict(self) -> LoaderState: ...
    def state_at(self, epoch: int, steps: int, /) -> LoaderState: ...
    def load_state_dict(self, state: LoaderState, /) -> None: ...
    def set_epoch(self, epoch: int, /) -> None: ...
    def close(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *_exception: object) -> None: ...

@final
class Loader(AnyLoader[Batch]):
    def __new__(
        cls,
        source: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
        /,
        *,
        row_len: int,
        batch_size: int = 1,
        kind: Literal["windows", "documents", "packed"] = "windows",
        stride: int | None = None,
        shuffle: bool | Literal["full", "units"] = ...,
        block: int | None = None,
        window: int | None = None,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
        worker: int = 0,
        workers: int = 1,
        tail: Literal["drop", "keep", "pad"] = "drop",
        dtype: Literal["uint16", "uint32", "int32", "int64"] | None = None,
        stored: str | None = None,
        field: str | None = None,
        format: Literal[
            "megatron", "safetensors", "mds", "litdata", "tar", "npy", "parquet", "plain"
        ]
        | None = None,
        access: Literal["map", "read"] = "map",
        position_ids: bool = False,
        cu_seqlens: bool = False,
        pad_id: int = 0,
        threads: int = 2,
        prefetch: int = 16,
        cache: int | str | None = None,
    ) -> Loader: ...
    @property
    def documents(self) -> int: ...
    @property
    def padding_share(self) -> float | None: ...
    @property
    def dtype(self) -> str: ...

@final
class ImageBatch:
    @property
    def images(self) -> Tensor: ...
    @property
    def labels(self) -> Tensor | None: ...
    @property
    def rows(self) -> list[int]: ...
    @property
    def skipped(self) -> list[int]: ...
    @property
    def epoch(self) -> int: ...
    def __len__(self) -> int: ...

@final
class ImageLoader(AnyLoader[ImageBatch]):
    def __new__(
        cls,
        source: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
        /,
        *,
        batch_size: int = 1,
        size: int | Sequence[int] = ...,
        crop: Literal["center", "random", "random_resized", "none"] = "center",
        resize: int | None = None,
        scale: tuple[float, float] = ...,
        ratio: tuple[float, float] = ...,
        flip: float = 0.0,
        interpolation: Literal["bilinear", "bicubic", "lanczos"] = "bilinear",
        mean: Sequence[float] = ...,
        std: Sequence[float] = ...,
        dtype: Literal["float32", "uint8"] = "float32",
        layout: Literal["NCHW", "NHWC"] = "NCHW",
        on_error: Literal["raise", "skip"] = "raise",
        image_field: str | None = None,
        label_field: str | None = None,
        shuffle: bool | Literal["full", "units"] = ...,
        block: int | None = None,
        window: int | None = None,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
        worker: int = 0,
        workers: int = 1,
        tail: Literal["drop", "keep", "pad"] = "drop",
        format: Literal["folder", "tar", "parquet", "mds", "litdata"] | None = None,
        access: Literal["map", "read"] = "map",
        threads: int = 2,
        prefetch: int = 4,
        cache: int | str | None = None,
    ) -> ImageLoader: ...
    @property
    def classes(self) -> list[str]: ...
    @property
    def skipped(self) -> int: ...

@final
class Tokenizer:
    @staticmethod
    def from_file(
        path: str | os.PathLike[str], /, *, special: Literal["token", "text"] | None = None
    ) -> Tokenizer: ...
    def encode(self, text: str, /, *, add_special_tokens: bool = False) -> Encoding: ...
    def encode_batch(
        self, texts: Texts, /, *, add_special_tokens: bool = False
    ) -> list[Encoding]: ...
    def encode_ragged(
        self,
        texts: Texts,
        /,
        *,
        dtype: Literal["uint32", "uint16"] = "uint32",
        add_special_tokens: bool = False,
        threads: int | None = None,
    ) -> Ragged: ...
    def count(self, text: str, /, *, add_special_tokens: bool = False) -> int: ...
    def count_batch(
        self, texts: Texts, /, *, add_special_tokens: bool = False, threads: int | None = None
    ) -> Tensor: ...
    def token(self, id: int, /) -> str | None: ...
    def id(self, token: str, /) -> int | None: ...
    def decode(self, ids: Sequence[int], /) -> str: ...
    @property
    def vocab_size(self) -> int: ...
    @property
    def unk_id(self) -> int | None: ...
    @property
    def cls_id(self) -> int | None: ...
    @property
    def sep_id(self) -> int | None: ...
    @property
    def pad_id(self) -> int | None: ...

@final
class Ragged:
    @property
    def ids(self) -> Tensor: ...
    @property
    def offsets(self) -> Tensor: ...
    def __len__(self) -> int: ...
    def __getitem__(self, index: int, /) -> Tensor: ...
    def __iter__(self) -> Iterator[Tensor]: ...
    def __arrow_c_array__(self, requested_schema: object = None) -> tuple[object, object]: ...

@final
class Encoding:
    @property
    def ids(self) -> list[int]: ...
    @property
    def offsets(self) -> list[tuple[int, int]]: ...
    def __len__(self) -> int: ...

@final
class Pipeline:
    def __new__(
        cls, source: str | os.PathLike[str], /, *, text: str = "text", id: str = "id"
    ) -> Pipeline: ...
    def __reduce__(self) -> tuple[Callable[[str], Pipeline], tuple[str]]: ...
    @staticmethod
    def from_arrow(
        table: ArrowStream | ArrowArray, /, *, text: str = "text", id: str | None = None
    ) -> Pipeline: ...
    @staticmethod
    def from_toml(plan: str, /) -> Pipeline: ...
    def to_toml(self) -> str: ...
    def clean(self) -> Pipeline: ...
    def min_chars(self, chars: int, /) -> Pipeline: ...
    def format(self, formatter: TextFormatter, /, **settings: Setting) -> Pipeline: ...
    def quality(self, filter: QualityFilter, /, **settings: Setting) -> Pipeline: ...
    def dedup_exact(self, **settings: Unpack[DedupExact]) -> Pipeline: ...
    def dedup_near(self, **settings: Unpack[DedupNear]) -> Pipeline: ...
    def dedup_lines(self, **settings: Unpack[DedupLines]) -> Pipeline: ...
    def dedup_substrings(self, **settings: Unpack[DedupSubstrings]) -> Pipeline: ...
    def images(self, **settings: Unpack[Images]) -> Pipeline: ...
    def dedup_images(self, **settings: Unpack[DedupImages]) -> Pipeline: ...
    def image_tensors(self, **settings: Unpack[ImageTensors]) -> Pipeline: ...
    def tokenize(
        self,
        tokenizer: str | os.PathLike[str] | Tokenizer,
        /,
        **settings: Unpack[Tokenize],
    ) -> Pipeline: ...
    def cut(self, *, max_tokens: int = 256) -> Pipeline: ...
    def map(self, function: Callable[[Row], str], /) -> Pipeline: ...
    def filter(self, function: Callable[[Row], bool], /) -> Pipeline: ...
    def map_batches(
        self,
        function: Callable[[RecordBatch], ArrowStream | ArrowArray],
        /,
        *,
        name: str | None = None,
    ) -> Pipeline: ...
    def write(
        self,
        path: str | os.PathLike[str],
        /,
        *,
        format: OutputFormat | None = None,
        shard_size_bytes: int | None = None,
        token_type: Literal["uint16", "uint32"] | None = None,
        records: bool = False,
    ) -> Pipeline: ...
    def write_jsonl(self, path: str | os.PathLike[str], /) -> Pipeline: ...
    def write_rejects(self, path: str | os.PathLike[str], /) -> Pipeline: ...
    def write_audit(self, path: str | os.PathLike[str], /) -> Pipeline: ...
    def storage(self, **options: str | int | bool) -> Pipeline: ...
    def explain(self) -> str: ...
    def to_ray(
        self, *, workers: int | None = None, memory: int | str | None = None
    ) -> RayPipeline: ...
    def _carried(self) -> _Outline: ...
    def run(
        self,
        *,
        threads: int | None = None,
        memory: int | str | None = None,
        work: str | os.PathLike[str] | None = None,
        resume: bool = False,
        node: tuple[int, int] | None = None,
        node_timeout: float | None = None,
        group_size: int | str | None = None,
        progress: Callable[[Progress], object] | bool | None = None,
    ) -> Report: ...
    def estimate(
        self,
        *,
        sample: int | str | None = None,
        threads: int | None = None,
        memory: int | str | None = None,
    ) -> Estimate: ...
    def __iter__(self) -> Rows: ...
    def __arrow_c_stream__(self, requested_schema: CapsuleType | None = None) -> CapsuleType: ...

@final
class RecordBatch:
    @property
    def column_names(self) -> list[str]: ...
    @property
    def num_rows(self) -> int: ...
    def __len__(self) -> int: ...
    def __arrow_c_schema__(self) -> CapsuleType: ...
    def __arrow_c_array__(
        self, requested_schema: CapsuleType | None = None
    ) -> tuple[CapsuleType, CapsuleType]: ...
    def __arrow_c_stream__(self, requested_schema: CapsuleType | None = None) -> CapsuleType: ...

@final
class Progress:
    @property
    def rows(self) -> int: ...
    @property
    def bytes(self) -> int: ...
    @property
    def bytes_total(self) -> int | None: ...
    @property
    def stage(self) -> int: ...
    @property
    def stages(self) -> int: ...
    @property
    def rows_read(self) -> int: ...
    @property
    def rows_total(self) -> int | None: ...
    @property
    def seconds(self) -> float: ...
    @property
    def rows_per_second(self) -> float: ...
    @property
    def bytes_per_second(self) -> float: ...
    @property
    def fraction(self) -> float | None: ...
    @property
    def seconds_left(self) -> float | None: ...
    @property
    def steps(self) -> list[StepReport]: ...
    @property
    def waiting(self) -> tuple[int, int] | None: ...

@final
class Estimated:
    @property
    def value(self) -> float: ...
    @property
    def margin(self) -> float | None: ...
    def __float__(self) -> float: ...

@final
class StepEstimate:
    @property
    def stage(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def rows_in(self) -> Estimated: ...
    @property
    def rows_out(self) -> Estimated: ...
    @property
    def cpu_seconds(self) -> Estimated: ...

@final
class Estimate:
    @property
    def files(self) -> int: ...
    @property
    def bytes(self) -> int: ...
    @property
    def plain_bytes(self) -> Estimated: ...
    @property
    def documents(self) -> Estimated: ...
    @property
    def rejected(self) -> Estimated: ...
    @property
    def kept(self) -> Estimated: ...
    @property
    def dropped(self) -> dict[str, dict[str, Estimated]]: ...
    @property
    def steps(self) -> list[StepEstimate]: ...
    @property
    def cpu_seconds(self) -> Estimated: ...
    @property
    def seconds(self) -> Estimated: ...
    @property
    def threads(self) -> int: ...
    @property
    def memory_bytes(self) -> Estimated: ...
    @property
    def work_bytes(self) -> Estimated: ...
    @property
    def output_bytes(self) -> Estimated: ...
    @property
    def places(self) -> int: ...
    @property
    def sample_bytes(self) -> int: ...
    @property
    def sample_documents(self) -> int: ...
    @property
    def sample_seconds(self) -> float: ...
    @property
    def is_whole(self) -> bool: ...
    @property
    def notes(self) -> list[str]: ...

@final
class Rows:
    @property
    def report(self) -> Report | None: ...
    def __iter__(self) -> Rows: ...
    def __next__(self) -> Row: ...

@final
class Report:
    @property
    def rows(self) -> int: ...
    @property
    def duplicates(self) -> int: ...
    @property
    def dropped(self) -> dict[str, dict[str, int]]: ...
    @property
    def rejected(self) -> int: ...
    @property
    def rejected_samples(self) -> list[str]: ...
    @property
    def skipped(self) -> int: ...
    @property
    def skipped_samples(self) -> list[str]: ...
    @property
    def files(self) -> int: ...
    @property
    def seconds(self) -> float: ...
    @property
    def threads(self) -> int: ...
    @property
    def steps(self) -> list[StepReport]: ...

@final
class StepReport:
    @property
    def rows_per_second(self) -> float: ...
    @property
    def bytes_per_second(self) -> float: ...
    @property
    def name(self) -> str: ...
    @property
    def rows_in(self) -> int: ...
    @property
    def rows_out(self) -> int: ...
    @property
    def bytes_in(self) -> int: ...
    @property
    def seconds(self) -> float: ...

# What ``nexus.data._ray`` is made of: a pipeline in pieces, bytes in and bytes out.

#: Source and sink as a plan, each step as a plan or as a method's name, the step's and its
#: function, and options of object stores.
_Outline: TypeAlias = tuple[
    str, list[str | tuple[str, str | None, Callable[..., object]]], list[tuple[str, str]]
]

#: Place, frame, facts, note.
_Piece: TypeAlias = tuple[int, Buffer | None, bytes | None, bytes]

@final
class Pieces:
    def __new__(cls, outline: _Outline, /, *, memory: int | str | None = None) -> Pieces: ...
    @property
    def phases(self) -> int: ...
    @property
    def has_output(self) -> bool: ...
    def start(self, workers: int) -> tuple[list[bytes], Ending]: ...
    def read(self, number: int, unit: bytes) -> UnitPieces: ...
    def apply(
        self,
        phase: int,
        place: int,
        frame: Buffer | None,
        note: bytes,
        removals: Removals,
        /,
    ) -> _Piece: ...
    @staticmethod
    def details(place: int, facts: bytes | None, wanted: Wanted, /) -> bytes | None: ...
    @staticmethod
    def records(pieces: Sequence[tuple[int, bytes | None]], /) -> tuple[bytes, bytes, bytes]: ...

@final
class UnitPieces:
    @property
    def place(self) -> int: ...
    def __iter__(self) -> UnitPieces: ...
    def __next__(self) -> _Piece: ...

@final
class Wanted:
    def __new__(cls, places: bytes, rows: bytes, /) -> Wanted: ...
    def __len__(self) -> int: ...

@final
class Decider:
    def __new__(cls, pieces: Pieces, phase: int, folder: str | os.PathLike[str], /) -> Decider: ...
    def add(self, place: int, details: bytes | None) -> None: ...
    def finish(self) -> bytes: ...

@final
class Removals:
    def __new__(cls, removals: bytes, /) -> Removals: ...
    def __len__(self) -> int: ...

@final
class Ending:
    def add(self, place: int, frame: Buffer | None, note: bytes, /) -> None: ...
    def finish(self, workers: int) -> Report: ...

def shared_records(keys: bytes, places: bytes, rows: bytes) -> tuple[bytes, bytes]: ...
