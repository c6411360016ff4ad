//! `nexus tensors merge`: shards become one file.

use super::set::Set;
use super::watch::{Watch, check_target};
use crate::failure::Failure;
use crate::output::{Output, human_size};
use crate::progress::ProgressMode;
use clap::Args;
use nexus_safetensors::WriteOptions;
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
    /// Replace the target if it exists.
    #[arg(long)]
    force: bool,
    /// Return when the file is safe on the disk.
    #[arg(long)]
    fsync: bool,
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
    check_target(target, arguments.force)?;
    let set = Set::open(&arguments.source)?;
    let mut notes = Vec::new();
    let metadata = joined_metadata(&set, &mut notes);
    let watch = Watch::new(mode, "merge", set.data_size())?;
    let tensors = set
        .names()
        .filter_map(|name| Some((name, set.tensor(name)?)));
    let options = WriteOptions::default().fsync(arguments.fsync);
    watch.write(tensors, metadata, target, options)?;
    drop(watch);
    let summary = Summary {
        target: target.clone(),
        files: set.parts().len(),
        tensors: set.len(),
        size_bytes: set.data_size(),
        notes,
    };
    output.print(&summary, show)
}

/// The text of all parts; of two values for one key, the one of the first file.
fn joined_metadata(set: &Set, notes: &mut Vec<String>) -> HashMap<String, String> {
    let mut joined = HashMap::new();
    for (key, value) in set
        .parts()
        .iter()
        .filter_map(|part| part.metadata())
        .flatten()
    {
        let kept = joined.entry(key.clone()).or_insert_with(|| value.clone());
        if kept != value {
            notes.push(format!(
                "files disagree on `{key}`: `{kept}` is kept, `{value}` is not"
            ));
        }
    }
    notes.sort();
    joined
}

fn show(summary: &Summary) -> String {
    let mut text = String::new();
    for note in &summary.notes {
        let _ = writeln!(text, "note: {note}");
    }
    let (files, tensors, size) = (
        summary.files,
        summary.tensors,
        human_size(summary.size_bytes),
    );
    let target = summary.target.display();
    let _ = write!(
        text,
        "{tensors} tensors, {size}, from {files} files to {target}"
    );
    text
}
