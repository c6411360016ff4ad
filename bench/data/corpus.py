"""Makes the corpus of the benchmark: the documentation of Debian packages, with copies put in.

    python bench/data/corpus.py FOLDER [--full] [--jobs N]

* ``small-dup.jsonl``, ``small-dup/part-000.jsonl.gz`` to ``part-007``, and the same as
  ``.jsonl.zst`` and ``.parquet``: 24,034 documents, 134.8 MB of JSON, in random order. 1922 are
  exact copies, 2884 are near copies: words changed, left out or put in, half of them with a strange
  header and footer.
* ``small-truth.jsonl``: which document is a copy of which, and the Jaccard index of the two.
* With ``--full`` also ``base`` (118,607 documents that all differ), ``dup`` (148,258, made from it)
  and ``truth.jsonl``.
* ``manifest.json``: hashes of the packages and of the files.

A document is ``{"id", "text", "source", "lang"}``. The packages are listed in packages.txt;
the same packages give the same bytes. Figures above are those of Debian 12 in November 2026; a
package that has changed since changes them a little, and the manifest says so. Packages are fetched
by ``apt-get download`` into ``FOLDER/debs``, unpacked by ``dpkg-deb -x``, and never installed.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import html
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

PACKAGES = (Path(__file__).parent / "packages.txt").read_text().split()

SEED = 20260101
SHARDS = 8
#: Most text taken from one package.
PACKAGE_BYTES = 24_000_000
#: Text of which small-dup is made.
SMALL_BYTES = 100_000_000
DOCUMENT_CHARACTERS_MIN = 200
#: Books come as one file; longer ones are cut at the ends of paragraphs.
DOCUMENT_CHARACTERS = 60_000
FILE_BYTES_MAX = 64 << 20
EXACT_SHARE, NEAR_SHARE = 0.10, 0.15
EDIT_RATES = [0.002, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16]
HEADER = "Mirror copy. Last changed by the maintainers.\n\n"
FOOTER = "\n\nBack to the index of pages."


class Document(NamedTuple):
    """One line of the corpus."""

    id: str
    text: str
    source: str
    lang: str


# --- files to text ---

DROPPED = re.compile(
    r"<(script|style|head|nav|svg|footer|template)\b.*?</\1\s*>|<!--.*?-->", re.I | re.S
)
BLOCK = re.compile(
    r"</?(?:p|div|br|li|ul|ol|tr|table|h[1-6]|pre|dt|dd|dl|section|article|blockquote|hr)\b[^>]*>",
    re.I,
)
TAG = re.compile(r"<[^>]+>")
HEADING = re.compile(r"^[.'](?:SH|SS|B|I|BR|IR|RB|RI|BI|IB|TP|IP|PP|Sh|Ss|Nm|Nd)\s+(.*)$", re.M)
REQUEST = re.compile(r"^[.'](?:\\\"|[A-Za-z]{1,3}\b).*?$", re.M)
ESCAPE = re.compile(r"\\f(?:\[[A-Za-z]*\]|.)|\\[s][-+]?\d|\\(?:\(|\[)[a-z]{2}\]?|\\[&|^/,%]")
BLANKS = re.compile(r"[ \t\r\f\v\u00a0]+")
GAP = re.compile(r"\n\s*\n\s*")

IS_HTML = re.compile(r"\.x?html?(\.[a-z-]+)*$|\.page$")
IS_MANUAL = re.compile(r"/man/.*\.\d\w*$")
IS_TEXT = re.compile(r"\.(txt|rst|md|info(-\d+)?|pod|tex|dict)$|/(changelog|news|readme)$")
LANGUAGE = re.compile(
    r"(?:help|manpages)-([a-z]{2})(?:-|$)"
    r"|/(?:man|help|docs?|C|html)/([a-z]{2})(?:[_-][A-Za-z]{2})?(?:\.UTF-8)?/"
    r"|\.(de|fr|es|ja|ko|tr|ru|zh-cn|pt-br|da)(?:\.utf8|\.iso-\S+|\.euc-\S+)?(?:\.html)?$"
    r"|/([a-z]{2})-[A-Z]{2}/"
)


def text_of_html(source: str) -> str:
    """The text of a page, a line break for each block."""
    return html.unescape(TAG.sub("", BLOCK.sub("\n", DROPPED.sub(" ", source))))


def text_of_manual(source: str) -> str:
    """The text of a manual page without what formats it."""
    source = HEADING.sub(lambda match: "\n" + match.group(1).replace('"', ""), source)
    source = ESCAPE.sub("", REQUEST.sub("", source))
    return source.replace("\\-", "-").replace("\\e", "\\").replace("\\ ", " ")


def decoded(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def text_of(path: Path, name: str) -> str | None:
    """The text of a file of a package; nothing where it is of no kind known here."""
    try:
        with path.open("rb") as file:
            raw = file.read(FILE_BYTES_MAX)
        if name.endswith(".gz"):
            raw, name = gzip.decompress(raw), name.removesuffix(".gz")
        elif name.endswith(".dz"):
            raw, name = gzip.decompress(raw), name.removesuffix(".dz") + ".txt"
    except OSError:
        return None
    if IS_HTML.search(name):
        return text_of_html(decoded(raw))
    if IS_MANUAL.search(name):
        return text_of_manual(decoded(raw))
    return decoded(raw) if IS_TEXT.search(name) else None


def tidied(text: str) -> str:
    """Single blanks, stripped lines, at most one empty line in a row."""
    text = BLANKS.sub(" ", text.replace("\x00", ""))
    text = "\n".join(line.strip() for line in text.split("\n"))
    return GAP.sub("\n\n", text).strip()


def parts(text: str) -> Iterator[str]:
    """A long text in parts that end where paragraphs end."""
    if len(text) <= 1.5 * DOCUMENT_CHARACTERS:
        yield text
        return
    part: list[str] = []
    size = 0
    for paragraph in text.split("\n\n"):
        part.append(paragraph)
        size += len(paragraph) + 2
        if size >= DOCUMENT_CHARACTERS:
            yield "\n\n".join(part)
            part, size = [], 0
    if part:
        yield "\n\n".join(part)


# --- packages to documents ---


def fetch(folder: Path) -> list[Path]:
    """The packages as files, those that are missing fetched by apt."""
    folder.mkdir(parents=True, exist_ok=True)
    there = {path.name.partition("_")[0].replace("%2b", "+"): path for path in folder.glob("*.deb")}
    missing = [name for name in PACKAGES if name not in there]
    if missing:
        if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
            sys.exit(
                "error: the corpus is made of Debian packages, and apt-get is not here\n"
                f"hint: on Debian 12, apt-get download {' '.join(missing)}\n"
                f"hint: put the files into {folder}"
            )
        print(f"fetching {len(missing)} packages into {folder} (490 MB in all)", file=sys.stderr)
        if subprocess.run(["apt-get", "download", "-q", *missing], cwd=folder).returncode:
            sys.exit(
                "error: apt-get cannot download the packages of the corpus\n"
                "hint: as root `apt-get update`, then again; the packages are those of Debian 12"
            )
        return fetch(folder)
    return sorted(there[name] for name in PACKAGES)


def files_of(folder: Path) -> list[tuple[str, Path]]:
    """Relative names and paths in a fixed random order, so that a part stands for the whole."""
    found = []
    for root, _, names in os.walk(folder):
        for path in (Path(root, name) for name in names):
            if path.is_file() and not path.is_symlink():
                found.append((str(path.relative_to(folder)), path))
    return sorted(found, key=lambda item: hashlib.md5(os.fsencode(item[0])).digest())


def documents_of(package: Path) -> list[Document]:
    """The documents of one package, until it has given its share."""
    package_name = package.name.partition("_")[0]
    documents: list[Document] = []
    size = 0
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["dpkg-deb", "-x", str(package), folder], check=True)
        for name, path in files_of(Path(folder)):
            if size >= PACKAGE_BYTES:
                break
            text = text_of(path, name.lower())
            for number, part in enumerate(parts(tidied(text)) if text else ()):
                if len(part) < DOCUMENT_CHARACTERS_MIN:
                    continue
                source = f"{package_name}:{name}#{number}"
                documents.append(Document(identity(part), part, source, language_of(source)))
                size += len(part.encode())
    return documents


def language_of(source: str) -> str:
    match = LANGUAGE.search(source)
    return next((group for group in match.groups() if group), "en")[:2] if match else "en"


def identity(text: str) -> str:
    """A document's id: equal for texts that differ in case and white space only."""
    return hashlib.sha1(" ".join(text.lower().split()).encode()).hexdigest()


def base(packages: list[Path], jobs: int) -> list[Document]:
    """The documents of all packages, each text once, in the order of their ids."""
    by_identity: dict[str, Document] = {}
    with ProcessPoolExecutor(jobs) as pool:
        for package, documents in zip(packages, pool.map(documents_of, packages), strict=True):
            print(f"{package.name}: {len(documents)} documents", file=sys.stderr)
            for document in documents:
                by_identity.setdefault(document.id, document._replace(id=document.id[:16]))
    return sorted(by_identity.values(), key=lambda document: document.id)


# --- copies ---

Truth = dict[str, str | float]


def edited(text: str, rate: float, chance: random.Random, vocabulary: list[str]) -> str:
    """The text with a share of its words replaced, left out or doubled by another."""
    pieces, at = [], 0
    for match in re.finditer(r"\S+", text):
        pieces.append(text[at : match.start()])
        word = match.group()
        if chance.random() < rate:
            kind = chance.randrange(3)
            if kind == 0:
                word = chance.choice(vocabulary)
            else:
                word = "" if kind == 1 else f"{word} {chance.choice(vocabulary)}"
        pieces.append(word)
        at = match.end()
    changed = "".join([*pieces, text[at:]])
    return HEADER + changed + FOOTER if chance.random() < 0.5 else changed


def jaccard(left: str, right: str, width: int = 5) -> float:
    """The Jaccard index of the sets of neighbouring words."""

    def shingles(text: str) -> set[tuple[str, ...]]:
        words = text.lower().split()
        return {tuple(words[i : i + width]) for i in range(max(1, len(words) - width + 1))}

    a, b = shingles(left), shingles(right)
    return len(a & b) / len(a | b)


def with_copies(
    documents: list[Document], chance: random.Random
) -> tuple[list[Document], list[Truth]]:
    """The documents and copies of some of them, shuffled, and which is whose copy."""
    vocabulary = sorted(
        {word for each in documents[:2000] for word in each.text.split()[:50] if word.isalpha()}
    )
    copies: list[Document] = []
    truth: list[Truth] = []
    for original in chance.sample(documents, int(len(documents) * EXACT_SHARE)):
        copy = original._replace(id="x" + original.id[1:], source="dup:exact")
        copies.append(copy)
        truth.append({"dup": copy.id, "orig": original.id, "kind": "exact", "jaccard": 1.0})
    for original in chance.sample(documents, int(len(documents) * NEAR_SHARE)):
        rate = chance.choice(EDIT_RATES)
        text = edited(original.text, rate, chance, vocabulary)
        copy = original._replace(id="n" + original.id[1:], text=text, source=f"dup:near:{rate}")
        copies.append(copy)
        index = round(jaccard(original.text, text), 4)
        truth.append(
            {"dup": copy.id, "orig": original.id, "kind": "near", "rate": rate, "jaccard": index}
        )
    both = documents + copies
    chance.shuffle(both)
    return both, truth


# --- files ---


def lines(rows: Iterable[dict[str, str | float]]) -> bytes:
    """JSON lines."""
    return b"".join(
        json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode() + b"\n" for row in rows
    )


def write(folder: Path, name: str, documents: list[Document]) -> dict[str, int | str]:
    """The documents as one file of JSON lines and as shards of each kind; gives what they are."""
    (folder / name).mkdir(parents=True, exist_ok=True)
    plain = folder / f"{name}.jsonl"
    plain.write_bytes(lines(document._asdict() for document in documents))
    for shard in range(SHARDS):
        part = documents[shard::SHARDS]
        data = lines(document._asdict() for document in part)
        stem = folder / name / f"part-{shard:03d}"
        with (
            open(f"{stem}.jsonl.gz", "wb") as file,
            gzip.GzipFile("", "wb", compresslevel=6, fileobj=file, mtime=0) as packed,
        ):
            packed.write(data)
        Path(f"{stem}.jsonl.zst").write_bytes(zstandard.compress(data, 3))
        columns = {key: [getattr(each, key) for each in part] for key in Document._fields}
        pq.write_table(
            pa.table(columns), f"{stem}.parquet", compression="zstd", row_group_size=8192
        )
    return {
        "documents": len(documents),
        "text_bytes": sum(len(document.text.encode()) for document in documents),
        "json_bytes": plain.stat().st_size,
        "sha256": sha256(plain),
    }


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def make(folder: Path, full: bool = False, jobs: int = 2) -> dict[str, object]:
    """Makes what is missing; gives the manifest."""
    target = folder / "manifest.json"
    if target.exists():
        manifest: dict[str, object] = json.loads(target.read_text())
        if not full or "dup" in manifest:
            return manifest
    packages = fetch(folder / "debs")
    manifest = {"packages": {package.name: sha256(package) for package in packages}}
    documents = base(packages, jobs)
    chance = random.Random(SEED)
    chance.shuffle(documents)
    if full:
        manifest["base"] = write(folder, "base", documents)
        both, truth = with_copies(documents, chance)
        (folder / "truth.jsonl").write_bytes(lines(truth))
        manifest["dup"] = write(folder, "dup", both)
    small, size = 0, 0
    while size < SMALL_BYTES and small < len(documents):
        size += len(documents[small].text.encode())
        small += 1
    both, truth = with_copies(documents[:small], random.Random(SEED))
    (folder / "small-truth.jsonl").write_bytes(lines(truth))
    manifest["small-dup"] = write(folder, "small-dup", both)
    target.write_text(json.dumps(manifest, indent=1) + "\n")
    return manifest


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--full", action="store_true", help="also base and dup (6 GB of disk)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    manifest = make(arguments.folder, arguments.full, arguments.jobs)
    print(
        json.dumps({key: value for key, value in manifest.items() if key != "packages"}, indent=1)
    )


if __name__ == "__main__":
    main()
