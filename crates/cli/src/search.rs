//! `nexus search`: build, query and serve an index; embed texts.

use crate::failure::Failure;
use crate::output::{Output, human_size};
use crate::progress::{Progress, ProgressMode};
use crate::{interrupt, serve};
use clap::Subcommand;
use nexus_minilm::{MiniLm, MiniLmHandler, Precision};
use nexus_search::{
    BuildOptions, BuildReport, Hit, Index, Outcome, SearchHandler, SearchPage, Searcher, Watch,
};
use nexus_serve::Server;
use serde::{Deserialize, Serialize};
use std::fmt::Write;
use std::io::{self, BufRead};
use std::num::NonZero;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Build an index from a folder or file of text, Markdown, HTML or JSONL.
    Build {
        /// The folder or file to read.
        #[arg(long, value_name = "PATH")]
        source: PathBuf,
        /// The folder of the MiniLM model.
        #[arg(long, value_name = "DIR", env = "NEXUS_MODEL")]
        model: PathBuf,
        /// The numbers that the model's linear layers are computed in: `f32` or `int8`.
        #[arg(long, value_name = "TYPE", default_value = "f32")]
        precision: Precision,
        /// The index to write.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// Threads [default: one a core].
        #[arg(long)]
        threads: Option<NonZero<usize>>,
        /// Build even if the index is up to date.
        #[arg(long)]
        force: bool,
    },
    /// Print the best passages for a query.
    Query {
        /// The query, in any words.
        query: String,
        /// The index.
        #[arg(long, value_name = "FILE")]
        index: PathBuf,
        /// The folder of the MiniLM model.
        #[arg(long, value_name = "DIR", env = "NEXUS_MODEL")]
        model: PathBuf,
        /// The numbers that the model's linear layers are computed in: `f32` or `int8`.
        #[arg(long, value_name = "TYPE", default_value = "f32")]
        precision: Precision,
        /// How many passages.
        #[arg(short, default_value_t = 5)]
        k: usize,
    },
    /// Serve an index: a web page at `/`, the endpoints `search` and `minilm`.
    Serve {
        /// The index.
        #[arg(long, value_name = "FILE")]
        index: PathBuf,
        /// The folder of the MiniLM model.
        #[arg(long, value_name = "DIR", env = "NEXUS_MODEL")]
        model: PathBuf,
        /// The numbers that the model's linear layers are computed in: `f32` or `int8`.
        #[arg(long, value_name = "TYPE", default_value = "f32")]
        precision: Precision,
        /// The page's headline.
        #[arg(long, default_value = "Search by meaning")]
        title: String,
        #[command(flatten)]
        place: serve::Place,
    },
    /// Embed texts: lines `{"text": ...}` from stdin, lines `{"vector": [...]}` to stdout.
    Embed {
        /// The folder of the MiniLM model.
        #[arg(long, value_name = "DIR", env = "NEXUS_MODEL")]
        model: PathBuf,
        /// The numbers that the model's linear layers are computed in: `f32` or `int8`.
        #[arg(long, value_name = "TYPE", default_value = "f32")]
        precision: Precision,
        /// Threads.
        #[arg(long, default_value_t = NonZero::<usize>::MIN)]
        threads: NonZero<usize>,
        /// Print how long it took and nothing else.
        #[arg(long)]
        bench: bool,
    },
}

pub(crate) fn run(command: Command, output: Output, progress: ProgressMode) -> Result<(), Failure> {
    match command {
        Command::Build {
            source,
            model,
            precision,
            out,
            threads,
            force,
        } => {
            let threads = threads.or_else(|| std::thread::available_parallelism().ok());
            let threads = threads.unwrap_or(NonZero::<usize>::MIN);
            let options = BuildOptions {
                source,
                out,
                threads,
                force,
            };
            build(
                &options,
                &MiniLm::open_with(model, precision)?,
                output,
                progress,
            )
        }
        Command::Query {
            query,
            index,
            model,
            precision,
            k,
        } => {
            let searcher =
                Searcher::new(Index::open(index)?, MiniLm::open_with(model, precision)?)?;
            let hits = searcher
                .search(&[(&query, k)])?
                .into_iter()
                .flatten()
                .collect();
            output.print(&Answer { hits }, list)
        }
        Command::Serve {
            index,
            model,
            precision,
            title,
            place,
        } => {
            let model = MiniLm::open_with(model, precision)?;
            let searcher = Searcher::new(Index::open(index)?, model.clone())?;
            let page = SearchPage::new(searcher.clone(), title);
            let builder = Server::builder()
                .endpoint("search", move || Ok(Box::new(SearchHandler::new(searcher))))
                .endpoint("minilm", move || Ok(Box::new(MiniLmHandler::new(model))))
                .site(Arc::new(page));
            serve::serve(builder, &place, output)
        }
        Command::Embed {
            model,
            precision,
            threads,
            bench,
        } => embed(
            &MiniLm::open_with(model, precision)?,
            threads,
            bench,
            output,
        ),
    }
}

fn build(
    options: &BuildOptions,
    model: &MiniLm,
    output: Output,
    mode: ProgressMode,
) -> Result<(), Failure> {
    let progress = Arc::new(Progress::new(mode));
    let cancel = interrupt::flag()?;
    let shown = Arc::clone(&progress);
    let watch: Watch = Arc::new(move |stage, done, total| shown.update(stage.name(), done, total));
    let mut report = nexus_search::build(options, model, &watch, &cancel)?;
    report.peak_memory_bytes = peak_memory_bytes();
    progress.finish();
    output.print(&report, summarize)
}

fn summarize(report: &BuildReport) -> String {
    let counts = &report.summary;
    let mut text = match report.outcome {
        Outcome::Built => String::from("built the index\n"),
        Outcome::Unchanged => String::from("the index is up to date\n"),
    };
    let _ = writeln!(
        text,
        "{} documents, {} duplicates, {} rejected, {} passages, {} tokens",
        counts.documents, counts.duplicates, counts.rejected, counts.passages, counts.tokens
    );
    for stage in &report.stages {
        let rate = stage.rows_in as f64 / stage.seconds.max(1e-9);
        let (name, rows_in, rows_out) = (&stage.name, stage.rows_in, stage.rows_out);
        let _ = writeln!(
            text,
            "{name:<12} {rows_in:>8} -> {rows_out:<8} {:>8.2} s {rate:>10.0}/s",
            stage.seconds
        );
    }
    for reject in &report.rejects {
        let _ = writeln!(text, "set aside: {reject}");
    }
    if let Some(size) = report.peak_memory_bytes {
        let _ = writeln!(text, "peak memory {}", human_size(size));
    }
    text
}

/// The most memory this process held at once, where the system tells.
fn peak_memory_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim()
        .strip_suffix(" kB")?
        .trim()
        .parse::<u64>()
        .ok()
        .map(|size| size << 10)
}

#[derive(Serialize)]
struct Answer {
    hits: Vec<Hit>,
}

fn list(answer: &Answer) -> String {
    let mut text = String::new();
    for hit in &answer.hits {
        let words: Vec<&str> = hit.record.text.split_whitespace().collect();
        let line: String = words.join(" ").chars().take(100).collect();
        let _ = writeln!(
            text,
            "{:.3}  {}\n       {line}",
            hit.score, hit.record.title
        );
    }
    text
}

#[derive(Deserialize)]
struct Text {
    text: String,
}

#[derive(Serialize)]
struct Vector<'a> {
    vector: &'a [f32],
}

#[derive(Serialize)]
struct Timing {
    passages: usize,
    tokens: usize,
    threads: usize,
    seconds: f64,
}

fn embed(
    model: &MiniLm,
    threads: NonZero<usize>,
    bench: bool,
    output: Output,
) -> Result<(), Failure> {
    let mut texts = Vec::new();
    for (index, line) in io::stdin().lock().lines().enumerate() {
        let line = line
            .map_err(|error| Failure::new(format!("cannot read stdin: {error}"), "send UTF-8"))?;
        let parsed: Text = serde_json::from_str(&line).map_err(|error| {
            let message = format!("cannot read line {} of stdin: {error}", index + 1);
            Failure::new(message, "each line is a JSON object with a string `text`")
        })?;
        texts.push(parsed.text);
    }
    if bench {
        let count = |text: &String| {
            model
                .tokenizer()
                .encode(text)
                .ids
                .len()
                .min(nexus_minilm::CONTENT_TOKENS_MAX)
                + 2
        };
        let tokens = texts.iter().map(count).sum();
        let start = Instant::now();
        let vectors = model.embed(&texts, threads);
        let seconds = start.elapsed().as_secs_f64();
        let passages = vectors.len() / model.dimensions();
        let timing = Timing {
            passages,
            tokens,
            threads: threads.get(),
            seconds,
        };
        return output.print(&timing, |timing| {
            format!("{} passages in {:.3} s", timing.passages, timing.seconds)
        });
    }
    let vectors = model.embed(&texts, threads);
    let json = Output::new(true);
    vectors
        .chunks_exact(model.dimensions())
        .try_for_each(|vector| json.print(&Vector { vector }, |_| String::new()))
}
