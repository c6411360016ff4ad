"""Where contestants come from, and their processes."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from groups import Contestant

HERE = Path(__file__).parent
#: Seconds a request may take; a contestant that does not answer is ended.
TIME_LIMIT_S = 300


class Missing(Exception):
    """A contestant is not here; the message says why."""


class Process:
    """A contestant at work, stopped between requests: idle threads of many libraries spin."""

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
            self.child.send_signal(signal.SIGCONT)
            self.child.stdin.write(request + "\n")
            self.child.stdin.flush()
            line = self.child.stdout.readline()
            self.child.send_signal(signal.SIGSTOP)
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
        self.child.send_signal(signal.SIGCONT)
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

    def __enter__(self) -> Bench:
        return self

    def __exit__(self, *_: object) -> None:
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
