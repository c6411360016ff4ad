//! Python's collector of cycles, held back while many objects are made.

use pyo3::ffi;
use pyo3::prelude::*;

/// While this lives, the collector does not run by itself: it would walk over a hundred thousand
/// new tensors again and again, none of which can be garbage.
pub(crate) struct PausedCollection<'py> {
    py: Python<'py>,
    was_enabled: bool,
}

impl<'py> PausedCollection<'py> {
    pub(crate) fn new(py: Python<'py>) -> Self {
        // SAFETY: takes nothing but the interpreter, which `py` stands for.
        let was_enabled = unsafe { ffi::PyGC_Disable() } == 1;
        Self { py, was_enabled }
    }
}

impl Drop for PausedCollection<'_> {
    fn drop(&mut self) {
        if self.was_enabled {
            let _attached = self.py;
            // SAFETY: as in `new`.
            unsafe { ffi::PyGC_Enable() };
        }
    }
}
