"""The contestants: an event loop by its name, imported only when it is asked for."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable

#: Where each has its factory.
FACTORIES = {
    "nexus": ("nexus.eventloop", "new_event_loop"),
    "asyncio": ("asyncio", "new_event_loop"),
    "uvloop": ("uvloop", "new_event_loop"),
    "rloop": ("rloop", "new_event_loop"),
    "loopmini": ("loopmini", "new_event_loop"),
    "veloxloop": ("veloxloop", "VeloxLoop"),
}


def factory(name: str) -> Callable[[], asyncio.AbstractEventLoop]:
    if name == "aiofastnet":
        import aiofastnet

        made: Callable[[], asyncio.AbstractEventLoop] = aiofastnet.loop_factory()
        return made
    module, attribute = FACTORIES[name]
    made = getattr(importlib.import_module(module), attribute)
    return made
