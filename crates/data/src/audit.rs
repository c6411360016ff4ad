//! Lines of JSON on the documents that a run drops: which, by which step, why, for which other one.

use crate::batch::{Row, columns};
use crate::cells::write_json;
use crate::turnstile::Turn;
use arrow_array::RecordBatch;
use serde::Serialize;

#[derive(Serialize)]
struct Entry<'a> {
    id: Option<&'a str>,
    source: Option<&'a str>,
    line: Option<u64>,
    step: &'a str,
    reason: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    duplicate_of: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    similarity: Option<f64>,
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
        self.write(row, step, reason, None, None);
    }

    /// Row `row` goes because another document says the same.
    pub(crate) fn duplicate(
        &mut self,
        row: usize,
        step: &str,
        duplicate_of: Option<&str>,
        similarity: Option<f64>,
    ) {
        self.write(row, step, "duplicate", duplicate_of, similarity);
    }

    fn write(
        &mut self,
        row: usize,
        step: &str,
        reason: &str,
        duplicate_of: Option<&str>,
        similarity: Option<f64>,
    ) {
        let Some(out) = &mut self.out else {
            return;
        };
        let document = Row::new(self.batch, row);
        let entry = Entry {
            id: document.get(columns::ID),
            source: document.get(columns::SOURCE),
            line: document.line(),
            step,
            reason,
            duplicate_of,
            similarity,
        };
        write_json(&entry, out);
        out.push(b'\n');
    }
}
