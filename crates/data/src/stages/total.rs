//! What all stages of a run have told, as one report, and the lists that belong to it.

use super::Shared;
use super::removed::Removed;
use super::work::Work;
use crate::atomic::AtomicFile;
use crate::{Error, Report, StepReport};
use std::path::{Path, PathBuf};

/// Rows that were found to be copies as they passed.
pub(crate) fn duplicates(steps: &[StepReport]) -> u64 {
    let is_dedup = |step: &&StepReport| matches!(&*step.name, "dedup_exact" | "dedup_images");
    let dedup = steps.iter().filter(is_dedup);
    dedup
        .map(|step| step.rows_in.saturating_sub(step.rows_out))
        .sum()
}

/// Adds what a stage has done. The first step of any but the first stage reads what was put aside.
pub(super) fn add(total: &mut Report, stage: Report, is_first: bool) {
    total
        .steps
        .extend(stage.steps.into_iter().skip(usize::from(!is_first)));
    total.dropped.extend(stage.dropped);
    total.duplicates += stage.duplicates;
    if is_first {
        total.rejected = stage.rejected;
        total.skipped = stage.skipped;
        total.files = stage.files;
    }
}

/// Adds the steps that were decided.
pub(super) fn add_decision(total: &mut Report, decided: &Removed) {
    let rows = decided.parts().iter().map(|part| u64::from(part.rows));
    let mut rows = rows.sum();
    for (name, count) in decided.counts() {
        let mut step = StepReport {
            name: name.to_string(),
            ..StepReport::default()
        };
        (step.rows_in, step.rows_out) = (rows, rows - count);
        rows -= count;
        total.steps.push(step);
        total.duplicates += count;
    }
}

/// Writes what was rejected, and why documents were dropped: stage by stage, group by group.
pub(super) fn join_all(
    work: &Work,
    shared: &Shared,
    last: usize,
    groups: usize,
) -> Result<(), Error> {
    if let Some(path) = &shared.rejects {
        join(path, (0..groups).map(|group| work.rejects(group)))?;
    }
    if let Some(path) = &shared.audit {
        let stages = 0..last;
        let files = stages.flat_map(|stage| (0..groups).map(move |group| (stage, group)));
        let files = files.chain([(last, 0)]);
        join(path, files.map(|(stage, group)| work.audit(stage, group)))?;
    }
    Ok(())
}

/// Writes files one after the other into another one.
fn join(path: &Path, files: impl Iterator<Item = PathBuf>) -> Result<(), Error> {
    let mut out = AtomicFile::create(path)?;
    for file in files {
        let copy =
            std::fs::File::open(&file).and_then(|mut file| std::io::copy(&mut file, &mut out));
        copy.map_err(|error| Error::io("copy", &file, error))?;
    }
    out.commit()
}
