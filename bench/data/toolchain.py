"""Makes the Go and the Java program, in a folder of their own and without root.

Go 1.19 and Jackson are Debian packages: they are fetched by ``apt-get download`` and unpacked by
``dpkg-deb -x``. Where `go` 1.19 or newer is on the PATH it is taken as it is. Java 17 or newer must
be there.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).parent
GO_PACKAGES = ["golang-1.19-go", "golang-1.19-src"]
JACKSON_PACKAGES = [f"libjackson2-{part}-java" for part in ("annotations", "core", "databind")]
JARS = ["jackson-annotations.jar", "jackson-core.jar", "jackson-databind.jar"]


class Missing(Exception):
    """A tool is not here; the message says what to do."""


def unpacked(folder: Path, packages: list[str]) -> Path:
    """The root folder of some Debian packages."""
    root = folder / "root"
    stamps = [folder / f"{package}.unpacked" for package in packages]
    if all(stamp.exists() for stamp in stamps):
        return root
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        raise Missing(
            f"no apt-get here; install {', '.join(packages)} or what your system calls it"
        )
    debs = folder / "debs"
    debs.mkdir(parents=True, exist_ok=True)
    run(["apt-get", "download", "-q", *packages], debs, "as root: apt-get update")
    for package, stamp in zip(packages, stamps, strict=True):
        for deb in debs.glob(f"{package}_*.deb"):
            run(["dpkg-deb", "-x", str(deb), str(root)], debs, "is the disk full?")
            deb.unlink()
        stamp.touch()
    return root


def run(command: list[str], folder: Path, hint: str, **variables: str) -> str:
    ended = subprocess.run(
        command, cwd=folder, env=os.environ | variables, capture_output=True, text=True
    )
    if ended.returncode:
        last = (ended.stderr.strip().splitlines() or ["no message"])[-1]
        raise Missing(f"`{' '.join(command[:3])}` fails: {last}; {hint}")
    return ended.stdout


def go(folder: Path) -> list[str]:
    """The command of the Go program, built."""
    folder.mkdir(parents=True, exist_ok=True)
    command, variables = shutil.which("go"), {}
    if not command:
        root = unpacked(folder, GO_PACKAGES) / "usr/lib/go-1.19"
        command, variables = str(root / "bin/go"), {"GOROOT": str(root)}
    target = folder / "specv1-go"
    caches = {"GOCACHE": str(folder / "go-cache"), "GOPATH": str(folder / "go-path")}
    hint = "see the compiler's message"
    run([command, "build", "-o", str(target), "."], HERE / "go", hint, **caches, **variables)
    return [str(target)]


def java(folder: Path) -> list[str]:
    """The command of the Java program, compiled."""
    hint = "install Java 17 or newer, on Debian: apt-get install openjdk-17-jdk-headless"
    if not shutil.which("javac"):
        raise Missing(f"no javac here; {hint}")
    jars = unpacked(folder, JACKSON_PACKAGES) / "usr/share/java"
    classes = folder / "classes"
    path = ":".join([str(classes), *(str(jars / jar) for jar in JARS)])
    sources = sorted(map(str, (HERE / "java/specv1").glob("*.java")))
    run(["javac", "-d", str(classes), "-cp", path, *sources], HERE, hint)
    # As much CPU time as with the default collector, and a fifth less memory.
    return ["java", "-XX:+UseParallelGC", "-cp", path, "specv1.Main"]


def measure(root: Path) -> Path:
    """The program that measures nexus-dedup alone, built."""
    hint = "see the compiler's message"
    target = Path(os.environ.get("CARGO_TARGET_DIR", root / "target"))
    command = ["cargo", "build", "--release", "-p", "nexus-dedup", "--example", "measure"]
    run(command, root, hint, CARGO_TARGET_DIR=str(target))
    return target / "release/examples/measure"


def versions(folder: Path) -> dict[str, str]:
    """What is used, for the line below the tables."""
    found = {}
    binary = folder / "root/usr/lib/go-1.19/VERSION"
    if shutil.which("go"):
        found["Go"] = subprocess.check_output(["go", "version"], text=True).split()[2][2:]
    elif binary.exists():
        found["Go"] = binary.read_text().strip().removeprefix("go")
    if shutil.which("java"):
        text = subprocess.run(["java", "-version"], capture_output=True, text=True).stderr
        found["Java"] = match.group(1) if (match := re.search(r'"(.*?)"', text)) else "unknown"
    for jar in (folder / "root/usr/share/java").glob("jackson-databind-*.jar"):
        found["Jackson"] = jar.stem.rpartition("-")[2]
    return found
