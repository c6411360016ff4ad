"""The order in which things happen is asyncio's: random scripts run on both loops."""

from __future__ import annotations

import asyncio
import contextvars
import random
import socket
from collections.abc import Callable

import pytest

from nexus import eventloop

STEPS = 60
variable: contextvars.ContextVar[int] = contextvars.ContextVar("variable", default=-1)


async def steps(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


class Script:
    """Random calls of a loop, by a seed; what happens is noted in order."""

    def __init__(self, loop: asyncio.AbstractEventLoop, seed: int) -> None:
        self.loop = loop
        self.random = random.Random(seed)
        self.log: list[object] = []
        self.handles: list[asyncio.Handle] = []
        self.left = STEPS
        self.number = 0

    def next_number(self) -> int:
        self.number += 1
        return self.number

    def act(self) -> None:
        """Do something, which may call this again."""
        if self.left == 0:
            return
        self.left -= 1
        kind = self.random.choice(
            ["soon", "soon", "later", "at", "cancel", "task", "fail", "chain"]
        )
        number = self.next_number()
        if kind == "soon":
            arguments = range(self.random.randrange(5))
            self.handles.append(self.loop.call_soon(self.ran, "soon", number, *arguments))
        elif kind == "later":
            # What is due later depends on how long waits are rounded up.
            delay = self.random.choice([0, -1])
            self.handles.append(self.loop.call_later(delay, self.ran, "later", number))
        elif kind == "at":
            when = self.loop.time() - self.random.choice([1, 1000])
            context = contextvars.copy_context()
            context.run(variable.set, number)
            self.handles.append(self.loop.call_at(when, self.ran, "at", number, context=context))
        elif kind == "cancel" and self.handles:
            handle = self.random.choice(self.handles)
            handle.cancel()
            self.log.append(("cancelled", handle.cancelled()))
        elif kind == "task":
            self.loop.create_task(self.task(number))
        elif kind == "fail":
            self.loop.call_soon(self.fail, number)
        else:
            self.act()
            self.act()

    def ran(self, *what: object) -> None:
        self.log.append((*what, variable.get()))
        variable.set(self.number)
        self.act()

    def fail(self, number: int) -> None:
        self.log.append(("fail", number))
        raise ValueError(number)

    async def task(self, number: int) -> None:
        for round_ in range(self.random.randrange(3)):
            self.log.append(("task", number, round_))
            await asyncio.sleep(0)
        self.act()

    def failed(self, _: object, context: dict[str, object]) -> None:
        self.log.append((context["message"], repr(context["exception"])))

    def run(self) -> list[object]:
        self.loop.set_exception_handler(self.failed)
        while self.left > 0:
            for _ in range(6):
                self.act()
            self.loop.run_until_complete(steps(100))
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.run_until_complete(asyncio.sleep(0))
        return self.log


def logs(make: Callable[[asyncio.AbstractEventLoop], list[object]]) -> list[list[object]]:
    found = []
    for loop in (asyncio.SelectorEventLoop(), eventloop.new_event_loop()):
        try:
            found.append(make(loop))
        finally:
            loop.close()
    return found


@pytest.mark.parametrize("seed", range(20))
def test_callbacks_timers_tasks_and_cancels_come_in_asyncios_order(seed: int) -> None:
    theirs, ours = logs(lambda loop: Script(loop, seed).run())
    assert ours == theirs
    assert len(ours) > STEPS // 3


def test_timers_come_by_their_time() -> None:
    def later(loop: asyncio.AbstractEventLoop) -> list[object]:
        log: list[object] = []
        start = loop.time()
        numbers = list(range(20))
        random.Random(0).shuffle(numbers)
        for number in numbers:
            loop.call_at(start + 0.01 + number * 1e-4, log.append, number)
        loop.call_at(start + 0.03, loop.stop)
        loop.run_forever()
        assert loop.time() >= start + 0.03
        return log

    for log in logs(later):
        assert log == list(range(20))


class Noting(asyncio.Protocol):
    """A protocol that notes what it is told, and does something random."""

    def __init__(self, seed: int, done: asyncio.Future[None]) -> None:
        self.random = random.Random(seed)
        self.log: list[object] = []
        self.received = 0
        self.done = done

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.log.append("made")

    def data_received(self, data: bytes) -> None:
        self.received += len(data)
        if not self.transport.is_closing():
            self.transport.write(data)
        if self.random.random() < 0.3:
            self.transport.pause_reading()
            asyncio.get_running_loop().call_soon(self.transport.resume_reading)
        if self.random.random() < 0.1:
            self.log.append(("closing", self.transport.is_closing()))

    def pause_writing(self) -> None:
        self.log.append("pause")

    def resume_writing(self) -> None:
        self.log.append("resume")

    def eof_received(self) -> bool:
        self.log.append(("eof", self.received))
        return self.random.random() < 0.5

    def connection_lost(self, error: Exception | None) -> None:
        self.log.append(("lost", repr(error)))
        if not self.done.done():
            self.done.set_result(None)


def converse(loop: asyncio.AbstractEventLoop, seed: int) -> list[object]:
    """A peer that sends, reads slowly and ends somehow."""

    async def main() -> list[object]:
        chance = random.Random(seed)
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        done = asyncio.get_running_loop().create_future()
        protocol = Noting(seed, done)
        transport, _ = await asyncio.get_running_loop().create_connection(
            lambda: protocol, sock=ours
        )
        if chance.random() < 0.5:
            transport.set_write_buffer_limits(high=chance.choice([0, 100, 10000]))
        sent = bytearray()
        back = bytearray()
        for _ in range(chance.randrange(1, 6)):
            message = chance.randbytes(chance.choice([1, 100, 70000, 400000]))
            sent += message
            task = asyncio.ensure_future(asyncio.get_running_loop().sock_sendall(theirs, message))
            while len(back) < len(sent):
                back += await asyncio.get_running_loop().sock_recv(theirs, 50000)
            await task
        assert back == sent
        ending = chance.choice(["peer", "shutdown", "close", "abort", "eof"])
        if ending == "peer":
            theirs.close()
        elif ending == "shutdown":
            theirs.shutdown(socket.SHUT_WR)
            await asyncio.sleep(0.01)
            transport.close()
        elif ending == "close":
            transport.write(b"last")
            transport.close()
            transport.close()
        elif ending == "abort":
            transport.write(bytes(1 << 22))
            transport.abort()
        else:
            assert transport.can_write_eof()
            transport.write(b"last")
            transport.write_eof()
            with pytest.raises(RuntimeError):
                transport.write(b"more")
            transport.close()
        await asyncio.sleep(0.01)
        if not done.done():
            transport.close()
        await done
        protocol.log.append((transport.is_closing(), protocol.received))
        if ending in ("close", "eof"):
            protocol.log.append(await asyncio.get_running_loop().sock_recv(theirs, 100))
        theirs.close()
        return [entry for entry in protocol.log if entry not in ("pause", "resume")]

    return loop.run_until_complete(main())


@pytest.mark.parametrize("seed", range(20))
def test_connections_go_asyncios_way(seed: int) -> None:
    theirs, ours = logs(lambda loop: converse(loop, seed))
    # How a stream is cut into reads is the system's matter.
    cut = [
        [e for e in log if not (isinstance(e, tuple) and e[0] == "closing")]
        for log in (theirs, ours)
    ]
    assert cut[0] == cut[1]
