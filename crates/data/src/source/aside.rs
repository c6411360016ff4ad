//! Rows that an earlier stage has put aside.

use super::{BatchLimit, Chunk, Records};
use crate::audit::Lines;
use crate::batch::{list_array, with_columns};
use crate::operators::filter;
use crate::stages::{CUTS, Cut, CutsReader, Frame, Part, PartReader, Removed, decode};
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
    /// Ranges of these rows that go, where the step is about ranges.
    cuts: Option<Vec<Cut>>,
}

impl AsideChunk {
    /// The rows that stay.
    pub(crate) fn decode(self, turn: &mut Turn) -> Result<RecordBatch, Error> {
        let batch = decode(self.bytes?)?;
        if let Some(cuts) = self.cuts {
            return with_cuts(&batch, self.first, &cuts);
        }
        let mut audit = Lines::of(turn, &batch);
        let stay = self.removed.stay(self.part, self.first, &batch, &mut audit);
        filter(batch, stay)
    }
}

/// The batch with a column of the ranges of each row, as pairs. `first` is the number of the first row.
fn with_cuts(batch: &RecordBatch, first: u32, cuts: &[Cut]) -> Result<RecordBatch, Error> {
    let mut lengths = vec![0; batch.num_rows()];
    for cut in cuts {
        if let Some(length) = lengths.get_mut((cut.row - first) as usize) {
            *length += 2;
        }
    }
    let values = cuts.iter().flat_map(|cut| [cut.start, cut.end]).collect();
    let column = Arc::new(list_array(values, lengths)?);
    with_columns(batch, [(CUTS, column as _)])
}

/// The next batch, the number of its part, and the ranges of its rows that go.
type Next = (u32, Frame, Option<Vec<Cut>>);

/// Some parts of a stage.
pub(crate) struct Aside {
    removed: Arc<Removed>,
    /// Those that are still to be read, the next one last.
    parts: Vec<Part>,
    reader: Option<PartReader>,
    cuts: Option<CutsReader>,
    first: u32,
}

impl Aside {
    pub(crate) fn new(removed: Arc<Removed>, mut parts: Vec<Part>) -> Self {
        parts.reverse();
        Self {
            removed,
            parts,
            reader: None,
            cuts: None,
            first: 0,
        }
    }

    /// The next batch, and what goes of it.
    fn read(&mut self) -> Result<Option<Next>, Error> {
        while let Some(part) = self.parts.last() {
            let reader = match &mut self.reader {
                Some(reader) => reader,
                none => {
                    self.cuts = self.removed.cuts(part.number)?;
                    none.insert(PartReader::open(self.removed.folder(), part.number)?)
                }
            };
            if let Some(frame) = reader.next()? {
                if u64::from(self.first) + u64::from(frame.rows) > u64::from(part.rows) {
                    return Err(reader.changed());
                }
                let end = self.first + frame.rows;
                let cuts = self.cuts.as_mut().map(|cuts| cuts.before(end));
                return Ok(Some((part.number, frame, cuts.transpose()?)));
            }
            if self.first != part.rows {
                return Err(reader.changed());
            }
            self.cuts.as_ref().map_or(Ok(()), CutsReader::end)?;
            (self.reader, self.cuts, self.first) = (None, None, 0);
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
            cuts: None,
        };
        match self.read().transpose()? {
            Ok((part, frame, cuts)) => {
                // A part may have ended.
                (chunk.part, chunk.first) = (part, self.first);
                self.first += frame.rows;
                (chunk.bytes, chunk.cuts) = (Ok(frame.bytes), cuts);
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
