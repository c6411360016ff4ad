"""Every code block of README.md and docs/*.md runs.

Per page, in order and in one empty folder: ``python`` blocks share one namespace, ``sh`` blocks run
by ``bash -euo pipefail`` with the environment's programs on PATH. ``rust`` blocks are doctests of
the crate that includes the page, which one test here sees to. Blocks of data and of sessions that
are only shown (``text``, ``toml``, ``json``, ``console``, ...) are not run.

A block that needs a package too heavy for every run says so in the line before it:

    <!-- needs: torch -->

It is run where the package can be imported, and counted as skipped where it cannot.
"""

from __future__ import annotations

import importlib.util
import linecache
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
DATA_LANGUAGES = {"console", "diff", "html", "json", "jsonl", "mermaid", "text", "toml", "wit"}
BLOCK_TIMEOUT_S = 600

FENCE = re.compile(r"^(?P<indent> {0,3})(?P<marks>`{3,}|~{3,})(?P<language>[^`]*)$")
NEEDS = re.compile(r"^<!-- needs: (?P<modules>[\w., ]+) -->$")
INCLUDED = re.compile(
    r'include_str!\(\s*(?P<from_crate>concat!\(\s*env!\("CARGO_MANIFEST_DIR"\),\s*)?"(?P<path>[^"]+)"'
)


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: Path
    line: int  # of the first line of code, counted from 1
    language: str
    code: str
    needs: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """Where the block stands, as editors and people read it."""
        name = self.page.relative_to(ROOT) if self.page.is_relative_to(ROOT) else self.page
        return f"{name}:{self.line}"

    @property
    def missing(self) -> list[str]:
        """The modules that it needs and that cannot be imported."""
        return [name for name in self.needs if importlib.util.find_spec(name) is None]


def blocks_of(page: Path, text: str) -> Iterator[Block]:
    """Yield the fenced blocks of a page."""
    lines = text.splitlines()
    at = 0
    while at < len(lines):
        opening = FENCE.match(lines[at])
        at += 1
        if not opening:
            continue
        before = lines[at - 2] if at >= 2 else ""
        needs = NEEDS.match(before.strip())
        first = at
        while at < len(lines) and not is_closing(lines[at], opening["marks"]):
            at += 1
        if at == len(lines):
            raise ValueError(f"{page}:{first}: the block that opens here has no end")
        code = "\n".join(line.removeprefix(opening["indent"]) for line in lines[first:at])
        at += 1
        yield Block(
            page=page,
            line=first + 1,
            language=opening["language"].strip().partition(",")[0],
            code=f"{code}\n",
            needs=tuple(re.split(r"[,\s]+", needs["modules"].strip())) if needs else (),
        )


def is_closing(line: str, marks: str) -> bool:
    """Tell whether a line closes a block that these marks opened."""
    bare = line.strip()
    return len(bare) >= len(marks) and set(bare) == {marks[0]}


def run_blocks(blocks: list[Block], folder: Path) -> None:
    """Run a page's blocks in order; what they need and lack is left out."""
    namespace: dict[str, object] = {"__name__": "__main__"}
    for block in blocks:
        if block.missing:
            continue
        if block.language == "python":
            run_python(block, namespace)
        elif block.language == "sh":
            run_shell(block, folder)


def run_python(block: Block, namespace: dict[str, object]) -> None:
    """Run Python code such that a traceback names the page and its line."""
    code = "\n" * (block.line - 1) + block.code
    linecache.checkcache(str(block.page))
    try:
        exec(compile(code, str(block.page), "exec"), namespace)
    except Exception as error:
        raise AssertionError(f"{block.place}: {type(error).__name__}: {error}") from error


def run_shell(block: Block, folder: Path) -> None:
    """Run shell code; its output is shown when it fails."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    ended = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block.code],
        cwd=folder,
        env={**os.environ, "PATH": path},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        timeout=BLOCK_TIMEOUT_S,
        check=False,
    )
    if ended.returncode != 0:
        raise AssertionError(f"{block.place}: exit status {ended.returncode}\n{ended.stdout}")


def pages_in_doctests() -> set[Path]:
    """Return the pages that some crate includes, so that cargo tests their Rust."""
    pages = set()
    for manifest in sorted(
        [*ROOT.glob("crates/*/Cargo.toml"), *ROOT.glob("examples/*/Cargo.toml")]
    ):
        source = manifest.parent / "src" / "lib.rs"
        if source.exists():
            for match in INCLUDED.finditer(source.read_text("utf-8")):
                base = manifest.parent if match["from_crate"] else source.parent
                pages.add((base / match["path"].lstrip("/")).resolve())
    return pages


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


ALL_BLOCKS = {
    page: list(blocks_of(page, page.read_text("utf-8"))) for page in PAGES if page.exists()
}


def test_there_are_pages() -> None:
    assert ROOT / "README.md" in ALL_BLOCKS


@pytest.mark.parametrize("page", ALL_BLOCKS, ids=name_of)
def test_every_block_is_labelled_with_a_known_language(page: Path) -> None:
    known = DATA_LANGUAGES | {"python", "rust", "sh"}
    unknown = [
        f"{block.place}: `{block.language}`"
        for block in ALL_BLOCKS[page]
        if block.language not in known
    ]
    assert not unknown, f"blocks that no test would run: {unknown}; known: {sorted(known)}"


@pytest.mark.parametrize("page", ALL_BLOCKS, ids=name_of)
def test_the_blocks_of_a_page_run_in_order(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run_blocks(ALL_BLOCKS[page], tmp_path)


@pytest.mark.parametrize("page", ALL_BLOCKS, ids=name_of)
def test_no_block_of_a_page_is_left_out(page: Path) -> None:
    left_out = [block for block in ALL_BLOCKS[page] if block.missing]
    if left_out:
        listed = (f"{block.place} needs {', '.join(block.missing)}" for block in left_out)
        pytest.skip("; ".join(listed))


@pytest.mark.parametrize("page", ALL_BLOCKS, ids=name_of)
def test_rust_blocks_are_doctests_of_a_crate(page: Path) -> None:
    if any(block.language == "rust" for block in ALL_BLOCKS[page]):
        included = page.resolve() in pages_in_doctests()
        assert included, f"no lib.rs has #[doc = include_str!(...)] with {name_of(page)}"


# The reading and running of blocks itself.

SAMPLE = """# A page

```python
x = 1
```

<!-- needs: no_such_module, json -->
```python
import no_such_module
```

- an item

   ````sh
   echo '```' > made-by-sh
   ````

~~~text
not run
~~~

```python
x += 1
assert open("made-by-sh").read() == "```\\n"
```
"""


def sample(text: str = SAMPLE) -> list[Block]:
    return list(blocks_of(Path("page.md"), text))


def test_blocks_are_found_with_line_language_and_needs() -> None:
    found = [(block.line, block.language, block.needs) for block in sample()]
    assert found == [
        (4, "python", ()),
        (9, "python", ("no_such_module", "json")),
        (15, "sh", ()),
        (19, "text", ()),
        (23, "python", ()),
    ]
    assert sample()[2].code == "echo '```' > made-by-sh\n"


def test_blocks_share_a_folder_and_a_namespace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run_blocks(sample(), tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("```python\na = 1\n1 / 0\n```\n", r"page\.md:2: ZeroDivisionError"),
        ("\n```sh\necho seen\nfalse | true\n```\n", r"page\.md:3: exit status 1\nseen"),
        ("```sh\necho $unset_name\n```\n", r"page\.md:2: exit status [0-9]+\n.*unset_name"),
    ],
)
def test_a_failing_block_is_named_by_file_and_line(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=message):
        run_blocks(sample(text), tmp_path)


def test_a_block_without_end_is_refused() -> None:
    with pytest.raises(ValueError, match=r"page\.md:1: .* no end"):
        sample("```python\nx = 1\n")
