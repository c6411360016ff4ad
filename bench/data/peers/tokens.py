"""Tokenises a file of JSON lines.

    python tokens.py CONTESTANT VOCABULARY-FOLDER gpt2|cl100k FILE.jsonl [warm]

Measured is the one call on a tokeniser that has seen no text yet, or with ``warm`` the second one:
not the imports, not the reading of the vocabulary, and of the texts only where the contestant reads
the file itself. Results are what the library gives by itself: Python lists (tiktoken, bpe-openai),
encodings whose ids are still to be asked for (tokenizers), arrays (the others). The count of tokens
and a hash of all ids, document by document, must be the same for all; they are made after the
measurement.
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

GPT2 = r"""'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"""
CL100K = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+"
    r"|\s++$|\s*[\r\n]|\s+(?!\S)|\s"
)


def texts(file: str) -> list[str]:
    with open(file, encoding="utf-8", newline="\n") as lines:
        return [json.loads(line)["text"] for line in lines]


Call = Callable[[], Iterable[object]]


def nexus(vocabulary: Path, file: str) -> Call:
    from nexus.data import Tokenizer

    tokenizer, documents = Tokenizer.from_file(vocabulary), texts(file)
    return lambda: tokenizer.encode_ragged(documents)


def nexus_short(vocabulary: Path, file: str) -> Call:
    from nexus.data import Tokenizer

    tokenizer, documents = Tokenizer.from_file(vocabulary), texts(file)
    return lambda: tokenizer.encode_ragged(documents, dtype="uint16")


def huggingface(vocabulary: Path, file: str) -> Call:
    from tokenizers import Tokenizer

    tokenizer, documents = Tokenizer.from_file(str(vocabulary)), texts(file)
    encode = getattr(tokenizer, "encode_batch_fast", tokenizer.encode_batch)
    return lambda: encode(documents, add_special_tokens=False)


def tiktoken(vocabulary: Path, file: str) -> Call:
    from tiktoken import Encoding
    from tiktoken.load import load_tiktoken_bpe

    ranks, documents = load_tiktoken_bpe(str(vocabulary)), texts(file)
    pattern = GPT2 if vocabulary.stem == "gpt2" else CL100K
    encoding = Encoding("", pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
    threads = os.cpu_count() or 1
    return lambda: encoding.encode_ordinary_batch(documents, num_threads=threads)


def gigatoken_list(vocabulary: Path, file: str) -> Call:
    from gigatoken import Tokenizer

    tokenizer, documents = Tokenizer(str(vocabulary)), texts(file)
    return lambda: tokenizer.encode_batch(documents)


def gigatoken_file(vocabulary: Path, file: str) -> Call:
    from gigatoken import JsonlFileSource, Tokenizer

    tokenizer = Tokenizer(str(vocabulary))
    return lambda: tokenizer.encode_files(JsonlFileSource([file], "text"))


def fastokens(vocabulary: Path, file: str) -> Call:
    from fastokens._native import Tokenizer

    tokenizer, documents = Tokenizer.from_file(str(vocabulary)), texts(file)

    def call() -> Iterable[object]:
        ids, ends = tokenizer.encode_batch_flat(documents, False)
        return parts(np.frombuffer(ids, np.uint32), np.frombuffer(ends, np.uint64)[1:])

    return call


def tokie(vocabulary: Path, file: str) -> Call:
    from tokie import Tokenizer

    tokenizer, documents = Tokenizer.from_json(str(vocabulary)), texts(file)

    def call() -> Iterable[object]:
        ids, lengths = tokenizer.encode_batch_flat(documents, False)
        return parts(ids, np.cumsum(lengths))

    return call


def bpe_openai(_: Path, file: str) -> Call:
    from bpe_openai import get_encoding

    encoding, documents = get_encoding("cl100k_base"), texts(file)
    return lambda: encoding.encode_ordinary_batch(documents, num_threads=os.cpu_count() or 1)


def parts(ids: np.ndarray, ends: np.ndarray) -> Iterable[object]:
    """The ids of each document, as they are asked for."""
    start = 0
    for end in ends.tolist():
        yield ids[start:end]
        start = end


#: What each reads the vocabulary from, and how it is called.
CONTESTANTS = {
    "nexus": ("json", nexus),
    "nexus, uint16": ("json", nexus_short),
    "nexus, from ranks": ("tiktoken", nexus),
    "tokenizers": ("json", huggingface),
    "tiktoken": ("tiktoken", tiktoken),
    "gigatoken": ("json", gigatoken_list),
    "gigatoken, from file": ("json", gigatoken_file),
    "fastokens": ("json", fastokens),
    "tokie": ("json", tokie),
    "bpe-openai": ("tiktoken", bpe_openai),
}


def main(contestant: str, folder: str, vocabulary: str, file: str, warm: str = "") -> None:
    kind, make = CONTESTANTS[contestant]
    names = {"gpt2": "gpt2", "cl100k": "cl100k_base"}
    path = Path(folder) / ("tokenizer.json" if kind == "json" else f"{names[vocabulary]}.tiktoken")
    call = make(path, file)
    if warm:
        call()
    wall, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
    encoded = call()
    wall, after = time.perf_counter() - wall, resource.getrusage(resource.RUSAGE_SELF)
    figures = {
        "wall_s": wall,
        "cpu_s": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "peak_bytes": after.ru_maxrss * 1024,
        "before_bytes": before.ru_maxrss * 1024,
    }
    count, ids = 0, hashlib.blake2b(digest_size=8)
    for document in encoded:
        row = np.asarray(getattr(document, "ids", document)).astype(np.uint32)
        count += len(row)
        ids.update(row.tobytes())
    print(json.dumps({"tokens": count, "ids": ids.hexdigest(), **figures}))


if __name__ == "__main__":
    main(*sys.argv[1:])
