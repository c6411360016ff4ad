"""Writes the fixtures of `operators.rs` with the peers, and small models of fastText.

Run it in this folder with datatrove 0.10.1, ftfy 6.3.1, tldextract 5.4.0 (its own list, offline),
pyahocorasick, fasttext-numpy2-wheel 0.9.2 and Python 3.11.7, and nothing of ours:
`python operators.py`.
"""

import contextlib
import json
import random
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import fasttext
import ftfy.bad_codecs  # noqa: F401, names encodings
from datatrove.data import Document
from datatrove.pipeline.decont.n_grams import NGramsDecontConfig, NGramsDecontFilter
from datatrove.pipeline.filters import URLFilter
from datatrove.pipeline.formatters import FTFYFormatter, PIIFormatter
from datatrove.utils.text import TextNormConfig, simplify_text
from tldextract import TLDExtract

warnings.simplefilter("ignore")
FIXTURES = Path(__file__).parent / "fixtures"
RANDOM = random.Random(4)


def write(name: str, rows: list[dict[str, object]]) -> None:
    """Write rows as JSON lines."""
    lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
    (FIXTURES / name).write_text("".join(lines), encoding="utf-8")


def mixed(pieces: list[str], count: int, length: int) -> Iterator[str]:
    """Give texts of random pieces."""
    for _ in range(count):
        yield "".join(RANDOM.choice(pieces) for _ in range(RANDOM.randint(1, length)))


EMAILS = [
    "mail me at jo@mail.org, or at anna.b+c@sub.mail-host.co.uk!",
    "é@mail.org éa@mail.org a.é@mail.org",
    "a..b@c.de .a@c.de a.@c.de a@c a@-c.de a@c-.de a@c.de- a@c.d-e.f.",
    "x@y@z.de x@[1.2.3.4] x@[1.2.3.256] x@[1.2.3.ab-c:] x@[1.2.3.-] x@[1.2.3.a:",
    "<a@b.de>;'o''b@c.de' a_b@c.de _@c.de -@c.de a!-@c.de !@c.de (a!@c.de)",
    "語a@b.de a語@b.de 語!a@b.de mailto:a@b.de?x=1 http://u:p@h.com/ a@1.2",
    "a@b.de@c.fr a@b.de.@c.fr a@b.c1@d.e",
]
IPS = [
    "8.8.8.8 1234.5.6.7 1.2.3.4.5.6.7.8 256.1.1.1 1.256.1.1 1.2.3.256 1.2.3.299 1.2.3.4567",
    "01.2.3.4 1.2.3.04 127.0.0.1 10.1.2.3 172.16.0.1 172.32.0.1 192.168.1.1 169.254.1.1",
    "0.1.2.3 100.64.0.1 100.128.0.1 192.0.0.1 192.0.0.8 192.0.0.170 192.0.0.172 192.0.2.1",
    "198.18.0.1 198.20.0.1 198.51.100.9 203.0.113.9 224.0.0.1 240.0.0.1 255.255.255.255",
    "v1.2.3.4-beta 1..2.3.4 1.2.3. 1.2.3 .1.2.3.4. 99.99.99.99% ١.2.3.4 1.2.3.٤ 000.1.1.1",
    "8.8.8.8,8.8.4.4,1.1.1.1,9.9.9.9,8.8.8.8,8.8.4.4,1.1.1.1,9.9.9.9",
]
PII_PIECES = [
    "a",
    "B",
    "é",
    "7",
    "@",
    "@",
    ".",
    ".",
    "-",
    "_",
    "+",
    "[",
    "]",
    ":",
    " ",
    "c.de",
    "x@y.z",
]
IP_PIECES = [
    *"0123456789",
    ".",
    ".",
    ".",
    ".",
    "25",
    "24",
    "199",
    "01",
    " ",
    "٣",
    "1.2.3.",
    "8.8.8.8",
]


def pii() -> list[dict[str, object]]:
    """Replacements, with one formatter for all and with one for each setting."""
    shared, every = PIIFormatter(), PIIFormatter(only_remove_public_ips=False)
    texts = [*EMAILS, *IPS, *mixed(PII_PIECES, 300, 14), *mixed(IP_PIECES, 300, 14)]
    return [
        {
            "text": text,
            "one": PIIFormatter().format(text),
            "shared": shared.format(text),
            "every": every.format(text),
        }
        for text in texts
    ]


HOSTS = [
    "example.com",
    "www.example.com",
    "EXAMPLE.com",
    "a.b.co.uk",
    "co.uk",
    "uk",
    "localhost",
    "127.0.0.1",
    "[::1]",
    "www.ck",
    "a.www.ck",
    "a.b.ck",
    "ck",
    "b.ck",
    ".ck",
    "x.kawasaki.jp",
    "city.kawasaki.jp",
    "a.city.kawasaki.jp",
    "www.bücher.de",
    "xn--bcher-kva.de",
    "食狮.中国",
    "xn--85x722f.xn--fiqs8s",
    "shop.xn--55qx5d.cn",
    "shop.公司.cn",
    "a。b．com",
    "example.com.",
    "..example.com",
    ".example.com",
    "a..com",
    "",
    "blog.blogspot.com",
    "github.io",
    "a.github.io",
    "example.unknown",
    "xn--.com",
    "xn--zzzzzzzz.com",
    "ex_ample.com",
    " example.com ",
    "user:pw@example.com",
    "a@b@example.net",
    "bad.example.net",
    "good.example.net",
]
URLS = [
    form.format(host)
    for host in HOSTS
    for form in ("http://{}/", "{}", "//{}:80/a//b?c#d", "x_y://{}/p")
]
URLS += [
    "http://ok.org/casino/index",
    "http://ok.org/Casino",
    "http://casino.org",
    "http://ok.org/casinos",
    "http://ok.org/gamble-bet",
    "http://ok.org/bet/bet",
    "http://ok.org/BET/gamble",
    "http://ok.org/be/t-now",
    "http://ok.org/page.html",
    "http://ok.org/page.html#x",
    "http://ok.org/b-e.t_NOW",
    "ok",
    "é",
    "http://ok.org/éxxé",
    "http:/ok.org",
    ":// ok.org",
    "1://ok.org//casino",
    "a+b://example.com",
]
RULES = {
    "extra_domains": [
        "example.com\n",
        "# example.org",
        "a.b.co.uk",
        "bücher.de",
        "b.ck",
        "bad.example.net",
        "食狮.中国",
        " a.com",
    ],
    "extra_urls": ["http://ok.org/page.html", "#x"],
    "banned_words": ["casino", "Poker!"],
    "banned_subwords": ["betnow", "x x"],
    "soft_banned_words": ["bet", "gamble", "odds"],
}


def urls() -> list[dict[str, object]]:
    """Verdicts and domains."""
    url_filter = URLFilter(use_integrated_lists=False, **RULES)
    extract = url_filter.tldextractor = TLDExtract(suffix_list_urls=(), cache_dir=None)
    rows: list[dict[str, object]] = [{"rules": RULES}]
    for url in URLS:
        if not url:
            continue
        verdict = url_filter.filter(Document(text="", id="", metadata={"url": url}))
        found = extract(url)
        rows.append(
            {
                "url": url,
                "verdict": "keep" if verdict is True else verdict[1],
                "registered": found.registered_domain,
                "full": found.fqdn,
            }
        )
    return rows


NORM_PIECES = [
    "a",
    "B",
    "É",
    "e\u0301",
    "ß",
    "İ",
    "Σ",
    "ΑΣ",
    "1",
    "23",
    ".",
    ",",
    "٫",
    "٣",
    "½",
    "²",
    " ",
    "\t",
    "\n",
    "\x1c",
    "\x0b",
    "\x85",
    "\xa0",
    "\u3000",
    "\u200b",
    "—",
    "’",
    "★",
    "語",
    "が",
    "か\u3099",
    "한",
    "ﬁ",
    "ก้",
    "हि",
    "monday",
    "May",
    "august ",
    "\\",
    '"',
    "]",
    "・",
    "،",
    "3.14",
    "1,2.3",
    "\u05b0",
    "\U0001d165",
]


def norms() -> list[dict[str, object]]:
    """Simplified texts."""
    names = TextNormConfig(norm_weekdays=True, norm_monthnames=True, remove_punctuation=False)
    bare = TextNormConfig(
        lowercase=False, norm_whitespace=False, norm_unicode_diacritics=False, norm_numbers=False
    )
    texts = [" On Monday, May 5th 2020: 3.14 — Été!\n\nOK?", *mixed(NORM_PIECES, 300, 12)]
    return [
        {
            "text": text,
            "norm": simplify_text(text),
            "names": simplify_text(text, names),
            "bare": simplify_text(text, bare),
        }
        for text in texts
    ]


ITEMS = [
    ("arith", "What is two plus two?", "Two plus two is four."),
    ("arith", "Add: 3 and 4", "7"),
    ("story|a", "Once upon a time there was a king who", "lived in a castle on a hill."),
    ("story|b", None, "The quick brown fox jumps over the lazy dog."),
    ("short", "a b", "c"),
    ("story|c", "jumps over", "the lazy dog can't sleep."),
]
WORDS = [*" ".join(f"{query or ''} {label}" for _, query, label in ITEMS).split(), "x", "\n", "!"]


def decontamination() -> list[dict[str, object]]:
    """Verdicts and runs of words for three settings, without index files."""
    from datatrove.pipeline.decont.n_grams import NGramsDecontIndexer

    settings = [
        NGramsDecontConfig(n_grams=3),
        NGramsDecontConfig(n_grams=4, find_query_ngrams=True),
        NGramsDecontConfig(n_grams=5, find_overlap_ngrams=False),
    ]
    filters = []
    for config in settings:
        indexer = object.__new__(NGramsDecontIndexer)
        peer = NGramsDecontFilter(str(FIXTURES), config)
        indexer.config, indexer.tokenizer, indexer.hash_func = (
            config,
            peer.tokenizer,
            peer.hash_func,
        )
        peer._index_hashes = {}
        for task, query, label in ITEMS:
            for found in indexer.compute_hashes(label, query):
                peer._index_hashes[found] = task
        filters.append(peer)
    rows: list[dict[str, object]] = [{"items": ITEMS}]
    for _ in range(150):
        at, size = RANDOM.randrange(len(WORDS)), RANDOM.randint(1, 8)
        pieces = [RANDOM.choice(WORDS) for _ in range(RANDOM.randint(0, 9))]
        text = " ".join([*pieces, *WORDS[at : at + size], *pieces[:2]])
        found = []
        for peer in filters:
            document = Document(text=text, id="")
            peer.filter(document)
            found.append(
                [document.metadata.get(f"contaminated_{key}") for key in ("task", "ngram")]
            )
        rows.append({"text": text, "found": found})
    return rows


LINES = {
    "en": "the cat and the dog sat on the mat and it was good for them to be there with us",
    "de": "der hund und die katze sind auf der matte und das war gut für sie mit uns zu sein",
    "fr": "le chat et le chien sont sur le tapis et c'était bon pour eux d'être là avec nous",
    "ru": "кот и собака сидят на коврике и им было хорошо быть там с нами вместе",
    "ja": "猫 と 犬 は マット の 上 に いて 私たち と 一緒 に いる の は 良かった です",
}
MODELS: dict[str, tuple[dict[str, object], dict[str, object] | None]] = {
    "tree-pruned.ftz": (
        {"loss": "hs", "minn": 2, "maxn": 4, "dim": 6, "bucket": 2000},
        {"qnorm": True, "cutoff": 320, "dsub": 4},
    ),
    "tree.ftz": (
        {"loss": "hs", "minn": 1, "maxn": 3, "dim": 5, "bucket": 400},
        {"qnorm": False, "dsub": 2},
    ),
    "softmax.bin": ({"loss": "softmax", "wordNgrams": 3, "dim": 4, "bucket": 200}, None),
    "independent.bin": ({"loss": "ova", "minn": 3, "maxn": 3, "dim": 3, "bucket": 100}, None),
    "words.bin": ({"loss": "ns", "dim": 2}, None),
}


SENTENCES = [
    "It’s a résumé — “quoted” text… ŠŽ œuvre, 30 °C, £5 €7",
    "L’été à Paris, où l’on voit Noël; garçon, naïveté, ça et là",
    "Übergrößenträger über Straßen, ÄÖÜ äöüß",
    "Привет, мир! Это тест.",
    "日本語のテキスト、と中国語文本。",
    "Ελληνικά κείμενο ΑΒΓ",
    "עברית العربية نص",
    "Zażółć gęślą jaźń, Příliš žluťoučký kůň",
    "😀 emoji 👍🏽 and ✓ ★ ™ ® ©",
    "İstanbul ığüşöç ģīķļņ",
    "voilà le travail à faire à la maison",
    "हिन्दी में पाठ",
]
ODD_CHARS = (
    "aZ .,?\n\x1a\x80\x85\x9d\xa0\xad¢£¤¦¨©ª«¬¯°±²³´µ¶·¸¹º»¼½¾¿×÷"
    "ÀÂÃÄÅÆÇÉÎÐÑÒÓØÙÞßàâãäåæïðñòóôøüŒœŠšŸŽžƒˆ˜"
    "–—‘’‚“”„†‡•…‰‹›€™√≈∂∞ΑΒΓαβвВГРСЂЃўā�│╗█ﬁ\uf8ff　"
)
OTHER_CHARS = (
    "a\x00\x1b[31m\x1b[;x\ufeff\u206a\ufffb\u200b\u2028\r\nﬁĲŉ‘“ʼＡ　ｶé\u0301\x93\x81\x7f\xad\ufff9"
)


def wrong(text: str, encoding: str) -> str:
    """Return a text as UTF-8 that is read as another encoding."""
    return text.encode("utf-8", "replace").decode(encoding, "replace")


def repairs() -> list[dict[str, object]]:
    """Texts and their repairs, with datatrove's settings, and with nearly all fixes."""
    encodings = [
        "latin-1",
        "sloppy-windows-1252",
        "windows-1252",
        "sloppy-windows-1251",
        "sloppy-windows-1250",
    ]
    encodings += [
        "sloppy-windows-1253",
        "sloppy-windows-1254",
        "sloppy-windows-1257",
        "iso-8859-2",
        "macroman",
        "cp437",
    ]
    texts = list(SENTENCES)
    for sentence in SENTENCES:
        once = [wrong(sentence, encoding) for encoding in encodings]
        texts += once
        texts += [wrong(text, "sloppy-windows-1252") for text in once[:3]]
        texts += [text.replace("\xa0", " ") for text in once[:3]]
        texts += [text[len(text) // 3 :] for text in once] + [text[1:-1] for text in once[:3]]
        texts += [f"{RANDOM.choice(SENTENCES)} {text}" for text in once]
        texts += [f"{once[0]}\n{once[1]}\n{sentence}\n"]
    texts += mixed(list(ODD_CHARS), 500, 8)
    texts += mixed(list(OTHER_CHARS), 200, 10)
    texts += [
        "\u00ed\u00a0\u00bd\u00ed\u00b8\u0080 Ã©",
        "Ã© À\x80",
        "Ã\u00a0 Ã¡",
        "Â Ã x",
        "\xed\xa0\xbd Ã©",
    ]
    default = FTFYFormatter(unescape_html=False)
    every = FTFYFormatter(
        unescape_html=False,
        fix_latin_ligatures=True,
        fix_character_width=True,
        uncurl_quotes=True,
        fix_line_breaks=True,
        normalization="NFKC",
    )
    least = FTFYFormatter(
        unescape_html=False,
        restore_byte_a0=False,
        replace_lossy_sequences=False,
        decode_inconsistent_utf8=False,
        fix_c1_controls=False,
        remove_terminal_escapes=False,
        remove_control_chars=False,
    )
    return [
        {
            "text": text,
            "default": default.format(text),
            "every": every.format(text),
            "least": least.format(text),
        }
        for text in texts
    ]


def trained(path: Path, settings: dict[str, object]) -> fasttext.FastText._FastText:
    """Train a model; with many seeds the library finds a NaN and gives up."""
    for seed in range(100):
        with contextlib.suppress(RuntimeError):
            return fasttext.train_supervised(
                str(path), thread=1, epoch=12, verbose=0, seed=seed, **settings
            )
    raise RuntimeError("no seed works")


def models() -> list[dict[str, object]]:
    """Small models and what they say."""
    training = FIXTURES / "training.txt"
    lines = []
    for label, line in LINES.items():
        words = line.split()
        for _ in range(RANDOM.randint(30, 60)):
            RANDOM.shuffle(words)
            lines.append(f"__label__{label} {' '.join(words[: RANDOM.randint(3, 12)])}\n")
    training.write_text("".join(lines), encoding="utf-8")
    texts = [
        "",
        " ",
        "the cat",
        "der Hund",
        "nothing known",
        "</s>",
        "a </s> der hund",
        "__label__en the",
        "__label__xx the",
        "le\tchat\x0bet\x0cle\rchien",
        "кот и собака",
        "猫 と 犬",
        "été\x00chat",
        "\u0301 \U0001f600 x",
        "the the the katze",
        "x" * 50,
    ]
    texts += list(LINES.values())
    rows: list[dict[str, object]] = []
    for name, (settings, quantise) in MODELS.items():
        model = trained(training, settings)
        if quantise is not None:
            model.quantize(input=str(training), verbose=0, thread=1, **quantise)
        path = str(FIXTURES / "models" / name)
        model.save_model(path)
        model = fasttext.FastText._FastText(path)
        for text in texts:
            labels, scores = model.predict(text, k=-1)
            found = [[label[9:], float(score)] for label, score in zip(labels, scores, strict=True)]
            rows.append({"model": name, "text": text, "found": found})
    training.unlink()
    return rows


def main() -> None:
    """Write all fixtures."""
    fixtures: dict[str, Callable[[], list[dict[str, object]]]] = {
        "pii.jsonl": pii,
        "urls.jsonl": urls,
        "norms.jsonl": norms,
        "decontamination.jsonl": decontamination,
        "repairs.jsonl": repairs,
        "languages.jsonl": models,
    }
    for name, make in fixtures.items():
        write(name, make())


if __name__ == "__main__":
    main()
