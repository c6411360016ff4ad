//! The `nexus` command.
//!
//! Each room has a subcommand in a file of its own. Results go to stdout, as text or, with
//! `--json`, as JSON; progress and errors go to stderr. An error ends with a line `hint: ...`. The
//! exit status is 0, 1 for an error, 2 for wrong arguments and 130 after Ctrl-C; commands that compare
//! or check say 1 for a difference.

mod data;
mod failure;
mod interrupt;
mod output;
mod progress;
mod search;
mod serve;
mod tensors;

use clap::{Parser, Subcommand};
use failure::Failure;
use output::Output;
use progress::ProgressMode;
use std::process::ExitCode;

/// Tensors, data pipelines, search and endpoints from the command line.
#[derive(Parser)]
#[command(name = "nexus", version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,

    /// Print results as JSON.
    #[arg(long, global = true)]
    json: bool,

    /// How to show progress on stderr.
    #[arg(long, global = true, value_enum, default_value_t = ProgressMode::Auto, value_name = "HOW")]
    progress: ProgressMode,
}

#[derive(Subcommand)]
enum Command {
    /// List, check, compare, cut, convert, pack, split and join tensor files.
    #[command(subcommand)]
    Tensors(tensors::Command),
    /// Run data pipelines.
    #[command(subcommand)]
    Data(data::Command),
    /// Serve a handler with the SageMaker container contract.
    Serve(serve::Arguments),
    /// Build, query and serve a search index.
    #[command(subcommand)]
    Search(search::Command),
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return refuse_arguments(&error),
    };
    let output = Output::new(arguments.json);
    let progress = arguments.progress;
    let success = |()| ExitCode::SUCCESS;
    let result = match arguments.command {
        Command::Tensors(command) => tensors::run(command, output, progress),
        Command::Data(command) => data::run(command, output, progress).map(success),
        Command::Serve(arguments) => serve::run(arguments, output).map(success),
        Command::Search(command) => search::run(command, output, progress).map(success),
    };
    match result {
        Ok(status) => status,
        Err(failure) => failure.report(),
    }
}

/// Prints what clap has to say; help and version are no errors.
fn refuse_arguments(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        return if error.print().is_ok() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        };
    }
    let text = error.to_string();
    let (message, _) = text
        .split_once("\n\nFor more information")
        .unwrap_or((&text, ""));
    eprintln!(
        "{}\nhint: `nexus --help` and `nexus COMMAND --help` list the arguments",
        message.trim_end()
    );
    ExitCode::from(Failure::USAGE)
}
