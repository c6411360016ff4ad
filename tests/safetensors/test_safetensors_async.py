"""Saves that go on while the program does."""

from __future__ import annotations

import asyncio
import doctest
import gc
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest

from nexus.safetensors import PendingSave, SafetensorError, Tensor, _pending, save_async
from nexus.safetensors import numpy as nst


def test_docstrings_are_true(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    failed, attempted = doctest.testmod(_pending, optionflags=doctest.ELLIPSIS)
    assert attempted and not failed


@pytest.mark.parametrize("snapshot", [True, False])
@pytest.mark.parametrize("fsync", [True, False])
def test_the_file_is_the_one_that_a_save_writes(
    tmp_path: Path, snapshot: bool, fsync: bool
) -> None:
    arrays = {"a": np.arange(1 << 20, dtype="f4"), "b": np.asfortranarray(np.eye(3))}
    nst.save_file(arrays, tmp_path / "now", {"k": "v"})
    pending = save_async(arrays, tmp_path / "later", {"k": "v"}, snapshot=snapshot, fsync=fsync)
    assert pending.result() is None and pending.result(0) is None
    assert pending.done() and pending.exception() is None
    assert repr(pending) == f"<PendingSave {str(tmp_path / 'later')!r}: done>"
    assert (tmp_path / "later").read_bytes() == (tmp_path / "now").read_bytes()


def test_with_a_snapshot_tensors_may_change_at_once(tmp_path: Path) -> None:
    array = np.zeros(8 << 20, "u1")
    with save_async({"a": array}, tmp_path / "x") as pending:
        array[:] = 1
    assert pending.done()
    assert nst.load_file(tmp_path / "x")["a"].max() == 0


def test_a_save_can_be_awaited(tmp_path: Path) -> None:
    async def save() -> None:
        await save_async({"a": np.arange(3)}, tmp_path / "x")
        with pytest.raises(FileNotFoundError):
            await save_async({"a": np.arange(3)}, tmp_path / "gone" / "x")

    asyncio.run(save())
    assert nst.load_file(tmp_path / "x")["a"].tolist() == [0, 1, 2]


def test_a_save_that_goes_on_times_out() -> None:
    go = threading.Event()
    pending = PendingSave("x", lambda: bool(go.wait()) or None)
    assert not pending.done() and repr(pending) == "<PendingSave 'x': going on>"
    with pytest.raises(TimeoutError):
        pending.result(0)
    go.set()
    pending.result()


@pytest.mark.filterwarnings("error")
def test_result_raises_what_went_wrong(tmp_path: Path) -> None:
    for snapshot in [True, False]:
        pending = save_async({"a": np.arange(3)}, tmp_path / "gone" / "x", snapshot=snapshot)
        with pytest.raises(FileNotFoundError) as caught:
            pending.result()
        assert isinstance(caught.value, SafetensorError)
        assert repr(pending).endswith(": failed>")
        assert isinstance(pending.exception(), FileNotFoundError)
        del pending, caught
        gc.collect()
    with (
        pytest.raises(LookupError),
        save_async({"a": np.arange(3)}, tmp_path / "gone" / "x"),
    ):
        raise LookupError("of the block")
    with pytest.raises(SafetensorError, match="__metadata__"):
        save_async({"__metadata__": np.arange(3)}, tmp_path / "x")
    with pytest.raises(TypeError, match=r"cannot write builtins\.list: it is no tensor"):
        save_async({"a": [1]}, tmp_path / "x")


def test_a_failure_that_nobody_asks_for_is_a_warning(tmp_path: Path) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        pending = save_async({"a": np.arange(3)}, tmp_path / "gone" / "x")
        for thread in threading.enumerate():
            if thread.name == "safetensors-save":
                thread.join()
        del pending
        gc.collect()
    assert [each.category for each in caught] == [RuntimeWarning]
    text = str(caught[0].message)
    assert "nobody has asked for its result" in text and "No such file" in text


def test_a_program_that_ends_waits_for_its_saves(tmp_path: Path) -> None:
    program = (
        "import sys; from nexus.safetensors import Tensor, save_async\n"
        "tensor = Tensor(bytes(32 << 20), dtype='U8', shape=(32 << 20,))\n"
        "save_async({'a': tensor}, sys.argv[1])\n"
        "kept = save_async({'a': tensor}, sys.argv[2])\n"
    )
    good, bad = tmp_path / "good", tmp_path / "gone" / "bad"
    ended = subprocess.run(
        [sys.executable, "-c", program, good, bad], check=True, capture_output=True, text=True
    )
    assert nst.load_file(good)["a"].nbytes == 32 << 20
    assert "RuntimeWarning" in ended.stderr and str(bad) in ended.stderr


def test_plain_tensors_are_kept_until_they_are_saved(tmp_path: Path) -> None:
    pending = save_async(
        {"a": Tensor(bytes(range(256)) * 4096, dtype="U8", shape=(1 << 20,))},
        tmp_path / "x",
        snapshot=False,
    )
    gc.collect()
    pending.result()
    assert nst.load_file(tmp_path / "x")["a"][:256].tolist() == list(range(256))
