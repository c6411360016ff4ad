//! `nexus tensors`: look into tensor files, check, compare, cut, convert, pack, split and join them.

mod checkpoint;
mod checksum;
mod convert;
mod diff;
mod glob;
mod ls;
mod merge;
mod pack;
mod remote;
mod slice;
mod split;
mod target;
mod values;
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
    /// Check files: structure, checksums where they have some, packed tensors.
    ///
    /// The exit status is 1 when there is a problem; each is told with file, tensor and byte.
    Verify(verify::Arguments),
    /// Print a part of a tensor, or write it to a file; only its bytes are read.
    Slice(slice::Arguments),
    /// Add checksums of all tensors to a file.
    Checksum(checksum::Arguments),
    /// Write BF16 and F16 tensors in about two thirds of their bytes, without loss.
    ///
    /// Every reader opens the packed file, and finds packed tensors as bytes. `unpack` gives the
    /// original back, byte for byte.
    Pack(pack::Arguments),
    /// Turn a packed file back.
    Unpack(pack::Arguments),
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
        Command::Slice(arguments) => slice::run(&arguments, output, progress).map(done),
        Command::Checksum(arguments) => checksum::run(&arguments, output, progress).map(done),
        Command::Pack(arguments) => pack::pack(&arguments, output, progress).map(done),
        Command::Unpack(arguments) => pack::unpack(&arguments, output, progress).map(done),
    }
}
