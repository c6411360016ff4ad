//! NumPy's basic indexing: from Python's objects to a layout, with the texts of `safetensors` 0.8.0.

use std::fmt;

use nexus_tensor::Layout;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyEllipsis, PyList, PySlice, PyTuple};

use super::error::plain;

/// One part of an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Index {
    At(isize),
    Slice {
        start: Option<isize>,
        stop: Option<isize>,
        step: Option<isize>,
    },
    NewAxis,
    Ellipsis,
}

const ALL: Index = Index::Slice {
    start: None,
    stop: None,
    step: None,
};

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
            Index::At(number_of(index)?)
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

/// The elements of a dense tensor that an index names; its shape and its places in the tensor.
pub(crate) fn select(shape: &[usize], indices: &[Index]) -> PyResult<Layout> {
    let whole = Layout::contiguous(shape).map_err(|error| plain(error.to_string()))?;
    let indices = expand(shape.len(), indices);
    let refused = |text: &str| Err(refusal(shape, &indices, text));
    let Some(unnamed) = shape.len().checked_sub(axes_of(&indices)) else {
        return refused("more slicing indexes than dimensions in tensor");
    };
    let mut taken = Taken::default();
    let mut axes = shape.iter().zip(whole.strides()).enumerate();
    for index in indices.iter().chain(&vec![ALL; unnamed]) {
        if *index == Index::NewAxis {
            taken.axis(1, 0);
            continue;
        }
        let (axis, (&length, &stride)) = axes.next().expect("as many as axes are named");
        match *index {
            Index::At(at) if from_front(at, length) < 0 => {
                let text = format!("Invalid index {at} for dimension {axis} of size {length}");
                return Err(plain(text));
            }
            Index::At(at) if from_front(at, length) >= length.cast_signed() => {
                let place = format!("index {at} out of bounds for tensor dimension #{axis}");
                return refused(&format!("{place} of size {length}"));
            }
            Index::At(at) => taken.skip(from_front(at, length), stride),
            Index::Slice { start, stop, step } => {
                let (first, count, step) = walk(length.cast_signed(), start, stop, step);
                taken.skip(first, stride);
                // With fewer than two elements the stride means nothing and may overflow.
                taken.axis(count, stride.wrapping_mul(if count > 1 { step } else { 1 }));
            }
            Index::NewAxis | Index::Ellipsis => unreachable!("dealt with above"),
        }
    }
    taken.layout()
}

/// What is taken of a tensor, axis by axis.
#[derive(Default)]
struct Taken {
    shape: Vec<usize>,
    strides: Vec<isize>,
    offset: isize,
}

impl Taken {
    fn skip(&mut self, places: isize, stride: isize) {
        // Where there are no elements, products may overflow and are not used.
        self.offset = self.offset.wrapping_add(places.wrapping_mul(stride));
    }

    fn axis(&mut self, length: usize, stride: isize) {
        self.shape.push(length);
        self.strides.push(stride);
    }

    fn layout(self) -> PyResult<Layout> {
        let empty = self.shape.contains(&0);
        let offset = if empty {
            0
        } else {
            self.offset.cast_unsigned()
        };
        Layout::strided(self.shape, self.strides, offset).map_err(|error| plain(error.to_string()))
    }
}

fn from_front(at: isize, length: usize) -> isize {
    if at < 0 {
        at.saturating_add_unsigned(length)
    } else {
        at
    }
}

/// First place, number of places and step of a slice, by the rules of Python.
fn walk(
    length: isize,
    start: Option<isize>,
    stop: Option<isize>,
    step: Option<isize>,
) -> (isize, usize, isize) {
    let step = step.unwrap_or(1).max(-isize::MAX);
    let (low, high) = if step > 0 {
        (0, length)
    } else {
        (-1, length - 1)
    };
    let clamp = |bound: isize| {
        let place = if bound < 0 {
            bound.saturating_add(length)
        } else {
            bound
        };
        place.clamp(low, high)
    };
    let (from, to) = if step > 0 { (low, high) } else { (high, low) };
    let (start, stop) = (start.map_or(from, clamp), stop.map_or(to, clamp));
    let distance = if step > 0 { stop - start } else { start - stop };
    let count = distance
        .max(0)
        .cast_unsigned()
        .div_ceil(step.unsigned_abs());
    (if count > 0 { start } else { 0 }, count, step)
}

/// The same index with a part for every axis that an ellipsis stands for.
fn expand(rank: usize, indices: &[Index]) -> Vec<Index> {
    let missing = rank.saturating_sub(axes_of(indices));
    let mut expanded = Vec::with_capacity(indices.len() + missing);
    for index in indices {
        match index {
            Index::Ellipsis => expanded.extend(std::iter::repeat_n(ALL, missing)),
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
    for index in indices {
        let length = match index {
            Index::NewAxis => None,
            _ => lengths.next(),
        };
        shown.push(match (*index, length) {
            (Index::At(at), Some(&length)) => from_front(at, length).to_string(),
            (index, _) => index.to_string(),
        });
    }
    let shown = shown.join(", ");
    plain(format!(
        "Error during slicing [{shown}] with shape {shape:?}: {text}"
    ))
}

impl fmt::Display for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bound = |bound: Option<isize>| bound.map_or(String::new(), |bound| bound.to_string());
        match *self {
            Self::At(at) => write!(f, "{at}"),
            Self::Slice { start, stop, step } => {
                write!(f, "{}:{}", bound(start), bound(stop))?;
                match step {
                    None | Some(1) => Ok(()),
                    Some(step) => write!(f, ":{step}"),
                }
            }
            Self::NewAxis => f.write_str("None"),
            Self::Ellipsis => f.write_str("..."),
        }
    }
}
