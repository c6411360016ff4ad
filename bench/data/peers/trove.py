"""datatrove: its quality filters, or its MinHash in four steps, on all cores.

    python trove.py filters|minhash JSONL.GZ-FOLDER OUT-FOLDER

It splits words with a tokeniser of its own, so its verdicts are its own too. Both calls work on two
of the eight shards: all of them would take minutes.
"""

from __future__ import annotations

import gzip
import json
import os
import sys
from pathlib import Path

from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.dedup import (
    MinhashDedupBuckets,
    MinhashDedupCluster,
    MinhashDedupFilter,
    MinhashDedupSignature,
)
from datatrove.pipeline.dedup.minhash import MinhashConfig
from datatrove.pipeline.filters import (
    C4QualityFilter,
    FineWebQualityFilter,
    GopherQualityFilter,
    GopherRepetitionFilter,
)
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers import JsonlWriter

CORES = os.cpu_count() or 1
SHARDS = 2
BANDS, ROWS = 14, 8


def execute(name: str, steps: list[object], logs: str, tasks: int = SHARDS) -> None:
    LocalPipelineExecutor(
        steps, tasks=tasks, workers=min(tasks, CORES), logging_dir=f"{logs}/{name}"
    ).run()


def reader(source: str) -> JsonlReader:
    return JsonlReader(source, glob_pattern="part-00[01].jsonl.gz")


def writer(target: str) -> JsonlWriter:
    return JsonlWriter(target, output_filename="${rank}.jsonl.gz")


def filters(source: str, target: str, logs: str) -> None:
    steps = [
        reader(source),
        GopherRepetitionFilter(),
        GopherQualityFilter(),
        C4QualityFilter(filter_no_terminal_punct=False),
        FineWebQualityFilter(),
        writer(target),
    ]
    execute("filters", steps, logs)


def minhash(source: str, target: str, logs: str) -> None:
    config = MinhashConfig(num_buckets=BANDS, hashes_per_bucket=ROWS, n_grams=5)
    work = f"{logs}/work"
    signature = MinhashDedupSignature(f"{work}/signatures", config)
    buckets = MinhashDedupBuckets(f"{work}/signatures", f"{work}/buckets", config=config)
    cluster = MinhashDedupCluster(f"{work}/buckets", f"{work}/removed", config=config)
    execute("signatures", [reader(source), signature], logs)
    execute("buckets", [buckets], logs, BANDS)
    execute("cluster", [cluster], logs, 1)
    removed = MinhashDedupFilter(f"{work}/removed")
    execute("filter", [reader(source), removed, writer(target)], logs)


def main(what: str, source: str, target: str) -> None:
    {"filters": filters, "minhash": minhash}[what](source, target, f"{target}/logs")
    kept = 0
    for path in Path(target).glob("*.jsonl.gz"):
        with gzip.open(path) as file:
            kept += sum(1 for _ in file)
    print(json.dumps({"kept": kept}))


if __name__ == "__main__":
    main(*sys.argv[1:])
