"""Interpreters within one process: each has its own types and loops."""

from __future__ import annotations

import subprocess
import sys

import pytest

IN_EACH = """
import asyncio, gc
from nexus import eventloop

async def echo(reader, writer):
    writer.write(await reader.readexactly(1000))
    writer.close()

async def main():
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    writer.write(bytes(1000))
    assert await reader.read() == bytes(1000)
    writer.close()
    server.close()
    await asyncio.gather(*(asyncio.sleep(0.001) for _ in range(100)))
    asyncio.get_running_loop().call_later(1000, print)

for _ in range(3):
    eventloop.run(main())
    gc.collect()
"""

IN_ALL = """
import sys, threading
try:
    import _interpreters as interpreters
    def run(code):
        found = interpreters.create()
        failed = interpreters.exec(found, code)
        interpreters.destroy(found)
        assert failed is None, failed
except ImportError:
    import _xxsubinterpreters as interpreters
    def run(code):
        found = interpreters.create()
        interpreters.run_string(found, code)
        interpreters.destroy(found)
code = sys.argv[1]
exec(code)
run(code)
threads = [threading.Thread(target=run, args=(code,)) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
exec(code)
print("all done")
"""


# asyncio of 3.11 has one state for all interpreters.
@pytest.mark.skipif(sys.version_info < (3, 12), reason="asyncio of this Python cannot")
def test_every_interpreter_has_loops_of_its_own() -> None:
    command = [sys.executable, "-X", "faulthandler", "-c", IN_ALL, IN_EACH]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == "all done\n"
    assert not ran.stderr
