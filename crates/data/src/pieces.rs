//! A plan in pieces, for machines that share the work: pure functions from bytes to bytes.
//!
//! A run of one process brings batches through all steps, and where all documents must be known it puts
//! them aside. Here the same is done by workers that know nothing of each other. The files are cut into
//! [units](Pieces::units); a [`UnitReader`] makes [`Piece`]s of one, a batch each, and
//! [`apply`](Pieces::apply) brings a piece through a later [phase](Pieces::phases). Where documents are
//! compared, pieces carry facts on them; a [`Decider`] finds from those of a few
//! candidates what goes. An [`Ending`] takes the pieces in order and writes the output.
//!
//! What it is not: a scheduler. Who calls these functions, and where, is the caller's matter; the result
//! is that of [`run`](crate::Pipeline::run), byte by byte, as long as the `Ending` gets every piece once
//! and in order. `nexus.data` calls them from Ray.

mod decide;
mod ending;
pub mod facts;
mod note;
mod outline;
mod unit;

use crate::audit::{self, Original};
use crate::operators::{Operator, Stop, filter};
use crate::output::Target;
use crate::pipeline::{Source, Step};
use crate::settings::Settings;
use crate::sink::Encoder;
use crate::source::BatchLimit;
use crate::stages::{Decision, decode, encode_behind};
use crate::storage::Storage;
use crate::turnstile::Turn;
use crate::{Error, ErrorKind, ExactCopies, NearCopies, Pipeline, RunOptions, StepReport};
use arrow_array::RecordBatch;
use arrow_buffer::Buffer;
use facts::{Facts, Seen};
use nexus_dedup::MinHasher;
use note::Note;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

pub use decide::{Decider, Removals};
pub use ending::Ending;
pub use outline::Outline;
pub use unit::{UnitReader, Units};

/// A batch on its way, as bytes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Piece {
    /// Where it stands: the number of its unit, and its own in the unit in the lower 32 bits.
    pub place: u64,
    /// Its rows as an Arrow stream, or at the end as the output takes them; none where there are none.
    pub frame: Option<Buffer>,
    /// What the rows are compared by, where that comes next.
    pub facts: Option<Vec<u8>>,
    /// What was done so far: counts, rejects, audit.
    pub note: Vec<u8>,
}

/// A plan, ready to be run in pieces. Holds what its steps hold: tokenizers, models, tables.
///
/// ```
/// use nexus_data::pieces::{Decider, Ending, Pieces, Removals, facts};
/// use nexus_data::{Pipeline, RunOptions};
/// use std::sync::Arc;
///
/// # let folder = tempfile::tempdir()?;
/// # let folder = folder.path();
/// std::fs::write(folder.join("a.jsonl"), "{\"text\": \"one\"}\n{\"text\": \"two\"}\n")?;
/// std::fs::write(folder.join("b.jsonl"), "{\"text\": \"one\"}\n")?;
/// let plan = Pipeline::read(folder).dedup_exact().write_jsonl(folder.join("out"));
/// let pieces = Arc::new(Pieces::new(&plan, &RunOptions::default())?);
///
/// // Phase 0, anywhere: a unit is a few bytes of text.
/// let units = pieces.units(1)?;
/// let mut first = Vec::new();
/// for (number, unit) in units.units.iter().enumerate() {
///     for piece in pieces.read(number as u32, unit)? {
///         first.push(piece?);
///     }
/// }
/// // What is compared, joined by key: who shares one is a candidate.
/// let mut records = facts::Records::default();
/// for piece in &first {
///     records.append(piece.place, piece.facts.as_deref())?;
/// }
/// let mut wanted = facts::shared(&records)?;
/// wanted.sort();
/// // Who goes.
/// let mut decider = Decider::new(&pieces, 0, &folder.join("work"))?;
/// for piece in &first {
///     let details = facts::details(piece.place, piece.facts.as_deref(), &wanted)?;
///     decider.add(piece.place, details.as_deref())?;
/// }
/// let removals = Removals::decode(&decider.finish()?)?;
/// // Phase 1, anywhere, and the end.
/// let mut ending = Ending::new(&pieces, units.skipped)?;
/// for piece in first {
///     ending.add(&pieces.apply(1, piece, Some(&removals))?)?;
/// }
/// let report = ending.finish(1)?;
/// assert_eq!((report.rows(), report.duplicates), (2, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Pieces {
    pipeline: Pipeline,
    storage: Arc<dyn Storage>,
    limit: BatchLimit,
    memory_size: u64,
    phases: Vec<Phase>,
    target: Option<Target>,
    encoder: Option<Encoder>,
    /// A batch without rows as it comes out of the last step, where that is known beforehand.
    trial: Option<RecordBatch>,
}

/// Steps up to a decision, or to the end.
struct Phase {
    operators: Vec<Box<dyn Operator>>,
    barrier: Option<Barrier>,
    /// Of the barrier, when no thread has it.
    hasher: Mutex<Option<MinHasher>>,
    /// The stage of a run of one process that writes their lines of the audit.
    stage: usize,
}

/// Where all documents must be known.
struct Barrier {
    decision: Decision,
    /// One process decides as the documents pass, and does not know which is whose copy.
    is_streaming: bool,
}

impl Pieces {
    /// Cuts a plan. Reads the files that its steps need, and no other.
    ///
    /// # Errors
    /// Those of [`run`](Pipeline::run) that concern the steps and the output's path;
    /// [`Unsupported`](ErrorKind::Unsupported) for a source of batches or tables, and for a step that is not
    /// done in pieces, with a hint what does it instead.
    pub fn new(pipeline: &Pipeline, options: &RunOptions) -> Result<Self, Error> {
        let options = RunOptions {
            resume: false,
            node: None,
            ..options.clone()
        };
        check(pipeline)?;
        let mut limit = options.batch_limit()?;
        limit.rows = limit.rows.min(pipeline.batch_rows_max());
        let memory_size = options.memory()?;
        pipeline.keys.check()?;
        let output = pipeline.output.as_ref();
        let target = output
            .map(|output| output.target(&pipeline.keys))
            .transpose()?;
        let stages = pipeline.stages(&options)?;
        let trial = pipeline.trial(&stages)?;
        let mut streaming = pipeline.steps.iter().filter_map(|step| match step {
            Step::DedupExact(exact) if !exact.is_decided_late(&options) => Some(exact.clone()),
            _ => None,
        });
        let mut phases = Vec::new();
        for (number, stage) in stages.into_iter().enumerate() {
            let mut phase = Phase::new(number);
            for operator in stage.operators {
                if operator.name() == ExactCopies::OP && !operator.is_foreign() {
                    let exact = streaming.next();
                    phase.barrier = Some(Barrier {
                        decision: Decision {
                            exact,
                            ..Decision::default()
                        },
                        is_streaming: true,
                    });
                    phases.push(std::mem::replace(&mut phase, Phase::new(number)));
                } else {
                    phase.operators.push(operator);
                }
            }
            phase.barrier = stage.decision.map(|decision| Barrier {
                decision,
                is_streaming: false,
            });
            phases.push(phase);
        }
        let encoder = target.as_ref().map(Encoder::new);
        if let (Some(encoder), Some(batch)) = (&encoder, &trial) {
            // A column without a form in the format is known before the first file is read.
            encoder.encode(batch.clone())?;
        }
        Ok(Self {
            storage: pipeline.storage.for_run(&options.cancel),
            pipeline: pipeline.clone(),
            limit,
            memory_size,
            phases,
            target,
            encoder,
            trial,
        })
    }

    /// How many phases there are: one, and one more for each place where all documents must be known.
    pub fn phases(&self) -> usize {
        self.phases.len()
    }

    /// Whether the result is written; else pieces end as Arrow streams.
    pub fn has_output(&self) -> bool {
        self.target.is_some()
    }

    /// Brings a piece through phase `number`, from 1 on. `removals` is what was decided before it.
    /// Time and memory are those of the steps, and a copy of the rows.
    ///
    /// # Errors
    /// Those of the steps; [`Corrupt`](ErrorKind::Corrupt) for bytes that are no piece.
    ///
    /// # Panics
    /// When there is no such phase.
    pub fn apply(
        &self,
        number: usize,
        piece: Piece,
        removals: Option<&Removals>,
    ) -> Result<Piece, Error> {
        let mut note = Note::decode(&piece.note)?;
        let Some(frame) = piece.frame else {
            return Ok(Piece {
                facts: None,
                ..piece
            });
        };
        let mut batch = decode(frame)?;
        if let (Some(removals), Some(barrier)) = (removals, &self.phases[number - 1].barrier) {
            let audit = self.phases[number].stage;
            batch = self.drop_removed(batch, piece.place, barrier, removals, (audit, &mut note))?;
        }
        self.pass(number, piece.place, batch, note, None)
    }

    /// Brings a batch through the steps of a phase.
    fn pass(
        &self,
        number: usize,
        place: u64,
        mut batch: RecordBatch,
        mut note: Note,
        seen: Option<&mut Seen>,
    ) -> Result<Piece, Error> {
        let phase = &self.phases[number];
        let mut turn = Turn::new(place);
        turn.audit = self.pipeline.audit.as_ref().map(|_| Vec::new());
        for operator in &phase.operators {
            batch = note.measure(operator.as_ref(), batch, |batch| {
                match operator.apply(batch, &mut turn) {
                    Ok(batch) => Ok(batch),
                    Err(Stop::Failed(error)) => Err(error),
                    Err(Stop::Closed) => Err(Error::cancelled()),
                }
            })?;
        }
        note.audit(phase.stage, turn.audit.take());
        // A run of one process counts those of its first stage alone.
        note.rejects
            .extend(turn.rejects.into_iter().filter(|_| phase.stage == 0));
        note.rows = batch.num_rows() as u64;
        let facts = match &phase.barrier {
            Some(barrier) => Some(phase.facts(&barrier.decision, &batch, seen)?),
            None => None,
        };
        let is_last = number + 1 == self.phases.len();
        let start = Instant::now();
        let frame = match &self.encoder {
            Some(encoder) if is_last => encoder.pack(batch)?,
            _ => encode_behind(0, &batch)?,
        };
        note.sink_seconds += start.elapsed().as_secs_f64();
        Ok(Piece {
            place,
            frame: Some(frame.into()),
            facts,
            note: note.encode(),
        })
    }

    /// The rows that stay.
    fn drop_removed(
        &self,
        batch: RecordBatch,
        place: u64,
        barrier: &Barrier,
        removals: &Removals,
        (stage, note): (usize, &mut Note),
    ) -> Result<RecordBatch, Error> {
        let mut turn = Turn::new(place);
        turn.audit = self.pipeline.audit.as_ref().map(|_| Vec::new());
        let mut keep = vec![true; batch.num_rows()];
        let mut counts: Vec<_> = barrier.steps().map(|step| (step, 0)).collect();
        let mut lines = audit::Lines::of(&mut turn, &batch);
        for removal in removals.of(place) {
            let Some(keep) = keep.get_mut(removal.row as usize) else {
                return Err(corrupt("a removal names a row that is not there"));
            };
            *keep = false;
            let counted = counts.iter_mut().find(|(step, _)| *step == removal.step);
            let (step, count) = counted.ok_or_else(|| corrupt("a removal names no step"))?;
            *count += 1;
            if barrier.is_streaming {
                lines.duplicate(removal.row as usize, step, &Original::default(), None);
            } else {
                let original = Original {
                    id: removal.duplicate_of,
                    index: None,
                };
                lines.duplicate(removal.row as usize, step, &original, removal.similarity);
            }
        }
        note.audit(stage, turn.audit.take());
        let mut rows = batch.num_rows() as u64;
        for (step, count) in counts {
            let mut report = StepReport::default();
            step.clone_into(&mut report.name);
            (report.rows_in, report.rows_out) = (rows, rows - count);
            rows -= count;
            note.steps.push(report);
        }
        filter(batch, keep)
    }
}

impl Phase {
    fn new(stage: usize) -> Self {
        Self {
            operators: Vec::new(),
            barrier: None,
            hasher: Mutex::default(),
            stage,
        }
    }

    /// What the rows are compared by.
    fn facts(
        &self,
        decision: &Decision,
        batch: &RecordBatch,
        seen: Option<&mut Seen>,
    ) -> Result<Vec<u8>, Error> {
        let lock = || self.hasher.lock().unwrap_or_else(PoisonError::into_inner);
        let free = lock().take();
        let mut facts = Facts::new(decision, free)?;
        let found = facts.of(batch, seen)?;
        *lock() = facts.into_hasher();
        Ok(found)
    }
}

impl Barrier {
    /// The steps that are decided, in order.
    fn steps(&self) -> impl Iterator<Item = &'static str> {
        let exact = self.decision.exact.as_ref().map(|_| ExactCopies::OP);
        let near = self.decision.near.as_ref().map(|_| NearCopies::OP);
        exact.into_iter().chain(near)
    }
}

/// Refuses what is more than a function of one batch, or a decision on few candidates.
fn check(pipeline: &Pipeline) -> Result<(), Error> {
    let refused = |what: &str, hint: &'static str| {
        let message = format!("{what} is not done in pieces");
        Err(Error::new(ErrorKind::Unsupported, message).with_hint(hint))
    };
    match &pipeline.source {
        Source::Path(_) => {}
        Source::Table(_) => return refused("a source of Arrow tables", "write it to files first"),
        Source::Batches(_) => return refused("a source of batches", "write it to files first"),
    }
    let share = "share the run between nodes: `run(node=(I, N), work=FOLDER)`";
    for step in &pipeline.steps {
        match step {
            Step::DedupImages(_) => {
                let hint = "run the plan in one process";
                return refused("step `dedup_images`", hint);
            }
            Step::DedupLines(_) => return refused("step `dedup_lines`", share),
            Step::DedupSubstrings(_) => return refused("step `dedup_substrings`", share),
            Step::DedupExact(exact) if exact.has_index() => {
                return refused("step `dedup_exact` with an index", share);
            }
            Step::DedupNear(near) if near.has_index() => {
                return refused("step `dedup_near` with an index", share);
            }
            // No `_`: whoever adds a step says here whether it is a function of one batch.
            Step::Clean
            | Step::MinChars(_)
            | Step::Format(_)
            | Step::Quality(_)
            | Step::DedupExact(_)
            | Step::DedupNear(_)
            | Step::Images(_)
            | Step::ImageTensors(_)
            | Step::Tokenize(_)
            | Step::TokenizeFile(_)
            | Step::Cut(_)
            | Step::Map(_)
            | Step::Filter(_)
            | Step::FilterBatches { .. }
            | Step::MapBatches { .. } => {}
        }
    }
    Ok(())
}

fn corrupt(what: &str) -> Error {
    Error::new(ErrorKind::Corrupt, format!("cannot take a piece: {what}"))
}
