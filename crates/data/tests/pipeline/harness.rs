//! Folders of input, runs of a pipeline and their rows as JSON.

use nexus_data::{Error, ErrorKind, Pipeline, Report, RunOptions};
use nexus_tokenizer::{Case, WordPiece};
use serde_json::Value;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use tempfile::TempDir;

/// A folder that holds `files`, in folders where their names say so.
pub(crate) fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    folder
}

/// A folder that holds these texts.
pub(crate) fn folder_of(files: &[(String, String)]) -> TempDir {
    let files = files.iter();
    let files: Vec<_> = files
        .map(|(name, text)| (name.as_str(), text.as_bytes()))
        .collect();
    folder(&files)
}

/// A line of JSON.
pub(crate) fn record(id: &str, text: &str) -> String {
    format!("{}\n", serde_json::json!({"id": id, "text": text}))
}

/// `bytes` as one member of a gzip file.
pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Options for a number of threads and small batches.
pub(crate) fn options(threads: usize, batch_rows: usize) -> RunOptions {
    RunOptions {
        threads,
        batch_rows,
        ..RunOptions::default()
    }
}

/// The same for a run that goes on where another one was.
pub(crate) fn resumed(threads: usize, batch_rows: usize) -> RunOptions {
    RunOptions {
        resume: true,
        ..options(threads, batch_rows)
    }
}

/// A step that lets the run fail as long as the switch is on, which it is at first.
pub(crate) fn failing(pipeline: Pipeline) -> (Pipeline, Arc<AtomicBool>) {
    let is_broken = Arc::new(AtomicBool::new(true));
    let switch = is_broken.clone();
    let pipeline = pipeline.map_batches("after", move |batch| {
        if is_broken.load(SeqCst) {
            Err("no".into())
        } else {
            Ok(batch)
        }
    });
    (pipeline, switch)
}

/// Runs `pipeline` into a file of a fresh folder and gives its lines.
pub(crate) fn rows(pipeline: Pipeline, options: &RunOptions) -> (Vec<Value>, Report) {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("out.jsonl");
    let report = pipeline.write_jsonl(&output).run(options).unwrap();
    (read_jsonl(&output), report)
}

/// The values of one key of rows.
pub(crate) fn values<'a>(rows: &'a [Value], key: &str) -> Vec<&'a str> {
    rows.iter().map(|row| row[key].as_str().unwrap()).collect()
}

pub(crate) fn read_jsonl(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The error that a pipeline ends with.
pub(crate) fn error(pipeline: &Pipeline) -> Error {
    pipeline.run(&RunOptions::default()).unwrap_err()
}

/// A pipeline ends with an error of this kind, which says this.
pub(crate) fn check_error(
    pipeline: &Pipeline,
    kind: ErrorKind,
    message: &str,
    hint: &str,
) -> Error {
    let error = error(pipeline);
    assert_eq!(error.kind(), kind, "{error}");
    let text = error.to_string();
    assert!(text.contains(message), "{text} lacks {message}");
    let found = error.hint().unwrap_or_default();
    assert!(found.contains(hint), "{found} lacks {hint}");
    error
}

/// Names of the files in a folder, hidden ones too.
pub(crate) fn names(folder: &Path) -> Vec<PathBuf> {
    let mut names: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into())
        .collect();
    names.sort();
    names
}

/// A tokenizer that knows the letters, a few words and some punctuation.
pub(crate) fn tokenizer() -> WordPiece {
    let letters: Vec<_> = ('a'..='z')
        .map(|letter| format!("{letter}\n##{letter}\n"))
        .collect();
    let vocab = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nword\nlonger\n.\n,\n-\n語\n".to_owned()
        + &letters.concat();
    WordPiece::from_vocab(vocab.as_bytes(), Case::Lower).unwrap()
}
