//! What was done with a piece, as it travels with it.

use super::corrupt;
use crate::operators::Operator;
use crate::report::{self, Dropped};
use crate::{Error, Reject, StepReport, batch};
use arrow_array::RecordBatch;
use serde::{Deserialize, Serialize};
use std::time::Instant;

#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Note {
    /// What reading it has done; its name is left out.
    pub(super) read: StepReport,
    /// All other steps so far, in order; none where there was no batch.
    pub(super) steps: Vec<StepReport>,
    /// What they dropped, with the place of the step.
    pub(super) dropped: Vec<(usize, Dropped)>,
    pub(super) rejects: Vec<Reject>,
    /// Lines for each stage of a run of one process.
    pub(super) audits: Vec<String>,
    pub(super) files: u64,
    /// Rows after the last step.
    pub(super) rows: u64,
    /// Seconds that were spent on what the output takes.
    pub(super) sink_seconds: f64,
}

impl Note {
    pub(super) fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("plain values have a form")
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Error> {
        serde_json::from_slice(bytes).map_err(|error| corrupt(&format!("its note: {error}")))
    }

    /// Takes what `step` does to a batch down.
    pub(super) fn measure(
        &mut self,
        operator: &dyn Operator,
        batch: RecordBatch,
        step: impl FnOnce(RecordBatch) -> Result<RecordBatch, Error>,
    ) -> Result<RecordBatch, Error> {
        let (reports, dropped) = (operator.reports(), operator.dropped());
        let mut report = StepReport {
            name: operator.name().to_owned(),
            rows_in: batch.num_rows() as u64,
            bytes_in: batch::size(&batch) as u64,
            ..StepReport::default()
        };
        let start = Instant::now();
        let batch = step(batch)?;
        report.seconds = start.elapsed().as_secs_f64();
        report.rows_out = batch.num_rows() as u64;
        let place = self.steps.len();
        let now = report::since(operator.dropped(), &dropped).into_iter();
        let now = now.filter(|dropped| dropped.count > 0);
        self.dropped.extend(now.map(|dropped| (place, dropped)));
        let mut own = operator.reports();
        if own.is_empty() {
            own.push(report);
        }
        for (report, before) in own.iter_mut().zip(&reports) {
            report.subtract(before);
        }
        self.steps.extend(own);
        Ok(batch)
    }

    /// Adds lines to those of a stage.
    pub(super) fn audit(&mut self, stage: usize, lines: Option<Vec<u8>>) {
        let Some(lines) = lines.filter(|lines| !lines.is_empty()) else {
            return;
        };
        if self.audits.len() <= stage {
            self.audits.resize(stage + 1, String::new());
        }
        self.audits[stage].push_str(&String::from_utf8(lines).expect("JSON is text"));
    }
}
