"""Measures an echo endpoint against FastAPI on uvicorn (uvloop, httptools), in one run.

    python bench/serve/bench_endpoint.py [--json OUT.json] [--markdown OUT.md]

Both servers answer ``POST /invocations`` with the request's own 64 bytes. Each is one process on
the first core; the load generator (``crates/serve/examples/load.rs``, one thread) is on the last
one. The contestants take turns in every round, and three things are measured in each turn:

* latency at one connection, the client sleeping until the answer is there, as programs do;
* the same with a client that asks again and again instead (``--spin``), which leaves the time that
  the client's own wake-up takes out of the figure;
* requests per second at 32 connections.

A figure is the median over the rounds; its spread is the least and the greatest round. ``--nexus``
names the program that serves, ``--server`` a whole command with ``{port}`` in it.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import shlex
import shutil
import socket
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

Json: TypeAlias = bool | int | float | str | list["Json"] | dict[str, "Json"] | None

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
START_TIMEOUT_S = 60
#: What each turn measures: a name and the load generator's options.
SETTINGS = {
    "one": ["--connections", "1"],
    "one_spin": ["--connections", "1", "--spin"],
    "many": ["--connections", "32"],
}
#: The figures of the table: title, setting, the load generator's field, its unit's divisor.
FIGURES = {
    "p50, 1 connection": ("one", "p50_us", "µs"),
    "p99, 1 connection": ("one", "p99_us", "µs"),
    "p50, 1 connection, spinning client": ("one_spin", "p50_us", "µs"),
    "p50, 32 connections": ("many", "p50_us", "µs"),
    "p99, 32 connections": ("many", "p99_us", "µs"),
    "requests/s, 32 connections": ("many", "requests_per_s", "1/s"),
}


@dataclass
class Contestant:
    name: str
    port: int
    rounds: dict[str, list[dict[str, float]]]


def main() -> None:
    arguments = parse_arguments()
    load = arguments.load or build_load()
    server_core, client_core = cores()
    with ExitStack() as stack:
        contestants = []
        for name, command in commands(arguments).items():
            port = free_port()
            command = [part.format(port=port) for part in command]
            stack.enter_context(running(command, port, server_core))
            contestants.append(Contestant(name, port, {setting: [] for setting in SETTINGS}))
        for number in range(arguments.rounds):
            for contestant in contestants:
                for setting, options in SETTINGS.items():
                    figures = measure(load, contestant.port, options, arguments, client_core)
                    contestant.rounds[setting].append(figures)
            print(f"round {number + 1} of {arguments.rounds}", file=sys.stderr)
    result = report(contestants, arguments, (server_core, client_core))
    table = markdown(result)
    print(table)
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    if arguments.markdown:
        arguments.markdown.write_text(table + "\n", "utf-8")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="seconds of each measurement")
    parser.add_argument("--size", type=int, default=64, help="bytes of each body")
    parser.add_argument("--nexus", default=find_nexus(), help="the program to measure")
    parser.add_argument("--server", help="the command to measure instead, with {port} in it")
    parser.add_argument("--load", type=Path, help="the load generator; default: built with cargo")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    parser.add_argument("--markdown", type=Path, help="where to write the table")
    return parser.parse_args()


def find_nexus() -> str | None:
    beside_python = Path(sys.executable).parent / "nexus"
    return str(beside_python) if beside_python.exists() else shutil.which("nexus")


def build_load() -> Path:
    build = ["cargo", "build", "--release", "--quiet", "-p", "nexus-serve", "--example", "load"]
    subprocess.run(build, cwd=ROOT, check=True)
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    return target / "release/examples/load"


def commands(arguments: argparse.Namespace) -> dict[str, list[str]]:
    """The command that starts each contestant."""
    if arguments.server:
        ours = shlex.split(arguments.server)
    elif arguments.nexus:
        ours = [arguments.nexus, "serve", "--handler", "echo", "--port", "{port}"]
    else:
        sys.exit("error: no `nexus` program is installed\nhint: pip install .")
    app = ["--app-dir", str(HERE), "fastapi_app:app"]
    options = ["--loop", "uvloop", "--http", "httptools", "--no-access-log"]
    peer = [sys.executable, "-m", "uvicorn", *app, *options, "--port", "{port}"]
    return {"nexus": ours, "FastAPI": [*peer, "--log-level", "warning"]}


def cores() -> tuple[int, int]:
    """The cores of the server and of the client; on one core they share it."""
    usable = sorted(os.sched_getaffinity(0))
    return usable[0], usable[-1]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(command: Sequence[str], port: int, core: int) -> Iterator[None]:
    """A server process, from its first answer to its end by SIGTERM."""
    process = subprocess.Popen(pinned(command, core), stdout=subprocess.DEVNULL)
    try:
        wait_ready(process, port)
        yield
    finally:
        process.terminate()
        process.wait(30)


def wait_ready(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            sys.exit(f"error: the server ended with status {process.returncode}")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/ping"):
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.05)
    sys.exit(f"error: the server does not answer after {START_TIMEOUT_S} s")


def pinned(command: Sequence[str], core: int) -> list[str]:
    return ["taskset", "--cpu-list", str(core), *command]


def measure(
    load: Path, port: int, options: list[str], arguments: argparse.Namespace, core: int
) -> dict[str, float]:
    common = ["--port", str(port), "--size", str(arguments.size)]
    command = [str(load), *common, "--seconds", str(arguments.seconds), *options]
    ended = subprocess.run(pinned(command, core), check=True, capture_output=True, text=True)
    figures: dict[str, float] = json.loads(ended.stdout)
    if figures["errors"]:
        sys.exit(f"error: {figures['errors']} answers were not 200")
    return figures


def report(
    contestants: list[Contestant], arguments: argparse.Namespace, pins: tuple[int, int]
) -> dict[str, Json]:
    ours, peer = contestants
    figures: dict[str, Json] = {}
    for title, (setting, field, unit) in FIGURES.items():
        row: dict[str, Json] = {"unit": unit}
        medians = []
        for contestant in contestants:
            values = [figures_of_round[field] for figures_of_round in contestant.rounds[setting]]
            medians.append(statistics.median(values))
            spread: list[Json] = [min(values), max(values)]
            row[contestant.name] = {"median": medians[-1], "spread": spread}
        row["ratio"] = medians[0] / medians[1]
        figures[title] = row
    names: list[Json] = [ours.name, peer.name]
    return {
        "contestants": names,
        "figures": figures,
        "rounds": arguments.rounds,
        "seconds": arguments.seconds,
        "size_bytes": arguments.size,
        "cores": {"server": pins[0], "client": pins[1]},
        "machine": {"cpu": cpu_model(), "cores": os.cpu_count(), "load": list(os.getloadavg())},
        "versions": versions(arguments),
    }


def cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def versions(arguments: argparse.Namespace) -> dict[str, Json]:
    packages = ("fastapi", "uvicorn", "uvloop", "httptools")
    found: dict[str, Json] = {name: importlib.metadata.version(name) for name in packages}
    found["python"] = platform.python_version()
    found["nexus"] = arguments.server or "nexus serve --handler echo"
    return found


def markdown(result: dict[str, Json]) -> str:
    names, figures = result["contestants"], result["figures"]
    assert isinstance(names, list) and isinstance(figures, dict)
    lines = [
        "| | " + " | ".join(map(str, names)) + " | ratio |",
        "|---|" + "---:|" * (len(names) + 1),
    ]
    for title, row in figures.items():
        assert isinstance(row, dict)
        cells = [cell(row[str(name)], str(row["unit"])) for name in names]
        lines.append(f"| {title} | {' | '.join(cells)} | {row['ratio']:.2f} |")
    versions = result["versions"]
    assert isinstance(versions, dict)
    peers = ", ".join(f"{name} {version}" for name, version in versions.items() if name != "nexus")
    machine = result["machine"]
    assert isinstance(machine, dict)
    lines += [
        "",
        f"Medians of {result['rounds']} rounds (least to greatest), {result['seconds']} s each, "
        f"bodies of {result['size_bytes']} bytes; {peers}; {machine['cpu']}, "
        f"{machine['cores']} cores, server and client on one each.",
    ]
    return "\n".join(lines)


def cell(figure: Json, unit: str) -> str:
    assert isinstance(figure, dict)
    median, spread = figure["median"], figure["spread"]
    assert isinstance(median, float) and isinstance(spread, list)
    least, greatest = spread
    return f"{median:,.0f} {unit} ({least:,.0f} to {greatest:,.0f})"


if __name__ == "__main__":
    main()
