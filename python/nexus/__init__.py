"""Nexus: the Rust foundation under Python AI.

Each room is a module that loads on first import: ``nexus.safetensors``, ``nexus.data``,
``nexus.linalg``, ``nexus.eventloop`` and ``nexus.serve``. This package itself loads nothing.
"""

__all__ = ["__version__"]

# As `typing.TYPE_CHECKING`, without importing `typing`.
TYPE_CHECKING = False
if TYPE_CHECKING:
    __version__: str


def __getattr__(name: str) -> str:
    # Reading the version takes longer than importing a room.
    if name == "__version__":
        from importlib.metadata import version

        return version("nexus-rs")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
