//! Arrow IPC files and streams (<https://arrow.apache.org/docs/format/Columnar.html>), not compressed,
//! so that they can be mapped.

use super::encode::{Encoded, Form};
use super::{OutFile, Shard, schema};
use crate::{Error, ErrorKind};
use arrow_ipc::writer::{FileWriter, StreamWriter};
use arrow_schema::{ArrowError, SchemaRef};
use std::path::{Path, PathBuf};

pub(super) struct Table {
    writer: Kind,
    schema: SchemaRef,
    path: PathBuf,
}

enum Kind {
    File(FileWriter<OutFile>),
    Stream(StreamWriter<OutFile>),
}

impl Table {
    pub(super) fn file(file: OutFile, schema: SchemaRef) -> Result<Self, Error> {
        let path = file.path().to_owned();
        let writer = FileWriter::try_new(file, &schema).map_err(|error| failed(&path, error))?;
        Ok(Self {
            writer: Kind::File(writer),
            schema,
            path,
        })
    }

    pub(super) fn stream(file: OutFile, schema: SchemaRef) -> Result<Self, Error> {
        let path = file.path().to_owned();
        let writer = StreamWriter::try_new(file, &schema).map_err(|error| failed(&path, error))?;
        Ok(Self {
            writer: Kind::Stream(writer),
            schema,
            path,
        })
    }
}

fn failed(path: &Path, error: ArrowError) -> Error {
    match error {
        ArrowError::IoError(_, error) => Error::io("write", path, error),
        error => {
            let message = format!("cannot write `{}`: {error}", path.display());
            Error::new(ErrorKind::Unsupported, message)
        }
    }
}

impl Shard for Table {
    fn write(&mut self, rows: &Encoded, from: usize, _limit: u64) -> Result<usize, Error> {
        let Form::Batch(batch) = &rows.form else {
            unreachable!("tables take batches");
        };
        let batch = schema::conform(&batch.slice(from, batch.num_rows() - from), &self.schema)?;
        match &mut self.writer {
            Kind::File(writer) => writer.write(&batch),
            Kind::Stream(writer) => writer.write(&batch),
        }
        .map_err(|error| failed(&self.path, error))?;
        Ok(rows.rows())
    }

    fn size(&self) -> u64 {
        match &self.writer {
            Kind::File(writer) => writer.get_ref().size(),
            Kind::Stream(writer) => writer.get_ref().size(),
        }
    }

    fn finish(self: Box<Self>) -> Result<Vec<OutFile>, Error> {
        let file = match self.writer {
            Kind::File(writer) => writer.into_inner(),
            Kind::Stream(writer) => writer.into_inner(),
        };
        Ok(vec![file.map_err(|error| failed(&self.path, error))?])
    }
}
