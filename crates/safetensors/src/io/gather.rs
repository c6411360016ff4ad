//! Runs of bytes, scattered in a tensor, into dense memory.

use std::ops::Range;

use super::Failure;
use super::parallel::{each, share};

/// The runs of a part of a tensor, in the order of the result, counted from the tensor's start.
pub(crate) type Runs<'a> = &'a mut (dyn Iterator<Item = Range<usize>> + Send);

/// How many bytes and runs a thread takes at a time.
const BATCH_SIZE: usize = 4 << 20;
const BATCH_RUNS_MAX: usize = 16 << 10;
/// The largest piece of the file that is read to be picked from.
const SPAN_SIZE_MAX: usize = 1 << 20;
/// Below this gap a read of its own costs more than the bytes between.
const GAP_SIZE_MAX: usize = 512;

/// Where runs are taken from.
pub(crate) trait Bytes: Sync {
    /// Copies the bytes at a place of the tensor.
    fn copy(&self, at: usize, to: &mut [u8]) -> Result<(), Failure>;

    /// Whether a copy costs no more than its bytes, so that nothing is gained by joining runs.
    const CHEAP: bool;
}

/// The size of all runs, as long as each lies in a tensor of `size` bytes; else the first that does
/// not.
pub(crate) fn total(
    runs: impl Iterator<Item = Range<usize>>,
    size: usize,
) -> Result<usize, Range<usize>> {
    let mut total = 0_usize;
    for run in runs {
        let inside = run.start <= run.end && run.end <= size;
        total = match total.checked_add(run.len()) {
            Some(total) if inside => total,
            _ => return Err(run),
        };
    }
    Ok(total)
}

/// Fills `result` with the bytes of the runs.
pub(crate) fn gather<B: Bytes>(
    bytes: &B,
    runs: Runs<'_>,
    result: &mut [u8],
    threads: usize,
) -> Result<(), Failure> {
    let threads = share(result.len(), threads);
    let (mut rest, mut split) = (Some(result), None);
    let batches = std::iter::from_fn(|| {
        let (batch, tail) = next_batch(runs, rest.take()?, &mut split);
        rest = Some(tail);
        batch
    });
    each(batches, threads, |(runs, to)| copy_batch(bytes, &runs, to))
}

/// Runs and the memory they fill.
type Batch<'a> = (Vec<Range<usize>>, &'a mut [u8]);

/// Takes the next runs that fill a batch. `split` holds what is left of a run that was too long.
fn next_batch<'a>(
    runs: Runs<'_>,
    rest: &'a mut [u8],
    split: &mut Option<Range<usize>>,
) -> (Option<Batch<'a>>, &'a mut [u8]) {
    let room = rest.len().min(BATCH_SIZE);
    let mut batch = Vec::new();
    let mut size = 0;
    while size < room && batch.len() < BATCH_RUNS_MAX {
        let Some(run) = split.take().or_else(|| runs.next()) else {
            break;
        };
        let taken = run.len().min(room - size);
        if taken < run.len() {
            *split = Some(run.start + taken..run.end);
        }
        size += taken;
        batch.push(run.start..run.start + taken);
    }
    let (to, tail) = rest.split_at_mut(size);
    ((size > 0).then_some((batch, to)), tail)
}

fn copy_batch<B: Bytes>(
    bytes: &B,
    mut runs: &[Range<usize>],
    mut to: &mut [u8],
) -> Result<(), Failure> {
    let mut scratch = Vec::new();
    while let Some(first) = runs.first() {
        let (count, span, size) = if B::CHEAP {
            (1, first.clone(), first.len())
        } else {
            joined(runs)
        };
        let (group, rest) = runs.split_at(count);
        let (target, tail) = std::mem::take(&mut to).split_at_mut(size);
        (runs, to) = (rest, tail);
        if span.len() == size {
            bytes.copy(span.start, target)?;
            continue;
        }
        if scratch.len() < span.len() {
            scratch.resize(span.len(), 0);
        }
        bytes.copy(span.start, &mut scratch[..span.len()])?;
        let mut filled = 0;
        for run in group {
            let from = &scratch[run.start - span.start..run.end - span.start];
            target[filled..filled + run.len()].copy_from_slice(from);
            filled += run.len();
        }
    }
    Ok(())
}

/// The runs at the front that are read in one piece: how many, from where to where, and how many
/// bytes of it are wanted. The piece is at most a tenth larger than what is wanted, or else its gaps
/// are so small that the call would cost more.
fn joined(runs: &[Range<usize>]) -> (usize, Range<usize>, usize) {
    let mut span = runs[0].clone();
    let mut wanted = span.len();
    let mut count = 1;
    for run in &runs[1..] {
        let follows = run.start >= span.end && run.end - span.start <= SPAN_SIZE_MAX;
        let gap = run.start.wrapping_sub(span.end);
        let sum = wanted + run.len();
        if !follows || (gap > GAP_SIZE_MAX && (run.end - span.start) * 10 > sum * 11) {
            break;
        }
        (span.end, wanted) = (run.end, sum);
        count += 1;
    }
    (count, span, wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_joined_while_little_is_read_in_vain() {
        let every = |step: usize, len: usize| -> Vec<_> {
            (0..64).map(|at| at * step..at * step + len).collect()
        };
        let check = |why: &str, step: usize, len: usize, count: usize| {
            assert_eq!(joined(&every(step, len)).0, count, "{why}");
        };
        check("a quarter of each row", 4096, 1024, 1);
        check("nine parts in ten", 10_000, 9_500, 64);
        check("single elements", 8, 4, 64);
        check("no gap", 100, 100, 64);
        check("large runs stay apart", 1 << 20, 1 << 20, 1);
    }
}
