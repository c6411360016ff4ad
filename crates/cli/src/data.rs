//! `nexus data`: run pipelines that are written down as TOML.

use crate::failure::Failure;
use crate::interrupt;
use crate::output::Output;
use crate::progress::{Progress, ProgressMode};
use clap::Subcommand;
use nexus_data::{Cancel, Node, Pipeline, Progressed, Report, RunOptions, SAMPLE_SIZE};
use nexus_remote::Objects;
use serde::Serialize;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

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
        /// Share the work with other processes: 0/4 is the first of four. All need the same --work.
        #[arg(long, value_name = "I/N", requires = "work")]
        node: Option<Node>,
        /// Give up when no other node completes anything for so long [default: wait].
        #[arg(long, value_name = "SECONDS", requires = "node")]
        node_timeout: Option<u32>,
        /// Bytes of files that are done or not when a run goes on, and that one node takes
        /// [default: 64MiB, or less where several nodes would have too few].
        #[arg(long, value_name = "SIZE", value_parser = nexus_data::parse_size)]
        group_size: Option<u64>,
        /// An option of object stores, such as aws_region=eu-central-1. Credentials are better in the
        /// environment, where they are read too.
        #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
        storage: Vec<(String, String)>,
        /// Say what the run would do and cost, by a sample, and write nothing.
        #[arg(long, conflicts_with_all = ["resume", "node"])]
        dry_run: bool,
        /// Decompressed bytes of the sample of a dry run [default: 32MiB].
        #[arg(long, value_name = "SIZE", value_parser = nexus_data::parse_size, requires = "dry_run")]
        sample: Option<u64>,
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
    let (plan, options, storage, sample) = match command {
        Command::Run {
            plan,
            threads,
            memory,
            work,
            resume,
            node,
            node_timeout,
            group_size,
            storage,
            dry_run,
            sample,
        } => {
            let sample = dry_run.then(|| sample.unwrap_or(SAMPLE_SIZE));
            let options = RunOptions {
                threads,
                memory_size_bytes: memory,
                work,
                resume,
                node,
                node_timeout: node_timeout.map(|seconds| Duration::from_secs(seconds.into())),
                group_size_bytes: group_size,
                ..RunOptions::default()
            };
            (plan, options, storage, sample)
        }
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
    let said = Mutex::new(None);
    let watch = move |now: Progressed| match now.waiting {
        None => shown.show(&now),
        Some(waiting) => {
            let mut said = said.lock().expect("telling does not panic");
            let whom = Some((waiting.node, waiting.groups == 0));
            if *said != whom {
                *said = whom;
                shown.say(&now.to_string());
            }
        }
    };
    let options = RunOptions {
        cancel: Cancel::from_flag(interrupt::flag()?),
        progress: Some(Arc::new(watch)),
        ..options
    };
    if let Some(sample) = sample {
        let estimate = pipeline.estimate(&options, sample)?;
        return output.print(&estimate, ToString::to_string);
    }
    let report = pipeline.run(&options)?;
    progress.finish();
    output.print(&summary(&report), |_| report.to_string())
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
