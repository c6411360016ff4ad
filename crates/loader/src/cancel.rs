//! Giving up from outside.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::{Error, ErrorKind};

/// A flag that ends the opening of shards, from a signal handler or another thread: at the next shard,
/// member or document that is looked at. Clones share it.
///
/// ```
/// use nexus_loader::{Cancel, Corpus, ErrorKind, OpenOptions};
///
/// let cancel = Cancel::new();
/// cancel.cancel();
/// let options = OpenOptions { cancel, ..OpenOptions::default() };
/// let error = Corpus::open(&["tokens.npy"], &options).unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Cancelled);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// A flag that is not set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets it. Async-signal-safe.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether [`cancel`](Self::cancel) was called.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// An error where it is set.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.is_cancelled() {
            return Err(cancelled());
        }
        Ok(())
    }
}

/// What has been given up.
pub(crate) fn cancelled() -> Error {
    Error::new(ErrorKind::Cancelled, "the work was cancelled")
}
