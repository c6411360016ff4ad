//! Byte-pair encoders against Hugging Face `tokenizers` and `tiktoken`: `fixtures/make.py` trains the
//! vocabularies and writes what the peers make of the texts.

use nexus_tokenizer::{Encoding, ErrorKind, Special, Tiktoken, Tokenizer};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::num::NonZeroUsize;

const MODEL: &str = include_str!("fixtures/byte_level_model.json");
const PIECES: &[u8] = include_bytes!("fixtures/sentence_pieces.json");
const RANKS: &[u8] = include_bytes!("fixtures/ranks.tiktoken");
const LEVELS: [&str; 10] = [
    "gpt2", "prefix", "llama3", "qwen", "cl100k", "o200k", "tekken", "marks", "deepseek", "digits",
];

fn cases() -> Value {
    serde_json::from_str(include_str!("fixtures/expected.json")).unwrap()
}

/// The file of a variant of the byte-level model.
fn file(cases: &Value, name: &str) -> Value {
    let mut file = cases[name]["file"].clone();
    file["model"] = serde_json::from_str(MODEL).unwrap();
    file["model"]["ignore_merges"] = file["ignore_merges"].take();
    file
}

/// The sentence pieces with another normaliser and pre-tokeniser.
fn pieces(cases: &Value, name: &str) -> Tokenizer {
    let mut file: Value = serde_json::from_slice(PIECES).unwrap();
    for part in ["normalizer", "pre_tokenizer"] {
        file[part] = cases[name]["file"][part].clone();
    }
    Tokenizer::from_bytes(file.to_string().as_bytes()).unwrap()
}

fn level(name: &str) -> Tokenizer {
    Tokenizer::from_bytes(file(&cases(), name).to_string().as_bytes()).unwrap()
}

fn all() -> Vec<Tokenizer> {
    let ranks = [Tiktoken::R50k, Tiktoken::Cl100k, Tiktoken::O200k]
        .map(|kind| Tokenizer::from_tiktoken(RANKS, kind).unwrap());
    LEVELS
        .into_iter()
        .map(level)
        .chain(ranks)
        .chain([
            Tokenizer::from_bytes(PIECES).unwrap(),
            pieces(&cases(), "metaspace"),
        ])
        .collect()
}

fn check(cases: &Value, name: &str, tokenizer: &Tokenizer) {
    let texts = cases["texts"].as_array().unwrap();
    for (text, expected) in texts
        .iter()
        .zip(cases[name]["expected"].as_array().unwrap())
    {
        let text = text.as_str().unwrap();
        let ids: Vec<u32> = serde_json::from_value(expected["ids"].clone()).unwrap();
        // The second time the tokens come from the cache.
        for _ in 0..2 {
            assert_eq!(tokenizer.encode(text), ids, "{name}: {text:?}");
        }
        if expected["offsets"].is_array() {
            let offsets: Vec<u32> = serde_json::from_value(expected["offsets"].clone()).unwrap();
            let mut encoding = Encoding::default();
            tokenizer.encode_with_offsets(text, &mut encoding);
            assert_eq!(encoding.ids, ids, "{name}: {text:?}");
            let found: Vec<u32> = encoding
                .offsets
                .iter()
                .flat_map(|&(start, end)| [start, end])
                .collect();
            assert_eq!(found, offsets, "{name}: {text:?}");
        }
        if let Some(decoded) = expected["decoded"].as_str() {
            assert_eq!(tokenizer.decode(&ids), decoded, "{name}: {text:?}");
        }
    }
}

#[test]
fn byte_level_files_give_the_ids_of_the_peer() {
    let cases = cases();
    for name in LEVELS {
        check(&cases, name, &level(name));
    }
}

#[test]
fn sentence_pieces_give_the_ids_of_the_peer() {
    check(
        &cases(),
        "sentence_pieces",
        &Tokenizer::from_bytes(PIECES).unwrap(),
    );
    for name in ["metaspace", "metaspace_first"] {
        check(&cases(), name, &pieces(&cases(), name));
    }
}

#[test]
fn rank_files_give_the_ids_of_the_peer() {
    for (name, encoding) in [
        ("R50k", Tiktoken::R50k),
        ("Cl100k", Tiktoken::Cl100k),
        ("O200k", Tiktoken::O200k),
    ] {
        check(
            &cases(),
            name,
            &Tokenizer::from_tiktoken(RANKS, encoding).unwrap(),
        );
    }
}

#[test]
fn special_tokens_in_a_text_are_what_the_caller_says() {
    let text = "a<|end|><m>";
    let tokenizer = level("gpt2");
    let end = tokenizer.id(b"<|end|>").unwrap();
    assert!(tokenizer.encode(text).contains(&end));
    let tokenizer = tokenizer.with_special(Special::Text).unwrap();
    let ids = tokenizer.encode(text);
    assert!(!ids.contains(&end));
    assert_eq!(
        ids.last(),
        tokenizer.id(b"<m>").as_ref(),
        "an added token that is not special stays"
    );

    let ranks = Tokenizer::from_tiktoken(RANKS, Tiktoken::R50k).unwrap();
    assert!(!ranks.encode("<|endoftext|>").contains(&50256));
    let ranks = ranks.with_special(Special::Token).unwrap();
    assert_eq!(ranks.encode("<|endoftext|>"), [50256]);
    assert_eq!(
        (ranks.vocab_size(), ranks.decode(&[50256])),
        (50257, "<|endoftext|>".to_owned())
    );
}

#[test]
fn harmony_has_the_special_tokens_of_its_base_and_its_own() {
    let tokenizer = Tokenizer::from_tiktoken(RANKS, Tiktoken::O200kHarmony).unwrap();
    let tokenizer = tokenizer.with_special(Special::Token).unwrap();
    let text = "<|start|><|channel|><|reserved_201087|><|endofprompt|><|reserved_200018|>";
    let ids = [200_006, 200_005, 201_087, 200_018, 200_018];
    assert_eq!(tokenizer.encode(text), ids);
    assert_eq!(tokenizer.vocab_size(), 201_088);
    assert_eq!(tokenizer.id(b"<|reserved_200006|>"), None);
    assert_eq!(
        Tiktoken::of_name("o200k_harmony"),
        Some(Tiktoken::O200kHarmony)
    );
}

#[test]
fn a_composed_character_has_the_range_of_its_parts() {
    let text = "e\u{301}x";
    let mut encoding = Encoding::default();
    level("qwen").encode_with_offsets(text, &mut encoding);
    assert_eq!(encoding.offsets.first(), Some(&(0, 3)));
    assert_eq!(encoding.offsets.last(), Some(&(3, 4)));
}

#[test]
fn a_batch_is_its_texts_one_by_one() {
    let cases = cases();
    let texts: Vec<&str> = cases["texts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|text| text.as_str().unwrap())
        .collect();
    let long = texts.repeat(1500);
    for tokenizer in all() {
        let one: Vec<_> = texts.iter().map(|text| tokenizer.encode(text)).collect();
        for threads in [1, 3] {
            let batch = tokenizer.encode_batch(&long, NonZeroUsize::new(threads).unwrap());
            assert_eq!(batch.len(), long.len());
            assert!(
                batch
                    .iter()
                    .eq(one.iter().cycle().take(long.len()).map(Vec::as_slice)),
                "{tokenizer:?}, {threads} threads"
            );
        }
    }
    assert!(
        level("gpt2")
            .encode_batch::<&str>(&[], NonZeroUsize::MIN)
            .is_empty()
    );
}

#[test]
fn long_runs_are_not_quadratic() {
    for tokenizer in all() {
        for text in ["a", " ", "語", "ab", "=", "\n", "e\u{301}"] {
            let text = text.repeat(300_000);
            let ids = tokenizer.encode(&text);
            assert!(!ids.is_empty() && tokenizer.count(&text) == ids.len());
        }
    }
}

/// `file` with the value at `pointer` replaced.
fn with(mut file: Value, pointer: &str, value: Value) -> Value {
    if let Some(found) = file.pointer_mut(pointer) {
        *found = value;
        return file;
    }
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    file.pointer_mut(parent).unwrap()[key] = value;
    file
}

#[test]
fn what_cannot_be_done_is_refused() {
    let cases = cases();
    let gpt2 = || file(&cases, "gpt2");
    let llama = || file(&cases, "llama3");
    let pieces = || serde_json::from_slice::<Value>(PIECES).unwrap();
    let split = "/pre_tokenizer/pretokenizers/0";
    for (file, kind, message) in [
        (
            with(gpt2(), "/model/type", json!("WordLevel")),
            ErrorKind::Unsupported,
            "its model is WordLevel",
        ),
        (
            with(gpt2(), "/model/dropout", json!(0.1)),
            ErrorKind::Unsupported,
            "dropout",
        ),
        (
            with(pieces(), "/model/end_of_word_suffix", json!("</w>")),
            ErrorKind::Unsupported,
            "suffixes",
        ),
        (
            with(gpt2(), "/normalizer", json!({"type": "BertNormalizer"})),
            ErrorKind::Unsupported,
            "BertNormalizer",
        ),
        (
            with(gpt2(), "/pre_tokenizer", json!(null)),
            ErrorKind::Unsupported,
            "pre_tokenizer",
        ),
        (
            with(gpt2(), "/added_tokens/0/content", json!("a")),
            ErrorKind::Corrupt,
            "added token `a`",
        ),
        (
            with(
                gpt2(),
                "/pre_tokenizer",
                json!({"type": "Sequence", "pretokenizers": [{"type": "Digits"}, {"type": "ByteLevel"}]}),
            ),
            ErrorKind::Unsupported,
            "adds a space",
        ),
        (
            with(
                pieces(),
                "/normalizer",
                json!({"type": "Replace", "pattern": {"String": " "}, "content": "_"}),
            ),
            ErrorKind::Unsupported,
            "Prepend and Replace",
        ),
        (
            with(llama(), &format!("{split}/pattern/Regex"), json!("a+")),
            ErrorKind::Unsupported,
            "unknown expression `a+`",
        ),
        (
            with(llama(), &format!("{split}/behavior"), json!("Removed")),
            ErrorKind::Unsupported,
            "drops the pieces",
        ),
        (
            with(gpt2(), "/model/merges/0", json!(["t", "\u{4e00}"])),
            ErrorKind::Corrupt,
            "merge 0",
        ),
        (
            with(gpt2(), "/model/merges/0", json!("th")),
            ErrorKind::Corrupt,
            "no pair",
        ),
        (
            with(gpt2(), "/model/vocab/the", json!(0)),
            ErrorKind::Corrupt,
            "same id 0",
        ),
        (
            with(gpt2(), "/model/vocab/the", json!(1u32 << 30)),
            ErrorKind::LimitReached,
            "VOCAB_SIZE_MAX",
        ),
        (
            with(pieces(), "/normalizer", json!(null)),
            ErrorKind::Unsupported,
            "Metaspace",
        ),
    ] {
        let Err(error) = Tokenizer::from_bytes(file.to_string().as_bytes()) else {
            panic!("`{message}` is expected");
        };
        assert_eq!(error.kind(), kind, "{error}");
        assert!(
            error.to_string().contains(message),
            "{error} lacks {message}"
        );
    }
}

#[test]
fn incomplete_alphabets_are_corrupt_or_unsupported() {
    let mut no_byte = file(&cases(), "gpt2");
    no_byte["model"]["merges"] = json!([]);
    no_byte["model"]["vocab"]
        .as_object_mut()
        .unwrap()
        .remove("!");
    let error = Tokenizer::from_bytes(no_byte.to_string().as_bytes()).unwrap_err();
    assert!(error.to_string().contains("byte 0x21"), "{error}");
    for (ranks, message) in [(b"IQ== x".as_slice(), "line 1"), (b"IQ== 0\n", "byte 0x00")] {
        let error = Tokenizer::from_tiktoken(ranks, Tiktoken::Cl100k).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(error.to_string().contains(message), "{error}");
    }
}

#[test]
fn rank_files_are_known_by_their_names() {
    let folder = tempfile::tempdir().unwrap();
    let known = folder.path().join("cl100k_base.tiktoken");
    std::fs::write(&known, RANKS).unwrap();
    assert_eq!(
        Tokenizer::from_file(&known).unwrap().decode(&[100_257]),
        "<|endoftext|>"
    );
    let unknown = folder.path().join("my.tiktoken");
    std::fs::write(&unknown, RANKS).unwrap();
    let error = Tokenizer::from_file(&unknown).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("from_tiktoken"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn byte_level_tokens_spell_the_text(text in "(\\PC|[ \n'a-z0-9]){0,60}") {
        for name in ["gpt2", "llama3", "o200k"] {
            let tokenizer = level(name).with_special(Special::Text).unwrap();
            let ids = tokenizer.encode(&text);
            prop_assert_eq!(tokenizer.decode_bytes(&ids), text.as_bytes());
        }
    }
}
