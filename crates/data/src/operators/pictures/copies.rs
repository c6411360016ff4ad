//! Images that look nearly the same, found in the order of documents.

use super::{DEDUP, HASH, Stop};
use crate::Error;
use crate::audit::{Lines, Original};
use crate::batch::{Row, columns};
use crate::images::{ImageCopies, ImageHash};
use crate::turnstile::{Turn, Turnstile};
use arrow_array::RecordBatch;
use nexus_image::{Hasher, Image, NearIndex};

pub(super) struct Copies {
    hash: ImageHash,
    /// None where it is decided when all images are known.
    pub(super) seen: Option<Turnstile<Seen>>,
}

/// The images that stay, and their ids where somebody wants to know.
pub(super) struct Seen {
    index: NearIndex,
    ids: Vec<String>,
}

impl Copies {
    pub(super) fn new(settings: ImageCopies) -> Result<Self, Error> {
        let seen = Seen {
            index: settings.index()?,
            ids: Vec::new(),
        };
        Ok(Self {
            hash: settings.hash,
            seen: Some(Turnstile::new(seen)),
        })
    }

    /// Hashes alone.
    pub(super) fn late(settings: ImageCopies) -> Result<Self, Error> {
        settings.index().map(drop)?;
        Ok(Self {
            hash: settings.hash,
            seen: None,
        })
    }

    /// What it does, as it is reported.
    pub(super) fn step(&self) -> &'static str {
        match self.seen {
            Some(_) => DEDUP,
            None => HASH,
        }
    }

    pub(super) fn hash(&self, hasher: &mut Hasher, image: &Image) -> u64 {
        match self.hash {
            ImageHash::Phash => hasher.phash(image),
            ImageHash::Dhash => hasher.dhash(image),
        }
    }

    /// Which rows are known to be no copies, in the order of documents: all where it is decided later.
    pub(super) fn pass(
        &self,
        batch: &RecordBatch,
        hashes: &[Option<u64>],
        turn: &mut Turn,
    ) -> Result<Vec<bool>, Stop> {
        let Some(seen) = &self.seen else {
            return Ok(vec![true; hashes.len()]);
        };
        let is_audited = turn.audit.is_some();
        let mut lines = Vec::new();
        let found = seen.pass(turn, |Seen { index, ids }| {
            let mut stays = Vec::with_capacity(hashes.len());
            for (row, hash) in hashes.iter().enumerate() {
                let near = hash.map_or(Ok(None), |hash| index.insert(hash))?;
                stays.push(near.is_none());
                if !is_audited {
                    continue;
                }
                match near {
                    Some(near) => lines.push((row, ids[near.number].clone(), near.distance)),
                    None if hash.is_some() => {
                        let id = Row::new(batch, row).get(columns::ID);
                        ids.push(id.unwrap_or_default().to_owned());
                    }
                    None => {}
                }
            }
            Ok(stays)
        })?;
        let stays = found.map_err(|error| Error::image("step `dedup_images`", error))?;
        let mut audit = Lines::of(turn, batch);
        for (row, id, distance) in lines {
            let similarity = 1.0 - f64::from(distance) / 64.0;
            let original = Original {
                id: Some(&id),
                index: None,
            };
            audit.duplicate(row, DEDUP, &original, Some(similarity));
        }
        Ok(stays)
    }
}
