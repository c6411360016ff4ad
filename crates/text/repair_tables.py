"""Writes src/ftfy/tables.rs: single-byte encodings, and the characters that ftfy tells mojibake by.

The encodings are facts of CPython's codecs, the classes of characters of ftfy. Run it with ftfy
installed: `python repair_tables.py > src/ftfy/tables.rs`.
"""

import re
from importlib.metadata import version

from ftfy.badness import MOJIBAKE_CATEGORIES
from ftfy.chardata import LIGATURES, UTF8_CLUES

ENCODINGS = [
    "windows-1252",
    "windows-1251",
    "windows-1250",
    "windows-1253",
    "windows-1254",
    "windows-1257",
    "iso-8859-2",
    "macroman",
    "cp437",
]


def row(cells: list[str]) -> None:
    """Print cells, some to a line."""
    for at in range(0, len(cells), 8):
        print("    " + " ".join(cells[at : at + 8]))


def main() -> None:
    """Print the module."""
    print(
        f"//! Written by `repair_tables.py` from ftfy {version('ftfy')} and CPython's codecs; ",
        end="",
    )
    print("do not edit.\n")
    print("/// What the bytes from 0x80 on stand for; unassigned ones for the control of their")
    print("/// number.")
    print("#[rustfmt::skip]")
    print(f"pub(super) const ENCODINGS: [(&str, [char; 128]); {len(ENCODINGS)}] = [")
    for encoding in ENCODINGS:
        decoded = [bytes([byte]).decode(encoding, "replace") for byte in range(128, 256)]
        chars = [chr(at + 128) if c == "\ufffd" else c for at, c in enumerate(decoded)]
        print(f'    ("{encoding}", [')
        row([f"'\\u{{{ord(c):X}}}'," for c in chars])
        print("    ]),")
    print("];\n")
    classes = [*MOJIBAKE_CATEGORIES.items(), *UTF8_CLUES.items()]
    for bit, (name, _) in enumerate(classes):
        print(f"/// Characters of ftfy's class `{name}`.")
        print(f"pub(super) const {name.upper()}: u32 = 1 << {bit};")
    tests = [re.compile(f"[{chars}]").match for _, chars in classes]
    found = []
    for code in range(0x80, 0x10000):
        bits = sum(bool(test(chr(code))) << bit for bit, test in enumerate(tests))
        bits and found.append(f"('\\u{{{code:X}}}', 0x{bits:X}),")
    ascii_bits = [c for c in map(chr, range(0x80)) if any(test(c) for test in tests)]
    assert ascii_bits == [" "], ascii_bits
    print("\n/// Characters beyond ASCII that have a class. The blank is in `UTF8_CONTINUATION`.")
    print("#[rustfmt::skip]\npub(super) const CLASSES: &[(char, u32)] = &[")
    row(found)
    print("];\n\n/// Ligatures and digraphs, and what they are made of.")
    print("#[rustfmt::skip]\npub(super) const LIGATURES: &[(char, &str)] = &[")
    row([f"('\\u{{{code:X}}}', \"{text}\")," for code, text in sorted(LIGATURES.items())])
    print("];")


if __name__ == "__main__":
    main()
