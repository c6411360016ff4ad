"""Names, signatures and texts against the ``safetensors`` package."""

from __future__ import annotations

import importlib
import inspect
import struct
import sys
import types
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import nexus.safetensors as ours

theirs = pytest.importorskip("safetensors", reason="the oracle: pip install safetensors==0.8.0")

MODULES = ["", ".numpy", ".torch", ".tensorflow", ".flax", ".paddle", ".mlx", "._safetensors_rust"]
# What their modules import for themselves: types for annotations, and Python's own modules.
NOT_SURFACE = {
    "Any", "Dict", "List", "Optional", "Set", "Tuple", "Union", "defaultdict", "os", "sys",
}  # fmt: skip


def pair(module: str) -> tuple[types.ModuleType, types.ModuleType]:
    """The same module of both packages, where its framework is installed."""
    if module == ".paddle" and "tensorflow" in sys.modules:
        pytest.skip("Paddle and TensorFlow bring two versions of protobuf: run with -k paddle")
    try:
        peer = importlib.import_module(f"safetensors{module}")
    except ImportError as error:
        pytest.skip(f"safetensors{module}: {error}")
    return importlib.import_module(f"nexus.safetensors{module}"), peer


@pytest.mark.parametrize("module", MODULES)
def test_every_name_is_there(module: str) -> None:
    our_module, peer = pair(module)
    names = {name for name in dir(peer) if not name.startswith("__")} - NOT_SURFACE
    assert names <= set(dir(our_module)) | {"_safetensors_rust"}
    importlib.import_module("nexus.safetensors._safetensors_rust")


@pytest.mark.parametrize("module", MODULES)
def test_signatures_are_equal_but_for_keywords_of_ours(module: str) -> None:
    our_module, peer = pair(module)
    extras = {"fsync", "mode", "align", "rules", "checksum", "verify"}
    for name, function in inspect.getmembers(peer, callable):
        if getattr(function, "__module__", "").split(".")[0] != "safetensors":
            continue
        try:
            wanted = inspect.signature(function)
        except ValueError:
            continue
        found = inspect.signature(getattr(our_module, name)).parameters.values()
        assert [
            (each.name, each.kind, each.default) for each in found if each.name not in extras
        ] == [(each.name, each.kind, each.default) for each in wanted.parameters.values()], name


@pytest.mark.parametrize("name", ["safe_open", "_safe_open_handle", "TensorSpec"])
def test_classes_have_every_method(name: str) -> None:
    assert set(dir(getattr(theirs, name))) <= set(dir(getattr(ours, name)))


def test_the_version_is_the_one_that_clients_compare() -> None:
    assert ours.__version__ == theirs.__version__ == "0.8.0"


def spec(room: types.ModuleType, dtype: str, shape: list[int], size: int) -> object:
    return room.TensorSpec(dtype=dtype, shape=shape, data_ptr=0, data_len=size)


HEADER = b'{"a":{"dtype":"U8","shape":[10,5],"data_offsets":[0,50]}}'
TWO = struct.pack("<Q", len(HEADER)) + HEADER + bytes(50)


def sliced(room: types.ModuleType, index: object) -> object:
    return room.safe_open("two", "np").get_slice("a")[index]


REFUSED: dict[str, Callable[[types.ModuleType], object]] = {
    "unknown type": lambda room: spec(room, "float33", [1], 4),
    "complex128": lambda room: spec(room, "complex128", [1], 16),
    "a doubled dimension that overflows": lambda room: spec(room, "float4_e2m1fn_x2", [2**63], 1),
    "a negative dimension": lambda room: spec(room, "float32", [-1], 4),
    "a size that is not the shape's": lambda room: room.serialize(
        {"x": spec(room, "float32", [2], 5)}
    ),
    "no file": lambda room: room.safe_open("none", "np"),
    "no file, no device": lambda room: room.safe_open("none", "np", device="cuda"),
    "no file, unknown framework": lambda room: room.safe_open("none", "foo"),
    "unknown framework": lambda room: room.safe_open("two", "foo"),
    "no framework": lambda room: room.safe_open("two"),
    "device of another framework": lambda room: room.safe_open("two", "np", device="cuda:1"),
    "numbered device": lambda room: room.safe_open("two", "tf", device=1),
    "unknown device": lambda room: room.safe_open("two", "np", device="foo"),
    "device with a word as number": lambda room: room.safe_open("two", "np", device="cuda:x"),
    "device with two numbers": lambda room: room.safe_open("two", "np", device="cuda:1:2"),
    "device that is a float": lambda room: room.safe_open("two", "np", device=1.5),
    "device below 0": lambda room: room.safe_open("two", "np", device=-1),
    "second mps": lambda room: room.safe_open("two", "np", device="mps:1"),
    "mps": lambda room: room.safe_open("two", "np", device="mps:0"),
    "unknown backend": lambda room: room.safe_open("two", "np", backend="foo"),
    "missing tensor": lambda room: room.safe_open("two", "np").get_tensor("zz"),
    "missing slice": lambda room: room.safe_open("two", "np").get_slice("zz"),
    "bytes too short": lambda room: room.deserialize(b"abc"),
    "bytes without a header": lambda room: room.deserialize(bytes(8)),
    "index behind the end": lambda room: sliced(room, 10),
    "index before the start": lambda room: sliced(room, -11),
    "second index behind the end": lambda room: sliced(room, (slice(2, None), 20)),
    "index after an ellipsis": lambda room: sliced(room, (..., 20)),
    "index after a step": lambda room: sliced(room, (slice(2, 5, 2), 20)),
    "index after a negative one": lambda room: sliced(room, (-1, 20)),
    "too many indices": lambda room: sliced(room, (0, slice(None), ..., 0)),
    "two ellipses": lambda room: sliced(room, (..., ...)),
    "step 0": lambda room: sliced(room, slice(None, None, 0)),
    "a list": lambda room: sliced(room, [0, 1]),
    "a text": lambda room: sliced(room, "a"),
    "a float": lambda room: sliced(room, (0, 1.5)),
    "an array": lambda room: sliced(room, np.array([1])),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused_is_refused_in_the_same_words(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("two").write_bytes(TWO)
    with pytest.raises(Exception, match=None) as their_error:
        REFUSED[case](theirs)
    with pytest.raises(Exception, match=None) as our_error:
        REFUSED[case](ours)
    assert str(our_error.value).replace("__new__", "") == str(their_error.value).replace(
        "__new__", ""
    )
    if not isinstance(their_error.value, theirs.SafetensorError):
        assert isinstance(our_error.value, type(their_error.value))
    else:
        assert isinstance(our_error.value, ours.SafetensorError)


def numpy_of(room: types.ModuleType) -> types.ModuleType:
    return importlib.import_module(f"{room.__name__}.numpy")


SPEC = {"dtype": "uint8", "shape": [1], "data_ptr": 0, "data_len": 0}
#: Functions of one argument, which is to be of a wrong type.
ARGUMENTS: dict[str, Callable[[types.ModuleType, object], object]] = {
    **{
        f"TensorSpec, {key}": lambda room, value, key=key: room.TensorSpec(**SPEC | {key: value})
        for key in SPEC
    },
    "serialize": lambda room, value: room.serialize(value),
    "serialize, a tensor": lambda room, value: room.serialize({"x": value}),
    "serialize, metadata": lambda room, value: room.serialize({}, value),
    "serialize, a text": lambda room, value: room.serialize({}, metadata={"x": value}),
    "serialize_file": lambda room, value: room.serialize_file(value, "out"),
    "serialize_file, filename": lambda room, value: room.serialize_file({}, value),
    "serialize_file, metadata": lambda room, value: room.serialize_file({}, "out", value),
    "deserialize": lambda room, value: room.deserialize(value),
    "safe_open, filename": lambda room, value: room.safe_open(value, "np"),
    "safe_open, framework": lambda room, value: room.safe_open("two", value),
    "safe_open, device": lambda room, value: room.safe_open("two", "np", value),
    "safe_open, backend": lambda room, value: room.safe_open("two", "np", backend=value),
    "_safe_open_handle": lambda room, value: room._safe_open_handle(value, "np"),
    "get_tensor": lambda room, value: room.safe_open("two", "np").get_tensor(value),
    "get_slice": lambda room, value: room.safe_open("two", "np").get_slice(value),
    "a tuple of indices": lambda room, value: sliced(room, (0, value)),
    "numpy.save": lambda room, value: numpy_of(room).save(value),
    "numpy.save, metadata": lambda room, value: numpy_of(room).save({}, value),
    "numpy.save_file, filename": lambda room, value: numpy_of(room).save_file({}, value),
    "numpy.load": lambda room, value: numpy_of(room).load(value),
    "numpy.load_file": lambda room, value: numpy_of(room).load_file(value),
    "numpy.load_file, backend": lambda room, value: numpy_of(room).load_file("two", backend=value),
}
VALUES = [None, 1, -1, 2**70, 1.5, "x", b"x", [1], {}, {1: 2}, ("a",), object]
#: What is no mistake here: no framework, and a new axis.
OURS = [("safe_open, framework", None), ("a tuple of indices", None)]


@pytest.mark.parametrize("argument", ARGUMENTS)
def test_a_wrong_type_is_refused_in_the_same_words(
    argument: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("two").write_bytes(TWO)

    def outcome(room: types.ModuleType, value: object) -> tuple[str, str] | None:
        try:
            ARGUMENTS[argument](room, value)
        except Exception as error:
            return type(error).__name__, str(error)
        return None

    wanted = {repr(value): outcome(theirs, value) for value in VALUES}
    assert any(wanted.values())
    for value in VALUES:
        if (argument, value) not in OURS:
            assert outcome(ours, value) == wanted[repr(value)], value


def test_serialize_takes_addresses() -> None:
    array = np.arange(8, dtype="u1")
    address = array.ctypes.data
    cases = {"uint8": ([8], 8), "float4_e2m1fn_x2": ([2, 4], 8), "float16": ([4], 8)}
    for dtype, (shape, size) in cases.items():
        written = [
            room.serialize(
                {"x": room.TensorSpec(dtype=dtype, shape=shape, data_ptr=address, data_len=size)},
                metadata={"k": "v"},
            )
            for room in (ours, theirs)
        ]
        assert written[0] == written[1]
        mine, peer = ours.deserialize(written[0]), theirs.deserialize(written[0])
        assert mine == peer
        assert type(mine[0][1]["data"]) is bytearray


def test_specs_look_alike() -> None:
    fields = {"dtype": "float4_e2m1fn_x2", "shape": (3, 4), "data_ptr": 16, "data_len": 12}
    mine, peer = ours.TensorSpec(**fields), theirs.TensorSpec(**fields)
    assert repr(mine) == repr(peer)
    for name in ["dtype", "shape", "data_ptr", "data_len"]:
        assert getattr(mine, name) == getattr(peer, name)


def test_a_handle_is_opened_by_its_name(tmp_path: Path) -> None:
    importlib.import_module("nexus.safetensors.numpy").save_file({"x": np.ones(2)}, tmp_path / "x")
    with (tmp_path / "x").open() as handle, ours._safe_open_handle(handle, "np") as file:
        assert file["x"].tolist() == [1.0, 1.0]
    for handle in ["x", 1]:
        errors = []
        for room in (ours, theirs):
            with pytest.raises(AttributeError) as error:
                room._safe_open_handle(handle, "np")
            errors.append(str(error.value))
        assert errors[0] == errors[1]
