//! Columns as files declare them.

use crate::Error;
use arrow_array::RecordBatch;
use arrow_schema::{Schema, SchemaRef};
use std::sync::Arc;

/// All columns nullable: whether a column has nulls is seen in its last row only, and shards shall
/// have one schema.
pub(super) fn nullable(schema: &SchemaRef) -> SchemaRef {
    let fields = schema
        .fields()
        .iter()
        .map(|field| field.as_ref().clone().with_nullable(true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// Whether a batch has the columns of the file.
pub(super) fn check(found: &SchemaRef, known: &SchemaRef) -> Result<(), Error> {
    let same = found.fields().len() == known.fields().len()
        && found
            .fields()
            .iter()
            .zip(known.fields())
            .all(|(found, known)| {
                found.name() == known.name() && found.data_type() == known.data_type()
            });
    if same {
        return Ok(());
    }
    let error = Error::invalid("cannot write a batch: its columns are not those of the first one");
    Err(error.with_hint("let functions give the same columns for each batch"))
}

/// The batch under the file's schema.
pub(super) fn conform(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, Error> {
    check(&batch.schema(), schema)?;
    RecordBatch::try_new(schema.clone(), batch.columns().to_vec())
        .map_err(|error| Error::arrow("write a batch", error))
}
