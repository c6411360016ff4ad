"""Measure nexus.safetensors against its peers: load, save, header, slices, bytes.

    ./x bench safetensors [--rounds N] [--add] [--only NAME,...] [--exclusive]
                          [--folder F] [--out F]

Every measurement is a process of its own (contestants.py); contestants take turns in every round,
in another order each time; Ctrl-C ends with the round. A figure is the median over the rounds, its
spread the least and the greatest. ``total`` is the call and one byte of every page, so that lazy
loaders are compared with eager ones; limits.py measures what the machine allows, in the same
rounds. The last column is the ratio to the contestant of ours that does the same (``AGAINST``).
Tables are printed, written to a folder and put into docs/safetensors.md between the lines
``<!-- bench:safetensors -->`` and ``<!-- /bench:safetensors -->``. ``--add`` adds rounds to those
of the run before, which must have had the same arguments. ``--exclusive`` asks for the CPU
(``chrt -f 1``).
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import mmap
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

import checkpoint
from contestants import huge

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PAGE = ROOT / "docs/safetensors.md"
BEGIN, END = "<!-- bench:safetensors -->\n", "<!-- /bench:safetensors -->"
PACKAGES = ("safetensors", "fastsafetensors", "runai-model-streamer", "torch", "numpy", "zipnn")
#: Held ready: more than the largest contestant takes; no more than thrice the files and this much
#: for the interpreter and its libraries.
HELD, HELD_APART = 3 << 30, 256 << 20

Figures = dict[str, float]


@dataclass
class Group:
    """One table: contestants of one task on the same files."""

    name: str
    title: str
    task: str
    files: list[str]
    contestants: list[str]
    cold: bool = False
    limit: str | None = None
    writes: bool = False
    figures: dict[str, list[Figures]] = field(default_factory=dict)


LAZY = ["nexus torch", "safetensors torch"]
EAGER = [
    "nexus numpy",
    "nexus numpy pread",
    "nexus torch auto",
    "nexus torch populate",
    "nexus torch pread",
    "safetensors numpy",
    "safetensors numpy pread",
    "safetensors torch pread",
    "fastsafetensors",
    "runai-model-streamer",
    "torch.load",
    "numpy npz",
]
#: Which of ours does what a peer does; otherwise the one whose name differs in the library alone.
AGAINST = {
    "fastsafetensors": "nexus torch auto",
    "runai-model-streamer": "nexus torch auto",
    "torch.load": "nexus torch auto",
    "numpy npz": "nexus numpy",
    "torch.save": "nexus torch",
    "limit": "nexus torch auto",
    "zipnn": "nexus",
    "zipnn, 1 thread": "nexus, 1 thread",
}
COLD = [
    *LAZY,
    "nexus torch auto",
    "nexus torch direct",
    "nexus torch uring",
    "safetensors numpy",
    "safetensors torch pread",
    "fastsafetensors",
    "runai-model-streamer",
]
DIFFUSION = ["unet", "vae", "text_encoder"]
GROUPS = [
    Group("warm", "Load, file in the page cache", "load", ["llm"], LAZY + EAGER, limit="memory"),
    Group("cold", "Load, file not in memory", "load", ["llm"], COLD, True, "disk read"),
    Group(
        "diffusion",
        "Load three files of 2105 small tensors, in the page cache",
        "load",
        DIFFUSION,
        [
            *LAZY,
            "nexus numpy",
            "nexus numpy pread",
            "nexus torch pread",
            "safetensors numpy",
            "safetensors numpy pread",
            "safetensors torch pread",
        ],
    ),
    Group(
        "bytes",
        "Load from bytes in memory",
        "load bytes",
        ["llm"],
        ["nexus torch", "safetensors torch"],
    ),
    Group(
        "bytes-numpy",
        "Load from bytes in memory, F16 (the peer's NumPy module has no BF16)",
        "load bytes",
        ["unet"],
        ["nexus numpy", "safetensors numpy"],
    ),
    Group(
        "save",
        "Save",
        "save",
        ["llm"],
        ["nexus torch", "safetensors torch", "torch.save"],
        writes=True,
    ),
    Group(
        "durable",
        "Save and sync",
        "save durably",
        ["llm"],
        ["nexus torch", "safetensors torch", "torch.save"],
        limit="disk write",
        writes=True,
    ),
    Group("to-bytes", "Save to bytes", "save bytes", ["llm"], ["nexus torch", "safetensors torch"]),
    Group(
        "header",
        "100 000 tensors",
        "header",
        ["many"],
        [
            f"{library} {what}"
            for what in ("open, keys", "torch load_file", "numpy load_file")
            for library in ("nexus", "safetensors")
        ],
    ),
    Group(
        "slice",
        "What rank 1 of 4 needs of every matrix, file in the page cache",
        "slice",
        ["llm"],
        [
            f"{library} {framework} {backend}"
            for backend in ("mmap", "pread")
            for framework in ("torch", "numpy")
            for library in ("nexus", "safetensors")
        ],
    ),
    Group(
        "unpack",
        "Unpack BF16 weights",
        "unpack",
        ["llm"],
        ["nexus", "nexus, 1 thread", "zipnn", "zipnn, 1 thread"],
    ),
]


class Bench:
    """The rounds of all groups."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.folder: Path = arguments.folder
        self.prefix = ["chrt", "-f", "1"] if arguments.exclusive else []
        self.nowhere = os.open(os.devnull, os.O_WRONLY)

    def run(self, group: Group, number: int) -> None:
        """One round: every contestant once, each round beginning with another one."""
        names = list(group.contestants)
        if group.limit:
            names.append("limit")
        shift = number % len(names)
        for name in names[shift:] + names[:shift]:
            files = [str(self.folder / f"{file}.safetensors") for file in group.files]
            self.prepare(files, name, group.cold)
            target = self.folder / "saved.out"
            command = [str(HERE / "contestants.py"), group.task, name, *files]
            if name == "limit":
                command = [str(HERE / "limits.py"), str(group.limit), *files]
            if group.writes:
                command.append(str(target))
            figures = self.measure(command, sum(map(os.path.getsize, files)))
            target.unlink(missing_ok=True)
            if figures:
                group.figures.setdefault(name, []).append(figures)

    def prepare(self, files: list[str], name: str, cold: bool) -> None:
        """Brings the files into the page cache, or out of it."""
        suffix = {"torch.load": ".bin", "numpy npz": ".npz"}.get(name)
        suffix = {"nexus": ".packed", "zipnn": ".znn"}.get(name.partition(",")[0], suffix)
        for file in [str(Path(file).with_suffix(suffix)) if suffix else file for file in files]:
            descriptor = os.open(file, os.O_RDONLY)
            if cold:
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            else:
                at = 0
                while sent := os.sendfile(self.nowhere, descriptor, at, 1 << 30):
                    at += sent
            os.close(descriptor)

    def measure(self, command: list[str], size: int) -> Figures | None:
        """Runs one process; a contestant that is not installed has no figures, and says so."""
        held = self.hold(min(HELD, 3 * size + HELD_APART))
        with subprocess.Popen(
            [*self.prefix, sys.executable, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout
            # Libraries may print before.
            while process.stdout.readline() not in ("ready\n", ""):
                pass
            held.close()
            printed, errors = process.communicate("go\n")
        if process.returncode:
            last = (errors.strip().splitlines() or ["no message"])[-1]
            print(f"  {' '.join(command[1:3])}: failed: {last}", file=sys.stderr)
            return None
        figures: Figures = json.loads(printed.splitlines()[-1])
        return figures

    def hold(self, size: int) -> mmap.mmap:
        """Memory that is there, in huge pages: what a contestant will need at most."""
        pages = huge(size)
        np.frombuffer(pages, np.uint8)[:: mmap.PAGESIZE] = 1
        return pages


def make_packed(folder: Path) -> str:
    """The weights packed by ours and by ZipNN; says how many bytes are left."""
    from zipnn import ZipNN

    from nexus.safetensors import pack_file

    file = folder / "llm.safetensors"
    if not (folder / "llm.packed").exists():
        pack_file(file, folder / "llm.packed")
    if not (folder / "llm.znn").exists():
        # It changes what it is given.
        zipped = ZipNN(bytearray_dtype="bfloat16").compress(bytearray(file.read_bytes()))
        (folder / "llm.znn").write_bytes(zipped)
    sizes = [(folder / f"llm.{kind}").stat().st_size for kind in ("packed", "znn")]
    parts = [f"{100 * size / file.stat().st_size:.2f} %" for size in sizes]
    return f"nexus leaves {parts[0]} of the bytes, zipnn {parts[1]}"


def make_peers_files(folder: Path) -> None:
    """The same tensors as torch and NumPy store them by themselves."""
    if (folder / "llm.npz").exists() and (folder / "llm.bin").exists():
        return
    import numpy as np
    import torch
    from safetensors.torch import load_file

    tensors = load_file(folder / "llm.safetensors")
    torch.save(tensors, folder / "llm.bin")
    np.savez(folder / "llm.npz", **{k: v.view(torch.uint16).numpy() for k, v in tensors.items()})
    for file in ("llm.bin", "llm.npz"):
        descriptor = os.open(folder / file, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)


def table(group: Group, folder: Path) -> str:
    """The figures of a group as Markdown."""
    size = sum((folder / f"{file}.safetensors").stat().st_size for file in group.files)
    lines = [
        f"**{group.title}** ({size / 1e9:.2f} GB)",
        "",
        "| | call, s | total, s (spread) | GB/s | peak memory / file | read / file | of ours |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for name, rounds in sorted(group.figures.items(), key=lambda item: order(group, item[0])):
        total = median(group.figures, name, "total_s")
        least, greatest = (f(each["total_s"] for each in rounds) for f in (min, max))
        cells = [
            f"{name} ({group.limit})" if name == "limit" else name,
            "" if name == "limit" else f"{median(group.figures, name, 'call_s'):.4f}",
            f"{total:.4f} ({least:.4f} to {greatest:.4f})",
            f"{size / total / 1e9:.2f}",
            "" if name == "limit" else f"{median(group.figures, name, 'peak_bytes') / size:.2f}",
            "" if name == "limit" else f"{median(group.figures, name, 'read_bytes') / size:.2f}",
            ratio(group, name, total),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def ratio(group: Group, name: str, total: float) -> str:
    """How many times as long as ours a peer takes."""
    twin = AGAINST.get(name, name.replace("safetensors", "nexus"))
    ours = median(group.figures, twin, "total_s") or median(group.figures, "nexus torch", "total_s")
    return "" if name.startswith("nexus") or not ours else f"{total / ours:.2f}x"


def order(group: Group, name: str) -> int:
    return group.contestants.index(name) if name in group.contestants else len(group.contestants)


def median(figures: dict[str, list[Figures]], name: str, key: str) -> float:
    return statistics.median(each[key] for each in figures[name]) if name in figures else 0.0


def conditions(rounds: int, load: float, exclusive: bool) -> str:
    """One line: versions, machine, rounds."""
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    cpu = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    return (
        f"Medians of {rounds} rounds{', under chrt -f 1' if exclusive else ''}; "
        f"{versions}, Python {platform.python_version()}; {cpu}, {os.cpu_count()} cores, "
        f"Linux {platform.release()}; load before the run {load:.1f}.\n"
    )


def version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def earlier(groups: list[Group], folder: Path) -> int:
    """Takes over the figures of the run before; gives the number of its rounds."""
    for group in groups:
        group.figures = json.loads((folder / f"{group.name}.json").read_text())
    return min(len(rounds) for group in groups for rounds in group.figures.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--add", action="store_true")
    parser.add_argument("--only", help="names of tables: " + ",".join(g.name for g in GROUPS))
    parser.add_argument("--exclusive", action="store_true")
    parser.add_argument("--folder", type=Path, default=ROOT / "target/bench/safetensors/files")
    parser.add_argument("--out", type=Path, default=ROOT / "target/bench/safetensors")
    arguments = parser.parse_args()
    if arguments.exclusive and not shutil.which("chrt"):
        sys.exit("error: --exclusive needs chrt\nhint: it is in the package util-linux")
    load = os.getloadavg()[0]
    checkpoint.make(arguments.folder)
    make_peers_files(arguments.folder)
    next(
        group for group in GROUPS if group.name == "unpack"
    ).title += f"; {make_packed(arguments.folder)}"
    arguments.out.mkdir(parents=True, exist_ok=True)
    wanted = set(arguments.only.split(",")) if arguments.only else {g.name for g in GROUPS}
    if unknown := wanted - {group.name for group in GROUPS}:
        sys.exit(f"error: no table is called {', '.join(sorted(unknown))}\nhint: see --help")
    groups, bench = [group for group in GROUPS if group.name in wanted], Bench(arguments)
    rounds = before = earlier(groups, arguments.out) if arguments.add else 0
    stopped: list[int] = []
    signal.signal(signal.SIGINT, lambda number, _frame: stopped.append(number))
    while rounds < before + arguments.rounds and not stopped:
        for group in groups:
            print(f"round {rounds + 1}: {group.name}", file=sys.stderr)
            bench.run(group, rounds)
        rounds += 1
    for group in groups:
        (arguments.out / f"{group.name}.json").write_text(json.dumps(group.figures, indent=1))
        (arguments.out / f"{group.name}.md").write_text(table(group, arguments.folder))
        print(table(group, arguments.folder), flush=True)
    line = conditions(rounds, load, arguments.exclusive)
    print(line)
    (arguments.out / "conditions.md").write_text(line)
    if len(groups) == len(GROUPS):
        tables = [(arguments.out / f"{group.name}.md").read_text() for group in groups]
        above, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
        below = rest.partition(END)[2]
        PAGE.write_text(above + BEGIN + "\n".join([*tables, line]) + END + below, "utf-8")
        print(f"written to {arguments.out} and {PAGE}")


if __name__ == "__main__":
    main()
