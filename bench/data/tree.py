"""Runs a command and measures it with all its descendants, those that it leaves behind included.

    python bench/data/tree.py COMMAND...

The last line is JSON: ``wall_s``, ``cpu_s`` (user and system seconds of every process),
``peak_bytes`` (resident memory: the largest sum over the processes at one time, sampled, and at
least the largest of a single one), ``status``, and ``printed``, the command's own last line.

Orphans become children of this process (PR_SET_CHILD_SUBREAPER), so that the kernel's own count of
CPU time is complete: Spark and Ray leave such. It lacks children whose parent ignores their end, as
raylets do; so CPU time is also sampled for each process, and the larger sum counts. Linux only.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import subprocess
import sys
import threading
import time
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36
SAMPLE_S = 0.1


def descendants(process: int) -> list[int]:
    """Ids of all processes below one."""
    found = []
    try:
        for task in os.listdir(f"/proc/{process}/task"):
            for child in Path(f"/proc/{process}/task/{task}/children").read_text().split():
                found += [int(child), *descendants(int(child))]
    except OSError:
        pass  # It has ended meanwhile.
    return found


def resident(process: int) -> int:
    """Resident bytes of a process; what it shares with others counts in part (PSS)."""
    try:
        for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass  # It has ended meanwhile.
    return 0


def cpu(process: int) -> float:
    """CPU seconds of a process, without those of its children."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return 0.0  # It has ended meanwhile.
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(command: list[str]) -> dict[str, object]:
    """Runs the command, waits for all that it has started, and measures them."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    ended = threading.Event()
    sums = [0]
    times: dict[int, float] = {}

    def sample() -> None:
        while not ended.wait(SAMPLE_S):
            processes = descendants(os.getpid())
            sums.append(sum(map(resident, processes)))
            for each in processes:
                times[each] = max(times.get(each, 0.0), cpu(each))

    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    sampler = threading.Thread(target=sample)
    sampler.start()
    assert process.stdout
    printed = process.stdout.read()
    status = process.wait()
    wall = time.perf_counter() - start
    reap()
    ended.set()
    sampler.join()
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "wall_s": wall,
        "cpu_s": max(usage.ru_utime + usage.ru_stime, sum(times.values())),
        "peak_bytes": max(usage.ru_maxrss * 1024, *sums),
        "status": status,
        "printed": (printed.strip().splitlines() or [""])[-1],
    }


def reap() -> None:
    """Waits for the orphans."""
    while True:
        try:
            os.wait()
        except ChildProcessError:
            return


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1:])))
