//! Objects and buffers of Python that arrays keep, and give back to the interpreter they are from.

use super::state::State;
use pyo3::prelude::*;
use pyo3::{ffi, types::PyAny};
use std::cell::Cell;
use std::ptr::NonNull;

thread_local! {
    /// Whether this thread may not touch the interpreter.
    static DETACHED: Cell<bool> = const { Cell::new(false) };
}

/// Does `work` on a thread that does not hold the interpreter's lock: what it drops is put off.
pub(crate) fn detached<R>(work: impl FnOnce() -> R) -> R {
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            DETACHED.set(self.0);
        }
    }
    let _restore = Restore(DETACHED.replace(true));
    work()
}

/// A reference or a buffer that its interpreter wants back.
pub(super) enum Lent {
    Object(NonNull<ffi::PyObject>),
    Buffer(Box<ffi::Py_buffer>),
}

// SAFETY: it is given back by threads that hold the lock.
unsafe impl Send for Lent {}
// SAFETY: nothing is read through a shared reference.
unsafe impl Sync for Lent {}

impl Lent {
    /// Gives it back.
    pub(super) fn release(self, _py: Python<'_>) {
        // SAFETY: the thread is attached to the interpreter that it is from: `State` is one interpreter's.
        unsafe {
            match self {
                Self::Object(object) => ffi::Py_DECREF(object.as_ptr()),
                Self::Buffer(mut buffer) => ffi::PyBuffer_Release(&raw mut *buffer),
            }
        }
    }
}

/// What keeps foreign memory alive, until it is dropped on any thread.
pub(super) struct Keeper {
    lent: Option<Lent>,
    state: &'static State,
}

impl Keeper {
    /// Keeps an object.
    pub(super) fn object(object: &Bound<'_, PyAny>) -> Self {
        let pointer = NonNull::new(object.clone().into_ptr()).expect("an object is not null");
        Self::new(object.py(), Lent::Object(pointer))
    }

    /// Keeps a view of a buffer.
    pub(super) fn buffer(py: Python<'_>, view: Box<ffi::Py_buffer>) -> Self {
        Self::new(py, Lent::Buffer(view))
    }

    fn new(py: Python<'_>, lent: Lent) -> Self {
        let state = State::current(py);
        state.give_back(py);
        Self {
            lent: Some(lent),
            state,
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        let Some(lent) = self.lent.take() else {
            return;
        };
        if DETACHED.get() {
            self.state.put_off(lent);
        } else {
            // SAFETY: outside of `detached`, arrays are dropped by calls from Python.
            lent.release(unsafe { Python::assume_attached() });
        }
    }
}
