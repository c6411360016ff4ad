"""The other versions of Python that this machine has."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path


def version(python: str) -> tuple[int, int] | None:
    """The version of an interpreter, where it runs."""
    code = "import sys; print(*sys.version_info[:2])"
    ran = subprocess.run([python, "-c", code], capture_output=True, text=True)
    if ran.returncode:
        return None
    major, minor = ran.stdout.split()
    return int(major), int(minor)


def find(minor: int) -> str | None:
    """An interpreter of Python 3.`minor`: this one, one on the path, or one of pyenv's."""
    if sys.version_info[:2] == (3, minor):
        return sys.executable
    found = (python for python in candidates(minor) if version(python) == (3, minor))
    return next(found, None)


def candidates(minor: int) -> Iterator[str]:
    # What is on the path may be a shim of pyenv's, which refuses versions that are not chosen.
    if on_path := shutil.which(f"python3.{minor}"):
        yield on_path
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    if shutil.which("pyenv"):
        asked = subprocess.run(["pyenv", "root"], capture_output=True, text=True)
        root = Path(asked.stdout.strip()) if asked.returncode == 0 else root
    for python in sorted(root.glob(f"versions/3.{minor}.*/bin/python3")):
        yield str(python)
