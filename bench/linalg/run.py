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
import os
import shutil
import signal
import sys
from pathlib import Path

from groups import GROUPS, MACHINE, NUMPY, ONE, OURS, SIZES, TOLERANCE, Cell, Group
from processes import HERE, Bench, Missing
from tables import absent, conditions, floors, sharing, starts, table

ROOT = HERE.parents[1]
PAGE = ROOT / "docs/linalg.md"
BEGIN, END = "<!-- bench:linalg -->\n", "<!-- /bench:linalg -->"
#: A cell that took so long is measured once.
ONCE_S = 0.5
#: A peer is not asked for an order at which it would take so long, by what a smaller one took.
LONG_S = 20
#: Up to which order the numbers of contestants are compared.
COMPARED = 64


def visit(bench: Bench, group: Group, cell: Cell, number: int) -> None:
    """One cell in one round: every contestant once, each round beginning with another one."""
    operation, n, kind, threads, count = cell
    shift = number % len(group.contestants)
    for contestant in group.contestants[shift:] + group.contestants[:shift]:
        if contestant is ONE and threads == 1:
            continue
        name = contestant.name
        known = group.seconds.setdefault(name, {})
        lacks = group.missing.setdefault(name, {})
        if operation in lacks or (number and known.get(cell, [ONCE_S])[0] >= ONCE_S):
            continue
        if contestant not in (OURS, ONE, NUMPY) and (least := expected_s(known, cell)) > LONG_S:
            lacks[f"{operation} {n} {kind}"] = f"would take {least:.0f} s or more"
            continue
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


def expected_s(known: dict[Cell, list[float]], cell: Cell) -> float:
    """How long a call takes at least, if it grows by the cube of the order; 0 where unknown."""
    operation, n, *rest = cell
    smaller = [
        (each[1], seconds[0])
        for each, seconds in known.items()
        if each[0] == operation and list(each[2:]) == rest and each[1] < n
    ]
    order, seconds = max(smaller, default=(n, 0.0))
    return seconds * (n / order) ** 3


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
    load = os.getloadavg()[0]
    stopped: list[int] = []
    signal.signal(signal.SIGINT, lambda number, _frame: stopped.append(number))
    signal.signal(signal.SIGALRM, late)
    counts = [int(each) for each in arguments.threads.split(",")]
    kinds, sizes = arguments.types.split(","), [int(each) for each in arguments.sizes.split(",")]
    chosen = [group for group in GROUPS if group.name in wanted]
    peaks = dict.fromkeys([*kinds, *(["f32"] if any(group.kinds for group in chosen) else [])])
    words = [*(("peak", kind) for kind in peaks), ("read", "f64")]
    with Bench(arguments) as bench:
        rates = {
            threads: {
                f"{word} {kind} on {threads}": bench.ask(MACHINE, threads, f"{word} 0 {kind} 0")[
                    "rate"
                ]
                for word, kind in words
            }
            for threads in counts
        }
        for group in chosen:
            group.load(arguments.out)
            group.missing = {}
            keep = (arguments.peers or "").split(",")
            if arguments.peers:
                group.contestants = [
                    e for e in group.contestants if e.name.startswith("nexus") or e.name in keep
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
            for threads in sorted({cell[3] for cell in cells}):
                line = conditions(
                    arguments.exclusive, arguments.rounds, load, threads, rates[threads]
                )
                group.rates[threads], group.conditions[threads] = rates[threads], line
            rounds = 0
            while rounds < arguments.rounds and not stopped:
                print(f"round {rounds + 1} of {arguments.rounds}: {group.name}", file=sys.stderr)
                for cell in cells:
                    if stopped:
                        break
                    visit(bench, group, cell, rounds)
                rounds += 1
            group.save(arguments.out)
    for group in chosen:
        text = "\n".join(
            table(group, kind, threads)
            for kind in group.kinds or kinds
            for threads in sorted(group.conditions)
        )
        text += f"\n{group.note}\n" if group.note else ""
        ends = "\n".join(line for _, line in sorted(group.conditions.items()))
        (arguments.out / f"{group.name}.md").write_text(f"{text}\n{ends}")
        print(text, ends, sep="\n", flush=True)
    if "import" in wanted and not stopped:
        text = starts(bench, arguments.rounds)
        (arguments.out / "import.md").write_text(text)
        print(text)
    for group in GROUPS:
        if group not in chosen:
            group.load(arguments.out)
    ends = "\n".join([floors(GROUPS), sharing(GROUPS), absent(GROUPS)])
    (arguments.out / "floors.md").write_text(ends)
    print(ends)
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
