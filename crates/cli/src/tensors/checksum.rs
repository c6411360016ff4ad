//! `nexus tensors checksum`: a file gets checksums of its tensors.

use super::checkpoint::open;
use super::target::Writing;
use super::watch::Watch;
use crate::failure::Failure;
use crate::output::{Output, counted, human_size};
use crate::progress::ProgressMode;
use clap::{Args, ValueEnum};
use nexus_safetensors::checksum::{Checksum, add_checksums};
use nexus_safetensors::{Backend, SafeTensorError, TensorView};
use serde::Serialize;
use std::path::PathBuf;

#[derive(Args)]
#[command(mut_arg("force", |force| force.requires("out")))]
pub(crate) struct Arguments {
    /// A safetensors file. Without --out it is replaced, at once or not at all.
    file: PathBuf,
    /// The file to write instead.
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// How checksums are made.
    #[arg(long, value_enum, default_value_t = Algorithm::Xxh3, value_name = "NAME")]
    algorithm: Algorithm,
    #[command(flatten)]
    writing: Writing,
}

#[derive(Clone, Copy, ValueEnum)]
enum Algorithm {
    /// As fast as memory; finds damage.
    Xxh3,
    /// Slower; nobody finds other bytes with the same checksum.
    Blake3,
}

#[derive(Serialize)]
struct Summary {
    target: PathBuf,
    algorithm: &'static str,
    tensors: usize,
    size_bytes: u64,
}

pub(super) fn run(
    arguments: &Arguments,
    output: Output,
    mode: ProgressMode,
) -> Result<(), Failure> {
    if let Some(target) = &arguments.out {
        arguments.writing.check(target)?;
    }
    let checkpoint = open(&arguments.file, Backend::Map)?;
    let ([file], true) = (checkpoint.files(), arguments.file.is_file()) else {
        return Err(Failure::new(
            format!("`{}` is not one file", arguments.file.display()),
            "name the files one by one",
        ));
    };
    let algorithm = match arguments.algorithm {
        Algorithm::Xxh3 => Checksum::Xxh3,
        Algorithm::Blake3 => Checksum::Blake3,
    };
    let size = file.header().data_len() as u64;
    let watch = Watch::new(mode, "checksum", size)?;
    let tensors: Vec<(&str, TensorView<'_>)> = file
        .names()
        .into_iter()
        .map(|name| Ok((name, file.tensor(name)?)))
        .collect::<Result<_, SafeTensorError>>()?;
    let text = add_checksums(&tensors, file.metadata().cloned(), algorithm, None)?;
    let target = arguments.out.as_ref().unwrap_or(&arguments.file);
    watch.write(tensors, text, target, arguments.writing.options())?;
    drop(watch);
    let summary = Summary {
        target: target.clone(),
        algorithm: algorithm.name(),
        tensors: file.len(),
        size_bytes: size,
    };
    output.print(&summary, |summary| {
        let (size, target) = (human_size(summary.size_bytes), summary.target.display());
        let count = counted(summary.tensors as u64, "tensor");
        let algorithm = summary.algorithm;
        format!("{algorithm} checksums of {count}, {size}, in {target}")
    })
}
