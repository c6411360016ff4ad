//! The end of a stage: rows are put aside, and what says which of them are copies goes to
//! `nexus-dedup`, until all rows are known.

use super::parts::{self, PartWriter};
use super::removed::Removed;
use crate::batch::{columns, strings};
use crate::duplicates::{ExactCopies, NearCopies};
use crate::limits::PART_SIZE;
use crate::operators::Stop;
use crate::turnstile::{Closed, Turn, Turnstile};
use crate::{Error, ErrorKind, copies};
use arrow_array::RecordBatch;
use nexus_dedup::limits::MEMORY_SIZE_MIN;
use nexus_dedup::{
    Clusterer, ExactDedup, ExactShard, MinHasher, Options, Shard, ShingleSet, Signature,
};
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Steps that decide when all rows are known, as they follow each other in a plan.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Decision {
    pub(crate) exact: Option<ExactCopies>,
    pub(crate) near: Option<NearCopies>,
}

impl Decision {
    /// The name of its step, the last if there are two.
    pub(crate) fn step(&self) -> &'static str {
        match self.near {
            Some(_) => "dedup_near",
            None => "dedup_exact",
        }
    }

    /// What is decided, for people.
    pub(crate) fn lines(&self) -> impl Iterator<Item = String> {
        let exact = self
            .exact
            .map(|exact| format!("all documents: dedup_exact, {exact:?}"));
        let near = self
            .near
            .map(|near| format!("all documents: dedup_near, {near:?}"));
        exact.into_iter().chain(near)
    }
}

/// What is known of the rows of a batch.
pub(crate) struct Gathered {
    frame: Vec<u8>,
    rows: usize,
    hashes: Vec<u128>,
    /// None for a copy of an earlier row.
    signatures: Vec<Option<(Signature, Option<ShingleSet>)>>,
}

impl Gathered {
    /// What was found out elsewhere.
    pub(crate) fn new(
        batch: &RecordBatch,
        hashes: Vec<u128>,
        signatures: Vec<Option<(Signature, Option<ShingleSet>)>>,
    ) -> Result<Self, Error> {
        Ok(Self {
            frame: parts::encode(batch)?,
            rows: batch.num_rows(),
            hashes,
            signatures,
        })
    }
}

/// Finds out what there is to know of rows, on any thread.
pub(crate) struct Gatherer {
    decision: Decision,
    hashers: Mutex<Vec<MinHasher>>,
    seen: Turnstile<Seen>,
}

/// Hashes of rows that came before. Who is found here needs no signature; who is not found because
/// there is no room gets one, and is found to be a copy at the end all the same.
struct Seen {
    hashes: HashSet<u128>,
    room: usize,
}

/// Rows that are put aside, in parts.
pub(crate) struct Gather {
    folder: PathBuf,
    gatherer: Arc<Gatherer>,
    exact: Option<ExactDedup>,
    near: Option<Clusterer>,
    part: Option<Part>,
    /// Rows in each complete part.
    rows: Vec<u32>,
}

struct Part {
    number: u32,
    rows: u32,
    frames: PartWriter,
    exact: Option<ExactShard>,
    near: Option<Shard>,
}

impl Gatherer {
    fn new(decision: Decision, memory_size: u64) -> Self {
        Self {
            decision,
            hashers: Mutex::default(),
            seen: Turnstile::starting_at(
                1,
                Seen {
                    hashes: HashSet::new(),
                    // A set takes up to 36 bytes for an entry of 16.
                    room: (memory_size / 4 / 36) as usize,
                },
            ),
        }
    }

    pub(crate) fn apply(&self, batch: &RecordBatch, turn: &mut Turn) -> Result<Gathered, Stop> {
        let Decision { exact, near } = self.decision;
        let texts = strings(batch, columns::TEXT, self.decision.step())?;
        let hashes = exact.map_or_else(Vec::new, |exact| copies::hashes(texts, exact.ignore_space));
        let is_copy: Vec<bool> = if exact.is_some() && near.is_some() {
            self.seen.pass(turn, |seen| {
                hashes.iter().map(|&hash| !seen.is_new(hash)).collect()
            })?
        } else {
            self.seen.skip(turn)?;
            vec![false; batch.num_rows()]
        };
        let mut signatures = Vec::new();
        if let Some(near) = near {
            let free = self.lock().pop();
            let mut hasher = match free {
                Some(hasher) => hasher,
                None => {
                    MinHasher::new(near.params()).map_err(|error| failed("dedup_near", error))?
                }
            };
            for (text, is_copy) in texts.iter().zip(is_copy) {
                let text = text.unwrap_or_default();
                signatures.push(match near.threshold {
                    _ if is_copy => None,
                    None => Some((hasher.signature(text), None)),
                    Some(_) => {
                        let (signature, set) = hasher.document(text);
                        Some((signature, Some(set)))
                    }
                });
            }
            self.lock().push(hasher);
        }
        Ok(Gathered {
            frame: parts::encode(batch)?,
            rows: batch.num_rows(),
            hashes,
            signatures,
        })
    }

    pub(crate) fn skip(&self, turn: &mut Turn) -> Result<(), Closed> {
        self.seen.skip(turn)
    }

    pub(crate) fn close(&self) {
        self.seen.close();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<MinHasher>> {
        self.hashers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    fn is_new(&mut self, hash: u128) -> bool {
        if self.hashes.len() < self.room {
            self.hashes.insert(hash)
        } else {
            !self.hashes.contains(&hash)
        }
    }
}

impl Gather {
    /// Puts rows into `folder`, which is there and empty.
    pub(crate) fn create(
        folder: &Path,
        decision: Decision,
        memory_size: u64,
        threads: usize,
    ) -> Result<Self, Error> {
        let exact = match decision.exact {
            None => None,
            // Shards are written one at a time.
            Some(_) => Some(
                ExactDedup::open(&folder.join("exact"), memory_size / 4, 1)
                    .map_err(|error| failed("dedup_exact", error))?,
            ),
        };
        let near = match decision.near {
            None => None,
            Some(near) => {
                let options = Options {
                    params: near.params(),
                    threshold: near.threshold,
                    memory_size: memory_size / 2,
                    // The result does not depend on it.
                    threads: threads
                        .min((memory_size / 2 / MEMORY_SIZE_MIN) as usize)
                        .max(1),
                };
                Some(
                    Clusterer::open(&folder.join("near"), options)
                        .map_err(|error| failed("dedup_near", error))?,
                )
            }
        };
        Ok(Self {
            folder: folder.to_owned(),
            gatherer: Arc::new(Gatherer::new(decision, memory_size)),
            exact,
            near,
            part: None,
            rows: Vec::new(),
        })
    }

    /// The same when its rows are there already, as many in each part.
    pub(super) fn reopen(self, rows: &[u32]) -> Self {
        let rows = rows.to_vec();
        Self { rows, ..self }
    }

    /// Rows in each complete part.
    pub(super) fn rows(&self) -> &[u32] {
        &self.rows
    }

    pub(crate) fn gatherer(&self) -> Arc<Gatherer> {
        self.gatherer.clone()
    }

    /// Takes the next rows, in order.
    pub(crate) fn write(&mut self, gathered: Gathered) -> Result<(), Error> {
        if gathered.rows == 0 {
            return Ok(());
        }
        let mut part = match self.part.take() {
            Some(part) => part,
            None => self.begin()?,
        };
        let first = part.rows;
        for (row, hash) in (first..).zip(gathered.hashes) {
            if let Some(exact) = &mut part.exact {
                exact
                    .add_hash(row, hash)
                    .map_err(|error| failed("dedup_exact", error))?;
            }
        }
        for (row, signature) in (first..).zip(gathered.signatures) {
            if let (Some(near), Some((signature, set))) = (&mut part.near, signature) {
                near.add(row, &signature, set.as_ref())
                    .map_err(|error| failed("dedup_near", error))?;
            }
        }
        part.frames.write(&gathered.frame)?;
        part.rows += gathered.rows as u32;
        if part.frames.size() >= PART_SIZE {
            self.end(part)
        } else {
            self.part = Some(part);
            Ok(())
        }
    }

    /// Completes the last part.
    pub(crate) fn finish(&mut self) -> Result<(), Error> {
        self.part.take().map_or(Ok(()), |part| self.end(part))
    }

    /// Decides which rows go.
    pub(crate) fn decide(&self, is_audited: bool) -> Result<Removed, Error> {
        let Decision { exact, near } = self.gatherer.decision;
        for part in 0..self.rows.len() as u32 {
            let lacks = |step: &str| {
                let folder = self.folder.display();
                let message =
                    format!("cannot decide `{step}`: `{folder}` lacks a file of part {part}");
                Error::new(ErrorKind::Corrupt, message).with_hint("run again without resume")
            };
            if let Some(exact) = &self.exact
                && exact
                    .shard(part)
                    .map_err(|error| failed("dedup_exact", error))?
                    .is_some()
            {
                return Err(lacks("dedup_exact"));
            }
            if let Some(near) = &self.near
                && near
                    .shard(part)
                    .map_err(|error| failed("dedup_near", error))?
                    .is_some()
            {
                return Err(lacks("dedup_near"));
            }
        }
        let mut removed = Removed::new(&self.folder, &self.rows, is_audited);
        if let (Some(dedup), Some(settings)) = (&self.exact, exact) {
            let found = dedup
                .finish()
                .map_err(|error| failed("dedup_exact", error))?;
            removed.add("dedup_exact", &found, settings.keep)?;
        }
        if let (Some(clusterer), Some(settings)) = (&self.near, near) {
            let found = clusterer
                .finish()
                .map_err(|error| failed("dedup_near", error))?;
            removed.add("dedup_near", &found, settings.keep)?;
        }
        removed.name_originals()?;
        Ok(removed)
    }

    fn begin(&self) -> Result<Part, Error> {
        let number = self.rows.len() as u32;
        let exact = match &self.exact {
            None => None,
            Some(exact) => exact
                .shard(number)
                .map_err(|error| failed("dedup_exact", error))?,
        };
        let near = match &self.near {
            None => None,
            Some(near) => near
                .shard(number)
                .map_err(|error| failed("dedup_near", error))?,
        };
        Ok(Part {
            number,
            rows: 0,
            frames: PartWriter::create(&self.folder, number)?,
            exact,
            near,
        })
    }

    fn end(&mut self, part: Part) -> Result<(), Error> {
        if let Some(exact) = part.exact {
            exact
                .commit()
                .map_err(|error| failed("dedup_exact", error))?;
        }
        if let Some(near) = part.near {
            near.commit().map_err(|error| failed("dedup_near", error))?;
        }
        part.frames.commit()?;
        debug_assert_eq!(part.number as usize, self.rows.len());
        self.rows.push(part.rows);
        Ok(())
    }
}

pub(super) fn failed(step: &str, error: nexus_dedup::Error) -> Error {
    Error::dedup(step, error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::duplicates::Keep;
    use arrow_array::{ArrayRef, StringArray};

    /// The rows that stay of documents with these ids and texts.
    fn stay(documents: &[(&str, &str)], exact: Keep, near: NearCopies, room: usize) -> Vec<usize> {
        let folder = tempfile::tempdir().unwrap();
        let decision = Decision {
            exact: Some(ExactCopies {
                keep: exact,
                ignore_space: true,
            }),
            near: Some(near),
        };
        let mut gather = Gather::create(folder.path(), decision, 64 << 20, 1).unwrap();
        let gatherer = Gatherer::new(decision, 0);
        gatherer
            .seen
            .pass(&mut Turn::new(1), |seen| seen.room = room)
            .unwrap();
        let column = |values: Vec<&str>| Arc::new(StringArray::from(values)) as ArrayRef;
        let (ids, texts): (Vec<_>, Vec<_>) = documents.iter().copied().unzip();
        let batch =
            RecordBatch::try_from_iter([("id", column(ids)), ("text", column(texts))]).unwrap();
        let gathered = gatherer.apply(&batch, &mut Turn::new(2)).unwrap();
        gather.write(gathered).unwrap();
        gather.finish().unwrap();
        let removed = gather.decide(false).unwrap();
        let turn = &mut Turn::new(3);
        let stay = removed.stay(0, 0, &batch, &mut crate::audit::Lines::of(turn, &batch));
        (0..stay.len()).filter(|&row| stay[row]).collect()
    }

    #[test]
    fn copies_with_signatures_of_their_own_are_decided_as_those_without() {
        let (a, b) = (
            "one two three four five six seven",
            "quite another text of seven words here",
        );
        let like_a = "one two three four five six seven eight";
        let documents = [
            ("m", a),
            ("b", a),
            ("z", like_a),
            ("c", b),
            ("a", b),
            ("d", a),
        ];
        let clusters = NearCopies {
            threshold: None,
            keep: Keep::LeastId,
            bands: 56,
            rows: 1,
            ..NearCopies::default()
        };
        let verified = NearCopies {
            threshold: Some(0.5),
            bands: 56,
            rows: 1,
            ..NearCopies::default()
        };
        for (exact, near, expected) in [
            (Keep::LeastId, verified, [1, 4]),
            (Keep::First, verified, [0, 3]),
            (Keep::LeastId, clusters, [1, 4]),
            // Of the copies the first stays, of these and what is like them the one of least id.
            (Keep::First, clusters, [0, 3]),
        ] {
            for room in [0, 1, 2, 100] {
                let found = stay(&documents, exact, near, room);
                assert_eq!(found, expected, "{exact:?} {near:?} {room}");
            }
        }
    }
}
