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

from nexus.data import Pipeline, Report

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
ray = pytest.importorskip("ray", reason="./x test --with ray")
pytest.importorskip("ray.data", reason="./x test --with ray")

from ray.cluster_utils import Cluster  # noqa: E402  (there is no Ray without the lines above)

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


def test_functions_travel_and_their_first_error_is_raised(cluster: Cluster, tmp_path: Path) -> None:
    source = corpus(tmp_path, 600)
    limit = 500
    plan = Pipeline(source).map(lambda row: row["text"].upper()).dedup_exact()
    check(tmp_path, plan.filter(lambda row: len(row["text"]) > limit), "out.jsonl")

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
    marks = tmp_path / "marks"
    marks.mkdir()
    doomed = cluster.add_node(num_cpus=1, object_store_memory=STORE_BYTES)

    def slow(row: dict[str, object]) -> str:
        # Says where it works, so that the test knows when the node is in the middle of it.
        name = ray.get_runtime_context().get_node_id()
        (marks / name).touch()
        time.sleep(0.002)
        return str(row["text"])

    def kill() -> None:
        until = time.monotonic() + 120
        while not (marks / doomed.node_id).exists() and time.monotonic() < until:
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
    assert (marks / doomed.node_id).exists()
    assert counts(found) == counts(expected)
    for name in ("jsonl.gz", "jsonl.audit"):
        assert (tmp_path / f"many.{name}").read_bytes() == (tmp_path / f"one.{name}").read_bytes()
