"""What gives Arrow to others: the protocols of the PyCapsule interface."""

from __future__ import annotations

from typing import Protocol


class ArrowStream(Protocol):
    """A table or a stream: of pyarrow, Polars, DuckDB, DataFusion, pandas, or a ``Pipeline``."""

    def __arrow_c_stream__(self, requested_schema: None = None) -> object:
        """Give a capsule ``arrow_array_stream``."""


class ArrowArray(Protocol):
    """A batch, as one array of type struct."""

    def __arrow_c_array__(self, requested_schema: None = None) -> tuple[object, object]:
        """Give capsules ``arrow_schema`` and ``arrow_array``."""
