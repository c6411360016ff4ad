"""Make the documentation site: pages, Rust API and Python API under target/site.

python docs/site.py TARGET_FOLDER
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).resolve().parents[1]
STYLE = (
    "body{max-width:50rem;margin:2rem auto;padding:0 1rem;font:1rem/1.55 system-ui,sans-serif}"
    "pre{overflow:auto;padding:.8rem;background:#8881}code{font-size:.9em}"
    "table{border-collapse:collapse}td,th{border:1px solid #8885;padding:.3rem .6rem}"
)


def main() -> None:
    """Write the whole site."""
    target = Path(sys.argv[1])
    site = target / "site"
    shutil.rmtree(site, ignore_errors=True)
    site.mkdir(parents=True)
    shutil.copytree(target / "doc", site / "rust")
    command = [sys.executable, "-m", "pdoc", "-o", str(site / "python"), "nexus"]
    rooms = ["safetensors", "data", "linalg", "eventloop", "serve"]
    subprocess.run([*command, *(f"nexus.{room}" for room in rooms)], check=True)
    markdown = MarkdownIt("commonmark").enable("table")
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]
    for page in pages:
        text = page.read_text("utf-8")
        title = text.partition("\n")[0].lstrip("# ")
        body = re.sub(r'href="(?:docs/)?(\w+)\.md', r'href="\1.html', markdown.render(text))
        (site / f"{page.stem}.html").write_text(
            f"<!doctype html><meta charset=utf-8><title>{title}</title><style>{STYLE}</style>"
            f"<nav><a href=README.html>Nexus</a> · <a href=rust/nexus_tensor/index.html>Rust</a> · "
            f"<a href=python/index.html>Python</a></nav>{body}",
            "utf-8",
        )
    print(site / "README.html")


if __name__ == "__main__":
    main()
