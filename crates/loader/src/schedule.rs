//! Who reads which positions of an epoch, and when.

use crate::Error;
use crate::limits::{BATCH_ROWS_MAX, WORLD_MAX};

/// What becomes of the rows that do not fill a batch of every rank.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tail {
    /// They are left out of this epoch.
    #[default]
    Drop,
    /// They make a last step of shorter batches, shared evenly; a rank whose share is empty has a
    /// step less. Every row is seen once.
    Keep,
    /// They make a last step of full batches, filled up from the beginning of the epoch's order.
    Pad,
}

/// The part of an epoch that one loader reads.
///
/// An epoch is a list of positions. Each step takes the next `batch × world` of them; rank `r` takes
/// the `r`-th share of `batch`. Of the steps, worker `w` of a rank takes each `workers`-th, from the
/// `w`-th on, which is how torch's `DataLoader` asks its workers in turn. So what a step reads does
/// not depend on `workers`, and the list that all ranks read together does not depend on `world`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Split {
    /// Rows in a batch.
    pub batch: usize,
    /// Which rank this is, below `world`.
    pub rank: u64,
    /// How many ranks there are.
    pub world: u64,
    /// Which worker of the rank this is, below `workers`.
    pub worker: u64,
    /// How many workers a rank has.
    pub workers: u64,
    /// What becomes of the rest.
    pub tail: Tail,
}

impl Default for Split {
    fn default() -> Self {
        Self {
            batch: 1,
            rank: 0,
            world: 1,
            worker: 0,
            workers: 1,
            tail: Tail::default(),
        }
    }
}

/// The positions of one batch: `start..start + len`, modulo the number of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Share {
    pub(crate) start: u64,
    pub(crate) len: usize,
    /// How many positions all ranks have read after this step.
    pub(crate) cursor: u64,
}

impl Split {
    pub(crate) fn check(&self) -> Result<(), Error> {
        let Self {
            batch,
            rank,
            world,
            worker,
            workers,
            ..
        } = *self;
        if batch == 0 || batch > BATCH_ROWS_MAX {
            let message = format!("cannot make batches of {batch} rows: 1 to {BATCH_ROWS_MAX}");
            return Err(Error::invalid(message));
        }
        for (what, at, of) in [("rank", rank, world), ("worker", worker, workers)] {
            if at >= of || of > WORLD_MAX {
                let message =
                    format!("cannot be {what} {at} of {of}: ranks and workers count from 0");
                return Err(Error::invalid(message));
            }
        }
        Ok(())
    }

    /// How many positions a step takes.
    pub(crate) fn step_rows(&self) -> u64 {
        self.batch as u64 * self.world
    }

    /// How many steps the positions from `cursor` on give.
    pub(crate) fn steps(&self, rows: u64, cursor: u64) -> u64 {
        let rest = rows.saturating_sub(cursor);
        match self.tail {
            Tail::Drop => rest / self.step_rows(),
            Tail::Keep | Tail::Pad => rest.div_ceil(self.step_rows()),
        }
    }

    /// How many batches this loader reads from `cursor` on.
    pub(crate) fn batches(&self, rows: u64, cursor: u64) -> u64 {
        let steps = self.steps(rows, cursor);
        let mine = steps.saturating_sub(self.worker).div_ceil(self.workers);
        let last_is_mine = steps > 0 && (steps - 1) % self.workers == self.worker;
        let empty = last_is_mine && self.share(rows, cursor, steps - 1).is_none();
        mine - u64::from(empty)
    }

    /// What this rank reads in a step that is counted from `cursor`; `None` after the last.
    pub(crate) fn share(&self, rows: u64, cursor: u64, step: u64) -> Option<Share> {
        if step >= self.steps(rows, cursor) {
            return None;
        }
        let first = cursor + step * self.step_rows();
        let end = first.saturating_add(self.step_rows());
        let batch = self.batch as u64;
        let (start, len) = if end > rows && self.tail == Tail::Keep {
            let rest = u128::from(rows - first);
            let cut = |rank: u64| (rest * u128::from(rank) / u128::from(self.world)) as u64;
            (first + cut(self.rank), cut(self.rank + 1) - cut(self.rank))
        } else {
            (first + self.rank * batch, batch)
        };
        (len > 0).then_some(Share {
            start,
            len: len as usize,
            cursor: end.min(rows),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All positions of an epoch, step by step, rank by rank.
    fn positions(rows: u64, cursor: u64, split: Split) -> Vec<u64> {
        let mut all = Vec::new();
        for step in 0..split.steps(rows, cursor) {
            for rank in 0..split.world {
                if let Some(share) = (Split { rank, ..split }).share(rows, cursor, step) {
                    all.extend((share.start..share.start + share.len as u64).map(|at| at % rows));
                }
            }
        }
        all
    }

    #[test]
    fn the_list_does_not_depend_on_the_world() {
        for (world, batch) in [(1, 12), (2, 6), (3, 4), (4, 3), (12, 1)] {
            for (tail, end) in [(Tail::Drop, 96), (Tail::Keep, 100)] {
                let split = Split {
                    batch,
                    world,
                    tail,
                    ..Split::default()
                };
                let want: Vec<u64> = (0..end).collect();
                assert_eq!(positions(100, 0, split), want, "{world} ranks, {tail:?}");
            }
        }
    }

    #[test]
    fn a_new_world_goes_on_where_the_old_one_stopped() {
        let first = Split {
            batch: 5,
            world: 3,
            ..Split::default()
        };
        let cursor = first.share(100, 0, 1).unwrap().cursor;
        assert_eq!(cursor, 30);
        let second = Split {
            batch: 7,
            world: 2,
            tail: Tail::Keep,
            ..Split::default()
        };
        assert_eq!(
            positions(100, cursor, second),
            (30..100).collect::<Vec<_>>()
        );
    }

    #[test]
    fn padding_starts_again_at_the_beginning() {
        let split = Split {
            batch: 4,
            world: 2,
            tail: Tail::Pad,
            ..Split::default()
        };
        assert_eq!(
            positions(10, 0, split)[8..],
            [8, 9, 0, 1, 2, 3, 4, 5],
            "the last step"
        );
        let tiny = positions(3, 0, split);
        assert_eq!(tiny, [0, 1, 2, 0, 1, 2, 0, 1], "fewer rows than a step");
    }

    #[test]
    fn workers_take_turns() {
        let split = |worker| Split {
            batch: 2,
            worker,
            workers: 3,
            tail: Tail::Keep,
            ..Split::default()
        };
        let batches: Vec<u64> = (0..3).map(|w| split(w).batches(15, 0)).collect();
        assert_eq!(batches, [3, 3, 2]);
    }

    #[test]
    fn empty_shares_are_not_counted() {
        let split = |rank| Split {
            batch: 2,
            rank,
            world: 4,
            tail: Tail::Keep,
            ..Split::default()
        };
        let batches: Vec<u64> = (0..4).map(|r| split(r).batches(10, 0)).collect();
        assert_eq!(batches, [1, 2, 1, 2], "two rows for four ranks");
    }
}
