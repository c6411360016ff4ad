"""Filling tensors that are there already."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from nexus._native import Plan, SafetensorError, Tensor, TensorSpec
from nexus.safetensors._describe import describe, is_torch

if TYPE_CHECKING:
    from collections.abc import Callable

    from nexus._native import Checkpoint

    _Progress = Callable[[int, int], object]

_T = TypeVar("_T")
_T_co = TypeVar("_T_co", covariant=True)

#: What is read ahead of tensors that are copied.
_BUDGET_BYTES = 256 << 20

#: Types that are converted on the way, and types that they are converted to.
_FLOATS = {"F64", "F32", "F16", "BF16"}
_CONVERTED = _FLOATS | {"F8_E4M3", "F8_E5M2"}


class Module(Protocol[_T_co]):
    """What has named tensors, as ``torch.nn.Module`` does."""

    def state_dict(self) -> Mapping[str, _T_co]:
        """Return the tensors by name."""
        ...


class Into(Generic[_T]):
    """Tensors to be filled from a checkpoint."""

    def __init__(
        self,
        into: Mapping[str, _T] | Module[_T],
        checkpoint: Checkpoint,
        names: list[str] | None,
        cuts: list[tuple[str, int]],
        rank: int,
        world: int,
    ) -> None:
        """Find the targets."""
        self._owner = into
        self._targets = dict(into if isinstance(into, Mapping) else into.state_dict())
        self._specs = {name: _spec(target) for name, target in self._targets.items()}
        self._checkpoint = checkpoint
        self._names = names
        self._cuts = cuts
        self._place = (rank, world)

    def load(self, *, strict: bool, progress: _Progress | None) -> dict[str, _T]:
        """Fill the targets; return those that were."""
        chosen = self._chosen(strict)
        direct = self._direct(chosen)
        copied = [name for name in chosen if name not in direct]
        size = {name: self._checkpoint.info(name)[2] for name in chosen}
        total, done = sum(size.values()), 0

        def tell(step_done: int, step_total: int) -> None:
            if progress is not None:
                progress(done + step_done, total)

        self._checkpoint.load_into(list(direct.items()), progress=tell)
        done = sum(size[name] for name in direct)
        for framework in ("pt", "np", None):
            names = [name for name in copied if _framework(self._targets[name]) == framework]
            if names:
                self._copy(names, framework, tell)
                done += sum(size[name] for name in names)
        return {name: self._targets[name] for name in chosen}

    def _chosen(self, strict: bool) -> list[str]:
        """Return the names on both sides, and refuse what does not fit."""
        there, wanted = set(self._checkpoint.names()), set(self._targets)
        if self._names is not None:
            for name in self._names:
                # One that is not there is refused in the words of every other load.
                self._checkpoint.info(name)
            there &= set(self._names)
            wanted &= set(self._names)
        lines = []
        if strict:
            tied = self._tied(there)
            missing = [name for name in self._targets if name in wanted - there - tied]
            for kind, names in [("Missing", missing), ("Unexpected", sorted(there - wanted))]:
                if names:
                    quoted = ", ".join(f'"{name}"' for name in names)
                    lines.append(f"{kind} key(s) in state_dict: {quoted}. ")
        chosen = [name for name in self._targets if name in there and name in wanted]
        lines += [line for name in chosen if (line := self._misfit(name))]
        if lines:
            kind = type(self._owner).__name__
            text = f"Error(s) in loading state_dict for {kind}:\n\t" + "\n\t".join(lines)
            raise SafetensorError(text) if isinstance(self._owner, Mapping) else RuntimeError(text)
        return chosen

    def _tied(self, there: set[str]) -> set[str]:
        """Return targets that are the memory of another one which the files have."""
        filled = {_memory(spec) for name, spec in self._specs.items() if name in there}
        return {
            name
            for name, spec in self._specs.items()
            if spec is not None and spec.data_len and _memory(spec) in filled
        }

    def _misfit(self, name: str) -> str | None:
        target, spec = self._targets[name], self._specs[name]
        if is_torch(target) and target.is_meta:
            # Torch would copy nothing, and not say so.
            return f"{name} is on the device meta: give it memory, by Module.to_empty for example."
        shape = self._checkpoint.info(name)[1]
        # Types of two elements an item count otherwise.
        fits = shape == _shape(target) or (spec is not None and list(shape) == spec.shape)
        return None if fits or self._cuts else _mismatch(name, shape, target)

    def _direct(self, names: list[str]) -> dict[str, TensorSpec]:
        """Return the memory of targets that are as the files are, and no other target's."""
        if self._cuts:
            return {}
        specs = []
        for name in names:
            dtype, shape, size = self._checkpoint.info(name)
            spec = self._specs[name]
            if spec is not None and (spec.dtype, spec.shape, spec.data_len) == (
                dtype,
                list(shape),
                size,
            ):
                specs.append((spec.data_ptr, name, spec))
        end_before, direct = 0, {}
        for start, name, spec in sorted(specs, key=lambda each: each[:2]):
            if start >= end_before or spec.data_len == 0:
                direct[name] = spec
                end_before = max(end_before, start + spec.data_len)
        return direct

    def _copy(self, names: list[str], framework: str | None, progress: _Progress) -> None:
        """Fill targets that are not as the files are."""
        dtypes = []
        for name in names:
            dtype = _dtype(self._targets[name])
            if dtype in _FLOATS and self._checkpoint.info(name)[0] in _CONVERTED:
                dtypes.append((name, dtype))
        rank, world = self._place
        plan = Plan(names, dtypes=dtypes, shard=self._cuts, rank=rank, world=world)
        tensors = self._checkpoint.stream(
            plan, framework, "cpu", budget_bytes=_BUDGET_BYTES, progress=progress
        )
        with tensors:
            for name, tensor in tensors:
                _assign(name, self._targets[name], tensor)


def _framework(target: object) -> str | None:
    if is_torch(target):
        return "pt"
    return None if isinstance(target, Tensor) else "np"


def _shape(tensor: object) -> tuple[int, ...]:
    shape: tuple[int, ...] = tuple(getattr(tensor, "shape", ()))
    return shape


def _dtype(target: object) -> str | None:
    """Return the format's name of a target's type, where it has one."""
    if isinstance(target, Tensor):
        return target.dtype
    dtype = getattr(target, "dtype", None)
    name = str(dtype).removeprefix("torch.")
    try:
        return TensorSpec(dtype=name, shape=(), data_ptr=0, data_len=0).dtype
    except SafetensorError:
        return None


def _spec(target: object) -> TensorSpec | None:
    """Return the memory of a target, if bytes can be read straight into it."""
    if not _is_dense(target):
        # To describe it would be to copy it.
        return None
    try:
        spec, kept = describe(target)
    except (SafetensorError, TypeError, ValueError, RuntimeError):
        # The other way says what is wrong.
        return None
    # A description of a copy is of no use.
    if isinstance(spec, TensorSpec) and isinstance(kept, list) and _is_own(target, kept[0]):
        return spec
    return None


def _is_dense(target: object) -> bool:
    if is_torch(target):
        return bool(target.device.type == "cpu" and target.is_contiguous())
    flags = getattr(target, "flags", None)
    return flags is None or bool(flags.c_contiguous)


def _is_own(target: object, described: object) -> bool:
    """Tell whether what has been described is the target itself, and can be written to."""
    if _framework(target) == "pt":
        return described is target
    flags = getattr(target, "flags", None)
    return described is target and flags is not None and bool(flags.writeable)


def _memory(spec: TensorSpec | None) -> tuple[int, str, tuple[int, ...]] | None:
    return None if spec is None else (spec.data_ptr, spec.dtype, tuple(spec.shape))


def _assign(name: str, target: object, tensor: object) -> None:
    """Copy one tensor to another of the same shape, and convert it where that can be done."""
    if _shape(target) != _shape(tensor):
        raise SafetensorError(_mismatch(name, _shape(tensor), target))
    if is_torch(target) and is_torch(tensor):
        with sys.modules["torch"].no_grad():
            target.copy_(tensor)
    elif isinstance(target, Tensor) and isinstance(tensor, Tensor):
        if target.dtype != tensor.dtype:
            text = f"cannot load tensor `{name}`, which is {tensor.dtype}, into {target.dtype}"
            raise SafetensorError(text)
        memoryview(target).cast("B")[:] = memoryview(tensor).cast("B")
    else:
        import numpy as np

        if not isinstance(target, np.ndarray):
            kind = type(target)
            text = f"cannot load tensor `{name}` into {kind.__module__}.{kind.__qualname__}"
            raise TypeError(f"{text}: fill torch tensors, NumPy arrays or nexus.safetensors.Tensor")
        target[...] = tensor


def _mismatch(name: str, shape: tuple[int, ...], target: object) -> str:
    """Say so as torch does, whose shapes print as its own class."""
    wanted: tuple[int, ...] = getattr(target, "shape", ())
    found = type(wanted)(shape)
    return (
        f"size mismatch for {name}: copying a param with shape {found} from checkpoint, the shape"
        f" in current model is {wanted}."
    )
