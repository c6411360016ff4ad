//! The columns of a batch, and getting at them.

use crate::limits::COLUMN_SIZE_MAX;
use crate::{Error, ErrorKind};
use arrow_array::builder::StringBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::{UInt32Type, UInt64Type};
use arrow_array::{
    Array, ArrayRef, BinaryArray, ListArray, RecordBatch, StringArray, UInt32Array, UInt64Array,
};
use arrow_buffer::OffsetBuffer;
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use std::sync::{Arc, LazyLock};

/// Names of the columns that readers and steps make.
pub mod columns {
    /// `Utf8`: the record's own id, else its place below the source's root (`a/b.txt`, `c.jsonl:7`).
    pub const ID: &str = "id";
    /// `Utf8`: the document.
    pub const TEXT: &str = "text";
    /// `Utf8`: the path of the file that the document was read from.
    pub const SOURCE: &str = "source";
    /// `UInt64`: the line, row or record in the file, from 1; null where the file is one document.
    pub const LINE: &str = "line";
    /// `Utf8`: a JSON object of what else the record holds, verbatim.
    pub const FIELDS: &str = "fields";
    /// `List<UInt32>`: token ids, without special tokens.
    pub const IDS: &str = "ids";
    /// `List<UInt32>`: where each token starts in `text`, in bytes.
    pub const STARTS: &str = "starts";
    /// `List<UInt32>`: where each token ends in `text`, in bytes.
    pub const ENDS: &str = "ends";
    /// `UInt32`: the number of a passage in its document, from 0.
    pub const PART: &str = "part";
    /// `Utf8`: a passage of a document.
    pub const PASSAGE: &str = "passage";
    /// `Binary`: an image as its file has it; null where the record has none.
    pub const IMAGE: &str = "image";
    /// `Int64`: the number of an image's class.
    pub const LABEL: &str = "label";
    /// `FixedSizeList` of `UInt8` or `Float32`: an image as a tensor (`arrow.fixed_shape_tensor`).
    pub const PIXELS: &str = "pixels";
}

/// The schema that readers give: `id`, `text`, `source`, `line`, `fields`, and `image` where images
/// are read.
pub(crate) fn schema(reads_images: bool) -> SchemaRef {
    if !reads_images {
        return read_schema();
    }
    let image = Field::new(columns::IMAGE, DataType::Binary, true);
    let fields = read_schema().fields().iter().cloned().collect::<Vec<_>>();
    Arc::new(Schema::new([fields, vec![Arc::new(image)]].concat()))
}

/// Bytes of a batch's rows, which may be a part of larger buffers.
pub(crate) fn size(batch: &RecordBatch) -> usize {
    let size = |array: &ArrayRef| {
        let own = array.to_data().get_slice_memory_size();
        own.unwrap_or_else(|_| array.get_array_memory_size())
    };
    batch.columns().iter().map(size).sum()
}

/// The schema of texts: `id`, `text`, `source`, `line`, `fields`.
fn read_schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        let utf8 = |name| Field::new(name, DataType::Utf8, false);
        Arc::new(Schema::new(vec![
            utf8(columns::ID),
            utf8(columns::TEXT),
            utf8(columns::SOURCE),
            Field::new(columns::LINE, DataType::UInt64, true),
            utf8(columns::FIELDS),
        ]))
    });
    SCHEMA.clone()
}

/// A row of a batch, for the functions of [`map`](crate::Pipeline::map) and
/// [`filter`](crate::Pipeline::filter).
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    batch: &'a RecordBatch,
    index: usize,
}

impl<'a> Row<'a> {
    pub(crate) fn new(batch: &'a RecordBatch, index: usize) -> Self {
        Self { batch, index }
    }

    /// The value of a `Utf8` column; `None` when there is no such column or the value is null.
    pub fn get(&self, column: &str) -> Option<&'a str> {
        let strings = self.batch.column_by_name(column)?.as_string_opt::<i32>()?;
        strings
            .is_valid(self.index)
            .then(|| strings.value(self.index))
    }

    /// The document, or an empty string when there is none.
    pub fn text(&self) -> &'a str {
        self.get(columns::TEXT).unwrap_or_default()
    }

    /// The line in the source's file, from 1, where it has lines.
    pub fn line(&self) -> Option<u64> {
        let lines = self
            .batch
            .column_by_name(columns::LINE)?
            .as_primitive_opt::<UInt64Type>()?;
        lines.is_valid(self.index).then(|| lines.value(self.index))
    }
}

/// A `Utf8` column that a step cannot do without.
pub(crate) fn strings<'a>(
    batch: &'a RecordBatch,
    name: &str,
    step: &str,
) -> Result<&'a StringArray, Error> {
    let column = column(batch, name, step)?;
    column
        .as_string_opt::<i32>()
        .ok_or_else(|| wrong_type(column, name, step, "Utf8"))
}

/// A `Binary` column that a step cannot do without.
pub(crate) fn binaries<'a>(
    batch: &'a RecordBatch,
    name: &str,
    step: &str,
) -> Result<&'a BinaryArray, Error> {
    let column = column(batch, name, step)?;
    column
        .as_binary_opt::<i32>()
        .ok_or_else(|| wrong_type(column, name, step, "Binary"))
}

/// A `List<UInt32>` column that a step cannot do without.
pub(crate) fn lists<'a>(
    batch: &'a RecordBatch,
    name: &str,
    step: &str,
) -> Result<(&'a ListArray, &'a UInt32Array), Error> {
    let column = column(batch, name, step)?;
    let list = column.as_list_opt::<i32>();
    list.and_then(|list| Some((list, list.values().as_primitive_opt::<UInt32Type>()?)))
        .ok_or_else(|| wrong_type(column, name, step, "List<UInt32>"))
}

fn column<'a>(batch: &'a RecordBatch, name: &str, step: &str) -> Result<&'a ArrayRef, Error> {
    batch.column_by_name(name).ok_or_else(|| {
        let error = Error::invalid(format!("step `{step}` needs the column `{name}`"));
        match name {
            columns::IDS | columns::STARTS | columns::ENDS => {
                error.with_hint(format!("put the step `tokenize` before `{step}`"))
            }
            columns::TEXT => error.with_hint(format!("put `{step}` before `cut`")),
            columns::IMAGE => error.with_hint(format!("put `{step}` before `image_tensors`")),
            _ => error,
        }
    })
}

fn wrong_type(column: &ArrayRef, name: &str, step: &str, expected: &str) -> Error {
    let found = column.data_type();
    Error::new(
        ErrorKind::Unsupported,
        format!("step `{step}` needs `{name}` as {expected}, it is {found}"),
    )
}

/// A `Utf8` column without nulls.
pub(crate) fn string_array(values: &[impl AsRef<str>]) -> Result<StringArray, Error> {
    check_size(values.iter().map(|value| value.as_ref().len()).sum())?;
    Ok(StringArray::from_iter_values(values))
}

/// A `Binary` column.
pub(crate) fn binary_array(values: Vec<Option<&[u8]>>) -> Result<BinaryArray, Error> {
    check_size(values.iter().flatten().map(|value| value.len()).sum())?;
    Ok(BinaryArray::from(values))
}

fn check_size(size: usize) -> Result<(), Error> {
    if size > COLUMN_SIZE_MAX {
        return Err(Error::limit(format!(
            "a batch has {size} bytes in a column, COLUMN_SIZE_MAX is {COLUMN_SIZE_MAX}"
        )));
    }
    Ok(())
}

/// A `List<UInt32>` column from its values and the lengths of its lists.
pub(crate) fn list_array(
    values: Vec<u32>,
    lengths: impl IntoIterator<Item = usize>,
) -> Result<ListArray, Error> {
    if values.len() > COLUMN_SIZE_MAX {
        return Err(Error::limit(format!(
            "a batch has {} tokens, COLUMN_SIZE_MAX is {COLUMN_SIZE_MAX}",
            values.len()
        )));
    }
    let field = Arc::new(Field::new_list_field(DataType::UInt32, false));
    let values = Arc::new(UInt32Array::from(values));
    Ok(ListArray::new(
        field,
        OffsetBuffer::from_lengths(lengths),
        values,
        None,
    ))
}

/// `batch` with `columns` in place of those of the same name, new ones last.
pub(crate) fn with_columns(
    batch: &RecordBatch,
    columns: impl IntoIterator<Item = (&'static str, ArrayRef)>,
) -> Result<RecordBatch, Error> {
    let mut fields: Vec<_> = batch.schema().fields().iter().cloned().collect();
    let mut arrays = batch.columns().to_vec();
    for (name, array) in columns {
        let field = Arc::new(Field::new(
            name,
            array.data_type().clone(),
            array.is_nullable(),
        ));
        if let Some(at) = fields.iter().position(|field| field.name() == name) {
            (fields[at], arrays[at]) = (field, array);
        } else {
            fields.push(field);
            arrays.push(array);
        }
    }
    assemble(Arc::new(Schema::new(fields)), arrays)
}

/// A batch of columns that fit its schema.
pub(crate) fn assemble(schema: SchemaRef, columns: Vec<ArrayRef>) -> Result<RecordBatch, Error> {
    RecordBatch::try_new(schema, columns).map_err(|error| Error::arrow("make a batch", error))
}

/// Strings under construction, one behind the other.
#[derive(Default)]
pub(crate) struct Strings {
    builder: StringBuilder,
    size: usize,
}

impl Strings {
    /// Makes room for so many bytes.
    pub(crate) fn with_capacity(size: usize) -> Self {
        Self {
            builder: StringBuilder::with_capacity(0, size),
            size: 0,
        }
    }

    pub(crate) fn push(&mut self, value: &str) {
        self.size += value.len();
        // What is too much is an error at the end, where the builder would panic.
        if self.size <= COLUMN_SIZE_MAX {
            self.builder.append_value(value);
        }
    }

    pub(crate) fn finish(mut self) -> Result<StringArray, Error> {
        check_size(self.size)?;
        Ok(self.builder.finish())
    }
}

/// The rows of a reader under construction.
#[derive(Default)]
pub(crate) struct Rows {
    pub(crate) ids: Vec<String>,
    pub(crate) texts: Strings,
    pub(crate) sources: Vec<Arc<str>>,
    pub(crate) lines: Vec<Option<u64>>,
    pub(crate) fields: Vec<String>,
    /// The images of the rows that have one, by the row's number.
    images: Vec<(usize, Vec<u8>)>,
}

impl Rows {
    /// The image of the row that comes next.
    pub(crate) fn push_image(&mut self, image: Vec<u8>) {
        self.images.push((self.ids.len(), image));
    }

    /// The batch, with a column of images where they are read.
    pub(crate) fn finish(self, reads_images: bool) -> Result<RecordBatch, Error> {
        let rows = self.ids.len();
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(string_array(&self.ids)?),
            Arc::new(self.texts.finish()?),
            Arc::new(string_array(&self.sources)?),
            Arc::new(UInt64Array::from(self.lines)),
            Arc::new(string_array(&self.fields)?),
        ];
        if reads_images {
            let mut images = vec![None; rows];
            for (row, image) in &self.images {
                images[*row] = Some(image.as_slice());
            }
            columns.push(Arc::new(binary_array(images)?));
        }
        assemble(schema(reads_images), columns)
    }
}
