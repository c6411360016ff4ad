"""Interpreters within one process: each has its own types, and shares nothing with the others."""

from __future__ import annotations

import subprocess
import sys

import pytest

IN_EACH = """
import array, gc, pickle, threading
from nexus import linalg

m = linalg.Matrix([[1.0, 2.0], [3.0, 4.0]])
assert (m @ m).tolist() == [[7.0, 10.0], [15.0, 22.0]]
assert pickle.loads(pickle.dumps(m, 5)).tolist() == m.tolist()
assert type(linalg.qr(m)) is linalg.QRResult
try:
    linalg.inv([[1, 2], [2, 4]])
except linalg.LinAlgError as error:
    assert isinstance(error, ValueError)
else:
    raise SystemExit("no error")
sparse = linalg.sparse
s = sparse.csr(m)
assert pickle.loads(pickle.dumps(s, 5)).todense().tolist() == m.tolist()
assert type(sparse.cg(s @ s.T, [1.0, 2.0])) is sparse.IterationResult
assert sparse.factor(s).solve([3.0, 7.0]).shape == (2,)
long = linalg.Matrix(array.array("d", range(200_000)))
linalg.vector_norm(long[::2])
del long
gc.collect()
"""

IN_ALL = """
import sys
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
if sys.argv[2] == "main first":
    exec(code)
for _ in range(3):
    run(code)
import threading
threads = [threading.Thread(target=run, args=(code,)) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
exec(code)
print("done")
"""


@pytest.mark.parametrize("order", ["main first", "main last"])
def test_every_interpreter_of_a_process_can_import_and_compute(order: str) -> None:
    command = [sys.executable, "-c", IN_ALL, IN_EACH, order]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stdout == "done\n"
    assert result.stderr == ""
