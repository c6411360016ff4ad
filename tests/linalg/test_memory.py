"""Memory of large arrays: mapped in large pages, kept for the next ones, given back."""

from __future__ import annotations

import os
from pathlib import Path

from nexus import linalg

SIDE, MIB = 1024, 1 << 20


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_memory_that_is_used_again_holds_zeros() -> None:
    corner = linalg.Matrix([[1.0] * (SIDE // 2)] * (SIDE // 2))
    for _ in range(3):
        full = linalg.Matrix([[7.0] * SIDE] * SIDE)
        del full
        blocks = linalg.block_diag(corner, corner)
        ones = blocks @ linalg.Matrix([1.0] * SIDE)
        assert ones.tolist() == [SIDE / 2] * SIDE


def test_memory_is_given_back() -> None:
    a = linalg.Matrix([[1.0] * SIDE] * SIDE)
    before = resident_bytes()
    many = [a + a for _ in range(40)]
    held = resident_bytes() - before
    assert held > 300 * MIB
    del many
    assert resident_bytes() - before < 72 * MIB


def test_arrays_in_use_do_not_share_what_was_kept() -> None:
    a = linalg.Matrix([[1.0] * SIDE] * SIDE)
    kept = [a * float(i) for i in range(12)]
    del kept[::2]
    more = [a * float(100 + i) for i in range(12)]
    assert [matrix[SIDE - 1, SIDE - 1] for matrix in kept] == [1.0, 3.0, 5.0, 7.0, 9.0, 11.0]
    assert [matrix[0, SIDE - 1] for matrix in more] == [float(100 + i) for i in range(12)]
