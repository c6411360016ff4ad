//! Indexing as NumPy's basic indexing: numbers, slices and `...`.

use crate::raw::Array;
use crate::text::shape;
use pyo3::exceptions::{PyIndexError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyEllipsis, PySlice, PyTuple};

/// The part of an array that a key names: a view.
///
/// # Errors
/// `IndexError` for indices out of range and too many of them, `TypeError` for keys of other kinds.
pub(crate) fn part(array: &Array, key: &Bound<'_, PyAny>) -> PyResult<Array> {
    let Ok(keys) = key.cast::<PyTuple>() else {
        return Ok(one(array, 0, key)?.0);
    };
    let named = keys
        .iter()
        .filter(|key| !key.is_instance_of::<PyEllipsis>())
        .count();
    if named > array.rank() {
        let message = format!("{named} indices are too many for {}", shape(&array.shape()));
        return Err(PyIndexError::new_err(message));
    }
    if keys.len() > named + 1 {
        return Err(PyIndexError::new_err("an index has at most one `...`"));
    }
    let (mut part, mut axis) = (array.clone(), 0);
    for key in keys {
        if key.is_instance_of::<PyEllipsis>() {
            axis += array.rank() - named;
        } else {
            let (rest, kept) = one(&part, axis, &key)?;
            part = rest;
            axis += usize::from(kept);
        }
    }
    Ok(part)
}

/// One axis by its key, and whether the axis is still there.
fn one(array: &Array, axis: usize, key: &Bound<'_, PyAny>) -> PyResult<(Array, bool)> {
    if key.is_instance_of::<PyEllipsis>() {
        return Ok((array.clone(), true));
    }
    let Some(&n) = array.shape().get(axis) else {
        return Err(PyIndexError::new_err("a number has no items"));
    };
    if let Ok(slice) = key.cast::<PySlice>() {
        let range = slice.indices(n)?;
        let count = range.slicelength.cast_signed();
        return Ok((array.slice(axis, range.start, range.step, count), true));
    }
    let index: isize = key.extract().map_err(|_| {
        PyTypeError::new_err(format!(
            "an index is a number, a slice or `...`, not {}",
            key.get_type()
        ))
    })?;
    let at = if index < 0 { index + n } else { index };
    if !(0..n).contains(&at) {
        let kind = match array.rank() - axis {
            2 => "row",
            1 if array.rank() > 1 || axis > 0 => "column",
            _ => "item",
        };
        let message = format!("{kind} {index} is out of range for {n} {kind}s");
        return Err(PyIndexError::new_err(message));
    }
    Ok((array.select(axis, at), false))
}
