"""The encoder in numbers of 8 bits against that of f32: vectors, and who is found by them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from program import Nexus, Query, embed

PASSAGES = 2000
COSINE_MIN = 0.99
HITS = 10


def test_int8_finds_what_f32_finds(
    nexus: Nexus, model_dir: Path, corpus: Path, queries: list[Query]
) -> None:
    with open(corpus / "docstrings.jsonl", encoding="utf-8") as lines:
        texts = [json.loads(line)["text"] for line, _ in zip(lines, range(PASSAGES), strict=False)]
    texts += [query.text for query in queries]
    exact = embed(nexus, model_dir, texts)
    rounded = embed(nexus, model_dir, texts, precision="int8")
    cosines = (exact * rounded).sum(axis=1)
    assert cosines.min() >= COSINE_MIN, f"cosines down to {cosines.min():.4f}"
    shared, first = 0, 0
    for query in range(PASSAGES, len(texts)):
        best = [
            np.argsort(-(vectors[:PASSAGES] @ vectors[query]), kind="stable")[:HITS]
            for vectors in (exact, rounded)
        ]
        shared += len(np.intersect1d(*best))
        first += int(best[0][0] == best[1][0])
    assert shared >= 0.9 * HITS * len(queries), f"{shared} of {HITS * len(queries)} hits"
    assert first >= 0.9 * len(queries), f"{first} of {len(queries)} first hits"


def test_an_unknown_precision_is_refused_with_those_there_are(
    nexus: Nexus, model_dir: Path
) -> None:
    ended = nexus.run("search", "embed", "--model", model_dir, "--precision", "int4")
    assert ended.returncode == 2
    assert "there are `f32` and `int8`" in ended.stderr
