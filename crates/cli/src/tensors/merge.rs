//! `nexus tensors merge`: shards become one file.

use super::checkpoint::{checksums_of, data_size, open_plain, plain_text, tensor};
use super::target::Writing;
use super::watch::Watch;
use crate::failure::Failure;
use crate::output::{Output, counted, human_size};
use crate::progress::ProgressMode;
use clap::Args;
use nexus_safetensors::checksum::CHECKSUM_KEY;
use nexus_safetensors::{Backend, Checkpoint};
use serde::Serialize;
use std::collections::HashMap;
use std::fmt::Write;
use std::path::PathBuf;

#[derive(Args)]
pub(crate) struct Arguments {
    /// An index, or a folder with an index or with safetensors files.
    source: PathBuf,
    /// The file to write.
    target: PathBuf,
    #[command(flatten)]
    writing: Writing,
}

#[derive(Serialize)]
struct Summary {
    target: PathBuf,
    files: usize,
    tensors: usize,
    size_bytes: u64,
    notes: Vec<String>,
}

pub(super) fn run(
    arguments: &Arguments,
    output: Output,
    mode: ProgressMode,
) -> Result<(), Failure> {
    let target = &arguments.target;
    arguments.writing.check(target)?;
    let checkpoint = open_plain(&arguments.source, Backend::Map)?;
    let mut notes = Vec::new();
    let metadata = joined_metadata(&checkpoint, &mut notes);
    let size = data_size(&checkpoint);
    let watch = Watch::new(mode, "merge", size)?;
    let tensors = checkpoint
        .names()
        .filter_map(|name| Some((name, tensor(&checkpoint, name)?)));
    watch.write(tensors, metadata, target, arguments.writing.options())?;
    drop(watch);
    let summary = Summary {
        target: target.clone(),
        files: checkpoint.files().len(),
        tensors: checkpoint.len(),
        size_bytes: size,
        notes,
    };
    output.print(&summary, show)
}

/// The text of all files; of two values for one key, the one of the first file. Checksums go along
/// where every tensor has one.
fn joined_metadata(checkpoint: &Checkpoint, notes: &mut Vec<String>) -> HashMap<String, String> {
    let mut joined = HashMap::new();
    for (key, value) in checkpoint.files().iter().flat_map(plain_text) {
        let kept = joined.entry(key.clone()).or_insert_with(|| value.clone());
        if *kept != value {
            notes.push(format!(
                "files disagree on `{key}`: `{kept}` is kept, `{value}` is not"
            ));
        }
    }
    notes.sort();
    let mut texts = checkpoint.files().iter().filter_map(|file| file.metadata());
    match checksums_of(checkpoint.names(), checkpoint.files()) {
        Some(checksums) => drop(joined.insert(CHECKSUM_KEY.to_owned(), checksums)),
        None if texts.any(|text| text.contains_key(CHECKSUM_KEY)) => {
            notes.push("checksums are left out: files disagree on them".to_owned());
        }
        None => {}
    }
    joined
}

fn show(summary: &Summary) -> String {
    let mut text = String::new();
    for note in &summary.notes {
        let _ = writeln!(text, "note: {note}");
    }
    let (files, tensors, size) = (
        counted(summary.files as u64, "file"),
        counted(summary.tensors as u64, "tensor"),
        human_size(summary.size_bytes),
    );
    let target = summary.target.display();
    let _ = write!(text, "{tensors}, {size}, from {files} to {target}");
    text
}
