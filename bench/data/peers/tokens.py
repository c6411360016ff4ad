"""Tokenises a file of JSON lines with GPT-2's vocabulary.

    python tokens.py CONTESTANT VOCABULARY-FOLDER FILE.jsonl

Measured is the one call on a tokeniser that has seen no text yet: not the imports, not the reading
of the vocabulary, and of the texts only where the contestant reads the file itself. Results are
what the library gives by itself: Python lists (tiktoken), encodings whose ids are still to be asked
for (tokenizers), one array (gigatoken). The count of tokens and a hash of all ids, document by
document, must be the same for all; they are made after the measurement.
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

PATTERN = r"""'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"""


def texts(file: str) -> list[str]:
    with open(file, encoding="utf-8", newline="\n") as lines:
        return [json.loads(line)["text"] for line in lines]


Call = Callable[[], Iterable[object]]


def huggingface(folder: Path, file: str) -> Call:
    from tokenizers import Tokenizer

    tokenizer, documents = Tokenizer.from_file(str(folder / "tokenizer.json")), texts(file)
    encode = getattr(tokenizer, "encode_batch_fast", tokenizer.encode_batch)
    return lambda: encode(documents, add_special_tokens=False)


def tiktoken(folder: Path, file: str) -> Call:
    from tiktoken import Encoding
    from tiktoken.load import load_tiktoken_bpe

    ranks, documents = load_tiktoken_bpe(str(folder / "gpt2.tiktoken")), texts(file)
    special = {"<|endoftext|>": 50256}
    encoding = Encoding("gpt2", pat_str=PATTERN, mergeable_ranks=ranks, special_tokens=special)
    threads = os.cpu_count() or 1
    return lambda: encoding.encode_ordinary_batch(documents, num_threads=threads)


def gigatoken_list(folder: Path, file: str) -> Call:
    from gigatoken import Tokenizer

    tokenizer, documents = Tokenizer(str(folder / "tokenizer.json")), texts(file)
    return lambda: tokenizer.encode_batch(documents)


def gigatoken_file(folder: Path, file: str) -> Call:
    from gigatoken import JsonlFileSource, Tokenizer

    tokenizer = Tokenizer(str(folder / "tokenizer.json"))
    return lambda: tokenizer.encode_files(JsonlFileSource([file], "text"))


CONTESTANTS = {
    "tokenizers": huggingface,
    "tiktoken": tiktoken,
    "gigatoken": gigatoken_list,
    "gigatoken, from file": gigatoken_file,
}


def main(contestant: str, folder: str, file: str) -> None:
    call = CONTESTANTS[contestant](Path(folder), file)
    wall, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
    encoded = call()
    wall, after = time.perf_counter() - wall, resource.getrusage(resource.RUSAGE_SELF)
    figures = {
        "wall_s": wall,
        "cpu_s": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "peak_bytes": after.ru_maxrss * 1024,
    }
    count, ids = 0, hashlib.blake2b(digest_size=8)
    for document in encoded:
        row = np.asarray(getattr(document, "ids", document), np.uint32)
        count += len(row)
        ids.update(row.tobytes())
    print(json.dumps({"tokens": count, "ids": ids.hexdigest(), **figures}))


if __name__ == "__main__":
    main(*sys.argv[1:])
