"""Makes `formats/`: small files by the libraries that define their formats, and what is in them.

    python tests/data/make_formats.py

Made with CPython 3.11, pyarrow 26.0.1, polars 2.1.0, duckdb 2.0.0, pandas 3.1.1, webdataset 1.0.2,
warcio 1.8.1 and zstandard 0.25.0. `crates/data/tests/pipeline/peers.rs` reads them.
"""

from __future__ import annotations

import bz2
import csv
import datetime
import gzip
import io
import json
import lzma
from decimal import Decimal
from pathlib import Path

import duckdb
import polars
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import webdataset
import zstandard
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

HERE = Path(__file__).parent / "formats"
TEXTS = ["A first text.", 'Second, with "quotes"\nand a line.', "", "語 and é and 🙂"]
UTC = datetime.UTC


def table() -> pa.Table:
    """Give a column of each kind that `fields` has a form for."""
    at = datetime.datetime(2024, 2, 29, 12, 34, 56, 789000, tzinfo=UTC)
    return pa.table(
        {
            "id": ["a", "b", None, "d"],
            "text": TEXTS,
            "score": pa.array([0.5, None, -1.25, 1e300], pa.float64()),
            "n": pa.array([1, -2, None, 2**62], pa.int64()),
            "tags": pa.array([["x", "y"], [], None, [None]], pa.list_(pa.string())),
            "meta": pa.array([{"k": 1, "v": "p"}, None, {"k": None, "v": ""}, {"k": 2, "v": "é"}]),
            "lang": pa.array(["en", "de", "en", "ja"]).dictionary_encode(),
            "when": pa.array([at, None, at, at], pa.timestamp("us", "UTC")),
            "day": pa.array([datetime.date(1969, 12, 31), None, None, None], pa.date32()),
            "price": pa.array([Decimal("1.50"), Decimal("-0.05"), None, Decimal("9")]),
            "ok": pa.array([True, False, None, True]),
        }
    )


def fields(row: dict[str, object]) -> dict[str, object]:
    """Give a row's other columns as JSON has them."""

    def plain(value: object) -> object:
        if isinstance(value, datetime.datetime):
            return value.strftime("%Y-%m-%dT%H:%M:%S.%f") + "Z"
        if isinstance(value, datetime.date):
            return value.isoformat()
        return str(value) if isinstance(value, Decimal) else value

    return {key: plain(value) for key, value in row.items() if key not in {"id", "text"}}


def rows(name: str, given: list[dict[str, object]]) -> list[dict[str, object]]:
    """Give rows as a pipeline gives them."""
    return [
        {
            "id": row.get("id") or f"{name}:{number}",
            "text": row["text"],
            "line": number,
            "fields": fields(row),
        }
        for number, row in enumerate(given, 1)
    ]


def tables(expected: dict[str, object]) -> None:
    full = table()
    rest = full.to_pylist()
    plain = full.select(["text", "score", "n"])
    strings = pa.string()

    def put(name: str, given: list[dict[str, object]] = rest) -> Path:
        expected[name] = rows(name, given)
        return HERE / name

    parquet = pyarrow.parquet.write_table
    parquet(full, put("pyarrow-snappy.parquet"), row_group_size=3)
    for codec in ["zstd", "gzip", "lz4", "none"]:
        name = put(f"pyarrow-{codec}.parquet", plain.to_pylist())
        parquet(plain, name, compression=codec, data_page_version="2.0", use_dictionary=False)
    large = plain.set_column(0, "text", plain["text"].cast(pa.large_string()))
    parquet(large, put("pyarrow-large.parquet", plain.to_pylist()))
    frame = polars.from_arrow(plain)
    frame.write_parquet(put("polars.parquet", plain.to_pylist()))
    frame.write_ipc(put("polars.arrow", plain.to_pylist()), compression="lz4")
    frame.write_ipc(put("polars-zstd.feather", plain.to_pylist()), compression="zstd")
    duckdb.from_arrow(plain).write_parquet(str(put("duckdb.parquet", plain.to_pylist())))
    pyarrow.feather.write_feather(full, str(put("pyarrow.feather")))
    with pa.ipc.new_stream(str(put("pyarrow.arrows")), full.schema) as stream:
        stream.write_table(full, max_chunksize=3)
    with pa.ipc.new_file(str(put("pyarrow.arrow")), full.schema) as file:
        file.write_table(full, max_chunksize=3)
    view = plain.set_column(0, "text", plain["text"].cast(strings).cast(pa.string_view()))
    sink = io.BytesIO()
    with pa.ipc.new_file(sink, view.schema) as file:
        file.write_table(view)
    put("pyarrow-view.arrow.gz", plain.to_pylist()).write_bytes(gzip.compress(sink.getvalue()))


def compressed(expected: dict[str, object]) -> None:
    """Write JSON Lines in two members, frames or streams, cut within a line."""
    given = [{"id": f"r{n}", "text": text, "k": n} for n, text in enumerate(TEXTS)]
    data = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in given).encode()
    halves = data[:50], data[50:]
    zstd = zstandard.ZstdCompressor()
    long = zstandard.ZstdCompressor(
        compression_params=zstandard.ZstdCompressionParameters(window_log=28, enable_ldm=True)
    )
    for ending, compress in {
        "gz": gzip.compress,
        "zst": zstd.compress,
        "bz2": bz2.compress,
        "xz": lzma.compress,
    }.items():
        name = f"members.jsonl.{ending}"
        expected[name] = rows(name, given)
        (HERE / name).write_bytes(b"".join(compress(half) for half in halves))
    expected["long.jsonl.zst"] = rows("long.jsonl.zst", given)
    (HERE / "long.jsonl.zst").write_bytes(long.compressobj().compress(data) or b"")
    with (HERE / "long.jsonl.zst").open("wb") as out, long.stream_writer(out) as stream:
        stream.write(data)


def separated(expected: dict[str, object]) -> None:
    given = [
        {"id": "" if n == 2 else f"c{n}", "text": t, "k,1": str(n)} for n, t in enumerate(TEXTS)
    ]
    for name, dialect in {"python.csv": "excel", "python.tsv": "excel-tab"}.items():
        with (HERE / name).open("w", newline="", encoding="utf-8-sig") as out:
            writer = csv.DictWriter(out, ["id", "text", "k,1"], dialect=dialect)
            writer.writeheader()
            writer.writerows(given)
        lines = [2, 3, 5, 6]
        expected[name] = [
            {
                "id": row["id"] or f"{name}:{line}",
                "text": row["text"],
                "line": line,
                "fields": {"k,1": row["k,1"]},
            }
            for row, line in zip(given, lines, strict=True)
        ]


def archives(expected: dict[str, object]) -> None:
    name = "webdataset.tar"
    long = "folder/" + "long-name-" * 12
    with webdataset.TarWriter(str(HERE / name), mtime=0) as out:
        out.write({"__key__": "s0", "txt": TEXTS[0], "json": {"k": 1}, "cls": 7})
        out.write({"__key__": "s1", "txt": TEXTS[1], "jpg": b"\xff\xd8 no picture"})
        out.write({"__key__": long, "json": {"text": TEXTS[3], "id": "own"}})
        out.write({"__key__": "s3", "jpg": b"\xff\xd8 alone"})
    expected[name] = [
        {"id": f"{name}:s0", "text": TEXTS[0], "line": 1, "fields": {"k": 1, "cls": "7"}},
        {"id": f"{name}:s1", "text": TEXTS[1], "line": 2, "fields": {"members": ["jpg"]}},
        {"id": "own", "text": TEXTS[3], "line": 3, "fields": {}},
    ]


def crawls(expected: dict[str, object]) -> None:
    date = "2024-02-29T12:34:56Z"
    pages = [
        ("text/html; charset=utf-8", b"<title>One</title><p>Crawled &amp; kept.</p>"),
        ("image/png", b"\x89PNG"),
        ("text/plain; charset=iso-8859-1", "caf\u00e9".encode("latin-1")),
    ]
    for ending, is_gzip in {"warc.gz": True, "warc": False}.items():
        name = f"warcio.{ending}"
        with (HERE / name).open("wb") as out:
            writer = WARCWriter(out, gzip=is_gzip)
            writer.write_record(writer.create_warcinfo_record(name, {"software": "warcio"}))
            for number, (media_type, body) in enumerate(pages):
                head = StatusAndHeaders("200 OK", [("Content-Type", media_type)], "HTTP/1.1")
                record = writer.create_warc_record(
                    f"http://example.org/{number}",
                    "response",
                    payload=io.BytesIO(body),
                    http_headers=head,
                    warc_headers_dict={
                        "WARC-Date": date,
                        "WARC-Record-ID": f"<urn:uuid:{number:032}>",
                    },
                )
                writer.write_record(record)
        of = lambda number, media_type: {  # noqa: E731
            "url": f"http://example.org/{number}",
            "date": date,
            "status": 200,
            "media_type": media_type,
        }
        expected[name] = [
            {
                "id": f"urn:uuid:{0:032}",
                "text": "Crawled & kept.",
                "line": 2,
                "fields": {**of(0, "text/html"), "title": "One"},
            },
            {
                "id": f"urn:uuid:{2:032}",
                "text": "café",
                "line": 4,
                "fields": of(2, "text/plain"),
            },
        ]
    name = "warcio.warc.wet.gz"
    with (HERE / name).open("wb") as out:
        writer = WARCWriter(out, gzip=True)
        record = writer.create_warc_record(
            "http://example.org/wet",
            "conversion",
            payload=io.BytesIO("Überschrift\nText.".encode()),
            warc_content_type="text/plain",
            warc_headers_dict={
                "WARC-Date": date,
                "WARC-Record-ID": f"<urn:uuid:{9:032}>",
                "WARC-Identified-Content-Language": "deu",
            },
        )
        writer.write_record(record)
    expected[name] = [
        {
            "id": f"urn:uuid:{9:032}",
            "text": "Überschrift\nText.",
            "line": 1,
            "fields": {
                "url": "http://example.org/wet",
                "date": date,
                "languages": "deu",
                "media_type": "text/plain",
            },
        }
    ]


def main() -> None:
    HERE.mkdir(exist_ok=True)
    expected: dict[str, object] = {}
    for make in [tables, compressed, separated, archives, crawls]:
        make(expected)
    text = json.dumps(expected, indent=1, ensure_ascii=False, sort_keys=True)
    (HERE / "expected.json").write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    main()
