//! Writes what the operators make of each line of a JSONL file with a `text` and perhaps a `url`.
//!
//! `cargo run --release -p nexus-text --example operators -- corpus.jsonl [MODEL] > operators.jsonl`
//!
//! MODEL is a file of fastText, such as `lid.176.ftz`; without one, languages are guessed by trigrams.
//! `... -- corpus.jsonl MODEL --time 2` prints the MB of text that each does in a CPU second instead;
//! the name of one may follow.

use nexus_text::{
    Filter, Formatter, FtfyFormatter, LanguageFilter, LanguageId, LineDedup, NGramsDecontConfig,
    NGramsDecontFilter, Parts, PiiFormatter, Profiler, PublicSuffixes, TextNorm, UnicodeFormatter,
    UrlFilter, UrlRules,
};
use serde_json::{Value, json};
use std::error::Error;
use std::hint::black_box;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments
        .next()
        .ok_or("usage: operators FILE [MODEL] [--time SECONDS]")?;
    let lines = std::fs::read_to_string(path)?;
    let rows: Result<Vec<Value>, _> = lines.lines().map(serde_json::from_str).collect();
    let language = match arguments.next() {
        Some(model) => LanguageId::open(Path::new(&model))?,
        None => LanguageId::default(),
    };
    match (arguments.next().as_deref(), arguments.next()) {
        (Some("--time"), Some(seconds)) => time(
            &rows?,
            language,
            seconds.parse()?,
            arguments.next().as_deref(),
        ),
        _ => write(&rows?, &language),
    }
}

fn write(rows: &[Value], language: &LanguageId) -> Result<(), Box<dyn Error>> {
    let (pii, repair, suffixes) = (
        PiiFormatter::default(),
        FtfyFormatter::default(),
        PublicSuffixes::default(),
    );
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for row in rows {
        let text = row["text"].as_str().ok_or("a line has no text")?;
        let domain = row["url"].as_str().and_then(|url| suffixes.domain(url));
        let languages = language.predict(text);
        let languages = languages
            .iter()
            .map(|found| json!([found.code, found.score]));
        let made = json!({
            "pii": pii.apply(text),
            "ftfy": repair.apply(text),
            "norm": TextNorm::default().apply(text),
            "registered": domain.as_ref().map_or("", |domain| domain.registered()),
            "full": domain.as_ref().map_or("", |domain| domain.full()),
            "languages": languages.collect::<Vec<_>>(),
        });
        serde_json::to_writer(&mut out, &made)?;
        out.write_all(b"\n")?;
    }
    Ok(out.flush()?)
}

fn time(
    rows: &[Value],
    language: LanguageId,
    least: f64,
    only: Option<&str>,
) -> Result<(), Box<dyn Error>> {
    let texts: Vec<&str> = rows.iter().filter_map(|row| row["text"].as_str()).collect();
    let size: usize = texts.iter().map(|text| text.len()).sum();
    let mut contamination = NGramsDecontFilter::new(NGramsDecontConfig::default());
    for text in texts.iter().step_by(50) {
        let end = text.floor_char_boundary(400);
        contamination.add("task", None, &text[..end])?;
    }
    let languages = LanguageFilter {
        backend: language,
        ..LanguageFilter::default()
    };
    let formatters: [&dyn Formatter; 4] = [
        &PiiFormatter::default(),
        &FtfyFormatter::default(),
        &UnicodeFormatter::default(),
        &LineDedup::default(),
    ];
    let filters: [&dyn Filter; 2] = [&languages, &contamination];
    let print = |name: &str, mut work: Box<dyn FnMut(&str) + '_>| {
        if only.is_some_and(|only| only != name) {
            return;
        }
        let (begun, mut rounds) = (seconds(), 0);
        while rounds == 0 || seconds() - begun < least {
            for text in &texts {
                work(text);
            }
            rounds += 1;
        }
        let rate = size as f64 / 1e6 * f64::from(rounds) / (seconds() - begun);
        println!("{name:20} {rate:8.1} MB per CPU second");
    };
    for formatter in formatters {
        print(
            formatter.name(),
            Box::new(|text| drop(black_box(formatter.apply(text)))),
        );
    }
    print(
        "norm",
        Box::new(|text| drop(black_box(TextNorm::default().apply(text)))),
    );
    print(
        "hashes of lines",
        Box::new(|text| drop(black_box(Parts::default().hashes(text)))),
    );
    let mut profiler = Profiler::new();
    for filter in filters {
        let judge = |text: &str| {
            if let Ok(mut profile) = profiler.profile(text) {
                black_box(filter.judge(&mut profile));
            }
        };
        print(filter.name(), Box::new(judge));
    }
    let urls: Vec<&str> = rows.iter().filter_map(|row| row["url"].as_str()).collect();
    time_urls(&urls, least)
}

fn time_urls(urls: &[&str], least: f64) -> Result<(), Box<dyn Error>> {
    if urls.is_empty() {
        return Ok(());
    }
    let filter = UrlFilter::new(UrlRules {
        extra_domains: vec!["example.com".into()],
        banned_words: vec!["casino".into(), "poker".into()],
        banned_subwords: vec!["betnow".into(), "xxx".into()],
        soft_banned_words: vec!["bet".into(), "odds".into()],
        ..UrlRules::default()
    });
    let mut profiler = Profiler::new();
    let (begun, mut judged) = (seconds(), 0);
    while judged == 0 || seconds() - begun < least {
        for url in urls {
            let mut profile = profiler.profile("")?;
            profile.set_url(Some(url));
            black_box(filter.judge(&mut profile));
        }
        judged += urls.len();
    }
    let rate = judged as f64 / (seconds() - begun);
    println!("{:20} {rate:8.0} URLs per CPU second", "url");
    Ok(())
}

/// CPU seconds of this process, or wall seconds where the system does not tell.
fn seconds() -> f64 {
    static START: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);
    let stat = std::fs::read_to_string("/proc/self/schedstat").ok();
    stat.and_then(|stat| stat.split(' ').next()?.parse::<f64>().ok())
        .map_or_else(
            || START.elapsed().as_secs_f64(),
            |nanoseconds| nanoseconds / 1e9,
        )
}
