//! `nexus data`: run pipelines that are written down as TOML.

use crate::failure::Failure;
use crate::interrupt;
use crate::output::{Output, human_size};
use crate::progress::{Progress, ProgressMode};
use clap::Subcommand;
use nexus_data::{Cancel, Pipeline, Progressed, Report, RunOptions};
use nexus_remote::Objects;
use serde::Serialize;
use std::fmt::Write;
use std::path::PathBuf;
use std::sync::Arc;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run a plan.
    Run {
        /// The plan, a TOML file. Paths in it are relative to the working folder.
        plan: PathBuf,
        /// Worker threads [default: one a core].
        #[arg(long, default_value_t = 0, hide_default_value = true)]
        threads: usize,
        /// Most memory of steps that compare all documents, such as 1GiB [default: 256MiB].
        #[arg(long, value_name = "SIZE", value_parser = nexus_data::parse_size)]
        memory: Option<u64>,
        /// Where what must wait for all documents is put [default: beside the output].
        #[arg(long, value_name = "FOLDER")]
        work: Option<PathBuf>,
        /// Go on where an earlier run of the plan was killed or failed.
        #[arg(long)]
        resume: bool,
        /// An option of object stores, such as aws_region=eu-central-1. Credentials are better in the
        /// environment, where they are read too.
        #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
        storage: Vec<(String, String)>,
    },
    /// Say what a plan would do, and do nothing.
    Explain {
        /// The plan, a TOML file.
        plan: PathBuf,
    },
}

#[derive(Serialize)]
struct Summary {
    rows: u64,
    duplicates: u64,
    rejected: u64,
    rejects: Vec<String>,
    skipped: u64,
    steps: Vec<Step>,
    dropped: Vec<Dropped>,
    seconds: f64,
    threads: usize,
}

#[derive(Serialize)]
struct Dropped {
    step: String,
    reason: String,
    count: u64,
}

#[derive(Serialize)]
struct Step {
    name: String,
    rows_in: u64,
    rows_out: u64,
    bytes_in: u64,
    /// Added up over threads.
    seconds: f64,
}

pub(crate) fn run(command: Command, output: Output, mode: ProgressMode) -> Result<(), Failure> {
    let (plan, threads, memory_size_bytes, work, resume, storage) = match command {
        Command::Run {
            plan,
            threads,
            memory,
            work,
            resume,
            storage,
        } => (plan, threads, memory, work, resume, storage),
        Command::Explain { plan } => {
            let steps = read(&plan)?.explain(&RunOptions::default())?;
            return output.print(&steps, |steps| steps.join("\n"));
        }
    };
    let mut objects = Objects::new();
    for (key, value) in storage {
        objects = objects.with_option(key, value)?;
    }
    let pipeline = read(&plan)?.storage(objects);
    let progress = Arc::new(Progress::new(mode));
    let shown = Arc::clone(&progress);
    let watch = move |now: Progressed| shown.update("run", now.bytes, now.bytes_total);
    let options = RunOptions {
        threads,
        cancel: Cancel::from_flag(interrupt::flag()?),
        progress: Some(Arc::new(watch)),
        memory_size_bytes,
        work,
        resume,
        ..RunOptions::default()
    };
    let report = pipeline.run(&options)?;
    progress.finish();
    output.print(&summary(&report), show)
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text
        .split_once('=')
        .ok_or_else(|| format!("`{text}` is no KEY=VALUE"))?;
    Ok((key.to_owned(), value.to_owned()))
}

fn read(plan: &std::path::Path) -> Result<Pipeline, Failure> {
    let text = std::fs::read_to_string(plan).map_err(|error| {
        Failure::new(
            format!("cannot read the plan {}: {error}", plan.display()),
            "check the path",
        )
    })?;
    Ok(Pipeline::from_toml(&text)?)
}

fn summary(report: &Report) -> Summary {
    let steps = report.steps.iter().map(|step| Step {
        name: step.name.clone(),
        rows_in: step.rows_in,
        rows_out: step.rows_out,
        bytes_in: step.bytes_in,
        seconds: step.seconds,
    });
    Summary {
        rows: report.rows(),
        duplicates: report.duplicates,
        rejected: report.rejected.count,
        rejects: report
            .rejected
            .samples
            .iter()
            .map(ToString::to_string)
            .collect(),
        skipped: report.skipped.count,
        steps: steps.collect(),
        dropped: report
            .dropped
            .iter()
            .map(|dropped| Dropped {
                step: dropped.step.clone(),
                reason: dropped.reason.clone(),
                count: dropped.count,
            })
            .collect(),
        seconds: report.seconds,
        threads: report.threads,
    }
}

fn show(summary: &Summary) -> String {
    let mut text = String::new();
    for step in &summary.steps {
        let Step {
            name,
            rows_in,
            rows_out,
            bytes_in,
            seconds,
        } = step;
        let size = human_size(*bytes_in);
        let _ = writeln!(
            text,
            "{name:<14} {rows_in:>9} -> {rows_out:<9} {size:>9} {seconds:>8.2} s"
        );
    }
    for Dropped {
        step,
        reason,
        count,
    } in &summary.dropped
    {
        let _ = writeln!(text, "{step}: {reason}: {count}");
    }
    for reject in &summary.rejects {
        let _ = writeln!(text, "set aside: {reject}");
    }
    let Summary {
        rows,
        duplicates,
        rejected,
        skipped,
        seconds,
        threads,
        ..
    } = summary;
    let _ = write!(
        text,
        "{rows} rows, {duplicates} duplicates, {rejected} rejected, {skipped} files skipped, \
         {seconds:.2} s on {threads} threads"
    );
    text
}
