"""GPT-2's vocabulary, and that of cl100k, in the forms that the tokenisers read.

    python bench/data/vocabulary.py FOLDER

It is part of the crate tiktoken-rs, which cargo fetches; ``tokenizer.json`` is made of its
``encoder.json`` and ``vocab.bpe``, ``gpt2.tiktoken`` is a copy.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

CRATE, VERSION = "tiktoken-rs", "0.12.1"


def assets(folder: Path) -> Path:
    """The crate's data files."""
    project = folder / "crate"
    (project / "src").mkdir(parents=True, exist_ok=True)
    (project / "src/lib.rs").touch()
    (project / "Cargo.toml").write_text(
        f'[package]\nname = "vocabulary"\nversion = "0.0.0"\nedition = "2021"\n[workspace]\n'
        f'[dependencies]\n{CRATE} = {{ version = "={VERSION}", default-features = false }}\n'
    )
    found = subprocess.check_output(["cargo", "metadata", "--format-version=1"], cwd=project)
    packages = {each["name"]: each for each in json.loads(found)["packages"]}
    return Path(packages[CRATE]["manifest_path"]).parent / "assets"


def make(folder: Path) -> None:
    if (folder / "cl100k_base.tiktoken").exists():
        return
    source = assets(folder)
    vocabulary = json.loads((source / "encoder.json").read_text("utf-8"))
    merges = (source / "vocab.bpe").read_text("utf-8").splitlines()[1:]
    tokenizer = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {
                "id": vocabulary["<|endoftext|>"],
                "content": "<|endoftext|>",
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": False,
                "special": True,
            }
        ],
        "normalizer": None,
        "pre_tokenizer": byte_level(),
        "post_processor": None,
        "decoder": byte_level(),
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": vocabulary,
            "merges": [merge.split(" ") for merge in merges],
        },
    }
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer, ensure_ascii=False), "utf-8")
    shutil.copyfile(source / "r50k_base.tiktoken", folder / "gpt2.tiktoken")
    shutil.copyfile(source / "cl100k_base.tiktoken", folder / "cl100k_base.tiktoken")


def byte_level() -> dict[str, object]:
    return {
        "type": "ByteLevel",
        "add_prefix_space": False,
        "trim_offsets": True,
        "use_regex": True,
    }


if __name__ == "__main__":
    make(Path(sys.argv[1]))
