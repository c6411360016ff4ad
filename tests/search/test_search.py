"""The search from folder to hits: what it finds, how it ranks, and that all ways in agree."""

from __future__ import annotations

import itertools
import json
import os
from pathlib import Path

import boto3
import numpy as np
import pytest
from safetensors import safe_open

from nexus.serve import Client
from program import Json, Nexus, Query, build_index, embed, hits_of, post, write_documents

ANSWERED_MIN = 18
# Sums of 384 products differ in the last bits with the order of addition.
SCORE_NOISE = 1e-5


class Index:
    """An index file as any reader of safetensors sees it."""

    def __init__(self, path: Path) -> None:
        with safe_open(path, "np") as file:
            self.metadata: dict[str, str] = file.metadata()
            self.vectors = file.get_tensor("vectors")
            records = file.get_tensor("records").tobytes()
            offsets = file.get_tensor("offsets").tolist()
        self.records: list[Json] = [
            json.loads(records[start:end]) for start, end in itertools.pairwise(offsets)
        ]


@pytest.fixture(scope="module")
def opened(index: Path) -> Index:
    return Index(index)


def query(nexus: Nexus, model_dir: Path, index: Path, text: str, k: int = 5) -> list[Json]:
    arguments = ("--index", index, "--model", model_dir, "-k", k)
    return hits_of(nexus.json("search", "query", text, *arguments))


def test_the_index_is_a_safetensors_file(opened: Index) -> None:
    assert opened.vectors.dtype == np.float32
    assert opened.vectors.shape == (len(opened.records), 384)
    assert len(opened.records) > 5_000
    assert opened.metadata["passages"] == str(len(opened.records))
    assert np.allclose(np.linalg.norm(opened.vectors, axis=1), 1.0, atol=1e-5)


def test_at_least_18_of_20_questions_find_their_module(
    nexus: Nexus, model_dir: Path, index: Path, queries: list[Query]
) -> None:
    assert len(queries) == 20
    missed = {}
    for item in queries:
        hits = query(nexus, model_dir, index, item.text)
        assert len(hits) == 5
        if not item.is_answered_by(hits):
            missed[item.text] = [hit["title"] for hit in hits]
    assert len(queries) - len(missed) >= ANSWERED_MIN, missed


def test_the_ranking_is_that_of_a_dot_product(
    nexus: Nexus, model_dir: Path, index: Path, queries: list[Query], opened: Index
) -> None:
    vectors = embed(nexus, model_dir, [item.text for item in queries])
    for item, vector in zip(queries, vectors, strict=True):
        scores = opened.vectors @ vector
        expected = np.argsort(-scores, kind="stable")[:20]
        hits = query(nexus, model_dir, index, item.text, k=20)
        rows = [int(str(hit["position"])) for hit in hits]
        assert all(
            opened.records[row].items() <= hit.items() for row, hit in zip(rows, hits, strict=True)
        )
        assert np.allclose(scores_of(hits), scores[rows], atol=SCORE_NOISE)
        for rank, (row, wanted) in enumerate(zip(rows, expected, strict=True)):
            same_score = abs(scores[row] - scores[wanted]) < SCORE_NOISE
            is_noise = same_score and not np.array_equal(
                opened.vectors[row], opened.vectors[wanted]
            )
            assert row == wanted or is_noise, f"{item.text}: rank {rank} is {row}, not {wanted}"


def test_more_hits_asked_for_than_there_are_gives_all(
    nexus: Nexus, model_dir: Path, tmp_path: Path
) -> None:
    write_documents(tmp_path / "source", 3)
    build_index(nexus, model_dir, tmp_path / "source", tmp_path / "index.safetensors")
    hits = query(nexus, model_dir, tmp_path / "index.safetensors", "tea", k=10)
    scores = scores_of(hits)
    assert len(hits) == 3
    assert scores == sorted(scores, reverse=True)


def test_ten_injected_duplicates_are_gone(nexus: Nexus, model_dir: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    write_documents(source, 12)
    for number in range(10):
        copied = (source / f"{number:02}.txt").read_bytes()
        (source / f"copy-of-{number:02}.txt").write_bytes(copied)
    report = build_index(nexus, model_dir, source, tmp_path / "index.safetensors")
    assert report["duplicates"] == 10
    texts = [str(record["text"]) for record in Index(tmp_path / "index.safetensors").records]
    assert len(texts) == len(set(texts)) == 12


def test_a_build_is_repeatable(nexus: Nexus, model_dir: Path, tmp_path: Path) -> None:
    write_documents(tmp_path / "source", 30)
    for name in ("first", "second"):
        build_index(nexus, model_dir, tmp_path / "source", tmp_path / name)
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


def test_an_unchanged_source_is_not_built_again_and_a_changed_one_is(
    nexus: Nexus, model_dir: Path, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    write_documents(source, 4)
    # None of these is text: they neither block the program nor count as a change.
    os.mkfifo(source / "pipe.txt")
    (source / "loop").symlink_to(source)
    out = source / "index.safetensors"
    assert build_index(nexus, model_dir, source, out)["outcome"] == "built"
    assert build_index(nexus, model_dir, source, out)["outcome"] == "unchanged"
    (source / "00.txt").write_text("Another text about something else.", "utf-8")
    assert build_index(nexus, model_dir, source, out)["outcome"] == "built"


def test_program_http_boto3_and_client_agree(
    nexus: Nexus, model_dir: Path, index: Path, url: str, queries: list[Query]
) -> None:
    boto = boto3.client(
        "sagemaker-runtime",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="none",
        aws_secret_access_key="none",
    )
    for item in queries[:5]:
        payload: Json = {"query": item.text, "k": 5}
        expected = query(nexus, model_dir, index, item.text)
        check_hits(hits_of(post(f"{url}/invocations", payload)), expected)
        check_hits(hits_of(post(f"{url}/endpoints/search/invocations", payload)), expected)
        answer = boto.invoke_endpoint(
            EndpointName="search",
            ContentType="application/json",
            Accept="application/json",
            Body=json.dumps(payload),
        )
        check_hits(hits_of(json.load(answer["Body"])), expected)
        with Client(url, "search") as client:
            found = client.invoke({"query": item.text, "k": 5})
        assert isinstance(found, dict)
        check_hits(hits_of({**found}), expected)


def check_hits(hits: list[Json], expected: list[Json]) -> None:
    assert [{**hit, "score": 0} for hit in hits] == [{**hit, "score": 0} for hit in expected]
    assert np.allclose(scores_of(hits), scores_of(expected), atol=SCORE_NOISE)


def scores_of(hits: list[Json]) -> list[float]:
    return [float(str(hit["score"])) for hit in hits]
