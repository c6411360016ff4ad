//! What is to be read next, and how it becomes a batch.

use std::sync::Arc;

use crate::Error;
use crate::maker::{Maker, Ordered};
use crate::order::{Order, Shuffle};
use crate::schedule::{Share, Split};
use crate::units::Starts;
use crate::unpack::Cache;

/// Where all ranks are: the whole state of a loader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) epoch: u64,
    /// How many positions of the epoch's order have been read.
    pub(crate) cursor: u64,
}

/// What does not change while a loader works. Threads share it.
pub(crate) struct Recipe<M> {
    pub(crate) maker: Arc<M>,
    pub(crate) split: Split,
    pub(crate) shuffle: Shuffle,
    pub(crate) seed: u64,
    pub(crate) starts: Starts,
    pub(crate) cache: Arc<Cache>,
    /// Whether units are unpacked before they are asked for: there is room for two windows.
    pub(crate) ahead: bool,
}

impl<M> Clone for Recipe<M> {
    fn clone(&self) -> Self {
        Self {
            maker: self.maker.clone(),
            starts: self.starts.clone(),
            cache: self.cache.clone(),
            ..*self
        }
    }
}

/// One thing to do.
pub(crate) enum Job {
    /// A batch, in the order of its epoch.
    Batch(Share, u64, Arc<Order>),
    /// Nothing: the epoch has ended.
    End,
}

/// A batch and where it ends, the end of an epoch, or why there is none.
pub(crate) type Outcome<B> = Result<Option<(Place, B)>, Error>;

/// The jobs from a place on, epoch after epoch.
pub(crate) struct Feed {
    place: Place,
    /// The next step of this loader, counted from the place.
    step: u64,
    order: Arc<Order>,
}

impl Feed {
    pub(crate) fn new<M: Maker>(recipe: &Recipe<M>, place: Place) -> Self {
        Self {
            place,
            step: recipe.split.worker,
            order: Arc::new(recipe.order(place.epoch)),
        }
    }

    pub(crate) fn next<M: Maker>(&mut self, recipe: &Recipe<M>) -> Job {
        let (rows, split) = (recipe.maker.count(), &recipe.split);
        if let Some(share) = split.share(rows, self.place.cursor, self.step) {
            self.step += split.workers;
            return Job::Batch(share, self.place.epoch, self.order.clone());
        }
        let epoch = self.place.epoch.wrapping_add(1);
        *self = Self::new(recipe, Place { epoch, cursor: 0 });
        Job::End
    }
}

impl<M: Maker> Recipe<M> {
    fn order(&self, epoch: u64) -> Order {
        Order::of_units(self.shuffle, &self.starts, self.seed, epoch)
    }

    /// Does a job, unless `stop` says that nobody waits for it. `scratch` is kept from job to job.
    pub(crate) fn work(
        &self,
        job: &Job,
        scratch: &mut M::Scratch,
        stop: &dyn Fn() -> bool,
    ) -> Outcome<M::Batch> {
        let Job::Batch(share, epoch, order) = job else {
            return Ok(None);
        };
        let count = self.maker.count();
        let positions = share.start..share.start + share.len as u64;
        let ordered = Ordered {
            rows: positions.map(|at| order.get(at % count)).collect(),
            seed: self.seed,
            epoch: *epoch,
            cache: &self.cache,
            stop,
        };
        let batch = self.maker.make(ordered, scratch)?;
        if self.ahead {
            // What the next window needs, a part of it at each batch: what all ranks have read since
            // the last step of this worker.
            let steps = self.split.step_rows().saturating_mul(self.split.workers);
            for unit in order.upcoming(share.cursor.saturating_sub(steps)..share.cursor) {
                if stop() {
                    break;
                }
                self.maker.unpack(unit as usize, &self.cache);
            }
        }
        let place = Place {
            epoch: *epoch,
            cursor: share.cursor,
        };
        Ok(Some((place, batch)))
    }
}
