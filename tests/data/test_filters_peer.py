"""Filters give the verdicts, words and sentences of datatrove, on real text.

The text is the source and the documentation of this interpreter's standard library, or the JSONL
file that the environment variable ``NEXUS_TEXT_CORPUS`` names. The Rust side is the example
``verdicts``.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXT_SIZE_MAX = 20_000
TEXTS_MAX = 80


def texts() -> Iterator[str]:
    """Give real texts: docstrings and comments are prose, code and doctests are hard cases."""
    corpus = os.environ.get("NEXUS_TEXT_CORPUS")
    if corpus is not None:
        with open(corpus, encoding="utf-8") as lines:
            for line in lines:
                yield json.loads(line)["text"]
        return
    paths = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
    paths += sorted(Path(sysconfig.get_path("stdlib"), "pydoc_data").glob("*.py"))
    for path in paths[:TEXTS_MAX]:
        yield path.read_text(encoding="utf-8", errors="replace")[:TEXT_SIZE_MAX]


def ours(path: Path) -> list[dict[str, object]]:
    """Return what the Rust example says of each text."""
    cargo = shutil.which("cargo")
    if cargo is None:
        pytest.skip("cargo is not installed")
    command = [
        cargo,
        "run",
        "--quiet",
        "--release",
        "-p",
        "nexus-text",
        "--example",
        "verdicts",
        "--",
    ]
    run = subprocess.run(
        [*command, path], cwd=ROOT, capture_output=True, check=True, encoding="utf-8"
    )
    return [json.loads(line) for line in run.stdout.splitlines()]


def test_verdicts_words_and_sentences_are_those_of_datatrove(tmp_path: Path) -> None:
    for package in ("datatrove", "spacy", "numpy"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"the package {package} is not installed")
    from datatrove.data import Document
    from datatrove.pipeline import filters
    from datatrove.utils.text import split_into_sentences, split_into_words

    peers = {
        "gopher_quality": filters.GopherQualityFilter(),
        "gopher_repetition": filters.GopherRepetitionFilter(),
        "c4_quality": filters.C4QualityFilter(),
        "c4_any_end": filters.C4QualityFilter(filter_no_terminal_punct=False),
        "c4_sentences": filters.C4QualityFilter(split_paragraph=False),
        "c4_paragraphs": filters.C4ParagraphFilter(),
        "fineweb_quality": filters.FineWebQualityFilter(),
    }
    path = tmp_path / "texts.jsonl"
    documents = list(texts())
    path.write_text(
        "".join(json.dumps({"text": text}) + "\n" for text in documents), encoding="utf-8"
    )
    for text, row in zip(documents, ours(path), strict=True):
        for name, peer in peers.items():
            document = Document(text=text, id="")
            verdict = peer.filter(document)
            assert row[name] == ("keep" if verdict is True else verdict[1]), (name, text)
            changed = row[f"{name}_text"]
            assert (text if changed is None else changed) == document.text, (name, text)
        assert row["words"] == split_into_words(text), text
        assert row["sentences"] == split_into_sentences(text), text
