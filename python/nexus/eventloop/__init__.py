"""An event loop for asyncio, in Rust.

>>> import asyncio
>>> from nexus import eventloop
>>> async def main() -> str:
...     await asyncio.sleep(0.01)
...     return type(asyncio.get_running_loop()).__name__
>>> eventloop.run(main())
'EventLoop'

What is called often (callbacks, timers, the step of the loop, connected sockets) is native; the
rest is inherited from the running Python's asyncio, so that it behaves as that does. In debug mode
all of it is asyncio's but the queue, the timers and the wait.
"""

import sys

if sys.platform != "linux":
    raise ImportError("nexus.eventloop needs Linux: there is no reactor for this system yet")

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from nexus.eventloop._loop import EventLoop
from nexus.eventloop._stats import Stats

__all__ = ["EventLoop", "EventLoopPolicy", "Stats", "install", "new_event_loop", "run"]

_T = TypeVar("_T")


def new_event_loop() -> EventLoop:
    """Make an event loop: what `asyncio.Runner` takes as `loop_factory`."""
    return EventLoop()


def run(main: Coroutine[Any, Any, _T], *, debug: bool | None = None) -> _T:
    """Run a coroutine as `asyncio.run` does, on an `EventLoop`."""
    with asyncio.Runner(debug=debug, loop_factory=new_event_loop) as runner:
        return runner.run(main)


class EventLoopPolicy(asyncio.DefaultEventLoopPolicy):
    """asyncio's policy, whose loops are of `EventLoop`."""

    _loop_factory = EventLoop


def install() -> None:
    """Have asyncio make loops of `EventLoop` from now on, in `asyncio.run` for one."""
    asyncio.set_event_loop_policy(EventLoopPolicy())
