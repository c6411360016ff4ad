//! `nexus tensors pack` and `unpack`: BF16 and F16 tensors in fewer bytes, and back.

use super::target::Writing;
use crate::failure::Failure;
use crate::output::{Output, counted, human_size};
use crate::progress::{Progress, ProgressMode};
use clap::Args;
use nexus_safetensors::SafeTensorError;
use nexus_safetensors::packed::{PackOptions, PackReport, pack_file, unpack_file};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

#[derive(Args)]
pub(crate) struct Arguments {
    /// The safetensors file to read.
    source: PathBuf,
    /// The file to write.
    target: PathBuf,
    #[command(flatten)]
    writing: Writing,
}

#[derive(Serialize)]
struct Summary {
    target: PathBuf,
    /// The bytes of all tensors before and after.
    raw_bytes: usize,
    packed_bytes: usize,
    /// After, as a part of before.
    ratio: f64,
    types: BTreeMap<String, Type>,
}

#[derive(Default, Serialize)]
struct Type {
    tensors: usize,
    /// How many of them got smaller.
    packed: usize,
    raw_bytes: usize,
    packed_bytes: usize,
    ratio: f64,
}

/// Packs a file.
pub(super) fn pack(
    arguments: &Arguments,
    output: Output,
    mode: ProgressMode,
) -> Result<(), Failure> {
    let Arguments { source, target, .. } = arguments;
    let report = arguments.work("pack", mode, || {
        pack_file(source, target, &arguments.options())
    })?;
    output.print(&Summary::new(&report, target), show)
}

#[derive(Serialize)]
struct Unpacked {
    target: PathBuf,
    /// The sizes of both files.
    packed_bytes: u64,
    raw_bytes: u64,
}

/// Turns a packed file back.
pub(super) fn unpack(
    arguments: &Arguments,
    output: Output,
    mode: ProgressMode,
) -> Result<(), Failure> {
    let Arguments { source, target, .. } = arguments;
    // The target may be the source.
    let packed_bytes = size_of(source);
    arguments.work("unpack", mode, || {
        unpack_file(source, target, &arguments.options())
    })?;
    let summary = Unpacked {
        target: target.clone(),
        packed_bytes,
        raw_bytes: size_of(target),
    };
    output.print(&summary, |summary| {
        let (packed, raw) = (
            human_size(summary.packed_bytes),
            human_size(summary.raw_bytes),
        );
        format!(
            "{packed} to {raw} in {}, checksum agrees",
            summary.target.display()
        )
    })
}

fn size_of(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}

impl Arguments {
    fn options(&self) -> PackOptions {
        PackOptions::default().write(self.writing.options())
    }

    /// Does the work between the first and the last line of its progress. Ctrl-C ends the program:
    /// the target has no name before it is whole.
    fn work<T>(
        &self,
        stage: &str,
        mode: ProgressMode,
        work: impl FnOnce() -> Result<T, SafeTensorError>,
    ) -> Result<T, Failure> {
        self.writing.check(&self.target)?;
        let total = size_of(&self.source);
        let progress = Progress::new(mode);
        progress.update(stage, 0, Some(total));
        let done = work().map_err(|error| {
            let failure = Failure::from(error);
            failure.within(format_args!("cannot {stage} `{}`", self.source.display()))
        })?;
        progress.update(stage, total, Some(total));
        Ok(done)
    }
}

impl Summary {
    fn new(report: &PackReport, target: &Path) -> Self {
        let mut types: BTreeMap<String, Type> = BTreeMap::new();
        for tensor in &report.tensors {
            let row = types.entry(tensor.dtype.to_string()).or_default();
            row.tensors += 1;
            row.packed += usize::from(tensor.codec.is_some());
            row.raw_bytes += tensor.raw_bytes;
            row.packed_bytes += tensor.packed_bytes;
        }
        for row in types.values_mut() {
            row.ratio = ratio(row.packed_bytes, row.raw_bytes);
        }
        Self {
            target: target.to_owned(),
            raw_bytes: report.raw_bytes,
            packed_bytes: report.packed_bytes,
            ratio: ratio(report.packed_bytes, report.raw_bytes),
            types,
        }
    }
}

fn ratio(packed: usize, raw: usize) -> f64 {
    if raw == 0 {
        1.0
    } else {
        packed as f64 / raw as f64
    }
}

fn show(summary: &Summary) -> String {
    let sizes = |raw: usize, packed: usize, ratio: f64| {
        let (raw, packed) = (human_size(raw as u64), human_size(packed as u64));
        format!("{raw} to {packed}, {:.1} %", 100.0 * ratio)
    };
    let mut text = String::new();
    for (dtype, row) in &summary.types {
        let (packed, tensors) = (row.packed, counted(row.tensors as u64, "tensor"));
        let sizes = sizes(row.raw_bytes, row.packed_bytes, row.ratio);
        let _ = writeln!(text, "{dtype}: {packed} of {tensors} packed, {sizes}");
    }
    let sizes = sizes(summary.raw_bytes, summary.packed_bytes, summary.ratio);
    let _ = write!(text, "{sizes}, in {}", summary.target.display());
    text
}
