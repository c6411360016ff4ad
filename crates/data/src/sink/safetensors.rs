//! Token ids as two tensors: `ids`, all of them, and `offsets`, where each row starts and the last one
//! ends. The latter is what attention kernels take as `cu_seqlens`.

use super::encode::{Encoded, Form};
use super::{OutFile, Shard};
use crate::Error;
use crate::atomic::Spool;
use crate::output::TokenType;
use nexus_safetensors::{Dtype, SafeTensorError, SafeWriter, WriteOptions};
use std::io::Read;

pub(super) struct Tokens {
    file: OutFile,
    /// The ids, until their number is known: it stands before them.
    ids: Spool,
    token_type: TokenType,
    size: u64,
    /// In tokens.
    offsets: Vec<i64>,
}

impl Tokens {
    pub(super) fn new(file: OutFile, token_type: TokenType) -> Result<Self, Error> {
        let ids = file.spool()?;
        Ok(Self {
            file,
            ids,
            token_type,
            size: 0,
            offsets: vec![0],
        })
    }
}

impl Shard for Tokens {
    fn write(&mut self, rows: &Encoded, from: usize, limit: u64) -> Result<usize, Error> {
        let Form::Rows(ids) = &rows.form else {
            unreachable!("token ids are rows");
        };
        let (bytes, next) = ids.fitting(from, limit.saturating_sub(self.size));
        self.ids.append(bytes)?;
        let mut end = self.offsets.last().copied().unwrap_or(0);
        for row in from..next {
            end += (ids.get(row).len() / self.token_type.width()) as i64;
            self.offsets.push(end);
        }
        self.size += bytes.len() as u64;
        Ok(next)
    }

    fn size(&self) -> u64 {
        self.size
    }

    fn finish(self: Box<Self>) -> Result<Vec<OutFile>, Error> {
        let Self {
            mut file,
            ids,
            token_type,
            size,
            offsets,
        } = *self;
        let path = file.path().to_owned();
        let failed = |error: SafeTensorError| Error::safetensors(&path, error);
        let dtype = match token_type {
            TokenType::U16 => Dtype::U16,
            TokenType::U32 => Dtype::U32,
        };
        let count = size as usize / token_type.width();
        let tensors = [
            ("ids", dtype, vec![count]),
            ("offsets", Dtype::I64, vec![offsets.len()]),
        ];
        file.write_by_path(|place| {
            let writer = SafeWriter::create(place, tensors, None, WriteOptions::default())
                .map_err(failed)?;
            let starts: Vec<u8> = offsets
                .iter()
                .flat_map(|offset| offset.to_le_bytes())
                .collect();
            writer.write("offsets", &starts).map_err(failed)?;
            let mut reader = ids.into_reader()?;
            let (mut buffer, mut offset) = (vec![0; 1 << 20], 0);
            loop {
                let size = reader
                    .read(&mut buffer)
                    .map_err(|error| Error::io("read", &path, error))?;
                if size == 0 {
                    break;
                }
                writer
                    .write_at("ids", offset, &buffer[..size])
                    .map_err(failed)?;
                offset += size;
            }
            writer.finish().map_err(failed).map(drop)
        })?;
        Ok(vec![file])
    }
}
