//! A gate that batches pass one at a time, in the order in which they were read.

use crate::Reject;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A batch's place in the order, and how long it waited for its turns.
#[derive(Debug)]
pub(crate) struct Turn {
    pub(crate) ticket: u64,
    pub(crate) waited: Duration,
    /// Lines on the documents that were dropped, where somebody wants to know.
    pub(crate) audit: Option<Vec<u8>>,
    /// Records that a step has set aside.
    pub(crate) rejects: Vec<Reject>,
}

impl Turn {
    pub(crate) fn new(ticket: u64) -> Self {
        Self {
            ticket,
            waited: Duration::ZERO,
            audit: None,
            rejects: Vec::new(),
        }
    }
}

/// State that only the batch whose turn it is may touch.
///
/// Every batch passes every turnstile once, so the oldest batch under way never waits and the
/// others wait for it alone: there is no deadlock whatever the number of threads.
#[derive(Debug)]
pub(crate) struct Turnstile<T> {
    inner: Mutex<Inner<T>>,
    passed: Condvar,
}

#[derive(Debug)]
struct Inner<T> {
    state: T,
    next: u64,
    is_open: bool,
}

/// The turnstile was closed because the run ends early.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Closed;

impl<T> Turnstile<T> {
    /// A turnstile for batches from number 0.
    pub(crate) fn new(state: T) -> Self {
        Self::starting_at(0, state)
    }

    /// A turnstile for batches from number `next`.
    pub(crate) fn starting_at(next: u64, state: T) -> Self {
        Self {
            inner: Mutex::new(Inner {
                state,
                next,
                is_open: true,
            }),
            passed: Condvar::new(),
        }
    }

    /// Waits until all batches before this one have passed, then runs `step`.
    ///
    /// A panic in `step` leaves the turnstile shut for the batches that follow; the engine closes
    /// it then.
    ///
    /// # Panics
    /// When this batch has passed already.
    pub(crate) fn pass<R>(
        &self,
        turn: &mut Turn,
        step: impl FnOnce(&mut T) -> R,
    ) -> Result<R, Closed> {
        let mut inner = self.wait(turn)?;
        assert_eq!(inner.next, turn.ticket, "a batch passes a turnstile once");
        let result = step(&mut inner.state);
        inner.next += 1;
        drop(inner);
        self.passed.notify_all();
        Ok(result)
    }

    /// Passes without touching the state, unless this batch has passed already.
    pub(crate) fn skip(&self, turn: &mut Turn) -> Result<(), Closed> {
        let mut inner = self.wait(turn)?;
        inner.next = inner.next.max(turn.ticket + 1);
        drop(inner);
        self.passed.notify_all();
        Ok(())
    }

    fn wait(&self, turn: &mut Turn) -> Result<MutexGuard<'_, Inner<T>>, Closed> {
        let start = Instant::now();
        let waits = |inner: &mut Inner<T>| inner.is_open && inner.next < turn.ticket;
        let inner = self
            .passed
            .wait_while(self.lock(), waits)
            .unwrap_or_else(PoisonError::into_inner);
        turn.waited += start.elapsed();
        if inner.is_open {
            Ok(inner)
        } else {
            Err(Closed)
        }
    }

    /// Sends away all who wait and all who come.
    pub(crate) fn close(&self) {
        self.lock().is_open = false;
        self.passed.notify_all();
    }

    pub(crate) fn into_state(self) -> T {
        self.inner
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
            .state
    }

    fn lock(&self) -> MutexGuard<'_, Inner<T>> {
        // A panicked step ends the run; its state is not looked at again.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tickets_pass_in_order_whoever_comes_first() {
        let turnstile = Turnstile::new(Vec::new());
        std::thread::scope(|scope| {
            for ticket in (0..8).rev() {
                let turnstile = &turnstile;
                scope.spawn(move || {
                    let mut turn = Turn::new(ticket);
                    turnstile.pass(&mut turn, |seen| seen.push(ticket)).unwrap();
                    turnstile.skip(&mut turn).unwrap();
                });
            }
        });
        assert_eq!(turnstile.into_state(), [0, 1, 2, 3, 4, 5, 6, 7]);
    }

    #[test]
    fn closing_releases_those_who_wait() {
        let turnstile = Turnstile::new(());
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| turnstile.pass(&mut Turn::new(1), |()| ()));
            turnstile.close();
            assert_eq!(waiting.join().unwrap(), Err(Closed));
        });
        assert_eq!(turnstile.pass(&mut Turn::new(0), |()| ()), Err(Closed));
    }
}
