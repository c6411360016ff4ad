//! The loader: batches of shuffled rows, from any place on.

use std::sync::Arc;
use std::time::Duration;

use crate::batch::Batch;
use crate::feed::{Place, Recipe};
use crate::limits::{CACHE_SIZE, PREFETCH_MAX, ROWS_MAX, THREADS_MAX};
use crate::maker::Maker;
use crate::order::{Shuffle, UNITS};
use crate::ring::{Ring, Taken};
use crate::rows::Rows;
use crate::schedule::Split;
use crate::tokens::Tokens;
use crate::unpack::Cache;
use crate::{Error, Token};

/// How a loader works.
#[derive(Clone, Debug)]
pub struct LoaderOptions {
    /// Which rows this loader reads, and how many at a time.
    pub split: Split,
    /// How epochs are shuffled.
    pub shuffle: Shuffle,
    /// What epochs are shuffled by.
    pub seed: u64,
    /// The type of the tokens of batches; by default, the smallest that holds the stored ones.
    pub token: Option<Token>,
    /// Whether batches have the positions of tokens within their documents.
    pub positions: bool,
    /// Whether batches have the bounds of documents.
    pub cu_seqlens: bool,
    /// The token that fills rows up.
    pub pad: i64,
    /// How many threads prepare batches; with 0, each is made when it is asked for.
    pub threads: usize,
    /// How many batches are prepared ahead.
    pub ahead: usize,
    /// How many bytes of unpacked shards are kept; one shard is kept in any case.
    pub cache_size: u64,
}

impl LoaderOptions {
    /// How many batches are in memory beside those that the caller has.
    pub(crate) fn kept(&self) -> usize {
        4 + if self.threads == 0 {
            0
        } else {
            self.ahead.max(1)
        }
    }
}

impl Default for LoaderOptions {
    fn default() -> Self {
        Self {
            split: Split::default(),
            shuffle: Shuffle::default(),
            seed: 0,
            token: None,
            positions: false,
            cu_seqlens: false,
            pad: 0,
            threads: 2,
            ahead: 16,
            cache_size: CACHE_SIZE,
        }
    }
}

/// Where a loader is. It is the same for all ranks and workers that have read equally many batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    /// What epochs are shuffled by.
    pub seed: u64,
    /// The epoch.
    pub epoch: u64,
    /// How many positions of the epoch's order all ranks have read.
    pub cursor: u64,
    /// How many rows there are.
    pub rows: u64,
    /// Tells the rows and the way they are shuffled from others, as far as sizes tell.
    pub fingerprint: u64,
}

/// What [`Loader::next_within`] has got.
#[derive(Debug)]
pub enum Next<B = Batch> {
    /// The next batch.
    Batch(B),
    /// The epoch has ended; the next batch is of the next one.
    End,
    /// The time has passed, or a batch had nothing in it: ask again.
    Waiting,
}

/// Gives batches of rows, epoch after epoch: of tokens, or of images.
///
/// ```
/// use nexus_loader::{Corpus, Format, Loader, LoaderOptions, OpenOptions, Rows, Split, Stored};
///
/// let tokens: Vec<u8> = (0..32_u16).flat_map(u16::to_le_bytes).collect();
/// let options = OpenOptions { stored: Some(Stored::U16), ..OpenOptions::default() };
/// let corpus = Corpus::from_memory(Format::Plain, vec![("a.bin".into(), tokens)], &options)?;
/// let rows = Rows::windows(corpus, 4, 4)?;
/// let split = Split { batch: 2, ..Split::default() };
/// let mut loader = Loader::new(rows, &LoaderOptions { split, ..LoaderOptions::default() })?;
/// let mut seen = 0;
/// while let Some(batch) = loader.next_batch()? {
///     seen += batch.len();
/// }
/// assert_eq!((seen, loader.state().epoch), (8, 1));
/// # Ok::<(), nexus_loader::Error>(())
/// ```
pub struct Loader<M: Maker = Tokens> {
    recipe: Arc<Recipe<M>>,
    threads: usize,
    ahead: usize,
    place: Place,
    /// Of the rows, which may lie in many shards, and of how they are shuffled.
    fingerprint: u64,
    ring: Option<(Ring<M>, u32)>,
    /// How many rows were left out of the batches that were given.
    left_out: u64,
}

impl Loader {
    /// A loader at the start of epoch 0. Threads start with the first batch.
    ///
    /// # Errors
    /// `InvalidInput` where options contradict each other or give no batch, `LimitReached`.
    pub fn new(rows: Rows, options: &LoaderOptions) -> Result<Self, Error> {
        options.split.check()?;
        Self::of(Tokens::new(rows, options)?, options)
    }

    /// The rows.
    pub fn rows(&self) -> &Rows {
        self.recipe.maker.rows()
    }

    /// The type of the tokens of batches.
    pub fn token(&self) -> Token {
        self.recipe.maker.token()
    }
}

impl<M: Maker> Loader<M> {
    pub(crate) fn of(maker: M, options: &LoaderOptions) -> Result<Self, Error> {
        check(&maker, options)?;
        let starts = maker.starts();
        let units = starts.len() - 1;
        let mut sizes: Vec<u64> = (0..units)
            .filter_map(|number| maker.unpacked_size(number))
            .collect();
        sizes.sort_unstable_by_key(|&size| std::cmp::Reverse(size));
        let shuffle = match options.shuffle {
            Shuffle::Auto if sizes.is_empty() => Shuffle::Full,
            Shuffle::Auto => Shuffle::Units { window: UNITS },
            given => given,
        };
        let ahead = check_cache(shuffle, &sizes, options.cache_size)?;
        // Signed integers of 64 bits hold it, which are all that some checkpoints have.
        let fingerprint = (maker.fingerprint() ^ shuffle.fingerprint()) >> 1;
        let recipe = Recipe {
            split: options.split,
            shuffle,
            seed: options.seed,
            starts,
            cache: Arc::new(Cache::new(units, options.cache_size)),
            ahead,
            maker: Arc::new(maker),
        };
        Ok(Self {
            recipe: Arc::new(recipe),
            threads: options.threads,
            ahead: options.kept() - 4,
            place: Place {
                epoch: 0,
                cursor: 0,
            },
            fingerprint,
            ring: None,
            left_out: 0,
        })
    }

    /// What makes the batches.
    pub(crate) fn maker(&self) -> &M {
        &self.recipe.maker
    }

    /// How many batches an epoch has.
    pub fn batches(&self) -> u64 {
        self.recipe.split.batches(self.recipe.maker.count(), 0)
    }

    /// How many batches are left of this epoch.
    pub fn batches_left(&self) -> u64 {
        self.recipe
            .split
            .batches(self.recipe.maker.count(), self.place.cursor)
    }

    /// The next batch; `None` at the end of an epoch, after which the next one follows.
    ///
    /// # Errors
    /// `Io`, `Corrupt` and `InvalidInput` where a row cannot be read. The loader stays before the
    /// batch, so that another call tries again; [`set_state`](Self::set_state) goes past it.
    pub fn next_batch(&mut self) -> Result<Option<M::Batch>, Error> {
        loop {
            match self.next_within(Duration::from_secs(1))? {
                Next::Batch(batch) => return Ok(Some(batch)),
                Next::End => return Ok(None),
                Next::Waiting => {}
            }
        }
    }

    /// As [`next_batch`](Self::next_batch), but returns when a batch that is being made takes longer.
    ///
    /// # Errors
    /// As [`next_batch`](Self::next_batch).
    pub fn next_within(&mut self, patience: Duration) -> Result<Next<M::Batch>, Error> {
        self.next_unless(patience, &|| false)
    }

    /// As [`next_within`](Self::next_within), but gives a batch up that this call makes itself when `stop`
    /// says so, which is asked before each image, and before each row that may have to be unpacked.
    ///
    /// # Errors
    /// As [`next_batch`](Self::next_batch), and `Cancelled` where `stop` said so.
    pub fn next_unless(
        &mut self,
        patience: Duration,
        stop: &dyn Fn() -> bool,
    ) -> Result<Next<M::Batch>, Error> {
        let outcome = match self.ring()?.take(patience, stop) {
            Taken::Waiting => return Ok(Next::Waiting),
            Taken::Ready(outcome) => outcome,
        };
        match outcome {
            Ok(Some((place, batch))) => {
                self.place = place;
                self.left_out += M::left_out(&batch) as u64;
                if M::is_empty(&batch) {
                    return Ok(Next::Waiting);
                }
                Ok(Next::Batch(batch))
            }
            Ok(None) => {
                self.place = Place {
                    epoch: self.place.epoch.wrapping_add(1),
                    cursor: 0,
                };
                Ok(Next::End)
            }
            Err(error) => {
                // Threads have gone on; the next call starts behind the last batch that was given.
                self.ring = None;
                Err(error)
            }
        }
    }

    /// How many rows were left out of the batches so far because they are broken, where the loader was
    /// asked to do so.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Whether the next batch is ready, so that taking it does not wait.
    pub fn is_ready(&self) -> bool {
        let own = |(_, process): &&(Ring<M>, u32)| *process == std::process::id();
        self.ring
            .as_ref()
            .filter(own)
            .is_some_and(|(ring, _)| ring.is_ready())
    }

    /// The threads of this process. After a fork, the child has none and starts its own.
    fn ring(&mut self) -> Result<&mut Ring<M>, Error> {
        let process = std::process::id();
        if let Some((ring, _)) = self.ring.take_if(|(_, owner)| *owner != process) {
            ring.abandon();
            // A lock of the old one may be held for ever.
            let recipe = Recipe {
                cache: Arc::new(self.recipe.cache.renewed()),
                ..Recipe::clone(&self.recipe)
            };
            std::mem::forget(std::mem::replace(&mut self.recipe, Arc::new(recipe)));
        }
        if self.ring.is_none() {
            let recipe = self.recipe.clone();
            let ring = Ring::start(recipe, self.place, self.threads, self.ahead)?;
            self.ring = Some((ring, process));
        }
        let (ring, _) = self
            .ring
            .as_mut()
            .expect("a ring is there or was just made");
        Ok(ring)
    }

    /// Where the loader is. Batches that are prepared and not given do not count.
    pub fn state(&self) -> State {
        State {
            seed: self.recipe.seed,
            epoch: self.place.epoch,
            cursor: self.place.cursor,
            rows: self.recipe.maker.count(),
            fingerprint: self.fingerprint,
        }
    }

    /// The state after `steps` steps from the start of an epoch, for those who count steps
    /// themselves, such as the main process of several workers.
    pub fn state_at(&self, epoch: u64, steps: u64) -> State {
        let rows = self.recipe.maker.count();
        State {
            epoch,
            cursor: steps
                .saturating_mul(self.recipe.split.step_rows())
                .min(rows),
            ..self.state()
        }
    }

    /// Goes on where another loader stopped, whatever its batch size, ranks and workers were.
    ///
    /// # Errors
    /// `InvalidInput` where the state is of other rows.
    pub fn set_state(&mut self, state: &State) -> Result<(), Error> {
        let State {
            seed,
            epoch,
            cursor,
            ..
        } = *state;
        let own = self.state();
        if (state.rows, state.fingerprint) != (own.rows, own.fingerprint) || cursor > own.rows {
            let message = format!(
                "cannot go on in other rows: the state is at {cursor} of {} rows, and there are {}",
                state.rows, own.rows
            );
            return Err(Error::invalid(message)
                .with_hint(
                "open the same shards in the same order, with rows of the same kind and as shuffled",
            ));
        }
        self.stop();
        if seed != own.seed {
            self.reseed(seed);
        }
        self.place = Place { epoch, cursor };
        Ok(())
    }

    /// Goes to the start of an epoch. Does nothing when the loader is in that epoch already, so
    /// that a resumed one goes on where it was.
    pub fn set_epoch(&mut self, epoch: u64) {
        if epoch != self.place.epoch {
            self.stop();
            self.place = Place { epoch, cursor: 0 };
        }
    }

    fn reseed(&mut self, seed: u64) {
        self.recipe = Arc::new(Recipe {
            seed,
            ..Recipe::clone(&self.recipe)
        });
    }

    /// Ends the threads. The next batch starts new ones.
    pub fn stop(&mut self) {
        if let Some((ring, owner)) = self.ring.take()
            && owner != std::process::id()
        {
            ring.abandon();
        }
    }
}

impl<M: Maker> Drop for Loader<M> {
    fn drop(&mut self) {
        self.stop();
    }
}

impl<M: Maker> std::fmt::Debug for Loader<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loader")
            .field("state", &self.state())
            .field("split", &self.recipe.split)
            .finish_non_exhaustive()
    }
}

fn check<M: Maker>(maker: &M, options: &LoaderOptions) -> Result<(), Error> {
    let LoaderOptions {
        split,
        shuffle,
        threads,
        ahead,
        ..
    } = options;
    for (what, number, name, limit) in [
        ("threads", *threads, "THREADS_MAX", THREADS_MAX),
        ("batches ahead", *ahead, "PREFETCH_MAX", PREFETCH_MAX),
    ] {
        if number > limit {
            return Err(Error::limit(
                format!("cannot have {number} {what}"),
                name,
                limit,
            ));
        }
    }
    if let Shuffle::Blocks { block, window } = *shuffle
        && (block == 0 || window == 0 || block > ROWS_MAX)
    {
        let message = format!("cannot shuffle {window} blocks of {block} rows");
        return Err(Error::invalid(message));
    }
    if *shuffle == (Shuffle::Units { window: 0 }) {
        return Err(Error::invalid("cannot shuffle windows of no units"));
    }
    let count = maker.count();
    if split.steps(count, 0) == 0 {
        let step = split.step_rows();
        let message =
            format!("cannot make a batch: a step takes {step} rows, and there are {count}");
        return Err(Error::invalid(message)
            .with_hint("take smaller batches, shorter rows, or keep the tail"));
    }
    Ok(())
}

/// Whether two windows of the largest units fit, so that one can be unpacked while another is read;
/// one must. `sizes` falls.
fn check_cache(shuffle: Shuffle, sizes: &[u64], limit: u64) -> Result<bool, Error> {
    let Shuffle::Units { window } = shuffle else {
        return Ok(false);
    };
    let largest = |count: u64| sizes.iter().take(count as usize).sum::<u64>();
    let needed = largest(window);
    if needed > limit {
        let what = format!(
            "cannot shuffle windows of {window} units, which unpack to as many as {needed} bytes"
        );
        return Err(Error::limit(what, "cache_size", limit).with_hint(
            "keep more bytes, take a smaller window, or write smaller shards and row groups",
        ));
    }
    Ok(window
        .checked_mul(2)
        .is_some_and(|two| largest(two) <= limit))
}
