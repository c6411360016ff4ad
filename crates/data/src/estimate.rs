//! What a run would do and cost, by a sample. Nothing is written.
//!
//! The sample is the first records of evenly chosen places of the source, the same for the same files.
//! They go through all steps in memory, on one thread. What is found for the bytes of the sample stands
//! for all bytes of the source; how much the places differ says how sure that is.

mod places;
mod show;
mod tally;
mod track;

use crate::limits::{ESTIMATE_SAMPLE_SIZE_MIN, ESTIMATE_SECONDS_MAX};
use crate::pipeline::{Pipeline, RunOptions, Source};
use crate::sink::HELD_SIZE;
use crate::source::{BatchLimit, Listing, list};
use crate::{Error, ErrorKind};
use places::{Place, Reading, choose};
use serde::Serialize;
use std::time::{Duration, Instant};
use tally::{Sum, Tally};
use track::Track;

/// A number that a sample tells, and how sure that is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Estimated {
    /// The number.
    pub value: f64,
    /// Twice its standard error: in 19 of 20 cases the true number is no farther away, if the places of
    /// the sample are like the others. 0 where all was counted, `None` where there was but one place.
    pub margin: Option<f64>,
}

/// What a step would do.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct StepEstimate {
    /// The stage of the run, from 1.
    pub stage: usize,
    /// The step's name in plans.
    pub name: String,
    /// Rows that come in.
    pub rows_in: Estimated,
    /// Rows that go out.
    pub rows_out: Estimated,
    /// Seconds of one core.
    pub cpu_seconds: Estimated,
}

/// How many documents a step would drop for one reason.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct DropEstimate {
    /// The step's name in plans.
    pub step: String,
    /// The reason.
    pub reason: String,
    /// How many documents.
    pub count: Estimated,
}

/// What a run would do and cost: see [`Pipeline::estimate`].
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Estimate {
    /// Files of the source.
    pub files: u64,
    /// Their bytes on disk.
    pub bytes: u64,
    /// Their bytes decompressed.
    pub plain_bytes: Estimated,
    /// Documents that are read.
    pub documents: Estimated,
    /// Records that cannot be read.
    pub rejected: Estimated,
    /// Rows that come out of the last step: at most, where steps look for copies.
    pub kept: Estimated,
    /// Why documents are dropped.
    pub dropped: Vec<DropEstimate>,
    /// The steps in order, `read` first.
    pub steps: Vec<StepEstimate>,
    /// Seconds of one core in all.
    pub cpu_seconds: Estimated,
    /// Wall-clock seconds on so many threads.
    pub seconds: Estimated,
    /// Worker threads.
    pub threads: usize,
    /// Bytes of memory that the run takes, besides the program and its models.
    pub memory_bytes: Estimated,
    /// Bytes on disk of what waits for all documents, in the work folder.
    pub work_bytes: Estimated,
    /// Bytes of the output; 0 without one.
    pub output_bytes: Estimated,
    /// Places of the source that the sample was read from.
    pub places: usize,
    /// Bytes on disk of the sample.
    pub sample_bytes: u64,
    /// Documents of the sample.
    pub sample_documents: u64,
    /// What the sample took, in seconds.
    pub sample_seconds: f64,
    /// Whether the sample is the whole source.
    pub is_whole: bool,
    /// What a sample cannot know.
    pub notes: Vec<String>,
}

/// Bytes of a sample if nothing is said.
pub const SAMPLE_SIZE: u64 = 32 << 20;

/// Decompressed bytes that are read of a file at most because a decompressor has them.
const BUFFERED_SIZE: u64 = 1 << 20;

/// What the set of `dedup_exact` takes for each document in memory, at most.
const SEEN_SIZE: f64 = 36.0;

impl Pipeline {
    /// Estimates what [`run`](Self::run) with these options would do and cost, by a sample of at most
    /// `sample_size_bytes` decompressed bytes ([`SAMPLE_SIZE`](crate::SAMPLE_SIZE) is a good number), or
    /// what can be read in [`ESTIMATE_SECONDS_MAX`](crate::limits::ESTIMATE_SECONDS_MAX).
    ///
    /// Nothing is written. Functions are called with the documents of the sample. Copies are found within
    /// the sample by `dedup_exact` in memory alone; the notes of the estimate say so.
    ///
    /// ```
    /// use nexus_data::{Pipeline, RunOptions, SAMPLE_SIZE};
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let folder = folder.path();
    /// std::fs::write(folder.join("a.jsonl"), "{\"text\": \"a text\"}\n{\"text\": \"x\"}\n".repeat(500))?;
    /// let pipeline = Pipeline::read(folder).min_chars(3).write(folder.join("out.jsonl.gz"));
    /// let estimate = pipeline.estimate(&RunOptions::default(), SAMPLE_SIZE)?;
    /// assert_eq!((estimate.documents.value, estimate.kept.value), (1000.0, 500.0));
    /// assert_eq!(estimate.kept.margin, Some(0.0));
    /// assert!(!folder.join("out.jsonl.gz").exists());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`run`](Self::run) that do not concern writing;
    /// [`Unsupported`](crate::ErrorKind::Unsupported) when the source is not files.
    pub fn estimate(
        &self,
        options: &RunOptions,
        sample_size_bytes: u64,
    ) -> Result<Estimate, Error> {
        let start = Instant::now();
        let (threads, limit) = (options.threads()?, options.batch_limit()?);
        let memory_size = options.memory()?;
        let target = self
            .output
            .as_ref()
            .map(|output| output.target(&self.keys))
            .transpose()?;
        self.keys.check()?;
        if sample_size_bytes < ESTIMATE_SAMPLE_SIZE_MIN {
            return Err(Error::limit(format!(
                "the sample is {sample_size_bytes} bytes, ESTIMATE_SAMPLE_SIZE_MIN is \
                 {ESTIMATE_SAMPLE_SIZE_MIN}"
            )));
        }
        let Source::Path(path) = &self.source else {
            let message =
                "cannot estimate a run over Arrow batches: how many there are is not known";
            let error = Error::new(ErrorKind::Unsupported, message);
            return Err(error.with_hint("run it on some of them"));
        };
        let stages = self.stages(options)?;
        self.trial(&stages)?;
        let mut track = Track::new(stages, target.as_ref(), memory_size);
        let Listing {
            inputs, rejects, ..
        } = list(
            path,
            &self.storage.for_run(&options.cancel),
            self.image_column(),
            &self.keys,
        )?;
        let (files, bytes) = (
            inputs.len() as u64,
            inputs.iter().map(|input| input.size).sum(),
        );
        let places = choose(inputs);
        let share = (sample_size_bytes / places.len().max(1) as u64).max(1);
        let limit_here = BatchLimit {
            rows: limit.rows,
            size_bytes: limit.size_bytes.min(share as usize).max(1),
        };
        let mut tallies = Vec::new();
        let is_late = || start.elapsed() >= Duration::from_secs(ESTIMATE_SECONDS_MAX);
        let all = places.len();
        for place in places {
            if is_late() {
                break;
            }
            tallies.push(sample(
                place, &mut track, limit_here, share, options, &is_late,
            )?);
        }
        let is_whole = tallies.len() == all && tallies.iter().all(|tally| tally.is_whole);
        let sum = Sum {
            tallies: &tallies,
            bytes,
            is_whole,
        };
        let mut estimate = build(&sum, &track, threads, rejects.len());
        let grow = limit.size_bytes as f64 / limit_here.size_bytes as f64;
        let widest = tallies.iter().map(|tally| tally.widest).max().unwrap_or(0);
        estimate.memory_bytes = memory(&estimate, &track, widest as f64 * grow, memory_size);
        estimate.files = files;
        estimate.sample_seconds = start.elapsed().as_secs_f64();
        estimate.notes = notes(&estimate, &track, is_late());
        Ok(estimate)
    }
}

/// Reads a place until the share of the sample is there, and brings it through the steps.
fn sample(
    place: Place,
    track: &mut Track,
    limit: BatchLimit,
    share: u64,
    options: &RunOptions,
    is_late: &dyn Fn() -> bool,
) -> Result<Tally, Error> {
    let mut reading = place.read(limit);
    let mut tally = track.begin();
    // A packed file that the decompressor has already is read to its end: how much of it was taken
    // out so far is not known.
    let more = |tally: &Tally, reading: &Reading| {
        tally.plain < share
            || tally.plain < share.saturating_add(BUFFERED_SIZE) && reading.is_buffered()
    };
    while more(&tally, &reading) && !is_late() {
        if options.cancel.is_cancelled() {
            return Err(Error::cancelled());
        }
        if !track.next(&mut reading, &mut tally)? {
            tally.is_whole = true;
            break;
        }
    }
    tally.is_whole |= reading.is_done();
    reading.measure(&mut tally);
    track.end(&mut tally)?;
    Ok(tally)
}

fn build(sum: &Sum<'_>, track: &Track, threads: usize, unlisted: usize) -> Estimate {
    let steps: Vec<_> = (track.names().enumerate())
        .map(|(at, (stage, name))| StepEstimate {
            stage,
            name: name.to_owned(),
            rows_in: sum.count(|tally| tally.steps[at].rows_in as f64),
            rows_out: sum.count(|tally| tally.steps[at].rows_out as f64),
            cpu_seconds: sum.time(|tally| tally.steps[at].seconds),
        })
        .collect();
    let mut rejected = sum.count(|tally| tally.rejected as f64);
    rejected.value += unlisted as f64;
    let dropped = sum
        .dropped()
        .into_iter()
        .map(|(step, reason)| DropEstimate {
            count: sum.count(|tally| tally.dropped_for(&step, &reason) as f64),
            step,
            reason,
        });
    Estimate {
        files: 0,
        bytes: sum.bytes,
        plain_bytes: sum.count(|tally| tally.plain as f64),
        documents: sum.count(|tally| tally.steps[0].rows_out as f64),
        rejected,
        kept: sum.count(|tally| tally.steps.last().map_or(0.0, |step| step.rows_out as f64)),
        dropped: dropped.collect(),
        cpu_seconds: sum.time(Tally::seconds),
        seconds: sum.time(|tally| track.wall_seconds(tally, threads)),
        steps,
        threads,
        memory_bytes: Estimated::default(),
        work_bytes: sum.count(|tally| tally.work as f64),
        output_bytes: sum.count(|tally| tally.output as f64),
        places: sum.tallies.len(),
        sample_bytes: sum.disk() as u64,
        sample_documents: sum
            .tallies
            .iter()
            .map(|tally| tally.steps[0].rows_out)
            .sum(),
        sample_seconds: 0.0,
        is_whole: sum.is_whole,
        notes: Vec::new(),
    }
}

/// Batches under way, sets of what was seen, what a writer holds.
fn memory(estimate: &Estimate, track: &Track, widest: f64, memory_size: u64) -> Estimated {
    let mut memory = Estimated {
        value: estimate.threads as f64 * widest,
        margin: Some(0.0),
    };
    for at in track.seen() {
        let seen = estimate.steps[at].rows_out;
        memory.value += SEEN_SIZE * seen.value;
        memory.margin = memory
            .margin
            .zip(seen.margin)
            .map(|(margin, rows)| margin + SEEN_SIZE * rows);
    }
    if track.decides() {
        memory.value += memory_size as f64;
    }
    if track.holds_rows() {
        memory.value += estimate.output_bytes.value.min(HELD_SIZE as f64);
    }
    memory
}

fn notes(estimate: &Estimate, track: &Track, is_late: bool) -> Vec<String> {
    let mut notes = Vec::new();
    let mut note = |condition: bool, text: &str| {
        if condition {
            notes.push(text.to_owned());
        }
    };
    note(
        !estimate.is_whole,
        "the first records of each place stand for those behind them: files whose records are sorted \
         mislead",
    );
    note(
        !estimate.is_whole && estimate.places < 2,
        "there was but one place, so how sure the numbers are is not known",
    );
    note(is_late, "the sample ended when its time was over");
    note(
        track.decides() || track.seen().next().is_some() && !estimate.is_whole,
        "copies are more over all documents than within a sample: what is kept, written and done behind \
         `dedup` is at most this",
    );
    note(
        track.decides(),
        "comparing candidates when all documents are known takes time that is left out",
    );
    note(
        true,
        "times are those of this machine as busy as it is now, and of steps that were just begun",
    );
    notes
}
