//! Python's collector of cycles, held back while many objects are made.

use pyo3::ffi;
use pyo3::prelude::*;

/// While this lives, the collector does not run by itself: it would walk over a hundred thousand
/// new tensors again and again, none of which can be garbage.
pub(crate) struct PausedCollection<'py> {
    _attached: Python<'py>,
    was_enabled: bool,
}

impl<'py> PausedCollection<'py> {
    pub(crate) fn new(py: Python<'py>) -> Self {
        // SAFETY: takes nothing but the interpreter, which `py` stands for.
        let was_enabled = unsafe { ffi::PyGC_Disable() } == 1;
        Self {
            _attached: py,
            was_enabled,
        }
    }
}

impl Drop for PausedCollection<'_> {
    fn drop(&mut self) {
        if self.was_enabled {
            // SAFETY: as in `new`; `_attached` is still there.
            unsafe { ffi::PyGC_Enable() };
        }
    }
}
