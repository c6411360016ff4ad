//! The operators do what their peers do: tables of cases made by `operators.py` with datatrove 0.10.1,
//! tldextract 5.4.0, ftfy 6.3.1 and fastText 0.9.2 on Python 3.11.7.

use nexus_text::{
    FastText, Filter, Formatter, FtfyFormatter, NGramsDecontConfig, NGramsDecontFilter,
    PiiFormatter, PiiTurn, Profiler, PublicSuffixes, TextNorm, UnicodeForm, UrlFilter, UrlRules,
};
use serde_json::Value;
use std::path::Path;

fn rows(fixture: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(fixture);
    let lines = std::fs::read_to_string(path).unwrap();
    lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn text<'a>(row: &'a Value, key: &str) -> &'a str {
    row[key].as_str().unwrap()
}

#[test]
fn addresses_are_replaced_as_by_datatrove() {
    let every = PiiFormatter {
        only_remove_public_ips: false,
        ..PiiFormatter::default()
    };
    let (mut shared, mut shared_every) = (PiiTurn::default(), PiiTurn::default());
    let default = PiiFormatter::default();
    for row in rows("pii.jsonl") {
        let input = text(&row, "text");
        assert_eq!(default.apply(input), text(&row, "one"), "{input:?}");
        assert_eq!(
            default.apply_from(input, &mut shared),
            text(&row, "shared"),
            "{input:?}"
        );
        assert_eq!(
            every.apply_from(input, &mut shared_every),
            text(&row, "every"),
            "{input:?}"
        );
    }
}

#[test]
fn replacements_are_settings() {
    let none = PiiFormatter {
        email_replacement: Vec::new(),
        remove_ips: false,
        ..PiiFormatter::default()
    };
    assert_eq!(none.apply("a@b.de 8.8.8.8"), " 8.8.8.8");
    let ips = PiiFormatter {
        remove_emails: false,
        ip_replacement: vec!["1".into()],
        ..PiiFormatter::default()
    };
    assert_eq!(ips.apply("a@b.de 8.8.8.8 9.9.9.9"), "a@b.de 1 1");
}

#[test]
fn urls_have_the_domains_of_tldextract_and_the_verdicts_of_datatrove() {
    let rows = rows("urls.jsonl");
    let strings = |key: &str| {
        let list = rows[0]["rules"][key].as_array().unwrap().iter();
        list.map(|item| item.as_str().unwrap().to_owned()).collect()
    };
    let filter = UrlFilter::new(UrlRules {
        extra_domains: strings("extra_domains"),
        extra_urls: strings("extra_urls"),
        banned_words: strings("banned_words"),
        banned_subwords: strings("banned_subwords"),
        soft_banned_words: strings("soft_banned_words"),
        ..UrlRules::default()
    });
    let (suffixes, mut profiler) = (PublicSuffixes::default(), Profiler::new());
    for row in &rows[1..] {
        let url = text(row, "url");
        let domain = suffixes.domain(url);
        let found = domain
            .as_ref()
            .map_or(("", ""), |domain| (domain.registered(), domain.full()));
        assert_eq!(
            found,
            (text(row, "registered"), text(row, "full")),
            "{url:?}"
        );
        let mut profile = profiler.profile("").unwrap();
        profile.set_url(Some(url));
        let verdict = filter.judge(&mut profile);
        let reason = verdict
            .reason()
            .map_or("keep".into(), |reason| reason.name());
        assert_eq!(reason, text(row, "verdict"), "{url:?}");
    }
}

#[test]
fn a_document_without_a_url_is_dropped() {
    let filter = UrlFilter::new(UrlRules::default());
    let mut profiler = Profiler::new();
    for url in [None, Some("")] {
        let mut profile = profiler.profile("text").unwrap();
        profile.set_url(url);
        let verdict = filter.judge(&mut profile);
        assert_eq!(verdict.reason().unwrap().name(), "no_url");
    }
}

#[test]
fn texts_are_simplified_as_by_datatrove() {
    let names = TextNorm {
        norm_weekdays: true,
        norm_monthnames: true,
        remove_punctuation: false,
        ..TextNorm::default()
    };
    let bare = TextNorm {
        lowercase: false,
        norm_whitespace: false,
        norm_unicode_diacritics: false,
        norm_numbers: false,
        ..TextNorm::default()
    };
    for row in rows("norms.jsonl") {
        for (norm, key) in [
            (TextNorm::default(), "norm"),
            (names, "names"),
            (bare, "bare"),
        ] {
            assert_eq!(
                norm.apply(text(&row, "text")),
                text(&row, key),
                "{key} of {:?}",
                row["text"]
            );
        }
    }
}

#[test]
fn contaminated_documents_are_those_of_datatrove() {
    let rows = rows("decontamination.jsonl");
    let config = NGramsDecontConfig::default();
    let settings = [
        NGramsDecontConfig {
            n_grams: 3,
            ..config
        },
        NGramsDecontConfig {
            n_grams: 4,
            find_query_ngrams: true,
            ..config
        },
        NGramsDecontConfig {
            n_grams: 5,
            find_overlap_ngrams: false,
            ..config
        },
    ];
    let filters = settings.map(|config| {
        let mut filter = NGramsDecontFilter::new(config);
        for item in rows[0]["items"].as_array().unwrap() {
            let label = item[2].as_str().unwrap();
            filter
                .add(item[0].as_str().unwrap(), item[1].as_str(), label)
                .unwrap();
        }
        filter
    });
    let mut profiler = Profiler::new();
    for row in &rows[1..] {
        let mut profile = profiler.profile(text(row, "text")).unwrap();
        for (filter, expected) in filters.iter().zip(row["found"].as_array().unwrap()) {
            let found = filter.find(&mut profile);
            let found = found.as_ref().map(|found| (found.task, &*found.ngram));
            let expected = expected[0].as_str().zip(expected[1].as_str());
            assert_eq!(found, expected, "{row}");
            assert_eq!(filter.judge(&mut profile).is_kept(), found.is_none());
        }
    }
}

#[test]
fn texts_are_repaired_as_by_ftfy() {
    let every = FtfyFormatter {
        fix_latin_ligatures: true,
        fix_character_width: true,
        uncurl_quotes: true,
        fix_line_breaks: true,
        normalization: Some(UnicodeForm::Nfkc),
        ..FtfyFormatter::default()
    };
    let least = FtfyFormatter {
        restore_byte_a0: false,
        replace_lossy_sequences: false,
        decode_inconsistent_utf8: false,
        fix_c1_controls: false,
        remove_terminal_escapes: false,
        remove_control_chars: false,
        ..FtfyFormatter::default()
    };
    let mut differing = Vec::new();
    for row in rows("repairs.jsonl") {
        for (formatter, key) in [
            (FtfyFormatter::default(), "default"),
            (every, "every"),
            (least, "least"),
        ] {
            let fixed = formatter.apply(text(&row, "text")).into_owned();
            if fixed != text(&row, key) {
                differing.push(format!("{key}: {row} not {fixed:?}"));
            }
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

#[test]
fn labels_and_probabilities_are_those_of_fasttext() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/models");
    for row in rows("languages.jsonl") {
        let model = FastText::open(&folder.join(text(&row, "model"))).unwrap();
        let found = model.predict(text(&row, "text"));
        let expected = row["found"].as_array().unwrap();
        assert_eq!(found.len(), expected.len(), "{row}\n{found:?}");
        for expected in expected {
            let label = expected[0].as_str().unwrap();
            let found = found.iter().find(|found| found.label == label).unwrap();
            let difference = f64::from(found.probability) - expected[1].as_f64().unwrap();
            assert!(difference.abs() < 1e-6, "{row}\n{found:?}");
        }
        let is_sorted =
            |pair: &[nexus_text::Prediction<'_>]| pair[0].probability >= pair[1].probability;
        assert!(found.windows(2).all(is_sorted), "{found:?}");
    }
}
