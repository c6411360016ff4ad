"""Measure nexus.data against its peers: whole pipeline, filters, near copies, tokenisers, loaders.

    ./x bench data [--rounds N] [--only NAME,...] [--exclusive] [--folder F] [--out F] [--full]

Every contestant is a process of its own, measured with all its descendants (tree.py);
contestants take turns in every round, in another order each time; Ctrl-C ends with the round.
Figures are medians over the rounds, the spread of CPU seconds is the least and the greatest. Where
a machine is shared the CPU seconds count: wall time shows what others do too. The last column is
CPU seconds over ours.

The Go and the Java program are built here (toolchain.py), each group of peers gets a virtual
environment (peers/*.txt). What cannot be had is in the table with the reason. The corpus is made of
Debian packages (corpus.py), the first run fetches 490 MB; ``--full`` makes all of it and measures
the whole pipeline on ``dup`` as well. Documents that two whole-pipeline contestants do not both
keep are counted, and the run ends with an error.

Tables are printed, written to a folder and put into docs/data.md between the lines
``<!-- bench:data -->`` and ``<!-- /bench:data -->``, beside those that an earlier run left there.
``--exclusive`` asks for the CPU (``chrt -r 1``: round robin, for under first in, first out Java's
compiler waits for its workers).
"""

from __future__ import annotations

import argparse
import gzip
import importlib.util
import json
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import corpus
import toolchain
import vocabulary

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PAGE = ROOT / "docs/data.md"
BEGIN, END = "<!-- bench:data -->\n", "<!-- /bench:data -->"
#: Documents of each shard that the plain Python of the specification works on.
FEW = 100
#: Where the documents of small-dup are three times, each time with other words.
MANY, TIMES = "small-dup-3", 3
TOKEN_BYTES, TOKEN_BYTES_COLD = 32_000_000, 1_000_000
TIME_LIMIT_S = 1800

Figures = dict[str, float | str]


@dataclass(frozen=True)
class Contestant:
    """A name and what makes its command; the latter may raise toolchain.Missing."""

    name: str
    command: Callable[[Bench], list[str]]


@dataclass
class Group:
    """One table: contestants of one task on the same input."""

    name: str
    title: str
    source: str
    contestants: list[Contestant]
    writes: bool = False
    figures: dict[str, list[Figures]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)


class Bench:
    """Where things are, and the rounds."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.files: Path = arguments.folder
        self.work: Path = arguments.out / "work"
        self.prefix = ["chrt", "-r", "1"] if arguments.exclusive else []
        self.group: Group

    @property
    def source(self) -> str:
        return str(self.files / self.group.source)

    @property
    def target(self) -> str:
        return str(self.work / "written")

    def peer(self, venv: str, script: str, *arguments: str) -> list[str]:
        """A peer's script under the Python that has its packages."""
        return [str(python(self.files / "venvs", venv)), str(HERE / "peers" / script), *arguments]

    def run(self, group: Group, number: int) -> None:
        """One round: every contestant once, each round beginning with another one."""
        self.group = group
        shift = number % len(group.contestants)
        for contestant in group.contestants[shift:] + group.contestants[:shift]:
            if contestant.name in group.missing:
                continue
            try:
                group.figures.setdefault(contestant.name, []).append(self.measure(contestant))
            except toolchain.Missing as error:
                group.missing[contestant.name] = str(error)
                print(f"  {contestant.name}: {error}", file=sys.stderr)

    def measure(self, contestant: Contestant) -> Figures:
        shutil.rmtree(self.work, ignore_errors=True)
        self.work.mkdir(parents=True)
        command = contestant.command(self)
        ended = subprocess.run(
            [*self.prefix, sys.executable, str(HERE / "tree.py"), *command],
            capture_output=True,
            text=True,
            cwd=self.work,
            timeout=TIME_LIMIT_S,
        )
        lines = ended.stdout.strip().splitlines()
        figures: Figures = json.loads(lines[-1]) if lines else {"status": -1}
        if figures["status"] != 0:
            last = (ended.stderr.strip().splitlines() or ["no message"])[-1]
            raise toolchain.Missing(f"fails: {last[:200]}")
        printed = str(figures.pop("printed"))
        # A contestant that measures itself, without its imports, says what it has measured.
        figures |= json.loads(printed) if printed.startswith("{") else {}
        # Ours has its own names for them.
        if "steps" in figures:
            figures["kept"], figures["removed"] = figures["rows"], figures["duplicates"]
        if self.group.writes:
            figures["ids"] = "\n".join(ids(Path(self.target)))
        shutil.rmtree(self.work, ignore_errors=True)
        return figures


def python(folder: Path, name: str) -> Path:
    """The interpreter of a virtual environment with the packages of peers/NAME.txt."""
    wanted, target = HERE / f"peers/{name}.txt", folder / name
    stamp = target / "installed.txt"
    if not stamp.exists() or stamp.read_text() != wanted.read_text():
        print(f"  making the virtual environment `{name}`", file=sys.stderr)
        interpreter = str(target / "bin/python")
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(target)], check=True)
        pip = [interpreter, "-m", "pip", "install", "--quiet", "-r", str(wanted)]
        toolchain.run(pip, HERE, f"the pinned packages are in bench/data/peers/{name}.txt")
        stamp.write_text(wanted.read_text())
    return target / "bin/python"


def ids(folder: Path) -> list[str]:
    """The ids of the written documents, sorted."""
    found = []
    for path in folder.glob("*.jsonl.gz"):
        with gzip.open(path, "rt", encoding="utf-8", newline="\n") as lines:
            found += [json.loads(line)["id"] for line in lines if line.strip()]
    return sorted(found)


# --- contestants ---


def plan(name: str) -> Contestant:
    """Ours: the plan of this name, run by the command of the package."""

    def command(bench: Bench) -> list[str]:
        return nexus(bench, HERE / f"plans/{name}.toml")

    return Contestant("nexus", command)


def nexus(bench: Bench, path: Path) -> list[str]:
    command = shutil.which("nexus", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if not command:
        raise toolchain.Missing("the command nexus is not installed; ./x bench data builds it")
    return [command, "--json", "data", "run", fill(bench, path, bench.source)]


def fill(bench: Bench, path: Path, source: str) -> str:
    """The path of a plan that reads the source."""
    filled = bench.work / path.name
    text = path.read_text().replace("{source}", source).replace("{target}", bench.target)
    filled.write_text(text)
    return str(filled)


def on_ray(name: str, source: str) -> Contestant:
    """Ours on Ray, which is in a virtual environment of its own."""

    def command(bench: Bench) -> list[str]:
        found = importlib.util.find_spec("nexus")
        if not found or not found.origin:
            raise toolchain.Missing("nexus is not installed; ./x bench data builds it")
        packages = str(Path(found.origin).parents[1])
        plan = fill(bench, HERE / "plans/spec-v1.toml", str(bench.files / source))
        return bench.peer("cluster", "cluster.py", packages, plan)

    return Contestant(name, command)


def tool(name: str, build: Callable[[Path], list[str]]) -> Contestant:
    def command(bench: Bench) -> list[str]:
        arguments = ["-in", bench.source, "-out", bench.target]
        return build(bench.files / "tools") + (arguments if name == "Go" else arguments[1::2])

    return Contestant(name, command)


def peer(name: str, venv: str, script: str, *arguments: str) -> Contestant:
    """``{source}``, ``{target}`` and ``{files}`` stand for the folders of the run."""

    def command(bench: Bench) -> list[str]:
        places = {"source": bench.source, "target": bench.target, "files": str(bench.files)}
        return bench.peer(venv, script, *(each.format(**places) for each in arguments))

    return Contestant(name, command)


def signatures(millions: int, memory: int, disk: int) -> Contestant:
    """Ours: so many synthetic signatures in so many MiB, where there are so many bytes of disk."""

    def command(bench: Bench) -> list[str]:
        if shutil.disk_usage(bench.work).free < disk:
            raise toolchain.Missing(f"needs {disk / 1e9:.0f} GB of disk")
        # What the memory does not count is code and stacks.
        sizes = [str(millions * 1_000_000), str(memory - 16), str(os.cpu_count() or 1)]
        return [str(toolchain.measure(ROOT)), "synthetic", *sizes, str(bench.work / "signatures")]

    return Contestant(f"nexus, {millions} M in {memory} MiB", command)


def ours(name: str, venv: str, script: str, *arguments: str) -> Contestant:
    """Our package in a peer's environment, by a folder that has nothing else in it."""

    def command(bench: Bench) -> list[str]:
        found = importlib.util.find_spec("nexus")
        if found is None or not found.submodule_search_locations:
            raise toolchain.Missing("the package nexus is not installed; ./x bench data builds it")
        package = Path(found.submodule_search_locations[0])
        folder = bench.files / "ours"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        # It asks for its version, which is in its metadata.
        for each in (package, *package.parent.glob("nexus_rs-*.dist-info")):
            (folder / each.name).symlink_to(each)
        there = peer(name, venv, script, *arguments).command(bench)
        return ["env", f"PYTHONPATH={folder}", *there]

    return Contestant(name, command)


def images() -> list[Contestant]:
    rest = ["0", "{files}/loaders"]
    name = "torchvision images"
    return [
        ours("nexus", "loaders", "loaders.py", "nexus images", *rest),
        peer("torchvision, Pillow", "loaders", "loaders.py", name, *rest),
        peer("the same, 2 workers", "loaders", "loaders.py", name, "2", rest[1]),
    ]


def plain(bench: Bench) -> list[str]:
    """The specification itself."""
    return [sys.executable, str(HERE / "reference.py"), bench.source, bench.target]


PIPELINE = [plan("spec-v1"), tool("Go", toolchain.go), tool("Java", toolchain.java)]


def tokens(name: str, vocabulary: str, *warm: str, venv: str = "tokens") -> Contestant:
    """A tokeniser of bench/data/peers/tokens.py."""
    rest = ["{files}/vocabulary", vocabulary, "{source}", *warm]
    return peer(name, venv, "tokens.py", "tokenizers" if venv != "tokens" else name, *rest)


def our_tokenizer(name: str, vocabulary: str, *warm: str) -> Contestant:
    """Our tokeniser, under the Python that runs this."""

    def command(bench: Bench) -> list[str]:
        script = str(HERE / "peers/tokens.py")
        folder = str(bench.files / "vocabulary")
        kind = name if vocabulary == "gpt2" else "nexus, from ranks"
        return [sys.executable, script, kind, folder, vocabulary, bench.source, *warm]

    return Contestant(name, command)


def gpt2(*warm: str, slow: bool = False) -> list[Contestant]:
    """Who reads GPT-2's vocabulary."""
    found = [
        our_tokenizer("nexus", "gpt2", *warm),
        our_tokenizer("nexus, uint16", "gpt2", *warm),
        tokens("gigatoken", "gpt2", *warm),
        tokens("gigatoken, from file", "gpt2", *warm),
        tokens("fastokens", "gpt2", *warm),
        tokens("tokie", "gpt2", *warm),
        tokens("tokenizers 1.0.0rc3", "gpt2", *warm, venv="tokens-rc"),
    ]
    if slow:
        found += [
            tokens("tiktoken", "gpt2", *warm),
            peer(
                "tokenizers 0.23.3",
                "tokens",
                "tokens.py",
                "tokenizers",
                *["{files}/vocabulary", "gpt2", "{source}", *warm],
            ),
        ]
    return found


def cl100k() -> list[Contestant]:
    """Who reads the rank file of cl100k."""
    return [
        our_tokenizer("nexus", "cl100k"),
        tokens("tiktoken", "cl100k"),
        tokens("bpe-openai", "cl100k"),
    ]


def token_groups() -> list[Group]:
    """The tables of tokenisers."""
    cold, hard = "tokens-cold.jsonl", "tokens-hard.jsonl"
    every = "small-dup.jsonl"
    return [
        Group("tokens", "GPT-2 ids of 32 MB, one call", "tokens.jsonl", gpt2(slow=True)),
        Group("tokens-warm", "The same, the second call", "tokens.jsonl", gpt2("warm")),
        Group("tokens-cold", "GPT-2 ids of the first megabyte", cold, gpt2(slow=True)),
        Group("tokens-all", "GPT-2 ids of the small corpus", every, gpt2()),
        Group("tokens-cjk", "GPT-2 ids of Chinese and Japanese", "tokens-cjk.jsonl", gpt2()),
        Group("tokens-cl100k", "cl100k ids of 32 MB, one call", "tokens.jsonl", cl100k()),
        Group(
            "tokens-hard",
            "GPT-2 ids of a megabyte each of `a`, of `語` and of spaces",
            hard,
            gpt2(),
        ),
        Group("tokens-hard-cl100k", "The same with cl100k", hard, cl100k()),
    ]


OURS_LOADERS = ("nexus", "nexus over litdata's chunks", "nexus over Parquet")


def loaders(workers: int) -> list[Contestant]:
    rest = [str(workers), "{files}/loaders"]
    return [
        *(ours(name, "loaders", "loaders.py", name, *rest) for name in OURS_LOADERS),
        *(
            peer(name, "loaders", "loaders.py", name, *rest)
            for name in (
                "torch DataLoader over memmap",
                "litdata",
                "grain over memmap",
                "datasets",
                "webdataset",
            )
        ),
        peer("mosaicml-streaming", "loaders-mosaic", "loaders.py", "mosaicml-streaming", *rest),
    ]


def groups(full: bool) -> list[Group]:
    """All tables."""
    near = ["{source}", "{files}/small-truth.jsonl"]
    found = [
        Group(
            "agreement",
            f"Spec-v1 on {8 * FEW} documents, beside the specification as plain Python",
            "few",
            [*PIPELINE, Contestant("plain Python", plain)],
            writes=True,
        ),
        Group(
            "pipeline",
            "Whole pipeline, spec-v1, jsonl.gz to jsonl.gz",
            "small-dup",
            PIPELINE,
            writes=True,
        ),
        Group(
            "ray",
            f"Spec-v1 on Ray, two raylets of one CPU; Ray's start is that on {8 * FEW} documents",
            MANY,
            [
                plan("spec-v1"),
                on_ray("nexus on Ray", MANY),
                on_ray("nexus on Ray, start", "few"),
            ],
        ),
        Group(
            "frames",
            "The filters that SQL can say, and exact copies",
            "small-dup",
            [
                plan("frames"),
                peer("Polars", "frames", "frames.py", "polars", "{source}", "{target}"),
                peer("DuckDB", "frames", "frames.py", "duckdb", "{source}", "{target}"),
                peer("Spark, from jsonl.gz", "spark", "spark.py", "{source}", "{target}"),
            ],
        ),
        Group(
            "near",
            "Near copies among all documents, MinHash 14 x 8, from Parquet",
            "small-dup",
            [
                plan("near"),
                peer("Daft, bands in Python", "frames", "near.py", "daft", *near),
                peer("rensa, bands in Python", "frames", "near.py", "rensa", *near),
            ],
        ),
        *(
            Group(
                f"datatrove-{what}",
                title,
                "two-shards",
                [
                    plan(f"datatrove-{what}"),
                    peer("datatrove", "trove", "trove.py", what, "{source}", "{target}"),
                ],
            )
            for what, title in (
                ("filters", "Gopher repetition and quality, C4, FineWeb filters on two shards"),
                ("minhash", "MinHash in four steps on two shards"),
            )
        ),
        Group(
            "signatures",
            "Near copies among synthetic signatures of 14 x 8 values, a tenth of them copies",
            "",
            [
                signatures(10, 128, 8 * 10**9),
                *([signatures(100, 1024, 40 * 10**9)] if full else []),
            ],
        ),
        *token_groups(),
        Group("loaders-0", "Shuffled batches of 32 x 2048 tokens", "", loaders(0)),
        Group("loaders-2", "The same, two worker processes", "", loaders(2)),
        Group("loaders-images", "Shuffled batches of 32 JPEGs as 224 x 224 floats", "", images()),
    ]
    if full:
        title = "Whole pipeline on dup, 148,258 documents"
        found.insert(2, Group("pipeline-dup", title, "dup", PIPELINE, writes=True))
    return found


# --- input ---


def prepare(folder: Path, full: bool, sources: set[str]) -> None:
    """The corpus, and parts of it."""
    corpus.make(folder, full, os.cpu_count() or 1)
    for name in ("few", "two-shards"):
        (folder / name).mkdir(exist_ok=True)
    for path in sorted((folder / "small-dup").glob("*.jsonl.gz")):
        few = folder / "few" / path.name
        if not few.exists():
            with gzip.open(path) as lines, gzip.open(few, "wb") as part:
                part.writelines(islice(lines, FEW))
        if path.name in ("part-000.jsonl.gz", "part-001.jsonl.gz"):
            link = folder / "two-shards" / path.name
            if not link.exists():
                os.link(path, link)
    for name, limit in (("tokens", TOKEN_BYTES), ("tokens-cold", TOKEN_BYTES_COLD)):
        if not (folder / f"{name}.jsonl").exists():
            first(folder / "small-dup.jsonl", folder / f"{name}.jsonl", limit)
    if not (folder / "tokens-cjk.jsonl").exists():
        ideographic(folder / "small-dup.jsonl", folder / "tokens-cjk.jsonl", TOKEN_BYTES)
    if not (folder / "tokens-hard.jsonl").exists():
        runs = ("a" * 1_000_000, "語" * 333_333, " " * 1_000_000)
        lines = (json.dumps({"text": run}, ensure_ascii=False) + "\n" for run in runs)
        (folder / "tokens-hard.jsonl").write_text("".join(lines), "utf-8")
    vocabulary.make(folder / "vocabulary")
    if MANY in sources:
        multiply(folder / "small-dup", folder / MANY)


def multiply(source: Path, target: Path) -> None:
    """Documents with a number behind every fourth word: like each other are those of one number."""
    target.mkdir(exist_ok=True)
    for number in range(TIMES):
        for path in sorted(source.glob("*.jsonl.gz")):
            made = target / f"{number}-{path.name}"
            if made.exists():
                continue
            with gzip.open(path) as lines, gzip.open(f"{made}.new", "wb", 1) as part:
                for line in lines:
                    record = json.loads(line)
                    words = record["text"].split(" ")
                    words[3::4] = [f"{word}{number}" for word in words[3::4]]
                    record |= {"id": f"{number}-{record['id']}", "text": " ".join(words)}
                    part.write(json.dumps(record, ensure_ascii=False).encode() + b"\n")
            Path(f"{made}.new").rename(made)


def first(source: Path, target: Path, limit: int) -> None:
    """The first documents, as many as hold so many bytes of text."""
    with source.open("rb") as lines, target.open("wb") as part:
        for line in lines:
            if limit <= 0:
                return
            part.write(line)
            limit -= len(json.loads(line)["text"].encode())


def ideographic(source: Path, target: Path, limit: int) -> None:
    """The first documents of which a third or more is Chinese or Japanese."""
    with source.open(encoding="utf-8") as lines, target.open("w", encoding="utf-8") as part:
        for line in lines:
            text = json.loads(line)["text"]
            count = sum("\u3040" <= c <= "\u9fff" for c in text)
            if 3 * count >= len(text):
                part.write(line)
                limit -= len(text.encode())
            if limit <= 0:
                return


def input_bytes(folder: Path, source: str) -> int:
    """Bytes of JSON of what a table is about."""
    if source.endswith(".jsonl"):
        return (folder / source).stat().st_size
    if (plain := folder / f"{source}.jsonl").exists():
        return plain.stat().st_size
    size = 0
    for path in (folder / source).glob("*.jsonl.gz"):
        with gzip.open(path) as lines:
            size += sum(map(len, lines))
    return size


# --- tables ---


def table(group: Group, size: int) -> str:
    """The figures of a group as Markdown."""
    rows = group.name.startswith("loaders")
    heads = ["rows/s", "first batch, ms", "p50 / p99, ms"] if rows else ["wall, s"]
    heads += ["CPU, s (spread)", *([] if rows else ["MB / CPU s"]), "peak memory, MB", "result"]
    heads.append("of ours")
    title = f"{group.title} ({size / 1e6:.1f} MB of JSON)" if size else group.title
    lines = [f"**{title}**", "", f"| | {' | '.join(heads)} |", "|---|" + "---:|" * len(heads)]
    for name in (contestant.name for contestant in group.contestants):
        if name in group.missing or not group.figures.get(name):
            why = group.missing.get(name, "not run")
            lines.append(f"| {name} | {'| ' * (len(heads) - 2)}| {why} | |")
            continue
        cpu = [float(each["cpu_s"]) for each in group.figures[name]]
        middle = statistics.median(cpu)
        cells = [name]
        if rows:
            cells.append(f"{median(group, name, 'rows_per_s'):,.0f}")
            cells.append(f"{1000 * median(group, name, 'first_s'):.0f}")
            delays = [f"{median(group, name, f'p{part}_ms'):.2f}" for part in (50, 99)]
            cells.append(" / ".join(delays))
        else:
            cells.append(f"{median(group, name, 'wall_s'):.2f}")
        cells.append(f"{middle:.2f} ({min(cpu):.2f} to {max(cpu):.2f})")
        if not rows:
            cells.append(f"{size / middle / 1e6:.2f}" if size else "")
        cells.append(f"{median(group, name, 'peak_bytes') / 1e6:.0f}")
        cells += [result(group.figures[name][-1]), ratio(group, name, middle)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, *overhead(group), ""])


def overhead(group: Group) -> list[str]:
    """What Ray costs besides its start, in a sentence."""
    names = ("nexus", "nexus on Ray", "nexus on Ray, start")
    if group.name != "ray" or not all(group.figures.get(name) for name in names):
        return []
    one, many, start = (median(group, name, "cpu_s") for name in names)
    more = 100 * ((many - start) / one - 1)
    return ["", f"Besides its start, Ray takes {more:.0f} % more CPU seconds than one process."]


def result(figures: Figures) -> str:
    """What came out: the same for all that do the same."""
    known = {"kept": "{:,} kept", "removed": "{:,} removed", "tokens": "{:,} ids"}
    parts = [text.format(figures[key]) for key, text in known.items() if key in figures]
    if "tokens" in figures:
        parts.append(f"hash {figures['ids']}")
    return ", ".join(parts)


def ratio(group: Group, name: str, cpu: float) -> str:
    if name == "nexus" or not group.figures.get("nexus"):
        return ""
    return f"{cpu / median(group, 'nexus', 'cpu_s'):.1f}x"


def median(group: Group, name: str, key: str) -> float:
    return statistics.median(float(each[key]) for each in group.figures[name])


def differences(group: Group) -> list[str]:
    """Documents that one whole-pipeline contestant keeps and another one does not."""
    found = []
    kept = {
        name: set(str(figures[-1]["ids"]).split("\n"))
        for name, figures in group.figures.items()
        if group.writes and figures
    }
    for name, theirs in kept.items():
        if odd := theirs ^ next(iter(kept.values())):
            some = ", ".join(sorted(odd)[:5])
            found.append(f"{group.name}: {name} differs in {len(odd)} documents: {some}")
    return found


def conditions(rounds: int, load: float, bench: Bench) -> str:
    """One line: versions, machine, rounds."""
    used = toolchain.versions(bench.files / "tools")
    for path in sorted((HERE / "peers").glob("*.txt")):
        if not (bench.files / "venvs" / path.stem).exists():
            continue
        for line in path.read_text().splitlines():
            name, equal, version = line.partition("==")
            if equal:
                name = name.partition("[")[0]
                used[name] = version if name not in used else f"{used[name]} and {version}"
    cpu = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    versions = ", ".join(f"{name} {version}" for name, version in used.items())
    return (
        f"Medians of {rounds} rounds{', under chrt -r 1' if bench.prefix else ''}; {versions}, "
        f"Python {platform.python_version()}; {cpu}, {os.cpu_count()} cores, "
        f"Linux {platform.release()}; load before the run {load:.1f}.\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", help="names of tables: " + ",".join(g.name for g in groups(True)))
    parser.add_argument("--exclusive", action="store_true")
    parser.add_argument("--full", action="store_true", help="also the whole corpus")
    parser.add_argument("--folder", type=Path, default=ROOT / "target/bench/data/files")
    parser.add_argument("--out", type=Path, default=ROOT / "target/bench/data")
    arguments = parser.parse_args()
    if arguments.exclusive and not shutil.which("chrt"):
        sys.exit("error: --exclusive needs chrt\nhint: it is in the package util-linux")
    arguments.folder, arguments.out = arguments.folder.absolute(), arguments.out.absolute()
    every = groups(arguments.full)
    wanted = set(arguments.only.split(",")) if arguments.only else {each.name for each in every}
    if unknown := wanted - {each.name for each in every}:
        sys.exit(f"error: no table is called {', '.join(sorted(unknown))}\nhint: see --help")
    load = os.getloadavg()[0]
    sources = {each.source for each in every if each.name in wanted}
    prepare(arguments.folder, arguments.full, sources)
    arguments.out.mkdir(parents=True, exist_ok=True)
    chosen, bench = [each for each in every if each.name in wanted], Bench(arguments)
    rounds = 0
    stopped: list[int] = []
    signal.signal(signal.SIGINT, lambda number, _frame: stopped.append(number))
    while rounds < arguments.rounds and not stopped:
        for group in chosen:
            print(f"round {rounds + 1} of {arguments.rounds}: {group.name}", file=sys.stderr)
            bench.run(group, rounds)
        rounds += 1
    line = conditions(rounds, load, bench)
    for group in chosen:
        text = table(group, input_bytes(arguments.folder, group.source) if group.source else 0)
        (arguments.out / f"{group.name}.md").write_text(f"{text}\n{line}")
        (arguments.out / f"{group.name}.json").write_text(json.dumps(group.figures, indent=1))
        print(text, flush=True)
    print(line)
    # What was not run this time stays as it was the last time.
    files = [arguments.out / f"{group.name}.md" for group in every]
    tables = [file.read_text() for file in files if file.exists()]
    before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(before + BEGIN + "\n".join(tables) + END + after, "utf-8")
    print(f"written to {arguments.out} and {PAGE}")
    if odd := [line for group in chosen for line in differences(group)]:
        sys.exit("error: the contestants do not keep the same documents\n" + "\n".join(odd))


if __name__ == "__main__":
    main()
