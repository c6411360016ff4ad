//! Words, sentences and verdicts are datatrove's, on texts made to be hard.
//!
//! The fixtures are written by `fixtures.py` with datatrove 0.10.1, spaCy 3.8 and Python 3.11.

use nexus_text::{
    Basic, C4BadWords, C4Lines, C4Paragraphs, C4Quality, Filter, FineWebQuality, GopherQuality,
    GopherRepetition, Profiler, Verdict,
};
use serde_json::Value;
use std::collections::BTreeSet;

fn rows(fixture: &str) -> Vec<Value> {
    fixture
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn strings(value: &Value) -> Vec<&str> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item.as_str().unwrap())
        .collect()
}

#[test]
fn words_and_sentences_are_those_of_spacy() {
    let mut profiler = Profiler::new();
    for row in rows(include_str!("fixtures/words.jsonl")) {
        let text = row["text"].as_str().unwrap();
        let mut profile = profiler.profile(text).unwrap();
        assert_eq!(profile.sentences(), strings(&row["sentences"]), "{text:?}");
        let words = profile.words().to_vec();
        let words: Vec<&str> = words.iter().map(|word| profile.word(word)).collect();
        assert_eq!(words, strings(&row["words"]), "{text:?}");
    }
}

#[test]
fn verdicts_are_those_of_datatrove() {
    let sentences = C4Quality {
        split_paragraph: false,
        ..C4Quality::default()
    };
    let any_end = C4Quality {
        filter_no_terminal_punct: false,
        ..C4Quality::default()
    };
    let filters: [(&str, &dyn Filter); 7] = [
        ("gopher_quality", &GopherQuality::default()),
        ("gopher_repetition", &GopherRepetition::default()),
        ("c4_quality", &C4Quality::default()),
        ("c4_any_end", &any_end),
        ("c4_sentences", &sentences),
        ("c4_paragraphs", &C4Paragraphs::default()),
        ("fineweb_quality", &FineWebQuality::default()),
    ];
    let (mut profiler, mut reasons) = (Profiler::new(), BTreeSet::new());
    for row in rows(include_str!("fixtures/verdicts.jsonl")) {
        let text = row["text"].as_str().unwrap();
        let mut profile = profiler.profile(text).unwrap();
        for (name, filter) in filters {
            let verdict = filter.judge(&mut profile);
            let reason = verdict
                .reason()
                .map_or("keep".into(), |reason| reason.name());
            assert_eq!(reason, row[name].as_str().unwrap(), "{name} of {text:?}");
            if name != "c4_any_end" {
                let expected = row[format!("{name}_text")].as_str();
                let changed = match &verdict {
                    Verdict::KeepAs(text) => Some(&**text),
                    _ => None,
                };
                assert_eq!(changed, expected, "{name} of {text:?}");
            }
            reasons.insert(reason.into_owned());
        }
    }
    // Every reason but `gopher_long_doc`, which needs a large text.
    assert_eq!(reasons.len(), 32, "{reasons:?}");
}

/// The reason of a filter for a text, or `keep`.
fn reason(filter: &dyn Filter, text: &str) -> String {
    let mut profiler = Profiler::new();
    let verdict = filter.judge(&mut profiler.profile(text).unwrap());
    verdict
        .reason()
        .map_or("keep".into(), |reason| reason.to_string())
}

#[test]
fn settings_are_the_limits() {
    let text = "word ".repeat(60);
    let quality = GopherQuality {
        min_stop_words: None,
        ..GopherQuality::default()
    };
    for (quality, expected) in [
        (quality.clone(), "keep"),
        (
            GopherQuality {
                max_doc_words: Some(59),
                ..quality.clone()
            },
            "gopher_long_doc",
        ),
        (
            GopherQuality {
                min_doc_words: Some(61),
                ..quality.clone()
            },
            "gopher_short_doc",
        ),
        (
            GopherQuality {
                min_doc_words: Some(0),
                max_doc_words: Some(0),
                ..quality.clone()
            },
            "keep",
        ),
        (
            GopherQuality {
                min_avg_word_length: Some(4.1),
                ..quality.clone()
            },
            "gopher_below_avg_threshold",
        ),
        (
            GopherQuality {
                max_avg_word_length: Some(3.9),
                ..quality.clone()
            },
            "gopher_above_avg_threshold",
        ),
        (
            GopherQuality {
                min_stop_words: Some(2),
                ..quality.clone()
            },
            "gopher_enough_stop_words",
        ),
        (
            GopherQuality {
                min_stop_words: Some(1),
                stop_words: vec!["word".into(), "word".into()],
                ..quality
            },
            "keep",
        ),
    ] {
        assert_eq!(reason(&quality, &text), expected, "{quality:?}");
    }
}

#[test]
fn a_text_without_words_is_empty_where_the_peer_divides_by_zero() {
    let quality = GopherQuality {
        min_doc_words: None,
        ..GopherQuality::default()
    };
    assert_eq!(reason(&quality, " \n"), "empty");
}

#[test]
fn runs_may_be_of_any_length_and_in_any_order() {
    let text = "one two three four five one two three four five.";
    let filter = |top_n_grams: &[(usize, f64)], dup_n_grams: &[(usize, f64)]| GopherRepetition {
        top_n_grams: top_n_grams.to_vec(),
        dup_n_grams: dup_n_grams.to_vec(),
        ..GopherRepetition::default()
    };
    for (top, repeated, expected) in [
        (&[(4, 0.99), (2, 0.99), (3, 0.5)][..], &[][..], "top_3_gram"),
        (
            &[(0, 0.0), (100, 0.0)],
            &[(0, 0.0), (100, 0.0), (5, 0.3)],
            "duplicated_5_n_grams",
        ),
        (&[], &[(5, 0.5)], "keep"),
    ] {
        assert_eq!(
            reason(&filter(top, repeated), text),
            expected,
            "{top:?} {repeated:?}"
        );
    }
}

#[test]
fn lines_are_counted_by_rule() {
    let text = "Good words end here.\nNo end\nTwo words.\nNo javascript here.\nOur privacy policy \
        is this.\nA \
        x.";
    let text = format!("{text}\n{}", "y".repeat(1001));
    let (mut profiler, mut counts) = (Profiler::new(), C4Lines::default());
    let c4 = C4Quality {
        min_num_sentences: Some(1),
        ..C4Quality::default()
    };
    let verdict = c4.judge_lines(&mut profiler.profile(&text).unwrap(), &mut counts);
    assert_eq!(verdict, Verdict::KeepAs("Good words end here.".into()));
    let expected = C4Lines {
        total: 7,
        kept: 1,
        too_long_word: 1,
        no_terminal_punct: 1,
        too_few_words: 2,
        javascript: 1,
        policy: 1,
    };
    assert_eq!(counts, expected);
}

#[test]
fn bad_words_stand_alone_where_words_are_separated() {
    let apart = C4BadWords::new(["bad", "so bad", "性", ""], true);
    let inside = C4BadWords::new(["悪い"], false);
    let dropped = "document_removed_with_badwords";
    for (filter, text, expected) in [
        (&apart, "BAD", dropped),
        (&apart, "it is(bad)", dropped),
        (&apart, "badly, abad, bad_ 性", "keep"),
        (&inside, "とても悪いです", dropped),
        (&inside, "いい", "keep"),
    ] {
        assert_eq!(reason(filter, text), expected, "{text}");
    }
}

#[test]
fn basic_rules_drop_for_the_first_reason() {
    let good = "The cat and the dog sat with a long tale of old days, which they have told before.";
    let lines = (0..4).map(|at| format!("Part {at} says x{at} y{at}: {good}"));
    let text = lines.collect::<Vec<_>>().join("\n");
    let short: Vec<String> = (0..20).map(|at| format!("x{at}.")).collect();
    for (text, expected) in [
        (text.clone(), "keep"),
        ("too short".to_owned(), "words"),
        ("ab ".repeat(60), "word-length"),
        (text.replace("cat", "####### #######"), "hashes"),
        (text.replace("cat", "... ... ..."), "ellipses"),
        (
            text.replace("cat", "1000 2000 3000 4000 5000 6000"),
            "letters",
        ),
        ("river ".repeat(60), "stop-words"),
        (text.replace("Part", "- Part"), "bullets"),
        (text.replace("before.", "before..."), "ellipsis-lines"),
        ([&*text, &*text].join("\n"), "repeated-lines"),
        (text.replace("before.", "before"), "line-ends"),
        (format!("{text}\n{}", short.join("\n")), "short-lines"),
        (format!("{text}\n{}.", "river engine ".repeat(30)), "bigram"),
        (text.replace("cat", "Lorem Ipsum"), "lorem-ipsum"),
    ] {
        assert_eq!(reason(&Basic::default(), &text), expected, "{text}");
        // Rules that are switched off drop nothing.
        let (lines, pairs) = (
            !expected.contains("line") && expected != "bullets",
            expected != "bigram",
        );
        let rules = Basic { lines, pairs };
        let expected = if lines && pairs { expected } else { "keep" };
        assert_eq!(reason(&rules, &text), expected, "{text}");
    }
}
