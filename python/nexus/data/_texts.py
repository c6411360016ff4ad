"""What a tokenizer takes as texts."""

import os
from collections.abc import Iterable

from nexus.data._arrow import ArrowArray, ArrowStream

#: Strings, UTF-8 bytes and paths of text files, or a column of strings.
Texts = Iterable[str | bytes | bytearray | os.PathLike[str]] | ArrowStream | ArrowArray
