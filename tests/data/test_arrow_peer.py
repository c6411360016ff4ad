"""Tables of Arrow from other libraries and to them. What is not installed is skipped."""

from __future__ import annotations

import ctypes
import json
import threading
from typing import TYPE_CHECKING, Any

import pytest

from nexus.data import Pipeline, RecordBatch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pa = pytest.importorskip("pyarrow")

TEXTS = ["Ein Haus am See.", None, "", "語 🙂 \x00", "x" * 5000]


def table() -> Any:
    """A table of two batches, with all that a row may have."""
    columns = {
        "body": TEXTS,
        "key": ["a", "b", None, "d", "e"],
        "stars": [1, 2, None, 4, 5],
        "tags": [["x"], [], None, ["y", None], ["z"]],
    }
    whole = pa.table(columns)
    return pa.concat_tables([whole.slice(0, 3), whole.slice(3)])


def of_pyarrow() -> Any:
    return table()


def of_large_strings() -> Any:
    whole = table()
    schema = whole.schema.set(0, pa.field("body", pa.large_string()))
    return whole.cast(schema.set(1, pa.field("key", pa.large_string())))


def of_views() -> Any:
    whole = table()
    return whole.cast(whole.schema.set(0, pa.field("body", pa.string_view())))


def of_batch() -> Any:
    return table().combine_chunks().to_batches()[0]


def of_reader() -> Any:
    return table().to_reader()


def of_polars() -> Any:
    return pytest.importorskip("polars").from_arrow(table())


def of_duckdb() -> Any:
    connection = pytest.importorskip("duckdb").connect()
    connection.register("mine", table())
    return connection.sql("select * from mine")


def of_datafusion() -> Any:
    context = pytest.importorskip("datafusion").SessionContext()
    return context.from_arrow(table())


def of_pandas() -> Any:
    pytest.importorskip("pandas")
    return table().to_pandas(types_mapper=lambda kind: None)


class OnlyArray:
    """A batch that gives no stream."""

    def __init__(self) -> None:
        self.batch = of_batch()

    def __arrow_c_array__(self, requested_schema: None = None) -> Any:
        return self.batch.__arrow_c_array__(requested_schema)


SOURCES = [
    of_pyarrow,
    of_large_strings,
    of_views,
    of_batch,
    of_reader,
    of_polars,
    of_duckdb,
    of_datafusion,
    OnlyArray,
]


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.__name__)
def test_a_table_of_any_library_is_read(source: Callable[[], Any], tmp_path: Path) -> None:
    rejects = tmp_path / "rejects.jsonl"
    pipeline = Pipeline.from_arrow(source(), text="body", id="key").write_rejects(rejects)
    rows = list(pipeline)
    assert [row["text"] for row in rows] == [text for text in TEXTS if text is not None]
    assert [row["id"] for row in rows] == ["a", "arrow:3", "d", "e"]
    assert [row["line"] for row in rows] == [1, 3, 4, 5]
    assert {row["source"] for row in rows} == {"arrow"}
    assert rows[2]["fields"] == {"stars": 4, "tags": ["y", None]}
    reject = json.loads(rejects.read_text())
    assert reject == {"file": "arrow", "line": 2, "reason": "`text` is null"}


def test_pandas_is_read_through_pyarrow() -> None:
    rows = list(Pipeline.from_arrow(of_pandas(), text="body", id="key"))
    assert [row["id"] for row in rows] == ["a", "arrow:3", "d", "e"]


def test_what_comes_out_is_read_by_all(tmp_path: Path) -> None:
    lines = [json.dumps({"id": f"d{n}", "text": f"number {n} " * 9, "n": n}) for n in range(3000)]
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(lines))
    pipeline = Pipeline(path).clean()
    expected = pa.table(pipeline)
    expected.validate(full=True)
    assert expected.num_rows == 3000
    ids = expected["id"].to_pylist()
    if polars := optional("polars"):
        assert polars.DataFrame(pipeline)["id"].to_list() == ids
    if duckdb := optional("duckdb"):
        reader = pa.RecordBatchReader.from_stream(pipeline)
        found = duckdb.connect().from_arrow(reader).aggregate("count(*), max(line)").fetchall()
        assert found == [(3000, 3000)]
    if datafusion := optional("datafusion"):
        context = datafusion.SessionContext()
        assert context.from_arrow(pipeline).count() == 3000
    if optional("pandas"):
        assert expected.to_pandas()["id"].tolist() == ids
    # A pipeline over a pipeline: its rows, and what was behind it as fields.
    again = list(Pipeline.from_arrow(pipeline).filter(lambda row: row["line"] == 7))
    assert [(row["id"], row["fields"]["n"]) for row in again] == [("d6", 6)]


def optional(name: str) -> Any:
    try:
        return __import__(name)
    except ImportError:
        return None


@pytest.mark.parametrize("kind", ["large_string", "string_view"])
def test_a_consumer_gets_the_type_of_text_that_it_asks_for(tmp_path: Path, kind: str) -> None:
    (tmp_path / "a.txt").write_text("Some text that is longer than a view holds.")
    pipeline = Pipeline(tmp_path)
    own = pa.schema(pa.table(pipeline).schema)
    asked = own.set(1, pa.field("text", getattr(pa, kind)(), nullable=False))
    found = pa.RecordBatchReader.from_stream(pipeline, schema=asked).read_all()
    found.validate(full=True)
    assert found.schema.field("text").type == asked.field("text").type
    assert found["text"].to_pylist() == ["Some text that is longer than a view holds."]
    # What cannot be given is left to the consumer.
    other = own.set(3, pa.field("line", pa.string()))
    capsule = pipeline.__arrow_c_stream__(other.__arrow_c_schema__())
    assert pa.RecordBatchReader._import_from_c_capsule(capsule).schema.equals(own)
    with pytest.raises(TypeError, match="arrow_schema"):
        pipeline.__arrow_c_stream__(object())  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["string", "large_string"])
def test_the_bytes_of_texts_are_not_copied_on_the_way_in_and_out(kind: str) -> None:
    column = pa.array([f"text number {n}" for n in range(2000)], getattr(pa, kind)())
    given = pa.table({"text": column})
    start = column.buffers()[2].address
    size = column.buffers()[2].size
    batches = pa.RecordBatchReader.from_stream(Pipeline.from_arrow(given))
    addresses = [batch["text"].buffers()[2].address for batch in batches]
    assert len(addresses) == 2
    assert all(start <= address < start + size for address in addresses)


def test_a_table_is_read_by_each_run_and_a_stream_by_one() -> None:
    pipeline = Pipeline.from_arrow(table(), text="body")
    assert [pipeline.run().rows for _ in range(2)] == [4, 4]
    once = Pipeline.from_arrow(of_reader(), text="body")
    assert once.run().rows == 4
    with pytest.raises(ValueError, match="used up by an earlier run"):
        once.run()


def test_a_stream_is_not_collected() -> None:
    made = []

    def batches() -> Iterator[Any]:
        for number in range(100):
            made.append(number)
            yield pa.record_batch({"text": ["x" * (1 << 20)]})

    schema = pa.schema({"text": pa.string()})
    reader = pa.RecordBatchReader.from_batches(schema, batches())
    rows = iter(Pipeline.from_arrow(reader))
    next(rows)
    assert len(made) < 50
    assert sum(1 for _ in rows) == 99


def test_the_exception_of_a_producer_is_carried_over() -> None:
    def batches() -> Iterator[Any]:
        yield pa.record_batch({"text": ["one"]})
        raise ValueError("the well is dry")

    schema = pa.schema({"text": pa.string()})
    reader = pa.RecordBatchReader.from_batches(schema, batches())
    with pytest.raises(RuntimeError, match=r"from row 2 on.*the well is dry"):
        Pipeline.from_arrow(reader).run()

    class Fails:
        def __arrow_c_stream__(self, requested_schema: None = None) -> object:
            raise KeyError("no stream today")

    with pytest.raises(KeyError, match="no stream today"):
        Pipeline.from_arrow(Fails()).run()


def test_what_is_no_table_is_refused() -> None:
    with pytest.raises(TypeError, match=r"`list` gives no Arrow.*__arrow_c_stream__") as caught:
        Pipeline.from_arrow([1])  # type: ignore[arg-type]
    assert caught.value.__notes__ == [
        "hint: collect a lazy frame first; a pandas.DataFrame needs pandas 2.2 and pyarrow"
    ]
    for given, options, message in [
        (pa.table({"a": ["x"]}), {}, "no column `text` among a"),
        (pa.table({"text": [1]}), {}, "no text but Int64"),
        (pa.table({"text": ["x"], "raw": [b"x"]}), {}, "`raw` of type Binary has no form"),
        (pa.table({"a": ["x"]}), {"text": "b"}, "no column `b` among a"),
        (pa.table({"text": ["x"]}), {"id": "key"}, "no column `key`"),
        (pa.table({"text": ["x"], "a": ["y"]}), {"text": "a"}, "`text` besides `a`"),
        (pa.array(["x"]), {}, "one array of type"),
        (pa.array([{"text": "x"}, None]), {}, "a row of the table is null"),
    ]:
        with pytest.raises((ValueError, TypeError, RuntimeError), match=message):
            Pipeline.from_arrow(given, **options).run()
    with pytest.raises(ValueError, match="an Arrow table has no form in TOML"):
        Pipeline.from_arrow(table(), text="body").to_toml()
    with pytest.raises(ValueError, match="cannot estimate a run over Arrow"):
        Pipeline.from_arrow(table(), text="body").estimate()


class Stream(ctypes.Structure):
    """`struct ArrowArrayStream`."""

    _fields_ = [(name, ctypes.c_void_p) for name in ("schema", "next", "error", "release", "data")]


class Array(ctypes.Structure):
    """`struct ArrowArray`."""

    _fields_ = [
        *((name, ctypes.c_int64) for name in ("length", "nulls", "offset", "buffers", "children")),
        *((name, ctypes.c_void_p) for name in ("buffer", "child", "dictionary", "release", "data")),
    ]


POINTER = ctypes.pythonapi.PyCapsule_GetPointer
POINTER.restype = ctypes.c_void_p
POINTER.argtypes = [ctypes.py_object, ctypes.c_char_p]


class Given:
    """A batch whose structure was changed after it was made."""

    def __init__(self, batch: Any, change: Callable[[Array], None]) -> None:
        self.batch = batch
        self.schema, self.array = batch.__arrow_c_array__()
        change(Array.from_address(POINTER(self.array, b"arrow_array")))

    def __arrow_c_array__(self, requested_schema: None = None) -> Any:
        return self.schema, self.array


def child(array: Array, at: int = 0) -> Array:
    pointers = ctypes.cast(array.child, ctypes.POINTER(ctypes.c_void_p))
    return Array.from_address(pointers[at])


def buffer(array: Array, at: int, kind: Any) -> Any:
    pointers = ctypes.cast(array.buffer, ctypes.POINTER(ctypes.c_void_p))
    return ctypes.cast(pointers[at], ctypes.POINTER(kind))


def set_length(array: Array) -> None:
    array.length = -1


def set_children(array: Array) -> None:
    array.children = 0


def set_offsets(array: Array) -> None:
    buffer(child(array), 1, ctypes.c_int32)[1] = 99


def set_last_offset(array: Array) -> None:
    buffer(child(array), 1, ctypes.c_int32)[2] = -5


def set_bytes(array: Array) -> None:
    buffer(child(array), 2, ctypes.c_uint8)[0] = 0xFF


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (set_length, "length or an offset that cannot be"),
        (set_children, "contradicts itself|other children"),
        (set_offsets, "(?i)offset"),
        (set_last_offset, "negative offset"),
        (set_bytes, "(?i)utf"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_malformed_structure_is_an_error(change: Callable[[Array], None], message: str) -> None:
    batch = pa.record_batch({"text": pa.array(["one", "two"])})
    given = Given(batch, change)
    with pytest.raises(ValueError, match=message):
        Pipeline.from_arrow(given).run()


def test_a_column_of_views_with_too_few_buffers_is_an_error() -> None:
    def drop_buffers(array: Array) -> None:
        child(array).buffers = 2

    batch = pa.record_batch({"text": pa.array(["one", "two"], pa.string_view())})
    with pytest.raises(ValueError, match="too few buffers"):
        Pipeline.from_arrow(Given(batch, drop_buffers)).run()


def test_a_released_stream_and_a_wrong_capsule_are_errors() -> None:
    capsule = table().__arrow_c_stream__()

    class Same:
        def __arrow_c_stream__(self, requested_schema: None = None) -> object:
            return capsule

    pipeline = Pipeline.from_arrow(Same(), text="body")
    assert pipeline.run().rows == 4
    with pytest.raises(ValueError, match="released, or used up"):
        pipeline.run()

    class Wrong:
        def __arrow_c_stream__(self, requested_schema: None = None) -> object:
            return pa.schema({}).__arrow_c_schema__()

    with pytest.raises(TypeError, match="expected a capsule `arrow_array_stream`"):
        Pipeline.from_arrow(Wrong()).run()

    class Nothing:
        def __arrow_c_stream__(self, requested_schema: None = None) -> object:
            return None

    with pytest.raises(TypeError, match="found `NoneType`"):
        Pipeline.from_arrow(Nothing()).run()


def test_functions_get_and_give_batches_of_any_library(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}.txt").write_text(f"text {number}")
    seen = []

    def with_pyarrow(batch: RecordBatch) -> Any:
        seen.append((repr(batch), len(batch), batch.num_rows, batch.column_names))
        taken = pa.record_batch(batch)
        length = pa.compute.utf8_length(taken["text"])
        return taken.append_column("length", length)

    compute = pytest.importorskip("pyarrow.compute")
    assert compute is pa.compute
    pipeline = Pipeline(tmp_path).map_batches(with_pyarrow, name="lengths")
    assert [row["length"] for row in pipeline] == [6, 6, 6]  # type: ignore[typeddict-item]
    assert pa.table(pipeline)["length"].to_pylist() == [6, 6, 6]
    assert pipeline.run().steps[1].name == "lengths"
    names = ["id", "text", "source", "line", "fields"]
    expected = f"<nexus.data.RecordBatch: 3 rows of {', '.join(names)}>"
    assert (expected, 3, 3, names) in seen
    if polars := optional("polars"):

        def with_polars(batch: RecordBatch) -> Any:
            frame = polars.DataFrame(batch)
            return frame.filter(polars.col("id") != "1.txt").with_columns(
                text=polars.col("text").str.to_uppercase()
            )

        shouted = Pipeline(tmp_path).map_batches(with_polars).min_chars(3)
        assert [row["text"] for row in shouted] == ["TEXT 0", "TEXT 2"]
    if duckdb := optional("duckdb"):

        def with_duckdb(batch: RecordBatch) -> Any:
            mine = pa.table(batch)
            return duckdb.connect().from_arrow(mine).order("id desc")

        turned = Pipeline(tmp_path).map_batches(with_duckdb)
        assert [row["id"] for row in turned] == ["2.txt", "1.txt", "0.txt"]


def test_what_a_function_gives_instead_of_a_table_is_its_error(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("text")

    def fails(batch: RecordBatch) -> Any:
        raise LookupError(f"not these {batch.num_rows}")

    with pytest.raises(LookupError, match="not these 1"):
        Pipeline(tmp_path).map_batches(fails).run()
    with pytest.raises(TypeError, match="`NoneType` gives no Arrow"):
        Pipeline(tmp_path).map_batches(lambda batch: None).run()  # type: ignore[arg-type, return-value]


def test_other_threads_work_while_a_table_is_read() -> None:
    ticks = []
    stop = threading.Event()

    def tick() -> None:
        while not stop.wait(0.001):
            ticks.append(1)

    thread = threading.Thread(target=tick)
    thread.start()
    try:
        big = pa.table({"text": [f"a text of some words {n}" * 20 for n in range(50_000)]})
        rows = Pipeline.from_arrow(big).clean().quality("gopher_quality").run().steps[0].rows_in
    finally:
        stop.set()
        thread.join()
    assert rows == 50_000
    assert ticks
