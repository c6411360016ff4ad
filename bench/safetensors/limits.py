"""What the machine allows, measured without any library: the figures beside the contestants'.

    python bench/safetensors/limits.py LIMIT FILE [TARGET]

* ``memory``: the file, warm, read by two threads into huge pages that are new.
* ``disk read``: the file read past the page cache (O_DIRECT) into memory that is there already.
* ``disk write``: as many bytes to TARGET past the page cache, into allocated blocks, synced.

The disk is asked by four threads, 8 MiB at a time, once as each contestant. Each prints its seconds
as JSON.
"""

from __future__ import annotations

import json
import mmap
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from contestants import huge, ready

CHUNK = 8 << 20


def in_chunks(size: int, threads: int, work: Callable[[int, int], object]) -> float:
    """Calls ``work(start, end)`` for every chunk on some threads; gives the seconds."""
    start = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        ends = [(at, min(at + CHUNK, size)) for at in range(0, size, CHUNK)]
        list(pool.map(lambda pair: work(*pair), ends))
    return time.perf_counter() - start


def memory(file: str) -> float:
    """Warm pages of the file, copied to new huge pages."""
    size = os.path.getsize(file)
    pages, descriptor = memoryview(huge(size)), os.open(file, os.O_RDONLY)
    ready()
    return in_chunks(size, 2, lambda start, end: os.preadv(descriptor, [pages[start:end]], start))


def disk_read(file: str) -> float:
    """The file without the page cache."""
    size = os.path.getsize(file) // CHUNK * CHUNK
    pages, descriptor = huge(size), os.open(file, os.O_RDONLY | os.O_DIRECT)
    view = memoryview(pages)
    for start in range(0, size, mmap.PAGESIZE):
        view[start] = 1
    ready()
    return in_chunks(size, 4, lambda start, end: os.preadv(descriptor, [view[start:end]], start))


def disk_write(file: str, target: str) -> float:
    """As many bytes to allocated blocks, synced."""
    size = os.path.getsize(file) // CHUNK * CHUNK
    pages = huge(CHUNK)
    pages.write(os.urandom(CHUNK))
    ready()
    descriptor = os.open(target, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_DIRECT)
    os.posix_fallocate(descriptor, 0, size)
    write = in_chunks(size, 4, lambda at, end: os.pwrite(descriptor, pages, at))
    start = time.perf_counter()
    os.fsync(descriptor)
    os.close(descriptor)
    return write + time.perf_counter() - start


LIMITS = {"memory": memory, "disk read": disk_read, "disk write": disk_write}

if __name__ == "__main__":
    print(json.dumps({"total_s": LIMITS[sys.argv[1]](*sys.argv[2:])}))
