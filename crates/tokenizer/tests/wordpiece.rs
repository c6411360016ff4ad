//! The rules of WordPiece on a small vocabulary. That real vocabularies give the ids of the peer is
//! tested from Python, where the peer is at hand.

use nexus_tokenizer::{Case, Encoding, ErrorKind, WordPiece, limits};
use serde_json::{Value, json};

const VOCAB: [&str; 16] = [
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "un", "##aff", "##able", "want", "##ed", ",",
    "cafe", "語", "a", "##a", "##",
];

fn file() -> Value {
    let vocab: serde_json::Map<_, _> = VOCAB
        .iter()
        .zip(0..)
        .map(|(token, id)| ((*token).to_owned(), json!(id)))
        .collect();
    let special = |id: usize| {
        json!({"id": id, "content": VOCAB[id], "special": true,
        "single_word": false, "lstrip": false, "rstrip": false, "normalized": false})
    };
    json!({
        "version": "1.0",
        "truncation": {"max_length": 3, "strategy": "LongestFirst", "stride": 0},
        "padding": {"strategy": {"Fixed": 128}, "direction": "Right", "pad_to_multiple_of": null,
            "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"},
        "added_tokens": [special(0), special(1), special(2), special(3), special(4)],
        "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
            "strip_accents": null, "lowercase": true},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]},
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100, "vocab": vocab},
    })
}

fn tokenizer() -> WordPiece {
    WordPiece::from_json(file().to_string().as_bytes()).unwrap()
}

fn vocab_txt() -> String {
    VOCAB.join("\n") + "\n"
}

/// The file with `value` at `pointer`, an RFC 6901 path.
fn with(pointer: &str, value: Value) -> Vec<u8> {
    let mut file = file();
    *file
        .pointer_mut(pointer)
        .unwrap_or_else(|| panic!("no {pointer}")) = value;
    file.to_string().into_bytes()
}

#[test]
fn words_are_cut_into_the_longest_pieces() {
    let tokenizer = tokenizer();
    let hundred_a = "a".repeat(100);
    let hundred_pieces: Vec<&str> = std::iter::once("a")
        .chain(std::iter::repeat_n("##a", 99))
        .collect();
    for (text, expected) in [
        ("", vec![]),
        (
            "UNaffable, wanted",
            vec!["un", "##aff", "##able", ",", "want", "##ed"],
        ),
        ("Café", vec!["cafe"]),
        ("unaffordable", vec!["[UNK]"]),
        ("wanted語want", vec!["want", "##ed", "語", "want"]),
        ("un[MASK]able", vec!["un", "[MASK]", "[UNK]"]),
        ("[mask]", vec!["[UNK]", "[UNK]", "[UNK]"]),
        ("##a", vec!["[UNK]", "[UNK]", "a"]),
        (&hundred_a, hundred_pieces),
        (&"a".repeat(101), vec!["[UNK]"]),
        (&"á".repeat(101), vec!["[UNK]"]),
    ] {
        let encoding = tokenizer.encode(text);
        let tokens: Vec<_> = encoding
            .ids
            .iter()
            .map(|&id| tokenizer.token(id).unwrap())
            .collect();
        assert_eq!(tokens, expected, "{text:?}");
    }
}

#[test]
fn offsets_point_into_the_original_text() {
    let tokenizer = tokenizer();
    for (text, expected) in [
        ("  Un\u{0}able wanted", vec!["Un", "able", "want", "ed"]),
        ("CAFÉ語", vec!["CAFÉ", "語"]),
        ("a [SEP]a", vec!["a", "[SEP]", "a"]),
        ("x\u{200b}yz!", vec!["x\u{200b}yz", "!"]),
        (&"É".repeat(200), vec![&"É".repeat(200)]),
    ] {
        let offsets = tokenizer.encode(text).offsets;
        let found: Vec<_> = offsets
            .iter()
            .map(|&(a, b)| &text[a as usize..b as usize])
            .collect();
        assert_eq!(found, expected, "{text:?}");
    }
}

#[test]
fn a_reused_encoding_holds_only_the_last_text() {
    let tokenizer = tokenizer();
    let mut encoding = Encoding::default();
    for text in ["wanted café", "語", "", "unaffable"] {
        tokenizer.encode_into(text, &mut encoding);
        assert_eq!(encoding.ids, tokenizer.encode(text).ids);
        assert_eq!(
            (encoding.len(), encoding.is_empty()),
            (encoding.ids.len(), text.is_empty())
        );
    }
}

#[test]
fn truncation_and_padding_of_the_file_are_ignored() {
    assert_eq!(tokenizer().encode("a a a a").ids, [13; 4]);
}

#[test]
fn special_ids_come_from_the_post_processor() {
    let template = json!({"type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": "[MASK]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
            {"SpecialToken": {"id": "[SEP]", "type_id": 0}}],
        "pair": [],
        "special_tokens": {"[MASK]": {"id": "[MASK]", "ids": [4], "tokens": ["[MASK]"]},
            "[SEP]": {"id": "[SEP]", "ids": [3], "tokens": ["[SEP]"]}}});
    for (stage, cls, sep) in [
        (json!(null), Some(2), Some(3)),
        (
            json!({"type": "RobertaProcessing", "sep": ["x", 7], "cls": ["y", 8]}),
            Some(8),
            Some(7),
        ),
        (template, Some(4), Some(3)),
    ] {
        let tokenizer = WordPiece::from_json(&with("/post_processor", stage)).unwrap();
        assert_eq!((tokenizer.cls_id(), tokenizer.sep_id()), (cls, sep));
        assert_eq!((tokenizer.unk_id(), tokenizer.pad_id()), (1, Some(0)));
        assert_eq!(
            (tokenizer.vocab_size(), tokenizer.token(4)),
            (16, Some("[MASK]"))
        );
    }
}

#[test]
fn vocab_txt_equals_tokenizer_json() {
    let from_vocab = WordPiece::from_vocab(vocab_txt().as_bytes(), Case::Lower).unwrap();
    let text = "UNaffable, Café 語 [SEP] [CLS]x";
    assert_eq!(from_vocab.encode(text).ids, tokenizer().encode(text).ids);
    let cased = WordPiece::from_vocab(vocab_txt().as_bytes(), Case::Keep).unwrap();
    assert_eq!(cased.encode("cafe Cafe café").ids, [11, 1, 1]);
}

#[test]
fn files_are_read_by_their_extension() {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in [
        ("tokenizer.json", file().to_string().into_bytes()),
        ("vocab.txt", vocab_txt().into_bytes()),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(
            WordPiece::from_file(&path).unwrap().encode("unaffable").ids,
            [5, 6, 7],
            "{name}"
        );
    }
}

#[test]
fn what_cannot_be_done_is_refused() {
    let added = |key: &str| with(&format!("/added_tokens/4/{key}"), json!(true));
    let id = |id: u64| with("/added_tokens/4/id", json!(id));
    for (bytes, kind, message) in [
        (b"{".to_vec(), ErrorKind::Corrupt, "EOF while parsing"),
        (
            b"{\"model\": {}}".to_vec(),
            ErrorKind::Unsupported,
            "its model is null",
        ),
        (
            with("/model/type", json!("BPE")),
            ErrorKind::Unsupported,
            "its model is BPE",
        ),
        (
            with("/model/vocab", json!([])),
            ErrorKind::Corrupt,
            "expected a map",
        ),
        (
            with("/model/vocab/un", json!(6)),
            ErrorKind::Corrupt,
            "`##aff` and `un` have the same id",
        ),
        (
            with("/model/unk_token", json!("?")),
            ErrorKind::Corrupt,
            "unknown token `?`",
        ),
        (
            with("/model/max_input_chars_per_word", json!(5000)),
            ErrorKind::LimitReached,
            "WORD_CHARS",
        ),
        (
            with("/normalizer", json!(null)),
            ErrorKind::Unsupported,
            "its normalizer is null",
        ),
        (
            with("/pre_tokenizer/type", json!("Digits")),
            ErrorKind::Unsupported,
            "Digits",
        ),
        (
            with("/post_processor/type", json!("ByteLevel")),
            ErrorKind::Unsupported,
            "ByteLevel",
        ),
        (
            added("normalized"),
            ErrorKind::Unsupported,
            "added token `[MASK]`",
        ),
        (
            added("single_word"),
            ErrorKind::Unsupported,
            "added token `[MASK]`",
        ),
        (id(1 << 31), ErrorKind::Corrupt, "in the vocabulary, 4"),
        (
            with("/model/vocab/want", json!(1u32 << 31)),
            ErrorKind::LimitReached,
            "VOCAB_SIZE_MAX",
        ),
    ] {
        let error = WordPiece::from_json(&bytes).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(
            error.to_string().contains(message),
            "{error} lacks {message}"
        );
    }
    let long = format!("[UNK]\n{}", "x".repeat(limits::TOKEN_SIZE_MAX + 1));
    let error = WordPiece::from_vocab(long.as_bytes(), Case::Lower).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LimitReached);
    let error = WordPiece::from_vocab(b"[UNK]\n\xff", Case::Lower).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
}

#[test]
fn file_errors_name_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let missing = WordPiece::from_file(folder.path().join("none.json")).unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
    assert!(missing.to_string().contains("none.json"), "{missing}");
    let directory = WordPiece::from_file(folder.path()).unwrap_err();
    assert_eq!(directory.kind(), ErrorKind::Io);
    assert!(std::error::Error::source(&directory).is_some());
}
