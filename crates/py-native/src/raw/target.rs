//! Memory of Python's that tensors are read into.

use std::{ptr, slice};

use nexus_safetensors::Destination;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::safetensors::TensorSpec;

/// The memory that specs describe, to be written to.
///
/// # Errors
/// `ValueError` when two of them overlap, or one is at no address.
pub(crate) fn destinations<'a>(
    specs: impl Iterator<Item = (&'a str, &'a TensorSpec)>,
) -> PyResult<Vec<Destination<'a>>> {
    let mut specs: Vec<_> = specs.filter(|(_, spec)| spec.data_len > 0).collect();
    specs.sort_by_key(|(_, spec)| spec.data_ptr);
    let mut end_before = 1;
    for (name, spec) in &specs {
        match spec.data_ptr.checked_add(spec.data_len) {
            Some(end) if spec.data_ptr >= end_before => end_before = end,
            _ => {
                let text = format!("cannot read tensor `{name}` into memory that is not its own");
                return Err(PyValueError::new_err(text));
            }
        }
    }
    let disjoint = specs.into_iter().map(|(name, spec)| {
        let start = ptr::with_exposed_provenance_mut(spec.data_ptr);
        // SAFETY: whoever hands a `TensorSpec` to `load_into` promises that `data_len` bytes can be
        // written at `data_ptr` while the call runs. They are initialised, being a tensor's, and no
        // two of a call overlap, as was checked above.
        let memory = unsafe { slice::from_raw_parts_mut(start, spec.data_len) };
        (name, memory)
    });
    Ok(disjoint.collect())
}
