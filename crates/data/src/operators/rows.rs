//! Steps that are functions of a row, and the step that is a function of a batch.

use super::{Operator, Stop, filter};
use crate::audit::Lines;
use crate::batch::{Row, columns, string_array, strings, with_columns};
use crate::turnstile::Turn;
use crate::{BoxError, Error};
use arrow_array::RecordBatch;
use std::sync::Arc;

/// A function that gives a row's new text.
pub(crate) type MapFn = dyn Fn(Row<'_>) -> String + Send + Sync;
/// A function that says whether a row stays.
pub(crate) type FilterFn = dyn Fn(Row<'_>) -> bool + Send + Sync;
/// A function from batch to batch.
pub(crate) type BatchFn = dyn Fn(RecordBatch) -> Result<RecordBatch, BoxError> + Send + Sync;

/// Writes down the rows that go.
fn audit(turn: &mut Turn, batch: &RecordBatch, keep: &[bool], step: &str, reason: &str) {
    let mut audit = Lines::of(turn, batch);
    for (row, _) in keep.iter().enumerate().filter(|(_, keep)| !**keep) {
        audit.dropped(row, step, reason);
    }
}

pub(crate) struct MinChars(pub(crate) usize);

impl Operator for MinChars {
    fn name(&self) -> &'static str {
        "min_chars"
    }

    fn apply(&self, batch: RecordBatch, turn: &mut Turn) -> Result<RecordBatch, Stop> {
        let texts = strings(&batch, columns::TEXT, self.name())?;
        let is_long = |text: &str| text.chars().nth(self.0.saturating_sub(1)).is_some();
        let keep: Vec<_> = texts
            .iter()
            .map(|text| self.0 == 0 || text.is_some_and(is_long))
            .collect();
        audit(turn, &batch, &keep, self.name(), "short");
        Ok(filter(batch, keep)?)
    }
}

pub(crate) struct Map(pub(crate) Arc<MapFn>);

impl Operator for Map {
    fn name(&self) -> &'static str {
        "map"
    }

    fn apply(&self, batch: RecordBatch, _turn: &mut Turn) -> Result<RecordBatch, Stop> {
        strings(&batch, columns::TEXT, self.name())?;
        let texts: Vec<_> = (0..batch.num_rows())
            .map(|index| (self.0)(Row::new(&batch, index)))
            .collect();
        let texts = Arc::new(string_array(&texts)?);
        Ok(with_columns(&batch, [(columns::TEXT, texts as _)])?)
    }
}

pub(crate) struct Filter(pub(crate) Arc<FilterFn>);

impl Operator for Filter {
    fn name(&self) -> &'static str {
        "filter"
    }

    fn apply(&self, batch: RecordBatch, turn: &mut Turn) -> Result<RecordBatch, Stop> {
        let keep: Vec<_> = (0..batch.num_rows())
            .map(|index| (self.0)(Row::new(&batch, index)))
            .collect();
        audit(turn, &batch, &keep, self.name(), "function");
        Ok(filter(batch, keep)?)
    }
}

/// A function that says which rows of a batch stay.
pub(crate) type KeepFn = dyn Fn(&RecordBatch) -> Result<Vec<bool>, BoxError> + Send + Sync;

pub(crate) struct FilterBatches {
    pub(crate) name: String,
    pub(crate) function: Arc<KeepFn>,
}

impl Operator for FilterBatches {
    fn name(&self) -> &str {
        &self.name
    }

    fn apply(&self, batch: RecordBatch, turn: &mut Turn) -> Result<RecordBatch, Stop> {
        let keep = (self.function)(&batch).map_err(|error| Error::function(&self.name, error))?;
        if keep.len() != batch.num_rows() {
            let (answers, rows) = (keep.len(), batch.num_rows());
            let message = format!(
                "step `{}` gave {answers} answers for {rows} rows",
                self.name
            );
            return Err(Error::invalid(message).into());
        }
        audit(turn, &batch, &keep, &self.name, "function");
        Ok(filter(batch, keep)?)
    }
}

pub(crate) struct MapBatches {
    pub(crate) name: String,
    pub(crate) function: Arc<BatchFn>,
}

impl Operator for MapBatches {
    fn name(&self) -> &str {
        &self.name
    }

    fn is_foreign(&self) -> bool {
        true
    }

    fn apply(&self, batch: RecordBatch, _turn: &mut Turn) -> Result<RecordBatch, Stop> {
        (self.function)(batch).map_err(|error| Error::function(&self.name, error).into())
    }
}
