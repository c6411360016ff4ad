"""Writes src/class_tables.rs from what the peers' regular expressions do with each code point.

Run it with `tokenizers` and `tiktoken` installed: `python class_tables.py > src/class_tables.rs`.
It stops where the two differ.
"""

import tiktoken
import tokenizers
from tokenizers import Regex, pre_tokenizers

CODE_POINTS = [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000]
CLASSES = {
    "U": r"[\p{Lu}\p{Lt}]",
    "L": r"\p{Ll}",
    "B": r"[\p{Lm}\p{Lo}]",
    "M": r"\p{M}",
    "N": r"\p{N}",
    "S": r"\s",
    "O": r"[\p{P}\p{S}]",
}
BYTES = {bytes([byte]): byte for byte in range(256)}


def members(pattern: str) -> set[str]:
    """Return the characters that both peers' engines match."""
    split = pre_tokenizers.Split(Regex(pattern), "removed")
    encoding = tiktoken.Encoding("x", pat_str=pattern, mergeable_ranks=BYTES, special_tokens={})
    first = {c for c in CODE_POINTS if not split.pre_tokenize_str(c)}
    second = {c for c in CODE_POINTS if encoding.encode_ordinary(c)}
    assert first == second, f"the peers differ on {pattern}: {sorted(first ^ second)}"
    return first


def main() -> None:
    """Print the module."""
    class_of = {c: name for name, pattern in CLASSES.items() for c in members(pattern)}
    runs: list[tuple[int, str]] = []
    alternates = False
    for code in range(0x110000):
        now = class_of.get(chr(code), "C") if not 0xD800 <= code < 0xE000 else "C"
        last = runs[-1][1] if runs else ""
        run_length = code - runs[-1][0] if runs else 0
        if alternates and now == "UL"[run_length % 2]:
            continue
        if last == now and not alternates:
            continue
        if last == "U" and now == "L" and run_length == 1 and not alternates:
            runs[-1] = (code - 1, "A")
            alternates = True
            continue
        alternates = False
        runs.append((code, now))
    version = f"tokenizers {tokenizers.__version__} and tiktoken {tiktoken.__version__}"
    print(f"//! Written by `class_tables.py` from {version}; do not edit.")
    print("\n/// Where each run of code points of one class starts, in hexadecimal, before the")
    print(
        "/// class's letter: `*` alternates between upper and lower case, `+` is a letter without"
    )
    print("/// case, `O` is punctuation and symbols, `C` is what is in no other class.")
    print('pub(crate) const RUNS: &str = "\\')
    line = ""
    for start, name in runs:
        cell = f"{start:X}{name.lower() if name in 'AB' else name} ".replace("a ", "* ").replace(
            "b ", "+ "
        )
        if len(line) + len(cell) > 98:
            print(line + "\\")
            line = ""
        line += cell
    print(line.rstrip() + '";')


if __name__ == "__main__":
    main()
