//! Where documents are cut.

use crate::harness::{folder, options, rows, tokenizer, values};
use nexus_data::Pipeline;
use nexus_tokenizer::WordPiece;
use proptest::prelude::*;
use std::sync::{Arc, LazyLock};

static TOKENIZER: LazyLock<Arc<WordPiece>> = LazyLock::new(|| Arc::new(tokenizer()));

fn cut(text: &str, max_tokens: usize) -> Vec<serde_json::Value> {
    let folder = folder(&[("a.txt", text.as_bytes())]);
    let pipeline = Pipeline::read(folder.path())
        .tokenize(TOKENIZER.clone())
        .cut(max_tokens);
    rows(pipeline, &options(1, 1)).0
}

#[test]
fn passages_end_at_the_best_place_in_the_last_third() {
    // Each `word` and each sign is a token; 8 means 6 tokens besides the special ones.
    for (text, max_tokens, expected) in [
        ("", 8, vec![]),
        (" \n ", 8, vec![]),
        (" word word ", 8, vec!["word word"]),
        (
            "word word word word word word word",
            8,
            vec!["word word word word word word", "word"],
        ),
        (
            "word word word word\n\nword word word",
            8,
            vec!["word word word word", "word word word"],
        ),
        (
            "word word word word\nword word. word",
            9,
            vec!["word word word word\nword word.", "word"],
        ),
        (
            "word word word word.\nword word word",
            8,
            vec!["word word word word.", "word word word"],
        ),
        (
            "word word word word. word word word",
            8,
            vec!["word word word word.", "word word word"],
        ),
        (
            "word\n\nword word word word word word",
            8,
            vec!["word\n\nword word word word word", "word"],
        ),
        ("word abcdef", 8, vec!["word", "abcdef"]),
        ("abcdefghi", 8, vec!["abcdef", "ghi"]),
        ("word,word,word,word", 8, vec!["word,word,word,", "word"]),
        ("語語語語語語語語", 8, vec!["語語語語語語", "語語"]),
        ("word word", 3, vec!["word", "word"]),
    ] {
        assert_eq!(
            values(&cut(text, max_tokens), "passage"),
            expected,
            "{text:?} by {max_tokens}"
        );
    }
}

#[test]
fn a_passage_keeps_what_its_document_has() {
    let line = b"{\"id\":\"d\",\"text\":\"word word word\",\"module\":\"os\"}\n";
    let folder = folder(&[("a.jsonl", line)]);
    let pipeline = Pipeline::read(folder.path())
        .tokenize(TOKENIZER.clone())
        .cut(4);
    let (found, _) = rows(pipeline, &options(1, 1));
    let keys: Vec<_> = found[1]
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(
        keys,
        ["fields", "id", "ids", "line", "part", "passage", "source"]
    );
    assert_eq!(
        (&found[1]["part"], &found[1]["passage"]),
        (&1.into(), &"word".into())
    );
    assert_eq!(
        (&found[1]["id"], &found[1]["fields"]["module"]),
        (&"d".into(), &"os".into())
    );
    assert_eq!(found[1]["ids"], serde_json::json!([5]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn passages_are_short_enough_and_lose_no_token(
        text in "([a-z]{1,9}|[ .,\n-]|語|\u{301}|É|\u{0}){0,60}",
        max_tokens in 3usize..20,
    ) {
        let found = cut(&text, max_tokens);
        let ids: Vec<Vec<u64>> = found.iter()
            .map(|row| row["ids"].as_array().unwrap().iter().map(|id| id.as_u64().unwrap()).collect())
            .collect();
        prop_assert!(ids.iter().all(|ids| !ids.is_empty() && ids.len() <= max_tokens - 2));
        let all: Vec<u64> = TOKENIZER.encode(&text).ids.iter().map(|&id| u64::from(id)).collect();
        prop_assert_eq!(ids.concat(), all);
        let joined: String = values(&found, "passage").concat();
        let visible = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
        if !found.is_empty() {
            prop_assert_eq!(visible(&joined), visible(&text));
        }
    }
}
