"""ARCHITECTURE.md says what the code does: the arrows, the owners, the places of `unsafe`."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BINDINGS = {"nexus-py-native", "nexus-py-eventloop", "nexus-py-linalg", "nexus-py-serve"}
# Who may name a heavy dependency in its manifest.
OWNERS = {
    "pyo3": BINDINGS,
    "pyo3-ffi": {"nexus-py-eventloop"},
    "hyper": {"nexus-serve"},
    "tokio": {"nexus-serve", "nexus-remote"},
    "object_store": {"nexus-remote"},
    "zip": {"nexus-convert"},
    "zune-jpeg": {"nexus-image"},
    "memmap2": {"nexus-safetensors", "nexus-loader"},
    "arrow-array": {"nexus-data", "nexus-search", "nexus-py-native"},
    "parquet": {"nexus-data", "nexus-loader"},
    "clap": {"nexus-cli"},
    "faer": {"nexus-linalg-faer"},
}


@pytest.fixture(scope="module")
def dependencies() -> dict[str, set[str]]:
    """What each crate of the workspace depends on, tests aside."""
    command = ["cargo", "metadata", "--no-deps", "--format-version", "1", "--offline"]
    printed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout
    return {
        package["name"]: {d["name"] for d in package["dependencies"] if d["kind"] is None}
        for package in json.loads(printed)["packages"]
    }


def drawn_arrows() -> dict[str, set[str]]:
    """The table of arrows in ARCHITECTURE.md."""
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    table = text.partition("| from | to | why |")[2].partition("\n\n")[0]
    rows = [row.split("|") for row in table.splitlines() if row.startswith("| `nexus-")]
    return {
        row[1].strip(" `"): {f"nexus-{name.strip()}" for name in row[2].split(",")} for row in rows
    }


def test_the_drawn_arrows_are_the_dependencies(dependencies: dict[str, set[str]]) -> None:
    drawn = drawn_arrows()
    assert len(drawn) > 5
    drawn.pop("nexus-py-*")
    for crate, names in dependencies.items():
        inner = {name for name in names if name.startswith("nexus-")}
        if crate not in BINDINGS:
            assert inner == drawn.get(crate, set()), crate


def test_heavy_dependencies_have_their_owners(dependencies: dict[str, set[str]]) -> None:
    for name, owners in OWNERS.items():
        users = {crate for crate, names in dependencies.items() if name in names}
        assert users <= owners, name
        assert users, f"nobody uses {name}: remove it from the table"


def test_unsafe_stands_in_its_own_modules_with_a_reason() -> None:
    names = {"raw", "sys", "simd"}
    seen = 0
    for path in [*ROOT.glob("crates/*/src/**/*.rs"), *ROOT.glob("examples/*/src/**/*.rs")]:
        lines = path.read_text("utf-8").splitlines()
        own = path.stem in names or not names.isdisjoint(path.relative_to(ROOT).parts)
        inline = module_lines(lines, names)
        for i, line in enumerate(lines):
            # A type of function pointers is no unsafe code.
            code = re.sub(r'unsafe (extern "C" )?fn\(', "", line.partition("//")[0])
            if not re.search(r"\bunsafe\b", code):
                continue
            assert own or i in inline, f"{path}:{i + 1}: unsafe outside of its modules"
            if re.search(r"\bunsafe\s*\{", line):
                before = "\n".join(lines[max(0, i - 12) : i + 1])
                assert "SAFETY" in before, f"{path}:{i + 1}: unsafe without a reason"
                seen += 1
    assert seen > 0


def module_lines(lines: list[str], names: set[str]) -> set[int]:
    """Number the lines inside of the inline modules of these names."""
    inside: set[int] = set()
    for start, line in enumerate(lines):
        if re.match(rf"(pub(\(\w+\))? )?mod ({'|'.join(names)}) \{{", line):
            end = next(i for i in range(start, len(lines)) if lines[i] == "}")
            inside.update(range(start, end))
    return inside
