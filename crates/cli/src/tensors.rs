//! `nexus tensors`: look into tensor files, compare, convert, split and join them.

mod convert;
mod diff;
mod glob;
mod ls;
mod merge;
mod set;
mod split;
mod verify;
mod watch;

use crate::failure::Failure;
use crate::output::Output;
use crate::progress::ProgressMode;
use clap::Subcommand;
use std::process::ExitCode;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// List the tensors of a file: name, type, shape, bytes.
    Ls(ls::Arguments),
    /// Compare two files; the exit status is 1 when they differ.
    Diff(diff::Arguments),
    /// Convert a NumPy, PyTorch or GGUF file to safetensors.
    Convert(convert::Arguments),
    /// Split a file into shards with an index.
    Split(split::Arguments),
    /// Join shards into one file.
    Merge(merge::Arguments),
    /// Check the structure of files.
    Verify(verify::Arguments),
}

pub(crate) fn run(
    command: Command,
    output: Output,
    progress: ProgressMode,
) -> Result<ExitCode, Failure> {
    let done = |()| ExitCode::SUCCESS;
    match command {
        Command::Ls(arguments) => ls::run(&arguments, output).map(done),
        // As in diff(1): 1 means different, 2 means trouble.
        Command::Diff(arguments) => {
            diff::run(&arguments, output, progress).map_err(Failure::trouble)
        }
        Command::Convert(arguments) => convert::run(&arguments, output, progress).map(done),
        Command::Split(arguments) => split::run(&arguments, output, progress).map(done),
        Command::Merge(arguments) => merge::run(&arguments, output, progress).map(done),
        Command::Verify(arguments) => verify::run(&arguments, output),
    }
}
