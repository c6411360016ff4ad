"""The installed `nexus` program as the tests use it: run, fed, served and asked over HTTP."""

from __future__ import annotations

import contextlib
import json
import select
import subprocess
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

BUILD_TIMEOUT_S = 900
RUN_TIMEOUT_S = 120

Json = dict[str, object]


@dataclass(frozen=True)
class Nexus:
    """The installed `nexus` program."""

    path: Path

    def command(self, *arguments: object) -> list[str]:
        """Write a command line of it."""
        return [str(self.path), *map(str, arguments)]

    def run(
        self, *arguments: object, stdin: str = "", timeout_s: float = RUN_TIMEOUT_S
    ) -> subprocess.CompletedProcess[str]:
        """Run it to its end, whatever that is."""
        return subprocess.run(
            self.command(*arguments),
            input=stdin,
            capture_output=True,
            encoding="utf-8",
            timeout=timeout_s,
            check=False,
        )

    def output(self, *arguments: object, stdin: str = "", timeout_s: float = RUN_TIMEOUT_S) -> str:
        """Run it with success and return what it prints."""
        ended = self.run(*arguments, stdin=stdin, timeout_s=timeout_s)
        assert ended.returncode == 0, f"{ended.args} ended with {ended.returncode}:\n{ended.stderr}"
        return ended.stdout

    def json(self, *arguments: object, timeout_s: float = RUN_TIMEOUT_S) -> Json:
        """Run it with `--json` and return the object it prints."""
        parsed = json.loads(self.output(*arguments, "--json", timeout_s=timeout_s))
        assert isinstance(parsed, dict)
        return parsed

    @contextlib.contextmanager
    def serving(self, *arguments: object) -> Iterator[str]:
        """Run `search serve` on a free port and yield its address once it answers."""
        command = self.command("search", "serve", *arguments, "--port", 0, "--json")
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8"
        ) as process:
            try:
                assert process.stdout is not None and process.stderr is not None
                assert select.select([process.stdout], [], [], RUN_TIMEOUT_S)[0], "not ready"
                line = process.stdout.readline()
                assert line, f"{command} ended:\n{process.stderr.read()}"
                yield json.loads(line)["url"]
            finally:
                process.terminate()
                process.communicate(timeout=RUN_TIMEOUT_S)


@dataclass(frozen=True)
class Query:
    """One question and the modules of which one must be among the first five hits."""

    text: str
    modules: tuple[str, ...]

    def is_answered_by(self, hits: list[Json]) -> bool:
        """Tell whether an expected module, or one inside it, was found."""
        found = {str(hit["module"]) for hit in hits}
        return any(
            module == expected or module.startswith(f"{expected}.")
            for module in found
            for expected in self.modules
        )


def build_index(nexus: Nexus, model_dir: Path, source: Path, out: Path) -> Json:
    """Build an index and return the report."""
    arguments = ("--source", source, "--model", model_dir, "--out", out)
    return nexus.json("search", "build", *arguments, timeout_s=BUILD_TIMEOUT_S)


def hits_of(answer: Json) -> list[Json]:
    """Take the hits out of an answer."""
    hits = answer["hits"]
    assert isinstance(hits, list)
    return hits


def post(address: str, payload: Json) -> Json:
    """Send JSON and return the JSON that comes back."""
    request = urllib.request.Request(
        address, json.dumps(payload).encode(), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=RUN_TIMEOUT_S) as answer:
        parsed = json.load(answer)
    assert isinstance(parsed, dict)
    return parsed


def embed(nexus: Nexus, model_dir: Path, texts: list[str], *, precision: str = "f32") -> np.ndarray:
    """Embed texts with the program."""
    options = ("--model", model_dir, "--precision", precision)
    stdin = "".join(json.dumps({"text": text}) + "\n" for text in texts)
    printed = nexus.output("search", "embed", *options, "--json", stdin=stdin)
    vectors = [json.loads(line)["vector"] for line in printed.splitlines()]
    return np.array(vectors, dtype=np.float32)


def write_documents(folder: Path, count: int) -> None:
    """Write short texts that differ in their subject."""
    subjects = ("tea", "bread", "a bridge", "a river", "music", "snow", "gold", "a clock")
    folder.mkdir()
    for number in range(count):
        subject = subjects[number % len(subjects)]
        text = f"Note {number}. This text tells how people make, use and keep {subject}.\n"
        (folder / f"{number:02}.txt").write_text(text, "utf-8")
