"""Models of one file or many: loaded at once, as a stream, in place."""

from __future__ import annotations

import _thread
import doctest
import json
import threading
from pathlib import Path

import numpy as np
import pytest

from nexus.safetensors import (
    SafetensorError,
    Tensor,
    _checkpoint,
    load_checkpoint,
    save_file,
    save_sharded,
    stream,
)
from nexus.safetensors import numpy as nst

ARRAYS = {
    "layers.0.up.weight": np.arange(24, dtype="f4").reshape(4, 6),
    "layers.0.down.weight": np.arange(24, dtype="f4").reshape(6, 4),
    "layers.0.bias": np.arange(6, dtype="f8"),
    "steps": np.arange(4, dtype="i8"),
    "half": np.arange(5, dtype="f2"),
    "none": np.zeros((0, 3), "f4"),
}


@pytest.fixture(params=["file", "folder", "index", "sharded"])
def model(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The same tensors in every form that a checkpoint has."""
    if request.param == "file":
        nst.save_file(ARRAYS, tmp_path / "any.safetensors")
        return tmp_path / "any.safetensors"
    size = 100 if request.param != "folder" else 10**9
    paths = save_sharded(ARRAYS, tmp_path, max_shard_size=size)
    return paths[-1] if request.param == "index" else tmp_path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    nst.save_file(ARRAYS, tmp_path / "one.safetensors")
    return tmp_path / "one.safetensors"


def test_docstrings_are_true(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    failed, attempted = doctest.testmod(_checkpoint, optionflags=doctest.ELLIPSIS)
    assert attempted and not failed


@pytest.mark.parametrize("backend", ["auto", "mmap", "populate", "pread", "direct", "uring"])
def test_every_form_is_loaded_by_every_backend(model: Path, backend: str) -> None:
    arrays = load_checkpoint(model, framework="np", backend=backend, threads=2)
    assert sorted(arrays) == sorted(ARRAYS)
    for name, array in ARRAYS.items():
        assert arrays[name].dtype == array.dtype
        assert np.array_equal(arrays[name], array)
        arrays[name][...] = 0
    assert load_checkpoint(model)["half"].dtype == "F16"


def test_only_the_named_tensors_are_loaded(model: Path) -> None:
    assert list(load_checkpoint(model, framework="np", names=["steps"])) == ["steps"]
    assert load_checkpoint(model, names=[]) == {}
    with pytest.raises(SafetensorError, match="tensor `gone` not found") as caught:
        load_checkpoint(model, names=iter(["steps", "gone"]))
    assert caught.value.tensor == "gone"
    with pytest.raises(TypeError, match=r"\['steps'\] for one"):
        load_checkpoint(model, names="steps")


@pytest.mark.parametrize("dtype", ["float16", "F16", np.float16, np.dtype("f2")])
def test_floats_are_converted_on_the_way_and_others_are_not(model: Path, dtype: str) -> None:
    arrays = load_checkpoint(model, framework="np", dtype=dtype)
    for name, array in ARRAYS.items():
        wanted = array if array.dtype.kind == "i" else array.astype("f2")
        assert arrays[name].dtype == wanted.dtype
        assert np.array_equal(arrays[name], wanted)


def test_a_type_that_floats_do_not_convert_to_is_refused(model: Path) -> None:
    for dtype, text in [
        ("int8", "cannot load as I8: floats are converted to F64, F32, F16 or BF16"),
        ("float7", 'dtype "float7" is invalid'),
        (np.complex128, 'dtype "complex128" is invalid'),
    ]:
        with pytest.raises(SafetensorError, match=text):
            load_checkpoint(model, dtype=dtype)


@pytest.mark.parametrize("world", [1, 2, 3, 5])
def test_the_parts_of_all_ranks_are_the_whole(model: Path, world: int) -> None:
    shard = {"*.weight": 0, "*.down.weight": 1}
    parts = [
        load_checkpoint(model, framework="np", shard=shard, rank=rank, world=world, dtype="F64")
        for rank in range(world)
    ]
    for name, axis in [("layers.0.up.weight", 0), ("layers.0.down.weight", 1)]:
        joined = np.concatenate([part[name] for part in parts], axis=axis)
        assert np.array_equal(joined, ARRAYS[name])
    assert all(np.array_equal(part["steps"], ARRAYS["steps"]) for part in parts)
    with pytest.raises(SafetensorError, match="cannot load"):
        load_checkpoint(model, shard={"steps": 1})
    with pytest.raises(SafetensorError, match="cannot load"):
        load_checkpoint(model, shard={"steps": 0}, rank=2, world=2)


def test_progress_ends_with_every_byte(model: Path) -> None:
    size = sum(array.nbytes for array in ARRAYS.values())
    into = {name: np.empty_like(array) for name, array in ARRAYS.items()}
    into["half"] = np.empty(5, "f4")
    for options in [{"framework": "np"}, {"into": into}]:
        calls: list[tuple[int, int]] = []
        load_checkpoint(model, progress=lambda *call, calls=calls: calls.append(call), **options)
        assert calls == sorted(calls) and calls[-1] == (size, size)
    calls = []
    list(stream(model, progress=lambda *call: calls.append(call)))
    assert calls[-1] == (size, size)


def test_what_progress_raises_ends_the_load(path: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise LookupError("enough")

    for load in [
        lambda: load_checkpoint(path, progress=stop),
        lambda: list(stream(path, progress=stop)),
        lambda: load_checkpoint(path, into=dict(ARRAYS), progress=stop),
    ]:
        with pytest.raises(LookupError, match="enough"):
            load()


def test_interrupt_ends_a_load(tmp_path: Path) -> None:
    save_file({str(at): Tensor(bytes(40 << 20), dtype="U8", shape=(40 << 20,)) for at in range(3)},
              tmp_path / "large")  # fmt: skip
    threads = threading.active_count()
    for load in [
        lambda tell: load_checkpoint(tmp_path / "large", progress=tell),
        lambda tell: load_checkpoint(
            tmp_path / "large",
            into={str(at): np.empty(40 << 20, "u1") for at in range(3)},
            progress=tell,
        ),
    ]:
        calls: list[tuple[int, int]] = []

        def tell(*call: int, calls: list[tuple[int, int]] = calls) -> None:
            calls.append(call)
            # As Ctrl-C would, before the next step.
            _thread.interrupt_main()

        with pytest.raises(KeyboardInterrupt):
            load(tell)
        assert len(calls) == 1
    assert threading.active_count() == threads


def test_arrays_are_filled_where_they_are(model: Path) -> None:
    into = {name: np.full_like(array, 7) for name, array in ARRAYS.items()}
    addresses = {name: array.ctypes.data for name, array in into.items()}
    filled = load_checkpoint(model, into=into)
    for name, array in ARRAYS.items():
        assert filled[name] is into[name]
        assert into[name].ctypes.data == addresses[name]
        assert np.array_equal(into[name], array)


def test_arrays_of_other_types_and_orders_are_filled_by_copies(model: Path) -> None:
    base = np.zeros((8, 12), "f8")
    into = {
        "layers.0.up.weight": base[::2, ::2],
        "layers.0.down.weight": np.asfortranarray(np.zeros((6, 4), "f4")),
        "layers.0.bias": np.zeros(6, ">f4"),
        "steps": np.zeros(4, "i4"),
        "half": np.zeros(5, "f4"),
        "none": np.zeros((0, 3), "i1"),
    }
    load_checkpoint(model, into=into)
    for name, array in ARRAYS.items():
        assert np.array_equal(into[name], array), name
    assert base[1::2].sum() == 0


def test_plain_tensors_are_filled(path: Path) -> None:
    memory = bytearray(32)
    load_checkpoint(path, into={"steps": Tensor(memory, dtype="I64", shape=(4,))}, strict=False)
    assert np.frombuffer(memory, "i8").tolist() == [0, 1, 2, 3]
    into = {"steps": Tensor(bytearray(16), dtype="I32", shape=(4,))}
    with pytest.raises(SafetensorError, match="`steps`, which is I64, into I32"):
        load_checkpoint(path, into=into, strict=False)


def test_arrays_that_share_memory_are_filled_one_after_the_other(tmp_path: Path) -> None:
    nst.save_file({"a": np.arange(4), "b": np.arange(4, 8)}, tmp_path / "x")
    base = np.zeros(6, "i8")
    load_checkpoint(tmp_path / "x", into={"b": base[2:], "a": base[:4]})
    assert base.tolist() == [0, 1, 4, 5, 6, 7]


def test_parts_fill_arrays_of_their_shape(model: Path) -> None:
    name = "layers.0.up.weight"
    into = {name: np.zeros((2, 6), "f8")}
    options = {"into": into, "shard": {"*": 0}, "rank": 1, "world": 2, "strict": False}
    load_checkpoint(model, **options)
    assert np.array_equal(into[name], ARRAYS[name][2:])
    into[name] = np.zeros((4, 6))
    with pytest.raises(SafetensorError, match="size mismatch for layers"):
        load_checkpoint(model, **options)


def test_what_does_not_fit_is_refused_before_anything_is_filled(path: Path) -> None:
    into = {name: np.full_like(array, 7) for name, array in ARRAYS.items()}
    del into["half"]
    into["steps"] = np.zeros(5, "i8")
    into["new"] = np.zeros(1)
    with pytest.raises(SafetensorError) as caught:
        load_checkpoint(path, into=into)
    assert str(caught.value) == (
        "Error(s) in loading state_dict for dict:\n"
        '\tMissing key(s) in state_dict: "new". \n'
        '\tUnexpected key(s) in state_dict: "half". \n'
        "\tsize mismatch for steps: copying a param with shape (4,) from checkpoint, the shape in"
        " current model is (5,)."
    )
    assert into["layers.0.bias"].tolist() == [7] * 6
    with pytest.raises(ValueError, match="cannot convert to `dtype`"):
        load_checkpoint(path, into=into, dtype="F32")
    read_only = np.zeros(4, "i8")
    read_only.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        load_checkpoint(path, into={"steps": read_only}, strict=False)


def test_names_choose_what_is_filled(path: Path) -> None:
    into = {name: np.full_like(array, 7) for name, array in ARRAYS.items()}
    assert list(load_checkpoint(path, into=into, names=["steps"])) == ["steps"]
    assert into["half"].tolist() == [7] * 5
    with pytest.raises(SafetensorError, match="tensor `gone` not found"):
        load_checkpoint(path, into=into, names=["gone"])


@pytest.mark.parametrize("budget_bytes", [1, 100, 256 << 20])
def test_a_stream_gives_all_tensors_in_the_order_of_the_files(
    model: Path, budget_bytes: int
) -> None:
    with stream(model, framework="np", budget_bytes=budget_bytes) as tensors:
        found = list(tensors)
    assert [name for name, _ in found] == list(load_checkpoint(model))
    assert all(np.array_equal(array, ARRAYS[name]) for name, array in found)


def test_a_stream_that_is_closed_ends(path: Path) -> None:
    tensors = stream(path, budget_bytes=1)
    name, tensor = next(tensors)
    tensors.close()
    tensors.close()
    assert next(tensors, None) is None
    assert tensor.tobytes() == ARRAYS[name].tobytes()
    with stream(path, budget_bytes=1) as tensors:
        next(tensors)
    assert list(tensors) == []


def test_a_stream_is_read_by_one_thread(path: Path) -> None:
    tensors = stream(path, progress=lambda done, total: next(tensors, None))
    with pytest.raises(ValueError, match="another thread waits for the next tensor"):
        list(tensors)
    assert list(tensors) == [], "an error ends it"


def test_a_stream_that_is_closed_while_it_reads_ends(path: Path) -> None:
    tensors = stream(path, budget_bytes=1, progress=lambda done, total: tensors.close())
    assert len(list(tensors)) < len(ARRAYS)


def test_files_that_do_not_fit_together_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SafetensorError, match=r"no \*.safetensors file") as caught:
        load_checkpoint(tmp_path)
    assert caught.value.hint == "give a file, an index or a folder with *.safetensors files"
    with pytest.raises(FileNotFoundError, match="gone"):
        load_checkpoint(tmp_path / "gone.safetensors")
    index = tmp_path / "model.safetensors.index.json"
    for file, text in [("../x", "not inside its folder"), ("x", "which is not there")]:
        index.write_text(json.dumps({"weight_map": {"a": file}}))
        with pytest.raises(SafetensorError, match=text):
            stream(tmp_path)
    with pytest.raises(SafetensorError, match='backend "tape" is invalid'):
        load_checkpoint(tmp_path, backend="tape")
    index.unlink()
    (tmp_path / "short.safetensors").write_bytes(bytes([3, 0, 0, 0, 0, 0, 0, 0]) + b"{} ")
    assert load_checkpoint(tmp_path) == {}
    (tmp_path / "short.safetensors").write_bytes(bytes([3, 0, 0, 0, 0, 0, 0, 0]) + b" {}")
    with pytest.raises(SafetensorError, match="blanks"):
        load_checkpoint(tmp_path, rules="strict")
    (tmp_path / "short.safetensors").write_bytes(b"version")
    with pytest.raises(SafetensorError) as caught:
        load_checkpoint(tmp_path)
    file = tmp_path / "short.safetensors"
    assert str(caught.value) == f"cannot load `{file}`: header too small"
    assert caught.value.offset == 7 and caught.value.hint is not None


def test_a_module_is_filled_where_it_is(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="./x test --with torch")
    from nexus.safetensors import torch as st

    source = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    save_sharded(source.state_dict(), tmp_path, max_shard_size=50)
    for dtype in [torch.float32, torch.bfloat16]:
        target = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4)).to(dtype)
        weight, address = target[0].weight, target[0].weight.data_ptr()
        load_checkpoint(tmp_path, into=target)
        assert target[0].weight is weight and weight.data_ptr() == address
        for name, tensor in source.state_dict().items():
            mine = target.state_dict()[name]
            assert torch.equal(mine, tensor.to(mine.dtype)), name
    tensors = load_checkpoint(tmp_path, framework="pt", dtype=torch.bfloat16)
    assert tensors["0.weight"].dtype == torch.bfloat16
    assert tensors["1.num_batches_tracked"].dtype == torch.int64

    other = torch.nn.Sequential(torch.nn.Linear(3, 5, bias=False), torch.nn.Linear(1, 1))
    with pytest.raises(RuntimeError) as theirs:
        other.load_state_dict(tensors)
    with pytest.raises(RuntimeError) as ours:
        load_checkpoint(tmp_path, into=other)

    def lines(error: BaseException) -> list[str]:
        return sorted(str(error).splitlines(), key=len)

    assert [sorted(line) for line in lines(ours.value)] == [
        sorted(line) for line in lines(theirs.value)
    ]

    empty = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4)).to("meta")
    with pytest.raises(RuntimeError, match=r"0\.weight is on the device meta: give it memory"):
        load_checkpoint(tmp_path, into=empty)

    class Tied(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one = torch.nn.Linear(3, 3)
            self.two = torch.nn.Linear(3, 3)
            self.two.weight = self.one.weight

    tied, again = Tied(), Tied()
    st.save_model(tied, str(tmp_path / "tied"))
    load_checkpoint(tmp_path / "tied", into=again)
    assert torch.equal(again.two.weight, tied.one.weight)
    assert again.two.weight is again.one.weight
