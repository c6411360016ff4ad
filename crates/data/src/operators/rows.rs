//! Steps that are functions of a row, and the step that is a function of a batch.

use super::{Operator, Stop, filter};
use crate::audit::Lines;
use crate::batch::{Row, columns, string_array, strings, with_columns};
use crate::limits::COLUMN_SIZE_MAX;
use crate::source::{is_string, utf8};
use crate::turnstile::Turn;
use crate::{BoxError, Error};
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, LargeListArray, ListArray, RecordBatch};
use arrow_buffer::OffsetBuffer;
use arrow_schema::DataType;
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
        let batch = (self.function)(batch).map_err(|error| Error::function(&self.name, error))?;
        Ok(conform(batch)?)
    }
}

/// Gives the columns that steps know the types that they know: other libraries have several for text
/// and for lists.
fn conform(batch: RecordBatch) -> Result<RecordBatch, Error> {
    use columns::{ENDS, FIELDS, ID, IDS, PASSAGE, SOURCE, STARTS, TEXT};
    let mut changed: Vec<(&'static str, ArrayRef)> = Vec::new();
    for name in [ID, TEXT, SOURCE, FIELDS, PASSAGE] {
        if let Some(column) = batch.column_by_name(name)
            && is_string(column.data_type())
            && *column.data_type() != DataType::Utf8
        {
            changed.push((name, Arc::new(utf8(column)?)));
        }
    }
    for name in [IDS, STARTS, ENDS] {
        if let Some(lists) = batch
            .column_by_name(name)
            .and_then(|column| column.as_list_opt())
        {
            changed.push((name, Arc::new(narrow(lists)?)));
        }
    }
    if changed.is_empty() {
        return Ok(batch);
    }
    with_columns(&batch, changed)
}

/// The same lists with offsets of 32 bits.
fn narrow(lists: &LargeListArray) -> Result<ListArray, Error> {
    let offsets = lists.value_offsets().iter().map(|&end| i32::try_from(end));
    let offsets: Vec<i32> = offsets.collect::<Result<_, _>>().map_err(|_| {
        Error::limit(format!(
            "a batch has more tokens than COLUMN_SIZE_MAX = {COLUMN_SIZE_MAX}"
        ))
    })?;
    let DataType::LargeList(item) = lists.data_type() else {
        unreachable!("the lists are large");
    };
    let offsets = OffsetBuffer::new(offsets.into());
    ListArray::try_new(
        item.clone(),
        offsets,
        lists.values().clone(),
        lists.nulls().cloned(),
    )
    .map_err(|error| Error::arrow("take lists", error))
}
