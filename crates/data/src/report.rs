//! What a run tells while it works and when it is done. How that is shown is the caller's matter.

use crate::limits::{REASON_LEN_MAX, SAMPLES_MAX};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How far a run is.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Progressed {
    /// Rows that left the last step.
    pub rows: u64,
    /// Bytes read from the source's files, compressed ones as they lie on disk.
    pub bytes: u64,
    /// The bytes of all files of the source; `None` when the source is no files.
    pub bytes_total: Option<u64>,
    /// The stage that is under way, from 1.
    pub stage: usize,
    /// How many stages the run has.
    pub stages: usize,
    /// Rows that this stage has read.
    pub rows_read: u64,
    /// Rows that this stage will read: those that earlier stages left, and that no earlier run has read.
    /// `None` in the first stage.
    pub rows_total: Option<u64>,
    /// Bytes of the source's files that this stage has read.
    pub stage_bytes: u64,
    /// Wall-clock time of this stage.
    pub seconds: f64,
    /// What the steps of this stage did so far.
    pub steps: Vec<StepReport>,
    /// What a [node](crate::Node) waits for; `None` while it works.
    pub waiting: Option<Waiting>,
}

/// What one node of a run waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Waiting {
    /// The node, from 0, that has something to do; the first, if there are several.
    pub node: usize,
    /// Groups of files that are missing, from all nodes; 0 where node 0 decides or writes.
    pub groups: u64,
}

impl Progressed {
    /// Documents that this stage reads in a second of wall-clock time.
    pub fn rows_per_second(&self) -> f64 {
        per_second(self.rows_read, self.seconds)
    }

    /// Bytes of the source's files that this stage reads in a second; 0 in all but the first stage.
    pub fn bytes_per_second(&self) -> f64 {
        per_second(self.stage_bytes, self.seconds)
    }

    /// The part of this stage that is done, from 0 to 1; `None` where nobody knows.
    pub fn fraction(&self) -> Option<f64> {
        let (done, total) = match self.rows_total {
            Some(total) => (self.rows_read, total),
            None => (self.bytes, self.bytes_total?),
        };
        let part = done as f64 / total as f64;
        Some(if total == 0 { 1.0 } else { part.min(1.0) })
    }

    /// Seconds until this stage is done, if it goes on as it went; `None` where nobody knows.
    pub fn seconds_left(&self) -> Option<f64> {
        let (done, left) = match self.rows_total {
            Some(total) => (self.rows_read, total.saturating_sub(self.rows_read)),
            None => (
                self.stage_bytes,
                self.bytes_total?.saturating_sub(self.bytes),
            ),
        };
        match (done, left) {
            (_, 0) => Some(0.0),
            (0, _) => None,
            (done, left) => Some(self.seconds * left as f64 / done as f64),
        }
    }

    /// How far a stage is at its beginning.
    pub(crate) fn of_stage(self, stage: usize, stages: usize, rows_total: Option<u64>) -> Self {
        Self {
            bytes: self.bytes,
            bytes_total: self.bytes_total,
            stage,
            stages,
            rows_total,
            ..Self::default()
        }
    }

    /// Adds what one job of the stage did, which has left `rows`.
    pub(crate) fn add(&mut self, job: &Report, rows: u64) {
        self.rows += rows;
        if let Some(read) = job.steps.first() {
            self.rows_read += read.rows_out;
            self.stage_bytes += read.bytes_in;
        }
        self.seconds += job.seconds;
        self.add_steps(&job.steps);
    }

    /// Adds what the same steps did since.
    pub(crate) fn add_steps(&mut self, steps: &[StepReport]) {
        if self.steps.is_empty() {
            self.steps.extend_from_slice(steps);
        } else {
            for (known, step) in self.steps.iter_mut().zip(steps) {
                known.add(step);
            }
        }
    }
}

pub(crate) fn per_second(count: u64, seconds: f64) -> f64 {
    if seconds > 0.0 {
        count as f64 / seconds
    } else {
        0.0
    }
}

/// Hears how far a run is, at most every 100 ms and once at its end.
///
/// Any closure `Fn(Progressed)` that may be called from any thread is one.
pub trait Progress: Send + Sync {
    /// Called from a worker thread; the run waits for it.
    fn update(&self, progressed: Progressed);
}

impl<F: Fn(Progressed) + Send + Sync> Progress for F {
    fn update(&self, progressed: Progressed) {
        self(progressed);
    }
}

/// What a run did.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Report {
    /// The steps in order, `read` first and the sink, if any, last.
    pub steps: Vec<StepReport>,
    /// Records that could not be read.
    pub rejected: Counted<Reject>,
    /// Files of other kinds than the readers know, by path.
    pub skipped: Counted<String>,
    /// Documents that a step dropped, by step and reason.
    pub dropped: Vec<Dropped>,
    /// Rows that `dedup_exact` and `dedup_near` removed.
    pub duplicates: u64,
    /// Files that were opened.
    pub files: u64,
    /// Wall-clock time of the run.
    pub seconds: f64,
    /// Worker threads.
    pub threads: usize,
}

impl Report {
    /// Rows that came out of the last step.
    pub fn rows(&self) -> u64 {
        self.steps.last().map_or(0, |step| step.rows_out)
    }
}

/// How many documents a step dropped for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Dropped {
    /// The step's name in plans.
    pub step: String,
    /// The reason: for filters the name that datatrove has for it.
    pub reason: String,
    /// How many documents.
    pub count: u64,
}

/// What one step did.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StepReport {
    /// Its name in plans.
    pub name: String,
    /// Rows that came in. For `read`, those read and those rejected.
    pub rows_in: u64,
    /// Rows that went out.
    pub rows_out: u64,
    /// Bytes that came in: of the files for `read`, else of the batches' Arrow buffers.
    pub bytes_in: u64,
    /// Time spent in the step, added up over all threads; waiting for a turn is left out.
    pub seconds: f64,
}

impl StepReport {
    /// Takes away what was done before.
    pub(crate) fn subtract(&mut self, before: &Self) {
        self.rows_in -= before.rows_in;
        self.rows_out -= before.rows_out;
        self.bytes_in -= before.bytes_in;
        self.seconds -= before.seconds;
    }

    /// Adds what the same step did elsewhere.
    pub(crate) fn add(&mut self, other: &Self) {
        self.rows_in += other.rows_in;
        self.rows_out += other.rows_out;
        self.bytes_in += other.bytes_in;
        self.seconds += other.seconds;
    }
}

/// What was dropped since `before`.
pub(crate) fn since(dropped: Vec<Dropped>, before: &[Dropped]) -> Vec<Dropped> {
    if before.is_empty() {
        return dropped;
    }
    let mut now: Vec<Dropped> = Vec::new();
    for each in dropped {
        match now.iter_mut().find(|known| known.is_like(&each)) {
            Some(known) => known.count += each.count,
            None => now.push(each),
        }
    }
    for old in before {
        if let Some(known) = now.iter_mut().find(|known| known.is_like(old)) {
            known.count -= old.count;
        }
    }
    now.retain(|each| each.count > 0);
    now
}

impl Dropped {
    /// Whether both are about the same step and reason.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        self.step == other.step && self.reason == other.reason
    }
}

/// A record that was set aside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reject {
    /// The file, as the column `source` names it.
    pub file: String,
    /// The line, row or record in the file, from 1; `None` where the file as a whole is meant.
    pub line: Option<u64>,
    /// What is wrong with it.
    pub reason: String,
}

impl Reject {
    /// The reason may repeat what a file says: only so much of it is kept.
    pub(crate) fn new(file: String, line: Option<u64>, mut reason: String) -> Self {
        const MORE: &str = "...";
        if reason.chars().nth(REASON_LEN_MAX).is_some() {
            let kept = reason.char_indices().nth(REASON_LEN_MAX - MORE.len());
            reason.truncate(kept.map_or(0, |(at, _)| at));
            reason.push_str(MORE);
        }
        Self { file, line, reason }
    }
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, reason } = self;
        match line {
            Some(line) => write!(f, "{file}:{line}: {reason}"),
            None => write!(f, "{file}: {reason}"),
        }
    }
}

/// Things that are all counted, and the first [`SAMPLES_MAX`] of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted<T> {
    /// How many there are.
    pub count: u64,
    /// The first of them.
    pub samples: Vec<T>,
}

impl<T> Default for Counted<T> {
    fn default() -> Self {
        Self {
            count: 0,
            samples: Vec::new(),
        }
    }
}

impl<T> Counted<T> {
    pub(crate) fn add(&mut self, item: T) {
        self.count += 1;
        if self.samples.len() < SAMPLES_MAX {
            self.samples.push(item);
        }
    }

    /// Adds those that come after these.
    pub(crate) fn append(&mut self, other: Self) {
        self.count += other.count;
        let room = SAMPLES_MAX.saturating_sub(self.samples.len());
        self.samples.extend(other.samples.into_iter().take(room));
    }
}

/// Passes progress on, but not more often than is useful.
pub(crate) struct Ticker {
    progress: Option<Arc<dyn Progress>>,
    last: Mutex<Option<Instant>>,
}

impl Ticker {
    const INTERVAL: Duration = Duration::from_millis(100);

    pub(crate) fn new(progress: Option<Arc<dyn Progress>>) -> Self {
        Self {
            progress,
            last: Mutex::new(None),
        }
    }

    pub(crate) fn tick(&self, progressed: impl FnOnce() -> Progressed) {
        let Some(progress) = &self.progress else {
            return;
        };
        // Whoever finds the lock taken has nothing to add.
        let Ok(mut last) = self.last.try_lock() else {
            return;
        };
        if last.is_none_or(|last| last.elapsed() >= Self::INTERVAL) {
            *last = Some(Instant::now());
            progress.update(progressed());
        }
    }

    pub(crate) fn end(&self, progressed: Progressed) {
        if let Some(progress) = &self.progress {
            progress.update(progressed);
        }
    }
}
