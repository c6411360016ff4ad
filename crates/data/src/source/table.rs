//! Batches of Parquet and Arrow files to rows.

use super::images::{self, Images};
use super::listing::Input;
use super::{BatchLimit, Chunk};
use crate::batch::{self, assemble, string_array};
use crate::cells::Cells;
use crate::files::Keys;
use crate::limits::{COLUMN_SIZE_MAX, COLUMNS_MAX};
use crate::{Error, Reject, columns, record};
use arrow_array::builder::StringBuilder;
use arrow_array::cast::AsArray;
use arrow_array::{
    Array, ArrayRef, BooleanArray, LargeStringArray, RecordBatch, StringArray, UInt64Array,
};
use arrow_buffer::OffsetBuffer;
use arrow_schema::{DataType, Schema};
use arrow_select::filter::filter_record_batch;
use std::sync::Arc;

/// Some rows of a file.
pub(crate) struct TableChunk {
    pub(super) input: Input,
    /// The number of the first row in its file, from 1.
    first_row: u64,
    batch: RecordBatch,
}

/// Whether the columns of a file can be rows here. `images` is the column that may hold images.
pub(super) fn check(schema: &Schema, images: Option<&str>, keys: &Keys) -> Result<(), String> {
    if schema.fields().len() > COLUMNS_MAX {
        return Err(format!(
            "the file has more columns than COLUMNS_MAX = {COLUMNS_MAX}"
        ));
    }
    for field in schema.fields() {
        match images {
            Some(name) if field.name() == name => images::check(field.data_type(), name)?,
            _ => Cells::check(field.data_type(), field.name())?,
        }
    }
    let names = || {
        let names: Vec<_> = schema
            .fields()
            .iter()
            .map(|field| field.name().as_str())
            .collect();
        names.join(", ")
    };
    let text = keys.text.as_ref();
    match (schema.column_with_name(text), images) {
        (None, Some(name)) if schema.column_with_name(name).is_some() => Ok(()),
        (None, Some(name)) => Err(images::missing(name, &names())),
        (None, None) => Err(format!("there is no column `{text}` among {}", names())),
        (Some((_, field)), _) if !is_string(field.data_type()) => Err(format!(
            "the column `{text}` is no text but {}",
            field.data_type()
        )),
        (Some(_), _) => Ok(()),
    }
}

pub(crate) fn is_string(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Dictionary(_, values) => is_string(values),
        _ => false,
    }
}

/// A batch of a file that is handed out piece by piece.
pub(super) struct Pending {
    batch: RecordBatch,
    start: usize,
}

impl Pending {
    pub(super) fn new(batch: RecordBatch) -> Self {
        Self { batch, start: 0 }
    }

    /// The part of it that is still to be handed out.
    pub(super) fn left(&self) -> f64 {
        let rows = self.batch.num_rows();
        (rows - self.start) as f64 / rows.max(1) as f64
    }

    /// The next rows within the limit; `None` when all are handed out.
    pub(super) fn next(
        &mut self,
        input: &Input,
        first_row: u64,
        limit: BatchLimit,
    ) -> Option<(Chunk, u64)> {
        let rest = self.batch.num_rows() - self.start;
        if rest == 0 {
            return None;
        }
        let text = self.batch.column_by_name(&input.keys.text);
        let images = input.images.as_deref();
        let images = images.and_then(|name| Images::of(&self.batch, name));
        let (mut rows, mut size) = (0, 0);
        while rows < rest.min(limit.rows) && (rows == 0 || size < limit.size_bytes) {
            let row = self.start + rows;
            size += text.map_or(0, |text| text_size(text, row));
            size += images.as_ref().map_or(0, |images| images.size(row));
            rows += 1;
        }
        let batch = self.batch.slice(self.start, rows);
        self.start += rows;
        let input = input.clone();
        let chunk = TableChunk {
            input,
            first_row,
            batch,
        };
        Some((Chunk::Table(chunk), rows as u64))
    }
}

/// Batches that are handed out piece by piece, their rows counted from 1.
pub(super) struct Pieces {
    pending: Option<Pending>,
    /// The number of the next row.
    row: u64,
    is_done: bool,
}

impl Pieces {
    pub(super) fn new() -> Self {
        Self {
            pending: None,
            row: 1,
            is_done: false,
        }
    }

    /// The part of the batch at hand that is still to be handed out.
    pub(super) fn left(&self) -> f64 {
        self.pending.as_ref().map_or(0.0, Pending::left)
    }

    /// The next rows within the limit; `None` at the end, which an error is too. `read` gives the next
    /// batch, and hears the number of its first row.
    pub(super) fn next<E>(
        &mut self,
        input: &Input,
        limit: BatchLimit,
        mut read: impl FnMut(u64) -> Option<Result<RecordBatch, E>>,
    ) -> Option<Result<Chunk, (u64, E)>> {
        loop {
            if let Some(pending) = &mut self.pending {
                if let Some((chunk, rows)) = pending.next(input, self.row, limit) {
                    self.row += rows;
                    return Some(Ok(chunk));
                }
                self.pending = None;
            }
            if self.is_done {
                return None;
            }
            match read(self.row) {
                Some(Ok(batch)) => self.pending = Some(Pending::new(batch)),
                Some(Err(error)) => {
                    self.is_done = true;
                    return Some(Err((self.row, error)));
                }
                None => self.is_done = true,
            }
        }
    }
}

fn text_size(text: &ArrayRef, row: usize) -> usize {
    match text.data_type() {
        DataType::Utf8 => text.as_string::<i32>().value_length(row) as usize,
        DataType::LargeUtf8 => text.as_string::<i64>().value_length(row) as usize,
        DataType::Utf8View => text.as_string_view().value(row).len(),
        // What many rows share is short.
        _ => 64,
    }
}

impl TableChunk {
    /// The rows, but those that have no text or fields that are no JSON.
    pub(super) fn decode(self, rejects: &mut Vec<Reject>) -> Result<RecordBatch, Error> {
        let Self {
            input,
            first_row,
            batch,
        } = self;
        let rows = batch.num_rows();
        let mut text = text(&batch, &input)?;
        if input.reads_images() && text.null_count() > 0 {
            // An image needs no caption.
            text = collect(text.iter().map(|text| text.or(Some(""))))?;
        }
        let (fields, mut reasons) = fields(&batch, &text, &input)?;
        let ids = ids(&batch, &input, first_row)?;
        let source: Vec<&str> = vec![&input.source; rows];
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(ids),
            Arc::new(without_nulls(text)),
            Arc::new(string_array(&source)?),
            Arc::new(UInt64Array::from_iter_values(
                first_row..first_row + rows as u64,
            )),
            Arc::new(fields),
        ];
        if let Some(name) = input.images.as_deref() {
            let images = Images::of(&batch, name);
            let column = images.as_ref().map(Images::to_binary).transpose()?;
            columns.push(Arc::new(column.unwrap_or_else(|| images::none(rows))));
            if let Some(images) = images {
                let large = |row| Some((row, images.reason(row)?));
                reasons.extend((0..rows).filter_map(large));
            }
        }
        let batch = assemble(batch::schema(input.reads_images()), columns)?;
        if reasons.is_empty() {
            return Ok(batch);
        }
        let mut keep = vec![true; rows];
        for (row, reason) in reasons {
            keep[row] = false;
            rejects.push(input.reject(Some(first_row + row as u64), reason));
        }
        filter_record_batch(&batch, &BooleanArray::from(keep))
            .map_err(|error| Error::arrow("filter rows", error))
    }
}

/// The column of the texts as `Utf8`; a table of images need not have it.
fn text(batch: &RecordBatch, input: &Input) -> Result<StringArray, Error> {
    match batch.column_by_name(&input.keys.text) {
        Some(text) => utf8(text),
        None if input.reads_images() => string_array(&vec![""; batch.num_rows()]),
        None => {
            let message = format!("there is no column `{}`", input.keys.text);
            Err(Error::invalid(message))
        }
    }
}

/// A column of text as `Utf8`.
pub(crate) fn utf8(text: &ArrayRef) -> Result<StringArray, Error> {
    match text.data_type() {
        DataType::Utf8 => Ok(text.as_string().clone()),
        DataType::LargeUtf8 => narrow(text.as_string()),
        DataType::Utf8View => collect(text.as_string_view().iter()),
        _ => {
            let cells = Cells::new(text, columns::TEXT)?;
            let values = (0..text.len()).map(|row| cells.text(row));
            collect(values.collect::<Vec<_>>().iter().map(Option::as_deref))
        }
    }
}

/// The same bytes with offsets of 32 bits.
fn narrow(text: &LargeStringArray) -> Result<StringArray, Error> {
    let offsets = text.value_offsets();
    let (first, last) = (offsets[0], offsets[text.len()]);
    if last - first > COLUMN_SIZE_MAX as i64 {
        return Err(too_long());
    }
    let values = text
        .values()
        .slice_with_length(first as usize, (last - first) as usize);
    let offsets: Vec<i32> = offsets.iter().map(|end| (end - first) as i32).collect();
    let offsets = OffsetBuffer::new(offsets.into());
    StringArray::try_new(offsets, values, text.nulls().cloned())
        .map_err(|error| Error::arrow("read the texts of a batch", error))
}

fn too_long() -> Error {
    Error::limit(format!(
        "a batch has more bytes of text than COLUMN_SIZE_MAX = {COLUMN_SIZE_MAX}"
    ))
}

fn collect<'a>(values: impl Iterator<Item = Option<&'a str>>) -> Result<StringArray, Error> {
    let mut builder = StringBuilder::new();
    for value in values {
        push(&mut builder, value)?;
    }
    Ok(builder.finish())
}

fn push(builder: &mut StringBuilder, value: Option<&str>) -> Result<(), Error> {
    let size = value.map_or(0, str::len);
    if builder.values_slice().len() + size > COLUMN_SIZE_MAX {
        return Err(too_long());
    }
    builder.append_option(value);
    Ok(())
}

/// Rows without text are set aside; until then they have an empty one.
fn without_nulls(text: StringArray) -> StringArray {
    if text.null_count() == 0 {
        return text;
    }
    let (offsets, values, _) = text.into_parts();
    StringArray::new(offsets, values, None)
}

/// The ids of the file, or places in it.
fn ids(batch: &RecordBatch, input: &Input, first_row: u64) -> Result<StringArray, Error> {
    let column = batch.column_by_name(&input.keys.id);
    let cells = column
        .map(|column| Cells::new(column, columns::ID))
        .transpose()?;
    let mut builder = StringBuilder::new();
    for row in 0..batch.num_rows() {
        let own = cells.as_ref().and_then(|cells| cells.text(row));
        let id = own.unwrap_or_else(|| format!("{}:{}", input.id, first_row + row as u64));
        push(&mut builder, Some(&id))?;
    }
    Ok(builder.finish())
}

/// Rows that cannot be used, with the reasons.
type Reasons = Vec<(usize, String)>;

/// All other columns as a JSON object; the keys of an object `fields` count as columns. Of an image
/// the name is left.
fn fields(
    batch: &RecordBatch,
    text: &StringArray,
    input: &Input,
) -> Result<(StringArray, Reasons), Error> {
    let schema = batch.schema();
    let mut others = Vec::new();
    for (field, array) in schema.fields().iter().zip(batch.columns()) {
        let name = field.name().as_str();
        if input.images.as_deref() == Some(name) {
            let names = Images::of(batch, name).and_then(|images| images.names);
            if let Some(names) = names {
                others.push((columns::IMAGE, Cells::new(names, name)?));
            }
        } else if name != &*input.keys.id && name != &*input.keys.text {
            others.push((name, Cells::new(array, name)?));
        }
    }
    let (mut builder, mut reasons, mut json) = (StringBuilder::new(), Vec::new(), Vec::new());
    for row in 0..batch.num_rows() {
        if text.is_null(row) {
            reasons.push((row, format!("`{}` is null", input.keys.text)));
        }
        match row_fields(&others, row, &input.keys, &mut json) {
            Ok(fields) => push(&mut builder, Some(&fields))?,
            Err(reason) => {
                builder.append_value("{}");
                if text.is_valid(row) {
                    reasons.push((row, reason));
                }
            }
        }
    }
    Ok((builder.finish(), reasons))
}

fn row_fields(
    others: &[(&str, Cells<'_>)],
    row: usize,
    keys: &Keys,
    json: &mut Vec<u8>,
) -> Result<String, String> {
    json.clear();
    json.push(b'{');
    let mut is_nested = false;
    for (name, cells) in others {
        let text = (*name == columns::FIELDS)
            .then(|| cells.text(row))
            .flatten();
        let nested = text.as_deref().filter(|text| text.starts_with('{'));
        if nested == Some("{}") {
            continue;
        }
        if json.len() > 1 {
            json.push(b',');
        }
        json.extend_from_slice(serde_json::Value::from(*name).to_string().as_bytes());
        json.push(b':');
        match nested {
            Some(nested) => json.extend_from_slice(nested.as_bytes()),
            None => cells.write(row, json),
        }
        is_nested |= nested.is_some();
    }
    json.push(b'}');
    let text = std::str::from_utf8(json).map_err(|error| format!("invalid UTF-8: {error}"))?;
    if is_nested {
        return record::parts(text, keys).map(|parts| parts.fields);
    }
    Ok(text.to_owned())
}
