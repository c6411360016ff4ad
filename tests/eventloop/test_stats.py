"""What a loop tells of itself."""

from __future__ import annotations

import asyncio
import dataclasses
import socket
import time

import pytest

from nexus import eventloop


@pytest.fixture
def loop():
    made = eventloop.new_event_loop()
    yield made
    made.close()


def test_a_new_loop_has_done_nothing(loop: eventloop.EventLoop) -> None:
    stats = loop.stats()
    assert dataclasses.astuple(stats) == (0, 0, 0, 0, 0, 0, (0,) * 24)
    with pytest.raises(dataclasses.FrozenInstanceError):
        stats.polls = 1  # type: ignore[misc]


def test_what_waits_is_told(loop: eventloop.EventLoop) -> None:
    for _ in range(3):
        loop.call_soon(print)
    timers = [loop.call_later(100, print) for _ in range(2)]
    assert (loop.stats().ready, loop.stats().timers) == (3, 2)
    timers[0].cancel()
    assert loop.stats().timers == 1


def test_callbacks_steps_and_polls_are_counted(loop: eventloop.EventLoop) -> None:
    for _ in range(100):
        loop.call_soon(int)
    loop.call_soon(loop.stop)
    loop.run_forever()
    stats = loop.stats()
    assert (stats.callbacks, stats.steps, stats.polls) == (101, 1, 1)
    assert stats.system_calls == 1
    assert sum(stats.lag) == 1


def test_a_slow_callback_is_in_its_place_of_the_histogram(loop: eventloop.EventLoop) -> None:
    def slow() -> None:
        until = time.monotonic() + 0.03
        while time.monotonic() < until:
            pass
        loop.call_soon(loop.stop)

    loop.call_soon(slow)
    loop.run_forever()
    lag = loop.stats().lag
    # 30 ms are at least 2**14 microseconds: the places before have steps that were quicker.
    assert sum(lag[15:]) == 1
    assert sum(lag) == 2


def test_a_wait_is_no_lag(loop: eventloop.EventLoop) -> None:
    loop.call_later(0.2, loop.stop)
    loop.run_forever()
    assert sum(loop.stats().lag[18:]) == 0


def test_system_calls_of_transports_are_counted(loop: eventloop.EventLoop) -> None:
    async def main() -> tuple[int, int]:
        ours, peer = socket.socketpair()
        with peer:
            reader, writer = await asyncio.open_connection(sock=ours)
            before = loop.stats()
            for _ in range(10):
                writer.write(b"x")
                assert peer.recv(1) == b"x"
                peer.send(b"y")
                assert await reader.read(1) == b"y"
            after = loop.stats()
            writer.close()
        polls = after.polls - before.polls
        return after.system_calls - before.system_calls - polls, polls

    calls, polls = loop.run_until_complete(main())
    assert calls == 20
    assert polls >= 10
