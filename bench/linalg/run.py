"""Measure nexus.linalg against its peers: products, systems, decompositions, tiny calls, stacks.

    ./x bench linalg [--with torch,jax] [--rounds N] [--only NAME,...] [--types f64,f32]
                     [--threads 1,2] [--sizes N,...] [--exclusive] [--folder F] [--out F]

A contestant is a process for each number of threads, which waits for requests (contestant.py says
which); for every cell of a table all contestants are asked in turn, in another order each round,
and a figure is the median over the rounds. A visit is the fastest of three blocks of calls; a call
that takes half a second or more is made in the first round only. Results are compared between
contestants up to order 64. On one thread a contestant has one CPU.

Peers from Python are in virtual environments (peers/*.txt); torch and jax are taken from the Python
that runs this where it has the pinned versions (``--with``). The Rust peers are the program in
rust/, Eigen is eigen.cpp where a C++ compiler and its headers are there. What cannot be had is
listed with the reason. NumPy is measured twice: as installed, and with OpenBLAS told to take its
AVX-512 kernels, which needs a machine that has them.

Tables are printed, written to a folder and put into docs/linalg.md between the lines
``<!-- bench:linalg -->`` and ``<!-- /bench:linalg -->``, beside those that an earlier run left
there. Ratios are the peer's time over ours: above 1 ours is faster. The run ends with the floors:
for each operation the geometric mean over all sizes against NumPy as installed, and the cells below
0.8; and with what two threads cost beside one. ``--exclusive`` asks for the CPU (``chrt -f 1``).
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import math
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PAGE = ROOT / "docs/linalg.md"
BEGIN, END = "<!-- bench:linalg -->\n", "<!-- /bench:linalg -->"
SIZES = (2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048)
#: Seconds a request may take; a contestant that does not answer is ended.
TIME_LIMIT_S = 300
#: Threads of libraries spin for so long before they sleep.
PAUSE_S = 0.25
#: A cell that took so long is measured once.
ONCE_S = 0.5
#: How far the numbers of two contestants may be apart, and up to which order they are compared.
TOLERANCE, COMPARED = {"f64": 1e-6, "f32": 2e-2}, 64
#: Types of products of low precision; int64_small has numbers of up to 31 bits, int64 of up to 63.
TOLERANCE |= {"bf16": 1e-2, "f16": 1e-2}
TOLERANCE |= dict.fromkeys(("int8", "int32", "int64_small", "int64"), 0.0)
#: Bytes of an item of a QMatrix.
BLOCKS = {"q8_0": 34 / 32, "q4_0": 18 / 32}
TOLERANCE |= {"q8_0": 2e-2, "q4_0": 0.2}
FLOOR = 0.8
#: How much longer a call on two threads may take than on one.
SHARING = 1.03
#: How many flops a call of order n has, where the number is known.
FLOPS = {
    "matmul": lambda n: 2 * n**3,
    "matmul_t": lambda n: 2 * n**3,
    "gemv": lambda n: 2 * n**2,
    "solve": lambda n: 2 / 3 * n**3 + 2 * n**2,
    "det": lambda n: 2 / 3 * n**3,
    "lu": lambda n: 2 / 3 * n**3,
    "inv": lambda n: 2 * n**3,
    "cholesky": lambda n: n**3 / 3,
    "qr": lambda n: 8 / 3 * n**3,
}

Cell = tuple[str, int, str, int, int]


class Missing(Exception):
    """A contestant is not here; the message says why."""


@dataclass(frozen=True)
class Contestant:
    """A name in the tables; where its program is; the word that chooses it there."""

    name: str
    place: str
    word: str
    variables: tuple[tuple[str, str], ...] = ()


OURS = Contestant("nexus", "here", "nexus")
NUMPY = Contestant("NumPy", "numpy", "numpy")
TORCH = Contestant("torch", "torch", "torch")
PYTHON = [
    OURS,
    NUMPY,
    Contestant("NumPy as SKYLAKEX", "numpy", "numpy", (("OPENBLAS_CORETYPE", "SKYLAKEX"),)),
    Contestant("MKL", "mkl", "mkl"),
    TORCH,
    Contestant("JAX", "jax", "jax"),
]
OURS_RUST = Contestant("nexus in Rust", "rust", "nexus")
NATIVE = [
    OURS_RUST,
    Contestant("faer", "rust", "faer"),
    Contestant("gemm", "rust", "gemm"),
    Contestant("matrixmultiply", "rust", "matrixmultiply"),
    Contestant("nalgebra", "rust", "nalgebra"),
    Contestant("Eigen", "eigen", "eigen"),
]
TINY = [
    Contestant("nexus Matrix", "here", "nexus-matrix"),
    Contestant("nexus on lists", "here", "nexus-lists"),
    Contestant("nexus on NumPy", "here", "nexus"),
    NUMPY,
    Contestant("NumPy on lists", "numpy", "numpy-lists"),
    TORCH,
    Contestant("PyGLM", "numpy", "glm"),
]
MACHINE = Contestant("machine", "rust", "machine")


@dataclass
class Group:
    """One table for each type and number of threads."""

    name: str
    title: str
    operations: list[str]
    contestants: list[Contestant]
    sizes: tuple[int, ...] = SIZES
    count: int = 0
    many_threads: bool = True
    #: Types of its own, instead of those asked for.
    kinds: tuple[str, ...] = ()
    #: What the table says of the contestants.
    note: str = ""
    #: Types in which NumPy computes the same; the floors count no others.
    same: tuple[str, ...] = tuple(TOLERANCE)
    seconds: dict[str, dict[Cell, list[float]]] = field(default_factory=dict)
    checks: dict[Cell, dict[str, float]] = field(default_factory=dict)
    missing: dict[str, dict[str, str]] = field(default_factory=dict)


EVERY = [*PYTHON, *NATIVE]
GROUPS = [
    Group("gemm", "Products", ["matmul", "matmul_t", "gemv"], EVERY),
    Group("dense", "Systems", ["solve", "inv", "det", "lu", "cholesky"], EVERY),
    Group("qr", "QR, least squares, pseudo-inverse", ["qr", "lstsq", "pinv"], EVERY),
    Group("symmetric", "Symmetric eigenvalues", ["eigvalsh", "eigh"], EVERY),
    Group("singular", "Singular values", ["svdvals", "svd"], EVERY),
    Group("general", "General eigenvalues", ["eigvals", "eig"], EVERY),
    Group("functions", "Norms and functions", ["norm", "expm"], EVERY),
    Group(
        "tiny",
        "Tiny calls from Python",
        ["matmul", "gemv", "det", "inv", "solve", "cholesky", "qr", "eigh", "svd", "svdvals"],
        TINY,
        (2, 3, 4, 8),
        many_threads=False,
    ),
    Group(
        "stacks",
        "Stacks of 1000 matrices",
        ["matmul", "solve", "inv", "det", "cholesky", "qr", "eigh", "svdvals", "svd"],
        PYTHON,
        (4, 16),
        1000,
    ),
    Group(
        "precision",
        "Products of low precision",
        ["matmul"],
        [OURS, NUMPY, TORCH],
        (64, 128, 256, 512, 1024),
        kinds=("bf16", "f16", "int8", "int32", "int64_small", "int64"),
        note="nexus adds bf16 and f16 up as f32 and gives f32; torch and NumPy give the narrow "
        "type, and NumPy has no bf16. int8 gives int32 everywhere, int32 and int64 wrap around. "
        "int64_small is int64 of numbers that fit int32. The peak is that of f32.",
        same=("int8", "int32", "int64_small", "int64"),
    ),
    Group(
        "weights",
        "Quantised weights",
        ["linear_1", "linear_2", "linear_8", "linear_64"],
        [OURS, NUMPY, TORCH],
        (4096,),
        kinds=("q8_0", "q4_0"),
        note="`x @ W.T` for so many rows x of float32. The weights of nexus are a QMatrix; those "
        "of NumPy and torch are float32, for neither has such blocks. The peak is reading the "
        "blocks once, at the rate of reading memory; a third-level cache that holds them reads "
        "faster.",
        same=(),
    ),
]


class Process:
    """A contestant at work."""

    def __init__(self, command: list[str], variables: dict[str, str]) -> None:
        self.child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=os.environ | variables,
        )

    def ask(self, request: str) -> dict[str, float]:
        assert self.child.stdin and self.child.stdout
        signal.setitimer(signal.ITIMER_REAL, TIME_LIMIT_S)
        try:
            self.child.stdin.write(request + "\n")
            self.child.stdin.flush()
            line = self.child.stdout.readline()
        except (BrokenPipeError, TimeoutError):
            self.child.kill()
            line = ""
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        if not line:
            raise Missing(f"its process ends: {ending(self.child.wait())}")
        found: dict[str, float] = json.loads(line)
        return found

    def end(self) -> None:
        if self.child.stdin:
            self.child.stdin.close()
        self.child.wait()


def ending(status: int) -> str:
    if status >= 0:
        return f"status {status}"
    why = ", an instruction that this machine lacks" if -status == signal.SIGILL else ""
    return f"{signal.Signals(-status).name}{why}"


class Bench:
    """Where things are, and the processes."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.folder: Path = arguments.folder
        self.exclusive: bool = arguments.exclusive
        self.processes: dict[tuple[Contestant, int], Process] = {}
        self.gone: dict[tuple[Contestant, int], str] = {}
        self.programs: dict[str, list[str]] = {}

    def ask(self, contestant: Contestant, threads: int, request: str) -> dict[str, float]:
        key = (contestant, threads)
        if key in self.gone:
            raise Missing(self.gone[key])
        try:
            if key not in self.processes:
                self.processes[key] = self.start(contestant, threads)
            return self.processes[key].ask(request)
        except Missing as error:
            self.gone[key] = str(error)
            self.processes.pop(key, None)
            raise

    def start(self, contestant: Contestant, threads: int) -> Process:
        command = self.program(contestant.place)
        prefix = ["chrt", "-f", "1"] if self.exclusive else []
        if threads == 1 and shutil.which("taskset"):
            prefix += ["taskset", "-c", str(max(os.sched_getaffinity(0)))]
        names = ("OPENBLAS", "OMP", "MKL", "RAYON")
        variables = {f"{name}_NUM_THREADS": str(threads) for name in names}
        command = [*prefix, *command, contestant.word, str(threads)]
        return Process(command, variables | dict(contestant.variables))

    def program(self, place: str) -> list[str]:
        """The command of a place, built once."""
        if place not in self.programs:
            if place == "rust":
                self.programs[place] = [rust()]
            elif place == "eigen":
                self.programs[place] = [eigen(self.folder)]
            else:
                interpreter = python(self.folder / "venvs", place)
                self.programs[place] = [interpreter, str(HERE / "contestant.py")]
        return self.programs[place]

    def end(self) -> None:
        for process in self.processes.values():
            process.end()


def run(command: list[str], folder: Path, hint: str) -> None:
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if ended.returncode:
        last = (ended.stderr.strip().splitlines() or ["no message"])[-1]
        raise Missing(f"`{' '.join(command[:3])}` fails: {last[:200]}; {hint}")


def python(folder: Path, name: str) -> str:
    """The interpreter that has the packages of peers/NAME.txt."""
    if name == "here":
        return sys.executable
    wanted, target = HERE / f"peers/{name}.txt", folder / name
    lines = [line for line in wanted.read_text().splitlines() if "==" in line]
    if name in ("torch", "jax") and all(version(line) == line for line in lines):
        return sys.executable
    stamp = target / "installed.txt"
    if not stamp.exists() or stamp.read_text() != wanted.read_text():
        print(f"  making the virtual environment `{name}`", file=sys.stderr)
        interpreter = str(target / "bin/python")
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(target)], check=True)
        pip = [interpreter, "-m", "pip", "install", "--quiet", "-r", str(wanted)]
        run(pip, HERE, f"the pinned packages are in bench/linalg/peers/{name}.txt")
        stamp.write_text(wanted.read_text())
    return str(target / "bin/python")


def version(line: str) -> str:
    """The line of a requirement as this Python fulfils it."""
    name = line.partition("==")[0]
    try:
        return f"{name}=={importlib.metadata.version(name).partition('+')[0]}"
    except importlib.metadata.PackageNotFoundError:
        return ""


def rust() -> str:
    """The program of the Rust contestants."""
    if not shutil.which("cargo"):
        raise Missing("cargo is not on the PATH")
    run(["cargo", "build", "--quiet", "--release", "--locked"], HERE / "rust", "see its message")
    target = Path(os.environ.get("CARGO_TARGET_DIR", HERE / "rust/target"))
    return str(target / "release/nexus-bench-linalg")


def eigen(folder: Path) -> str:
    """Eigen's program: its templates take a compiler some minutes."""
    headers = next(Path("/usr/include").glob("eigen3"), None)
    if not shutil.which("g++") or not headers:
        raise Missing("no g++ or no Eigen here; on Debian: apt-get install g++ libeigen3-dev")
    program, source = folder / "eigen", HERE / "eigen.cpp"
    if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
        print("  compiling eigen.cpp", file=sys.stderr)
        options = ["-O2", "-march=native", "-fopenmp", "-DNDEBUG", f"-I{headers}"]
        made = folder / "eigen.new"
        run(["g++", *options, str(source), "-o", str(made)], HERE, "see its message")
        made.rename(program)
    return str(program)


# --- rounds ---


def visit(bench: Bench, group: Group, cell: Cell, number: int) -> None:
    """One cell in one round: every contestant once, each round beginning with another one."""
    operation, n, kind, threads, count = cell
    shift = number % len(group.contestants)
    for contestant in group.contestants[shift:] + group.contestants[:shift]:
        name = contestant.name
        known = group.seconds.setdefault(name, {})
        lacks = group.missing.setdefault(name, {})
        if operation in lacks or (number and known.get(cell, [ONCE_S])[0] >= ONCE_S):
            continue
        if threads > 1:
            time.sleep(PAUSE_S)
        try:
            found = bench.ask(contestant, threads, f"{operation} {n} {kind} {count}")
        except Missing as error:
            if "all" not in lacks:
                print(f"  {name}: {error}", file=sys.stderr)
            lacks["all"] = str(error)
            continue
        if "missing" in found:
            if "no such operation" in str(found["missing"]):
                lacks[operation] = str(found["missing"])
            else:
                lacks[f"{operation} {n} {kind}"] = str(found["missing"])
            continue
        known.setdefault(cell, []).append(found["s"])
        if found.get("check") is not None:
            group.checks.setdefault(cell, {})[name] = found["check"]


def disagreements(group: Group) -> list[str]:
    """Cells in which a contestant has another result than NumPy."""
    found = []
    for cell, numbers in group.checks.items():
        operation, n, kind, _, _ = cell
        expected = numbers.get(NUMPY.name)
        if expected is None or n > COMPARED:
            continue
        for name, number in numbers.items():
            if not abs(number - expected) <= TOLERANCE[kind] * max(abs(expected), 1e-3):
                found.append(f"{operation} {n} {kind}: {name} has {number}, NumPy {expected}")
    return found


# --- tables ---


def median(group: Group, name: str, cell: Cell) -> float:
    rounds = group.seconds.get(name, {}).get(cell)
    return statistics.median(rounds) if rounds else math.nan


def ratios(group: Group, cell: Cell, contestants: list[Contestant], ours: str) -> str:
    """How much faster ours is than the best of the others."""
    own = median(group, ours, cell)
    peers = {
        each.name: median(group, each.name, cell)
        for each in contestants
        if not each.name.startswith("nexus")
    }
    peers = {name: seconds for name, seconds in peers.items() if not math.isnan(seconds)}
    if not peers or math.isnan(own):
        return ""
    best = min(peers, key=lambda name: peers[name])
    return f"{peers[best] / own:.2f} ({best})"


def time_text(seconds: float) -> str:
    """Microseconds, three digits."""
    if math.isnan(seconds):
        return ""
    value = seconds * 1e6
    return f"{value:.3g}" if value < 100 else f"{value:,.0f}"


def least_s(cell: Cell, rates: dict[str, float]) -> float:
    """How long the machine takes at least for what a cell computes or reads, or NaN."""
    operation, n, kind, threads, count = cell
    if kind in BLOCKS:
        size = BLOCKS[kind] * n**2 if operation == "linear_1" else math.nan
        return size / rates.get(f"read f64 on {threads}", math.nan)
    if operation not in FLOPS:
        return math.nan
    kind = kind if kind in ("f64", "f32") else "f32"
    peak = rates.get(f"peak {kind} on {threads}", math.nan)
    return FLOPS[operation](n) * max(count, 1) / peak


def table(group: Group, kind: str, threads: int, rates: dict[str, float]) -> str:
    """The figures of a group as Markdown; empty where nothing was measured."""
    cells = [
        (operation, n, kind, threads, group.count)
        for operation in group.operations
        for n in group.sizes
    ]
    cells = [cell for cell in cells if any(cell in each for each in group.seconds.values())]
    if not cells:
        return ""
    names = [each.name for each in group.contestants if group.seconds.get(each.name)]
    ours = group.contestants[0].name
    python_peers = [each for each in group.contestants if each.place not in ("rust", "eigen")]
    native = [each for each in group.contestants if each not in python_peers]
    heads = ["", "n", *names, "NumPy / nexus", "best from Python / nexus"]
    heads += [*(["best native / nexus in Rust"] if native else []), "of the peak"]
    many = f"{threads} thread{'s' if threads > 1 else ''}"
    lines = [f"**{group.title}**: {kind}, {many}, microseconds", "", f"| {' | '.join(heads)} |"]
    lines.append("|---|" + "---:|" * (len(heads) - 1))
    for cell in cells:
        operation, n = cell[:2]
        numpy, own = median(group, NUMPY.name, cell), median(group, ours, cell)
        row = [operation, str(n), *(time_text(median(group, name, cell)) for name in names)]
        row.append("" if math.isnan(numpy / own) else f"{numpy / own:.2f}")
        row.append(ratios(group, cell, python_peers, ours))
        if native:
            row.append(ratios(group, cell, native, OURS_RUST.name))
        share = 100 * least_s(cell, rates) / own
        row.append("" if math.isnan(share) else f"{share:.0f} %")
        lines.append(f"| {' | '.join(row)} |")
    return "\n".join([*lines, ""])


def absent(groups: list[Group]) -> str:
    """Who lacks what, counted."""
    found: dict[str, dict[str, str]] = {}
    for group in groups:
        for name, lacks in group.missing.items():
            found.setdefault(name, {}).update(lacks)
    lines = []
    for name, lacks in found.items():
        if "all" in lacks:
            lines.append(f"- {name}: {lacks['all']}")
            continue
        no = [what for what, why in lacks.items() if "no such operation" in why]
        odd = [f"{what} ({why})" for what, why in lacks.items() if what not in no]
        parts = [f"{len(no)} operations missing: {', '.join(no)}"] if no else []
        parts += [f"{len(odd)} requests refused, such as {odd[0]}"] if odd else []
        if parts:
            lines.append(f"- {name}: {'; '.join(parts)}")
    return "\n".join(["Not measured:", "", *lines, ""]) if lines else ""


def floors(groups: list[Group]) -> str:
    """Against NumPy as installed: the geometric mean over sizes, and the cells below the floor."""
    lines = ["**Floors**: NumPy's time over ours", ""]
    lines.append("| | type | threads | geometric mean | least | cells below 0.8 |")
    lines.append("|---|---|---:|---:|---:|---|")
    for group in groups:
        cells = group.seconds.get(NUMPY.name, {})
        for operation in group.operations:
            for kind in group.same:
                for threads in sorted({cell[3] for cell in cells}):
                    found = {
                        cell[1]: median(group, NUMPY.name, cell) / median(group, ours, cell)
                        for ours in [group.contestants[0].name]
                        for cell in cells
                        if cell[0] == operation and cell[2:4] == (kind, threads)
                    }
                    found = {n: ratio for n, ratio in found.items() if not math.isnan(ratio)}
                    if not found:
                        continue
                    mean = math.exp(statistics.fmean(map(math.log, found.values())))
                    low = ", ".join(f"{n}: {r:.2f}" for n, r in found.items() if r < FLOOR)
                    row = [named(group, operation), kind, str(threads)]
                    row += [f"{mean:.2f}", f"{min(found.values()):.2f}"]
                    lines.append(f"| {' | '.join([*row, low])} |")
    return "\n".join([*lines, ""])


def sharing(groups: list[Group]) -> str:
    """Our time on two threads over that on one: the mean over sizes, and the cells above."""
    lines = ["**Two threads**: our time over that on one thread", ""]
    lines.append("| | type | geometric mean | most | cells above 1.03 |")
    lines.append("|---|---|---:|---:|---|")
    for group in groups:
        ours = group.contestants[0].name
        cells = group.seconds.get(ours, {})
        for operation in group.operations:
            for kind in TOLERANCE:
                found = {
                    n: median(group, ours, (name, n, own, 2, count))
                    / median(group, ours, (name, n, own, 1, count))
                    for name, n, own, threads, count in cells
                    if (name, own, threads) == (operation, kind, 2)
                }
                found = {n: ratio for n, ratio in found.items() if not math.isnan(ratio)}
                if not found:
                    continue
                mean = math.exp(statistics.fmean(map(math.log, found.values())))
                high = ", ".join(f"{n}: {r:.2f}" for n, r in found.items() if r > SHARING)
                row = [named(group, operation), kind, f"{mean:.2f}", f"{max(found.values()):.2f}"]
                lines.append(f"| {' | '.join([*row, high])} |")
    return "\n".join([*lines, ""]) if len(lines) > 4 else ""


def named(group: Group, operation: str) -> str:
    """An operation in a table of several groups."""
    return f"{operation}, {group.name}" if group.name in ("tiny", "stacks") else operation


def starts(bench: Bench, rounds: int) -> str:
    """What importing costs: wall time and resident memory beyond bare Python's."""
    code = (
        "import time; t = time.perf_counter(); {statement}; t = time.perf_counter() - t\n"
        "pages = int(open('/proc/self/statm').read().split()[1])\n"
        "print(t, pages * __import__('resource').getpagesize())"
    )
    statements = {
        "bare Python": ("here", "pass"),
        "nexus.linalg": ("here", "import nexus.linalg"),
        "NumPy": ("numpy", "import numpy"),
        "NumPy and SciPy": ("numpy", "import numpy, scipy.linalg"),
        "PyGLM": ("numpy", "import pyglm.glm"),
        "torch": ("torch", "import torch"),
        "JAX": ("jax", "import jax.numpy"),
    }
    lines = ["**Import**", "", "| | ms | resident, MB |", "|---|---:|---:|"]
    for name, (place, statement) in statements.items():
        found = []
        try:
            interpreter = bench.program(place)[0]
        except Missing as error:
            lines.append(f"| {name} | | {error} |")
            continue
        for _ in range(rounds):
            command = [interpreter, "-c", code.format(statement=statement)]
            ended = subprocess.run(command, capture_output=True, text=True)
            if ended.returncode == 0:
                found.append([float(word) for word in ended.stdout.split()])
        if found:
            seconds, size = (statistics.median(each[i] for each in found) for i in (0, 1))
            lines.append(f"| {name} | {seconds * 1e3:.1f} | {size / 1e6:.1f} |")
    return "\n".join([*lines, ""])


def conditions(bench: Bench, rounds: int, load: float, rates: dict[str, float]) -> str:
    """Versions, machine, rounds, what the machine allows."""
    lines = [path.read_text().splitlines() for path in sorted((HERE / "peers").glob("*.txt"))]
    pinned = {line.replace("==", " ") for each in lines for line in each if "==" in line}
    cargo = (HERE / "rust/Cargo.toml").read_text().splitlines()
    for line in cargo:
        _, exactly, rest = line.partition('"=')
        if exactly:
            pinned.add(line.split()[0] + " " + rest.partition('"')[0])
    header = Path("/usr/include/eigen3/Eigen/src/Core/util/Macros.h")
    if header.exists():
        words = [line.split() for line in header.read_text().splitlines()]
        found = {each[1]: each[2] for each in words if each[:1] == ["#define"] and len(each) > 2}
        pinned.add(
            "Eigen "
            + ".".join(found[f"EIGEN_{part}_VERSION"] for part in ("WORLD", "MAJOR", "MINOR"))
        )
    cpu = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    allows = ", ".join(f"{name} {rate / 1e9:.1f} G" for name, rate in rates.items())
    return (
        f"Medians of {rounds} rounds{', under chrt -f 1' if bench.exclusive else ''}; "
        f"{', '.join(sorted(pinned, key=str.lower))}, Python {platform.python_version()}; {cpu}, "
        f"{os.cpu_count()} cores, Linux {platform.release()}; load before the run {load:.1f}. "
        f"Measured in the same run, operations or bytes a second: {allows}.\n"
    )


def save(group: Group, folder: Path) -> None:
    """The figures for the next run, which may measure other cells."""
    rows = [
        [name, *cell, each] for name, cells in group.seconds.items() for cell, each in cells.items()
    ]
    text = json.dumps({"seconds": rows, "missing": group.missing})
    (folder / f"{group.name}.json").write_text(text)


def load_figures(group: Group, folder: Path) -> None:
    """The figures of an earlier run."""
    path = folder / f"{group.name}.json"
    if not path.exists():
        return
    found = json.loads(path.read_text())
    for name, operation, n, kind, threads, count, each in found["seconds"]:
        cells = group.seconds.setdefault(name, {})
        cells[(operation, n, kind, threads, count)] = each
    group.missing = found["missing"]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    names = [group.name for group in GROUPS] + ["import"]
    parser.add_argument("--only", default=",".join(names), help="tables: " + ",".join(names))
    parser.add_argument("--types", default="f64,f32")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)))
    parser.add_argument("--peers", help="names of contestants; all where not given")
    parser.add_argument("--exclusive", action="store_true")
    parser.add_argument("--folder", type=Path, default=ROOT / "target/bench/linalg/files")
    parser.add_argument("--out", type=Path, default=ROOT / "target/bench/linalg")
    parser.add_argument("--no-page", action="store_true", help="leave docs/linalg.md as it is")
    arguments = parser.parse_args()
    if arguments.exclusive and not shutil.which("chrt"):
        sys.exit("error: --exclusive needs chrt\nhint: it is in the package util-linux")
    wanted = arguments.only.split(",")
    if unknown := set(wanted) - set(names):
        sys.exit(f"error: no table is called {', '.join(sorted(unknown))}\nhint: see --help")
    arguments.folder, arguments.out = arguments.folder.absolute(), arguments.out.absolute()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    arguments.out.mkdir(parents=True, exist_ok=True)
    load, bench = os.getloadavg()[0], Bench(arguments)
    stopped: list[int] = []
    signal.signal(signal.SIGINT, lambda number, _frame: stopped.append(number))
    signal.signal(signal.SIGALRM, late)
    counts = [int(each) for each in arguments.threads.split(",")]
    kinds, sizes = arguments.types.split(","), [int(each) for each in arguments.sizes.split(",")]
    chosen = [group for group in GROUPS if group.name in wanted]
    peaks = dict.fromkeys([*kinds, *(["f32"] if any(group.kinds for group in chosen) else [])])
    rates = {
        f"{word} {kind} on {threads}": bench.ask(MACHINE, threads, f"{word} 0 {kind} 0")["rate"]
        for threads in counts
        for word, kind in [*(("peak", kind) for kind in peaks), ("read", "f64")]
    }
    for group in chosen:
        load_figures(group, arguments.out)
        group.missing = {}
        keep = (arguments.peers or "").split(",")
        if arguments.peers:
            group.contestants = [
                e for i, e in enumerate(group.contestants) if not i or e.name in keep
            ]
        cells = [
            (operation, n, kind, threads, group.count)
            for threads in counts
            if threads == 1 or group.many_threads
            for kind in group.kinds or kinds
            for n in group.sizes
            if n in sizes or group.name in ("tiny", "weights")
            for operation in group.operations
        ]
        for each in group.contestants:
            for cell in cells:
                group.seconds.get(each.name, {}).pop(cell, None)
        rounds = 0
        while rounds < arguments.rounds and not stopped:
            print(f"round {rounds + 1} of {arguments.rounds}: {group.name}", file=sys.stderr)
            for cell in cells:
                if stopped:
                    break
                visit(bench, group, cell, rounds)
            rounds += 1
        save(group, arguments.out)
    bench.end()
    line = conditions(bench, arguments.rounds, load, rates)
    for group in chosen:
        text = "\n".join(
            table(group, kind, threads, rates)
            for kind in group.kinds or kinds
            for threads in counts
        )
        text += f"\n{group.note}\n" if group.note else ""
        (arguments.out / f"{group.name}.md").write_text(f"{text}\n{line}")
        print(text, flush=True)
    if "import" in wanted and not stopped:
        text = starts(bench, arguments.rounds)
        (arguments.out / "import.md").write_text(f"{text}\n{line}")
        print(text)
    for group in GROUPS:
        if group not in chosen:
            load_figures(group, arguments.out)
    ends = "\n".join([floors(GROUPS), sharing(GROUPS), absent(GROUPS)])
    (arguments.out / "floors.md").write_text(ends)
    print(line, ends, sep="\n")
    if not arguments.no_page:
        files = [arguments.out / f"{name}.md" for name in [*names, "floors"]]
        tables = [file.read_text() for file in files if file.exists()]
        before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
        after = rest.partition(END)[2]
        PAGE.write_text(before + BEGIN + "\n".join(tables) + END + after, "utf-8")
    print(f"written to {arguments.out}" + ("" if arguments.no_page else f" and {PAGE}"))
    if odd := [line for group in chosen for line in disagreements(group)]:
        sys.exit("error: the contestants do not agree\n" + "\n".join(odd))


def late(_number: int, _frame: object) -> None:
    raise TimeoutError


if __name__ == "__main__":
    main()
