//! `nexus tensors verify`: the structure of files.

use super::set::Set;
use crate::failure::Failure;
use crate::output::{Output, human_size};
use clap::Args;
use serde::Serialize;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Args)]
pub(crate) struct Arguments {
    /// Safetensors files, folders, or indexes.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

#[derive(Serialize)]
struct Report {
    files: Vec<Verdict>,
}

/// What was found of one file.
#[derive(Serialize)]
struct Verdict {
    file: PathBuf,
    tensors: usize,
    size_bytes: u64,
    /// What is wrong, if anything is.
    error: Option<String>,
    hint: Option<String>,
}

pub(super) fn run(arguments: &Arguments, output: Output) -> Result<ExitCode, Failure> {
    let files = arguments.files.iter().map(|file| check(file)).collect();
    let report = Report { files };
    output.print(&report, list)?;
    let broken = report.files.iter().any(|verdict| verdict.error.is_some());
    Ok(ExitCode::from(u8::from(broken)))
}

/// Opening a file checks its header, and that its tensors cover it without a gap.
fn check(file: &Path) -> Verdict {
    let mut verdict = Verdict {
        file: file.to_owned(),
        tensors: 0,
        size_bytes: 0,
        error: None,
        hint: None,
    };
    match Set::open(file) {
        Ok(set) => {
            verdict.tensors = set.len();
            verdict.size_bytes = set
                .parts()
                .iter()
                .map(|part| part.size_bytes() as u64)
                .sum();
        }
        Err(failure) => {
            verdict.error = Some(failure.message().to_owned());
            verdict.hint = Some(failure.hint().to_owned());
        }
    }
    verdict
}

fn list(report: &Report) -> String {
    let mut text = String::new();
    for verdict in &report.files {
        let (file, tensors) = (verdict.file.display(), verdict.tensors);
        let size = human_size(verdict.size_bytes);
        match (&verdict.error, &verdict.hint) {
            (Some(error), Some(hint)) => {
                writeln!(text, "broken  {file}: {error}\n        hint: {hint}")
            }
            _ => writeln!(text, "sound   {file}: {tensors} tensors, {size}"),
        }
        .expect("text grows");
    }
    text
}
