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
    "n_grams_decont",
]
"""A filter of ``Pipeline.quality``. Its settings have the names that datatrove has for them."""

TextFormatter: TypeAlias = Literal["pii", "ftfy", "unicode", "line_dedup"]
"""A change of ``Pipeline.format``."""

Scalar: TypeAlias = "bool | int | float | str | os.PathLike[str]"
Setting: TypeAlias = (
    "Scalar | Sequence[str | os.PathLike[str]] | Sequence[tuple[int, float]] | None"
)
"""A setting of a filter; ``None`` switches a rule off."""


Paths: TypeAlias = "str | os.PathLike[str] | Sequence[str | os.PathLike[str]]"
"""One path, or several."""


class DedupExact(TypedDict, total=False):
    """Settings of ``Pipeline.dedup_exact``."""

    keep: Literal["first", "least_id"]
    """Which of equal documents stays: the first that is read, or the one with the least id."""
    ignore_space: bool
    """Whether documents are equal that differ in white space alone; true if not given."""
    index: Paths
    """Indexes of earlier dumps, or folders of them: what equals a document there goes."""
    write_index: str | os.PathLike[str] | None
    """A folder for an index of what stays."""


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
    index: Paths
    """Indexes of earlier dumps, or folders of them: what is like a document there goes."""
    write_index: str | os.PathLike[str] | None
    """A folder for an index of what stays."""


class DedupLines(TypedDict, total=False):
    """Settings of ``Pipeline.dedup_lines``."""

    unit: Literal["line", "paragraph", "sentence"]
    """What texts are cut into; lines if not given."""
    span: int
    """How many units in a row are compared, as one; 1. C4 takes three sentences."""
    min_words: int
    """Runs of fewer words are nobody's copy; 3."""
    remove: bool
    """Whether repeats go; true. Else they are written to the audit alone."""
    min_doc_words: int | None
    """The least words of a document that has lost something; 50."""
    min_num_sentences: int | None
    """The least sentences of a document that has lost something; 3."""


class DedupSubstrings(TypedDict, total=False):
    """Settings of ``Pipeline.dedup_substrings``."""

    length: int
    """The least length of a repeat: 100 bytes, or so many tokens where there is a tokenizer."""
    tokenizer: str | os.PathLike[str] | None
    """A file of a tokenizer: repeats then begin and end with its tokens."""
    remove: bool
    """Whether repeats go; true. Else they are written to the audit alone."""
    min_doc_words: int | None
    """The least words of a document that has lost something; 50."""


class Images(TypedDict, total=False):
    """Settings of ``Pipeline.images``."""

    column: str
    """The column of Parquet and Arrow files that holds images; ``image`` if not given."""
    label: str | None
    """A key of ``fields`` whose whole numbers become a column ``label``, such as ``cls``; records
    without one are dropped."""
    required: bool
    """Whether records without an image are dropped; true if not given."""
    min_size: int
    """The least length of the shorter side, in pixels; 1."""
    max_aspect: float | None
    """The greatest ratio of the longer side to the shorter one; any if not given."""
    max_pixels: int
    """The most pixels: a file that declares more is rejected; 89,478,485, as in Pillow."""


class DedupImages(TypedDict, total=False):
    """Settings of ``Pipeline.dedup_images``."""

    hash: Literal["phash", "dhash"]
    """The perceptual hash of 64 bits, as the package ``imagehash`` makes it; ``phash``."""
    distance: int
    """In how many bits copies differ at most, up to 19; 6."""


class ImageTensors(TypedDict, total=False):
    """Settings of ``Pipeline.image_tensors``."""

    width: int
    """The tensors' width, in pixels; 224."""
    height: int
    """The tensors' height, in pixels; 224."""
    resize: int | None
    """The shorter side after resizing, before the middle is cut out; 256. ``None`` squeezes the
    whole image into the tensor."""
    filter: Literal["bilinear", "bicubic", "lanczos"]
    """How images are resized: as Pillow does; ``bilinear``."""
    layout: Literal["chw", "hwc"]
    """The order of channels, rows and columns; ``chw``."""
    dtype: Literal["uint8", "float32"]
    """``uint8``: 0 to 255. ``float32``: 0 to 1, less ``mean``, by ``std``."""
    mean: Sequence[float]
    """A number for each channel; ImageNet's if not given."""
    std: Sequence[float]
    """A number for each channel; ImageNet's if not given."""


class Tokenize(TypedDict, total=False):
    """Settings of ``Pipeline.tokenize`` with a file."""

    offsets: bool
    """Whether to add where each token stands, which ``cut`` needs; true if not given."""
    end: str | None
    """A token that is put behind each document, such as ``<|endoftext|>``."""
