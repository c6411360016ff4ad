//! How many bytes an output would have. Nothing is written.

use super::encode::{Encoded, Form};
use super::{jsonl, parquet, schema};
use crate::Error;
use ::parquet::arrow::ArrowWriter;
use arrow_array::RecordBatch;
use arrow_ipc::writer::StreamWriter;
use std::io::{self, Write};

/// Bytes of a tar archive's header, and what its members are filled up to.
const TAR_BLOCK_SIZE: u64 = 512;

/// What Megatron's index and the offsets of safetensors take for a row, at most.
const INDEX_ROW_SIZE: u64 = 20;

/// Counts what is written to it.
#[derive(Default)]
struct Counter(u64);

impl Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An output that is measured.
#[derive(Default)]
pub(crate) struct Measure {
    size: u64,
    zstd: Option<zstd::Encoder<'static, Counter>>,
    parquet: Option<ArrowWriter<Counter>>,
    arrow: Option<StreamWriter<Counter>>,
}

impl Measure {
    /// Takes the next rows. The bytes of rows are compressed as `.jsonl.zst` is where `is_zstd`, columns
    /// are encoded as Parquet where `is_parquet`.
    pub(crate) fn add(
        &mut self,
        rows: &Encoded,
        is_zstd: bool,
        is_parquet: bool,
    ) -> Result<(), Error> {
        match &rows.form {
            Form::Rows(lines) if is_zstd => self.compress(&lines.bytes)?,
            Form::Rows(lines) => {
                self.size += lines.bytes.len() as u64 + INDEX_ROW_SIZE * rows.rows() as u64;
            }
            Form::Whole(bytes) => self.size += bytes.len() as u64,
            Form::Batch(batch) if is_parquet => self.encode(batch)?,
            Form::Batch(batch) => self.store(batch)?,
            Form::Members(members) => {
                for member in members {
                    let sizes = (0..rows.rows()).filter_map(|row| member.size(row));
                    let sizes = sizes.map(|size| size as u64);
                    let blocks =
                        sizes.map(|size| TAR_BLOCK_SIZE + size.next_multiple_of(TAR_BLOCK_SIZE));
                    self.size += blocks.sum::<u64>();
                }
            }
        }
        Ok(())
    }

    /// The bytes of all rows.
    pub(crate) fn finish(self) -> Result<u64, Error> {
        let mut size = self.size;
        if let Some(encoder) = self.zstd {
            size += encoder.finish().map_err(failed)?.0;
        }
        if let Some(writer) = self.parquet {
            size += writer.into_inner().map_err(failed)?.0;
        }
        if let Some(writer) = self.arrow {
            size += writer.into_inner().map_err(failed)?.0;
        }
        Ok(size)
    }

    fn compress(&mut self, bytes: &[u8]) -> Result<(), Error> {
        if self.zstd.is_none() {
            let encoder = zstd::Encoder::new(Counter::default(), jsonl::ZSTD_LEVEL);
            self.zstd = Some(encoder.map_err(failed)?);
        }
        let encoder = self.zstd.as_mut().expect("made above");
        encoder.write_all(bytes).map_err(failed)
    }

    fn encode(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        let schema = schema::nullable(&batch.schema());
        let batch = schema::conform(batch, &schema)?;
        if self.parquet.is_none() {
            let properties = Some(parquet::properties());
            let writer = ArrowWriter::try_new(Counter::default(), schema, properties);
            self.parquet = Some(writer.map_err(failed)?);
        }
        let writer = self.parquet.as_mut().expect("made above");
        writer.write(&batch).map_err(failed)
    }

    fn store(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        let schema = schema::nullable(&batch.schema());
        let batch = schema::conform(batch, &schema)?;
        if self.arrow.is_none() {
            let writer = StreamWriter::try_new(Counter::default(), &schema);
            self.arrow = Some(writer.map_err(failed)?);
        }
        let writer = self.arrow.as_mut().expect("made above");
        writer.write(&batch).map_err(failed)
    }
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::invalid(format!("cannot measure the output: {error}"))
}
