//! Batches of rows of tokens.

use std::sync::Arc;

use crate::batch::{Batch, Form, Pool};
use crate::limits::BATCH_SIZE_MAX;
use crate::maker::{Maker, Ordered, sealed::Sealed};
use crate::rows::{Rows, Target};
use crate::units::Starts;
use crate::unpack::Cache;
use crate::{Error, LoaderOptions};

/// Makes batches of [`Rows`].
pub struct Tokens {
    rows: Rows,
    form: Form,
    cu_seqlens: bool,
    pad: i64,
    pool: Arc<Pool>,
    /// Whether a shard must be unpacked.
    packed: bool,
}

/// After how many rows it is asked whether the batch is still wanted.
const ROWS_UNASKED: usize = 1024;

impl Tokens {
    pub(crate) fn new(rows: Rows, options: &LoaderOptions) -> Result<Self, Error> {
        let form = Form {
            batch: options.split.batch,
            row_len: rows.row_len(),
            token: options.token.unwrap_or_else(|| rows.corpus().natural()),
            positions: options.positions,
        };
        check(form, options.pad)?;
        Ok(Self {
            packed: rows.corpus().is_packed(),
            rows,
            form,
            cu_seqlens: options.cu_seqlens,
            pad: options.pad,
            pool: Pool::new(form.size(), options.kept()),
        })
    }

    pub(crate) fn rows(&self) -> &Rows {
        &self.rows
    }

    pub(crate) fn token(&self) -> crate::Token {
        self.form.token
    }
}

fn check(form: Form, pad: i64) -> Result<(), Error> {
    let tokens = form.batch.checked_mul(form.row_len);
    if tokens.is_none_or(|tokens| tokens > BATCH_SIZE_MAX / 16) || form.size() > BATCH_SIZE_MAX {
        let what = format!(
            "cannot make batches of {} × {} tokens",
            form.batch, form.row_len
        );
        return Err(Error::limit(what, "BATCH_SIZE_MAX", BATCH_SIZE_MAX));
    }
    if !form.token.holds(pad) {
        let message = format!("cannot fill rows up with {pad}, which is no {}", form.token);
        return Err(Error::invalid(message));
    }
    Ok(())
}

impl Sealed for Tokens {}

impl Maker for Tokens {
    type Batch = Batch;
    type Scratch = Scratch;

    fn count(&self) -> u64 {
        self.rows.count()
    }

    fn fingerprint(&self) -> u64 {
        self.rows.fingerprint()
    }

    fn starts(&self) -> Starts {
        self.rows.starts()
    }

    fn unpacked_size(&self, number: usize) -> Option<u64> {
        self.rows.corpus().all()[number].source.unpacked_size()
    }

    fn unpack(&self, number: usize, cache: &Cache) {
        // What fails now fails again for the batch that needs it, and is told then.
        drop(self.rows.corpus().all()[number].source.reach(number, cache));
    }

    fn make(&self, order: Ordered<'_>, scratch: &mut Scratch) -> Result<Batch, Error> {
        let mut batch = Batch::new(self.form, self.pool.clone(), order.epoch);
        self.gather(&order, &mut batch, scratch)?;
        batch.rows = order.rows;
        Ok(batch)
    }
}

impl Tokens {
    fn gather(
        &self,
        order: &Ordered<'_>,
        batch: &mut Batch,
        scratch: &mut Scratch,
    ) -> Result<(), Error> {
        let Form { row_len, token, .. } = self.form;
        let (tokens, mut positions) = batch.parts_mut();
        scratch.lens.clear();
        let places = tokens.chunks_exact_mut(row_len * token.size());
        for ((at, &number), row) in order.rows.iter().enumerate().zip(places) {
            // To copy a row takes no time; to unpack what it lies in does.
            if self.packed || at % ROWS_UNASKED == 0 {
                order.check()?;
            }
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
                .gather(number, order.cache, target)
                .map_err(|error| error.within(format!("cannot load row {number}")))?;
            if let Some(rest) = positions.take() {
                let (here, rest) = rest.split_at_mut(row_len * 4);
                let places = here.as_chunks_mut::<4>().0.iter_mut();
                for (place, position) in places.zip(&scratch.positions) {
                    *place = position.to_le_bytes();
                }
                positions = Some(rest);
            }
        }
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
pub struct Scratch {
    bytes: Vec<u8>,
    positions: Vec<i32>,
    lens: Vec<i32>,
}
