"""Pipelines on Ray Data. All that is done to documents is done by ``nexus._native``; what is here
carries pieces from one of its functions to the next.

A row of the datasets is a batch of a run of one process, as bytes, with its place in the order. So
Ray may cut and move blocks as it likes, and the output is that of one process.
"""

from __future__ import annotations

import gc
import os
import tempfile
import traceback
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Literal, TypeAlias

try:
    import numpy as np
    import pyarrow as pa
    import ray
    import ray.cloudpickle
    import ray.data
except ImportError as error:
    message = "to_ray() needs Ray: pip install 'nexus-rs[ray]'"
    raise ModuleNotFoundError(message, name=error.name) from error

from nexus._native import (
    Decider,
    Pieces,
    Pipeline,
    Removals,
    Report,
    Wanted,
    shared_records,
)

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from nexus._native import _Outline

#: Most bytes of facts that are compared by the process that called `run`; more are shuffled.
_JOIN_BYTES = 256 << 20

#: Bytes of facts that are compared in one call.
_GROUP_BYTES = 64 << 20

#: Most bytes of pieces in one block of Ray. Tasks over more than 50 MiB go where they are.
_BLOCK_BYTES = 64 << 20

#: What becomes of the rows in the last phase: they are counted, carried on, or made rows of Arrow.
_Last = Literal["count", "carry", "open"]

#: Place, frame, facts and note as the extension has them, and an exception that a step has raised.
_Row: TypeAlias = "tuple[int, Buffer | None, bytes | None, bytes, bytes | None]"

_ROWS = pa.schema(
    [
        ("place", pa.uint64()),
        ("frame", pa.large_binary()),
        ("facts", pa.large_binary()),
        ("note", pa.large_binary()),
        ("error", pa.large_binary()),
    ]
)


class RayPipeline:
    """A pipeline on a Ray cluster; ``Pipeline.to_ray`` makes it."""

    def __init__(
        self, pipeline: Pipeline, *, workers: int | None, memory: int | str | None
    ) -> None:
        if workers is not None and workers < 1:
            raise ValueError(f"to_ray() needs at least one worker, not {workers}")
        self._outline = pipeline._carried()
        self._memory = memory
        self._workers = workers
        # Steps that do not fit together are known before a worker starts.
        self._pieces = Pieces(self._outline, memory=memory)

    def run(self) -> Report:
        """Runs the pipeline on all nodes, into its output file; without one, rows are only counted.

        Output, rejects, audit and counts are those of ``Pipeline.run`` with the same ``memory``,
        byte by byte. They are written by this process. The workers read the files, and those of
        tokenizers and models: on each node they have the same paths.
        """
        workers = self._count()
        units, ending = self._pieces.start(workers)
        rows = self._phases(units, workers, "carry" if self._pieces.has_output else "count")
        for block in _blocks(rows):
            for place, frame, _, note, error in _rows(block):
                if error is not None:
                    raise ray.cloudpickle.loads(error)
                ending.add(place, frame, note)
        return ending.finish(workers)

    def dataset(self) -> ray.data.Dataset:
        """The rows as a dataset, in order, computed when they are asked for.

        What comes before a deduplication of all documents is computed now. Rejects and an audit are
        written by ``run()`` alone.
        """
        if "[sink]" in self._outline[0]:
            raise ValueError(
                "dataset() writes nothing: give it a pipeline without an output, or run()"
            )
        workers = self._count()
        return self._phases(self._pieces.start(workers)[0], workers, "open")

    def __repr__(self) -> str:
        return f"<nexus.data.RayPipeline of {self._pieces.phases} phases>"

    def _count(self) -> int:
        """As many workers as there are CPUs, if not said otherwise. Joins or starts a cluster."""
        if not ray.is_initialized():
            ray.init()
        return self._workers or max(1, int(ray.cluster_resources().get("CPU", 1)))

    def _phases(self, units: list[bytes], workers: int, last: _Last) -> ray.data.Dataset:
        """All phases, with what is decided between them; the last one is not computed yet."""
        numbered = [
            pa.table({"number": pa.array([number], pa.uint32()), "unit": [unit]})
            for number, unit in enumerate(units)
        ]
        rows = ray.data.from_arrow(numbered)
        rows.context.execution_options.preserve_order = True
        rows.context.target_max_block_size = _BLOCK_BYTES
        removals = ray.put(None)
        for phase in range(self._pieces.phases):
            is_last = phase + 1 == self._pieces.phases
            plan = (self._outline, self._memory, os.getcwd())
            rows = rows.map_batches(
                _Worker,
                batch_size=None,
                batch_format="pyarrow",
                zero_copy_batch=True,
                compute=ray.data.ActorPoolStrategy(
                    min_size=1,
                    initial_size=workers,
                    max_size=workers,
                    max_tasks_in_flight_per_actor=2,
                ),
                # In a list, or it would be fetched here and there.
                fn_constructor_args=(plan, phase, [removals], last if is_last else "carry"),
            )
            if not is_last:
                rows = rows.materialize()
                removals = ray.put(self._decide(rows, phase, workers))
        return rows

    def _decide(self, rows: ray.data.Dataset, phase: int, workers: int) -> bytes:
        """What goes after a phase. Who shares a hash with another one is found here where there is
        little to compare, else on all nodes; it is decided here.
        """
        facts = _map(rows, _facts).materialize()
        details = self._join(facts, workers)
        with tempfile.TemporaryDirectory(prefix="nexus-ray-") as folder:
            decider = Decider(self._pieces, phase, folder)
            for place, known in details:
                decider.add(place, known)
            return decider.finish()

    def _join(self, facts: ray.data.Dataset, workers: int) -> Iterable[tuple[int, bytes | None]]:
        """What the decision must know of candidates, for each piece."""
        if facts.size_bytes() <= _JOIN_BYTES:
            pieces = list(_pairs(facts))
            wanted = Wanted(*shared_records(*Pieces.records(pieces)))
            return ((place, Pieces.details(place, facts, wanted)) for place, facts in pieces)
        records = _map(facts, _records)
        groups = max(workers, facts.size_bytes() // _GROUP_BYTES)
        joined = _map(records.repartition(groups, keys=["key"]), _shared)
        places, rows = bytearray(), bytearray()
        for block in _blocks(joined):
            places += _words(block, "place")
            rows += _words(block, "row")
        wanted = ray.put((bytes(places), bytes(rows)))
        return _pairs(_map(facts, _details, [wanted]))


class _Worker:
    """Brings rows through a phase. It holds what the steps hold: tokenizers, models, tables."""

    def __init__(
        self,
        plan: tuple[_Outline, int | str | None, str],
        phase: int,
        removals: list[ray.ObjectRef[bytes | None]],
        last: _Last,
    ) -> None:
        outline, memory, folder = plan
        if os.path.isdir(folder):
            # Relative paths are those of the process that began.
            os.chdir(folder)
        self._pieces = Pieces(outline, memory=memory)
        # Ray collects garbage whenever its store fills up: what is here by now stays.
        gc.freeze()
        self._phase, self._last = phase, last
        decided = ray.get(removals[0])
        self._removals = None if decided is None else Removals(decided)

    def __call__(self, table: pa.Table) -> Iterator[pa.Table]:
        passed = self._read(table) if self._removals is None else self._apply(table)
        for place, frame, facts, note, error in passed:
            if self._last == "count":
                yield _table(place, None, facts, note, error)
            elif self._last == "carry":
                yield _table(place, frame, facts, note, error)
            elif error is not None:
                raise ray.cloudpickle.loads(error)
            elif frame is not None:
                yield pa.ipc.open_stream(frame).read_all()

    def _read(self, table: pa.Table) -> Iterator[_Row]:
        for number, unit in zip(
            table["number"].to_pylist(), table["unit"].to_pylist(), strict=True
        ):
            pieces = self._pieces.read(number, unit)
            try:
                for piece in pieces:
                    yield (*piece, None)
            except Exception as error:
                yield (pieces.place, None, None, b"", _carry(error))

    def _apply(self, table: pa.Table) -> Iterator[_Row]:
        assert self._removals is not None
        for place, frame, _, note, error in _rows(table):
            if error is not None:
                yield (place, None, None, b"", error)
                continue
            try:
                piece = self._pieces.apply(self._phase, place, frame, note, self._removals)
            except Exception as raised:
                yield (place, None, None, b"", _carry(raised))
            else:
                yield (*piece, None)


def _table(place: int, *row: Buffer | None) -> pa.Table:
    arrays = [pa.array([place], pa.uint64()), *map(_array, row)]
    return pa.Table.from_arrays(arrays, schema=_ROWS)


def _array(value: Buffer | None) -> pa.Array:
    """An array of one value, which is not copied."""
    if value is None:
        return pa.nulls(1, pa.large_binary())
    data = pa.py_buffer(value)
    ends = pa.py_buffer(np.array([0, data.size], np.int64))
    return pa.Array.from_buffers(pa.large_binary(), 1, [None, ends, data])


def _rows(table: pa.Table) -> Iterator[_Row]:
    """The rows of a table, without facts; frames are not copied."""
    columns = (table[name] for name in ("place", "frame", "note", "error"))
    for place, frame, note, error in zip(*columns, strict=True):
        rows = memoryview(frame.as_buffer()).cast("B") if frame.is_valid else None
        yield (place.as_py(), rows, None, note.as_py(), error.as_py())


def _carry(error: Exception) -> bytes:
    """The exception of a step, so that the first one in the order of the rows is raised."""
    error.add_note("".join(traceback.format_exception(error)))
    carried: bytes
    try:
        carried = ray.cloudpickle.dumps(error)
    except Exception:
        carried = ray.cloudpickle.dumps(RuntimeError(repr(error)))
    return carried


def _blocks(rows: ray.data.Dataset) -> Iterator[pa.Table]:
    return iter(rows.iter_batches(batch_size=None, batch_format="pyarrow"))


def _words(table: pa.Table, name: str) -> bytes:
    words: bytes = table[name].to_numpy().tobytes()
    return words


def _map(
    rows: ray.data.Dataset, function: Callable[..., pa.Table], *arguments: object
) -> ray.data.Dataset:
    """Applies a function to whole blocks."""
    return rows.map_batches(
        function,
        batch_size=None,
        batch_format="pyarrow",
        zero_copy_batch=True,
        fn_args=arguments,
    )


def _pairs(rows: ray.data.Dataset) -> Iterator[tuple[int, bytes | None]]:
    """The rows of a dataset of places and bytes."""
    for block in _blocks(rows):
        yield from zip(*(column.to_pylist() for column in block.columns), strict=True)


def _facts(table: pa.Table) -> pa.Table:
    return table.select(["place", "facts"])


def _records(table: pa.Table) -> pa.Table:
    """A row for each hash by which a document is compared."""
    pieces = zip(table["place"].to_pylist(), table["facts"].to_pylist(), strict=True)
    keys, places, rows = Pieces.records(list(pieces))
    return pa.table(
        {
            "key": np.frombuffer(keys, np.uint64),
            "place": np.frombuffer(places, np.uint64),
            "row": np.frombuffer(rows, np.uint32),
        }
    )


def _shared(table: pa.Table) -> pa.Table:
    """Documents that share a hash with another one. All rows of a hash are here."""
    places, rows = shared_records(*(_words(table, name) for name in ("key", "place", "row")))
    return pa.table(
        {"place": np.frombuffer(places, np.uint64), "row": np.frombuffer(rows, np.uint32)}
    )


def _details(table: pa.Table, wanted: list[ray.ObjectRef[tuple[bytes, bytes]]]) -> pa.Table:
    """What the decision must know of candidates."""
    documents = Wanted(*ray.get(wanted[0]))
    pieces = zip(table["place"].to_pylist(), table["facts"].to_pylist(), strict=True)
    details = [Pieces.details(place, facts, documents) for place, facts in pieces]
    return pa.table({"place": table["place"], "details": pa.array(details, pa.large_binary())})
