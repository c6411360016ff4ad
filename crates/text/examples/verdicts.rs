//! Writes the verdicts of all filters for each line of a JSONL file with a `text` field.
//!
//! `cargo run --release -p nexus-text --example verdicts -- corpus.jsonl > verdicts.jsonl`
//!
//! `cargo run --release -p nexus-text --example verdicts -- corpus.jsonl --time 5` prints the MB of
//! text that each filter does in a CPU second instead; the name of one may follow.

use nexus_text::{
    Basic, C4Paragraphs, C4Quality, Filter, FineWebQuality, GopherQuality, GopherRepetition,
    Profiler, Verdict,
};
use serde_json::{Value, json};
use std::error::Error;
use std::io::Write;
use std::time::Instant;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments
        .next()
        .ok_or("usage: verdicts FILE [--time SECONDS]")?;
    let mut texts = Vec::new();
    for line in std::fs::read_to_string(path)?.lines() {
        let mut document: Value = serde_json::from_str(line)?;
        match document["text"].take() {
            Value::String(text) => texts.push(text),
            _ => return Err("a line has no text".into()),
        }
    }
    match (arguments.next().as_deref(), arguments.next()) {
        (Some("--time"), Some(seconds)) => {
            time(&texts, seconds.parse()?, arguments.next().as_deref())
        }
        _ => write(&texts),
    }
}

fn filters() -> Vec<(&'static str, Box<dyn Filter>)> {
    let sentences = C4Quality {
        split_paragraph: false,
        ..C4Quality::default()
    };
    let any_end = C4Quality {
        filter_no_terminal_punct: false,
        ..C4Quality::default()
    };
    vec![
        ("gopher_quality", Box::new(GopherQuality::default())),
        ("gopher_repetition", Box::new(GopherRepetition::default())),
        ("c4_quality", Box::new(C4Quality::default())),
        ("c4_any_end", Box::new(any_end)),
        ("c4_sentences", Box::new(sentences)),
        ("c4_paragraphs", Box::new(C4Paragraphs::default())),
        ("basic", Box::new(Basic::default())),
        ("fineweb_quality", Box::new(FineWebQuality::default())),
    ]
}

fn write(texts: &[String]) -> Result<(), Box<dyn Error>> {
    let (filters, mut profiler) = (filters(), Profiler::new());
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for text in texts {
        let mut profile = profiler.profile(text)?;
        let mut row = serde_json::Map::new();
        for (name, filter) in &filters {
            let (reason, changed) = match filter.judge(&mut profile) {
                Verdict::Keep => ("keep".into(), None),
                Verdict::KeepAs(text) => ("keep".into(), Some(text)),
                Verdict::Drop(reason) => (reason.name(), None),
            };
            row.insert((*name).into(), json!(reason));
            row.insert(format!("{name}_text"), json!(changed));
        }
        let words = profile.words().to_vec();
        row.insert(
            "words".into(),
            words.iter().map(|word| profile.word(word)).collect(),
        );
        row.insert("sentences".into(), json!(profile.sentences()));
        serde_json::to_writer(&mut out, &row)?;
        out.write_all(b"\n")?;
    }
    Ok(out.flush()?)
}

fn time(texts: &[String], least: f64, only: Option<&str>) -> Result<(), Box<dyn Error>> {
    let size: usize = texts.iter().map(String::len).sum();
    let filters = filters();
    let mut sets: Vec<(&str, Vec<&dyn Filter>)> = filters
        .iter()
        .map(|(name, filter)| (*name, vec![&**filter]))
        .collect();
    let all = [1, 0, 2, 7].map(|at: usize| &*filters[at].1).to_vec();
    sets.push(("the four together", all));
    sets.retain(|(name, _)| only.is_none_or(|only| only == *name));
    let mut profiler = Profiler::new();
    let start = Instant::now();
    for (name, set) in sets {
        let (begun, mut rounds, mut kept) = (seconds(start), 0, 0);
        while rounds == 0 || seconds(start) - begun < least {
            kept = 0;
            for text in texts {
                let mut profile = profiler.profile(text)?;
                kept += set
                    .iter()
                    .filter(|filter| filter.judge(&mut profile).is_kept())
                    .count();
            }
            rounds += 1;
        }
        let rate = size as f64 / 1e6 * f64::from(rounds) / (seconds(start) - begun);
        println!("{name:20} {rate:8.1} MB per CPU second, {kept} kept");
    }
    Ok(())
}

/// CPU seconds of this process, or wall seconds where the system does not tell.
fn seconds(start: Instant) -> f64 {
    std::fs::read_to_string("/proc/self/schedstat")
        .ok()
        .and_then(|stat| stat.split(' ').next()?.parse::<f64>().ok())
        .map_or_else(
            || start.elapsed().as_secs_f64(),
            |nanoseconds| nanoseconds / 1e9,
        )
}
