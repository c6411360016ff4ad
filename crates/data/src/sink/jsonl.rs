//! JSON Lines, compressed or not.

use super::encode::{Encoded, Form, gzip};
use super::{OutFile, Shard};
use crate::Error;
use std::io::Write;

/// The level that the `zstd` program has as its default.
pub(super) const ZSTD_LEVEL: i32 = 3;

/// Bytes as they come: plain lines, or members of gzip.
pub(super) struct Plain {
    file: OutFile,
    is_gzip: bool,
}

impl Plain {
    pub(super) fn new(file: OutFile, is_gzip: bool) -> Self {
        Self { file, is_gzip }
    }
}

impl Shard for Plain {
    fn write(&mut self, rows: &Encoded, from: usize, limit: u64) -> Result<usize, Error> {
        match &rows.form {
            Form::Rows(lines) => {
                let (bytes, next) = lines.fitting(from, limit.saturating_sub(self.file.size()));
                self.file.append(bytes)?;
                Ok(next)
            }
            Form::Whole(bytes) => {
                self.file.append(bytes)?;
                Ok(rows.rows())
            }
            _ => unreachable!("lines are rows"),
        }
    }

    fn size(&self) -> u64 {
        self.file.size()
    }

    fn finish(mut self: Box<Self>) -> Result<Vec<OutFile>, Error> {
        // A file of no bytes is no gzip file.
        if self.is_gzip && self.file.size() == 0 {
            self.file.append(&gzip(b""))?;
        }
        Ok(vec![self.file])
    }
}

/// Lines in one frame: common readers stop at the end of the first.
pub(super) struct Zstd(zstd::Encoder<'static, OutFile>);

impl Zstd {
    pub(super) fn new(file: OutFile) -> Result<Self, Error> {
        let path = file.path().to_owned();
        let encoder = zstd::Encoder::new(file, ZSTD_LEVEL).and_then(|mut encoder| {
            encoder.include_checksum(true)?;
            Ok(encoder)
        });
        Ok(Self(
            encoder.map_err(|error| Error::io("compress", &path, error))?,
        ))
    }

    fn failed(&self, error: std::io::Error) -> Error {
        Error::io("write", self.0.get_ref().path(), error)
    }
}

impl Shard for Zstd {
    fn write(&mut self, rows: &Encoded, from: usize, limit: u64) -> Result<usize, Error> {
        let Form::Rows(lines) = &rows.form else {
            unreachable!("lines are rows");
        };
        // What is in the encoder has no size yet, so rows go in until the file has grown.
        let mut next = from;
        while next < rows.rows() && (next == from || self.size() < limit) {
            let line = lines.get(next);
            self.0.write_all(line).map_err(|error| self.failed(error))?;
            next += 1;
        }
        Ok(next)
    }

    fn size(&self) -> u64 {
        self.0.get_ref().size()
    }

    fn finish(self: Box<Self>) -> Result<Vec<OutFile>, Error> {
        let path = self.0.get_ref().path().to_owned();
        let file = self
            .0
            .finish()
            .map_err(|error| Error::io("write", &path, error))?;
        Ok(vec![file])
    }
}
