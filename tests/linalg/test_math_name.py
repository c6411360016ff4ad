"""`math.linalg` by name: in one process, and in an environment by a line in its site-packages."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import interpreters
import pytest

import nexus
from nexus import _linalg

FILE = "nexus-math-linalg.pth"
PACKAGES = str(Path(nexus.__path__[0]).parent)


class Environment:
    """A fresh virtual environment that sees the package under test by a line of its own."""

    def __init__(self, python: str, folder: Path) -> None:
        subprocess.run([python, "-m", "venv", "--without-pip", folder], check=True)
        self.python = str(next(folder.glob("bin/python"), folder / "Scripts" / "python.exe"))
        found = self.run("-c", "import sysconfig; print(sysconfig.get_path('purelib'))")
        self.site = Path(found.stdout.strip())
        (self.site / "under-test.pth").write_text(PACKAGES + "\n")

    def run(self, *arguments: str, status: int = 0) -> subprocess.CompletedProcess[str]:
        ran = subprocess.run([self.python, *arguments], capture_output=True, text=True)
        assert ran.returncode == status, ran.stderr
        return ran

    def word(self, word: str, status: int = 0) -> str:
        ran = self.run("-m", "nexus.linalg", word, status=status)
        return ran.stdout + ran.stderr

    def files(self) -> list[str]:
        return sorted(path.name for path in self.site.iterdir() if path.suffix == ".pth")


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    return Environment(sys.executable, tmp_path / "venv")


USE = """
import sys
assert not [name for name in sys.modules if name.startswith("nexus")], "imported at the start"
assert all("nexus" not in repr(finder) for finder in sys.meta_path)
import math, pickle
assert math.sqrt(4) == 2
import math.linalg
from math import linalg
import nexus.linalg
assert linalg is math.linalg is nexus.linalg is sys.modules["nexus.linalg"]
assert linalg.__name__ == "nexus.linalg"
found = math.linalg.solve([[2, 1], [1, 3]], [3, 5])
assert found.tolist() == [0.8, 1.4]
assert b"nexus" in pickle.dumps(found) and b"math" not in pickle.dumps(found)
assert type(math.linalg.qr([[1]])) is math.linalg.QRResult
try:
    import math.nothing
except ModuleNotFoundError:
    pass
else:
    raise SystemExit("math has more than linalg")
print("used")
"""


@pytest.mark.parametrize("minor", [11, 12, 13, 14])
def test_a_line_in_site_packages_makes_the_name_and_goes_again(minor: int, tmp_path: Path) -> None:
    python = interpreters.find(minor)
    if python is None:
        pytest.skip(f"there is no Python 3.{minor} here")
    if sys.version_info[:2] != (3, minor) and ".abi3." not in str(_linalg.__file__):
        pytest.skip(f"the package under test is not built for Python 3.{minor}")
    environment = Environment(python, tmp_path / "venv")
    before = environment.files()
    assert environment.word("status", 1) == "math.linalg is not installed\n"
    assert "No module named" in environment.run("-c", "import math.linalg", status=1).stderr
    line = environment.site / FILE
    assert environment.word("install") == f"math.linalg is installed: {line}\n"
    assert line.read_text().count("\n") == 1
    assert environment.word("install") == f"math.linalg is installed already: {line}\n"
    assert environment.word("status") == f"math.linalg is installed: {line}\n"
    assert environment.run("-c", USE).stdout == "used\n"
    assert environment.word("uninstall") == "math.linalg is not installed any more\n"
    assert environment.word("uninstall") == "math.linalg was not installed\n"
    assert environment.files() == before
    assert "No module named" in environment.run("-c", "import math.linalg", status=1).stderr


def test_a_line_of_another_package_folder_is_told_and_renewed(environment: Environment) -> None:
    environment.word("install")
    line = environment.site / FILE
    ours = line.read_text()
    line.write_text(ours.replace("_math", "elsewhere"))
    assert "another nexus" in environment.word("status")
    assert "No module named" in environment.run("-c", "import math.linalg", status=1).stderr
    environment.word("install")
    assert line.read_text() == ours


def test_what_cannot_be_written_or_is_not_ours_is_refused(environment: Environment) -> None:
    line = environment.site / FILE
    line.write_text("import antigravity\n")
    for word in ("install", "uninstall", "status"):
        said = environment.word(word, 1)
        assert f"error: cannot {word} math.linalg at {line}: it is not a file of nexus" in said
        assert "hint: look what it is" in said
    assert line.read_text() == "import antigravity\n"
    line.unlink()
    line.mkdir()
    said = environment.word("install", 1)
    assert f"error: cannot install math.linalg at {line}: " in said
    assert "hint: run it with the python of a virtual environment" in said
    line.rmdir()
    assert environment.files() == ["under-test.pth"]


def test_an_unknown_word_gets_the_usage(environment: Environment) -> None:
    for words in (("-m", "nexus.linalg"), ("-m", "nexus.linalg", "remove")):
        assert "usage: python -m nexus.linalg WORD" in environment.run(*words, status=2).stderr
    assert "status" in environment.word("--help")


def test_one_process_has_the_name_until_it_gives_it_back() -> None:
    code = """
import math, sys
before = dict(vars(math)), list(sys.meta_path), set(sys.modules)
import nexus.linalg
for _ in range(2):
    nexus.linalg.install()
    nexus.linalg.install()
    assert len(math.__path__) == 1
    import math.linalg
    assert math.linalg is nexus.linalg
    nexus.linalg.uninstall()
    nexus.linalg.uninstall()
    assert (dict(vars(math)), list(sys.meta_path)) == before[:2]
    try:
        import math.linalg
    except ModuleNotFoundError:
        continue
    raise SystemExit("still there")
# A path that somebody else gave is kept.
math.__path__ = ["/somewhere"]
nexus.linalg.install()
assert math.__path__[0] == "/somewhere"
import math.linalg
nexus.linalg.uninstall()
assert math.__path__ == ["/somewhere"]
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
