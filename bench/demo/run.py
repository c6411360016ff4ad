"""Measure the demo: its encoder and its endpoint, each against named peers.

    ./x bench demo [--with torch] [--rounds N] [--out FOLDER]

It runs bench_encoder.py (onnxruntime, and sentence-transformers where it is installed) and
bench/serve/bench_endpoint.py (FastAPI on uvicorn), prints their tables, writes them with the
figures to a folder (``encoder.md``, ``encoder.json``, ``endpoint.md``, ``endpoint.json``) and puts
the tables into docs/search.md between the lines ``<!-- bench:demo -->`` and
``<!-- /bench:demo -->``.
"""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
ENCODER = HERE / "bench_encoder.py"
# The benches' options for files, and how those files end.
KINDS = {"json": "json", "markdown": "md"}
PAGE = ROOT / "docs/search.md"
BEGIN, END = "<!-- bench:demo -->\n", "<!-- /bench:demo -->"
ENDPOINT = ROOT / "bench/serve/bench_endpoint.py"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=ROOT / "target/bench/demo")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    torch = importlib.util.find_spec("sentence_transformers") is not None
    for name, program, options in [
        ("encoder", ENCODER, ["--with", "torch"] if torch else []),
        ("endpoint", ENDPOINT, []),
    ]:
        print(f"## {name}\n", flush=True)
        files = [f"--{kind}={arguments.out / name}.{end}" for kind, end in KINDS.items()]
        command = [
            sys.executable,
            str(program),
            *files,
            "--rounds",
            str(arguments.rounds),
            *options,
        ]
        if ended := subprocess.run(command, check=False).returncode:
            sys.exit(ended)
    tables = [(arguments.out / f"{name}.md").read_text("utf-8") for name in ("encoder", "endpoint")]
    before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}{chr(10).join(tables)}{END}{after}", "utf-8")
    print(f"written to {arguments.out} and {PAGE}")


if __name__ == "__main__":
    main()
