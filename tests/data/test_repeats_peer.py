"""Repeated sentences and lines, and parts of evaluation sets, are those that datatrove finds.

The text is the source of this interpreter's standard library.
"""

from __future__ import annotations

import importlib.util
import json
import sysconfig
from pathlib import Path

import pytest

from nexus.data import Pipeline

PEERS = ("datatrove", "numpy", "orjson", "regex", "spacy", "tokenizers")
TEXT_SIZE_MAX = 6000


@pytest.fixture
def texts() -> list[str]:
    """Give real texts, some of which share lines and sentences."""
    for package in PEERS:
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"the package {package} is not installed")
    paths = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))[:60]
    found = [path.read_text(encoding="utf-8", errors="replace")[:TEXT_SIZE_MAX] for path in paths]
    # The peer cuts lines where Python does, and strips texts.
    found = ["\n".join(text.splitlines()).strip() for text in found if text.strip()]
    return [*found, found[3][1000:4000] + "\n" + found[5][500:5000], found[7][2000:] + found[8]]


def write(folder: Path, texts: list[str]) -> Path:
    """Write texts as JSON lines."""
    folder.mkdir()
    rows = (json.dumps({"id": f"{at:03}", "text": text}) for at, text in enumerate(texts))
    (folder / "a.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("sentences", "span", "words"),
    [(True, 3, 50), (True, 1, 0), (False, 3, 50), (False, 1, 20)],
)
def test_what_is_left_of_texts_is_what_datatrove_leaves(
    *, texts: list[str], sentences: bool, span: int, words: int, tmp_path: Path
) -> None:
    from datatrove.data import Document
    from datatrove.pipeline.dedup.sentence_dedup import (
        SentDedupConfig,
        SentenceDedupFilter,
        SentenceDedupSignature,
        SentenceFindDedups,
    )
    from datatrove.utils.hashing import HashConfig

    config = SentDedupConfig(
        n_sentences=span,
        split_sentences=sentences,
        only_dedup_in_index=False,
        min_doc_words=words,
        min_num_sentences=3 if words else 0,
        hash_config=HashConfig(precision=64, hash_fc="sha1"),
    )
    documents = [Document(text=text, id=f"{at:03}") for at, text in enumerate(texts)]
    signatures, found = str(tmp_path / "signatures"), str(tmp_path / "found")
    SentenceDedupSignature(signatures, config=config).run(iter(documents), 0, 1)
    SentenceFindDedups(signatures, found, config=config).run(None, 0, 1)
    kept = list(SentenceDedupFilter(found, config=config).run(iter(documents), 0, 1))
    ours = Pipeline(write(tmp_path / "in", texts)).dedup_lines(
        unit="sentence" if sentences else "line",
        span=span,
        min_words=0,
        min_doc_words=words or None,
        min_num_sentences=3 if words else None,
    )
    # The peer takes white space from the ends, and from lines their last feed.
    expected = [(document.id, document.text.strip()) for document in kept]
    assert [(row["id"], row["text"].strip()) for row in ours] == expected
    assert [text for _, text in expected] != texts


@pytest.mark.parametrize("query", [False, True])
def test_contaminated_documents_are_those_of_datatrove(
    *, texts: list[str], query: bool, tmp_path: Path
) -> None:
    import numpy as np
    from datatrove.data import Document
    from datatrove.pipeline.decont.n_grams import (
        NGramsDecontConfig,
        NGramsDecontFilter,
        NGramsDecontIndexer,
    )
    from datatrove.utils.hashing import HashConfig

    hashes = HashConfig(precision=64, hash_fc="sha1")
    config = NGramsDecontConfig(n_grams=6, find_query_ngrams=query, hash_config=hashes)
    # The peer asks for lighteval, which its index does not need.
    NGramsDecontIndexer._requires_dependencies = []
    indexer = NGramsDecontIndexer(str(tmp_path / "index"), config=config)
    items = []
    for at, text in enumerate(texts[::4]):
        words = text.split()
        query_text, label = " ".join(words[40:60]), " ".join(words[60:80])
        items.append({"query": query_text, "text": label, "task": f"t{at}"})
    tasks = {item["task"]: indexer.compute_hashes(item["text"], item["query"]) for item in items}
    (tmp_path / "index").mkdir(exist_ok=True)
    for task, found in tasks.items():
        path = tmp_path / "index" / f"{task}.index.hashes"
        np.array(found, dtype=config.hash_config.np_descr).tofile(path)
    judge = NGramsDecontFilter(str(tmp_path / "index"), config=config)
    verdicts = [judge.filter(Document(text=text, id="")) for text in texts]
    sets = tmp_path / "sets.jsonl"
    sets.write_text("\n".join(json.dumps(item) for item in items))
    ours = Pipeline(write(tmp_path / "in", texts)).quality(
        "n_grams_decont", paths=sets, n_grams=6, find_query_ngrams=query
    )
    kept = [f"{at:03}" for at, verdict in enumerate(verdicts) if verdict is True]
    assert [row["id"] for row in ours] == kept
    assert 0 < len(kept) < len(texts)
