//! Runs a plan stage by stage.
//!
//! Most steps need one batch alone. Which of several documents stays can be decided only when all are
//! known: there a stage ends, its rows are put aside in the work folder, and the next one reads them.
//! A stage that is complete need not be run again.

mod cuts;
mod gather;
mod index;
mod parts;
mod removed;
mod repeats;
mod work;

use crate::atomic::{AtomicFile, AtomicFolder};
use crate::engine::{self, Job, Sink};
use crate::operators::Operator;
use crate::report::Progressed;
use crate::source::{BatchLimit, Reader};
use crate::{Cancel, Error, Progress, Report, StepReport};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(crate) use cuts::{CUTS, Cut, CutsReader};
pub(crate) use gather::{Decision, Gather, Gathered, Gatherer};
pub(crate) use parts::{Frame, PartReader, decode};
pub(crate) use removed::Removed;
pub(crate) use repeats::Repeats;
use work::Done;
pub(crate) use work::Work;

/// Steps up to a decision, or to the end.
#[derive(Default)]
pub(crate) struct Stage {
    pub(crate) operators: Vec<Box<dyn Operator>>,
    pub(crate) decision: Option<Decision>,
}

/// What all stages of a run share.
pub(crate) struct Shared {
    pub(crate) threads: usize,
    pub(crate) limit: BatchLimit,
    pub(crate) memory_size: u64,
    pub(crate) rejects: Option<PathBuf>,
    pub(crate) audit: Option<PathBuf>,
    pub(crate) cancel: Cancel,
    pub(crate) progress: Option<Arc<dyn Progress>>,
}

/// Runs a plan of one stage.
pub(crate) fn run_one(
    reader: Reader,
    stage: Stage,
    sink: Sink<'_>,
    shared: &Shared,
) -> Result<Report, Error> {
    let files = (shared.rejects.as_deref(), shared.audit.as_deref());
    engine::run(shared.job(reader, stage.operators, sink, files)?)
}

impl Shared {
    fn job<'a>(
        &self,
        reader: Reader,
        operators: Vec<Box<dyn Operator>>,
        sink: Sink<'a>,
        (rejects, audit): (Option<&Path>, Option<&Path>),
    ) -> Result<Job<'a>, Error> {
        Ok(Job {
            reader,
            operators,
            sink,
            rejects: rejects.map(AtomicFile::create).transpose()?,
            audit: audit.map(AtomicFile::create).transpose()?,
            threads: self.threads,
            cancel: self.cancel.clone(),
            progress: self.progress.clone(),
        })
    }
}

/// Runs a plan of several stages.
pub(crate) fn run(
    reader: Reader,
    stages: Vec<Stage>,
    sink: Sink<'_>,
    shared: &Shared,
    work: Work,
) -> Result<Report, Error> {
    // The paths are tried before the work begins.
    for path in [&shared.rejects, &shared.audit].into_iter().flatten() {
        AtomicFile::create(path)?;
    }
    let mut total = Report::default();
    let before = Progressed {
        rows: 0,
        bytes: reader.bytes_total().unwrap_or_default(),
        bytes_total: reader.bytes_total(),
    };
    let (mut reader, mut sink) = (Some(reader), Some(sink));
    let mut removed: Option<Arc<Removed>> = None;
    let mut indexes = Vec::new();
    for (number, stage) in stages.into_iter().enumerate() {
        let input = match &removed {
            None => reader.take().expect("the first stage reads the files"),
            Some(removed) => Reader::aside(removed.clone(), shared.limit, &before),
        };
        let is_first = removed.is_none();
        let audit = shared.audit.as_ref().map(|_| work.audit(number));
        let files = (
            shared.rejects.as_deref().filter(|_| is_first),
            audit.as_deref(),
        );
        let Some(decision) = stage.decision else {
            let sink = sink.take().expect("the last stage has the sink");
            let report = engine::run(shared.job(input, stage.operators, sink, files)?)?;
            add(&mut total, report, is_first);
            continue;
        };
        let done = if let Some(done) = work.done(number)? {
            done
        } else {
            let folder = work.begin(number)?;
            let mut gather = gather(&folder, decision.clone(), shared)?;
            let sink = Sink::Gather(&mut gather);
            let report = engine::run(shared.job(input, stage.operators, sink, files)?)?;
            let done = done_of(report, gather.rows().to_vec());
            work.finish(number, &done)?;
            done
        };
        let gather = Gather::reopen(gather(&work.stage(number), decision, shared)?, &done.rows);
        add(&mut total, report_of(done), is_first);
        let mut decided = gather.decide(shared.audit.is_some())?;
        indexes.extend(decided.take_written());
        add_decision(&mut total, &decided);
        removed = Some(Arc::new(decided));
        if number > 0 {
            work.discard(number - 1);
        }
    }
    if let Some(path) = &shared.audit {
        join(
            path,
            (0..)
                .map(|stage| work.audit(stage))
                .take_while(|path| path.exists()),
        )?;
    }
    indexes.into_iter().try_for_each(AtomicFolder::commit)?;
    work.remove();
    Ok(total)
}

fn gather(folder: &Path, decision: Decision, shared: &Shared) -> Result<Gather, Error> {
    Gather::create(folder, decision, shared.memory_size, shared.threads)
}

fn done_of(report: Report, rows: Vec<u32>) -> Done {
    Done {
        rows,
        steps: report.steps,
        dropped: report.dropped,
        rejected: report.rejected,
        skipped: report.skipped,
        files: report.files,
    }
}

fn report_of(done: Done) -> Report {
    Report {
        duplicates: duplicates(&done.steps),
        steps: done.steps,
        dropped: done.dropped,
        rejected: done.rejected,
        skipped: done.skipped,
        files: done.files,
        ..Report::default()
    }
}

/// Rows that were found to be copies as they passed.
pub(crate) fn duplicates(steps: &[StepReport]) -> u64 {
    let dedup = steps.iter().filter(|step| step.name == "dedup_exact");
    dedup
        .map(|step| step.rows_in.saturating_sub(step.rows_out))
        .sum()
}

/// Adds what a stage has done. The first step of any but the first stage reads what was put aside.
fn add(total: &mut Report, stage: Report, is_first: bool) {
    total
        .steps
        .extend(stage.steps.into_iter().skip(usize::from(!is_first)));
    total.dropped.extend(stage.dropped);
    total.duplicates += stage.duplicates;
    if is_first {
        total.rejected = stage.rejected;
        total.skipped = stage.skipped;
        total.files = stage.files;
    }
}

/// Adds the steps that were decided.
fn add_decision(total: &mut Report, decided: &Removed) {
    let mut rows = decided.parts().iter().map(|&rows| u64::from(rows)).sum();
    for &(name, count) in decided.counts() {
        let mut step = StepReport::default();
        name.clone_into(&mut step.name);
        (step.rows_in, step.rows_out) = (rows, rows - count);
        rows -= count;
        total.steps.push(step);
        total.duplicates += count;
    }
}

/// Writes files one after the other into another one.
fn join(path: &Path, files: impl Iterator<Item = PathBuf>) -> Result<(), Error> {
    let mut out = AtomicFile::create(path)?;
    for file in files {
        let copy =
            std::fs::File::open(&file).and_then(|mut file| std::io::copy(&mut file, &mut out));
        copy.map_err(|error| Error::io("copy", &file, error))?;
    }
    out.commit()
}
