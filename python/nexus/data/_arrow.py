"""What gives Arrow to others: the protocols of the PyCapsule interface."""

from __future__ import annotations

from typing import Protocol


class ArrowStream(Protocol):
    """A table, a column or a stream: of pyarrow, Polars, DuckDB, DataFusion, a ``Pipeline``."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Give a capsule ``arrow_array_stream``."""


class ArrowArray(Protocol):
    """A batch, as one array of type struct, or a column in one piece."""

    def __arrow_c_array__(self, requested_schema: object | None = None) -> tuple[object, object]:
        """Give capsules ``arrow_schema`` and ``arrow_array``."""
