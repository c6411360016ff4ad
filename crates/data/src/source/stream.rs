//! Tables that other libraries hand in as streams of Arrow batches.

use super::listing::{Compression, Format, Input};
use super::table::{self, Pieces};
use super::{BatchLimit, Chunk, Meter, Records, foreign};
use crate::arrow_table::{ArrowTable, Reader};
use crate::batch::{columns, size};
use crate::files::Keys;
use crate::storage::LocalStorage;
use crate::{Error, ErrorKind, Reject};
use arrow_array::RecordBatch;
use arrow_schema::{ArrowError, Field, Schema, SchemaRef};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// The name of the table as the column `source`, ids and rejects have it.
const NAME: &str = "arrow";

/// The rows of a table that are still to be read.
pub(super) struct Stream {
    input: Input,
    reader: Reader,
    /// The table's columns under the names that they have here.
    schema: SchemaRef,
    pieces: Pieces,
    meter: Arc<Meter>,
}

impl Stream {
    /// Opens the table, and looks at its columns.
    pub(super) fn open(
        table: &ArrowTable,
        images: Option<&str>,
        meter: &Arc<Meter>,
    ) -> Result<Self, Error> {
        let reader = table.open()?;
        let schema = renamed(&reader.schema(), table)?;
        table::check(&schema, images, &Keys::default()).map_err(|reason| {
            let message = format!("cannot read the Arrow table: {reason}");
            Error::new(ErrorKind::Unsupported, message)
                .with_hint("select the columns to keep, and give them types of text or numbers")
        })?;
        let input = Input {
            path: NAME.into(),
            source: NAME.into(),
            id: NAME.to_owned(),
            format: Format::Arrow,
            compression: Compression::None,
            size: 0,
            version: String::new(),
            storage: Arc::new(LocalStorage),
            images: images.map(Arc::from),
            keys: Keys::default(),
        };
        Ok(Self {
            input,
            reader,
            schema: Arc::new(schema),
            pieces: Pieces::new(),
            meter: meter.clone(),
        })
    }
}

/// The next batch, with the columns that it has here. `row` is the number of its first row.
fn read(
    reader: &mut Reader,
    schema: &SchemaRef,
    meter: &Meter,
    row: u64,
) -> Option<Result<RecordBatch, Error>> {
    let doing = || format!("read the Arrow table from row {row} on");
    let batch = match foreign::call(|| Ok::<_, String>(reader.next()))
        .unwrap_or_else(|reason| Some(Err(ArrowError::CDataInterface(reason))))?
    {
        Ok(batch) => batch,
        Err(ArrowError::ExternalError(error)) => return Some(Err(Error::stream(&doing(), error))),
        Err(error) => return Some(Err(Error::stream(&doing(), error.into()))),
    };
    meter
        .bytes
        .fetch_add(size(&batch) as u64, Ordering::Relaxed);
    let batch = RecordBatch::try_new(schema.clone(), batch.columns().to_vec());
    Some(batch.map_err(|error| Error::arrow(&doing(), error)))
}

impl Records for Stream {
    fn next(&mut self, limit: BatchLimit, _rejects: &mut Vec<Reject>) -> Option<Chunk> {
        let Self {
            input,
            reader,
            schema,
            pieces,
            meter,
        } = self;
        let chunk = pieces.next(input, limit, |row| read(reader, schema, meter, row))?;
        Some(chunk.unwrap_or_else(|(_, error)| Chunk::Failed(error)))
    }
}

/// The columns with the text and the id under their names here.
fn renamed(schema: &Schema, table: &ArrowTable) -> Result<Schema, Error> {
    let mut fields: Vec<_> = schema
        .fields()
        .iter()
        .map(|field| nullable(field))
        .collect();
    let names = [
        (Some(table.text.as_str()), columns::TEXT),
        (table.id.as_deref(), columns::ID),
    ];
    for (theirs, ours) in names {
        let Some(theirs) = theirs.filter(|&theirs| theirs != ours) else {
            continue;
        };
        if fields.iter().any(|field| field.name() == ours) {
            let message = format!("the Arrow table has a column `{ours}` besides `{theirs}`");
            let hint = format!("rename or drop `{ours}`, for `{theirs}` takes its name");
            return Err(Error::invalid(message).with_hint(hint));
        }
        let Some(at) = fields.iter().position(|field| field.name() == theirs) else {
            let names: Vec<_> = fields.iter().map(|field| field.name().as_str()).collect();
            let names = names.join(", ");
            let message = format!("the Arrow table has no column `{theirs}` among {names}");
            return Err(Error::invalid(message));
        };
        fields[at] = fields[at].clone().with_name(ours);
    }
    Ok(Schema::new(fields))
}

/// What a table says of nulls is not always so.
fn nullable(field: &Field) -> Field {
    Field::new(field.name(), field.data_type().clone(), true)
}
