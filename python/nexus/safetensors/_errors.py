"""Exceptions that are a SafetensorError and an OSError at once."""

from __future__ import annotations

from nexus._native import SafetensorError


class _WriteError(OSError, SafetensorError):
    """The system refused to write a file."""


class _WriteFileNotFoundError(_WriteError, FileNotFoundError):
    """There is no folder of this name."""


class _WritePermissionError(_WriteError, PermissionError):
    """The folder may not be written to."""


def write_error(errno: int, text: str, filename: str) -> SafetensorError:
    """Return the exception for what the system said."""
    built_in = type(OSError(errno, text))
    for kind in (_WriteFileNotFoundError, _WritePermissionError):
        if issubclass(kind, built_in):
            return kind(errno, text, filename)
    return _WriteError(errno, text, filename)
