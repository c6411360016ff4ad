//! Tensors of any framework, to be written.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};

use nexus_safetensors::{Dtype, View};
use pyo3::prelude::*;

use super::write::Writable;
use crate::interrupt::until_signal;

/// Smaller saves are done at once: a thread would cost more than it is worth.
const INTERRUPTIBLE_SIZE_MIN: usize = 16 << 20;

/// A tensor, and what keeps its bytes while it is written.
pub(super) struct Given {
    pub(super) writable: Writable,
    _kept: Option<Py<PyAny>>,
}

impl<'py> FromPyObject<'_, 'py> for Given {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(writable) = object.extract() {
            return Ok(Self {
                writable,
                _kept: None,
            });
        }
        let module = object.py().import("nexus.safetensors._describe")?;
        let described = module.call_method1("describe", (object,))?;
        let (writable, kept): (Writable, Py<PyAny>) = described.extract()?;
        Ok(Self {
            writable,
            _kept: Some(kept),
        })
    }
}

/// A tensor that has no bytes any more once a flag is set, which ends the save that it is part of.
pub(super) struct Stoppable<'a> {
    tensor: &'a Writable,
    stop: &'a AtomicBool,
}

impl View for Stoppable<'_> {
    fn dtype(&self) -> Dtype {
        self.tensor.dtype()
    }

    fn shape(&self) -> &[usize] {
        self.tensor.shape()
    }

    fn data(&self) -> Cow<'_, [u8]> {
        if self.stop.load(Ordering::Relaxed) {
            return Cow::Borrowed(&[]);
        }
        self.tensor.data()
    }

    fn data_len(&self) -> usize {
        self.tensor.data_len()
    }
}

/// Runs a save that Ctrl-C ends before the next tensor; the save then leaves nothing behind.
///
/// # Errors
/// What the handler of a signal raises.
pub(super) fn interruptible_save<'a, S, T: Send>(
    py: Python<'_>,
    tensors: &'a [(S, Writable)],
    save: impl FnOnce(Vec<(&'a str, Stoppable<'_>)>) -> T + Send,
) -> PyResult<T>
where
    S: AsRef<str> + Sync,
{
    let run = |stop: &AtomicBool| {
        let stoppable =
            |(name, tensor): &'a (S, Writable)| (name.as_ref(), Stoppable { tensor, stop });
        save(tensors.iter().map(stoppable).collect())
    };
    let sizes = tensors.iter().map(|(_, tensor)| tensor.data_len());
    if sizes.fold(0, usize::saturating_add) < INTERRUPTIBLE_SIZE_MIN {
        return Ok(py.detach(|| run(&AtomicBool::new(false))));
    }
    until_signal(py, |stop| run(&stop))
}
