//! Runs a plan stage by stage, and each stage group by group.
//!
//! Most steps need one batch alone. Which of several documents stays can be decided only when all are
//! known: there a stage ends, its rows are put aside in the work folder, and the next one reads them.
//!
//! The files are cut into groups. A group that is through a stage has a note, and need not go through it
//! again; several nodes share the groups. A run that nobody goes on with, and that is alone, has one group.

mod course;
mod cuts;
mod decision;
mod gather;
mod gatherer;
mod index;
mod notes;
mod parts;
mod pictures;
mod published;
mod removed;
mod repeats;
mod total;
mod wait;
mod work;

use crate::atomic::AtomicFile;
use crate::engine::{self, Job, Sink};
use crate::operators::Operator;
use crate::report::Progressed;
use crate::source::{BatchLimit, Reader};
use crate::{Cancel, Error, Node, Progress, Report};
use course::Course;
use notes::Told;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub(crate) use cuts::{CUTS, Cut, CutsReader};
pub(crate) use decision::Decision;
pub(crate) use gather::Gather;
pub(crate) use gatherer::{Gathered, Gatherer};
pub(crate) use parts::{Frame, Part, PartReader, decode, encode_behind};
pub(crate) use pictures::{HASHES, take_hashes};
pub(crate) use removed::Removed;
pub(crate) use repeats::Repeats;
pub(crate) use total::duplicates;
pub(crate) use work::{Use, Work};

/// Bytes of files in a group, by default.
const GROUP_SIZE: u64 = 64 << 20;

/// The least of them that are a group by default, however many nodes there are.
const GROUP_SIZE_MIN: u64 = 1 << 20;

/// Groups that there should be for each node, so that all have about as much to do.
const GROUPS_PER_NODE: u64 = 8;

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
    pub(crate) node: Option<Node>,
    pub(crate) node_timeout: Option<Duration>,
}

/// Runs a plan of one stage.
pub(crate) fn run_one(
    reader: Reader,
    stage: &Stage,
    sink: Sink<'_>,
    shared: &Shared,
) -> Result<Report, Error> {
    let files = (shared.rejects.as_deref(), shared.audit.as_deref());
    engine::run(shared.job(reader, &stage.operators, sink, files)?)
}

/// How many bytes of files are a group by default: it depends on the files and on how many nodes there are.
pub(crate) fn group_size(bytes_total: u64, nodes: usize) -> u64 {
    match nodes as u64 {
        0 | 1 => GROUP_SIZE,
        nodes => (bytes_total / (nodes * GROUPS_PER_NODE)).clamp(GROUP_SIZE_MIN, GROUP_SIZE),
    }
}

impl Shared {
    fn job<'s, 'a>(
        &self,
        reader: Reader,
        operators: &'s [Box<dyn Operator>],
        sink: Sink<'a>,
        (rejects, audit): (Option<&Path>, Option<&Path>),
    ) -> Result<Job<'s, 'a>, Error> {
        Ok(Job {
            reader,
            operators,
            sink,
            rejects: rejects.map(AtomicFile::create).transpose()?,
            audit: audit.map(AtomicFile::create).transpose()?,
            threads: self.threads,
            cancel: self.cancel.clone(),
            progress: self.progress.clone(),
            progressed: Progressed::default().of_stage(1, 1, None),
            before_output: None,
        })
    }
}

/// Runs a plan of several stages. Each reader gives one group of files. All stages but the last end with a
/// decision, which may be none.
pub(crate) fn run(
    readers: Vec<Reader>,
    stages: &[Stage],
    sink: Sink<'_>,
    shared: &Shared,
    work: Work,
) -> Result<Report, Error> {
    // The paths are tried before the work begins.
    for path in [&shared.rejects, &shared.audit].into_iter().flatten() {
        AtomicFile::create(path)?;
    }
    let (last, gathered) = stages.split_last().expect("there is a stage");
    let mut course = Course::new(readers, gathered, shared, work)?;
    for stage in 0..gathered.len() {
        course.run_groups(stage)?;
    }
    let Some(node) = shared.node else {
        let report = course.write(&last.operators, sink)?;
        course.work.remove();
        return Ok(report);
    };
    if node.is_first() && course.work.finished()?.is_none() {
        let report = course.write(&last.operators, sink)?;
        course.work.finish(&Told::new(report.clone()))?;
        return Ok(report);
    }
    course.wait_for_the_end(node)
}
