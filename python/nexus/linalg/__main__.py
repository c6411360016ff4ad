"""``python -m nexus.linalg install | uninstall | status``: ``math.linalg`` in this environment."""

from __future__ import annotations

import sys

from nexus.linalg import _install

_USAGE = """usage: python -m nexus.linalg WORD

  install     let every `import math.linalg` of this environment find nexus.linalg
  uninstall   undo it
  status      say whether it is so; the exit status is 1 if it is not"""


def main(words: list[str]) -> int:
    """Do what a word says; the exit status."""
    doings = {"install": install, "uninstall": uninstall, "status": status}
    if len(words) != 1 or words[0] not in doings:
        print(_USAGE, file=sys.stdout if words in (["-h"], ["--help"]) else sys.stderr)
        return 0 if words in (["-h"], ["--help"]) else 2
    try:
        return doings[words[0]]()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        print(
            f"error: cannot {words[0]} math.linalg at {_install.place()}: {reason}", file=sys.stderr
        )
        print(_hint(error), file=sys.stderr)
        return 1


def _hint(error: OSError) -> str:
    if isinstance(error, FileExistsError):
        return "hint: look what it is, and move it away"
    return "hint: run it with the python of a virtual environment, or as the owner of that folder"


def install() -> int:
    """Write the line."""
    new = _install.write()
    print(f"math.linalg is installed{'' if new else ' already'}: {_install.place()}")
    return 0


def uninstall() -> int:
    """Remove the line."""
    there = _install.remove()
    print(f"math.linalg {'is not installed any more' if there else 'was not installed'}")
    return 0


def status() -> int:
    """Say whether the line is there."""
    found = _install.written()
    if found is None:
        print("math.linalg is not installed")
        return 1
    print(f"math.linalg is installed: {_install.place()}")
    if found != _install.line():
        print("it is that of another nexus; `install` makes it this one's")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
