"""Writes src/mark_tables.rs: the code points of general category Mn.

Run it with the Python whose Unicode it shall have: `python mark_tables.py > src/mark_tables.rs`.
"""

import unicodedata


def main() -> None:
    """Print the module."""
    runs: list[list[int]] = []
    for code in range(0x110000):
        if unicodedata.category(chr(code)) != "Mn":
            continue
        if runs and runs[-1][1] == code - 1:
            runs[-1][1] = code
        else:
            runs.append([code, code])
    version = unicodedata.unidata_version
    print(f"//! Written by `mark_tables.py` from Unicode {version}; do not edit.")
    print("\n/// Runs of code points of general category Mn: the first and the last of each.")
    print("#[rustfmt::skip]\npub(crate) const MARKS: &[(u32, u32)] = &[")
    cells = [f"(0x{first:X}, 0x{last:X})," for first, last in runs]
    for at in range(0, len(cells), 7):
        print("    " + " ".join(cells[at : at + 7]))
    print("];")


if __name__ == "__main__":
    main()
