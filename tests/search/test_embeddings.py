"""Our embeddings against those of sentence-transformers, made by `make_expected.py`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from nexus.serve import Client, Endpoint
from program import Json, Nexus, embed, post

FOLDER = Path(__file__).parent / "expected"
COSINE_MIN = 0.9999


@pytest.fixture(scope="module")
def texts() -> list[dict[str, str]]:
    with open(FOLDER / "texts.jsonl", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def expected() -> np.ndarray:
    return load_file(FOLDER / "vectors.safetensors")["vectors"]


def check_equal(texts: list[dict[str, str]], vectors: np.ndarray, expected: np.ndarray) -> None:
    assert vectors.shape == expected.shape
    cosines = (vectors.astype(np.float64) * expected).sum(axis=1)
    wrong = [
        f"{text['note']}: {cosine:.6f}"
        for text, cosine in zip(texts, cosines, strict=True)
        if not cosine >= COSINE_MIN
    ]
    assert not wrong, f"cosines under {COSINE_MIN}: {wrong}"


def test_a_hundred_texts_are_embedded_as_sentence_transformers_does(
    nexus: Nexus, model_dir: Path, texts: list[dict[str, str]], expected: np.ndarray
) -> None:
    assert len(texts) == 100
    vectors = embed(nexus, model_dir, [text["text"] for text in texts])
    check_equal(texts, vectors, expected)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)


def test_the_endpoint_embeds_as_the_program_does(
    url: str, texts: list[dict[str, str]], expected: np.ndarray
) -> None:
    for start in range(0, len(texts), 20):
        part = slice(start, start + 20)
        payload: Json = {"texts": [text["text"] for text in texts[part]]}
        answer = post(f"{url}/endpoints/minilm/invocations", payload)
        vectors = np.array(answer["vectors"], dtype=np.float32)
        check_equal(texts[part], vectors, expected[part])


def test_the_handler_built_into_python_embeds_as_the_program_does(
    model_dir: Path, texts: list[dict[str, str]], expected: np.ndarray
) -> None:
    some = texts[:10]
    with Endpoint("minilm", model_dir=model_dir) as endpoint, Client(endpoint.url) as client:
        answer = client.invoke({"texts": [text["text"] for text in some]})
    assert isinstance(answer, dict)
    check_equal(some, np.array(answer["vectors"], dtype=np.float32), expected[:10])


def test_what_follows_256_tokens_changes_nothing(nexus: Nexus, model_dir: Path) -> None:
    # 254 words of one token each, [CLS] and [SEP].
    whole, longer, shorter = embed(
        nexus, model_dir, ["word " * 254, "word " * 254 + "banana " * 50, "word " * 253 + "banana"]
    )
    assert np.allclose(whole, longer, atol=1e-6)
    assert not np.allclose(whole, shorter, atol=1e-3)


def test_a_neighbour_in_the_batch_changes_nothing(nexus: Nexus, model_dir: Path) -> None:
    text = "Open a gzip-compressed file."
    (alone,) = embed(nexus, model_dir, [text])
    beside = embed(nexus, model_dir, ["word " * 200, text, "", text])
    assert np.allclose(alone, beside[1], atol=1e-6)
    assert np.allclose(alone, beside[3], atol=1e-6)
