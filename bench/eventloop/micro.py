"""The rows of one loop without a load: ``python micro.py LOOP SECONDS`` prints them as JSON.

Each is a rate a second, or microseconds, or milliseconds, as run.py's table says.
"""

from __future__ import annotations

import asyncio
import gc
import json
import statistics
import sys
import threading
import time
from collections.abc import Awaitable, Callable

from loops import factory

BATCH = 100
TASKS = 100
GATHERED = 10_000
CROSSINGS = 200
SPAWNED = 10


def nothing() -> None:
    pass


async def repeated(seconds: float, count: int, body: Callable[[], Awaitable[object]]) -> float:
    """How many a second, where a call of the body makes `count`."""
    done, begin = 0, time.perf_counter()
    while (passed := time.perf_counter() - begin) < seconds:
        await body()
        done += count
    return done / passed


async def call_soon() -> None:
    loop = asyncio.get_running_loop()
    for _ in range(BATCH):
        loop.call_soon(nothing)
    await asyncio.sleep(0)


def call_later(loop: asyncio.AbstractEventLoop, seconds: float) -> float:
    done, begin = 0, time.perf_counter()
    while (passed := time.perf_counter() - begin) < seconds:
        timers = [loop.call_later(10, nothing) for _ in range(BATCH)]
        for timer in timers:
            timer.cancel()
        done += BATCH
    return done / passed


async def sleeping(times: int) -> None:
    for _ in range(times):
        await asyncio.sleep(0)


async def switches() -> None:
    await asyncio.gather(*(sleeping(100) for _ in range(TASKS)))


async def gathered() -> None:
    await asyncio.gather(*(sleeping(1) for _ in range(GATHERED)))


async def crossing() -> float:
    """Microseconds from a thread to a callback of a loop that waits: the median."""
    loop, times = asyncio.get_running_loop(), []
    ended = asyncio.Event()

    def other() -> None:
        for _ in range(CROSSINGS):
            time.sleep(0.0005)
            called = time.perf_counter()
            loop.call_soon_threadsafe(lambda at: times.append(time.perf_counter() - at), called)
        loop.call_soon_threadsafe(ended.set)

    thread = threading.Thread(target=other)
    thread.start()
    await ended.wait()
    thread.join()
    return statistics.median(times) * 1e6


async def spawned() -> None:
    for _ in range(SPAWNED):
        child = await asyncio.create_subprocess_exec("/bin/true")
        await child.wait()


def main() -> None:
    name, seconds = sys.argv[1], float(sys.argv[2])
    rows: dict[str, float] = {}
    begin = time.perf_counter()
    make = factory(name)
    rows["import"] = (time.perf_counter() - begin) * 1e3
    begin = time.perf_counter()
    loop = make()
    asyncio.set_event_loop(loop)
    rows["start"] = (time.perf_counter() - begin) * 1e3
    gc.collect()
    gc.freeze()
    measures: dict[str, Callable[[], float]] = {
        "call_soon": lambda: loop.run_until_complete(repeated(seconds, BATCH, call_soon)),
        "call_later": lambda: call_later(loop, seconds),
        "switches": lambda: loop.run_until_complete(repeated(seconds, TASKS * 100, switches)),
        "gather": lambda: loop.run_until_complete(repeated(seconds, GATHERED, gathered)),
        "crossing": lambda: loop.run_until_complete(crossing()),
        "spawn": lambda: loop.run_until_complete(repeated(seconds, SPAWNED, spawned)),
    }
    for row, measure in measures.items():
        try:
            rows[row] = measure()
        # A loop that lacks what a row needs says so on stderr.
        except (NotImplementedError, AttributeError, TypeError, RuntimeError) as error:
            print(f"{row}: {type(error).__name__}: {error}", file=sys.stderr)
        # What is told so far stands where a later row ends the process.
        print(json.dumps(rows), flush=True)


main()
