"""Nexus: the Rust foundation under Python AI.

Each room is a module that loads on first import: ``nexus.safetensors``, ``nexus.data``,
``nexus.linalg`` and ``nexus.serve``. This package itself loads nothing.
"""

from importlib.metadata import version as _version

__version__: str = _version("nexus-rs")
__all__ = ["__version__"]
