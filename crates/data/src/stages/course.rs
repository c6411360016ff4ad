//! A run of several stages under way: group by group, decision by decision.

use super::decision::Decision;
use super::gather::Gather;
use super::notes::{Done, Notes};
use super::removed::Removed;
use super::work::Work;
use super::{Shared, Stage, total, wait};
use crate::atomic::AtomicFolder;
use crate::engine::{self, Sink};
use crate::operators::Operator;
use crate::report::Progressed;
use crate::source::Reader;
use crate::{Error, Node, Report};
use std::path::Path;
use std::sync::Arc;

/// A run of several stages under way.
pub(super) struct Course<'a> {
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
    pub(super) work: Work,
}

fn begins(readers: &[Reader], shared: &Shared) -> Progressed {
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

impl<'a> Course<'a> {
    /// `readers` are the groups, `stages` those that end with a decision.
    pub(super) fn new(
        readers: Vec<Reader>,
        stages: &'a [Stage],
        shared: &'a Shared,
        work: Work,
    ) -> Result<Self, Error> {
        let notes = (0..stages.len()).map(|stage| Notes::open(work.kept(), stage));
        Ok(Self {
            shared,
            stages,
            notes: notes.collect::<Result<_, _>>()?,
            removed: stages.iter().map(|_| None).collect(),
            indexes: Vec::new(),
            now: begins(&readers, shared),
            readers: readers.into_iter().map(Some).collect(),
            work,
        })
    }

    /// Brings the groups of this node through a stage.
    pub(super) fn run_groups(&mut self, stage: usize) -> Result<(), Error> {
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
    pub(super) fn write(
        &mut self,
        operators: &[Box<dyn Operator>],
        sink: Sink<'_>,
    ) -> Result<Report, Error> {
        let mut total = Report::default();
        for stage in 0..self.stages.len() {
            let removed = self.decided(stage)?;
            self.notes[stage].read(self.readers.len())?;
            let report = self.notes[stage].told().into_report();
            total::add(&mut total, report, stage == 0);
            total::add_decision(&mut total, &removed);
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
        job.before_output = Some(Box::new(move || {
            total::join_all(work, shared, last, groups)
        }));
        let report = engine::run(job)?;
        let indexes = std::mem::take(&mut self.indexes);
        indexes.into_iter().try_for_each(AtomicFolder::commit)?;
        total::add(&mut total, report, false);
        Ok(total)
    }

    /// Another node decides and writes.
    pub(super) fn wait_for_the_end(&self, node: Node) -> Result<Report, Error> {
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
