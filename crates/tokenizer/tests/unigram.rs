//! Unigram models against Hugging Face `tokenizers`: `fixtures/make_unigram.py` trains the vocabulary
//! and writes what the peer makes of the texts.

use nexus_tokenizer::{Encoding, ErrorKind, Special, Tokenizer};
use serde_json::{Value, json};
use std::num::NonZeroUsize;

const NAMES: [&str; 6] = ["t5", "albert", "deberta", "nmt", "first", "bare"];

fn cases() -> Value {
    serde_json::from_str(include_str!("fixtures/unigram.json")).unwrap()
}

/// The file of a variant.
fn file(cases: &Value, name: &str) -> Value {
    let mut file = cases[name]["file"].clone();
    file["model"]["vocab"] = cases["vocab"].clone();
    file
}

fn open(file: &Value) -> Tokenizer {
    Tokenizer::from_bytes(file.to_string().as_bytes()).unwrap()
}

fn texts(cases: &Value) -> Vec<&str> {
    let texts = cases["texts"].as_array().unwrap();
    texts.iter().map(|text| text.as_str().unwrap()).collect()
}

#[test]
fn ids_ranges_and_texts_are_those_of_the_peer() {
    let cases = cases();
    for name in NAMES {
        let tokenizer = open(&file(&cases, name));
        let expected = cases[name]["expected"].as_array().unwrap();
        for (text, expected) in texts(&cases).into_iter().zip(expected) {
            let ids: Vec<u32> = serde_json::from_value(expected["ids"].clone()).unwrap();
            // The second time the tokens come from the cache.
            for _ in 0..2 {
                assert_eq!(tokenizer.encode(text), ids, "{name}: {text:?}");
            }
            let mut encoding = Encoding::default();
            tokenizer.encode_with_offsets(text, &mut encoding);
            assert_eq!(encoding.ids, ids, "{name}: {text:?}");
            let ranges = encoding.offsets.iter();
            let found: Vec<u32> = ranges.flat_map(|&(start, end)| [start, end]).collect();
            let offsets: Vec<u32> = serde_json::from_value(expected["offsets"].clone()).unwrap();
            assert_eq!(found, offsets, "{name}: {text:?}");
            assert_eq!(
                tokenizer.decode(&ids),
                expected["decoded"],
                "{name}: {text:?}"
            );
        }
    }
}

#[test]
fn a_batch_is_its_texts_one_by_one() {
    let cases = cases();
    let long = texts(&cases).repeat(800);
    for name in NAMES {
        let tokenizer = open(&file(&cases, name));
        let one: Vec<_> = texts(&cases)
            .iter()
            .map(|text| tokenizer.encode(text))
            .collect();
        let batch = tokenizer.encode_batch(&long, NonZeroUsize::new(3).unwrap());
        let expected = one.iter().cycle().take(long.len()).map(Vec::as_slice);
        assert!(batch.iter().eq(expected), "{name}");
    }
}

#[test]
fn long_runs_are_not_quadratic() {
    let cases = cases();
    let parts = [
        "a", " ", "語", "the", "\n", "e\u{301}", "x ", "\u{2581}", "aé", "\u{200d}", "\u{301}",
        "\u{600}", "🇩", "[MASK]", "word", "Wörd", "\u{1100}", "``", "\r\n", "\u{1}",
    ];
    for name in NAMES {
        let tokenizer = open(&file(&cases, name));
        for part in parts {
            // Work that grew with the square would be 10^10 steps for each part, and not end.
            let text = part.repeat(100_000 / part.len());
            let ids = tokenizer.encode(&text);
            let mut encoding = Encoding::default();
            tokenizer.encode_with_offsets(&text, &mut encoding);
            assert_eq!(encoding.ids, ids, "{name}: {part:?}");
        }
    }
}

#[test]
fn tokens_have_ids_and_ids_have_tokens() {
    let cases = cases();
    let tokenizer = open(&file(&cases, "t5"));
    let known = |token: &str| tokenizer.id(token.as_bytes());
    let mask = known("[MASK]").unwrap();
    assert_eq!(tokenizer.vocab_size(), known("Wörd").unwrap() as usize + 1);
    assert_eq!(tokenizer.token(mask).unwrap(), b"[MASK]".as_slice());
    let the = tokenizer.encode("the");
    assert_eq!(known(" the"), the.first().copied());
    assert_eq!(tokenizer.token(the[0]).unwrap(), b" the".as_slice());
    assert_eq!((known("nothing"), tokenizer.token(1 << 20)), (None, None));
    assert!(tokenizer.encode("[MASK]").contains(&mask));
    assert!(format!("{tokenizer:?}").contains("Unigram"));
    let tokenizer = tokenizer.with_special(Special::Text).unwrap();
    assert!(!tokenizer.encode("[MASK]").contains(&mask));
}

/// A change of a file, and what the error says.
type Case = (&'static str, Value, ErrorKind, &'static str);

#[test]
fn what_cannot_be_done_is_refused() {
    use ErrorKind::{Corrupt, LimitReached, Unsupported};
    let replace = json!({"type": "Replace", "pattern": {"Regex": "a+"}, "content": ""});
    let map = |map: &str| json!({"type": "Precompiled", "precompiled_charsmap": map});
    let metaspace = |scheme: &str, adds: bool| json!({"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "add_prefix_space": adds});
    let regex = json!({"type": "Replace", "pattern": {"Regex": "a"}, "content": ""});
    let refused: Vec<Case> = vec![
        ("/model/unk_id", json!(null), Unsupported, "unk_id is null"),
        ("/model/unk_id", json!(9999), Corrupt, "unk_id 9999"),
        (
            "/model/vocab",
            json!({"a": 0}),
            Corrupt,
            "no list of tokens",
        ),
        (
            "/model/vocab/3/0",
            json!("a".repeat(5000)),
            LimitReached,
            "TOKEN_SIZE_MAX",
        ),
        (
            "/added_tokens/0/content",
            json!("<unk>"),
            Corrupt,
            "added token `<unk>`",
        ),
        (
            "/added_tokens/0/id",
            json!(1 << 30),
            LimitReached,
            "VOCAB_SIZE_MAX",
        ),
        (
            "/normalizer",
            json!({"type": "BertNormalizer"}),
            Unsupported,
            "BertNormalizer",
        ),
        ("/normalizer", replace, Unsupported, "unknown pattern `a+`"),
        (
            "/normalizer",
            json!({"type": "Prepend"}),
            Corrupt,
            "lacks `prepend`",
        ),
        ("/normalizer", map("?"), Corrupt, "no base 64"),
        ("/normalizer", map("AAAA"), Corrupt, "charsmap is malformed"),
        (
            "/normalizer",
            map("/////w=="),
            Corrupt,
            "charsmap is malformed",
        ),
        (
            "/pre_tokenizer",
            json!({"type": "ByteLevel"}),
            Unsupported,
            "ByteLevel",
        ),
        (
            "/pre_tokenizer",
            metaspace("first", false),
            Corrupt,
            "contradicts",
        ),
        (
            "/pre_tokenizer",
            json!({"type": "Metaspace", "replacement": ""}),
            Corrupt,
            "one character",
        ),
        (
            "/decoder",
            json!({"type": "CTC"}),
            Unsupported,
            "decoder is CTC",
        ),
        ("/decoder", regex, Unsupported, "regular expression"),
        (
            "/decoder",
            json!({"type": "Strip"}),
            Corrupt,
            "Strip is incomplete",
        ),
    ];
    let cases = cases();
    for (pointer, value, kind, message) in refused {
        let mut file = file(&cases, "t5");
        *file.pointer_mut(pointer).unwrap() = value;
        let error = Tokenizer::from_bytes(file.to_string().as_bytes()).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(
            error.to_string().contains(message),
            "{error} lacks {message}"
        );
    }
}
