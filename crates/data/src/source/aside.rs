//! Rows that an earlier stage has put aside.

use super::{BatchLimit, Chunk, Records};
use crate::audit::Lines;
use crate::operators::filter;
use crate::stages::{Frame, Part, PartReader, Removed, decode};
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

/// Some parts of a stage.
pub(crate) struct Aside {
    removed: Arc<Removed>,
    /// Those that are still to be read, the next one last.
    parts: Vec<Part>,
    reader: Option<PartReader>,
    first: u32,
}

impl Aside {
    pub(crate) fn new(removed: Arc<Removed>, mut parts: Vec<Part>) -> Self {
        parts.reverse();
        Self {
            removed,
            parts,
            reader: None,
            first: 0,
        }
    }

    fn read(&mut self) -> Result<Option<(u32, Frame)>, Error> {
        while let Some(part) = self.parts.last() {
            let reader = match &mut self.reader {
                Some(reader) => reader,
                none => none.insert(PartReader::open(self.removed.folder(), part.number)?),
            };
            if let Some(frame) = reader.next()? {
                if u64::from(self.first) + u64::from(frame.rows) > u64::from(part.rows) {
                    return Err(reader.changed());
                }
                return Ok(Some((part.number, frame)));
            }
            if self.first != part.rows {
                return Err(reader.changed());
            }
            (self.reader, self.first) = (None, 0);
            self.parts.pop();
        }
        Ok(None)
    }
}

impl Records for Aside {
    fn next(&mut self, _limit: BatchLimit, _rejects: &mut Vec<Reject>) -> Option<Chunk> {
        let mut chunk = AsideChunk {
            removed: self.removed.clone(),
            part: 0,
            first: self.first,
            bytes: Ok(Vec::new()),
        };
        match self.read().transpose()? {
            Ok((part, frame)) => {
                // A part may have ended.
                (chunk.part, chunk.first) = (part, self.first);
                self.first += frame.rows;
                chunk.bytes = Ok(frame.bytes);
            }
            Err(error) => {
                // The error ends the run; nothing comes after it.
                self.parts.clear();
                chunk.bytes = Err(error);
            }
        }
        Some(Chunk::Aside(chunk))
    }
}
