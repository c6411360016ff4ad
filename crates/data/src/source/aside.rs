//! Rows that an earlier stage has put aside.

use super::{BatchLimit, Chunk, Records};
use crate::audit::Lines;
use crate::batch::{list_array, with_columns};
use crate::operators::filter;
use crate::stages::{CUTS, Cut, CutsReader, Frame, PartReader, Removed, decode};
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
        let mut audit = Lines::of(turn, &batch);
        if let Some(cuts) = self.cuts {
            return with_cuts(&batch, self.first, &cuts);
        }
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

/// The next batch, and the ranges of its rows that go.
type Next = (Frame, Option<Vec<Cut>>);

/// The parts of a stage.
pub(crate) struct Aside {
    removed: Arc<Removed>,
    part: u32,
    reader: Option<PartReader>,
    cuts: Option<CutsReader>,
    first: u32,
}

impl Aside {
    pub(crate) fn new(removed: Arc<Removed>) -> Self {
        Self {
            removed,
            part: 0,
            reader: None,
            cuts: None,
            first: 0,
        }
    }

    /// The next batch, and what goes of it.
    fn read(&mut self) -> Result<Option<Next>, Error> {
        while (self.part as usize) < self.removed.parts().len() {
            if self.reader.is_none() {
                self.reader = Some(PartReader::open(self.removed.folder(), self.part)?);
                self.cuts = self.removed.cuts(self.part)?;
            }
            let rows = self.removed.parts()[self.part as usize];
            if let Some(reader) = &mut self.reader {
                if let Some(frame) = reader.next()? {
                    if u64::from(self.first) + u64::from(frame.rows) > u64::from(rows) {
                        return Err(reader.changed());
                    }
                    let end = self.first + frame.rows;
                    let cuts = self.cuts.as_mut().map(|cuts| cuts.before(end));
                    return Ok(Some((frame, cuts.transpose()?)));
                }
                if self.first != rows {
                    return Err(reader.changed());
                }
                self.cuts.as_ref().map_or(Ok(()), CutsReader::end)?;
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
            cuts: None,
        };
        match frame {
            Ok((frame, cuts)) => {
                self.first += frame.rows;
                (chunk.bytes, chunk.cuts) = (Ok(frame.bytes), cuts);
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
