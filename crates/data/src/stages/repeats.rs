//! What is known of the parts of documents until all documents are known, and which of them are
//! repeats: equal lines by `nexus-dedup`'s exact copies, of which each run of lines is a document, and
//! equal substrings by its suffix array.

mod elements;
mod place;
mod store;

use super::gatherer::HASH_SIZE;
use crate::repeats::{RepeatedLines, RepeatedSubstrings};
use crate::settings::Settings;
use crate::{AnyTokenizer, Error};
use arrow_array::{Array, StringArray};
use nexus_text::{Profiler, Spans};
use std::sync::{Mutex, PoisonError};

pub(super) use store::{Store, StorePart};

/// A step that decides on parts of documents.
#[derive(Clone, Debug)]
pub(crate) enum Repeats {
    Lines(RepeatedLines),
    Substrings(RepeatedSubstrings, Option<AnyTokenizer>),
}

impl Repeats {
    /// The name of its step.
    pub(crate) fn step(&self) -> &'static str {
        match self {
            Self::Lines(_) => RepeatedLines::OP,
            Self::Substrings(..) => RepeatedSubstrings::OP,
        }
    }
}

/// What is known of the rows of a batch.
pub(super) struct Known {
    counts: Vec<u32>,
    /// For lines: the hash of the run that begins with each unit of each row.
    hashes: Vec<Option<u128>>,
    /// For substrings: the texts or tokens.
    elements: Vec<u8>,
}

impl Known {
    /// Bytes that it takes in the work folder.
    pub(super) fn size(&self) -> usize {
        4 * self.counts.len()
            + HASH_SIZE * self.hashes.iter().flatten().count()
            + self.elements.len()
    }
}

/// Finds out what there is to know of rows, on any thread.
pub(super) struct Finder {
    repeats: Repeats,
    profilers: Mutex<Vec<Profiler>>,
}

impl Finder {
    pub(super) fn new(repeats: Repeats) -> Self {
        Self {
            repeats,
            profilers: Mutex::default(),
        }
    }

    pub(super) fn find(&self, texts: &StringArray) -> Result<Known, Error> {
        let mut known = Known {
            counts: Vec::with_capacity(texts.len()),
            hashes: Vec::new(),
            elements: Vec::new(),
        };
        let texts = texts.iter().map(Option::unwrap_or_default);
        match &self.repeats {
            Repeats::Lines(settings) => self.lines(settings.spans(), texts, &mut known)?,
            Repeats::Substrings(_, None) => {
                for text in texts {
                    known.counts.push(text.len() as u32);
                    known.elements.extend_from_slice(text.as_bytes());
                }
            }
            Repeats::Substrings(_, Some(tokenizer)) => {
                let mut ids = Vec::new();
                for text in texts {
                    ids.clear();
                    tokenizer.extend(text, &mut ids);
                    known.counts.push(ids.len() as u32);
                    known
                        .elements
                        .extend(ids.iter().flat_map(|id| id.to_le_bytes()));
                }
            }
        }
        Ok(known)
    }

    fn lines<'a>(
        &self,
        spans: Spans,
        texts: impl Iterator<Item = &'a str>,
        known: &mut Known,
    ) -> Result<(), Error> {
        let mut profiler = self.lock().pop().unwrap_or_default();
        for text in texts {
            let units = spans.units(&mut profiler, text).map_err(Error::text)?;
            known.counts.push(units.len() as u32);
            known.hashes.extend(spans.hashes(&units));
        }
        self.lock().push(profiler);
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Profiler>> {
        self.profilers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
