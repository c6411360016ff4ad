"""The figures as Markdown."""

from __future__ import annotations

import math
import os
import platform
import statistics
import subprocess
from pathlib import Path

from groups import BLOCKS, FLOPS, NUMPY, ONE, OURS_RUST, TOLERANCE, Cell, Contestant, Group
from processes import HERE, Bench, Missing

FLOOR = 0.8
#: How much longer a call on two threads may take than on one.
SHARING = 1.03


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


def table(group: Group, kind: str, threads: int) -> str:
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
        share = 100 * least_s(cell, group.rates.get(threads, {})) / own
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
    lines = ["**Two threads**: our time with `threads=2` over that with `threads=1`", ""]
    lines.append("| | type | geometric mean | most | cells above 1.03 |")
    lines.append("|---|---|---:|---:|---|")
    for group in groups:
        ours = group.contestants[0].name
        cells = group.seconds.get(ours, {})
        for operation in group.operations:
            for kind in TOLERANCE:
                found = {
                    n: median(group, ours, (name, n, own, 2, count))
                    / median(group, ONE.name, (name, n, own, 2, count))
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


def conditions(
    exclusive: bool, rounds: int, load: float, threads: int, rates: dict[str, float]
) -> str:
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
        f"{threads} thread{'s' if threads > 1 else ''}: medians of {rounds} rounds"
        f"{', under chrt -f 1' if exclusive else ''}; "
        f"{', '.join(sorted(pinned, key=str.lower))}, Python {platform.python_version()}; {cpu}, "
        f"{os.cpu_count()} cores, Linux {platform.release()}; load before the run {load:.1f}. "
        f"Measured in the same run, operations or bytes a second: {allows}.\n"
    )
