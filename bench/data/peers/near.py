"""Near copies among all documents: MinHash by rensa or Daft, bands and union-find in Python.

    python near.py rensa|daft PARQUET-FOLDER TRUTH

Neither has the other steps of LSH with a deterministic result. It prints how many documents go, and
how many of the injected pairs are found, by their Jaccard index.
"""

from __future__ import annotations

import json
import re
import struct
import sys
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path

import pyarrow.parquet as pq

BANDS, ROWS, WIDTH = 14, 8, 5
TOKEN = re.compile(r"\w+")
BINS = [0.95, 0.9, 0.8, 0.7, 0.5, 0.0]

Signature = tuple[str, bytes]


def by_rensa(folder: str) -> Iterator[Signature]:
    from rensa import RMinHash

    for path in sorted(Path(folder).glob("*.parquet")):
        table = pq.read_table(path, columns=["id", "text"])
        for name, text in zip(table["id"].to_pylist(), table["text"].to_pylist(), strict=True):
            tokens = TOKEN.findall(text.lower())
            if len(tokens) >= WIDTH:
                minhash = RMinHash(num_perm=BANDS * ROWS, seed=1)
                minhash.update(
                    [" ".join(tokens[i : i + WIDTH]) for i in range(len(tokens) - WIDTH + 1)]
                )
                yield name, struct.pack(f"{BANDS * ROWS}I", *minhash.digest())


def by_daft(folder: str) -> Iterator[Signature]:
    import daft

    text = daft.col("text").lower().regexp_replace(r"\W+", " ")
    minhash = text.minhash(num_hashes=BANDS * ROWS, ngram_size=WIDTH, hash_function="xxhash3_64")
    table = daft.read_parquet(folder + "/*.parquet").select("id", minhash.alias("minhash"))
    for name, values in zip(*table.to_pydict().values(), strict=True):
        yield name, struct.pack(f"{BANDS * ROWS}I", *values)


def clusters(signatures: Iterable[Signature]) -> dict[str, str]:
    """The smallest id of each document's cluster."""
    parents: dict[str, str] = {}

    def root(name: str) -> str:
        while parents.setdefault(name, name) != name:
            parents[name] = parents[parents[name]]
            name = parents[name]
        return name

    first: dict[tuple[int, bytes], str] = {}
    for name, signature in signatures:
        size = len(signature) // BANDS
        for band, (start, end) in enumerate(pairwise(range(0, len(signature) + 1, size))):
            one, other = sorted(
                (root(first.setdefault((band, signature[start:end]), name)), root(name))
            )
            parents[other] = one
    return {name: root(name) for name in parents}


def recall(roots: dict[str, str], truth: str) -> dict[str, str]:
    """Found and injected pairs for each range of the Jaccard index."""
    found, injected = [0] * len(BINS), [0] * len(BINS)
    for line in Path(truth).read_text().splitlines():
        pair = json.loads(line)
        if pair["kind"] == "near":
            place = next(i for i, least in enumerate(BINS) if pair["jaccard"] >= least)
            injected[place] += 1
            one, other = roots.get(pair["dup"]), roots.get(pair["orig"])
            found[place] += one is not None and one == other
    return {f">={least}": f"{f}/{i}" for least, f, i in zip(BINS, found, injected, strict=True)}


if __name__ == "__main__":
    method, folder, truth = sys.argv[1:]
    roots = clusters({"rensa": by_rensa, "daft": by_daft}[method](folder))
    removed = sum(name != root for name, root in roots.items())
    print(json.dumps({"removed": removed, "recall": recall(roots, truth)}))
