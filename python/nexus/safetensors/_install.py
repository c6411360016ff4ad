"""Standing in for the ``safetensors`` package."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.metadata import Distribution, DistributionFinder
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import os
    import pathlib
    from collections.abc import Iterable, Sequence
    from types import ModuleType

_THEIRS = "safetensors"
_OURS = "nexus.safetensors"
_NATIVE = "_safetensors_rust"


def install() -> None:
    """Let ``import safetensors`` find this package, in this process, until :func:`uninstall`.

    ``safetensors.torch`` and the other modules follow, and ``importlib.metadata`` reports version
    0.8.0, so that libraries built on ``safetensors`` work unchanged whether it is installed or not.
    Call it before they are imported: a library that has done ``from safetensors import safe_open``
    keeps what it has got.

    >>> import nexus.safetensors
    >>> nexus.safetensors.install()
    >>> from safetensors import safe_open
    >>> safe_open is nexus.safetensors.safe_open
    True
    >>> nexus.safetensors.uninstall()
    """
    if _finder in sys.meta_path:
        return
    for name in [name for name in sys.modules if _is_theirs(name)]:
        _replaced[name] = sys.modules.pop(name)
    sys.meta_path.insert(0, _finder)
    for name in (_THEIRS, f"{_THEIRS}.{_NATIVE}", _NATIVE):
        importlib.import_module(name)


def uninstall() -> None:
    """Undo :func:`install`. Modules that were imported before it are there again."""
    if _finder not in sys.meta_path:
        return
    sys.meta_path.remove(_finder)
    for name in [name for name in sys.modules if _is_theirs(name)]:
        del sys.modules[name]
    sys.modules.update(_replaced)
    _replaced.clear()


def _is_theirs(name: str) -> bool:
    return name in (_THEIRS, _NATIVE) or name.startswith(f"{_THEIRS}.")


class _Alias(Loader):
    """Gives a module of ours a second name, and leaves its first."""

    def __init__(self, name: str) -> None:
        self._module = importlib.import_module(name)
        self._spec = self._module.__spec__

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return self._module

    def exec_module(self, module: ModuleType) -> None:
        # The import system has just written the second name over it.
        module.__spec__ = self._spec


class _Finder(MetaPathFinder):
    """Finds our modules under their names."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        if not _is_theirs(fullname):
            return None
        if fullname == _NATIVE:
            ours = f"{_OURS}.{_NATIVE}"
        else:
            ours = _OURS + fullname.removeprefix(_THEIRS)
        if importlib.util.find_spec(ours) is None:
            return None
        return ModuleSpec(fullname, _Alias(ours), is_package=fullname == _THEIRS)

    def find_distributions(
        self,
        context: DistributionFinder.Context = DistributionFinder.Context(),  # noqa: B008
    ) -> Iterable[Distribution]:
        return [_Distribution()] if context.name == _THEIRS else []


class _Distribution(Distribution):
    """What ``importlib.metadata`` reports of ``safetensors``."""

    def read_text(self, filename: str) -> str | None:
        version = importlib.import_module(_OURS).__version__
        text = f"Metadata-Version: 2.1\nName: {_THEIRS}\nVersion: {version}\n"
        return text if filename == "METADATA" else None

    def locate_file(self, path: str | os.PathLike[str]) -> pathlib.Path:
        raise FileNotFoundError(path)


_finder = _Finder()
_replaced: dict[str, ModuleType] = {}
