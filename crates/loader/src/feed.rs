//! What is to be read next, and how it becomes a batch.

use std::sync::Arc;

use crate::Error;
use crate::batch::{Batch, Form, Pool};
use crate::order::{Order, Shuffle};
use crate::rows::{Rows, Target};
use crate::schedule::{Share, Split};

/// Where all ranks are: the whole state of a loader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) epoch: u64,
    /// How many positions of the epoch's order have been read.
    pub(crate) cursor: u64,
}

/// What does not change while a loader works. Threads share it.
pub(crate) struct Recipe {
    pub(crate) rows: Arc<Rows>,
    pub(crate) split: Split,
    pub(crate) shuffle: Shuffle,
    pub(crate) seed: u64,
    pub(crate) form: Form,
    pub(crate) cu_seqlens: bool,
    pub(crate) pad: i64,
    pub(crate) pool: Arc<Pool>,
}

/// One thing to do.
pub(crate) enum Job {
    /// A batch, in the order of its epoch.
    Batch(Share, u64, Arc<Order>),
    /// Nothing: the epoch has ended.
    End,
}

/// The jobs from a place on, epoch after epoch.
pub(crate) struct Feed {
    place: Place,
    /// The next step of this loader, counted from the place.
    step: u64,
    order: Arc<Order>,
}

impl Feed {
    pub(crate) fn new(recipe: &Recipe, place: Place) -> Self {
        Self {
            place,
            step: recipe.split.worker,
            order: Arc::new(recipe.order(place.epoch)),
        }
    }

    pub(crate) fn next(&mut self, recipe: &Recipe) -> Job {
        let (rows, split) = (recipe.rows.count(), &recipe.split);
        if let Some(share) = split.share(rows, self.place.cursor, self.step) {
            self.step += split.workers;
            return Job::Batch(share, self.place.epoch, self.order.clone());
        }
        let epoch = self.place.epoch.wrapping_add(1);
        *self = Self::new(recipe, Place { epoch, cursor: 0 });
        Job::End
    }
}

impl Recipe {
    fn order(&self, epoch: u64) -> Order {
        Order::new(self.shuffle, self.rows.count(), self.seed, epoch)
    }

    /// Does a job; `None` is the end of an epoch. `scratch` is kept from job to job.
    pub(crate) fn work(&self, job: &Job, scratch: &mut Scratch) -> Result<Option<Batch>, Error> {
        let Job::Batch(share, epoch, order) = job else {
            return Ok(None);
        };
        let mut batch = Batch::new(self.form, self.pool.clone(), *epoch, share.cursor);
        let count = self.rows.count();
        let positions = share.start..share.start + share.len as u64;
        batch.rows.extend(positions.map(|at| order.get(at % count)));
        self.gather(&mut batch, scratch)?;
        Ok(Some(batch))
    }

    fn gather(&self, batch: &mut Batch, scratch: &mut Scratch) -> Result<(), Error> {
        let Form { row_len, token, .. } = self.form;
        let numbers = std::mem::take(&mut batch.rows);
        let (tokens, mut positions) = batch.parts_mut();
        scratch.lens.clear();
        for (&number, row) in numbers
            .iter()
            .zip(tokens.chunks_exact_mut(row_len * token.size()))
        {
            scratch.positions.resize(row_len, 0);
            let target = Target {
                token,
                tokens: row,
                positions: self.form.positions.then_some(&mut scratch.positions[..]),
                lens: self.cu_seqlens.then_some(&mut scratch.lens),
                pad: self.pad,
                scratch: &mut scratch.bytes,
            };
            self.rows
                .gather(number, target)
                .map_err(|error| error.within(format!("cannot load row {number}")))?;
            if let Some(rest) = positions.take() {
                let (here, rest) = rest.split_at_mut(row_len * 4);
                for (place, position) in here
                    .as_chunks_mut::<4>()
                    .0
                    .iter_mut()
                    .zip(&scratch.positions)
                {
                    *place = position.to_le_bytes();
                }
                positions = Some(rest);
            }
        }
        batch.rows = numbers;
        batch.cu_seqlens = self.cu_seqlens.then(|| {
            let mut end = 0;
            let ends = scratch.lens.iter().map(|len| {
                end += len;
                end
            });
            std::iter::once(0).chain(ends).collect()
        });
        Ok(())
    }
}

/// Memory of a thread that is used again.
#[derive(Default)]
pub(crate) struct Scratch {
    bytes: Vec<u8>,
    positions: Vec<i32>,
    lens: Vec<i32>,
}
