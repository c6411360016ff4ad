//! `nexus tensors convert`: other files of tensors become safetensors files.

use super::target::Writing;
use super::watch::Watch;
use crate::failure::Failure;
use crate::output::{Output, counted, human_size};
use crate::progress::ProgressMode;
use clap::{Args, ValueEnum};
use nexus_convert::{OpenOptions, Quantized, Source};
use serde::Serialize;
use std::fmt::Write;
use std::ops::ControlFlow;
use std::path::PathBuf;

#[derive(Args)]
pub(crate) struct Arguments {
    /// An npy, npz, torch (.bin, .pt; zip) or GGUF file, known by its content.
    source: PathBuf,
    /// The safetensors file to write.
    target: PathBuf,
    /// Turn quantised tensors of a GGUF file into floats: `Q4_0` to `Q8_0`, `Q2_K` to `Q6_K`,
    /// `IQ4_NL`, `IQ4_XS`, `MXFP4`.
    #[arg(
        long,
        value_enum,
        value_name = "TYPE",
        conflicts_with = "keep_quantized"
    )]
    dequantize: Option<Float>,
    /// Keep the blocks of quantised tensors of a GGUF file as bytes.
    #[arg(long)]
    keep_quantized: bool,
    #[command(flatten)]
    writing: Writing,
}

#[derive(Clone, Copy, ValueEnum)]
enum Float {
    F32,
    F16,
}

#[derive(Serialize)]
struct Summary {
    target: PathBuf,
    format: &'static str,
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
    let quantized = match arguments.dequantize {
        Some(Float::F32) => Quantized::ToF32,
        Some(Float::F16) => Quantized::ToF16,
        None if arguments.keep_quantized => Quantized::Keep,
        None => Quantized::Refuse,
    };
    let source = Source::open(
        &arguments.source,
        OpenOptions::default().quantized(quantized),
    )?;
    let watch = Watch::new(mode, "convert", source.size_bytes())?;
    let progress = |done| {
        watch.set(done);
        if watch.is_interrupted() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    nexus_convert::write(&source, target, arguments.writing.options(), &progress)?;
    drop(watch);
    let summary = Summary {
        target: target.clone(),
        format: source.format().name(),
        tensors: source.entries().len(),
        size_bytes: source.size_bytes(),
        notes: source.notes().to_vec(),
    };
    output.print(&summary, show)
}

fn show(summary: &Summary) -> String {
    let mut text = String::new();
    for note in &summary.notes {
        let _ = writeln!(text, "note: {note}");
    }
    let (size, target) = (human_size(summary.size_bytes), summary.target.display());
    let (count, format) = (counted(summary.tensors as u64, "tensor"), summary.format);
    let _ = write!(text, "{count}, {size}, from {format} to {target}");
    text
}
