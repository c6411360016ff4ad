"""Writes src/marks.rs: what Rust calls alphanumeric and is neither a letter nor a decimal digit.

Rust has the properties Alphabetic and Numeric, tokens are made of the general categories L and Nd,
which other languages know. Run it with the newest Python: `python tables.py > src/marks.rs`.
"""

from __future__ import annotations

import sys
import unicodedata

#: Marks (vowel signs), letter numbers, other numbers, and symbols (circled letters).
ODD = {"Mn", "Mc", "Me", "Nl", "No", "So"}


def runs() -> list[tuple[int, int]]:
    """Runs of such code points; what is in none of the categories of tokens may stand between."""
    found: list[tuple[int, int]] = []
    is_open = False
    for code in range(sys.maxunicode + 1):
        category = unicodedata.category(chr(code))
        if category in ODD:
            if is_open:
                found[-1] = (found[-1][0], code)
            else:
                found.append((code, code))
            is_open = True
        elif category[0] == "L" or category in ("Nd", "Cn"):
            # A code point that is not assigned here may be a letter in a later version.
            is_open = False
    return found


def main() -> None:
    """Write the file."""
    print(
        "//! Written by `tables.py` from Unicode", f"{unicodedata.unidata_version}; do not edit.\n"
    )
    print("/// Runs of marks, symbols and numbers that are no decimal digits, first and last.")
    print("#[rustfmt::skip]")
    print("pub(crate) const MARKS: &[(u32, u32)] = &[")
    entries = [f"({first:#x}, {last:#x})," for first, last in runs()]
    for at in range(0, len(entries), 5):
        print("    " + " ".join(entries[at : at + 5]))
    print("];")


if __name__ == "__main__":
    main()
