//! Writing through the page cache: many slices in one call, no copy but the kernel's.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, IoSlice, Write};

use crate::SafeTensorError;
use crate::sys::write::{preallocate, start_write_back};

/// How many slices go into one call: the limit of Linux.
const SLICES_MAX: usize = 1024;

/// How many bytes are gathered for a call. Tensors that are made for the save are held until then.
const BATCH_SIZE: usize = 8 << 20;

/// How many bytes a durable save writes before it asks the disk to begin with them.
const WRITE_BACK_SIZE: usize = 16 << 20;

pub(super) fn write<'a>(
    file: &File,
    size: u64,
    parts: impl Iterator<Item = Result<Cow<'a, [u8]>, SafeTensorError>>,
    fsync: bool,
) -> Result<(), SafeTensorError> {
    preallocate(file, size)?;
    let mut out = Output {
        file,
        fsync,
        written: 0,
        started: 0,
    };
    let mut batch = Vec::new();
    let mut batch_size = 0;
    for part in parts {
        let part = part?;
        batch_size += part.len();
        batch.push(part);
        if batch.len() == SLICES_MAX || batch_size >= BATCH_SIZE {
            out.write(&batch)?;
            batch.clear();
            batch_size = 0;
        }
    }
    Ok(out.write(&batch)?)
}

struct Output<'a> {
    file: &'a File,
    fsync: bool,
    written: u64,
    /// Up to where the disk has been asked to begin.
    started: u64,
}

impl Output<'_> {
    fn write(&mut self, batch: &[Cow<'_, [u8]>]) -> io::Result<()> {
        let piece_size = if self.fsync {
            WRITE_BACK_SIZE
        } else {
            usize::MAX
        };
        let mut slices: Vec<_> = batch
            .iter()
            .flat_map(|bytes| bytes.chunks(piece_size))
            .map(IoSlice::new)
            .collect();
        let mut rest = slices.as_mut_slice();
        // Empty slices at the front would make a call that writes nothing.
        IoSlice::advance_slices(&mut rest, 0);
        while !rest.is_empty() {
            let now = if self.fsync {
                1.max(many(rest))
            } else {
                rest.len()
            };
            match self.file.write_vectored(&rest[..now]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    IoSlice::advance_slices(&mut rest, written);
                    self.advance(written as u64);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn advance(&mut self, written: u64) {
        self.written += written;
        let waiting = self.written - self.started;
        if self.fsync && waiting >= WRITE_BACK_SIZE as u64 {
            start_write_back(self.file, self.started, waiting);
            self.started = self.written;
        }
    }
}

/// How many slices from the front make up one piece for the disk.
fn many(slices: &[IoSlice<'_>]) -> usize {
    let mut size = 0;
    slices
        .iter()
        .take_while(|slice| {
            size += slice.len();
            size <= WRITE_BACK_SIZE
        })
        .count()
}
