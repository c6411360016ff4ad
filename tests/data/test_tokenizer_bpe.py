"""With real vocabularies, ids of BPE and Unigram are those of ``tokenizers`` and ``tiktoken``.

The vocabularies are not in the repository. ``NEXUS_VOCABULARIES`` names a folder with any of
``*/tokenizer.json`` and ``*.tiktoken``; the tests skip without it, and without cargo.
"""

from __future__ import annotations

import array
import base64
import itertools
import json
import os
import random
import shutil
import subprocess
import sysconfig
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = Path(os.environ.get("NEXUS_VOCABULARIES", "/nonexistent"))
FILES = sorted([*FOLDER.glob("*/tokenizer.json"), *FOLDER.glob("*.tiktoken")])
#: One or more characters of each class that an expression tells apart, and of each case.
CLASSES = [*"aZsStTlLdmrRveE019 '\"!-_/\\<>|,:\n\r\t\x01\x1c\x85\xa0\u3000\u2028\u200b\ufeff"]
CLASSES += [
    "\u0301",
    "\u0903",
    "é",
    "É",
    "ß",
    "ſ",
    "ǅ",
    "ª",
    "ʰ",
    "語",
    "あ",
    "ー",
    "한",
    "ا",
    "क्षि",
]
CLASSES += [
    "²",
    "Ⅷ",
    "½",
    "٣",
    "𝟘",
    "😀",
    "👩\u200d👧",
    "\ue000",
    "\U0010ffff",
    "\u2581",
    "\u1100\u1161",
    "\u30fb",
    "\u3099",
    "\ufb01",
    "\uff21",
    "<unk>",
]


def texts() -> list[str]:
    """Python's own sources, and texts that are hard on automata and merges."""
    found = [
        path.read_text(encoding="utf-8", errors="replace")
        for path in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
    ]
    runs = ["a", " ", "語", "ab", "=", "1", "\n", " \n", "'s", "e\u0301", "👍", "<|endoftext|>"]
    found += [run * (300_000 // len(run.encode())) for run in runs]
    found += [first + second + third for first in CLASSES for second in CLASSES for third in "a \n"]
    choose = random.Random(1)
    found += ["".join(choose.choices(CLASSES, k=choose.randrange(3, 24))) for _ in range(20_000)]
    points = [chr(c) for c in (*range(1, 0xD800), *range(0xE000, 0x33480))]
    for layout in ("{}", "a{}b", " {} ", "A{}B", "'{}", "\n{}"):
        found += [
            "".join(map(layout.format, points[at : at + 64])) for at in range(0, len(points), 64)
        ]
    return [text.replace("\0", " ") for text in found]


@pytest.fixture(scope="module")
def ids_program() -> Path:
    """The program that encodes the texts of a file."""
    cargo = shutil.which("cargo")
    if cargo is None:
        pytest.skip("cargo is not installed")
    command = [cargo, "build", "--release", "--quiet", "-p", "nexus-tokenizer", "--example", "ids"]
    subprocess.run(command, cwd=ROOT, check=True)
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    return target / "release/examples/ids"


@pytest.mark.skipif(bool(FILES), reason="the vocabularies are there")
def test_vocabularies_are_there() -> None:
    """Make the absence of the vocabularies visible."""
    pytest.skip("NEXUS_VOCABULARIES names no folder with tokenizer.json or *.tiktoken files")


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}-{file.stem}")
def test_ids_are_those_of_the_peer(file: Path, ids_program: Path, tmp_path: Path) -> None:
    """Compare all ids of all texts and, of Unigram models, their ranges."""
    given, written, ranges = tmp_path / "texts", tmp_path / "ids", tmp_path / "ranges"
    given.write_bytes(b"".join(text.encode() + b"\0" for text in texts()))
    command = [ids_program, file, given, written, "1", "1", ranges]
    subprocess.run(command, check=True, capture_output=True)
    if file.suffix == ".json" and json.loads(file.read_bytes())["model"].get("type") == "Unigram":
        assert peer_ranges(file, texts()) == ranges.read_bytes()
    found = memoryview(written.read_bytes()).cast("I")
    at, different = 0, []
    for text, expected in zip(texts(), peer(file, texts()), strict=True):
        count = found[at]
        if expected is not None and list(found[at + 1 : at + 1 + count]) != list(expected):
            different.append(text[:80])
        at += 1 + count
    assert at == len(found)
    assert not different, f"{len(different)} texts differ, first {different[:3]}"


def peer_ranges(file: Path, given: list[str]) -> bytes:
    """Return start and end of each of the peer's ids, in bytes."""
    tokenizers = pytest.importorskip("tokenizers")
    tokenizer = tokenizers.Tokenizer.from_file(str(file))
    ranges = array.array("I")
    for text, encoding in zip(given, tokenizer.encode_batch(given, False, False), strict=True):
        at = list(itertools.accumulate((len(c.encode()) for c in text), initial=0))
        ranges.extend(at[end] for pair in encoding.offsets for end in pair)
    return ranges.tobytes()


def peer(file: Path, given: list[str]) -> list[Sequence[int] | None]:
    """Return the peer's ids; nothing for a text on which it fails."""
    if file.suffix == ".json":
        tokenizers = pytest.importorskip("tokenizers")
        tokenizer = tokenizers.Tokenizer.from_file(str(file))
        return [e.ids for e in tokenizer.encode_batch_fast(given, add_special_tokens=False)]
    pytest.importorskip("tiktoken")
    import tiktoken
    from tiktoken_ext import openai_public

    lines = [line.split() for line in file.read_bytes().splitlines() if line]
    ranks = {base64.b64decode(token): int(rank) for token, rank in lines}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(openai_public, "load_tiktoken_bpe", lambda *_, **__: ranks)
        settings = openai_public.ENCODING_CONSTRUCTORS[file.stem]()
    encoding = tiktoken.Encoding(**settings)

    def encode(text: str) -> Sequence[int] | None:
        try:
            return encoding.encode_ordinary(text)
        except BaseException as error:
            # The peer's engine overflows its stack on long runs.
            if "StackOverflow" not in str(error):
                raise
            return None

    return [encode(text) for text in given]
