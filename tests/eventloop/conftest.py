"""What tests of the event loop share."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from nexus import eventloop


@pytest.fixture(params=["ours", "asyncio"])
def loop(request: pytest.FixtureRequest) -> Iterator[asyncio.AbstractEventLoop]:
    """Ours, and asyncio's own: what holds on both is asyncio's behaviour."""
    made: asyncio.AbstractEventLoop
    made = eventloop.new_event_loop() if request.param == "ours" else asyncio.SelectorEventLoop()
    made.set_debug(False)
    yield made
    made.close()
