//! Tables of Arrow that a pipeline reads in place of files.

use crate::batch::columns;
use crate::{BoxError, Error, ErrorKind};
use arrow_array::RecordBatchReader;
use std::fmt;
use std::sync::Arc;

/// Batches under way, and their columns.
pub(crate) type Reader = Box<dyn RecordBatchReader + Send>;

type Open = dyn Fn() -> Result<Reader, BoxError> + Send + Sync;

/// A table of Arrow that [`Pipeline::from_arrow`](crate::Pipeline::from_arrow) reads, and which of its
/// columns are the text and the id.
///
/// Rows are made of it as of a Parquet file: all other columns become the JSON object `fields`. A text
/// of type `Utf8` or `LargeUtf8` is not copied, one of `Utf8View` or of a dictionary is, batch by batch.
///
/// ```
/// use arrow_array::{RecordBatch, RecordBatchIterator, StringArray};
/// use nexus_data::{ArrowTable, Pipeline, RunOptions};
/// use std::sync::Arc;
///
/// let body = StringArray::from(vec![Some("One text."), None, Some("Another text.")]);
/// let batch = RecordBatch::try_from_iter([("body", Arc::new(body) as _)])?;
/// let table = ArrowTable::new(move || {
///     let batches = vec![Ok(batch.clone())];
///     Ok(Box::new(RecordBatchIterator::new(batches, batch.schema())))
/// });
/// let report = Pipeline::from_arrow(table.text("body")).run(&RunOptions::default())?;
/// assert_eq!((report.rows(), report.rejected.count), (2, 1));
/// assert_eq!(report.rejected.samples[0].to_string(), "arrow:2: `text` is null");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct ArrowTable {
    open: Arc<Open>,
    pub(crate) text: String,
    pub(crate) id: Option<String>,
}

impl ArrowTable {
    /// A table that each run opens anew.
    pub fn new<F>(open: F) -> Self
    where
        F: Fn() -> Result<Box<dyn RecordBatchReader + Send>, BoxError> + Send + Sync + 'static,
    {
        Self {
            open: Arc::new(open),
            text: columns::TEXT.to_owned(),
            id: None,
        }
    }

    /// Takes the documents from the column of this name, `text` by default.
    #[must_use]
    pub fn text(self, column: impl Into<String>) -> Self {
        let text = column.into();
        Self { text, ..self }
    }

    /// Takes the ids from the column of this name; by default from `id` if there is one. A row without
    /// an id is called `arrow:ROW`.
    #[must_use]
    pub fn id(self, column: impl Into<String>) -> Self {
        let id = Some(column.into());
        Self { id, ..self }
    }

    pub(crate) fn open(&self) -> Result<Reader, Error> {
        (self.open)().map_err(|error| Error::stream("open the Arrow table", error))
    }
}

impl fmt::Debug for ArrowTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an Arrow table")
    }
}

impl Error {
    /// What a stream of Arrow says in place of its next batch.
    pub(crate) fn stream(doing: &str, source: BoxError) -> Self {
        let message = format!("cannot {doing}: {source}");
        Self::new(ErrorKind::Function, message).caused_by(source)
    }
}
