"""Spec-v1 (spec.md) in plain Python: slow, and easy to compare with the page, line by line.

    python bench/data/reference.py IN OUT

``./x bench data`` compares what it keeps with what the contestants keep, on a small corpus.
"""

from __future__ import annotations

import gzip
import json
import re
import sys
import unicodedata
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import xxhash

Document = dict[str, str]

#: The property White_Space.
SPACE = "\t\n\v\f\r \u0085\u00a0\u1680" + "".join(map(chr, range(0x2000, 0x200B)))
SPACE += "\u2028\u2029\u202f\u205f\u3000"
WORD = re.compile(f"[^{SPACE}]+")
STOP_WORDS = set(["the", "be", "to", "of", "and", "that", "have", "with"])
PRIME = (1 << 61) - 1
BANDS, ROWS, WIDTH = 14, 8, 5
SHARDS = 8


def read(folder: Path) -> Iterator[Document]:
    for path in sorted(folder.glob("part-*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8", newline="\n") as file:
            yield from map(json.loads, file)


# --- 2. filter ---


@lru_cache(1 << 16)
def is_letter(point: str) -> bool:
    return unicodedata.category(point).startswith("L")


def reason(text: str) -> str | None:
    """The first test that a text fails."""
    words = WORD.findall(text)
    n, c = len(words), sum(map(len, words))
    lines = [stripped for line in text.split("\n") if (stripped := line.strip(SPACE))]
    m = len(lines)
    if not 50 <= n <= 100_000:
        return "words"
    if not 3 <= c / n <= 10:
        return "word-length"
    if text.count("#") / n > 0.1:
        return "hashes"
    if (text.count("...") + text.count("…")) / n > 0.1:
        return "ellipses"
    if sum(any(map(is_letter, word)) for word in words) / n < 0.8:
        return "letters"
    if len(STOP_WORDS.intersection(words)) < 2:
        return "stop-words"
    if sum(line.startswith(("•", "-")) for line in lines) / m > 0.9:
        return "bullets"
    if sum(line.endswith(("...", "…")) for line in lines) / m > 0.3:
        return "ellipsis-lines"
    seen: set[str] = set()
    repeated = [line for line in lines if line in seen or seen.add(line)]
    if len(repeated) / m > 0.3:
        return "repeated-lines"
    if sum(map(len, repeated)) / sum(map(len, lines)) > 0.2:
        return "repeated-line-characters"
    if sum(line[-1] in ".?!\"'" for line in lines) / m < 0.12:
        return "line-ends"
    if sum(len(line) <= 30 for line in lines) / m > 0.67:
        return "short-lines"
    pairs = Counter(map(" ".join, pairwise(words)))
    # Python's order of texts is that of their code points.
    pair, count = min(pairs.items(), key=lambda item: (-item[1], item[0]))
    if count * (len(pair) - 1) / c > 0.2:
        return "bigram"
    return "lorem-ipsum" if re.search("lorem ipsum", text, re.I | re.A) else None


# --- 3. and 4. copies ---


def without_copies(documents: list[Document]) -> list[Document]:
    first: dict[str, Document] = {}
    for document in sorted(documents, key=lambda document: document["id"]):
        first.setdefault(document["text"], document)
    return list(first.values())


@lru_cache(1 << 16)
def lower(point: str) -> str:
    """The simple mapping: of the two code points that one letter becomes, it is the first."""
    return point.lower()[0]


@lru_cache(1 << 16)
def token_part(point: str) -> str:
    """The code point in lower case, a blank where it is part of no token."""
    low = lower(point)
    return low if low == "_" or is_letter(low) or unicodedata.category(low) == "Nd" else " "


def permutations() -> list[tuple[int, int]]:
    state = 1

    def draw() -> int:
        nonlocal state
        state = (state + 0x9E3779B97F4A7C15) % 2**64
        z = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 % 2**64
        z = (z ^ z >> 27) * 0x94D049BB133111EB % 2**64
        return z ^ z >> 31

    return [(1 + draw() % (PRIME - 1), draw() % PRIME) for _ in range(BANDS * ROWS)]


PERMUTATIONS = permutations()
FACTORS = np.array([a for a, _ in PERMUTATIONS], np.uint64)
SUMMANDS = np.array([b for _, b in PERMUTATIONS], np.uint64)


def affine(hashes: np.ndarray) -> np.ndarray:
    """(a * hash + b) mod p for all hashes and permutations, in halves: products fit 64 bits."""
    p = np.uint64(PRIME)
    low, high = hashes[:, None] & np.uint64(0x7FFFFFFF), hashes[:, None] >> np.uint64(31)
    total = np.zeros((len(hashes), len(FACTORS)), np.uint64)
    for part, shift in ((low, 0), (high, 31)):
        for piece, more in ((FACTORS & np.uint64(0x7FFFFFFF), 0), (FACTORS >> np.uint64(31), 31)):
            product = part * piece % p
            by = shift + more
            # 2**61 is 1: a shift is a rotation of 61 bits.
            by %= 61
            turned = (product << np.uint64(by) & p) | product >> np.uint64(61 - by)
            total = (total + turned) % p
    return (total + SUMMANDS) % p


def signature(text: str) -> tuple[int, ...] | None:
    tokens = "".join(map(token_part, text)).split(" ")
    tokens = [token for token in tokens if token]
    if len(tokens) < WIDTH:
        return None
    shingles = {" ".join(tokens[i : i + WIDTH]) for i in range(len(tokens) - WIDTH + 1)}
    hashes = [xxhash.xxh64_intdigest(shingle.encode()) % PRIME for shingle in shingles]
    return tuple(affine(np.array(hashes, np.uint64)).min(axis=0).tolist())


def without_near_copies(documents: list[Document]) -> list[Document]:
    parents = {document["id"]: document["id"] for document in documents}

    def root(name: str) -> str:
        while parents[name] != name:
            name = parents[name]
        return name

    first: dict[tuple[int, tuple[int, ...]], str] = {}
    for document in documents:
        minima = signature(document["text"])
        for band in range(BANDS) if minima else ():
            key = (band, minima[band * ROWS : (band + 1) * ROWS])
            one, other = sorted((root(first.setdefault(key, document["id"])), root(document["id"])))
            parents[other] = one
    return [document for document in documents if parents[document["id"]] == document["id"]]


def write(folder: Path, documents: list[Document]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for shard in range(SHARDS):
        with gzip.open(folder / f"part-{shard:03d}.jsonl.gz", "wt", 6, "utf-8") as file:
            for document in documents[shard::SHARDS]:
                file.write(json.dumps(document, ensure_ascii=False) + "\n")


def main(source: Path, target: Path) -> None:
    documents = list(read(source))
    dropped: Counter[str] = Counter()
    good = []
    for document in documents:
        if why := reason(document["text"]):
            dropped[why] += 1
        else:
            good.append(document)
    distinct = without_copies(good)
    kept = without_near_copies(distinct)
    write(target, kept)
    counts = {
        "documents": len(documents),
        "dropped": dict(sorted(dropped.items())),
        "exact": len(good) - len(distinct),
        "near": len(distinct) - len(kept),
        "kept": len(kept),
    }
    print(json.dumps(counts))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
