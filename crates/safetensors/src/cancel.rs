//! The caller's wish to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::SafeTensorError;

/// A flag that the caller may set while work goes on; none by default.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cancel(Option<Arc<AtomicBool>>);

impl Cancel {
    pub(crate) fn by(flag: Arc<AtomicBool>) -> Self {
        Self(Some(flag))
    }

    /// `Cancelled` once the flag is set.
    pub(crate) fn check(&self) -> Result<(), SafeTensorError> {
        match &self.0 {
            Some(flag) if flag.load(Ordering::Relaxed) => Err(SafeTensorError::Cancelled),
            _ => Ok(()),
        }
    }
}
