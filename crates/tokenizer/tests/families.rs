//! More families of byte-pair encoders against Hugging Face `tokenizers`: `fixtures/make_families.py`
//! writes what the peer makes of the texts.

use nexus_tokenizer::{Encoding, ErrorKind, Tokenizer};
use serde_json::{Value, json};

const MODEL: &str = include_str!("fixtures/byte_level_model.json");
const FAMILIES: [&str; 12] = [
    "bloom",
    "falcon",
    "digits_of_bytes",
    "punctuation",
    "punctuation_before",
    "punctuation_after",
    "punctuation_removed",
    "whitespace",
    "whitespace_split",
    "literal",
    "literal_kept",
    "matches",
];

fn cases() -> Value {
    serde_json::from_str(include_str!("fixtures/families.json")).unwrap()
}

fn of_stages(stage: &Value) -> Result<Tokenizer, nexus_tokenizer::Error> {
    let model: Value = serde_json::from_str(MODEL).unwrap();
    let file = json!({"pre_tokenizer": stage, "model": model});
    Tokenizer::from_bytes(file.to_string().as_bytes())
}

fn of_file(case: &Value) -> Tokenizer {
    Tokenizer::from_bytes(case["file"].to_string().as_bytes()).unwrap()
}

fn check(cases: &Value, name: &str, tokenizer: &Tokenizer) {
    let texts = cases["texts"].as_array().unwrap();
    let expected = cases[name]["expected"].as_array().unwrap();
    for (text, expected) in texts.iter().zip(expected) {
        let text = text.as_str().unwrap();
        let ids: Vec<u32> = serde_json::from_value(expected["ids"].clone()).unwrap();
        // The second time the tokens come from the cache.
        for _ in 0..2 {
            assert_eq!(tokenizer.encode(text), ids, "{name}: {text:?}");
        }
        let mut encoding = Encoding::default();
        tokenizer.encode_with_offsets(text, &mut encoding);
        assert_eq!(encoding.ids, ids, "{name}: {text:?}");
        if expected["offsets"].is_array() {
            let offsets: Vec<u32> = serde_json::from_value(expected["offsets"].clone()).unwrap();
            let ranges = encoding.offsets.iter();
            let found: Vec<u32> = ranges.flat_map(|&(start, end)| [start, end]).collect();
            assert_eq!(found, offsets, "{name}: {text:?}");
        }
    }
}

#[test]
fn sequences_of_pre_tokenisers_cut_as_the_peer_does() {
    let cases = cases();
    for name in FAMILIES {
        let tokenizer = of_stages(&cases[name]["pre_tokenizer"]).unwrap();
        check(&cases, name, &tokenizer);
    }
}

#[test]
fn ends_of_words_are_those_of_the_peer() {
    let cases = cases();
    let clip = of_file(&cases["clip"]);
    check(&cases, "clip", &clip);
    let ids = clip.encode("The  stream,\nit's");
    assert_eq!(clip.decode(&ids), "the stream , it 's");
}

#[test]
fn unknown_characters_are_one_token_as_the_peer_has_them() {
    let cases = cases();
    check(&cases, "nllb", &of_file(&cases["nllb"]));
}

#[test]
fn the_tokens_around_a_text_are_those_of_the_peer() {
    let cases = cases();
    for name in ["clip", "nllb"] {
        let tokenizer = of_file(&cases[name]);
        let (before, after) = tokenizer.around().unwrap();
        assert_eq!(
            json!([before, after].concat()),
            cases[name]["around"],
            "{name}"
        );
    }
}

#[test]
fn other_stages_are_refused() {
    let level = json!({"type": "ByteLevel", "add_prefix_space": false});
    let spaced = json!({"type": "ByteLevel", "add_prefix_space": true});
    let split = |pattern: Value, behavior: &str, invert: bool| json!({"type": "Split", "pattern": pattern, "behavior": behavior, "invert": invert});
    let odd = split(json!({"Regex": "x"}), "Isolated", false);
    let gpt2 = json!({"Regex": r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"});
    for (stages, kind) in [
        (vec![json!({"type": "Whitespace"})], ErrorKind::Unsupported),
        (vec![level.clone(), level.clone()], ErrorKind::Unsupported),
        (
            vec![json!({"type": "Digits"}), spaced],
            ErrorKind::Unsupported,
        ),
        (
            vec![json!({"type": "BertPreTokenizer"}), level.clone()],
            ErrorKind::Unsupported,
        ),
        (
            vec![level.clone(), json!({"type": "Punctuation"})],
            ErrorKind::Unsupported,
        ),
        (vec![odd.clone(), level.clone()], ErrorKind::Unsupported),
        (vec![level.clone(), odd], ErrorKind::Unsupported),
        (
            vec![split(gpt2, "Contiguous", false), level.clone()],
            ErrorKind::Unsupported,
        ),
        (
            vec![
                split(json!({"String": "a"}), "Contiguous", true),
                level.clone(),
            ],
            ErrorKind::Unsupported,
        ),
        (
            vec![split(json!({"String": ""}), "Isolated", false), level],
            ErrorKind::Corrupt,
        ),
    ] {
        let stage = json!({"type": "Sequence", "pretokenizers": stages});
        assert_eq!(of_stages(&stage).unwrap_err().kind(), kind, "{stage}");
    }
}

#[test]
fn a_suffix_that_the_vocabulary_lacks_is_refused() {
    let mut model: Value = serde_json::from_str(MODEL).unwrap();
    model["end_of_word_suffix"] = json!("</w>");
    let level = json!({"type": "ByteLevel", "add_prefix_space": false});
    let file = json!({"pre_tokenizer": level, "model": model});
    let error = Tokenizer::from_bytes(file.to_string().as_bytes()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("0x00</w>"), "{error}");
}
