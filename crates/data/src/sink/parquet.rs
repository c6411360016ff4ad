//! Parquet files (<https://parquet.apache.org/docs/file-format/>).

use super::encode::{Encoded, Form};
use super::{OutFile, Shard, schema};
use crate::batch::columns;
use crate::{Error, ErrorKind};
use arrow_schema::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use std::path::{Path, PathBuf};

/// A row group is held in memory until it is complete.
pub(super) const ROW_GROUP_SIZE: usize = 64 << 20;
const ROW_GROUP_ROWS: usize = 1 << 20;

pub(super) struct Table {
    writer: ArrowWriter<OutFile>,
    schema: SchemaRef,
    path: PathBuf,
}

/// How files are written.
pub(super) fn properties() -> WriterProperties {
    let mut properties = WriterProperties::builder()
        .set_created_by(concat!("nexus-data ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_max_row_group_bytes(Some(ROW_GROUP_SIZE))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS));
    // No two values are alike, so a dictionary of them would be built to be thrown away.
    for name in [
        columns::ID,
        columns::TEXT,
        columns::FIELDS,
        columns::PASSAGE,
    ] {
        properties = properties.set_column_dictionary_enabled(name.into(), false);
    }
    // Images are compressed already.
    properties = properties
        .set_column_dictionary_enabled(columns::IMAGE.into(), false)
        .set_column_compression(columns::IMAGE.into(), Compression::UNCOMPRESSED);
    properties.build()
}

impl Table {
    pub(super) fn new(file: OutFile, schema: SchemaRef) -> Result<Self, Error> {
        let path = file.path().to_owned();
        let writer = ArrowWriter::try_new(file, schema.clone(), Some(properties()));
        let writer = writer.map_err(|error| {
            let message = format!("cannot write the columns as Parquet: {error}");
            Error::new(ErrorKind::Unsupported, message)
        })?;
        Ok(Self {
            writer,
            schema,
            path,
        })
    }
}

/// The error of the disk, where it is one.
fn failed(path: &Path, error: ParquetError) -> Error {
    let error = match error {
        ParquetError::External(error) => match error.downcast::<std::io::Error>() {
            Ok(error) => return Error::io("write", path, *error),
            Err(error) => ParquetError::External(error),
        },
        error => error,
    };
    Error::new(
        ErrorKind::Io,
        format!("cannot write `{}`: {error}", path.display()),
    )
}

impl Shard for Table {
    fn write(&mut self, rows: &Encoded, from: usize, _limit: u64) -> Result<usize, Error> {
        let Form::Batch(batch) = &rows.form else {
            unreachable!("tables take batches");
        };
        let batch = schema::conform(&batch.slice(from, batch.num_rows() - from), &self.schema)?;
        self.writer
            .write(&batch)
            .map_err(|error| failed(&self.path, error))?;
        Ok(rows.rows())
    }

    fn size(&self) -> u64 {
        (self.writer.bytes_written() + self.writer.in_progress_size()) as u64
    }

    fn finish(self: Box<Self>) -> Result<Vec<OutFile>, Error> {
        let Self { writer, path, .. } = *self;
        let file = writer.into_inner().map_err(|error| failed(&path, error))?;
        Ok(vec![file])
    }
}
