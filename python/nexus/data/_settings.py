"""The settings of steps, as keyword arguments and in plans."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Literal, TypeAlias, TypedDict

QualityFilter: TypeAlias = Literal[
    "gopher_quality",
    "gopher_repetition",
    "c4_quality",
    "c4_paragraphs",
    "c4_bad_words",
    "fineweb_quality",
    "basic",
    "language",
    "url",
]
"""A filter of ``Pipeline.quality``. Its settings have the names that datatrove has for them."""

TextFormatter: TypeAlias = Literal["pii", "ftfy", "unicode", "line_dedup"]
"""A change of ``Pipeline.format``."""

Scalar: TypeAlias = "bool | int | float | str | os.PathLike[str]"
Setting: TypeAlias = "Scalar | Sequence[str] | Sequence[tuple[int, float]] | None"
"""A setting of a filter; ``None`` switches a rule off."""


class DedupExact(TypedDict, total=False):
    """Settings of ``Pipeline.dedup_exact``."""

    keep: Literal["first", "least_id"]
    """Which of equal documents stays: the first that is read, or the one with the least id."""
    ignore_space: bool
    """Whether documents are equal that differ in white space alone; true if not given."""


class DedupNear(TypedDict, total=False):
    """Settings of ``Pipeline.dedup_near``."""

    keep: Literal["first", "least_id"]
    """As for ``dedup_exact``; ``least_id`` needs a threshold of ``None``."""
    threshold: float | None
    """The least Jaccard similarity of a document that goes to one that stays, 0.8 if not given.
    ``None``: what is joined by a chain of equal bands is one cluster, unseen."""
    bands: int
    """Bands of a signature: documents that agree in one are candidates; 14."""
    rows: int
    """Values in each band; 8."""
    ngram: int
    """Words in each run that is compared; 5."""
    family: str
    """How values are made: ``fast1``, ``mersenne:SEED`` (datatrove's) or ``affine:SEED``."""


class Tokenize(TypedDict, total=False):
    """Settings of ``Pipeline.tokenize`` with a file."""

    offsets: bool
    """Whether to add where each token stands, which ``cut`` needs; true if not given."""
    end: str | None
    """A token that is put behind each document, such as ``<|endoftext|>``."""
