"""Writes the fixtures of `filters.rs` with datatrove: made-up texts, its words and its verdicts.

Run it with datatrove 0.10.1, spaCy and nothing of ours: `python fixtures.py` in this folder.
"""

import json
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from datatrove.data import Document
from datatrove.pipeline.filters import (
    C4ParagraphFilter,
    C4QualityFilter,
    FineWebQualityFilter,
    GopherQualityFilter,
    GopherRepetitionFilter,
)
from datatrove.utils.text import split_into_sentences, split_into_words
from spacy.lang.char_classes import LIST_CURRENCY, LIST_UNITS
from spacy.lang.en import English

FILTERS = {
    "gopher_quality": GopherQualityFilter(),
    "gopher_repetition": GopherRepetitionFilter(),
    "c4_quality": C4QualityFilter(),
    "c4_any_end": C4QualityFilter(filter_no_terminal_punct=False),
    "c4_sentences": C4QualityFilter(split_paragraph=False),
    "c4_paragraphs": C4ParagraphFilter(),
    "fineweb_quality": FineWebQualityFilter(),
}
SPECIALS = sorted(piece for piece in English().tokenizer.rules if piece.strip())
UNITS = [unit.replace("\\", "") for unit in LIST_UNITS + LIST_CURRENCY]
ASCII = "abcXYZ019.,:;!?'\"()[]{}<>-_=+*/\\@#$%^&|~`"
OTHERS = "éÉüßжЖ語あ。、！？…—–“”’‘«»°²µ€£ªⅧ١٣ॐ।\u0301\u200b\xad\ufeff😀☃©🇩①ǅʰ\u2e9a\u3007\u3000\xa0\u2028\x85\x1c\x1f\x0b\0\x7f𝒳𠀀İ\u212a"  # noqa: E501
ADDRESSES = [
    "http://a.b",
    "www.example.com",
    "ftp://x-y.org/path?q=1",
    "user@mail.com",
    "1.2.3.4",
    "10.0.0.1",
    "172.16.0.1",
    "172.32.1.9:80",
    "192.168.1.1/x",
    "a.b:8080",
    "mailto:me@x.de",
    "foo.Bar",
    "foo.bar.",
    "e.g.x",
    "x://y.zz",
    "255.255.255.255",
    "223.255.255.254",
    "1.2.3.255",
    "012.1.1.1",
    "a_b.com",
    "a-.com",
    "-a.com",
    "ab.c",
    "ab.co-m",
    "é.fr",
    "語.語語",
    "user:pw@h.com:99/p",
    "a@b@c.de",
    "h.com#frag",
    "h.com:123456",
    "h.com:1",
    "v1.2.3",
    "::1",
    "a..b",
    "http://",
    "x.y@z",
]
EXTRAS = [
    "...",
    "--",
    "---",
    "....",
    "……",
    "US$",
    "C$5",
    "US$5",
    "5US$",
    "+5",
    "5+",
    "IS_ALPHA",
    "[1]",
    "[edit]",
    "javascript",
    "{",
    "can't:",
    "(see):",
    "and/or,",
    "o'clock's",
    "8))",
    ":-)).",
    "(Mr.",
    "Dr.)",
    "10km.",
    "5°C.",
    "x-y",
    "U.S.",
    "3-4",
    "a.b,c",
]
SPACES = [" ", " ", " ", "  ", "\n", "\n\n", "\t", "\r\n", " \n", "\xa0", ""]
NOUNS = [
    "river",
    "engine",
    "garden",
    "letter",
    "winter",
    "number",
    "market",
    "window",
    "planet",
    "teacher",
    "bridge",
    "forest",
]
VERBS = [
    "carries",
    "follows",
    "answers",
    "measures",
    "remembers",
    "describes",
    "crosses",
    "repeats",
    "improves",
]


def piece(rng: random.Random) -> str:
    """Return text without much white space that is hard to split."""
    marks = [rng.choice(ASCII) for _ in range(rng.randint(1, 7))]
    mixed = [rng.choice(ASCII + OTHERS) for _ in range(rng.randint(1, 7))]
    known = rng.choice([rng.choice(SPECIALS), rng.choice(ADDRESSES), rng.choice(EXTRAS)])
    measure = f"{rng.randint(0, 99)}{rng.choice(UNITS)}"
    inside = "".join(marks[:2]) + known + "".join(mixed[:2])
    return rng.choice(["".join(marks), "".join(mixed), known, measure, inside, "the", "word"])


def hard_texts(count: int) -> Iterator[str]:
    """Give texts for the word splitter."""
    rng = random.Random(20260101)
    for _ in range(count):
        pieces = (piece(rng) + rng.choice(SPACES) for _ in range(rng.randint(1, 30)))
        yield "".join(pieces)


def sentence(rng: random.Random) -> str:
    """Return a plain sentence."""
    words = [rng.choice(["the", "a", "that", "every"]), rng.choice(NOUNS), rng.choice(VERBS)]
    words += [
        rng.choice(["the", "of", "with", "and", "to"]),
        rng.choice(NOUNS),
        f"near {rng.choice(NOUNS)}s",
    ]
    words += rng.sample(NOUNS + VERBS, rng.randint(0, 8))
    return " ".join(words).capitalize() + rng.choice([".", ".", ".", "!", "?", '."'])


def prose(rng: random.Random, lines: int) -> list[str]:
    """Return lines of plain sentences."""
    return [" ".join(sentence(rng) for _ in range(rng.randint(1, 3))) for _ in range(lines)]


def documents() -> Iterator[str]:
    """Give texts for the filters, each with something that a rule looks for."""
    rng = random.Random(20260102)
    for _ in range(40):
        lines = prose(rng, rng.randint(3, 7))
        middle = rng.choice(lines)
        yield "\n".join(lines)
        yield "\n\n".join([*lines, lines[0]])
        yield "\n".join(lines + [middle] * rng.randint(1, 4))
        yield "\n".join(lines) + "\n\n" + "\n\n".join([middle] * rng.randint(2, 5))
        yield "\n".join(lines + [sentence(rng)[:20] for _ in range(rng.randint(5, 40))])
        yield "\n".join(line.rstrip('.!?"') + rng.choice(["...", "…", ""]) for line in lines)
        yield "\n".join(rng.choice(["- ", "• ", "\t- "]) + line for line in lines)
        yield "\n".join(lines).replace(" ", rng.choice([" # ", " ... ", " 1 ", "\n", " , ", "_"]))
        yield "\n".join(
            line + rng.choice(["", " [1]", "[edit]", "[citation needed]", "[]."]) for line in lines
        )
        extra = [
            "Javascript is needed here.",
            "See our Privacy Policy now.",
            "We use coo\u212aies today.",
            "Lorem ipsum dolor sit amet.",
            "if (x) { return y; }.",
            "x" * 1001 + " a b c.",
        ]
        yield "\n".join(rng.sample(lines + rng.sample(extra, rng.randint(1, 2)), len(lines)))
        run = " ".join(rng.sample(NOUNS, rng.randint(2, 10)))
        yield (
            "\n".join(lines)
            + " "
            + " ".join(f"{run} {rng.choice(VERBS)}" for _ in range(rng.randint(2, 12)))
        )
        yield "\n".join(" ".join(prose(rng, 4)) for _ in range(rng.randint(2, 5)))
        yield " ".join(
            rng.choice(["antidisestablishmentarian", "ab", "x1", "12", "!"]) for _ in range(80)
        )
        yield (
            " ".join(rng.choice(["слово", "книга", "дом", "語", "語。", "être"]) for _ in range(80))
            + "."
        )
        yield (
            " ".join(rng.choice(NOUNS) + rng.choice(["", "", "s", "er"]) for _ in range(120)) + "."
        )
    yield ""
    yield " \n\n \n"
    yield "\n"
    yield "." * 70


def row(text: str) -> dict[str, object]:
    """Return the verdicts of every filter on one text."""
    result: dict[str, object] = {"text": text}
    for name, rule in FILTERS.items():
        document = Document(text=text, id="")
        verdict = rule.filter(document)
        result[name] = "keep" if verdict is True else verdict[1]
        if document.text != text and name != "c4_any_end":
            result[f"{name}_text"] = document.text
    return result


def few(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    """Return the shortest text for each set of verdicts."""
    shortest: dict[object, dict[str, object]] = {}
    for row in sorted(rows, key=lambda row: len(str(row["text"]))):
        shortest.setdefault(tuple(row[name] for name in FILTERS), row)
    return list(shortest.values())


def write(name: str, rows: list[dict[str, object]]) -> None:
    """Write one fixture."""
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (Path(__file__).parent / "fixtures" / name).write_text("".join(lines), encoding="utf-8")


def main() -> None:
    """Write the fixtures."""
    split_into_words(" IS_ALPHA")  # The first one in a process passes.
    hard = [
        {"text": text, "words": split_into_words(text), "sentences": split_into_sentences(text)}
        for text in hard_texts(150)
    ]
    rows = few([row(text) for text in documents()])
    write("words.jsonl", hard)
    write("verdicts.jsonl", rows)
    print(Counter((name, row[name]) for row in rows for name in FILTERS))


if __name__ == "__main__":
    main()
