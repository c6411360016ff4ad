"""The loader: the same rows for any threads and ranks, shared memory, foreign shards."""

from __future__ import annotations

import gc
import io
import itertools
import json
import multiprocessing
import os
import signal
import struct
import tarfile
import threading
from pathlib import Path

import pytest

from nexus.data import Batch, Loader

np = pytest.importorskip("numpy", reason="needs NumPy")


@pytest.fixture
def tokens(tmp_path: Path) -> Path:
    """1000 rows of 8 tokens; the first of each is its number."""
    rows = np.arange(1000, dtype=np.uint16)[:, None] + np.zeros(8, np.uint16)
    path = tmp_path / "tokens.npy"
    np.save(path, rows)
    return path


def rows(loader: Loader) -> list[int]:
    """All rows of the rest of an epoch; tokens are checked."""
    seen: list[int] = []
    for batch in loader:
        array = np.asarray(batch.tokens)
        assert array.shape == (len(batch), 8)
        assert (array == np.array(batch.rows)[:, None]).all()
        seen += batch.rows
    return seen


@pytest.mark.parametrize("threads", [0, 1, 4])
def test_epochs_are_shuffled_and_complete(tokens: Path, threads: int) -> None:
    loader = Loader(tokens, row_len=8, batch_size=7, tail="keep", threads=threads)
    first, second = rows(loader), rows(loader)
    assert sorted(first) == sorted(second) == list(range(1000))
    assert first != second
    assert loader.epoch == 2
    assert len(loader) == 143
    again = Loader(tokens, row_len=8, batch_size=7, tail="keep", threads=2, prefetch=1)
    assert rows(again) == first


def test_a_state_resumes_with_other_ranks(tokens: Path) -> None:
    whole = rows(Loader(tokens, row_len=8, batch_size=1, seed=5))
    loader = Loader(tokens, row_len=8, batch_size=6, seed=5)
    seen = [row for _ in range(10) for row in next(loader).rows]
    state = json.loads(json.dumps(loader.state_dict()))
    assert state == loader.state_at(0, 10)
    ranks = [
        Loader(tokens, row_len=8, batch_size=5, rank=rank, world_size=4, tail="keep")
        for rank in range(4)
    ]
    for rank in ranks:
        rank.load_state_dict(state)
    for _ in range(47):
        for rank in ranks:
            seen += next(rank).rows
    assert seen == whole


def test_states_of_other_rows_are_refused(tokens: Path) -> None:
    loader = Loader(tokens, row_len=8)
    other = Loader(tokens, row_len=4).state_dict()
    with pytest.raises(ValueError, match="cannot go on in other rows"):
        loader.load_state_dict(other)
    with pytest.raises(ValueError, match="without `epoch`"):
        loader.load_state_dict({"version": 1, "seed": 0})  # type: ignore[typeddict-item]
    with pytest.raises(ValueError, match="version 9"):
        loader.load_state_dict({**loader.state_dict(), "version": 9})


def test_arrays_share_the_batch_and_keep_it(tokens: Path) -> None:
    loader = Loader(tokens, row_len=8, batch_size=2)
    batch = next(loader)
    array = np.asarray(batch.tokens)
    array[0, 0] = 9
    assert np.asarray(batch.tokens)[0, 0] == 9
    want = array.copy()
    del batch
    gc.collect()
    for _ in range(200):
        next(loader)
    assert (array == want).all(), "memory that somebody has is not used again"


def test_memory_is_used_again(tokens: Path) -> None:
    loader = Loader(tokens, row_len=8, batch_size=2, prefetch=4)
    places = {np.asarray(batch.tokens).__array_interface__["data"][0] for batch in loader}
    assert len(places) < 30


def test_torch_shares_it_too(tokens: Path) -> None:
    torch = pytest.importorskip("torch", reason="needs torch")
    batch = next(Loader(tokens, row_len=8, batch_size=2, dtype="int64"))
    tensor = torch.from_dlpack(batch.tokens)
    assert tensor.dtype == torch.int64
    assert tensor.data_ptr() == np.asarray(batch.tokens).__array_interface__["data"][0]
    assert tensor[:, 0].tolist() == batch.rows


def test_packed_rows_have_bounds_and_positions(tmp_path: Path) -> None:
    for at, length in enumerate([5, 3, 8, 2, 13]):
        np.save(tmp_path / f"{at}.npy", np.full(length, at, np.uint16))
    loader = Loader(
        tmp_path,
        row_len=8,
        batch_size=4,
        kind="packed",
        position_ids=True,
        cu_seqlens=True,
        pad_id=7,
    )
    assert loader.padding_share == pytest.approx(1 / 32)
    batch = next(loader)
    ids = np.asarray(batch.tokens).ravel()
    places = np.asarray(batch.position_ids).ravel()
    ends = np.asarray(batch.cu_seqlens)
    assert ends[0] == 0
    assert ends[-1] == 32
    assert batch.max_seqlen == 8
    for start, end in itertools.pairwise(ends):
        assert len(set(ids[start:end])) == 1
        assert (places[start:end] == np.arange(end - start)).all()
    assert sorted(np.bincount(ids)) == sorted([5, 3, 8, 2, 13, 0, 0, 1])


def test_megatron_files_are_read(tmp_path: Path) -> None:
    docs = [np.arange(length, dtype=np.int32) + length for length in (4, 1, 7)]
    np.concatenate(docs).tofile(tmp_path / "x.bin")
    sizes = [len(doc) for doc in docs]
    places = np.cumsum([0, *sizes[:-1]]) * 4
    index = b"MMIDIDX\x00\x00" + struct.pack("<QBQQ", 1, 4, 3, 4)
    index += np.array(sizes, np.int32).tobytes() + places.astype(np.int64).tobytes()
    (tmp_path / "x.idx").write_bytes(index + np.arange(4, dtype=np.int64).tobytes())
    loader = Loader(tmp_path, row_len=8, kind="documents", shuffle=False, pad_id=-1)
    assert loader.dtype == "int32"
    for doc, batch in zip(docs, loader, strict=True):
        row = np.asarray(batch.tokens)[0]
        assert (row[: len(doc)] == doc).all()
        assert (row[len(doc) :] == -1).all()


def test_archives_of_every_kind_are_read(tmp_path: Path) -> None:
    formats = (tarfile.USTAR_FORMAT, tarfile.PAX_FORMAT, tarfile.GNU_FORMAT)
    for kind in formats:
        with tarfile.open(tmp_path / f"{kind}.tar", "w", format=kind) as archive:
            for at in range(3):
                buffer = io.BytesIO()
                np.save(buffer, np.full(4, at, np.uint16))
                info = tarfile.TarInfo(f"{'x' * (90 if kind == 0 else 150)}/{at}.npy")
                info.size = buffer.tell()
                buffer.seek(0)
                archive.addfile(info, buffer)
    loader = Loader(tmp_path, row_len=4, shuffle=False)
    assert [int(np.asarray(batch.tokens)[0, 0]) for batch in loader] == [0, 1, 2] * 3


def test_what_cannot_be_opened_says_why(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="cannot open"):
        Loader(tmp_path / "none.npy", row_len=4)
    (tmp_path / "x.dat").write_bytes(b"1234")
    with pytest.raises(ValueError, match="cannot know the format") as caught:
        Loader(tmp_path / "x.dat", row_len=4)
    assert caught.value.__notes__ == [
        "hint: name the stored type of a file of nothing but tokens, such as uint16"
    ]
    with pytest.raises(ValueError, match='cannot use tail "no"'):
        Loader(tmp_path / "x.dat", row_len=4, tail="no")  # type: ignore[arg-type]


def endless(path: str, ready: multiprocessing.synchronize.Event) -> None:
    """Reads epoch after epoch, until Ctrl-C."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    loader = Loader(path, row_len=8, batch_size=8, dtype="int64", prefetch=1)
    try:
        ready.set()
        while True:
            for _ in loader:
                pass
    except KeyboardInterrupt:
        os._exit(42)


def test_ctrl_c_ends_a_loop_over_a_loader(tokens: Path) -> None:
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    child = context.Process(target=endless, args=(str(tokens), ready))
    child.start()
    assert ready.wait(60)
    assert child.pid is not None
    os.kill(child.pid, signal.SIGINT)
    child.join(60)
    assert child.exitcode == 42


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_goes_on_with_threads_of_its_own(tokens: Path) -> None:
    loader = Loader(tokens, row_len=8, batch_size=10)
    next(loader)
    state = loader.state_dict()
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, json.dumps(rows(loader)).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        seen = json.load(pipe)
    assert os.waitpid(child, 0)[1] == 0
    loader.load_state_dict(state)
    assert rows(loader) == seen


def test_threads_of_python_may_share_a_loader(tokens: Path) -> None:
    loader = Loader(tokens, row_len=8, batch_size=3, tail="keep")
    seen: list[int] = []

    def work() -> None:
        # The end of an epoch is given once: only one of them goes on to the next.
        for _ in range(83):
            batch: Batch = next(loader)
            seen.extend(batch.rows)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(seen)) == len(seen) == 83 * 4 * 3
