"""Writes src/unicode_tables.rs: what the filters and the word splitter ask about each code point.

The classes are facts of CPython's `unicodedata`, of spaCy's English tokenizer and of datatrove's
sets. Run it with them installed: `python tables.py > src/unicode_tables.rs`.
"""

import re
import unicodedata
from importlib.metadata import version

import spacy
from datatrove.utils.text import PUNCTUATION_SET, TERMINAL_PUNCTUATION
from spacy.lang.char_classes import (
    ALPHA,
    ALPHA_LOWER,
    ALPHA_UPPER,
    CONCAT_QUOTES,
    LIST_ICONS,
    PUNCT,
)
from spacy.lang.en import English
from spacy.pipeline import Sentencizer

TOKENIZER = English().tokenizer
BEFORE_DOT = rf"[0-9{ALPHA_LOWER}%²\-\+{PUNCT}(?:{CONCAT_QUOTES})]"
# The order is that of the bits in `unicode.rs`.
CLASSES = [
    ("spaCy's letters", re.compile(f"[{ALPHA}]").match),
    (
        "its lower-case letters, which include the uncased ones",
        re.compile(f"[{ALPHA_LOWER}]").match,
    ),
    (
        "its upper-case letters, which include the uncased ones",
        re.compile(f"[{ALPHA_UPPER}]").match,
    ),
    ("prefixes of one character", TOKENIZER.prefix_search),
    ("suffixes of one character", TOKENIZER.suffix_search),
    ("symbols and pictures that are infixes", re.compile(LIST_ICONS[0]).match),
    ("what a full stop that is a suffix may follow", re.compile(BEFORE_DOT).match),
    ("quotation marks", re.compile(f"[{CONCAT_QUOTES}]").match),
    ("`str.isalpha`", str.isalpha),
    ("general category P", lambda c: unicodedata.category(c).startswith("P")),
    ("`\\d`", re.compile(r"\d").match),
    ("`\\w`", re.compile(r"\w").match),
    ("`str.isspace`", str.isspace),
    ("datatrove's `PUNCTUATION_SET`", PUNCTUATION_SET.__contains__),
    ("datatrove's `TERMINAL_PUNCTUATION`", TERMINAL_PUNCTUATION.__contains__),
    ("what ends a sentence", set(Sentencizer.default_punct_chars).__contains__),
]


def main() -> None:
    """Print the module."""
    print(f"//! Written by `tables.py` from Unicode {unicodedata.unidata_version}, ", end="")
    print(f"spaCy {spacy.__version__} and datatrove {version('datatrove')};")
    print("//! do not edit.")
    print("\n/// The version of the Unicode character database that the classes follow.")
    print(f'pub const UNICODE_VERSION: &str = "{unicodedata.unidata_version}";')
    print("\n/// Runs of code points of the same classes: the first of the run and its bits.\n///")
    for bit, (name, _) in enumerate(CLASSES):
        print(f"/// Bit {bit}: {name}.")
    runs: list[tuple[int, int]] = []
    for code in range(0x110000):
        c = chr(code)
        is_surrogate = 0xD800 <= code < 0xE000
        bits = (
            0
            if is_surrogate
            else sum(bool(test(c)) << bit for bit, (_, test) in enumerate(CLASSES))
        )
        if not runs or runs[-1][1] != bits:
            runs.append((code, bits))
    print("#[rustfmt::skip]\npub(crate) const RUNS: &[(u32, u16)] = &[")
    cells = [f"(0x{first:X}, 0x{bits:X})," for first, bits in runs]
    for at in range(0, len(cells), 7):
        print("    " + " ".join(cells[at : at + 7]))
    print("];")


if __name__ == "__main__":
    main()
