"""What the rows of a pipeline look like."""

from __future__ import annotations

from typing import Literal, TypeAlias, TypedDict

JsonValue: TypeAlias = "dict[str, JsonValue] | list[JsonValue] | str | int | float | bool | None"
"""A value of JSON, as the module :mod:`json` reads it."""

OutputFormat: TypeAlias = Literal[
    "jsonl",
    "jsonl.gz",
    "jsonl.zst",
    "parquet",
    "arrow",
    "arrows",
    "mds",
    "webdataset",
    "megatron",
    "safetensors",
]
"""A format that ``Pipeline.write`` writes."""


class Row(TypedDict, total=False):
    """A row. Which keys it has depends on the steps before it."""

    id: str
    """The record's own id, else its place below the source's root."""
    text: str
    """The document; gone after ``cut``."""
    source: str
    """The path of the file that the document was read from."""
    line: int | None
    """The line, row or record in the file, from 1; ``None`` where the file is one document."""
    fields: dict[str, JsonValue]
    """What else the record holds."""
    ids: list[int]
    """Token ids, after ``tokenize``."""
    starts: list[int]
    """Where each token starts in the text, in bytes of UTF-8."""
    ends: list[int]
    """Where each token ends in the text, in bytes of UTF-8."""
    image: bytes | None
    """The image as its file has it, after ``images``; ``None`` where the record has none."""
    label: int
    """The number of the image's class, after ``images(label=...)``."""
    pixels: memoryview | None
    """The image as a tensor, after ``image_tensors``: ``numpy.asarray`` has its shape and type."""
    part: int
    """The number of a passage in its document, from 0, after ``cut``."""
    passage: str
    """A passage, after ``cut``."""
