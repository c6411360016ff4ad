//! Threads that prepare batches ahead, and hand them over in order.
//!
//! Whoever takes a batch that nobody has begun makes it itself: it is the next in any case, and
//! waking a thread takes longer than copying a few rows. Threads run ahead as far as `ahead` allows,
//! and are woken when half of that is used up.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::feed::{Feed, Job, Outcome, Place, Recipe};
use crate::maker::Maker;
use crate::{Error, ErrorKind};

/// What [`Ring::take`] has got.
pub(crate) enum Taken<B> {
    Ready(Outcome<B>),
    /// The next batch is still being made.
    Waiting,
}

pub(crate) struct Ring<M: Maker> {
    shared: Arc<Shared<M>>,
    threads: Vec<JoinHandle<()>>,
    scratch: M::Scratch,
}

struct Shared<M: Maker> {
    recipe: Arc<Recipe<M>>,
    ahead: usize,
    state: Mutex<State<M::Batch>>,
    /// The first slot is ready.
    ready: Condvar,
    /// There is room for more, or nothing to do ever after.
    room: Condvar,
    /// Set with [`State::stopped`], for threads that are at work.
    stopping: AtomicBool,
}

struct State<B> {
    feed: Feed,
    /// The number of the first slot.
    first: u64,
    /// Batches that are begun and not taken; `None` while they are made.
    slots: VecDeque<Option<Outcome<B>>>,
    stopped: bool,
}

impl<M: Maker> Ring<M> {
    /// Starts threads from a place on; without any, batches are made when they are taken.
    pub(crate) fn start(
        recipe: Arc<Recipe<M>>,
        place: Place,
        threads: usize,
        ahead: usize,
    ) -> Result<Self, Error> {
        let state = State {
            feed: Feed::new(&recipe, place),
            first: 0,
            slots: VecDeque::with_capacity(ahead),
            stopped: false,
        };
        let shared = Arc::new(Shared {
            recipe,
            ahead,
            state: Mutex::new(state),
            ready: Condvar::new(),
            room: Condvar::new(),
            stopping: AtomicBool::new(false),
        });
        let mut ring = Self {
            shared,
            threads: Vec::new(),
            scratch: M::Scratch::default(),
        };
        for number in 0..threads {
            let shared = ring.shared.clone();
            let thread = std::thread::Builder::new()
                .name(format!("loader {number}"))
                .spawn(move || shared.run())
                .map_err(|error| {
                    let message = format!("cannot start thread {number} of a loader: {error}");
                    Error::new(ErrorKind::Io, message)
                })?;
            ring.threads.push(thread);
        }
        Ok(ring)
    }

    /// The next batch, if it is ready or can be made at once; waits up to `patience` for one that
    /// another thread is making. `stop` is asked while one is made here.
    pub(crate) fn take(&mut self, patience: Duration, stop: &dyn Fn() -> bool) -> Taken<M::Batch> {
        let shared = &*self.shared;
        let mut state = shared.lock();
        if state.slots.is_empty() {
            let job = state.feed.next(&shared.recipe);
            state.first += 1;
            drop(state);
            return Taken::Ready(shared.recipe.work(&job, &mut self.scratch, stop));
        }
        if matches!(state.slots.front(), Some(None)) {
            let waited = shared.ready.wait_timeout(state, patience);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        match state.slots.front_mut().and_then(Option::take) {
            None => Taken::Waiting,
            Some(outcome) => {
                state.slots.pop_front();
                state.first += 1;
                let half_used = state.slots.len() == shared.ahead / 2;
                drop(state);
                if half_used {
                    shared.room.notify_all();
                }
                Taken::Ready(outcome)
            }
        }
    }

    /// Whether the next batch can be had without waiting and without work.
    pub(crate) fn is_ready(&self) -> bool {
        matches!(self.shared.lock().slots.front(), Some(Some(_)))
    }

    /// Leaves threads that do not exist, in the child of a fork: locks may be held for ever there.
    pub(crate) fn abandon(self) {
        std::mem::forget(self);
    }
}

impl<M: Maker> Drop for Ring<M> {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::Relaxed);
        self.shared.lock().stopped = true;
        self.shared.room.notify_all();
        for thread in self.threads.drain(..) {
            // A thread that has panicked has handed its panic over as an outcome.
            drop(thread.join());
        }
    }
}

impl<M: Maker> Shared<M> {
    fn lock(&self) -> MutexGuard<'_, State<M::Batch>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        let mut scratch = M::Scratch::default();
        while let Some((number, job)) = self.claim() {
            let stop = || self.stopping.load(Ordering::Relaxed);
            let work = AssertUnwindSafe(|| self.recipe.work(&job, &mut scratch, &stop));
            let outcome = catch_unwind(work).unwrap_or_else(|_| {
                let message = "cannot make a batch: the thread has panicked";
                Err(Error::new(ErrorKind::Io, message).with_hint("this is a bug: report it"))
            });
            self.hand_over(number, outcome);
        }
    }

    /// The next job and its number, as soon as there is room; `None` when there is nothing to do.
    fn claim(&self) -> Option<(u64, Job)> {
        let mut state = self.lock();
        while !state.stopped && state.slots.len() >= self.ahead {
            state = self
                .room
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        if state.stopped {
            return None;
        }
        let number = state.first + state.slots.len() as u64;
        let job = state.feed.next(&self.recipe);
        state.slots.push_back(None);
        Some((number, job))
    }

    fn hand_over(&self, number: u64, outcome: Outcome<M::Batch>) {
        let mut state = self.lock();
        let at = (number - state.first) as usize;
        state.slots[at] = Some(outcome);
        drop(state);
        if at == 0 {
            self.ready.notify_one();
        }
    }
}
