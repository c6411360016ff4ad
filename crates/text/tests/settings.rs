//! Settings of the operators do what they say, errors say what to do, and large texts take no longer
//! than their size.

use nexus_text::{
    Domain, ErrorKind, FastText, Filter, Formatter, FtfyFormatter, Language, LanguageFilter,
    LanguageId, LineDedup, PiiFormatter, Profiler, PublicSuffixes, TextNorm, UnicodeForm,
    UnicodeFormatter,
};
use std::path::{Path, PathBuf};

fn model(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/models")
        .join(name)
}

/// The model with some bytes in place of its own.
fn patched(name: &str, at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut data = std::fs::read(model(name)).unwrap();
    data[at..at + bytes.len()].copy_from_slice(bytes);
    data
}

#[test]
fn every_wrong_model_is_an_error_that_says_why() {
    let whole = std::fs::read(model("tree.ftz")).unwrap();
    // Behind magic and version: dim, ws, epoch, minCount, neg, wordNgrams, loss, model, bucket, minn,
    // maxn, lrUpdateRate, t; then the dictionary: size, words, labels, tokens, pruned.
    let field = |at: usize, value: i32| patched("tree.ftz", 8 + 4 * at, &value.to_le_bytes());
    let count = |at: usize, value: i32| patched("tree.ftz", 64 + 4 * at, &value.to_le_bytes());
    for (data, kind, message) in [
        (
            Vec::new(),
            ErrorKind::Corrupt,
            "4 bytes are needed and 0 are left",
        ),
        (vec![0; 100], ErrorKind::Corrupt, "does not begin as one"),
        (
            whole[..whole.len() - 1].to_vec(),
            ErrorKind::Corrupt,
            "are left",
        ),
        (whole[..70].to_vec(), ErrorKind::Corrupt, "are left"),
        (
            patched("tree.ftz", 4, &[99]),
            ErrorKind::Unsupported,
            "version 99",
        ),
        (field(6, 9), ErrorKind::Unsupported, "loss 9"),
        (field(7, 1), ErrorKind::Unsupported, "has no labels"),
        (field(8, 0), ErrorKind::Corrupt, "no buckets"),
        (
            field(8, 5000),
            ErrorKind::Corrupt,
            "rows of the input matrix",
        ),
        (field(10, 100), ErrorKind::LimitReached, "MODEL_NGRAM_MAX"),
        (count(0, -1), ErrorKind::Corrupt, "is -1"),
        (
            count(0, i32::MAX),
            ErrorKind::LimitReached,
            "MODEL_WORDS_MAX",
        ),
        (count(2, 0), ErrorKind::Corrupt, "are not"),
    ] {
        let error = FastText::from_bytes(&data).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(
            error.to_string().contains(message),
            "{error} has no {message:?}"
        );
    }
}

#[test]
fn a_model_that_cannot_be_opened_is_named() {
    let missing = LanguageId::open(Path::new("no-such-model.ftz")).unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
    assert!(
        missing.to_string().contains("`no-such-model.ftz`"),
        "{missing}"
    );
    let folder = FastText::open(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap_err();
    assert_eq!(folder.kind(), ErrorKind::Io, "{folder}");
    let other = FastText::open(&Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"));
    let other = other.unwrap_err();
    assert_eq!(other.kind(), ErrorKind::Corrupt);
    assert!(other.to_string().contains("Cargo.toml"), "{other}");
}

#[test]
fn languages_are_kept_as_by_datatrove() {
    let found = [
        Language {
            code: "en",
            score: 0.7,
        },
        Language {
            code: "de",
            score: 0.2,
        },
    ];
    let filter = |languages: Option<&[&str]>, language_threshold: f64| LanguageFilter {
        languages: languages.map(|codes| codes.iter().map(|&code| code.to_owned()).collect()),
        language_threshold,
        ..LanguageFilter::default()
    };
    for (languages, threshold, is_kept) in [
        (None, 0.65, true),
        (None, 0.75, false),
        (Some(&["en"][..]), 0.65, true),
        (Some(&["de"]), 0.65, false),
        (Some(&["de"]), 0.1, true),
        (Some(&["fr", "en"]), 0.65, true),
        (Some(&["fr"]), 0.0, false),
        (Some(&["fr"]), -1.0, true),
        (Some(&[]), -1.0, false),
    ] {
        let filter = filter(languages, threshold);
        assert_eq!(filter.keeps(&found), is_kept, "{languages:?} {threshold}");
    }
    assert!(!filter(None, 0.0).keeps(&[]));
}

#[test]
fn a_filter_uses_its_model() {
    let backend = LanguageId::open(&model("words.bin")).unwrap();
    let text = "der hund und die katze";
    let best = backend.predict(text)[0];
    let mut profiler = Profiler::new();
    for (threshold, reason) in [
        (f64::from(best.score) - 1e-6, None),
        (f64::from(best.score), Some("language")),
    ] {
        let filter = LanguageFilter {
            languages: Some(vec![best.code.to_owned()]),
            language_threshold: threshold,
            backend: backend.clone(),
        };
        let verdict = filter.judge(&mut profiler.profile(text).unwrap());
        let found = verdict.reason().map(|reason| reason.name());
        assert_eq!(found.as_deref(), reason, "{best:?} {threshold}");
    }
}

#[test]
fn texts_get_the_form_and_lose_the_characters_that_are_asked_for() {
    let text = "e\u{301}ﬁ\u{AD}\u{200B}\u{200D}\u{FEFF}\0\u{81}\u{85}\t\r\nＡ";
    let none = UnicodeFormatter {
        form: None,
        remove_control_chars: false,
        remove_zero_width: false,
        remove_soft_hyphens: false,
    };
    for (formatter, expected) in [
        (none, text),
        (
            UnicodeFormatter::default(),
            "éﬁ\u{AD}\u{200B}\u{200D}\u{85}\t\r\nＡ",
        ),
        (
            UnicodeFormatter {
                form: Some(UnicodeForm::Nfkc),
                remove_zero_width: true,
                ..none
            },
            "éfi\u{AD}\u{200D}\0\u{81}\u{85}\t\r\nA",
        ),
        (
            UnicodeFormatter {
                form: Some(UnicodeForm::Nfd),
                remove_soft_hyphens: true,
                ..none
            },
            "e\u{301}ﬁ\u{200B}\u{200D}\u{FEFF}\0\u{81}\u{85}\t\r\nＡ",
        ),
    ] {
        assert_eq!(formatter.apply(text), expected, "{formatter:?}");
    }
}

#[test]
fn a_list_of_suffixes_may_be_given() {
    let list =
        "// comment\ncom\n*.two\n!one.two\nb.c.d // more\n// ===BEGIN PRIVATE DOMAINS===\nme.com";
    let suffixes = PublicSuffixes::parse(list);
    for (url, registered) in [
        ("a.me.com", Some("me.com")),
        ("x.a.b.two", Some("a.b.two")),
        ("a.one.two", Some("one.two")),
        ("x.a.b.c.d", Some("a.b.c.d")),
        ("a.c.d", None),
        ("example.org", None),
    ] {
        let domain = suffixes.domain(url);
        assert_eq!(domain.as_ref().map(Domain::registered), registered, "{url}");
    }
}

/// A quadratic step would take minutes.
#[test]
fn large_texts_take_no_longer_than_their_size() {
    let pieces = [
        "a@",
        "a.",
        "1.",
        "1.2.3.",
        "a@[1.1.1.",
        "a@b.",
        "@",
        "..",
        "a@b.c-",
        "Ã©",
        "Ã",
        "â€",
        "ÂÃ ",
        "Ð\u{93}",
        "\u{1B}[1;",
        "\u{1B}[",
        "e\u{301}",
        "\u{301}",
        "1,",
        "x",
        "\n",
        "ØÙ®",
        "猫",
        "ÃÂ©é",
    ]; // one for each thing that is looked for
    let model = FastText::open(&model("softmax.bin")).unwrap();
    let mut profiler = Profiler::new();
    for piece in pieces {
        let text = piece.repeat((1 << 20) / piece.len());
        drop(PiiFormatter::default().apply(&text));
        drop(FtfyFormatter::default().apply(&text));
        drop(UnicodeFormatter::default().apply(&text));
        drop(LineDedup::default().apply(&text));
        drop(TextNorm::default().apply(&text));
        drop(model.predict(&text));
        assert!(PublicSuffixes::default().domain(&text).is_none());
        let mut profile = profiler.profile(&text).unwrap();
        drop(LanguageFilter::default().judge(&mut profile));
    }
}
