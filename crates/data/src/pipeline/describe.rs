//! What a pipeline tells of itself before it is run: its columns, and a line for each thing that it does.

use super::{Pipeline, RunOptions, Source};
use crate::Error;
use crate::operators::Stop;
use crate::stages::Decision;
use crate::storage::shown;
use crate::turnstile::Turn;
use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

impl Pipeline {
    /// The columns of the batches that come out; `None` when the source is batches.
    ///
    /// Reads no file but the tokenizer's. Functions are called once, with a batch of no rows.
    ///
    /// # Errors
    /// Those of [`run`](Self::run) that concern the steps.
    pub fn schema(&self) -> Result<Option<SchemaRef>, Error> {
        if let Source::Batches(_) = self.source {
            return Ok(None);
        }
        let mut batch = RecordBatch::new_empty(self.read_schema());
        let stages = self.stages(&RunOptions::default())?;
        for operator in stages.iter().flat_map(|stage| &stage.operators) {
            batch = match operator.apply(batch, &mut Turn::new(0)) {
                Ok(batch) => batch,
                Err(Stop::Failed(error)) => return Err(error),
                Err(Stop::Closed) => return Ok(None),
            };
        }
        Ok(Some(batch.schema()))
    }

    /// Says in a line each what a run would do: where it reads, the steps of each stage, what is decided
    /// when all documents are known, where it writes.
    ///
    /// ```
    /// use nexus_data::{NearCopies, Pipeline, RunOptions};
    ///
    /// let pipeline = Pipeline::read("docs").clean().dedup_near(NearCopies::default());
    /// let lines = pipeline.write("out.jsonl.zst").explain(&RunOptions::default())?;
    /// assert_eq!(lines[0], "read docs");
    /// assert_eq!(lines[1], "stage 1: clean");
    /// assert!(lines[2].starts_with("all documents: dedup_near"));
    /// assert_eq!(lines.last().unwrap(), "write out.jsonl.zst as jsonl.zst, one file");
    /// # Ok::<(), nexus_data::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`run`](Self::run) that concern the steps and the output's path.
    pub fn explain(&self, options: &RunOptions) -> Result<Vec<String>, Error> {
        self.keys.check()?;
        let mut lines = vec![format!("read {:?}", self.source)];
        for (what, key) in self.keys.unusual() {
            lines[0].extend([", ", what, " from `", key, "`"]);
        }
        let stages = self.stages(options)?;
        self.trial(&stages)?;
        for (number, stage) in (1..).zip(&stages) {
            if !stage.operators.is_empty() {
                let names = stage.operators.iter().map(|operator| operator.title());
                let names = names.collect::<Vec<_>>().join(", ");
                lines.push(format!("stage {number}: {names}"));
            }
            lines.extend(stage.decision.iter().flat_map(Decision::lines));
        }
        if let Some(output) = &self.output {
            let target = output.target(&self.keys)?;
            let (path, format) = (shown(&target.path), target.format.name());
            lines.push(match target.shard_size_bytes {
                None => format!("write {path} as {format}, one file"),
                Some(size) => format!("write {path} as {format}, shards of {size} bytes"),
            });
        }
        for (what, path) in [("rejects", &self.rejects), ("audit", &self.audit)] {
            lines.extend(
                path.iter()
                    .map(|path| format!("write {what} to {}", path.display())),
            );
        }
        Ok(lines)
    }
}
