//! Exact deduplication: of documents with the same words in the same order the first one stays.

use super::{Operator, Stop, filter};
use crate::Error;
use crate::batch::{columns, strings};
use crate::turnstile::{Closed, Turn, Turnstile};
use arrow_array::RecordBatch;
use std::collections::HashSet;
use xxhash_rust::xxh3::xxh3_128;

/// Its name in plans and reports.
pub(crate) const NAME: &str = "dedup_exact";

/// Holds 16 bytes, and the set's overhead, for each distinct document.
pub(crate) struct DedupExact {
    seen: Turnstile<HashSet<u128>>,
}

impl DedupExact {
    pub(crate) fn new() -> Self {
        Self {
            seen: Turnstile::new(HashSet::new()),
        }
    }
}

impl Operator for DedupExact {
    fn name(&self) -> &'static str {
        NAME
    }

    fn apply(&self, batch: RecordBatch, turn: &mut Turn) -> Result<RecordBatch, Stop> {
        let hashes = hashes(&batch)?;
        let is_new = self.seen.pass(turn, |seen| {
            hashes
                .into_iter()
                .map(|hash| seen.insert(hash))
                .collect::<Vec<_>>()
        })?;
        Ok(filter(batch, is_new)?)
    }

    fn skip(&self, turn: &mut Turn) -> Result<(), Closed> {
        self.seen.skip(turn)
    }

    fn close(&self) {
        self.seen.close();
    }
}

/// XXH3-128 of each document with every run of white space as one space. Two different documents
/// collide with a chance of 2⁻¹²⁸ a pair: among 10⁹ of them, about 10⁻²¹.
fn hashes(batch: &RecordBatch) -> Result<Vec<u128>, Error> {
    let texts = strings(batch, columns::TEXT, NAME)?;
    let mut normalised = String::new();
    let hash = |text: Option<&str>| {
        normalised.clear();
        for word in text.unwrap_or_default().split_whitespace() {
            normalised.push_str(word);
            normalised.push(' ');
        }
        xxh3_128(normalised.as_bytes())
    };
    Ok(texts.iter().map(hash).collect())
}
