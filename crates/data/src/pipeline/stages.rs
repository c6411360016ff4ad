//! The stages that the steps of a plan become, and the trial that they fit together.

use super::{Pipeline, RunOptions, Source, Step};
use crate::batch::{columns, strings};
use crate::operators::{CutOut, Judge, Stop};
use crate::stages::{Decision, Stage, take_hashes};
use crate::turnstile::{Closed, Turn};
use crate::{Error, ExactCopies, Keep};
use arrow_array::RecordBatch;

impl Pipeline {
    /// The steps, ready to run, up to each decision and from there on.
    pub(crate) fn stages(&self, options: &RunOptions) -> Result<Vec<Stage>, Error> {
        self.check_images(options)?;
        let mut stages = vec![Stage::default()];
        let mut steps = self.steps.iter().peekable();
        while let Some(step) = steps.next() {
            let stage = stages.last_mut().expect("there is one");
            let mut decision = match step {
                Step::Quality(first) => {
                    let mut filters = vec![first];
                    while let Some(Step::Quality(next)) = steps.peek() {
                        filters.push(next);
                        steps.next();
                    }
                    stage.operators.push(Box::new(Judge::new(filters)?));
                    continue;
                }
                Step::Images(_) | Step::DedupImages(_) | Step::ImageTensors(_) => {
                    // As with `dedup_exact`.
                    let (operator, images) = step.pictures(&mut steps, options.goes_on())?;
                    stage.operators.push(Box::new(operator));
                    if images.is_none() {
                        continue;
                    }
                    Decision {
                        images,
                        ..Decision::default()
                    }
                }
                Step::DedupExact(exact) if exact.is_decided_late(options) => {
                    let near = steps.peek().and_then(|step| match step {
                        Step::DedupNear(near) => Some(near.clone()),
                        _ => None,
                    });
                    if near.is_some() {
                        steps.next();
                    }
                    Decision {
                        exact: Some(exact.clone()),
                        near,
                        ..Decision::default()
                    }
                }
                Step::DedupNear(near) => Decision {
                    near: Some(near.clone()),
                    ..Decision::default()
                },
                Step::DedupLines(_) | Step::DedupSubstrings(_) => Decision {
                    repeats: step.repeats()?,
                    ..Decision::default()
                },
                other => {
                    stage.operators.push(other.operator()?);
                    continue;
                }
            };
            decision.open_indexes()?;
            let mut next = Stage::default();
            if let Some(repeats) = &decision.repeats {
                next.operators.push(Box::new(CutOut::new(repeats)));
            }
            stage.decision = Some(decision);
            stages.push(next);
        }
        // What the last steps have made is put aside too, where it is not to be made again.
        let last = stages.len() - 1;
        if options.goes_on() && (last == 0 || !stages[last].operators.is_empty()) {
            stages[last].decision = Some(Decision::default());
            stages.push(Stage::default());
        }
        Ok(stages)
    }

    /// Brings batch 0, which has no rows, through the steps: so steps that do not fit together are
    /// found before the first file is read. What comes out of a user's function is not known
    /// beforehand, so the trial ends there; else the batch that came out is given.
    pub(crate) fn trial(&self, stages: &[Stage]) -> Result<Option<RecordBatch>, Error> {
        let mut trial = match self.source {
            Source::Path(_) | Source::Table(_) => Some(RecordBatch::new_empty(self.read_schema())),
            Source::Batches(_) => None,
        };
        let turn = &mut Turn::new(0);
        for stage in stages {
            for operator in &stage.operators {
                trial = match trial
                    .filter(|_| !operator.is_foreign())
                    .map(|batch| operator.apply(batch, turn))
                {
                    Some(Ok(batch)) => Some(batch),
                    Some(Err(Stop::Failed(error))) => return Err(error),
                    Some(Err(Stop::Closed)) | None => {
                        let _: Result<(), Closed> = operator.skip(turn);
                        None
                    }
                };
            }
            if let (Some(batch), Some(decision)) = (&trial, &stage.decision) {
                if decision.images.is_some() {
                    trial = Some(take_hashes(batch)?.0);
                } else if let Some(step) = decision.step() {
                    strings(batch, columns::TEXT, step)?;
                }
            }
        }
        Ok(trial)
    }
}

impl ExactCopies {
    /// Whether all documents must be known before it is decided which of them stay. Who goes on, and who
    /// shares the work, has not seen those that come before.
    pub(crate) fn is_decided_late(&self, options: &RunOptions) -> bool {
        self.keep == Keep::LeastId
            || options.memory_size_bytes.is_some()
            || options.goes_on()
            || self.has_index()
    }
}
