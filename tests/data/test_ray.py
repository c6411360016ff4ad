"""Pipelines on Ray: a cluster of two raylets on this machine, the output of one process."""

from __future__ import annotations

import gzip
import json
import os
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from stores import S3, Store

from nexus.data import Pipeline, Report

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
ray = pytest.importorskip("ray", reason="./x test --with ray")
pytest.importorskip("ray.data", reason="./x test --with ray")

import pyarrow  # noqa: E402  (there is no Ray without the lines above)
from ray.cluster_utils import Cluster  # noqa: E402

from nexus.data import _ray  # noqa: E402

STORE_BYTES = 128 << 20


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    node = {"num_cpus": 1, "object_store_memory": STORE_BYTES}
    cluster = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
    cluster.add_node(**node)
    ray.init(address=cluster.address, logging_level="ERROR", log_to_driver=False)
    yield cluster
    ray.shutdown()
    cluster.shutdown()


@pytest.fixture
def s3() -> Iterator[Store]:
    store = S3()
    yield store
    store.stop()


def corpus(folder: Path, documents: int) -> Path:
    """Records with exact and near copies and broken lines, and small documents."""
    source = folder / "in"
    source.mkdir()
    rng = random.Random(11)
    vocabulary = [f"w{number}" for number in range(5000)]
    texts: list[list[str]] = []
    for part in range(6):
        lines = []
        for number in range(documents // 6):
            kind = rng.random()
            words = rng.choices(vocabulary, k=rng.randrange(30, 300))
            if texts and kind < 0.3:
                words = list(rng.choice(texts))
                if kind < 0.15:
                    words[rng.randrange(len(words))] = "changed"
            else:
                texts.append(words)
            lines.append(json.dumps({"id": f"{9 - part}-{number:05}", "text": " ".join(words)}))
            if kind > 0.98:
                lines.append('{"text": oops}')
        data = "\n".join(lines).encode()
        packed = gzip.compress(data, mtime=0) if part % 2 else data
        # A file that was cut: its end is rejected.
        packed = packed[:-20] if part == 5 else packed
        (source / f"{part}.jsonl{'.gz' if part % 2 else ''}").write_bytes(packed)
    for number in range(8):
        (source / f"page-{number}.html").write_text(f"<title>T</title><p>Page {number // 2} here")
    (source / "other.bin").write_bytes(b"?")
    return source


def counts(report: Report) -> dict[str, object]:
    return {
        "rows": report.rows,
        "duplicates": report.duplicates,
        "dropped": report.dropped,
        "rejected": (report.rejected, report.rejected_samples),
        "skipped": (report.skipped, report.skipped_samples),
        "files": report.files,
        "steps": [(step.name, step.rows_in, step.rows_out) for step in report.steps],
    }


def written(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def check(
    folder: Path, pipeline: Pipeline, output: str, memory: str | None = None, **how: object
) -> None:
    """Whether Ray and one process write the same files and tell the same."""

    def into(place: Path) -> Pipeline:
        place.mkdir()
        pipe = pipeline.write(place / output, **how)  # type: ignore[arg-type]
        return pipe.write_rejects(place / "rejects").write_audit(place / "audit")

    one, many = folder / "one", folder / "many"
    expected = into(one).run(memory=memory)
    found = into(many).to_ray(memory=memory).run()
    assert counts(found) == counts(expected)
    assert expected.rows and expected.rejected
    assert written(many) == written(one)


def test_a_streaming_plan_writes_the_bytes_of_one_process(cluster: Cluster, tmp_path: Path) -> None:
    plan = Pipeline(corpus(tmp_path, 3000)).clean().quality("gopher_quality", min_stop_words=None)
    check(tmp_path, plan.min_chars(300), "out.jsonl.gz")


def test_the_first_of_exact_copies_stays(cluster: Cluster, tmp_path: Path) -> None:
    plan = Pipeline(corpus(tmp_path, 3000)).min_chars(10).dedup_exact().min_chars(300)
    check(tmp_path, plan, "out.parquet")


def test_near_copies_with_and_without_their_similarity(cluster: Cluster, tmp_path: Path) -> None:
    source = corpus(tmp_path, 3000)
    verified = Pipeline(source).dedup_exact().dedup_near(threshold=0.9).clean()
    (tmp_path / "a").mkdir()
    check(tmp_path / "a", verified, "out", format="jsonl.zst", shard_size_bytes=100_000)
    least = Pipeline(source).dedup_exact(keep="least_id", ignore_space=False)
    least = least.dedup_near(keep="least_id", threshold=None)
    (tmp_path / "b").mkdir()
    check(tmp_path / "b", least, "out", memory="256MiB", format="jsonl.gz", records=True)


def test_much_to_compare_is_shuffled(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_ray, "_JOIN_BYTES", 0)
    monkeypatch.setattr(_ray, "_GROUP_BYTES", 1 << 17)
    plan = Pipeline(corpus(tmp_path, 3000)).dedup_exact().dedup_near(threshold=0.9)
    check(tmp_path, plan.min_chars(300), "out.jsonl.gz")


def test_images_are_decoded_by_workers(cluster: Cluster, tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    images = sorted(Path(__file__).parents[2].glob("crates/image/tests/files/s*.jpg"))
    for number in range(40):
        (source / f"{number}.jpg").write_bytes(images[number % len(images)].read_bytes())
    (source / "z.jpg").write_bytes(b"no image")
    plan = Pipeline(source).images().image_tensors(width=32, height=32)
    check(tmp_path, plan, "out.parquet")


def test_object_stores_are_read_by_workers_and_written_by_one_process(
    cluster: Cluster, tmp_path: Path, s3: Store
) -> None:
    s3.put_folder(corpus(tmp_path, 600), "in/")
    names = {
        "AWS_ENDPOINT_URL": "aws_endpoint",
        "AWS_ACCESS_KEY_ID": "aws_access_key_id",
        "AWS_SECRET_ACCESS_KEY": "aws_secret_access_key",
        "AWS_REGION": "aws_region",
    }
    # The workers' environment is not that of the test.
    options = {names[key]: value for key, value in s3.environment.items()}
    plan = Pipeline(s3.url("in")).storage(aws_allow_http=True, **options).dedup_exact()

    def into(name: str) -> Pipeline:
        return plan.write(s3.url(name), format="jsonl.gz", shard_size_bytes=20_000)

    expected = into("one").run()
    assert counts(into("many").to_ray().run()) == counts(expected)
    one = s3.below("one/")
    assert len(one) > 3
    assert s3.below("many/") == one


def test_what_cannot_be_cut_says_what_to_do_instead(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a")
    plan = Pipeline(tmp_path)
    share, one = "run(node=", "one process"
    cases = [
        (plan.dedup_lines(), "dedup_lines", share),
        (plan.clean().dedup_substrings(), "dedup_substrings", share),
        (plan.dedup_exact(index=[tmp_path]), "dedup_exact", share),
        (plan.dedup_near(write_index=tmp_path / "index"), "dedup_near", share),
        (plan.images().dedup_images(), "dedup_images", one),
        (Pipeline.from_arrow(pyarrow.table({"text": ["a"]})), "Arrow", "files"),
    ]
    for refused, what, hint in cases:
        with pytest.raises(ValueError, match=what) as raised:
            refused.to_ray()
        assert hint in " ".join(raised.value.__notes__)


def test_functions_travel_and_their_first_error_is_raised(cluster: Cluster, tmp_path: Path) -> None:
    source = corpus(tmp_path, 600)
    limit = 500
    plan = Pipeline(source).map(lambda row: row["text"].upper()).dedup_exact()
    plan = plan.filter(lambda row: len(row["text"]) > limit)
    plan = plan.map_batches(lambda batch: pyarrow.record_batch(batch).slice(1), name="rest")
    check(tmp_path, plan, "out.jsonl")

    def fail(row: dict[str, object]) -> bool:
        if row["source"] != str(source / "0.jsonl"):
            raise LookupError(f"no {row['source']}")
        return True

    output = tmp_path / "none.jsonl"
    with pytest.raises(LookupError, match=r"1\.jsonl\.gz"):
        Pipeline(source).filter(fail).dedup_exact().write(output).to_ray().run()
    assert not output.exists()


def test_without_an_output_rows_are_counted_or_a_dataset(cluster: Cluster, tmp_path: Path) -> None:
    plan = Pipeline(corpus(tmp_path, 600)).dedup_exact().min_chars(500)
    assert counts(plan.to_ray().run()) == counts(plan.run())
    rows = plan.to_ray(workers=1).dataset().take_all()
    assert [row["id"] for row in rows] == [row["id"] for row in plan]
    with pytest.raises(ValueError, match="without an output"):
        plan.write(tmp_path / "out.jsonl").to_ray().dataset()


def test_a_raylet_that_is_killed_loses_nothing(cluster: Cluster, tmp_path: Path) -> None:
    source = corpus(tmp_path, 6000)
    for path in list(source.glob("*.jsonl*")):
        # So many files that no node has all of them in its hands.
        for copy in "abc":
            (source / f"{copy}-{path.name}").write_bytes(path.read_bytes())
    marks = tmp_path / "marks"
    marks.mkdir()
    doomed = cluster.add_node(num_cpus=1, object_store_memory=STORE_BYTES)
    mark = marks / doomed.node_id
    until = time.time() + 120

    def slow(row: dict[str, object]) -> str:
        # The others wait until the node that is killed has begun.
        if ray.get_runtime_context().get_node_id() == mark.name:
            mark.touch()
        while not mark.exists() and time.time() < until:
            time.sleep(0.05)
        time.sleep(0.0005)
        return str(row["text"])

    def kill() -> None:
        while not mark.exists() and time.time() < until:
            time.sleep(0.05)
        cluster.remove_node(doomed, allow_graceful=False)

    def plan(place: Path) -> Pipeline:
        pipeline = Pipeline(source).map(slow).dedup_exact().dedup_near().clean()
        return pipeline.write(place).write_audit(place.with_suffix(".audit"))

    plain = Pipeline(source).map(lambda row: row["text"]).dedup_exact().dedup_near().clean()
    plain = plain.write(tmp_path / "one.jsonl.gz").write_audit(tmp_path / "one.jsonl.audit")
    expected = plain.run()
    killer = threading.Thread(target=kill)
    killer.start()
    found = plan(tmp_path / "many.jsonl.gz").to_ray().run()
    killer.join()
    assert mark.exists()
    assert counts(found) == counts(expected)
    for name in ("jsonl.gz", "jsonl.audit"):
        assert (tmp_path / f"many.{name}").read_bytes() == (tmp_path / f"one.{name}").read_bytes()
