"""Files that are written piece by piece, and models in several files."""

from __future__ import annotations

import _thread
import doctest
import json
import threading
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from nexus.safetensors import (
    SafeAppender,
    SafetensorError,
    SafeWriter,
    Tensor,
    _sharded,
    safe_open,
    save_sharded,
)
from nexus.safetensors import numpy as nst

ARRAYS = {
    "b": np.arange(6, dtype="f4").reshape(2, 3),
    "a": np.arange(4, dtype="i8"),
    "none": np.zeros((0, 2), "u1"),
}
Declared = namedtuple("Declared", "dtype shape extra")


def test_docstrings_are_true(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    failed, attempted = doctest.testmod(_sharded, optionflags=doctest.ELLIPSIS)
    assert attempted and not failed


def test_pieces_make_the_file_that_a_save_writes(tmp_path: Path) -> None:
    nst.save_file(ARRAYS, tmp_path / "whole", {"k": "v"})
    declared = {"b": ("F32", [2, 3]), "a": Declared(np.int64, (4,), 0), "none": ARRAYS["none"]}
    with SafeWriter(tmp_path / "pieces", declared, {"k": "v"}, fsync=True) as writer:
        assert writer.missing_bytes == 56
        writer.write_at("a", 8, ARRAYS["a"][1:])
        writer.write("b", np.asfortranarray(ARRAYS["b"]))
        assert not (tmp_path / "pieces").exists()
        writer.write_at("a", 0, memoryview(bytes(8)))
        assert writer.missing_bytes == 0
    assert (tmp_path / "pieces").read_bytes() == (tmp_path / "whole").read_bytes()
    with pytest.raises(SafetensorError, match="it is finished or discarded") as caught:
        writer.write_at("a", 0, bytes(8))
    assert caught.value.hint == "write inside of the `with` block"


def test_threads_may_write_at_once(tmp_path: Path) -> None:
    size, count = 100_000, 16
    with (
        SafeWriter(tmp_path / "x", {"a": ("U8", (size * count,))}, align=4096) as writer,
        ThreadPoolExecutor(4) as pool,
    ):
        for _ in pool.map(
            lambda at: writer.write_at("a", at * size, bytes([at]) * size), range(count)
        ):
            pass
    assert nst.load_file(tmp_path / "x")["a"].tolist() == [at for at in range(count)
                                                          for _ in range(size)]  # fmt: skip
    with safe_open(tmp_path / "x", framework=None) as file:
        assert file.info("a")[2] == 4096


def test_a_block_that_raises_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"old")
    with pytest.raises(LookupError), SafeWriter(path, {"a": ("U8", (1,))}) as writer:
        writer.write_at("a", 0, b"x")
        raise LookupError
    with pytest.raises(LookupError), SafeAppender.create(path) as appender:
        appender.push("a", ARRAYS["a"])
        raise LookupError
    with pytest.raises(SafetensorError, match="`a`"), SafeWriter(path, {"a": ("U8", (1,))}):
        pass
    with SafeWriter(path, {"a": ("U8", (1,))}) as writer:
        writer.discard()
    del writer, appender
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


def test_what_was_not_declared_so_is_refused(tmp_path: Path) -> None:
    with SafeWriter(tmp_path / "x", {"a": ("F32", (2,))}) as writer:
        for tensor in [np.zeros(2), np.zeros(3, "f4"), np.zeros((1, 2), "f4")]:
            with pytest.raises(SafetensorError, match=r"`a`: it is .*, not F32 \[2\]") as caught:
                writer.write("a", tensor)
        assert caught.value.hint == "convert it, or declare it as what it is"
        with pytest.raises(SafetensorError, match="gone"):
            writer.write("gone", np.zeros(2))
        with pytest.raises(SafetensorError, match="`a`"):
            writer.write_at("a", 4, bytes(5))
        with pytest.raises(OverflowError):
            writer.write_at("a", -1, bytes(5))
        with pytest.raises(TypeError, match="it is no tensor"):
            writer.write("a", "text")
        with pytest.raises(TypeError):
            writer.write_at("a", 0, "text")
        writer.write("a", Tensor(bytes(8), dtype="F32", shape=(2,)))
    for declared, error in [
        ({"a": ("F33", (2,))}, SafetensorError),
        ({"__metadata__": ("F32", (2,))}, SafetensorError),
        ({"a": "F32"}, TypeError),
        ({"a": ("F32", (-1,))}, OverflowError),
        ({"a": ("F32", (1 << 62, 1 << 62))}, SafetensorError),
    ]:
        with pytest.raises(error) as refused:
            SafeWriter(tmp_path / "y", declared)
        if not isinstance(refused.value, SafetensorError):
            assert refused.value.__notes__ == ["in the declaration of tensor `a`"]
    with pytest.raises(FileNotFoundError):
        SafeWriter(tmp_path / "gone" / "y", {})


def test_interrupt_ends_a_write(tmp_path: Path) -> None:
    with (
        pytest.raises(KeyboardInterrupt),
        SafeWriter(tmp_path / "x", {"a": ("U8", (200 << 20,))}) as writer,
    ):
        array = np.zeros(200 << 20, "u1")
        _thread.interrupt_main()
        writer.write("a", array)
    assert not list(tmp_path.iterdir())


def test_interrupt_ends_a_save(tmp_path: Path) -> None:
    array = np.zeros(8 << 20, "u1")
    arrays = {str(at): array for at in range(64)}

    def interrupt() -> None:
        while not list(tmp_path.iterdir()):
            pass
        _thread.interrupt_main()

    for save in [
        lambda: nst.save_file(arrays, tmp_path / "x", fsync=True),
        lambda: save_sharded(arrays, tmp_path, fsync=True),
    ]:
        watcher = threading.Thread(target=interrupt)
        watcher.start()
        with pytest.raises(KeyboardInterrupt):
            save()
            # A disk may be done before signals are looked at.
            watcher.join()
        left = {each.name for each in tmp_path.iterdir()}
        assert left <= {"x", "model.safetensors"}, "no temporary file"
        for name in left:
            (tmp_path / name).unlink()


def test_a_file_grows(tmp_path: Path) -> None:
    path = tmp_path / "x"
    with SafeAppender.create(path, header_capacity=300, metadata={"k": "v"}) as appender:
        appender.push("a", ARRAYS["a"])
        room = appender.header_room
        assert 0 < room < 300
        assert not path.exists()
    with SafeAppender.open(path, fsync=True) as appender:
        assert appender.header_room == room
        appender.push("b", ARRAYS["b"])
        with pytest.raises(SafetensorError, match="`a`"):
            appender.push("a", ARRAYS["a"])
        with pytest.raises(SafetensorError, match="cannot lock"):
            SafeAppender.open(path)
        with pytest.raises(SafetensorError) as caught:
            appender.push("name" * 50, ARRAYS["b"])
        assert "larger header" in caught.value.hint
    with safe_open(path, framework="np") as file:
        assert file.offset_keys() == ["a", "b"] and file.metadata() == {"k": "v"}
        assert all(np.array_equal(file[name], ARRAYS[name]) for name in "ab")
    with pytest.raises(SafetensorError, match="it is finished or discarded"):
        appender.push("c", ARRAYS["a"])
    with pytest.raises(FileNotFoundError):
        SafeAppender.open(tmp_path / "gone")
    path.write_bytes(b"version")
    with pytest.raises(SafetensorError) as caught:
        SafeAppender.open(path)
    assert str(caught.value) == f"cannot append to `{path}`: header too small"
    assert caught.value.offset == 7


def test_a_header_that_is_too_large_to_write_is_not_called_a_damaged_file(tmp_path: Path) -> None:
    with pytest.raises(SafetensorError, match="header too large") as caught:
        SafeAppender.create(tmp_path / "x", header_capacity=10**12)
    assert caught.value.hint == "write fewer tensors or less metadata to one file"
    assert caught.value.offset is None


def test_pieces_are_bytes_as_the_file_has_them(tmp_path: Path) -> None:
    with SafeWriter(tmp_path / "x", {"a": ("F32", (2,)), "none": ("F32", (0, 2))}) as writer:
        writer.write_at("none", 0, np.zeros((0, 2), "f4"))
        for piece, text in [
            (np.zeros(4, "f4")[::2], "not C-contiguous"),
            (np.zeros(2, ">f4"), "big-endian"),
        ]:
            with pytest.raises(TypeError, match=text):
                writer.write_at("a", 0, piece)
        writer.write_at("a", 0, np.ones(2, "f4"))
    assert nst.load_file(tmp_path / "x")["a"].tolist() == [1.0, 1.0]


def test_a_growing_file_that_is_left_is_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "x"
    with SafeAppender.create(path) as appender:
        appender.push("a", ARRAYS["a"])
    before = path.read_bytes()
    with pytest.raises(LookupError), SafeAppender.open(path) as appender:
        appender.push("b", ARRAYS["b"])
        raise LookupError
    appender = SafeAppender.open(path)
    appender.push("b", ARRAYS["b"])
    appender.discard()
    assert path.read_bytes() == before


def test_shards_are_filled_in_order(tmp_path: Path) -> None:
    sizes = {"a": 6, "b": 9, "c": 2, "d": 4, "e": 3}
    arrays = {name: np.zeros(size, "u1") for name, size in sizes.items()}
    folder = tmp_path / "new" / "folder"
    paths = save_sharded(arrays, folder, max_shard_size=8, metadata={"k": "v"})
    assert [path.name for path in paths] == [
        "model-00001-of-00003.safetensors",
        "model-00002-of-00003.safetensors",
        "model-00003-of-00003.safetensors",
        "model.safetensors.index.json",
    ]
    names = []
    for path in paths[:-1]:
        with safe_open(path, framework="np") as file:
            names.append("".join(file.keys()))
            assert file.metadata() == {"k": "v"}
    # One that is too large has a file of its own, and does not close the one before.
    assert names == ["b", "ac", "de"]
    index = json.loads(paths[-1].read_text())
    assert index["metadata"] == {"total_size": 24} and sorted(index["weight_map"]) == list("abcde")
    # Fewer files: the others go.
    assert save_sharded(arrays, folder) == [folder / "model.safetensors"]
    assert list(folder.iterdir()) == [folder / "model.safetensors"]


def test_sizes_and_patterns_that_are_none_are_refused(tmp_path: Path) -> None:
    for size in ["5", "GB", "5 bytes", "-", "infGB"]:
        with pytest.raises(ValueError, match="is invalid: give a number of bytes"):
            save_sharded(ARRAYS, tmp_path, max_shard_size=size)
    for size in [-1, "-5GB", 1.5]:
        with pytest.raises((TypeError, ValueError, OverflowError)):
            save_sharded(ARRAYS, tmp_path, max_shard_size=size)
    for pattern in ["model.safetensors", "../{suffix}"]:
        with pytest.raises(SafetensorError) as caught:
            save_sharded(ARRAYS, tmp_path, pattern=pattern)
        assert "model{suffix}.safetensors" in caught.value.hint
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("size", [1, 999, 4000, "4KB", "0.1MB", "5GB"])
def test_the_layout_is_that_of_the_hub(tmp_path: Path, size: int | str) -> None:
    torch = pytest.importorskip("torch", reason="./x test --with torch")
    hub = pytest.importorskip("huggingface_hub", reason="the oracle: pip install huggingface_hub")
    random = np.random.default_rng(7)
    tensors = {
        f"layer.{at}": torch.zeros(int(random.integers(1, 1500))).to(
            [torch.float32, torch.bfloat16][at % 2]
        )
        for at in random.permutation(40)
    }
    (tmp_path / "hub").mkdir()
    hub.save_torch_state_dict(tensors, tmp_path / "hub", max_shard_size=size)
    save_sharded(tensors, tmp_path / "ours", max_shard_size=size, metadata={"format": "pt"})
    theirs, ours = ({path.name: path for path in (tmp_path / each).iterdir()}
                    for each in ["hub", "ours"])  # fmt: skip
    assert sorted(ours) == sorted(theirs)
    for name, path in theirs.items():
        if path.suffix == ".json":
            assert json.loads(ours[name].read_text()) == json.loads(path.read_text())
        else:
            assert ours[name].read_bytes() == path.read_bytes()
    shared = {"a": tensors["layer.0"], "b": tensors["layer.0"]}
    with pytest.raises(RuntimeError, match="share memory"):
        save_sharded(shared, tmp_path / "ours")


def test_torch_declares_by_tensors_without_memory(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="./x test --with torch")
    with torch.device("meta"):
        declared = torch.nn.Linear(3, 4, dtype=torch.bfloat16).state_dict()
    with SafeWriter(tmp_path / "x", declared) as writer:
        for name, tensor in declared.items():
            writer.write(name, torch.ones(tensor.shape, dtype=tensor.dtype))
    with SafeAppender.create(tmp_path / "y") as appender:
        appender.push("w", torch.ones(2, dtype=torch.float8_e4m3fn))
    with safe_open(tmp_path / "x", framework="pt") as file:
        assert file["weight"].dtype == torch.bfloat16 and file["weight"].sum() == 12
    with safe_open(tmp_path / "y", framework=None) as file:
        assert file["w"].dtype == "F8_E4M3"
