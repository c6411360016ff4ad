//! Units of work: runs of files, and reading one.

use super::facts::Seen;
use super::note::Note;
use super::{Piece, Pieces, corrupt};
use crate::pipeline::Source;
use crate::report::Counted;
use crate::source::{self, Listing, Meter, Reader};
use crate::storage::StoredFile;
use crate::turnstile::Turn;
use crate::{Error, Reject, StepReport};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

/// Least and most bytes of files in a unit, but for files that are larger.
const UNIT_SIZE_MIN: u64 = 1 << 20;
const UNIT_SIZE_MAX: u64 = 256 << 20;

/// Units for each worker, so that the last ones have all something to do.
const UNITS_PER_WORKER: u64 = 4;

/// The files of a plan, cut into units.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Units {
    /// Each a text of JSON; their order is that of the files.
    pub units: Vec<Vec<u8>>,
    /// Files of other kinds than the readers know.
    pub skipped: Counted<String>,
}

#[derive(Serialize, Deserialize)]
struct Unit {
    files: Vec<UnitFile>,
    rejects: Vec<Reject>,
}

#[derive(Serialize, Deserialize)]
struct UnitFile {
    /// From the root, because workers have working folders of their own; or an address.
    path: PathBuf,
    source: String,
    id: String,
    size: u64,
    version: String,
}

impl Pieces {
    /// Lists the files, and cuts them into units for so many workers. A file is not cut.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) where there is nothing to read;
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for paths that are no Unicode.
    pub fn units(&self, workers: usize) -> Result<Units, Error> {
        let Source::Path(root) = &self.pipeline.source else {
            unreachable!("others were refused");
        };
        let images = self.pipeline.image_column();
        let mut reader =
            Reader::files(root, &self.storage, self.limit, images, &self.pipeline.keys)?;
        let size =
            reader.bytes_total().unwrap_or_default() / (workers as u64 * UNITS_PER_WORKER).max(1);
        let skipped = reader.take_skipped();
        let groups = reader.groups(size.clamp(UNIT_SIZE_MIN, UNIT_SIZE_MAX));
        let units = groups.into_iter().map(|group| self.encode(group));
        Ok(Units {
            units: units.collect::<Result<_, _>>()?,
            skipped,
        })
    }

    /// Reads unit `number` and brings its batches through phase 0.
    ///
    /// # Errors
    /// [`Corrupt`](crate::ErrorKind::Corrupt) for a text that is no unit.
    pub fn read(self: &Arc<Self>, number: u32, unit: &[u8]) -> Result<UnitReader, Error> {
        let wrong = |error| corrupt(&format!("it is no unit: {error}"));
        let unit: Unit = serde_json::from_slice(unit).map_err(wrong)?;
        let images = self.pipeline.image_column();
        let mut listing = Listing::new(&self.storage, images, &self.pipeline.keys);
        let mut sources = Vec::with_capacity(unit.files.len());
        for file in unit.files {
            let stored = StoredFile {
                path: file.path,
                size: file.size,
                version: file.version,
            };
            listing.file(stored, file.id)?;
            sources.push(file.source);
        }
        if listing.inputs.len() != sources.len() {
            return Err(corrupt("it has a file that is not read"));
        }
        for (input, source) in listing.inputs.iter_mut().zip(sources) {
            input.source = source.into();
        }
        let reader = Reader::some(listing.inputs, self.limit);
        let reader = reader.with_rejects(unit.rejects, images.is_some());
        Ok(UnitReader {
            pieces: self.clone(),
            meter: reader.meter(),
            reader: Some(reader),
            place: u64::from(number) << 32,
            seen: Seen::default(),
            counted: (0, 0),
        })
    }
}

impl Pieces {
    fn encode(&self, group: Reader) -> Result<Vec<u8>, Error> {
        let (inputs, rejects) = group.into_inputs();
        let mut files = Vec::with_capacity(inputs.len());
        for input in inputs {
            let path = if self.storage.is_local(&input.path) {
                std::path::absolute(&input.path)
                    .map_err(|error| Error::io("find", &input.path, error))?
            } else {
                input.path
            };
            files.push(UnitFile {
                path,
                source: input.source.to_string(),
                id: input.id,
                size: input.size,
                version: input.version,
            });
        }
        serde_json::to_vec(&Unit { files, rejects })
            .map_err(|error| Error::invalid(format!("cannot name the files to workers: {error}")))
    }
}

/// The pieces of a unit. The last one may have no rows: it tells of what was read and rejected.
pub struct UnitReader {
    pieces: Arc<Pieces>,
    meter: Arc<Meter>,
    reader: Option<Reader>,
    place: u64,
    seen: Seen,
    /// Bytes and files that earlier pieces tell of.
    counted: (u64, u64),
}

impl Iterator for UnitReader {
    type Item = Result<Piece, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let start = Instant::now();
        let Some((chunk, mut rejects)) = self.reader.as_mut()?.next() else {
            self.reader = None;
            let note = self.note(0, Vec::new(), start);
            return Some(Ok(Piece {
                place: self.place,
                note: note.encode(),
                ..Piece::default()
            }));
        };
        let turn = &mut Turn::new(self.place);
        let batch = match source::decode(chunk, &self.meter, &mut rejects, turn) {
            Ok(batch) => batch,
            Err(error) => return Some(self.fail(error)),
        };
        let note = self.note(batch.num_rows(), rejects, start);
        let seen = Some(&mut self.seen);
        match self.pieces.pass(0, self.place, batch, note, seen) {
            Ok(piece) => {
                self.place += 1;
                Some(Ok(piece))
            }
            Err(error) => Some(self.fail(error)),
        }
    }
}

impl UnitReader {
    /// Where the next piece stands.
    pub fn place(&self) -> u64 {
        self.place
    }

    /// Nothing comes after an error.
    fn fail(&mut self, error: Error) -> Result<Piece, Error> {
        self.reader = None;
        Err(error)
    }

    fn note(&mut self, rows: usize, rejects: Vec<Reject>, start: Instant) -> Note {
        let (bytes, files) = (
            self.meter.bytes.load(Relaxed),
            self.meter.files.load(Relaxed),
        );
        let (bytes_before, files_before) = std::mem::replace(&mut self.counted, (bytes, files));
        let read = StepReport {
            rows_in: (rows + rejects.len()) as u64,
            rows_out: rows as u64,
            bytes_in: bytes - bytes_before,
            seconds: start.elapsed().as_secs_f64(),
            ..StepReport::default()
        };
        Note {
            read,
            rejects,
            files: files - files_before,
            ..Note::default()
        }
    }
}
