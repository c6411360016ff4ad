//! Rows that were encoded on one machine and are written on another.

use super::encode::{Encoded, Encoder, Form, Rows};
use crate::output::Format;
use crate::stages::{decode, encode_behind};
use crate::{Error, ErrorKind};
use arrow_array::RecordBatch;
use arrow_buffer::Buffer;
use arrow_schema::Schema;
use std::sync::Arc;

const NUMBER_SIZE: usize = 8;

impl Encoder {
    /// Whether rows become bytes that are independent of their columns. Tables, archives and MDS need
    /// the columns where they are written.
    fn is_bytes(&self) -> bool {
        matches!(
            self.format,
            Format::Jsonl
                | Format::JsonlGz
                | Format::JsonlZst
                | Format::Megatron
                | Format::Safetensors
        )
    }

    /// Makes bytes of a batch, of which [`unpack`](Self::unpack) makes what `encode` gives: the number of
    /// rows, where each ends (8 bytes, little-endian) unless they are all one, and their bytes; for
    /// other formats an Arrow stream.
    pub(crate) fn pack(&self, batch: RecordBatch) -> Result<Vec<u8>, Error> {
        if !self.is_bytes() {
            return encode_behind(0, &batch);
        }
        let encoded = self.encode(batch)?;
        let (ends, bytes) = match encoded.form {
            Form::Rows(Rows { bytes, ends }) => (ends, bytes),
            Form::Whole(bytes) => (Vec::new(), bytes),
            Form::Batch(_) | Form::Members(_) => unreachable!("these have columns"),
        };
        let mut out = Vec::with_capacity((1 + ends.len()) * NUMBER_SIZE + bytes.len());
        for number in [encoded.rows].into_iter().chain(ends) {
            out.extend((number as u64).to_le_bytes());
        }
        out.extend(bytes);
        Ok(out)
    }

    /// What `encode` gives for the batch of which the bytes were made.
    pub(crate) fn unpack(&self, bytes: &Buffer) -> Result<Encoded, Error> {
        if !self.is_bytes() {
            return self.encode(decode(bytes.clone())?);
        }
        let numbers = |count: usize| {
            let numbers = bytes.get(..count.checked_mul(NUMBER_SIZE)?)?;
            let number = |&bytes| usize::try_from(u64::from_le_bytes(bytes)).ok();
            numbers
                .as_chunks()
                .0
                .iter()
                .map(number)
                .collect::<Option<Vec<_>>>()
        };
        let unpacked = || {
            let rows = *numbers(1)?.first()?;
            if self.format == Format::JsonlGz {
                return Some((rows, Form::Whole(bytes.get(NUMBER_SIZE..)?.to_vec())));
            }
            let ends = numbers(rows.checked_add(1)?)?.split_off(1);
            let bytes = bytes.get((rows + 1) * NUMBER_SIZE..)?.to_vec();
            let is_whole = ends.is_sorted() && ends.last().is_none_or(|&end| end == bytes.len());
            is_whole.then_some((rows, Form::Rows(Rows { bytes, ends })))
        };
        let (rows, form) = unpacked().ok_or_else(|| {
            Error::new(ErrorKind::Corrupt, "cannot write a piece: it is not rows")
        })?;
        Ok(Encoded {
            schema: Arc::new(Schema::empty()),
            rows,
            form,
        })
    }
}
