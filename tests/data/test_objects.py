"""Pipelines that read from object stores and write to them, against real servers of each kind."""

from __future__ import annotations

import functools
import gzip
import http.server
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from stores import S3, Azure, Gcs, GcsXml, Store, clear_environment

from nexus.data import OutputFormat, Pipeline


@pytest.fixture(scope="module", params=["s3", "gs", "gs-xml", "az"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Store]:
    store: Store
    match request.param:
        case "s3":
            store = S3()
        case "gs":
            store = Gcs()
        case "gs-xml":
            store = GcsXml()
        case _:
            store = Azure(tmp_path_factory.mktemp("azurite"))
    yield store
    store.stop()


@pytest.fixture
def store(server: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    clear_environment(monkeypatch)
    for key, value in server.environment.items():
        monkeypatch.setenv(key, value)
    return server


@pytest.fixture
def sink(store: Store) -> Store:
    """A server that is written to."""
    if isinstance(store, Gcs):
        pytest.skip("fake-gcs-server takes no writes of the XML interface")
    return store


@pytest.fixture(scope="module")
def s3_server() -> Iterator[Store]:
    store = S3()
    yield store
    store.stop()


@pytest.fixture
def s3(s3_server: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    clear_environment(monkeypatch)
    for key, value in s3_server.environment.items():
        monkeypatch.setenv(key, value)
    return s3_server


def lines(first: int, count: int) -> str:
    rng = random.Random(first)
    rows = (
        {"id": f"r{row}", "text": " ".join(rng.choices("abcdefgh", k=12)), "n": row}
        for row in range(first, first + count)
    )
    return "".join(json.dumps(row) + "\n" for row in rows)


def corpus(folder: Path) -> Path:
    """Files of all kinds, whose order by name is not that of their keys."""
    source = folder / "in"
    (source / "a").mkdir(parents=True)
    (source / "deep/er").mkdir(parents=True)
    (source / ".hidden").mkdir()
    (source / "a/x.txt").write_text("in a folder")
    (source / "a.txt").write_text("beside the folder")
    (source / "é b.html").write_text("<title>T</title><p>a page")
    (source / ".hidden/h.txt").write_text("not read")
    (source / "other.bin").write_bytes(b"skipped")
    (source / "deep/er/l.jsonl.gz").write_bytes(gzip.compress(lines(0, 3000).encode()))
    (source / "deep/plain.jsonl").write_text(lines(3000, 3000) + "{\n")
    for ending in ("parquet", "arrow", "jsonl.zst", "tar"):
        Pipeline(source / "deep/plain.jsonl").write(source / f"deep/t.{ending}").run()
    return source


def rows(pipeline: Pipeline) -> list[tuple[str, str, int | None]]:
    return [(row["id"], row["text"], row["line"]) for row in pipeline]


def test_what_is_read_from_a_store_is_what_is_read_from_a_disk(
    store: Store, tmp_path: Path
) -> None:
    source = corpus(tmp_path)
    store.put_folder(source, "read/in/")
    for place in ("", "a.txt", "deep", "deep/er/l.jsonl.gz", "**/*.txt", "deep/t.*", "*p"):
        local = Pipeline(source / place if place else source)
        remote = Pipeline(store.url(f"read/in/{place}"))
        assert rows(remote) == rows(local), place
        here, there = local.run(), remote.run()
        assert (there.rows, there.rejected, there.skipped) == (
            here.rows,
            here.rejected,
            here.skipped,
        )
        steps = [(step.rows_out, step.bytes_in) for step in there.steps]
        assert steps == [(step.rows_out, step.bytes_in) for step in here.steps]
    first = next(iter(Pipeline(store.url("read/in/a.txt"))))
    assert first["source"] == store.url("read/in/a.txt")


FORMATS: list[tuple[OutputFormat, int]] = [
    ("jsonl", 1 << 16),
    ("jsonl.gz", 1 << 14),
    ("jsonl.zst", 1 << 14),
    ("parquet", 1 << 16),
    ("arrow", 1 << 16),
    ("mds", 1 << 16),
    ("webdataset", 1 << 18),
]


@pytest.mark.parametrize(("name", "size"), FORMATS)
def test_what_is_written_to_a_store_is_what_is_written_to_a_disk(
    sink: Store, tmp_path: Path, name: OutputFormat, size: int
) -> None:
    (tmp_path / "in.jsonl").write_text(lines(0, 4000))
    pipeline = Pipeline(tmp_path / "in.jsonl")

    def write(target: str | Path, pipeline: Pipeline = pipeline) -> None:
        pipeline.write(target, format=name, shard_size_bytes=size).run(threads=2)

    write(tmp_path / "out")
    there = sink.url(f"write/{name}/")
    write(there)
    whole = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert len(whole) > 2
    assert sink.below(f"write/{name}/") == whole
    # An older output is replaced, also where it had more shards.
    sink.put(f"write/{name}/notes.txt", b"not ours")
    (tmp_path / "one.jsonl").write_text(lines(0, 1))
    write(there, Pipeline(tmp_path / "one.jsonl"))
    found = sink.below(f"write/{name}/")
    assert found.pop("notes.txt") == b"not ours"
    names = {"_manifest.json", f"part-00000.{'tar' if name == 'webdataset' else name}"}
    assert set(found) == names | ({"index.json"} if name == "mds" else set())
    assert sink.unfinished() == 0


@pytest.mark.parametrize("mebibytes", [7, 20])
def test_shards_may_be_smaller_or_larger_than_a_part(
    sink: Store, tmp_path: Path, mebibytes: int
) -> None:
    text = "lorem ipsum " * 1000
    rows = (json.dumps({"text": f"{row} {text}"}) + "\n" for row in range(4000))
    (tmp_path / "in.jsonl").write_text("".join(rows))
    pipeline = Pipeline(tmp_path / "in.jsonl")
    for target in (tmp_path / "out", sink.url(f"parts/{mebibytes}")):
        pipeline.write(target, format="jsonl", shard_size_bytes=mebibytes << 20).run(threads=2)
    whole = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert sink.below(f"parts/{mebibytes}/") == whole
    assert sink.unfinished() == 0


@pytest.mark.parametrize("ending", ["jsonl", "jsonl.gz", "parquet", "bin", "safetensors"])
def test_one_file_is_one_object(sink: Store, tmp_path: Path, ending: str) -> None:
    (tmp_path / "vocab.txt").write_text("[UNK]\na\nb\nc\nd\ne\nf\ng\nh\n")
    (tmp_path / "in.jsonl").write_text(lines(0, 500))
    pipeline = Pipeline(tmp_path / "in.jsonl").tokenize(tmp_path / "vocab.txt")
    pipeline.write(tmp_path / f"out.{ending}").run()
    pipeline.write(sink.url(f"one/out.{ending}")).run()
    found = sink.below(f"one/out.{ending}")
    assert found[""] == (tmp_path / f"out.{ending}").read_bytes()
    if ending == "bin":
        assert sink.get("one/out.idx") == (tmp_path / "out.idx").read_bytes()
    assert sink.unfinished() == 0


def test_a_run_that_fails_leaves_the_old_output_and_nothing_else(
    sink: Store, tmp_path: Path
) -> None:
    (tmp_path / "in.jsonl").write_text(lines(0, 20_000))
    target = sink.url("fail/out")
    source = Pipeline(tmp_path / "in.jsonl")
    source.filter(lambda row: row["fields"]["n"] < 10).write(target, format="jsonl").run()
    old = sink.below("fail/")
    assert set(old) == {"out/_manifest.json", "out/part-00000.jsonl"}

    def fail(row: object) -> bool:
        if row["fields"]["n"] == 15_000:  # type: ignore[index]
            raise RuntimeError("at 15,000")
        return True

    for output in (
        source.filter(fail).write(target, format="jsonl", shard_size_bytes=1 << 16),
        source.filter(fail).write(sink.url("fail/one.jsonl")),
    ):
        with pytest.raises(RuntimeError, match="at 15,000"):
            output.run()
        assert sink.below("fail/") == old
        assert sink.unfinished() == 0


def test_a_folder_of_others_is_not_written_to(store: Store, tmp_path: Path) -> None:
    store.put("others/a/b.txt", b"precious")
    (tmp_path / "a.txt").write_text("a")
    for target in ("others", "others/a/"):
        with pytest.raises(ValueError, match="other files than a pipeline's"):
            Pipeline(tmp_path / "a.txt").write(store.url(target), format="jsonl").run()
    assert store.below("others/") == {"a/b.txt": b"precious"}


def test_an_output_that_appears_just_now_is_not_read(sink: Store) -> None:
    sink.put("half/part-00000.jsonl", lines(0, 1).encode())
    sink.put("half/_writing.json", b"{}")
    with pytest.raises(ConnectionError, match="a run is writing there"):
        Pipeline(sink.url("half")).run()
    # A run that was ended there can be run again.
    sink.put("again/in.jsonl", lines(0, 3).encode())
    Pipeline(sink.url("again/in.jsonl")).write(sink.url("half"), format="jsonl").run()
    assert set(sink.below("half/")) == {"_manifest.json", "part-00000.jsonl"}
    assert Pipeline(sink.url("half")).run().rows == 3


def test_what_is_not_there_is_said(store: Store, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no file to read"):
        Pipeline(store.url("nothing/here")).run()
    missing = f"{store.scheme}://no-such-bucket/a"
    # fake-gcs-server answers with status 500, unlike Google.
    with pytest.raises(OSError, match=r"no such bucket|no file to read|no bucket named"):
        Pipeline(missing).run()
    (tmp_path / "a.txt").write_text("a")
    with pytest.raises(OSError, match=r"cannot (write|list)"):
        Pipeline(tmp_path / "a.txt").write(f"{missing}.jsonl").run()


def test_without_credentials_the_error_names_the_variables(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    clear_environment(monkeypatch)
    monkeypatch.setenv("HOME", str(tmp_path))
    for url, variable in (
        ("s3://bucket/a.txt", "AWS_ACCESS_KEY_ID"),
        ("gs://bucket/a.txt", "GOOGLE_APPLICATION_CREDENTIALS"),
        ("az://container/a.txt", "AZURE_STORAGE_ACCOUNT_KEY"),
    ):
        with pytest.raises(PermissionError, match="there are no credentials") as caught:
            Pipeline(url).run()
        assert variable in caught.value.__notes__[0]


def test_a_wrong_key_is_refused(
    tmp_path: Path, server: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not isinstance(server, Azure):
        pytest.skip("only Azurite looks at signatures")
    clear_environment(monkeypatch)
    for key, value in server.environment.items():
        monkeypatch.setenv(key, value)
    wrong = Pipeline(server.url("")).storage(azure_storage_account_key="d3Jvbmc=")
    with pytest.raises(PermissionError, match=r"AuthorizationFailure|refuses"):
        wrong.run()


def test_options_go_before_the_environment(s3: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    s3.put("options/a.txt", b"a")
    endpoint = s3.environment["AWS_ENDPOINT_URL"]
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    pipeline = Pipeline(s3.url("options/a.txt")).storage(aws_endpoint=endpoint, aws_allow_http=True)
    assert pipeline.run().rows == 1
    assert "127.0.0.1" not in pipeline.to_toml() + repr(pipeline)
    for options in ({"aws_regoin": "x"}, {"aws_region": 1.5}):
        with pytest.raises((ValueError, TypeError), match="option"):
            Pipeline("a").storage(**options)  # type: ignore[arg-type]


def test_a_large_object_takes_no_more_memory_than_a_small_one(s3: Store) -> None:
    count = 60_000
    text = "".join(
        json.dumps({"text": f"{row} " + "lorem ipsum " * 200}) + "\n" for row in range(count)
    )
    s3.put("large/in.jsonl", text.encode())
    assert len(text) > 130 << 20
    del text
    script = """
import resource, sys
from nexus.data import Pipeline
base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
report = Pipeline(sys.argv[1]).clean().write(sys.argv[2]).run(threads=2)
print(report.rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - base)
"""
    command = [sys.executable, "-c", script, s3.url("large/in.jsonl"), s3.url("large/out.jsonl")]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found, kibibytes = map(int, printed.split())
    assert found == count
    # Four segments of 4 MiB ahead, four parts of 8 MiB behind, and what the batches take.
    assert kibibytes < 100 << 10
    assert s3.unfinished() == 0


RUN = """
import sys
from nexus.data import Pipeline
Pipeline(sys.argv[1]).dedup_exact(keep="least_id").dedup_near(threshold=0.8).clean().write(
    sys.argv[2], format="jsonl.gz", shard_size_bytes=1 << 15
).run(threads=2, memory="64MiB", resume=True)
"""


def test_a_run_that_is_killed_goes_on_to_the_same_objects(s3: Store, tmp_path: Path) -> None:
    rng = random.Random(7)
    vocabulary = [f"w{number}" for number in range(5000)]
    for part in range(4):
        texts = [" ".join(rng.choices(vocabulary, k=200)) for _ in range(800)]
        texts[-40:] = texts[:40]
        rows = (json.dumps({"id": f"{part}-{n}", "text": text}) for n, text in enumerate(texts))
        s3.put(f"kill/in/{part}.jsonl", "\n".join(rows).encode())
    environment = {**os.environ, "TMPDIR": str(tmp_path)}

    def run(name: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", RUN, s3.url("kill/in"), s3.url(f"kill/{name}")]
        return subprocess.Popen(command, env=environment)

    start = time.monotonic()
    assert run("whole").wait() == 0
    seconds = time.monotonic() - start
    whole = s3.below("kill/whole/")
    assert len(whole) > 3
    killed = 0
    for attempt in range(3):
        for _ in range(3):
            process = run(f"out-{attempt}")
            try:
                process.wait(timeout=seconds * rng.uniform(0.2, 1.0))
            except subprocess.TimeoutExpired:
                os.kill(process.pid, signal.SIGKILL)
                killed += 1
                process.wait()
        assert run(f"out-{attempt}").wait() == 0
        assert s3.below(f"kill/out-{attempt}/") == whole
    assert killed > 2
    assert list(tmp_path.glob("nexus-data-*")) == []


@pytest.fixture
def web(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Python's own web server: it knows no ranges and no tags."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None: ...

    clear_environment(monkeypatch)
    handler = functools.partial(Quiet, directory=str(tmp_path))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_files_of_a_web_server_are_read(web: str, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(lines(0, 3000).encode()))
    assert rows(Pipeline(f"{web}/a.jsonl.gz")) == rows(Pipeline(tmp_path / "a.jsonl.gz"))
    Pipeline(tmp_path / "a.jsonl.gz").write(tmp_path / "a.parquet").run()
    with pytest.raises(ValueError, match="does not answer range requests"):
        Pipeline(f"{web}/a.parquet").run()
    with pytest.raises(FileNotFoundError, match="there is no such file"):
        Pipeline(f"{web}/b.jsonl").run()


def test_nothing_is_connected_before_a_run_needs_it(tmp_path: Path) -> None:
    if not Path("/proc/self/task").exists():
        pytest.skip("threads have no names to look at here")
    (tmp_path / "a.txt").write_text("a")
    script = f"""
from pathlib import Path
from nexus.data import Pipeline
Pipeline("s3://bucket/a.txt").storage(aws_region="x").explain()
Pipeline({str(tmp_path / "a.txt")!r}).run()
names = [path.read_text() for path in Path("/proc/self/task").glob("*/comm")]
assert not any("nexus-objects" in name for name in names), names
"""
    subprocess.run([sys.executable, "-c", script], check=True)
