"""The Python surface: views, lifetimes, saves, errors."""

from __future__ import annotations

import array
import doctest
import gc
import mmap
import os
import pickle
import struct
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import nexus.safetensors as room
from nexus.safetensors import SafetensorError, Tensor, _install, safe_open
from nexus.safetensors import numpy as nst

BACKENDS = ["auto", "mmap", "populate", "pread", "direct", "uring"]


def mapped_bytes(data: bytes) -> mmap.mmap:
    """A map of the bytes."""
    found = mmap.mmap(-1, len(data))
    found[:] = data
    return found


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file of two tensors."""
    tensors = {"b": np.arange(6, dtype="f4").reshape(2, 3), "a": np.arange(4, dtype="i8")}
    nst.save_file(tensors, tmp_path / "two", {"k": "v"})
    return tmp_path / "two"


def test_docstrings_are_true(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for module in [room, _install, nst]:
        failed, attempted = doctest.testmod(module, optionflags=doctest.ELLIPSIS)
        assert attempted and not failed


def test_a_file_is_a_mapping_of_names(path: Path) -> None:
    with safe_open(path, "np") as file:
        assert file.keys() == list(file) == ["a", "b"]
        assert file.offset_keys() == ["a", "b"]
        assert len(file) == 2
        assert "a" in file and "c" not in file and 1 not in file
        assert file.metadata() == {"k": "v"}
        assert repr(file) == f"<safe_open {str(path)!r}: 2 tensors, 208 bytes, framework np>"
        dtype, shape, start, end = file.info("b")
        assert (dtype, shape, end - start) == ("F32", (2, 3), 24)
        assert path.read_bytes()[start:end] == file["b"].tobytes()
        assert sorted(file.get_tensors()) == ["a", "b"]
        assert np.array_equal(file.get_tensor("a"), np.arange(4))
    assert repr(file).endswith(": closed>")


def test_arrays_are_writable_views_of_a_private_map(path: Path) -> None:
    before = path.read_bytes()
    first, second = nst.load_file(path), nst.load_file(path)
    assert not first["a"].flags.owndata
    first["a"][:] = -1
    assert path.read_bytes() == before
    assert second["a"].tolist() == [0, 1, 2, 3]
    assert first["b"].tolist() == second["b"].tolist()


def test_arrays_keep_the_map_alive_and_let_it_go(path: Path) -> None:
    def mapped() -> bool:
        return str(path) in Path("/proc/self/maps").read_text()

    if not Path("/proc/self/maps").exists():
        pytest.skip("no /proc")
    with safe_open(path, "np") as file:
        kept = file["b"][1:]
    del file
    gc.collect()
    assert mapped()
    assert kept.tolist() == [[3.0, 4.0, 5.0]]
    del kept
    gc.collect()
    assert not mapped()


def test_numpy_load_costs_no_copy(tmp_path: Path) -> None:
    path, size = tmp_path / "large", 64 << 20
    nst.save_file({"x": np.zeros(size, "u1")}, path)
    program = (
        "import resource, sys; from nexus.safetensors.numpy import load_file;"
        "import numpy; before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss;"
        "x = load_file(sys.argv[1])['x'];"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    grown_kib = subprocess.run(
        [sys.executable, "-c", program, path], check=True, capture_output=True
    )
    assert int(grown_kib.stdout) < 8 << 10


def test_arrays_of_any_order_are_saved_right() -> None:
    base = np.arange(24, dtype="f4").reshape(2, 3, 4)
    cases = {
        "fortran": np.asfortranarray(base),
        "transposed": base.T,
        "reversed": base[::-1, :, ::2],
        "big-endian": base.astype(">f4"),
        "broadcast": np.broadcast_to(base[0, 0], (5, 4)),
        "read-only": np.frombuffer(base.tobytes(), "f4"),
        "scalar": base[1, 2, 3],
        "empty": base[:0],
    }
    for case, read in nst.load(nst.save(cases)).items():
        assert read.shape == cases[case].shape, case
        assert np.array_equal(read, cases[case]), case


def test_a_tensor_speaks_every_protocol() -> None:
    values = array.array("f", range(6))
    tensor = Tensor(values, dtype="F32", shape=(2, 3))
    rows = [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]
    view = memoryview(tensor)
    assert (view.tolist(), view.format, view.shape, view.strides) == (rows, "f", (2, 3), (12, 4))
    assert np.asarray(tensor).tolist() == np.from_dlpack(tensor).tolist() == rows
    assert np.asarray(Interface(tensor)).tolist() == rows
    np.asarray(tensor)[0, 0] = 9
    assert values[0] == 9, "shared, not copied"
    assert tensor.__dlpack_device__() == (1, 0)
    assert "dltensor_versioned" in repr(tensor.__dlpack__(max_version=(1, 0)))
    assert '"dltensor"' in repr(tensor.__dlpack__())
    assert memoryview(Tensor(np.zeros((0, 3), "f4"), dtype="F32", shape=(0, 3))).shape == (0, 3)
    brain = Tensor(bytes(4), dtype="BF16", shape=(2,))
    assert memoryview(brain).format == "B" and memoryview(brain).nbytes == 4
    assert brain.readonly and not hasattr(brain, "__array_interface__")


class Interface:
    """Shows nothing but the array interface."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor
        self.__array_interface__ = tensor.__array_interface__


@pytest.mark.parametrize(
    ("act", "kind", "words"),
    [
        (lambda: Tensor(b"abc", dtype="F32", shape=(1,)), ValueError, "cannot view 3 bytes as F32"),
        (lambda: Tensor(b"abcd", dtype="f32", shape=(1,)), ValueError, "`f32` as an element type"),
        (lambda: Tensor(b"", dtype="U8", shape=(2**63, 2)), ValueError, "overflow"),
        (lambda: Tensor("abc", dtype="U8", shape=(3,)), TypeError, "bytes-like"),
        (lambda: Tensor(np.ones(1, ">f4"), dtype="F32", shape=(1,)), TypeError, "big-endian"),
        (lambda: Tensor(b"a", dtype="U8", shape=(1,)).__dlpack__(), BufferError, "read-only"),
        (lambda: Tensor(b"a", dtype="U8", shape=(1,)).__dlpack__(copy=True), BufferError, "copy"),
        (lambda: Tensor(b"", dtype="U8", shape=(0,)).__dlpack__(stream=1), BufferError, "device"),
        (lambda: nst.save({"x": np.zeros(1, "c16")}), SafetensorError, 'dtype "complex128"'),
        (lambda: nst.save({"__metadata__": np.zeros(1)}), SafetensorError, "reserved"),
        (lambda: nst.save({"x": np.zeros(1)}, {"a": 1}), TypeError, ""),
        (lambda: nst.load_file("none"), FileNotFoundError, "No such file or directory: none"),
        (lambda: nst.save_file({}, "none/x"), FileNotFoundError, "'none/x'"),
        (lambda: nst.save_file({}, "."), SafetensorError, "not a regular file"),
        (lambda: nst.load_file("."), OSError, ""),
        (lambda: safe_open("none", framework="foo"), SafetensorError, "framework foo is invalid"),
        (lambda: safe_open("none", "np", device="cuda:0"), FileNotFoundError, "none"),
    ],
)
def test_errors_say_what_went_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, act: object, kind: type, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(kind) as error:
        act()  # type: ignore[operator]
    assert words in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_errors_of_a_file_are_those_of_the_peer(path: Path) -> None:
    file = safe_open(path, "np")
    with pytest.raises(SafetensorError, match=r"^File does not contain tensor zz$"):
        file.get_tensor("zz")
    with pytest.raises(KeyError, match="zz"):
        file["zz"]
    file.close()
    for act in [file.keys, lambda: file.get_tensor("a"), lambda: len(file)]:
        with pytest.raises(SafetensorError, match=r"^File is closed$"):
            act()


def test_errors_carry_a_hint_and_can_be_pickled(tmp_path: Path) -> None:
    (tmp_path / "short").write_bytes(b"abc")
    with pytest.raises(ValueError, match="header too small") as error:
        safe_open(tmp_path / "short", "np")
    hint = error.value.hint
    assert hint is not None and hint.startswith("is it a safetensors file?")
    assert error.value.__notes__[0] == f"hint: {hint}"
    again = pickle.loads(pickle.dumps(error.value))
    assert (str(again), again.hint) == (str(error.value), hint)


def test_errors_say_which_tensor_and_which_byte(path: Path) -> None:
    with pytest.raises(SafetensorError) as missing:
        safe_open(path, "np").get_tensor("zz")
    assert (missing.value.tensor, missing.value.offset, missing.value.hint) == ("zz", None, None)


def raw(header: str, data: bytes = b"") -> bytes:
    return struct.pack("<Q", len(header)) + header.encode() + data


#: File, name of the tensor and byte that its error gives.
PLACES = {
    "no object": (raw('{"a": 1}'), "a", 14),
    "hole": (raw('{"b":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}', b"ab"), "b", 54),
    "cut off": (raw('{"b":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}', b"a"), "b", 62),
    "not UTF-8": (struct.pack("<Q", 4) + b'{"\xff"', None, 10),
    "too short": (b"abc", None, 3),
    "header behind the end": (struct.pack("<Q", 9) + b"{}", None, 10),
}


@pytest.mark.parametrize("case", PLACES)
@pytest.mark.parametrize("backend", BACKENDS)
def test_the_place_of_an_error_is_that_of_the_file_and_of_its_bytes(
    path: Path, case: str, backend: str
) -> None:
    content, tensor, offset = PLACES[case]
    path.write_bytes(content)
    for act in [
        lambda: safe_open(path, "np", backend=backend),
        lambda: nst.load_file(path, backend=backend),
        lambda: nst.load(content),
        lambda: room.deserialize(content),
    ]:
        with pytest.raises(SafetensorError) as error:
            act()
        assert (error.value.tensor, error.value.offset) == (tensor, offset)
        place = f"byte {offset}" if tensor is None else f"tensor `{tensor}`, byte {offset}"
        assert error.value.__notes__[-1] == f"at {place}"


#: Files that the strict rules refuse, and in which words.
LOOSE = {
    "a key that stands twice": (
        raw(
            '{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},'
            '"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}',
            b"x",
        ),
        "key `a` is there twice",
    ),
    "NUL": (raw('{"__metadata__":{"a":"\\u0000"}}'), "NUL in `a`"),
    "blanks": (raw("\n{}"), "blanks around the JSON"),
}


@pytest.mark.parametrize("case", LOOSE)
@pytest.mark.parametrize("backend", BACKENDS)
def test_strict_rules_refuse_what_can_be_read_in_two_ways(
    path: Path, case: str, backend: str
) -> None:
    content, words = LOOSE[case]
    path.write_bytes(content)
    acts = [
        lambda rules: safe_open(path, None, backend=backend, rules=rules).keys(),
        lambda rules: list(room.load_file(path, backend=backend, rules=rules)),
        lambda rules: list(room.load(content, rules=rules)),
    ]
    for act in acts:
        act("compatible")
        with pytest.raises(SafetensorError, match=words) as error:
            act("strict")
        assert error.value.offset is not None
        assert error.value.hint is not None
        with pytest.raises(SafetensorError, match='rules "loose" is invalid'):
            act("loose")


def test_an_unknown_backend_or_mode_is_told_what_there_is(path: Path) -> None:
    with pytest.raises(SafetensorError, match='"mmap", "pread"') as error:
        nst.load_file(path, backend="foo")
    assert error.value.hint == 'there are "auto", "populate", "direct" and "uring" too'
    with pytest.raises(SafetensorError, match='"auto", "buffered", "direct", "uring"'):
        nst.save_file({}, path, mode="foo")
    with pytest.raises(SafetensorError, match="cannot align data to 12 bytes"):
        nst.save_file({}, path, align=12)


def test_every_backend_gives_equal_writable_arrays(path: Path) -> None:
    arrays = {"large": np.arange(3_000_001, dtype="u4"), "b": np.ones((3, 0)), "a": np.array(2.0)}
    nst.save_file(arrays, path)
    before = path.read_bytes()
    for backend in BACKENDS:
        with safe_open(path, "np", backend=backend) as file:
            one_by_one = {name: file[name] for name in file}
            every = file.get_tensors()
        loaded = nst.load_file(path, backend=backend)
        for found in [one_by_one, every, loaded, nst.load(before)]:
            assert found.keys() == arrays.keys()
            for name, wanted in arrays.items():
                assert np.array_equal(found[name], wanted), (backend, name)
                assert (found[name].dtype, found[name].shape) == (wanted.dtype, wanted.shape)
        every["large"][1:] = 7
        loaded["large"][1:] = 8
        assert one_by_one["large"][0] == every["large"][0] == loaded["large"][0] == 0
    assert path.read_bytes() == before


def test_every_mode_writes_the_same_bytes(path: Path) -> None:
    arrays = {"large": np.arange(6_000_001, dtype="u4"), "b": np.ones((3, 0)), "a": np.array(2.0)}
    wanted = nst.save(arrays, {"k": "v"})
    for mode in [None, "auto", "buffered", "direct", "uring"]:
        for fsync in [False, True]:
            nst.save_file(arrays, path, {"k": "v"}, mode=mode, fsync=fsync)
            assert path.read_bytes() == wanted, mode
    nst.save_file(arrays, path, {"k": "v"}, align=4096)
    with safe_open(path, "np") as file:
        assert min(file.info(name)[2] for name in file) == 4096
        assert np.array_equal(file["large"], arrays["large"])


@pytest.mark.parametrize(
    "make", [bytes, bytearray, memoryview, lambda data: np.frombuffer(data, "u1"), mapped_bytes]
)
def test_every_buffer_of_bytes_is_loaded(make: Callable[[bytes], bytes]) -> None:
    data = nst.save({"x": np.arange(5)})
    given = make(data)
    read = nst.load(given)["x"]
    read += 1
    assert read.tolist() == [1, 2, 3, 4, 5]
    assert bytes(given) == data
    with pytest.raises(TypeError):
        nst.load("text")  # type: ignore[arg-type]


def test_what_the_system_refuses_to_write_is_an_error_of_both_kinds(tmp_path: Path) -> None:
    with pytest.raises(SafetensorError) as error:
        nst.save_file({}, tmp_path / "none" / "x")
    assert isinstance(error.value, FileNotFoundError)
    assert (error.value.errno, error.value.filename) == (2, str(tmp_path / "none" / "x"))
    assert str(error.value).startswith("[Errno 2] No such file or directory: ")


def test_reads_and_writes_of_a_dropped_file_are_pread_copies(path: Path) -> None:
    with safe_open(path, "np", backend="pread") as file:
        array, part = file["b"], file.get_slice("b")[1:, ::2]
    path.write_bytes(b"")
    assert array.tolist() == [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]
    assert part.tolist() == [[3.0, 5.0]] and array.flags.writeable


def test_a_file_cut_while_it_is_open_is_an_exception_with_pread(path: Path) -> None:
    file = safe_open(path, "np", backend="pread")
    os.truncate(path, 100)
    with pytest.raises(SafetensorError, match="cannot read tensor `b`") as error:
        file["b"]
    assert (error.value.tensor, error.value.offset) == ("b", 100)
    with pytest.raises(SafetensorError, match="data ends at byte 100 of 208"):
        file.get_tensors()
    with pytest.raises(SafetensorError, match="data ends at byte 100 of 208"):
        file.get_slice("b")[1:]


def test_arrays_survive_a_fork(path: Path) -> None:
    array = nst.load_file(path)["a"]
    child = os.fork()
    if child == 0:
        array[0] = 9
        os._exit(int(array.sum()) - 9)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 6
    assert array.tolist() == [0, 1, 2, 3]


def test_a_save_over_a_mapped_file_leaves_the_map_alone(path: Path) -> None:
    old = nst.load_file(path)
    path.chmod(0o640)
    link = path.with_name("link")
    link.symlink_to(path.name)
    nst.save_file(old | {"a": old["a"] + 1}, link)
    assert old["a"].tolist() == [0, 1, 2, 3]
    assert nst.load_file(path)["a"].tolist() == [1, 2, 3, 4]
    assert link.is_symlink()
    assert os.stat(path).st_mode & 0o777 == 0o640
    assert sorted(each.name for each in path.parent.iterdir()) == ["link", "two"]


def test_threads_share_a_file(path: Path) -> None:
    file, sums = safe_open(path, "np"), []

    def read() -> None:
        sums.extend(int(file["a"].sum()) for _ in range(200))

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sums == [6] * 800


def test_importing_the_room_imports_no_third_party_package() -> None:
    third = "{'numpy', 'torch', 'ml_dtypes', 'jax', 'tensorflow', 'paddle', 'mlx'}"
    program = f"import sys, nexus.safetensors; print({third} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
    assert done.stdout.strip() == b"set()"
