"""Write the docstrings of the running interpreter's standard library as JSON Lines.

    python docstrings.py OUT.jsonl

One line per module, class, function and method that is public and documented, sorted by its id::

    {"id": "gzip.open", "title": "gzip.open", "module": "gzip",
     "text": "gzip.open(filename, mode='rb', ...)\\n\\nOpen a gzip-compressed file ...",
     "url": "https://docs.python.org/3.11/library/gzip.html"}

The text opens with the object's name and parameters, because a docstring such as "Open the file."
does not say what it belongs to. The output depends on the interpreter alone: the same one gives the
same bytes. It runs on the standard library, takes a few seconds and prints nothing but a count of
modules on a terminal.

Modules written in Python are read as source and never imported, for importing some of them has
effects (``antigravity`` opens a browser). Modules written in C have no source here, so they are
imported and inspected. What a public module takes from a private C module (``collections.deque``
from ``_collections``) is listed under its public name.
"""

from __future__ import annotations

import ast
import importlib
import importlib.machinery
import importlib.util
import inspect
import json
import os
import sys
import sysconfig
import tempfile
import types
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

# Folders of the library that hold programs, tests or installed packages instead of modules that a
# program imports; `encodings` holds tables, whose one-line docstrings differ in a number only.
SKIPPED_FOLDERS = {
    "encodings",
    "ensurepip",
    "idlelib",
    "lib-dynload",
    "lib2to3",
    "pydoc_data",
    "site-packages",
    "dist-packages",
    "test",
    "tests",
    "turtledemo",
}
# C modules that exist to test the interpreter, and those whose names belong to `os`.
TEST_MODULES = {"xxlimited", "xxlimited_35", "xxsubtype"}
OS_MODULES = {"nt", "posix"}
# The name under which users know a module. What has no documentation page of its own gets no url.
PUBLIC_NAMES = {"posixpath": "os.path", "sqlite3.dbapi2": "sqlite3"}
WITHOUT_PAGE = {"genericpath", "nturl2path", "opcode", "sre_compile", "sre_constants", "sre_parse"}

Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


class Entry(NamedTuple):
    """One documented object."""

    module: str
    name: str
    parameters: str
    doc: str


def main() -> int:
    """Write the file named on the command line."""
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        print("usage: python docstrings.py OUT.jsonl", file=sys.stderr)
        print("hint: name the file to write, for instance docstrings.jsonl", file=sys.stderr)
        return 2
    write(Path(sys.argv[1]))
    return 0


def write(target: Path) -> int:
    """Write every entry to `target`, which appears whole or not at all; return their number."""
    records = [record(entry) for entry in collect()]
    handle, draft = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with open(handle, "w", encoding="utf-8", newline="\n") as lines:
            for item in records:
                lines.write(json.dumps(item, ensure_ascii=False) + "\n")
        os.chmod(draft, 0o644)
        os.replace(draft, target)
    except BaseException:
        os.unlink(draft)
        raise
    return len(records)


def record(entry: Entry) -> dict[str, str]:
    """Turn an entry into the fields of its line."""
    # Users write `str.split` and `open`, never `builtins.open`.
    parts = [entry.name] if entry.module == "builtins" else [entry.module, entry.name]
    title = ".".join(part for part in parts if part) or entry.module
    fields = {
        "id": f"{entry.module}.{entry.name}".rstrip("."),
        "title": title,
        "module": entry.module,
        "text": f"{title}{entry.parameters}\n\n{entry.doc}",
    }
    page = entry.module if entry.module == "os.path" else entry.module.partition(".")[0]
    if page not in WITHOUT_PAGE:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        fields["url"] = f"https://docs.python.org/{version}/library/{page}.html"
    return fields


def collect() -> list[Entry]:
    """List the documented public objects of the standard library, sorted by module and name."""
    entries: dict[tuple[str, str], Entry] = {}
    for count, (module, source) in enumerate(python_modules(), 1):
        show_progress(count)
        for entry in from_source(module, source):
            entries.setdefault(entry[:2], entry)
    for name in sorted(sys.stdlib_module_names - TEST_MODULES - OS_MODULES):
        if not name.startswith("_") and (module_object := c_module(name)):
            for entry in from_object(name, "", module_object):
                entries.setdefault(entry[:2], entry)
    show_progress(None)
    return [entries[key] for key in sorted(entries)]


def show_progress(count: int | None) -> None:
    """Show on a terminal how many modules are read; `None` clears the line."""
    if sys.stderr.isatty():
        text = "" if count is None else f"{count} modules"
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


# Modules written in Python: read, never imported.


def python_modules() -> Iterator[tuple[str, bytes]]:
    """Yield the dotted name and the source of each public module of the library."""
    library = Path(sysconfig.get_path("stdlib"))
    for folder, folders, files in os.walk(library):
        folders[:] = sorted(name for name in folders if is_module_folder(name))
        package = Path(folder).relative_to(library).parts
        for file in sorted(files):
            stem, suffix = os.path.splitext(file)
            if suffix == ".py" and (stem == "__init__" or is_public(stem)):
                parts = package if stem == "__init__" else (*package, stem)
                name = ".".join(parts)
                # ntpath repeats posixpath for another system.
                if name and name != "ntpath":
                    yield PUBLIC_NAMES.get(name, name), (Path(folder) / file).read_bytes()


def is_module_folder(name: str) -> bool:
    """Tell whether a folder of the library may hold public modules."""
    return name not in SKIPPED_FOLDERS and is_public(name) and name.isidentifier()


def is_public(name: str) -> bool:
    """Tell whether Python's naming convention makes a name part of an interface."""
    return not name.startswith("_")


def from_source(module: str, source: bytes) -> Iterator[Entry]:
    """Yield what a module's source documents, and what it takes from C modules."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # old escapes in old sources
            tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return  # the library holds files that are wrong on purpose
    if doc := ast.get_docstring(tree):
        yield Entry(module, "", "", doc)
    exported = exported_names(tree)
    for statement in top_level(tree.body):
        if isinstance(statement, Definition):
            yield from from_definition(module, "", statement)
        elif isinstance(statement, ast.ImportFrom):
            yield from from_import(module, statement, exported)


def from_definition(module: str, scope: str, definition: Definition) -> Iterator[Entry]:
    """Yield a class or function and, for a class, its members."""
    if not is_public(definition.name):
        return
    name = f"{scope}{definition.name}"
    if doc := ast.get_docstring(definition):
        parameters = ""
        if not isinstance(definition, ast.ClassDef):
            parameters = shown_parameters(definition.args, method=bool(scope))
        yield Entry(module, name, parameters, doc)
    if isinstance(definition, ast.ClassDef):
        for member in top_level(definition.body):
            if isinstance(member, Definition):
                yield from from_definition(module, f"{name}.", member)


def shown_parameters(parameters: ast.arguments, *, method: bool) -> str:
    """Write parameters as in a call: names and defaults without `self`, types and markers."""
    positional = [*parameters.posonlyargs, *parameters.args]
    defaults: list[ast.expr | None] = [None] * (len(positional) - len(parameters.defaults))
    pairs = list(zip(positional, [*defaults, *parameters.defaults], strict=True))
    if method and pairs and pairs[0][0].arg in {"self", "cls"}:
        pairs = pairs[1:]
    shown = [shown_parameter(*pair) for pair in pairs]
    if parameters.vararg:
        shown.append(f"*{parameters.vararg.arg}")
    keyword_only = zip(parameters.kwonlyargs, parameters.kw_defaults, strict=True)
    shown += [shown_parameter(*pair) for pair in keyword_only]
    if parameters.kwarg:
        shown.append(f"**{parameters.kwarg.arg}")
    return f"({', '.join(shown)})"


def shown_parameter(parameter: ast.arg, default: ast.expr | None) -> str:
    """Write one parameter."""
    return parameter.arg if default is None else f"{parameter.arg}={ast.unparse(default)}"


def top_level(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield statements that run when a body runs, those under `if`, `try` and `with` too."""
    for statement in body:
        yield statement
        if isinstance(statement, ast.If | ast.Try | ast.With):
            for block in ("body", "orelse", "finalbody"):
                yield from top_level(getattr(statement, block, []))
            for handler in getattr(statement, "handlers", []):
                yield from top_level(handler.body)


def exported_names(tree: ast.Module) -> set[str]:
    """Return the names that a module's literal `__all__` lists; empty when it has none."""
    names: set[str] = set()
    for statement in tree.body:
        match statement:
            case (
                ast.Assign(targets=[ast.Name(id="__all__")], value=value)
                | ast.AugAssign(target=ast.Name(id="__all__"), value=value)
            ):
                names |= {
                    item.value
                    for item in ast.walk(value)
                    if isinstance(item, ast.Constant) and isinstance(item.value, str)
                }
    return names


def from_import(module: str, statement: ast.ImportFrom, exported: set[str]) -> Iterator[Entry]:
    """Yield the objects of a C module that a module shows as its own."""
    source = statement.module or ""
    if statement.level or (is_public(source) and source not in OS_MODULES):
        return  # listed under its own name
    origin = c_module(source)
    if origin is None:
        return
    for alias in statement.names:
        if alias.name == "*":
            yield from from_object(module, "", origin, with_doc=False)
        elif alias.asname is None and alias.name in exported:
            member = getattr(origin, alias.name, None)
            if is_documentable(member):
                yield from from_object(module, alias.name, member)


# Modules written in C: imported and inspected.


def c_module(name: str) -> types.ModuleType | None:
    """Import a module of the library if it is written in C, and return it."""
    if name not in sys.stdlib_module_names:
        return None
    try:
        spec = importlib.util.find_spec(name)
    except ValueError:  # a module without a spec, such as the program itself
        return None
    loader = spec.loader if spec else None
    is_extension = isinstance(loader, importlib.machinery.ExtensionFileLoader)
    if name not in sys.builtin_module_names and not is_extension:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # modules on their way out
            return importlib.import_module(name)
    except ImportError:  # its system library is not installed
        return None


def from_object(module: str, name: str, value: object, *, with_doc: bool = True) -> Iterator[Entry]:
    """Yield an object that has no source and, for modules and classes, its members."""
    doc = inspect.cleandoc(value.__doc__) if isinstance(value.__doc__, str) else ""
    if doc and with_doc:
        yield Entry(module, name, signature(value), doc)
    if isinstance(value, types.ModuleType | type):
        for key, member in sorted(vars(value).items()):
            if is_public(key) and is_documentable(member):
                yield from from_object(module, f"{name}.{key}".lstrip("."), member)


def is_documentable(value: object) -> bool:
    """Tell whether a docstring of this object is its own instead of its type's."""
    return isinstance(value, type) or inspect.isroutine(value) or inspect.isdatadescriptor(value)


def signature(value: object) -> str:
    """Write the parameters that a C function states; empty when it states none."""
    stated = getattr(value, "__text_signature__", None)
    if not isinstance(stated, str) or isinstance(value, type):
        return ""
    names = [part.strip() for part in stated.strip("()").split(",")]
    return f"({', '.join(name for name in names if name and name[0] not in '$/')})"


if __name__ == "__main__":
    sys.exit(main())
