"""One measurement of one contestant, in a process of its own, printed as JSON.

    python bench/safetensors/contestants.py TASK CONTESTANT FILE...

A task says what is timed; ``TASKS`` lists its contestants. Libraries are imported before the clock
starts. Then the process says ``ready`` and waits for a line: run.py gives back memory that it
holds, because a hypervisor takes free pages, and whoever touches them first would pay for it.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import mmap
import os
import resource
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import ml_dtypes  # noqa: F401  (NumPy learns bfloat16 from it)
import numpy as np

Figures = dict[str, float]
PAGE = mmap.PAGESIZE

#: Task -> contestant -> the function that is measured.
TASKS: dict[str, dict[str, Callable[..., object]]] = {}


def contestant(task: str, name: str) -> Callable[[Callable[..., object]], Callable[..., object]]:
    """Registers a function."""

    def register(function: Callable[..., object]) -> Callable[..., object]:
        TASKS.setdefault(task, {})[name] = function
        return function

    return register


# --- load: all tensors of the files, as the library gives them ---


@contestant("load", "nexus numpy")
def _(*files: str) -> object:
    from nexus.safetensors.numpy import load_file

    return lambda: [load_file(file) for file in files]


@contestant("load", "nexus torch")
def _(*files: str) -> object:
    from nexus.safetensors.torch import load_file

    return lambda: [load_file(file) for file in files]


@contestant("load", "nexus numpy pread")
def _(*files: str) -> object:
    from nexus.safetensors.numpy import load_file

    return lambda: [load_file(file, backend="pread") for file in files]


def nexus_backend(backend: str) -> Callable[..., object]:
    """Our loader with a named backend."""

    def prepare(*files: str) -> object:
        from nexus.safetensors.torch import load_file

        return lambda: [load_file(file, backend=backend) for file in files]

    return prepare


for backend in ("auto", "populate", "pread", "direct", "uring"):
    contestant("load", f"nexus torch {backend}")(nexus_backend(backend))


@contestant("load", "safetensors numpy")
def _(*files: str) -> object:
    from safetensors.numpy import load_file

    return lambda: [load_file(file) for file in files]


@contestant("load", "safetensors numpy pread")
def _(*files: str) -> object:
    from safetensors.numpy import load_file

    return lambda: [load_file(file, backend="pread") for file in files]


@contestant("load", "safetensors torch")
def _(*files: str) -> object:
    from safetensors.torch import load_file

    return lambda: [load_file(file) for file in files]


@contestant("load", "safetensors torch pread")
def _(*files: str) -> object:
    from safetensors.torch import load_file

    return lambda: [load_file(file, backend="pread") for file in files]


@contestant("load", "fastsafetensors")
def _(*files: str) -> object:
    from fastsafetensors import SafeTensorsFileLoader, SingleGroup

    def load() -> object:
        loader = SafeTensorsFileLoader(SingleGroup(), device="cpu", nogds=True)
        loader.add_filenames({0: list(files)})
        buffer = loader.copy_files_to_device()
        tensors = {name: buffer.get_tensor(name) for name in buffer.key_to_rank_lidx}
        # The tensors are views of the buffer.
        return [tensors, buffer, loader]

    return load


@contestant("load", "runai-model-streamer")
def _(*files: str) -> object:
    from runai_model_streamer import SafetensorsStreamer

    def load() -> object:
        streamer = SafetensorsStreamer()
        streamer.__enter__()
        streamer.stream_files(list(files))
        return [dict(streamer.get_tensors()), streamer]

    return load


@contestant("load", "torch.load")
def _(*files: str) -> object:
    import torch

    return lambda: [torch.load(Path(file).with_suffix(".bin"), weights_only=True) for file in files]


@contestant("load", "numpy npz")
def _(*files: str) -> object:
    return lambda: [dict(np.load(Path(file).with_suffix(".npz"))) for file in files]


# --- bytes: from and to bytes in memory ---


@contestant("load bytes", "nexus torch")
def _(file: str) -> object:
    from nexus.safetensors.torch import load

    data = Path(file).read_bytes()
    return lambda: load(data)


@contestant("load bytes", "nexus numpy")
def _(file: str) -> object:
    from nexus.safetensors.numpy import load

    data = Path(file).read_bytes()
    return lambda: load(data)


@contestant("load bytes", "safetensors torch")
def _(file: str) -> object:
    from safetensors.torch import load

    data = Path(file).read_bytes()
    return lambda: load(data)


@contestant("load bytes", "safetensors numpy")
def _(file: str) -> object:
    from safetensors.numpy import load

    data = Path(file).read_bytes()
    return lambda: load(data)


# --- save: tensors in memory to a file or to bytes ---


def owned(file: str) -> dict[str, object]:
    """The tensors of the file as torch tensors in memory of their own."""
    import torch
    from safetensors.torch import load_file

    return {name: torch.empty_like(each).copy_(each) for name, each in load_file(file).items()}


def sync(path: str) -> None:
    """Makes a saved file durable, as a careful user of the library would."""
    for each in (path, os.path.dirname(path) or "."):
        descriptor = os.open(each, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)


@contestant("save", "nexus torch")
def _(file: str, target: str) -> object:
    from nexus.safetensors.torch import save_file

    tensors = owned(file)
    return lambda: save_file(tensors, target)


@contestant("save", "safetensors torch")
def _(file: str, target: str) -> object:
    from safetensors.torch import save_file

    tensors = owned(file)
    return lambda: save_file(tensors, target)


@contestant("save", "torch.save")
def _(file: str, target: str) -> object:
    import torch

    tensors = owned(file)
    return lambda: torch.save(tensors, target)


@contestant("save durably", "nexus torch")
def _(file: str, target: str) -> object:
    from nexus.safetensors.torch import save_file

    tensors = owned(file)
    return lambda: save_file(tensors, target, fsync=True)


@contestant("save durably", "safetensors torch")
def _(file: str, target: str) -> object:
    from safetensors.torch import save_file

    tensors = owned(file)
    return lambda: (save_file(tensors, target), sync(target))


@contestant("save durably", "torch.save")
def _(file: str, target: str) -> object:
    import torch

    tensors = owned(file)
    return lambda: (torch.save(tensors, target), sync(target))


@contestant("save bytes", "nexus torch")
def _(file: str) -> object:
    from nexus.safetensors.torch import save

    tensors = owned(file)
    return lambda: save(tensors)


@contestant("save bytes", "safetensors torch")
def _(file: str) -> object:
    from safetensors.torch import save

    tensors = owned(file)
    return lambda: save(tensors)


# --- header: a file of 100 000 tensors ---


def header(library: str, framework: str) -> Callable[..., object]:
    """Open and list the names."""

    def prepare(file: str) -> object:
        safe_open = __import__(library, fromlist=["safe_open"]).safe_open

        def load() -> object:
            with safe_open(file, framework) as opened:
                return list(opened.keys())

        return load

    return prepare


def header_all(library: str, module: str) -> Callable[..., object]:
    """Open and make every tensor."""

    def prepare(file: str) -> object:
        load_file = __import__(f"{library}.{module}", fromlist=["load_file"]).load_file
        return lambda: load_file(file)

    return prepare


for library, short in (("nexus.safetensors", "nexus"), ("safetensors", "safetensors")):
    contestant("header", f"{short} open, keys")(header(library, "np"))
    for module in ("torch", "numpy"):
        contestant("header", f"{short} {module} load_file")(header_all(library, module))


# --- slice: what rank 1 of 4 needs of every matrix ---


def slices(library: str, framework: str, backend: str) -> Callable[..., object]:
    """A quarter of the rows, or of the columns where the layer is split so."""

    def prepare(file: str) -> object:
        safe_open = __import__(library, fromlist=["safe_open"]).safe_open
        # Imported when the first tensor is made otherwise.
        importlib.import_module({"pt": "torch", "np": "numpy"}[framework])

        def load() -> object:
            found = {}
            with safe_open(file, framework, backend=backend) as opened:
                for name in opened.offset_keys():
                    part = opened.get_slice(name)
                    shape = part.get_shape()
                    if len(shape) < 2:
                        continue
                    by_columns = "down_proj" in name or "o_proj" in name
                    quarter = shape[1 if by_columns else 0] // 4
                    rows = slice(quarter, 2 * quarter)
                    found[name] = part[:, rows] if by_columns else part[rows]
            return found

        return load

    return prepare


for library, short in (("nexus.safetensors", "nexus"), ("safetensors", "safetensors")):
    for backend in ("mmap", "pread"):
        for framework, word in (("pt", "torch"), ("np", "numpy")):
            name = f"{short} {word} {backend}"
            contestant("slice", name)(slices(library, framework, backend))


# --- unpack: BF16 weights that were packed without loss, from the page cache ---


def unpack(threads: int | None) -> Callable[..., object]:
    """Our packed file."""

    def prepare(file: str) -> object:
        from nexus.safetensors import load_packed

        return lambda: load_packed(Path(file).with_suffix(".packed"), "np", threads=threads)

    return prepare


def unzip(threads: int) -> Callable[..., object]:
    """The same bytes by ZipNN, from memory."""

    def prepare(file: str) -> object:
        from zipnn import ZipNN

        data = Path(file).with_suffix(".znn").read_bytes()
        zipped = ZipNN(bytearray_dtype="bfloat16", threads=threads)
        return lambda: np.frombuffer(zipped.decompress(data), np.uint8)

    return prepare


contestant("unpack", "nexus")(unpack(None))
contestant("unpack", "nexus, 1 thread")(unpack(1))
contestant("unpack", "zipnn")(unzip(os.cpu_count() or 1))
contestant("unpack", "zipnn, 1 thread")(unzip(1))


# --- the measurement ---


def spans(found: object) -> Iterable[tuple[int, Any]]:
    """Address of every tensor, and the tensor in what a contestant returned."""
    if isinstance(found, dict):
        for each in found.values():
            yield from spans(each)
    elif isinstance(found, (list, tuple)):
        for each in found:
            yield from spans(each)
    elif isinstance(found, np.ndarray):
        yield found.__array_interface__["data"][0], found
    elif hasattr(found, "data_ptr"):
        yield found.data_ptr(), found


def first_bytes(found: object) -> np.ndarray:
    """The address of every tensor and of every page behind it, in the order of the tensors."""
    places = []
    for address, tensor in spans(found):
        size = tensor.nbytes
        contiguous = (
            tensor.flags["C_CONTIGUOUS"]
            if isinstance(tensor, np.ndarray)
            else tensor.is_contiguous()
        )
        if not contiguous:
            # A part of a map: what it skips is not its own.
            size = 0 if tensor.ndim == 0 else tensor.shape[0] * abs(stride_bytes(tensor))
        places.append(np.arange(address, address + size, PAGE, np.intp))
    return np.concatenate(places) if places else np.empty(0, np.intp)


def address_space(places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One array of bytes that all of the places lie in, and their indices: NumPy then touches
    them in a loop of its own, which costs the same however many tensors there are."""
    if not places.size:
        return np.empty(0, np.uint8), places
    start, end = int(places.min()), int(places.max()) + 1
    space = (ctypes.c_uint8 * (end - start)).from_address(start)
    places -= start
    return np.frombuffer(space, np.uint8), places


def stride_bytes(tensor: object) -> int:
    """The distance of two rows."""
    if isinstance(tensor, np.ndarray):
        return tensor.strides[0]
    return tensor.stride(0) * tensor.element_size()


def huge(size: int) -> mmap.mmap:
    """Anonymous memory in huge pages, which shared memory, Python's default, is not."""
    pages = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    pages.madvise(mmap.MADV_HUGEPAGE)
    return pages


def ready() -> None:
    """Waits until whoever started this process has given back the memory that it holds ready."""
    print("ready", flush=True)
    sys.stdin.readline()


def status(field: str) -> int:
    """A line of /proc/self/status in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    return 0


def read_chars() -> int:
    """Bytes that this process has asked of read system calls."""
    return int(Path("/proc/self/io").read_text().split()[1])


def measure(task: str, name: str, files: list[str]) -> Figures:
    """Runs one contestant once."""
    run = TASKS[task][name](*files)
    assert callable(run)
    ready()
    Path("/proc/self/clear_refs").write_text("5")
    before, chars = status("VmRSS"), read_chars()
    cpu = resource.getrusage(resource.RUSAGE_SELF)
    start = time.perf_counter()
    found = run()
    called = time.perf_counter()
    space, places = address_space(first_bytes(found))
    listed = time.perf_counter()
    space[places].max(initial=0)
    touched = time.perf_counter()
    after = resource.getrusage(resource.RUSAGE_SELF)
    figures = {
        "call_s": called - start,
        "touch_s": touched - listed,
        "total_s": called - start + touched - listed,
        "cpu_s": after.ru_utime + after.ru_stime - cpu.ru_utime - cpu.ru_stime,
        "peak_bytes": float(status("VmHWM") - before),
        "read_bytes": float(read_chars() - chars),
    }
    if task == "load":
        start = time.perf_counter()
        space[places] = 1
        figures["write_s"] = time.perf_counter() - start
    return figures


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], sys.argv[2], sys.argv[3:])))
