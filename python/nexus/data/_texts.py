"""What a tokenizer takes as texts."""

import os
from collections.abc import Iterable
from typing import Protocol


class ArrowStream(Protocol):
    """A column or a table of pyarrow, Polars, DuckDB and others, as a stream."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Give a capsule with the stream."""


class ArrowArray(Protocol):
    """A column of Arrow's in one piece."""

    def __arrow_c_array__(self, requested_schema: object | None = None) -> tuple[object, object]:
        """Give the capsules of its type and itself."""


#: Strings, UTF-8 bytes and paths of text files, or a column of strings.
Texts = Iterable[str | bytes | bytearray | os.PathLike[str]] | ArrowStream | ArrowArray
