//! Runs a plan stage by stage, and each stage group by group.
//!
//! Most steps need one batch alone. Which of several documents stays can be decided only when all are
//! known: there a stage ends, its rows are put aside in the work folder, and the next one reads them.
//!
//! The files are cut into groups. A group that is through a stage has a note, and need not go through it
//! again; several nodes share the groups. A run that nobody goes on with, and that is alone, has one group.

mod cuts;
mod decision;
mod gather;
mod index;
mod notes;
mod parts;
mod published;
mod removed;
mod repeats;
mod wait;
mod work;

use crate::atomic::{AtomicFile, AtomicFolder};
use crate::engine::{self, Job, Sink};
use crate::operators::Operator;
use crate::report::Progressed;
use crate::source::{BatchLimit, Reader};
use crate::{Cancel, Error, Node, Progress, Report, StepReport};
use notes::{Done, Notes, Told};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub(crate) use cuts::{CUTS, Cut, CutsReader};
pub(crate) use decision::Decision;
pub(crate) use gather::{Gather, Gathered, Gatherer};
pub(crate) use parts::{Frame, Part, PartReader, decode, encode_behind};
pub(crate) use removed::Removed;
pub(crate) use repeats::Repeats;
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
    let notes = (0..gathered.len()).map(|stage| Notes::open(work.kept(), stage));
    let mut course = Course {
        shared,
        stages: gathered,
        notes: notes.collect::<Result<_, _>>()?,
        removed: gathered.iter().map(|_| None).collect(),
        indexes: Vec::new(),
        now: course_begins(&readers, shared),
        readers: readers.into_iter().map(Some).collect(),
        work,
    };
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

/// A run of several stages under way.
struct Course<'a> {
    shared: &'a Shared,
    /// Those that end with a decision.
    stages: &'a [Stage],
    notes: Vec<Notes>,
    removed: Vec<Option<Arc<Removed>>>,
    /// Indexes of what stays, which get their names when the output has its own.
    indexes: Vec<AtomicFolder>,
    /// The groups of files that were not read.
    readers: Vec<Option<Reader>>,
    /// How far this node is.
    now: Progressed,
    work: Work,
}

fn course_begins(readers: &[Reader], shared: &Shared) -> Progressed {
    let mine = readers.iter().enumerate();
    let mine = mine.filter(|(group, _)| is_mine(shared.node, *group));
    Progressed {
        bytes_total: mine.map(|(_, reader)| reader.bytes_total()).sum(),
        ..Progressed::default()
    }
}

fn is_mine(node: Option<Node>, group: usize) -> bool {
    node.is_none_or(|node| node.of_group(group) == node.index())
}

impl Course<'_> {
    /// Brings the groups of this node through a stage.
    fn run_groups(&mut self, stage: usize) -> Result<(), Error> {
        let node = self.shared.node;
        let mut missing = self.notes[stage].missing(self.readers.len())?;
        missing.retain(|&group| is_mine(node, group));
        if missing.is_empty() {
            self.now.bytes = self.now.bytes_total.unwrap_or_default();
            return Ok(());
        }
        let before = match stage.checked_sub(1) {
            Some(before) => Some(self.decided(before)?),
            None => None,
        };
        let decision = self.decision(stage);
        let folder = self.work.begin(stage, |folder| {
            gather(folder, decision.clone(), self.shared).map(drop)
        })?;
        if before.is_none() {
            let todo = missing.iter().map(|&group| self.size(group)).sum::<u64>();
            self.now.bytes = self.now.bytes_total.unwrap_or_default() - todo;
        }
        let rows_total = match &before {
            None => None,
            Some(removed) => {
                let parts = removed.parts().iter();
                let parts = parts.filter(|part| missing.contains(&part.group()));
                Some(removed.stays(parts))
            }
        };
        self.begin(stage, rows_total);
        for group in missing {
            let size = self.size(group);
            let reader = self.reader(group, before.as_ref());
            let mut gather = gather(&folder, decision.clone(), self.shared)?.of_group(group)?;
            let done = self.run_group(stage, group, reader, &mut gather)?;
            self.notes[stage].add(group, done)?;
            if before.is_none() {
                self.now.bytes += size;
            }
        }
        Ok(())
    }

    /// The progress tells of a stage from here on.
    fn begin(&mut self, stage: usize, rows_total: Option<u64>) {
        let stages = self.stages.len() + 1;
        self.now = std::mem::take(&mut self.now).of_stage(stage + 1, stages, rows_total);
    }

    fn decision(&self, stage: usize) -> Decision {
        self.stages[stage].decision.clone().unwrap_or_default()
    }

    fn size(&self, group: usize) -> u64 {
        let reader = self.readers[group].as_ref();
        reader.and_then(Reader::bytes_total).unwrap_or_default()
    }

    /// What a stage reads of a group: files, or what the stage before has put aside.
    fn reader(&mut self, group: usize, before: Option<&Arc<Removed>>) -> Reader {
        let reader = match before {
            None => self.readers[group].take().expect("a group is read once"),
            Some(removed) => {
                let parts = removed.parts().iter().copied();
                let parts = parts.filter(|part| part.group() == group).collect();
                Reader::aside(removed.clone(), parts, self.shared.limit)
            }
        };
        reader.after(self.now.bytes, self.now.bytes_total)
    }

    fn run_group(
        &mut self,
        stage: usize,
        group: usize,
        reader: Reader,
        gather: &mut Gather,
    ) -> Result<Done, Error> {
        let shared = self.shared;
        let rejects = shared.rejects.as_ref().filter(|_| stage == 0);
        let rejects = rejects.map(|_| self.work.rejects(group));
        let audit = shared.audit.as_ref().map(|_| self.work.audit(stage, group));
        let files = (rejects.as_deref(), audit.as_deref());
        let operators = &self.stages[stage].operators;
        let mut job = shared.job(reader, operators, Sink::Gather(gather), files)?;
        job.progressed = self.now.clone();
        let report = engine::run(job)?;
        let rows = gather.rows().to_vec();
        let count = rows.iter().map(|&rows| u64::from(rows)).sum();
        self.now.add(&report, count);
        Ok(Done::new(report, rows))
    }

    /// What was decided of a stage, when all its groups are there.
    fn decided(&mut self, stage: usize) -> Result<Arc<Removed>, Error> {
        if let Some(removed) = &self.removed[stage] {
            return Ok(removed.clone());
        }
        let removed = match self.load(stage)? {
            Some(removed) => Arc::new(removed),
            None => Arc::new(self.await_decision(stage)?),
        };
        // The rows of the stage before are in the parts of this one. Who goes on writes an index anew.
        if let Some(before) = stage.checked_sub(1)
            && self.shared.node.is_none_or(Node::is_first)
            && !(self.decision(before).writes_index() && self.work.kept().is_some())
        {
            self.work.discard(before);
        }
        // Of what was decided before, the counts are still needed.
        for removed in self.removed[..stage].iter_mut().flatten() {
            if let Some(removed) = Arc::get_mut(removed) {
                removed.forget();
            }
        }
        self.removed[stage] = Some(removed.clone());
        Ok(removed)
    }

    /// Decides when all groups are there, or waits until node 0 has.
    fn await_decision(&mut self, stage: usize) -> Result<Removed, Error> {
        self.wait_for_groups(stage)?;
        match self.shared.node.filter(|node| !node.is_first()) {
            None => self.decide(stage),
            Some(node) => wait::wait(node, self.shared, &self.now, || {
                Ok(self.load(stage)?.ok_or_else(Vec::new))
            }),
        }
    }

    /// Reads what was decided, the details only of what this node will read.
    fn load(&self, stage: usize) -> Result<Option<Removed>, Error> {
        let is_first = self.shared.node.is_none_or(Node::is_first);
        // An index is not kept before the run is over.
        if self.work.kept().is_none() || is_first && self.decision(stage).writes_index() {
            return Ok(None);
        }
        let writes = stage + 1 == self.stages.len() && is_first;
        let node = self.shared.node;
        Removed::load(&self.work.removed(stage), &self.work.stage(stage), |part| {
            writes || is_mine(node, part.group())
        })
    }

    fn decide(&mut self, stage: usize) -> Result<Removed, Error> {
        self.notes[stage].read(self.readers.len())?;
        let parts = self.notes[stage].parts().collect();
        let decision = self.decision(stage);
        let folder = self.work.stage(stage);
        let gather = gather(&folder, decision, self.shared)?;
        let mut removed = gather.decide(parts, self.shared.audit.is_some())?;
        self.indexes.extend(removed.take_written());
        if self.work.kept().is_some() {
            removed.publish(&self.work.removed(stage))?;
        }
        Ok(removed)
    }

    fn wait_for_groups(&self, stage: usize) -> Result<(), Error> {
        let Some(node) = self.shared.node else {
            return Ok(());
        };
        wait::wait(node, self.shared, &self.now, || {
            let missing = self.notes[stage].missing(self.readers.len())?;
            Ok(if missing.is_empty() {
                Ok(())
            } else {
                Err(missing)
            })
        })
    }

    /// Reads what the last of these stages has put aside, and writes it.
    fn write(&mut self, operators: &[Box<dyn Operator>], sink: Sink<'_>) -> Result<Report, Error> {
        let mut total = Report::default();
        for stage in 0..self.stages.len() {
            let removed = self.decided(stage)?;
            self.notes[stage].read(self.readers.len())?;
            let report = self.notes[stage].told().into_report();
            add(&mut total, report, stage == 0);
            add_decision(&mut total, &removed);
        }
        let last = self.stages.len();
        let removed = self.decided(last - 1)?;
        let parts = removed.parts().to_vec();
        self.now.bytes = self.now.bytes_total.unwrap_or_default();
        self.begin(last, Some(removed.stays(&parts)));
        let reader = Reader::aside(removed, parts, self.shared.limit);
        let reader = reader.after(self.now.bytes, self.now.bytes_total);
        let audit = self.shared.audit.as_ref().map(|_| self.work.audit(last, 0));
        let mut job = self
            .shared
            .job(reader, operators, sink, (None, audit.as_deref()))?;
        let (work, shared, groups) = (&self.work, self.shared, self.readers.len());
        job.progressed = self.now.clone();
        job.before_output = Some(Box::new(move || join_all(work, shared, last, groups)));
        let report = engine::run(job)?;
        let indexes = std::mem::take(&mut self.indexes);
        indexes.into_iter().try_for_each(AtomicFolder::commit)?;
        add(&mut total, report, false);
        Ok(total)
    }

    /// Another node decides and writes.
    fn wait_for_the_end(&self, node: Node) -> Result<Report, Error> {
        let stage = self.stages.len() - 1;
        let told = wait::wait(node, self.shared, &self.now, || {
            match self.work.finished()? {
                Some(told) => Ok(Ok(told)),
                None => Ok(Err(self.notes[stage].missing(self.readers.len())?)),
            }
        })?;
        Ok(told.into_report())
    }
}

fn gather(folder: &Path, decision: Decision, shared: &Shared) -> Result<Gather, Error> {
    Gather::create(folder, decision, shared.memory_size, shared.threads)
}

/// Rows that were found to be copies as they passed.
pub(crate) fn duplicates(steps: &[StepReport]) -> u64 {
    let is_dedup = |step: &&StepReport| matches!(&*step.name, "dedup_exact" | "dedup_images");
    let dedup = steps.iter().filter(is_dedup);
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
    let rows = decided.parts().iter().map(|part| u64::from(part.rows));
    let mut rows = rows.sum();
    for (name, count) in decided.counts() {
        let mut step = StepReport {
            name: name.to_string(),
            ..StepReport::default()
        };
        (step.rows_in, step.rows_out) = (rows, rows - count);
        rows -= count;
        total.steps.push(step);
        total.duplicates += count;
    }
}

/// Writes what was rejected, and why documents were dropped: stage by stage, group by group.
fn join_all(work: &Work, shared: &Shared, last: usize, groups: usize) -> Result<(), Error> {
    if let Some(path) = &shared.rejects {
        join(path, (0..groups).map(|group| work.rejects(group)))?;
    }
    if let Some(path) = &shared.audit {
        let stages = 0..last;
        let files = stages.flat_map(|stage| (0..groups).map(move |group| (stage, group)));
        let files = files.chain([(last, 0)]);
        join(path, files.map(|(stage, group)| work.audit(stage, group)))?;
    }
    Ok(())
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
