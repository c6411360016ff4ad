//! A few threads that share a list of tasks.

use crate::error::Error;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Runs `work` for each task on `threads` threads. The first error in the tasks' order is returned;
/// the others stop at their next task.
pub(crate) fn for_each<T: Sync>(
    threads: usize,
    tasks: &[T],
    work: impl Fn(&T) -> Result<(), Error> + Sync,
) -> Result<(), Error> {
    let (next, has_failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let run = || {
        while !has_failed.load(Ordering::Relaxed) {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(task) = tasks.get(at) else { break };
            work(task).map_err(|error| {
                has_failed.store(true, Ordering::Relaxed);
                (at, error)
            })?;
        }
        Ok(())
    };
    if threads == 1 {
        return run().map_err(|(_, error)| error);
    }
    let failed = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(run)).collect();
        let results = threads.into_iter().map(|thread| match thread.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        results.filter_map(Result::err).min_by_key(|&(at, _)| at)
    });
    failed.map_or(Ok(()), |(_, error)| Err(error))
}
