//! Columns of text in the type that a consumer of Arrow asks for. The bytes of the texts stay where
//! they are.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{ArrayRef, LargeStringArray, RecordBatch, StringArray, StringViewArray};
use arrow_buffer::OffsetBuffer;
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};

/// The columns as they are given to one who asks for `requested`: of another type where that is
/// another type of text. The protocol leaves the rest to the consumer.
pub(super) fn granted(own: SchemaRef, requested: Option<&Schema>) -> SchemaRef {
    let Some(requested) = requested else {
        return own;
    };
    let fields = own.fields().iter().map(|field| {
        let asked = requested
            .column_with_name(field.name())
            .map(|(_, asked)| asked.data_type());
        match (field.data_type(), asked) {
            (DataType::Utf8, Some(asked @ (DataType::LargeUtf8 | DataType::Utf8View))) => {
                Arc::new(Field::new(field.name(), asked.clone(), field.is_nullable()))
            }
            _ => field.clone(),
        }
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// `batch` with the columns that were granted.
pub(super) fn grant(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    if batch.schema_ref() == schema {
        return Ok(batch.clone());
    }
    let columns = batch.columns().iter().zip(schema.fields());
    let columns = columns.map(|(column, field)| -> Result<ArrayRef, ArrowError> {
        Ok(match (column.data_type(), field.data_type()) {
            (DataType::Utf8, DataType::LargeUtf8) => Arc::new(widened(column.as_string())?),
            (DataType::Utf8, DataType::Utf8View) => {
                Arc::new(StringViewArray::from(column.as_string::<i32>()))
            }
            _ => column.clone(),
        })
    });
    RecordBatch::try_new(schema.clone(), columns.collect::<Result<_, _>>()?)
}

/// The same bytes with offsets of 64 bits.
fn widened(texts: &StringArray) -> Result<LargeStringArray, ArrowError> {
    let (offsets, values, nulls) = texts.clone().into_parts();
    let offsets: Vec<i64> = offsets.iter().map(|&end| end.into()).collect();
    LargeStringArray::try_new(OffsetBuffer::new(offsets.into()), values, nulls)
}
