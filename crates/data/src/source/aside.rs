//! Rows that an earlier stage has put aside.

use super::{BatchLimit, Chunk, Records};
use crate::audit::Lines;
use crate::operators::filter;
use crate::stages::{Frame, PartReader, Removed, decode};
use crate::turnstile::Turn;
use crate::{Error, Reject};
use arrow_array::RecordBatch;
use std::sync::Arc;

/// A batch as it lies in a part.
pub(crate) struct AsideChunk {
    removed: Arc<Removed>,
    part: u32,
    /// The number of the first row in the part.
    first: u32,
    bytes: Result<Vec<u8>, Error>,
}

impl AsideChunk {
    /// The rows that stay.
    pub(crate) fn decode(self, turn: &mut Turn) -> Result<RecordBatch, Error> {
        let batch = decode(self.bytes?)?;
        let mut audit = Lines::of(turn, &batch);
        let stay = self.removed.stay(self.part, self.first, &batch, &mut audit);
        filter(batch, stay)
    }
}

/// The parts of a stage.
pub(crate) struct Aside {
    removed: Arc<Removed>,
    part: u32,
    reader: Option<PartReader>,
    first: u32,
}

impl Aside {
    pub(crate) fn new(removed: Arc<Removed>) -> Self {
        Self {
            removed,
            part: 0,
            reader: None,
            first: 0,
        }
    }

    fn read(&mut self) -> Result<Option<Frame>, Error> {
        while (self.part as usize) < self.removed.parts().len() {
            if self.reader.is_none() {
                self.reader = Some(PartReader::open(self.removed.folder(), self.part)?);
            }
            let rows = self.removed.parts()[self.part as usize];
            if let Some(reader) = &mut self.reader {
                if let Some(frame) = reader.next()? {
                    if u64::from(self.first) + u64::from(frame.rows) > u64::from(rows) {
                        return Err(reader.changed());
                    }
                    return Ok(Some(frame));
                }
                if self.first != rows {
                    return Err(reader.changed());
                }
            }
            (self.reader, self.first) = (None, 0);
            self.part += 1;
        }
        Ok(None)
    }
}

impl Records for Aside {
    fn next(&mut self, _limit: BatchLimit, _rejects: &mut Vec<Reject>) -> Option<Chunk> {
        let frame = self.read().transpose()?;
        let mut chunk = AsideChunk {
            removed: self.removed.clone(),
            part: self.part,
            first: self.first,
            bytes: Ok(Vec::new()),
        };
        match frame {
            Ok(frame) => {
                self.first += frame.rows;
                chunk.bytes = Ok(frame.bytes);
            }
            Err(error) => {
                // The error ends the run; nothing comes after it.
                self.part = self.removed.parts().len() as u32;
                chunk.bytes = Err(error);
            }
        }
        Some(Chunk::Aside(chunk))
    }
}
