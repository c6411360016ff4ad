//! NumPy's basic indexing: from Python's objects to a selection, with the texts of `safetensors` 0.8.0.

use nexus_safetensors::{Index, IndexError, SafeTensorError, Selection};
use nexus_tensor::DType;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyEllipsis, PyList, PySlice, PyTuple};

use super::error::plain;

/// What Python hands to `__getitem__`, taken apart.
pub(crate) struct Indices {
    pub(crate) list: Vec<Index>,
    /// Whether a `bool` stands for a number, which not every framework agrees to.
    pub(crate) has_bool: bool,
}

impl Indices {
    pub(crate) fn parse(index: &Bound<'_, PyAny>) -> PyResult<Self> {
        let mut parsed = Self {
            list: Vec::new(),
            has_bool: false,
        };
        if let Ok(list) = index.cast::<PyList>() {
            if !list.is_empty() {
                return Err(plain("Non empty lists are not implemented"));
            }
            let none = Some(0);
            parsed.list.push(Index::Slice {
                start: none,
                stop: none,
                step: None,
            });
            return Ok(parsed);
        }
        match index.cast::<PyTuple>() {
            Ok(several) => {
                for (position, each) in several.iter().enumerate() {
                    parsed.push(position, &each)?;
                }
            }
            Err(_) => parsed.push(0, index)?,
        }
        Ok(parsed)
    }

    fn push(&mut self, position: usize, index: &Bound<'_, PyAny>) -> PyResult<()> {
        self.has_bool |= index.is_instance_of::<PyBool>();
        let parsed = if index.is_none() {
            Index::NewAxis
        } else if index.is_instance_of::<PyEllipsis>() {
            if self.list.contains(&Index::Ellipsis) {
                return Err(plain("Only one ellipsis (...) is allowed in slice index"));
            }
            Index::Ellipsis
        } else if let Ok(slice) = index.cast::<PySlice>() {
            let bound = |name| slice.getattr(name).and_then(|bound| bound_of(&bound));
            let step = bound("step")?;
            if step == Some(0) {
                return Err(plain("Slice step must be a positive integer, got 0"));
            }
            Index::Slice {
                start: bound("start")?,
                stop: bound("stop")?,
                step,
            }
        } else if index.hasattr("__index__")? && !index.hasattr("__len__")? {
            // A number that is too large for an address is none, as in `safetensors`.
            Index::At(index.extract().map_err(|_| unsupported(position))?)
        } else {
            return Err(unsupported(position));
        };
        self.list.push(parsed);
        Ok(())
    }
}

fn unsupported(position: usize) -> PyErr {
    plain(format!(
        "Unsupported slice index at position {position}: expected slice, int, or ellipsis"
    ))
}

fn bound_of(bound: &Bound<'_, PyAny>) -> PyResult<Option<isize>> {
    if bound.is_none() {
        Ok(None)
    } else {
        number_of(bound).map(Some)
    }
}

/// A number, or the nearest that fits: both ends lie outside every tensor.
fn number_of(object: &Bound<'_, PyAny>) -> PyResult<isize> {
    object.extract().or_else(|error: PyErr| {
        if error.is_instance_of::<PyTypeError>(object.py()) {
            return Err(error);
        }
        Ok(if object.lt(0)? {
            isize::MIN
        } else {
            isize::MAX
        })
    })
}

/// The items of a tensor that an index names. `item` is their type.
pub(crate) fn select(item: DType, shape: &[usize], indices: &[Index]) -> PyResult<Selection> {
    Selection::new(item, shape, indices).map_err(|error| {
        let SafeTensorError::InvalidIndex(refused) = error else {
            return plain(error.to_string());
        };
        match refused {
            IndexError::OutOfBounds { index, axis, size } if index < 0 => plain(format!(
                "Invalid index {index} for dimension {axis} of size {size}"
            )),
            IndexError::OutOfBounds { index, axis, size } => refusal(
                shape,
                indices,
                &format!("index {index} out of bounds for tensor dimension #{axis} of size {size}"),
            ),
            IndexError::TooMany { .. } => refusal(
                shape,
                indices,
                "more slicing indexes than dimensions in tensor",
            ),
            other => plain(other.to_string()),
        }
    })
}

fn from_front(at: isize, length: usize) -> isize {
    if at < 0 {
        at.saturating_add_unsigned(length)
    } else {
        at
    }
}

/// The same index with a part for every axis that an ellipsis stands for.
fn expand(rank: usize, indices: &[Index]) -> Vec<Index> {
    let missing = rank.saturating_sub(axes_of(indices));
    let mut expanded = Vec::with_capacity(indices.len() + missing);
    for index in indices {
        match index {
            Index::Ellipsis => expanded.extend(std::iter::repeat_n(Index::FULL, missing)),
            index => expanded.push(*index),
        }
    }
    expanded
}

/// How many axes an index uses up, but for those of an ellipsis.
fn axes_of(indices: &[Index]) -> usize {
    let uses = |index: &&Index| !matches!(index, Index::NewAxis | Index::Ellipsis);
    indices.iter().filter(uses).count()
}

fn refusal(shape: &[usize], indices: &[Index], text: &str) -> PyErr {
    let mut lengths = shape.iter();
    let mut shown = Vec::new();
    for index in expand(shape.len(), indices) {
        let length = match index {
            Index::NewAxis => None,
            _ => lengths.next(),
        };
        shown.push(match (index, length) {
            (Index::At(at), Some(&length)) => from_front(at, length).to_string(),
            (index, _) => to_text(index),
        });
    }
    let shown = shown.join(", ");
    plain(format!(
        "Error during slicing [{shown}] with shape {shape:?}: {text}"
    ))
}

/// As 0.8.0 writes it.
fn to_text(index: Index) -> String {
    let bound = |bound: Option<isize>| bound.map_or(String::new(), |bound| bound.to_string());
    match index {
        Index::At(at) => at.to_string(),
        Index::Slice { start, stop, step } => {
            let step = match step {
                None | Some(1) => String::new(),
                Some(step) => format!(":{step}"),
            };
            format!("{}:{}{step}", bound(start), bound(stop))
        }
        Index::NewAxis => "None".to_owned(),
        Index::Ellipsis => "...".to_owned(),
    }
}
