//! Threads that wait for work, so that sharing a product costs microseconds.
//!
//! Workers spin for a while after each job and sleep then. One job runs at a time: who finds the pool at
//! work does its own alone, so callers on many threads never wait for each other. After a fork the child
//! has none of the workers, and makes new ones.

mod raw;

use std::sync::{Mutex, PoisonError, TryLockError};

static POOL: Mutex<raw::Pool> = Mutex::new(raw::Pool::new());

/// Calls `work` on up to `threads` threads at once, the caller's among them, and returns when all calls
/// have. A call that finds nothing left to do returns at once; whoever is late is not waited for.
///
/// # Panics
/// When `work` panics on any thread.
pub(crate) fn share(threads: usize, work: &(dyn Fn() + Sync)) {
    if threads > 1 {
        let pool = match POOL.try_lock() {
            Ok(pool) => Some(pool),
            Err(TryLockError::Poisoned(poisoned)) => Some(PoisonError::into_inner(poisoned)),
            Err(TryLockError::WouldBlock) => None,
        };
        if let Some(mut pool) = pool {
            return pool.share(threads - 1, work);
        }
    }
    work();
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    #[test]
    fn all_work_is_done_once_by_any_number_of_threads() {
        for threads in [1, 2, 3, 9, 2, 1] {
            for _ in 0..200 {
                let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
                share(threads, &|| {
                    while next.fetch_add(1, Relaxed) < 50 {
                        done.fetch_add(1, Relaxed);
                    }
                });
                assert_eq!(done.into_inner(), 50);
            }
        }
    }

    #[test]
    fn work_within_work_and_from_many_threads_ends() {
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..100 {
                        let calls = AtomicUsize::new(0);
                        share(3, &|| {
                            share(2, &|| {
                                calls.fetch_add(1, Relaxed);
                            });
                        });
                        assert!(calls.into_inner() >= 1);
                    }
                });
            }
        });
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_pool_goes_on() {
        for _ in 0..20 {
            let result = std::panic::catch_unwind(|| share(2, &|| panic!("on purpose")));
            assert!(result.is_err());
            let calls = AtomicUsize::new(0);
            share(2, &|| {
                calls.fetch_add(1, Relaxed);
            });
            assert!((1..=2).contains(&calls.into_inner()));
        }
    }
}
