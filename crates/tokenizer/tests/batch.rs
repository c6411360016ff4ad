//! Many texts at once: whatever the threads, the result is that of the texts one by one.

use nexus_tokenizer::{BatchOptions, ErrorKind, Special, Tokenizer};
use serde_json::{Value, json};
use std::num::NonZeroUsize;
use std::sync::atomic::AtomicBool;

const MODEL: &str = include_str!("fixtures/byte_level_model.json");

/// Texts of several runs.
fn texts() -> Vec<String> {
    let text = |at: usize| format!("text {at}: {} ", "日本語 the stream's ".repeat(at % 600));
    (0..700).map(text).collect()
}

fn tokenizer(vocab: impl Fn(&mut Value)) -> Tokenizer {
    let mut model: Value = serde_json::from_str(MODEL).unwrap();
    vocab(&mut model["vocab"]);
    let file = json!({
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false},
        "post_processor": {"type": "RobertaProcessing", "cls": ["<", 3], "sep": [">", 4]},
        "model": model,
    });
    Tokenizer::from_bytes(file.to_string().as_bytes()).unwrap()
}

fn options(threads: usize, stop: &AtomicBool) -> BatchOptions<'_> {
    BatchOptions {
        threads: NonZeroUsize::new(threads).unwrap(),
        adds_special: false,
        stop,
    }
}

#[test]
fn ids_are_those_of_the_texts_one_by_one() {
    let (tokenizer, texts, stop) = (tokenizer(|_| {}), texts(), AtomicBool::new(false));
    let expected: Vec<_> = texts.iter().map(|text| tokenizer.encode(text)).collect();
    for threads in [1, 2, 7] {
        let options = options(threads, &stop);
        let long = tokenizer
            .encode_batch_with::<u32, _>(&texts, options)
            .unwrap();
        let long = long.unwrap();
        assert_eq!((long.len(), long.is_empty()), (texts.len(), false));
        assert!(
            long.iter().eq(expected.iter().map(Vec::as_slice)),
            "{threads}"
        );
        assert_eq!(long, tokenizer.encode_batch(&texts, options.threads));
        let short = tokenizer
            .encode_batch_with::<u16, _>(&texts, options)
            .unwrap();
        let short = short.unwrap();
        assert!(
            short
                .ids
                .iter()
                .map(|&id| u32::from(id))
                .eq(long.ids.iter().copied())
        );
        assert_eq!(short.ends, long.ends);
        let counts = tokenizer.count_batch(&texts, options).unwrap().unwrap();
        assert!(
            counts
                .iter()
                .eq(expected.iter().map(Vec::len).collect::<Vec<_>>().iter())
        );
    }
}

#[test]
fn special_tokens_stand_around_each_text() {
    let (tokenizer, stop) = (tokenizer(|_| {}), AtomicBool::new(false));
    let options = BatchOptions {
        adds_special: true,
        ..options(2, &stop)
    };
    let batch = tokenizer
        .encode_batch_with::<u32, _>(&["the", ""], options)
        .unwrap()
        .unwrap();
    let expected = [&[3][..], &tokenizer.encode("the"), &[4, 3, 4]].concat();
    assert_eq!(batch.ids, expected);
    assert_eq!(
        tokenizer
            .count_batch(&["the", ""], options)
            .unwrap()
            .unwrap()[1],
        2
    );
}

#[test]
fn a_stop_ends_the_work() {
    let (tokenizer, texts, stop) = (tokenizer(|_| {}), texts(), AtomicBool::new(true));
    for threads in [1, 2] {
        let options = options(threads, &stop);
        assert!(
            tokenizer
                .encode_batch_with::<u32, _>(&texts, options)
                .unwrap()
                .is_none()
        );
        assert!(tokenizer.count_batch(&texts, options).unwrap().is_none());
    }
}

#[test]
fn sixteen_bits_are_refused_for_larger_ids() {
    let tokenizer = tokenizer(|vocab| vocab["far"] = json!(70_000));
    let stop = AtomicBool::new(false);
    let error = tokenizer
        .encode_batch_with::<u16, _>(&["x"], options(1, &stop))
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    // Ids beyond 16 bits come out of the cache as they went in.
    let literal = tokenizer.with_special(Special::Text).unwrap();
    for _ in 0..2 {
        assert_eq!(literal.decode(&literal.encode("far away")), "far away");
    }
}
