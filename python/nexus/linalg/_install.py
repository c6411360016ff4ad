"""``math.linalg`` by name: for a process, or for an environment by a line in its site-packages.

``math`` gets a ``__path__``, which is all that the import system asks of a parent. Nothing else is
changed: no hook, no import of ours until somebody asks for ``math.linalg``.
"""

from __future__ import annotations

import math
import os
import sys
import sysconfig

_NAME = "math.linalg"
_FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "_math")
_FILE = "nexus-math-linalg.pth"
# Files of this name that begin and end like this are ours.
_HEAD = "import math; math.__path__ = [*getattr(math, '__path__', ()), "
_TAIL = "]  # written by `python -m nexus.linalg install`\n"


def install() -> None:
    """Let ``import math.linalg`` find ``nexus.linalg`` in this process."""
    path = [folder for folder in _path() if folder != _FOLDER]
    vars(math)["__path__"] = [*path, _FOLDER]


def uninstall() -> None:
    """Undo `install` in this process."""
    path = [folder for folder in _path() if folder != _FOLDER]
    if path:
        vars(math)["__path__"] = path
    else:
        vars(math).pop("__path__", None)
    ours = sys.modules.get("nexus.linalg")
    if ours is not None and sys.modules.get(_NAME) is ours:
        del sys.modules[_NAME]
    if ours is not None and vars(math).get("linalg") is ours:
        del vars(math)["linalg"]


def _path() -> list[str]:
    return list(vars(math).get("__path__", ()))


def place() -> str:
    """Where the line stands, or would stand: a file in this interpreter's site-packages."""
    return os.path.join(sysconfig.get_path("purelib"), _FILE)


def line() -> str:
    """What the interpreter runs when it starts."""
    # Escapes, as the encoding that such files are read in depends on the version and the locale.
    return f"{_HEAD}{_FOLDER!a}{_TAIL}"


def written() -> str | None:
    """The line that stands there, if there is one.

    Raises ``FileExistsError`` for a file that is not ours.
    """
    try:
        with open(place(), encoding="utf-8") as file:
            text = file.read()
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        text = ""
    if text.startswith(_HEAD) and text.endswith(_TAIL) and text.count("\n") == 1:
        return text
    raise FileExistsError(0, "it is not a file of nexus.linalg", place())


def write() -> bool:
    """Write the line; whether it was not there before."""
    if written() == line():
        return False
    # The file appears with its line in it: an interpreter may start at any moment.
    new = f"{place()}.{os.getpid()}"
    try:
        with open(new, "x", encoding="ascii") as file:
            file.write(line())
        os.replace(new, place())
    except BaseException:
        if os.path.exists(new):
            os.remove(new)
        raise
    return True


def remove() -> bool:
    """Remove the line; whether it was there."""
    if written() is None:
        return False
    os.remove(place())
    return True
