//! `nexus data`: run pipelines that are written down as TOML.

use crate::failure::Failure;
use crate::interrupt;
use crate::output::{Output, human_size};
use crate::progress::{Progress, ProgressMode};
use clap::Subcommand;
use nexus_data::{Cancel, Node, Pipeline, Progressed, Report, RunOptions, Waiting};
use serde::Serialize;
use std::fmt::Write;
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
    let (plan, options) = match command {
        Command::Run {
            plan,
            threads,
            memory,
            work,
            resume,
            node,
            node_timeout,
            group_size,
        } => {
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
            (plan, options)
        }
        Command::Explain { plan } => {
            let steps = read(&plan)?.explain(&RunOptions::default())?;
            return output.print(&steps, |steps| steps.join("\n"));
        }
    };
    let pipeline = read(&plan)?;
    let progress = Arc::new(Progress::new(mode));
    let shown = Arc::clone(&progress);
    let said = Mutex::new(None);
    let watch = move |now: Progressed| match now.waiting {
        None => shown.update("run", now.bytes, now.bytes_total),
        Some(waiting) => {
            let mut said = said.lock().expect("telling does not panic");
            let whom = Some((waiting.node, waiting.groups == 0));
            if *said != whom {
                *said = whom;
                shown.say(&waits(waiting));
            }
        }
    };
    let options = RunOptions {
        cancel: Cancel::from_flag(interrupt::flag()?),
        progress: Some(Arc::new(watch)),
        ..options
    };
    let report = pipeline.run(&options)?;
    progress.finish();
    output.print(&summary(&report), show)
}

/// What a node waits for.
fn waits(Waiting { node, groups, .. }: Waiting) -> String {
    match groups {
        0 => "waiting for node 0, which decides and writes".to_owned(),
        groups => format!("waiting for node {node}: {groups} groups of files are missing in all"),
    }
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
