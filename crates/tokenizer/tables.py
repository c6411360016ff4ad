"""Writes src/unicode_tables.rs from what Hugging Face `tokenizers` does with each code point.

The peer mixes tables of several Unicode versions, so its behaviour, not a Unicode release, is the
source. Run it with `tokenizers` and `unicodedata2` (for the newest decompositions) installed:
`python tables.py > src/unicode_tables.rs`.
"""

import unicodedata

import tokenizers
import unicodedata2
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers


def bert(**flags: bool) -> normalizers.BertNormalizer:
    """Return a normaliser that does nothing but what the flags name."""
    off = {"clean_text": False, "handle_chinese_chars": False, "lowercase": False}
    return normalizers.BertNormalizer(**{**off, "strip_accents": False, **flags})


CODE_POINTS = [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000]
CLEAN, STRIP, NFD = bert(clean_text=True), bert(strip_accents=True), normalizers.NFD()
NFKD, ACCENTS = normalizers.NFKD(), normalizers.StripAccents()
SPLIT = pre_tokenizers.BertPreTokenizer()
# One old character of each combining class: others move before the first probe of a higher class.
PROBES = sorted({unicodedata.ucd_3_2_0.combining(c): c for c in CODE_POINTS}.items())[1:]


def is_punctuation(c: str) -> bool:
    """Tell whether a character is a word of its own."""
    return len(SPLIT.pre_tokenize_str(f"a{c}a")) == 3


def words() -> list[str]:
    """Return the characters beside which a `single_word` token is not found."""
    found = Tokenizer(models.WordLevel({"u": 0}, "u"))
    found.add_tokens([AddedToken("qq", single_word=True, normalized=False)])
    return [c for c in CODE_POINTS if 1 not in found.encode("qq" + c).ids]


def combining_class(c: str) -> int:
    """Return the peer's canonical combining class of a character."""
    below = 0
    for value, probe in PROBES:
        if probe != c and NFD.normalize_str(probe + c) == c + probe:
            return below
        below = value
    return 0


def table(name: str, doc: str, chosen: list[str]) -> None:
    """Print a table of the ranges of some characters."""
    ranges: list[list[int]] = []
    for c in map(ord, chosen):
        if ranges and ranges[-1][1] == c - 1:
            ranges[-1][1] = c
        else:
            ranges.append([c, c])
    print(f"\n/// {doc}\n#[rustfmt::skip]\npub(crate) const {name}: &[(u32, u32)] = &[")
    cells = [f"(0x{first:X}, 0x{last:X})," for first, last in ranges]
    for at in range(0, len(cells), 5):
        print("    " + " ".join(cells[at : at + 5]))
    print("];")


def main() -> None:
    """Print the module."""
    print(f"//! Written by `tables.py` from tokenizers {tokenizers.__version__}; do not edit.")
    print('\n#![expect(clippy::unreadable_literal, reason = "code points are written so")]')
    is_stable = {c: NFD.normalize_str(c) == c for c in CODE_POINTS}
    marks = [c for c in CODE_POINTS if is_stable[c] and STRIP.normalize_str(c) == ""]
    table(
        "DROPPED",
        "Removed by `clean_text`: NUL, U+FFFD, control, format and private-use characters.",
        [c for c in CODE_POINTS if CLEAN.normalize_str(c) == ""],
    )
    table("MARKS", "Removed by `strip_accents`: nonspacing marks.", marks)
    table(
        "PUNCTUATION",
        "Characters that are words of their own.",
        [c for c in CODE_POINTS if is_punctuation(c)],
    )
    # Characters that Unicode added after the peer's table, and decompose only in newer ones.
    table(
        "UNDECOMPOSED",
        "Characters that stay whole though newer Unicode versions decompose them.",
        ["\U000105c9", "\U000105e4", "\U00011383", "\U00011385", "\U0001138e", "\U00011391"]
        + ["\U000113c5", "\U000113c7", "\U000113c8", "\U00011938"]
        + [chr(c) for c in range(0x16121, 0x16129)]
        + ["\U00016d68", "\U00016d69", "\U00016d6a"],
    )
    newer = [c for c in CODE_POINTS if NFKD.normalize_str(c) != unicodedata2.normalize("NFKD", c)]
    table(
        "UNDECOMPOSED_COMPATIBLE",
        "Characters that stay whole though newer Unicode versions give them compatible ones.",
        [c for c in newer if NFD.normalize_str(c) == unicodedata2.normalize("NFD", c)],
    )
    mark_set = set(marks)
    table(
        "SPACING_MARKS",
        "Removed by `StripAccents` and not by `strip_accents`: other marks.",
        [c for c in CODE_POINTS if c not in mark_set and ACCENTS.normalize_str(c) == ""],
    )
    table("WORDS", "`\\w` of the search for added tokens that are single words.", words())
    print("\n/// Characters that are no marks above but have a combining class, and that class.")
    print("#[rustfmt::skip]\npub(crate) const REORDERED: &[(u32, u8)] = &[")
    for c in CODE_POINTS:
        if is_stable[c] and c not in mark_set and (value := combining_class(c)):
            print(f"    (0x{ord(c):X}, {value}),")
    print("];")


if __name__ == "__main__":
    main()
