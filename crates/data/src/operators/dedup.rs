//! Exact deduplication: of documents with the same words in the same order the first one stays.

use super::{Operator, Stop, filter};
use crate::audit::{Lines, Original};
use crate::batch::{columns, strings};
use crate::copies;
use crate::turnstile::{Closed, Turn, Turnstile};
use arrow_array::RecordBatch;
use std::collections::HashSet;

/// Its name in plans and reports.
const NAME: &str = "dedup_exact";

/// Holds 16 bytes, and the set's overhead, for each distinct document.
pub(crate) struct DedupExact {
    ignore_space: bool,
    seen: Turnstile<HashSet<u128>>,
}

impl DedupExact {
    pub(crate) fn new(ignore_space: bool) -> Self {
        Self {
            ignore_space,
            seen: Turnstile::new(HashSet::new()),
        }
    }
}

impl Operator for DedupExact {
    fn name(&self) -> &'static str {
        NAME
    }

    fn apply(&self, batch: RecordBatch, turn: &mut Turn) -> Result<RecordBatch, Stop> {
        let texts = strings(&batch, columns::TEXT, NAME)?;
        let hashes = copies::hashes(texts, self.ignore_space);
        let is_new = self.seen.pass(turn, |seen| {
            hashes
                .into_iter()
                .map(|hash| seen.insert(hash))
                .collect::<Vec<_>>()
        })?;
        let mut audit = Lines::of(turn, &batch);
        for (row, _) in is_new.iter().enumerate().filter(|(_, is_new)| !**is_new) {
            // Only what it says is known of the first, not which it is.
            audit.duplicate(row, NAME, &Original::default(), None);
        }
        Ok(filter(batch, is_new)?)
    }

    fn skip(&self, turn: &mut Turn) -> Result<(), Closed> {
        self.seen.skip(turn)
    }

    fn close(&self) {
        self.seen.close();
    }
}
