//! Lines of JSON on the documents that a run drops: which, by which step, why, for which other one.

use crate::batch::{Row, columns};
use crate::cells::write_json;
use crate::turnstile::Turn;
use arrow_array::RecordBatch;
use serde::Serialize;

#[derive(Default, Serialize)]
struct Entry<'a> {
    id: Option<&'a str>,
    source: Option<&'a str>,
    line: Option<u64>,
    step: &'a str,
    reason: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    duplicate_of: Option<&'a str>,
    /// The index that has the other document.
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    similarity: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    evidence: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    spans: Option<&'a [[usize; 2]]>,
}

/// The document that stays, or stayed, in the place of another, as far as it is known.
#[derive(Default)]
pub(crate) struct Original<'a> {
    pub(crate) id: Option<&'a str>,
    /// The index that it is in, if it is of an earlier dump.
    pub(crate) index: Option<String>,
}

/// Takes the lines of one batch, or nothing where nobody wants them.
pub(crate) struct Lines<'a> {
    out: Option<&'a mut Vec<u8>>,
    batch: &'a RecordBatch,
}

impl<'a> Lines<'a> {
    pub(crate) fn of(turn: &'a mut Turn, batch: &'a RecordBatch) -> Self {
        let out = turn.audit.as_mut();
        Self { out, batch }
    }

    /// Row `row` goes for a reason of its own.
    pub(crate) fn dropped(&mut self, row: usize, step: &str, reason: &str) {
        self.write(row, Entry::new(step, reason));
    }

    /// Row `row` goes for a reason that this passage shows.
    pub(crate) fn dropped_for(&mut self, row: usize, step: &str, reason: &str, passage: &str) {
        let mut entry = Entry::new(step, reason);
        entry.evidence = Some(passage);
        self.write(row, entry);
    }

    /// Ranges of bytes of row `row` go, or were found; the row may stay.
    pub(crate) fn spans(&mut self, row: usize, step: &str, reason: &str, spans: &[[usize; 2]]) {
        let mut entry = Entry::new(step, reason);
        entry.spans = Some(spans);
        self.write(row, entry);
    }

    /// Row `row` goes because another document says the same.
    pub(crate) fn duplicate(
        &mut self,
        row: usize,
        step: &str,
        original: &Original<'_>,
        similarity: Option<f64>,
    ) {
        let mut entry = Entry::new(step, "duplicate");
        entry.duplicate_of = original.id;
        entry.index = original.index.as_deref();
        entry.similarity = similarity;
        self.write(row, entry);
    }

    fn write(&mut self, row: usize, mut entry: Entry<'_>) {
        let Some(out) = &mut self.out else {
            return;
        };
        let document = Row::new(self.batch, row);
        entry.line = document.line();
        let entry = Entry {
            id: document.get(columns::ID),
            source: document.get(columns::SOURCE),
            ..entry
        };
        write_json(&entry, out);
        out.push(b'\n');
    }
}

impl<'a> Entry<'a> {
    fn new(step: &'a str, reason: &'a str) -> Self {
        Self {
            step,
            reason,
            ..Self::default()
        }
    }
}
