"""Measure nexus.eventloop against its peers: echo servers, and what a loop does without a load.

    ./x bench eventloop [--rounds N] [--only KIND,...] [--peers NAME,...] [--ms N] [--idle N]
                        [--exclusive] [--folder F] [--out F] [--no-page]

A server is a process on one CPU, the native load generator (load/, a Rust program) one on another;
with 10 connections, each of which sends a message, waits until all of it is back and sends the
next. A server has had other connections before, so that its memory is as in a process that has run
for a while. A round starts every contestant in turn, in another order each round; a figure is the
median over the rounds, beside it half of the range. What counts is the server's CPU time a message
(user and system, of all its threads, from the kernel's account): on a busy machine it is steadier
than the rate. System calls are counted by ``perf stat`` in a visit of their own, where the kernel
lets it. `raw epoll` is the echo server of load/, without Python: the limit. ``--exclusive`` asks
for the CPUs (``chrt -f 1``).

Peers are in virtual environments (peers/*.txt). What cannot be had is listed with the reason.
Tables are printed, written to a folder and put into docs/eventloop.md between the lines
``<!-- bench:eventloop -->`` and ``<!-- /bench:eventloop -->``, beside those that an earlier run
left there. The run ends with the floors: 1.2 times as good as asyncio in each row of an echo, and
not behind uvloop beyond the spread.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PAGE = ROOT / "docs/eventloop.md"
BEGIN, END = "<!-- bench:eventloop -->\n", "<!-- /bench:eventloop -->"
SIZES = {"1 KiB": 1 << 10, "10 KiB": 10 << 10, "100 KiB": 100 << 10}
#: A kind, and how the load generator calls its connections.
KINDS = {
    "protocol": "tcp",
    "buffered": "tcp",
    "streams": "tcp",
    "sock": "tcp",
    "unix": "unix",
    "udp": "udp",
    "tls": "tls",
}
CONNECTIONS = 10
IDLE = 20_000
LIMIT, OURS, STOCK, RIVAL = "raw epoll", "nexus", "asyncio", "uvloop"
PEERS = sorted(path.stem for path in (HERE / "peers").glob("*.txt"))
CONTESTANTS = [LIMIT, OURS, STOCK, RIVAL, *(name for name in PEERS if name != RIVAL)]
FLOOR = 1.2
#: Seconds a request may take.
TIME_LIMIT_S = 60
#: Rows of the loop alone: what the table calls them, what a figure is divided by, whether more is
#: better. All but `idle` are micro.py's.
ROWS = {
    "call_soon": ("call_soon, batches of 100, M/s", 1e6, True),
    "call_later": ("call_later and cancel, M/s", 1e6, True),
    "switches": ("sleep(0) of 100 tasks, M/s", 1e6, True),
    "gather": ("gather of 10,000, thousands/s", 1e3, True),
    "crossing": ("call_soon_threadsafe to a loop that waits, µs", 1, False),
    "spawn": ("subprocess /bin/true, /s", 1, True),
    "import": ("import, ms", 1, False),
    "start": ("new loop, ms", 1, False),
    "idle": ("an idle connection, bytes", 1, False),
}


class Missing(Exception):
    """A contestant is not here, or lacks a kind; the message says why."""


@dataclass
class Figures:
    """By quantity, row and contestant, one for each round; and why some are not there."""

    values: dict[str, dict[str, dict[str, list[float]]]] = field(default_factory=dict)
    missing: dict[str, dict[str, str]] = field(default_factory=dict)

    def add(self, quantity: str, row: str, name: str, value: float) -> None:
        rows = self.values.setdefault(quantity, {})
        rows.setdefault(row, {}).setdefault(name, []).append(value)

    def all(self, quantity: str, row: str, name: str) -> list[float]:
        return self.values.get(quantity, {}).get(row, {}).get(name, [])

    def median(self, quantity: str, row: str, name: str) -> float | None:
        found = self.all(quantity, row, name)
        return statistics.median(found) if found else None

    def forget(self, kinds: list[str], names: list[str]) -> None:
        """What is measured again."""
        for rows in self.values.values():
            for row, known in rows.items():
                if (row.partition(",")[0] if "," in row else "loop") in kinds:
                    for name in names:
                        known.pop(name, None)
        for name in names:
            lacks = self.missing.get(name, {})
            self.missing[name] = {what: why for what, why in lacks.items() if what not in kinds}


class Bench:
    """Where things are."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.folder: Path = arguments.folder
        self.ms: int = arguments.ms
        self.idle: int = arguments.idle
        self.load = build(arguments.folder)
        self.interpreters: dict[str, str | Missing] = {}
        self.certificate: str | Missing | None = None
        cpus = sorted(os.sched_getaffinity(0))
        self.is_pinned = len(cpus) > 1 and shutil.which("taskset") is not None
        self.is_exclusive: bool = arguments.exclusive
        prefix = ["chrt", "-f", "1"] if self.is_exclusive else []
        self.server_cpu = [*prefix, "taskset", "-c", str(cpus[-1])] if self.is_pinned else prefix
        self.load_cpu = [*prefix, "taskset", "-c", str(cpus[0])] if self.is_pinned else prefix
        self.counts_calls = counts_calls()

    def python(self, name: str) -> str:
        """The interpreter that has a contestant."""
        if name in (OURS, STOCK):
            return sys.executable
        if name not in self.interpreters:
            try:
                self.interpreters[name] = environment(self.folder / "venvs", name)
            except Missing as error:
                self.interpreters[name] = error
        found = self.interpreters[name]
        if isinstance(found, Missing):
            raise found
        return found

    def address(self, kind: str, folder: Path) -> str:
        """What a server is told: where to be, or its certificate."""
        if kind == "unix":
            return str(folder / "socket")
        if kind != "tls":
            return "127.0.0.1:0"
        if self.certificate is None:
            try:
                self.certificate = certificate(self.folder)
            except Missing as error:
                self.certificate = error
        if isinstance(self.certificate, Missing):
            raise self.certificate
        return self.certificate


class Server:
    """A contestant that serves, until the block ends."""

    def __init__(self, bench: Bench, name: str, kind: str) -> None:
        self.folder = tempfile.TemporaryDirectory()
        address = bench.address(kind, Path(self.folder.name))
        if name == LIMIT:
            if kind == "tls":
                raise Missing("the limit has no TLS")
            command = [bench.load, "echo", KINDS[kind], address]
        else:
            command = [bench.python(name), str(HERE / "server.py"), name, kind, address]
        self.child = subprocess.Popen(
            [*bench.server_cpu, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.child.stdout and self.child.stderr
        self.address = self.child.stdout.readline().strip()
        if not self.address:
            why = last(self.child.stderr.read())
            self.__exit__()
            raise Missing(f"its server ends: {why}")

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.child.kill()
        self.child.communicate()
        self.folder.cleanup()


# --- what is needed ---


def last(text: str) -> str:
    return (text.strip().splitlines() or ["no message"])[-1][:200]


def run(command: list[str], hint: str, folder: Path = HERE) -> None:
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if ended.returncode:
        raise Missing(f"`{' '.join(command[:4])}` fails: {last(ended.stderr)}; {hint}")


def build(folder: Path) -> str:
    """The load generator."""
    if not shutil.which("cargo"):
        sys.exit("error: cargo is not on the PATH\nhint: the load generator is written in Rust")
    target = Path(os.environ.get("CARGO_TARGET_DIR", folder / "load")).absolute()
    command = ["cargo", "build", "--quiet", "--release", "--locked", "--target-dir", str(target)]
    try:
        run(command, "see its message", HERE / "load")
    except Missing as error:
        sys.exit(f"error: {error}")
    return str(target / "release/nexus-bench-eventloop")


def environment(folder: Path, name: str) -> str:
    """The interpreter that has the packages of peers/NAME.txt."""
    wanted, target = HERE / f"peers/{name}.txt", folder / name
    interpreter, stamp = str(target / "bin/python"), target / "installed.txt"
    text = f"{sys.version}\n{wanted.read_text()}"
    if not stamp.exists() or stamp.read_text() != text:
        print(f"  making the virtual environment `{name}`", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(target)], check=True)
        pip = [interpreter, "-m", "pip", "install", "--quiet", "--only-binary", ":all:"]
        run([*pip, "-r", str(wanted)], f"it is pinned in bench/eventloop/peers/{name}.txt")
        stamp.write_text(text)
    return interpreter


def certificate(folder: Path) -> str:
    """A certificate and its key in one file, made for the bench."""
    file = folder / "certificate.pem"
    if not file.exists():
        if not shutil.which("openssl"):
            raise Missing("there is no `openssl` to make a certificate with")
        command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
        parts = [folder / "key.pem", folder / "certificate.part"]
        names = ["-subj", "/CN=localhost", "-days", "365"]
        names += ["-addext", "subjectAltName=DNS:localhost"]
        paths = ["-keyout", str(parts[0]), "-out", str(parts[1])]
        run([*command.split(), *names, *paths], "TLS needs a certificate")
        file.write_text(parts[0].read_text() + parts[1].read_text())
    return str(file)


def counts_calls() -> str:
    """Why system calls cannot be counted; empty where they can."""
    if not shutil.which("perf"):
        return "there is no `perf` here"
    command = ["perf", "stat", "-x,", "-e", "raw_syscalls:sys_enter", "true"]
    ended = subprocess.run(command, capture_output=True, text=True)
    count = ended.stderr.strip().rpartition("\n")[2].partition(",")[0]
    if ended.returncode or not count.isdigit():
        return "the kernel does not let `perf stat` count raw_syscalls:sys_enter"
    return ""


# --- a visit ---


def measure(bench: Bench, server: Server, kind: str, size: int, counts: bool) -> dict[str, float]:
    """What the load generator says; with the system calls a message, where they are counted."""
    pid = str(server.child.pid)
    command = [*bench.load_cpu, bench.load, "load", KINDS[kind], server.address, str(size)]
    command += [str(CONNECTIONS), str(bench.ms // 4), str(bench.ms), pid]
    if counts:
        perf = ["perf", "stat", "-x,", "-e", "raw_syscalls:sys_enter", "-p", pid, "--"]
        command = [*perf, *command]
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=TIME_LIMIT_S)
    except subprocess.TimeoutExpired:
        raise Missing(f"no end after {TIME_LIMIT_S} s") from None
    if ended.returncode or not ended.stdout.startswith("{"):
        raise Missing(f"the load ends: {last(ended.stderr)}")
    found: dict[str, float] = json.loads(ended.stdout)
    if not found["messages"]:
        raise Missing("no message came back")
    if counts:
        lines = [line for line in ended.stderr.splitlines() if "raw_syscalls" in line]
        found["calls"] = float(lines[0].partition(",")[0]) / found["all"]
    return found


def visit(bench: Bench, figures: Figures, kind: str, name: str, number: int) -> None:
    """One contestant in one round: a process, and every size."""
    with Server(bench, name, kind) as server:
        measure(bench, server, kind, min(SIZES.values()), counts=False)
        for label, size in SIZES.items():
            if kind == "udp" and size > 60_000:
                continue
            row = f"{kind}, {label}"
            found = measure(bench, server, kind, size, counts=False)
            figures.add("cpu", row, name, found["cpu_ns"] / found["messages"] / 1e3)
            figures.add("rate", row, name, found["messages"] / found["seconds"])
            if number == 0 and not bench.counts_calls:
                found = measure(bench, server, kind, size, counts=True)
                figures.add("calls", row, name, found["calls"])


def loop_rows(bench: Bench, figures: Figures, name: str) -> None:
    command = [*bench.server_cpu, bench.python(name), str(HERE / "micro.py"), name]
    try:
        ended = subprocess.run(
            [*command, str(bench.ms / 1e3)], capture_output=True, text=True, timeout=TIME_LIMIT_S
        )
        output, errors = ended.stdout, ended.stderr
    except subprocess.TimeoutExpired as late:
        output, errors = (late.stdout or b"").decode(), f"no end after {TIME_LIMIT_S} s"
    lines = output.splitlines()
    found = json.loads(lines[-1]) if lines else {}
    for row, value in found.items():
        figures.add("loop", row, name, value)
    if lacks := [row for row in ROWS if row not in found and row != "idle"]:
        raise Missing(f"{', '.join(lacks)}: {last(errors)}")


def idle(bench: Bench, figures: Figures, name: str) -> None:
    """Resident bytes of a connection that does nothing."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    count = bench.idle if hard == resource.RLIM_INFINITY else min(bench.idle, hard - 200)
    with Server(bench, name, "protocol") as server:
        before = resident(server.child.pid)
        load = subprocess.Popen(
            [*bench.load_cpu, bench.load, "idle", server.address, str(count)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert load.stdout and load.stdin
        timer = signal.setitimer(signal.ITIMER_REAL, TIME_LIMIT_S)
        try:
            if load.stdout.readline().strip() != str(count):
                raise Missing(f"idle: {last(load.communicate()[1])}")
            while opened(server.child.pid) < count:
                if server.child.poll() is not None:
                    raise Missing(f"idle: its server ends with {server.child.returncode}")
            figures.add("loop", "idle", name, (resident(server.child.pid) - before) / count)
        except TimeoutError:
            raise Missing(f"idle: not {count} connections after {TIME_LIMIT_S} s") from None
        finally:
            signal.setitimer(signal.ITIMER_REAL, *timer)
            load.kill()
            load.communicate()


def resident(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def opened(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def attempt(bench: Bench, figures: Figures, kind: str, name: str, number: int) -> None:
    lacks = figures.missing.setdefault(name, {})
    if kind in lacks:
        return
    try:
        if kind != "loop":
            visit(bench, figures, kind, name, number)
        elif name != LIMIT:
            if number == 0:
                idle(bench, figures, name)
            loop_rows(bench, figures, name)
    except Missing as error:
        print(f"  {name}, {kind}: {error}", file=sys.stderr)
        lacks[kind] = str(error)


# --- tables ---


def text(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}" if value < 100 else f"{value:.0f}"


def cell(found: list[float], divided: float = 1) -> str:
    """The median and half of the range."""
    if not found:
        return ""
    shown = text(statistics.median(found) / divided)
    if len(found) < 2:
        return shown
    return f"{shown} ± {text((max(found) - min(found)) / 2 / divided)}"


def ratio(figures: Figures, quantity: str, row: str, name: str, is_rate: bool) -> str:
    """How many times as good ours is."""
    ours, peer = (figures.median(quantity, row, each) for each in (OURS, name))
    if not ours or not peer:
        return ""
    return f"{ours / peer if is_rate else peer / ours:.2f}"


def echo_rows() -> list[str]:
    return [f"{kind}, {label}" for kind in KINDS for label in SIZES]


def table(
    figures: Figures, quantity: str, title: str, rows: dict[str, tuple[str, float, bool]]
) -> str:
    known = figures.values.get(quantity, {})
    rows = {row: how for row, how in rows.items() if known.get(row)}
    names = [name for name in CONTESTANTS if any(known[row].get(name) for row in rows)]
    if not names:
        return ""
    heads = ["", *names, f"over {STOCK}", f"over {RIVAL}"]
    lines = [f"**{title}**", "", f"| {' | '.join(heads)} |", "|---|" + "---:|" * (len(heads) - 1)]
    for row, (label, divided, is_rate) in rows.items():
        cells = [cell(figures.all(quantity, row, name), divided) for name in names]
        cells += [ratio(figures, quantity, row, name, is_rate) for name in (STOCK, RIVAL)]
        lines.append(f"| {' | '.join([label, *cells])} |")
    return "\n".join([*lines, ""])


def floors(figures: Figures) -> str:
    lines = ["**Floors**: the peer's CPU time a message over ours", ""]
    lines += [
        f"| | over {STOCK} | at least {FLOOR} | over {RIVAL} | not behind |",
        "|---|---:|---|---:|---|",
    ]
    for row in echo_rows():
        ours = figures.all("cpu", row, OURS)
        if not ours:
            continue
        cells = [row]
        stock, rival = (figures.all("cpu", row, name) for name in (STOCK, RIVAL))
        value = statistics.median(stock) / statistics.median(ours) if stock else None
        cells += [f"{value:.2f}", "yes" if value >= FLOOR else "**no**"] if value else ["", ""]
        value = statistics.median(rival) / statistics.median(ours) if rival else None
        # Behind is who takes more in his best round than the other in his worst.
        verdict = "yes" if value and value >= 1 else "within the spread"
        if rival and min(ours) > max(rival):
            verdict = "**no**"
        cells += [f"{value:.2f}", verdict] if value else ["", ""]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""]) if len(lines) > 4 else ""


def absent(figures: Figures, bench: Bench) -> str:
    lines = [
        f"- {name}, {kind}: {why}"
        for name, lacks in figures.missing.items()
        for kind, why in lacks.items()
        if name != LIMIT
    ]
    lines += [f"- system calls: {bench.counts_calls}"] if bench.counts_calls else []
    return "\n".join(["Not measured:", "", *lines, ""]) if lines else ""


def conditions(bench: Bench, rounds: int, load: float) -> str:
    """Versions, machine, rounds."""
    pinned = [
        line.replace("==", " ")
        for path in sorted((HERE / "peers").glob("*.txt"))
        for line in path.read_text().splitlines()
    ]
    info = Path("/proc/cpuinfo").read_text().splitlines()
    named = (line.partition(":")[2].strip() for line in info if line.startswith("model name"))
    where = "server and load on a CPU each" if bench.is_pinned else "server and load not pinned"
    asked = " under chrt -f 1" if bench.is_exclusive else ""
    return (
        f"Medians of {rounds} rounds of {bench.ms} ms{asked}, ± half of the range; {where}; "
        f"{CONNECTIONS} connections; {', '.join(pinned)}, Python {platform.python_version()}; "
        f"{next(named, platform.machine())}, {os.cpu_count()} cores, Linux {platform.release()}; "
        f"load before the run {load:.1f}.\n"
    )


def page(figures: Figures, bench: Bench, rounds: int, load: float) -> str:
    echoes = {row: (row, 1.0, False) for row in echo_rows()}
    rates = {row: (row, 1.0, True) for row in echo_rows()}
    tables = [
        table(figures, "cpu", "Echo: server CPU, µs a message", echoes),
        table(figures, "calls", "Echo: system calls a message", echoes),
        table(figures, "rate", "Echo: messages a second", rates),
        table(figures, "loop", "The loop alone", ROWS),
        floors(figures),
        absent(figures, bench),
        conditions(bench, rounds, load),
    ]
    return "\n".join(part for part in tables if part)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    words = [*KINDS, "loop"]
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default=",".join(words), help="kinds: " + ",".join(words))
    parser.add_argument("--peers", help="names of contestants; all where not given")
    parser.add_argument("--ms", type=int, default=400, help="milliseconds of a measurement")
    parser.add_argument("--idle", type=int, default=IDLE, help="idle connections")
    parser.add_argument("--exclusive", action="store_true")
    parser.add_argument("--folder", type=Path, default=ROOT / "target/bench/eventloop/files")
    parser.add_argument("--out", type=Path, default=ROOT / "target/bench/eventloop")
    parser.add_argument("--no-page", action="store_true", help="leave docs/eventloop.md as it is")
    arguments = parser.parse_args()
    kinds = arguments.only.split(",")
    if unknown := set(kinds) - set(words):
        sys.exit(f"error: no kind is called {', '.join(sorted(unknown))}\nhint: see --help")
    if arguments.exclusive and not shutil.which("chrt"):
        sys.exit("error: --exclusive needs chrt\nhint: it is in the package util-linux")
    keep = arguments.peers.split(",") if arguments.peers else CONTESTANTS
    if unknown := set(keep) - set(CONTESTANTS):
        sys.exit(f"error: no contestant is called {', '.join(sorted(unknown))}\nhint: see --help")
    names = [name for name in CONTESTANTS if name in (LIMIT, OURS, STOCK) or name in keep]
    arguments.folder, arguments.out = arguments.folder.absolute(), arguments.out.absolute()
    for folder in (arguments.folder, arguments.out):
        folder.mkdir(parents=True, exist_ok=True)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    signal.signal(signal.SIGALRM, late)
    stopped: list[int] = []
    signal.signal(signal.SIGINT, lambda number, _frame: stopped.append(number))
    load, bench, figures = os.getloadavg()[0], Bench(arguments), Figures()
    file = arguments.out / "figures.json"
    if file.exists():
        figures = Figures(**json.loads(file.read_text()))
    figures.forget(kinds, CONTESTANTS)
    for number in range(arguments.rounds):
        for kind in kinds:
            print(f"round {number + 1} of {arguments.rounds}: {kind}", file=sys.stderr)
            shift = number % len(names)
            for name in names[shift:] + names[:shift]:
                if not stopped:
                    attempt(bench, figures, kind, name, number)
    file.write_text(json.dumps({"values": figures.values, "missing": figures.missing}))
    text = page(figures, bench, arguments.rounds, load)
    print(text)
    if not arguments.no_page:
        before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
        PAGE.write_text(before + BEGIN + text + END + rest.partition(END)[2], "utf-8")
    print(f"written to {file}" + ("" if arguments.no_page else f" and {PAGE}"))


def late(_number: int, _frame: object) -> None:
    raise TimeoutError


if __name__ == "__main__":
    main()
