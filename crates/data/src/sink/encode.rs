//! Batches to the bytes of rows, on any thread.

use super::{mds, tar};
use crate::batch::{columns, lists};
use crate::files::Keys;
use crate::output::{Format, Target, TokenType};
use crate::{Error, ErrorKind, jsonl};
use arrow_array::{Array, RecordBatch};
use arrow_schema::SchemaRef;
use libdeflater::{CompressionLvl, Compressor};
use std::cell::RefCell;

/// What makes bytes of a batch.
#[derive(Clone, Debug)]
pub(crate) struct Encoder {
    pub(super) format: Format,
    token_type: TokenType,
    as_records: Option<Keys>,
}

/// The rows of a batch.
pub(crate) struct Encoded {
    pub(super) schema: SchemaRef,
    pub(super) rows: usize,
    pub(super) form: Form,
}

/// The form of rows that a format's shards take.
pub(super) enum Form {
    /// Bytes, of which each row ends at a known place.
    Rows(Rows),
    /// Bytes of all rows together.
    Whole(Vec<u8>),
    /// The batch itself, for formats that store columns.
    Batch(RecordBatch),
    /// Members of archives.
    Members(tar::Members),
}

/// Bytes, of which each row ends at a known place.
#[derive(Default)]
pub(super) struct Rows {
    pub(super) bytes: Vec<u8>,
    pub(super) ends: Vec<usize>,
}

impl Rows {
    /// The bytes of a row.
    pub(super) fn get(&self, row: usize) -> &[u8] {
        &self.bytes[self.start(row)..self.ends[row]]
    }

    fn start(&self, row: usize) -> usize {
        row.checked_sub(1).map_or(0, |before| self.ends[before])
    }

    /// The rows from number `from` on that fit, at least one: their bytes and where they end.
    pub(super) fn fitting(&self, from: usize, room: u64) -> (&[u8], usize) {
        let start = self.start(from);
        let fits = |&&end: &&usize| ((end - start) as u64) < room;
        let within = self.ends[from..].iter().take_while(fits).count();
        // The row that reaches the limit belongs to the shard.
        let end = (from + within + 1).min(self.ends.len());
        (&self.bytes[start..self.ends[end - 1]], end)
    }
}

impl Encoder {
    pub(crate) fn new(target: &Target) -> Self {
        Self {
            format: target.format,
            token_type: target.token_type,
            as_records: target.as_records.clone(),
        }
    }

    /// Makes bytes of a batch, or says which column has no form in the format.
    pub(crate) fn encode(&self, batch: RecordBatch) -> Result<Encoded, Error> {
        let (schema, rows) = (batch.schema(), batch.num_rows());
        let is_samples = matches!(self.format, Format::Mds | Format::WebDataset);
        if is_samples && schema.column_with_name(columns::PIXELS).is_some() {
            let message = format!("cannot write tensors of images as {}", self.format.name());
            return Err(Error::new(ErrorKind::Unsupported, message)
                .with_hint("write them as parquet or arrow, or write the images themselves"));
        }
        let form = match self.format {
            Format::Jsonl | Format::JsonlZst => {
                let (bytes, ends) = jsonl::encode(&batch, self.as_records.as_ref())?;
                Form::Rows(Rows { bytes, ends })
            }
            Format::JsonlGz => {
                Form::Whole(gzip(&jsonl::encode(&batch, self.as_records.as_ref())?.0))
            }
            Format::Parquet | Format::Arrow | Format::ArrowStream => Form::Batch(batch),
            Format::Mds => Form::Rows(mds::encode(&batch)?),
            Format::WebDataset => Form::Members(tar::encode(&batch)?),
            Format::Megatron | Format::Safetensors => Form::Rows(self.tokens(&batch)?),
        };
        Ok(Encoded { schema, rows, form })
    }

    /// The column `ids`, little-endian.
    fn tokens(&self, batch: &RecordBatch) -> Result<Rows, Error> {
        let (lists, values) = lists(batch, columns::IDS, self.format.step())?;
        let offsets = lists.value_offsets();
        let first = offsets.first().map_or(0, |&offset| offset as usize);
        let last = offsets.last().map_or(0, |&offset| offset as usize);
        if values.null_count() > 0 || lists.null_count() > 0 {
            return Err(Error::invalid(
                "the column `ids` has nulls, which are no token ids",
            ));
        }
        let values = &values.values()[first..last];
        let (bytes, width) = match self.token_type {
            TokenType::U32 => {
                let max = if self.format == Format::Megatron {
                    i32::MAX as u32
                } else {
                    u32::MAX
                };
                check_ids(values, max, self.token_type)?;
                (values.iter().flat_map(|id| id.to_le_bytes()).collect(), 4)
            }
            TokenType::U16 => {
                check_ids(values, u32::from(u16::MAX), self.token_type)?;
                (
                    values
                        .iter()
                        .flat_map(|&id| (id as u16).to_le_bytes())
                        .collect(),
                    2,
                )
            }
        };
        let ends = offsets[1..]
            .iter()
            .map(|&end| (end as usize - first) * width)
            .collect();
        Ok(Rows { bytes, ends })
    }
}

fn check_ids(ids: &[u32], max: u32, token_type: TokenType) -> Result<(), Error> {
    match ids.iter().find(|&&id| id > max) {
        None => Ok(()),
        Some(id) => Err(Error::invalid(format!(
            "the token id {id} does not fit into {}",
            token_type.name()
        ))
        .with_hint("store token ids as uint32")),
    }
}

impl Encoded {
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    pub(super) fn schema(&self) -> &SchemaRef {
        &self.schema
    }
}

/// The level that the `gzip` program has as its default.
const GZIP_LEVEL: i32 = 6;

thread_local! {
    /// Its tables take a third of a megabyte.
    static COMPRESSOR: RefCell<Compressor> = RefCell::new(Compressor::new(
        CompressionLvl::new(GZIP_LEVEL).expect("there is such a level"),
    ));
}

/// A member of a gzip file, without a name or a time.
pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    COMPRESSOR.with_borrow_mut(|compressor| {
        let mut member = vec![0; compressor.gzip_compress_bound(bytes.len())];
        let size = compressor
            .gzip_compress(bytes, &mut member)
            .expect("there is room for the worst case");
        member.truncate(size);
        member
    })
}
