//! What there is to know of rows at the end of a stage, found out on any thread.

use super::decision::Decision;
use super::gather::failed;
use super::index;
use super::parts;
use super::pictures::take_hashes;
use super::repeats::{Finder, Known};
use crate::batch::{columns, strings};
use crate::operators::Stop;
use crate::turnstile::{Closed, Turn, Turnstile};
use crate::{Error, copies};
use arrow_array::RecordBatch;
use nexus_dedup::{MinHasher, ShingleSet, Signature};
use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

/// Bytes of one band of a signature, and of one hash, as `nexus-dedup` spills them.
const BAND_SIZE: usize = 12;
pub(super) const HASH_SIZE: usize = 20;

/// What is known of the rows of a batch.
pub(crate) struct Gathered {
    pub(super) frame: Vec<u8>,
    pub(super) rows: usize,
    pub(super) hashes: Vec<u128>,
    /// None for a copy of an earlier row.
    pub(super) signatures: Vec<Option<(Signature, Option<ShingleSet>)>>,
    pub(super) known: Option<Known>,
    /// The hashes of images.
    pub(super) images: Vec<u8>,
    /// The ids, where an index is written.
    pub(super) names: Vec<u8>,
}

impl Gathered {
    /// Bytes that it takes in the work folder.
    pub(crate) fn size(&self) -> usize {
        let signature = |(signature, set): &(Signature, Option<ShingleSet>)| {
            let set = set.as_ref().map_or(0, |set| set.to_bytes().len());
            BAND_SIZE * signature.band_keys().count() + set
        };
        let signatures = self.signatures.iter().flatten().map(signature);
        let known = self.known.as_ref().map_or(0, Known::size);
        let others = known + self.names.len() + self.images.len();
        self.frame.len() + HASH_SIZE * self.hashes.len() + signatures.sum::<usize>() + others
    }

    /// Takes the rows back, as the next stage does.
    pub(crate) fn into_batch(mut self) -> Result<RecordBatch, Error> {
        parts::decode(self.frame.split_off(parts::HEADER_SIZE))
    }

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
            known: None,
            images: Vec::new(),
            names: Vec::new(),
        })
    }
}

/// Finds out what there is to know of rows, on any thread.
pub(crate) struct Gatherer {
    pub(super) decision: Decision,
    hashers: Mutex<Vec<MinHasher>>,
    finder: Option<Finder>,
    pub(super) seen: Turnstile<Seen>,
}

/// Hashes of rows that came before. Who is found here needs no signature; who is not found because
/// there is no room gets one, and is found to be a copy at the end all the same.
pub(super) struct Seen {
    hashes: HashSet<u128>,
    pub(super) room: usize,
}

impl Gatherer {
    pub(crate) fn new(decision: Decision, memory_size: u64) -> Self {
        Self {
            finder: decision.repeats.clone().map(Finder::new),
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
        let Decision { exact, near, .. } = &self.decision;
        let Some(step) = self.decision.step() else {
            return Ok(Gathered::new(batch, Vec::new(), Vec::new())?);
        };
        if self.decision.images.is_some() {
            let (batch, images) = take_hashes(batch)?;
            let gathered = Gathered::new(&batch, Vec::new(), Vec::new())?;
            return Ok(Gathered { images, ..gathered });
        }
        let texts = strings(batch, columns::TEXT, step)?;
        let hashes = exact
            .as_ref()
            .map_or_else(Vec::new, |exact| copies::hashes(texts, exact.ignore_space));
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
        let mut names = Vec::new();
        if self.decision.writes_index() {
            let ids = strings(batch, columns::ID, step)?;
            ids.iter()
                .for_each(|id| index::encode_name(id.unwrap_or_default(), &mut names));
        }
        let known = self.finder.as_ref().map(|finder| finder.find(texts));
        Ok(Gathered {
            known: known.transpose()?,
            names,
            ..Gathered::new(batch, hashes, signatures)?
        })
    }

    pub(crate) fn skip(&self, turn: &mut Turn) -> Result<(), Closed> {
        // Where nothing is decided, or on images, no batch has passed here.
        if self.decision.step().is_none() || self.decision.images.is_some() {
            return Ok(());
        }
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
