//! The steps between the reader and the sink.

mod clean;
mod cut;
mod cut_out;
mod dedup;
mod format;
mod judge;
mod pictures;
mod rows;
mod tokenize;

use crate::Error;
use crate::report::{Dropped, StepReport};
use crate::turnstile::{Closed, Turn};
use arrow_array::{BooleanArray, RecordBatch};
use arrow_select::filter::filter_record_batch;

pub(crate) use clean::Clean;
pub(crate) use cut::{Cut, SPECIAL_TOKENS};
pub(crate) use cut_out::CutOut;
pub(crate) use dedup::DedupExact;
pub(crate) use format::Format;
pub(crate) use judge::Judge;
pub(crate) use pictures::Pictures;
pub(crate) use rows::{
    BatchFn, Filter, FilterBatches, FilterFn, KeepFn, Map, MapBatches, MapFn, MinChars,
};
pub(crate) use tokenize::Tokenize;

/// A step: a function from batch to batch that any number of threads call at once.
pub(crate) trait Operator: Send + Sync {
    /// Its name in plans.
    fn name(&self) -> &str;

    /// Turns a batch into another. Most steps ignore the batch's turn; one with a state waits for
    /// it, and then implements `skip` and `close` too.
    fn apply(&self, batch: RecordBatch, turn: &mut Turn) -> Result<RecordBatch, Stop>;

    /// Called in place of `apply`, or after it has failed, when the batch is lost.
    fn skip(&self, _turn: &mut Turn) -> Result<(), Closed> {
        Ok(())
    }

    /// Lets nobody wait any longer: the run ends early.
    fn close(&self) {}

    /// Its name for people: those of its parts, where it has several.
    fn title(&self) -> String {
        let parts: Vec<_> = self.reports().into_iter().map(|part| part.name).collect();
        match parts[..] {
            [] => self.name().to_owned(),
            _ => parts.join(", "),
        }
    }

    /// Whether nobody knows what it does before it is done: a function of the user.
    fn is_foreign(&self) -> bool {
        false
    }

    /// A report for each part of a step that has several; empty for others.
    fn reports(&self) -> Vec<StepReport> {
        Vec::new()
    }

    /// How many documents it has dropped for which reason.
    fn dropped(&self) -> Vec<Dropped> {
        Vec::new()
    }
}

/// Why a step gave no batch.
#[derive(Debug)]
pub(crate) enum Stop {
    Failed(Error),
    Closed,
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<Closed> for Stop {
    fn from(Closed: Closed) -> Self {
        Self::Closed
    }
}

/// The rows of `batch` for which `keep` holds.
pub(crate) fn filter(batch: RecordBatch, keep: Vec<bool>) -> Result<RecordBatch, Error> {
    let keep = BooleanArray::from(keep);
    if keep.true_count() == keep.len() {
        return Ok(batch);
    }
    filter_record_batch(&batch, &keep).map_err(|error| Error::arrow("filter rows", error))
}
