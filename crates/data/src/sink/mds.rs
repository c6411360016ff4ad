//! Shards of `mosaicml-streaming` (MDS, version 2).
//!
//! A shard is the number of its samples, the place of each, a description of the columns in JSON, and
//! the samples. A sample is the sizes of its values, and the values.

use super::encode::{Encoded, Form, Rows};
use super::{Finished, OutFile, Shard};
use crate::Error;
use crate::atomic::Spool;
use crate::batch::columns;
use crate::cells::Cells;
use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, UInt32Type};
use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, SchemaRef};
use serde::Serialize;

/// Names of columns and how their values are stored, in the order of the names.
type Columns = Vec<(String, &'static str)>;

/// How values of a type are stored: as what Python gets back. Only JSON has a form for null.
fn encoding(name: &str, data_type: &DataType) -> &'static str {
    match data_type {
        DataType::Utf8 if name != columns::FIELDS => "str",
        DataType::List(item) if item.data_type() == &DataType::UInt32 => "ndarray:uint32",
        DataType::Int64 if name == columns::LABEL => "int",
        // Images of different kinds, as their files have them.
        DataType::Binary => "bytes",
        _ => "json",
    }
}

fn columns_of(schema: &SchemaRef) -> Columns {
    let mut columns: Columns = schema
        .fields()
        .iter()
        .map(|field| {
            (
                field.name().clone(),
                encoding(field.name(), field.data_type()),
            )
        })
        .collect();
    columns.sort();
    columns
}

/// The samples of a batch.
pub(super) fn encode(batch: &RecordBatch) -> Result<Rows, Error> {
    let columns = columns_of(&batch.schema());
    let mut values = Vec::with_capacity(columns.len());
    for (name, encoding) in &columns {
        let index = batch.schema().index_of(name);
        let index = index.map_err(|error| Error::arrow("find a column", error))?;
        values.push(column(batch, index, encoding)?);
    }
    let mut samples = Rows::default();
    for row in 0..batch.num_rows() {
        for values in &values {
            let size = u32::try_from(values.get(row).len()).map_err(|_| too_large())?;
            samples.bytes.extend_from_slice(&size.to_le_bytes());
        }
        for values in &values {
            samples.bytes.extend_from_slice(values.get(row));
        }
        samples.ends.push(samples.bytes.len());
    }
    Ok(samples)
}

fn too_large() -> Error {
    Error::limit("a shard of MDS has at most 4 GiB: its places have 32 bits")
        .with_hint("ask for smaller shards")
}

/// The values of a column.
fn column(batch: &RecordBatch, index: usize, encoding: &str) -> Result<Rows, Error> {
    let (array, schema) = (batch.column(index), batch.schema());
    let name = schema.field(index).name();
    if encoding != "json" && array.null_count() > 0 {
        return Err(Error::invalid(format!(
            "the column `{name}` has nulls, for which MDS has no form in `{encoding}`"
        )));
    }
    let mut rows = Rows::default();
    if encoding == "int" {
        for label in array.as_primitive::<Int64Type>().values() {
            rows.bytes.extend_from_slice(&label.to_le_bytes());
            rows.ends.push(rows.bytes.len());
        }
        return Ok(rows);
    }
    if let Some(images) = array.as_binary_opt::<i32>() {
        for image in images.iter().flatten() {
            rows.bytes.extend_from_slice(image);
            rows.ends.push(rows.bytes.len());
        }
        return Ok(rows);
    }
    let cells = Cells::new(array, name)?;
    for row in 0..array.len() {
        let out = &mut rows.bytes;
        match encoding {
            "str" => out.extend_from_slice(cells.text(row).unwrap_or_default().as_bytes()),
            "ndarray:uint32" => {
                let list = array.as_list::<i32>().value(row);
                ndarray(list.as_primitive::<UInt32Type>().values(), out);
            }
            _ if name == columns::FIELDS => {
                let verbatim = array.as_string_opt::<i32>().filter(|_| array.is_valid(row));
                match verbatim {
                    Some(json) => out.extend_from_slice(json.value(row).as_bytes()),
                    None => cells.write(row, out),
                }
            }
            _ => cells.write(row, out),
        }
        rows.ends.push(rows.bytes.len());
    }
    Ok(rows)
}

/// An array of one dimension: a byte that says so and how its length is stored, the length, the
/// values.
fn ndarray(values: &[u32], out: &mut Vec<u8>) {
    const ONE_DIMENSION: u8 = 1 << 2;
    const LENGTH_U32: u8 = 2;
    out.push(ONE_DIMENSION | LENGTH_U32);
    out.extend_from_slice(&(values.len() as u32).to_le_bytes());
    out.extend(values.iter().flat_map(|value| value.to_le_bytes()));
}

/// What a shard says of itself, and the index of all shards.
#[derive(Serialize)]
struct Description<'a> {
    column_encodings: Vec<&'static str>,
    column_names: Vec<&'a str>,
    column_sizes: Vec<Option<u32>>,
    compression: Option<&'static str>,
    format: &'static str,
    hashes: [&'static str; 0],
    size_limit: Option<u64>,
    version: u32,
}

impl<'a> Description<'a> {
    fn new(columns: &'a Columns) -> Self {
        Self {
            column_encodings: columns.iter().map(|column| column.1).collect(),
            column_names: columns.iter().map(|column| column.0.as_str()).collect(),
            column_sizes: vec![None; columns.len()],
            compression: None,
            format: "mds",
            hashes: [],
            size_limit: None,
            version: 2,
        }
    }
}

#[derive(Serialize)]
struct Index<'a> {
    shards: Vec<IndexShard<'a>>,
    version: u32,
}

#[derive(Serialize)]
struct IndexShard<'a> {
    #[serde(flatten)]
    description: Description<'a>,
    raw_data: RawData<'a>,
    samples: u64,
    zip_data: Option<RawData<'a>>,
}

#[derive(Serialize)]
struct RawData<'a> {
    basename: &'a str,
    bytes: u64,
    hashes: Empty,
}

/// `{}`: no checksums.
#[derive(Serialize)]
struct Empty {}

/// Writes `index.json`, which names the shards.
pub(super) fn write_index(
    mut file: OutFile,
    schema: &SchemaRef,
    shards: &[Finished],
) -> Result<(), Error> {
    let columns = columns_of(schema);
    let shards = shards
        .iter()
        .flat_map(|shard| shard.files.iter().map(|file| (file, shard.rows)))
        // The library divides by the number of samples.
        .filter(|(_, rows)| *rows > 0)
        .map(|(file, rows)| IndexShard {
            description: Description::new(&columns),
            raw_data: RawData {
                basename: &file.name,
                bytes: file.bytes,
                hashes: Empty {},
            },
            samples: rows,
            zip_data: None,
        })
        .collect();
    let index = Index { shards, version: 2 };
    let text = serde_json::to_vec(&index).expect("plain values have a form");
    file.append(&text)?;
    file.commit().map(drop)
}

pub(super) struct Samples {
    file: OutFile,
    /// The samples, until their number is known: it stands before them.
    spool: Spool,
    description: Vec<u8>,
    /// Where each sample ends among them.
    ends: Vec<u64>,
}

impl Samples {
    pub(super) fn new(file: OutFile, schema: &SchemaRef) -> Result<Self, Error> {
        let spool = file.spool()?;
        let columns = columns_of(schema);
        let description = serde_json::to_vec(&Description::new(&columns));
        let description = description.expect("plain values have a form");
        Ok(Self {
            file,
            spool,
            description,
            ends: Vec::new(),
        })
    }

    fn samples_size(&self) -> u64 {
        self.ends.last().copied().unwrap_or(0)
    }
}

impl Shard for Samples {
    fn write(&mut self, rows: &Encoded, from: usize, limit: u64) -> Result<usize, Error> {
        let Form::Rows(samples) = &rows.form else {
            unreachable!("samples are rows");
        };
        let (bytes, next) = samples.fitting(from, limit.saturating_sub(self.size()));
        self.spool.append(bytes)?;
        let mut end = self.samples_size();
        for row in from..next {
            end += samples.get(row).len() as u64;
            self.ends.push(end);
        }
        Ok(next)
    }

    fn size(&self) -> u64 {
        let head = 4 * (self.ends.len() + 2) + self.description.len();
        head as u64 + self.samples_size()
    }

    fn finish(self: Box<Self>) -> Result<Vec<OutFile>, Error> {
        let start = self.size() - self.samples_size();
        let Self {
            mut file,
            spool,
            description,
            ends,
        } = *self;
        file.append(&(ends.len() as u32).to_le_bytes())?;
        for end in std::iter::once(&0).chain(&ends) {
            let place = u32::try_from(start + end).map_err(|_| too_large())?;
            file.append(&place.to_le_bytes())?;
        }
        file.append(&description)?;
        file.copy(spool.into_reader()?)?;
        Ok(vec![file])
    }
}
