//! Any bytes as a tensor's type and shape and the text of an index: refused, or the bytes that an
//! element-by-element twin takes.

use nexus_safetensors::{Dtype, Index, SafeTensorError, Selection};

/// A byte for the type and one for the rank, one for each axis, then the text.
///
/// # Panics
/// When a selection is not what the twin takes.
pub fn run(data: &[u8]) {
    let [dtype, rank, rest @ ..] = data else {
        return;
    };
    let dtype = Dtype::ALL[*dtype as usize % Dtype::ALL.len()];
    let Some((axes, text)) = rest.split_at_checked(*rank as usize % 5) else {
        return;
    };
    let shape: Vec<usize> = axes.iter().map(|&axis| axis as usize % 6).collect();
    let text = String::from_utf8_lossy(text);
    let indices = match Index::parse_list(&text) {
        Ok(indices) => indices,
        Err(error) => return assert!(matches!(error, SafeTensorError::InvalidIndex(_)), "{error}"),
    };
    check(dtype, &shape, &indices);
}

/// Compares a selection with the twin.
///
/// # Panics
/// When they differ.
pub fn check(dtype: Dtype, shape: &[usize], indices: &[Index]) {
    let twin = twin(shape, indices);
    let selection = match Selection::new(dtype, shape, indices) {
        Ok(selection) => selection,
        Err(SafeTensorError::MisalignedSlice) => {
            let bits = shape.iter().product::<usize>() * dtype.bits();
            return assert!(!bits.is_multiple_of(8));
        }
        Err(error) => {
            let sub_byte =
                !dtype.bits().is_multiple_of(8) && error.to_string().contains("cuts bytes apart");
            return assert!(twin.is_none() || sub_byte, "{error}: {shape:?} {indices:?}");
        }
    };
    let (twin_shape, elements) = twin.expect("what is accepted has a twin");
    assert_eq!(selection.shape(), twin_shape, "{shape:?} {indices:?}");
    let bits: Vec<usize> = elements
        .iter()
        .flat_map(|element| element * dtype.bits()..(element + 1) * dtype.bits())
        .collect();
    let runs: Vec<_> = selection.runs().collect();
    assert!(runs.iter().all(|run| !run.is_empty()));
    assert!(runs.windows(2).all(|pair| pair[0].end != pair[1].start));
    let taken = runs.into_iter().flat_map(|run| run.start * 8..run.end * 8);
    assert!(taken.eq(bits.iter().copied()), "{shape:?} {indices:?}");
    assert_eq!(selection.size_bytes() * 8, bits.len());
    let count = elements.len();
    let places = (0..count).map(|at| selection.layout().place(&unravel(at, &twin_shape)));
    assert!(places.eq(elements.into_iter().map(Some)));
}

/// Shape and elements in row-major order, found one element at a time from the list of all.
fn twin(shape: &[usize], indices: &[Index]) -> Option<(Vec<usize>, Vec<usize>)> {
    let named = |index: &&Index| !matches!(index, Index::NewAxis | Index::Ellipsis);
    let missing = shape
        .len()
        .checked_sub(indices.iter().filter(named).count())?;
    let ellipses = indices
        .iter()
        .filter(|index| **index == Index::Ellipsis)
        .count();
    let mut spelled = Vec::new();
    for index in indices {
        match index {
            Index::Ellipsis => spelled.extend(vec![Index::FULL; missing]),
            other => spelled.push(*other),
        }
    }
    match ellipses {
        0 => spelled.extend(vec![Index::FULL; missing]),
        1 => (),
        _ => return None,
    }
    let mut axes = shape.iter();
    let (mut taken_shape, mut taken) = (Vec::new(), vec![0]);
    for index in spelled {
        let length = if index == Index::NewAxis {
            1
        } else {
            *axes.next()?
        };
        let of_axis: Vec<usize> = match index {
            Index::At(at) => {
                let at = if at < 0 {
                    at.checked_add(length as isize)?
                } else {
                    at
                };
                vec![usize::try_from(at).ok().filter(|&at| at < length)?]
            }
            Index::Slice { start, stop, step } => walk(start, stop, step.unwrap_or(1), length)?,
            Index::NewAxis | Index::Ellipsis => vec![0],
        };
        if !matches!(index, Index::At(_)) {
            taken_shape.push(of_axis.len());
        }
        let step = |base: &usize| {
            of_axis
                .iter()
                .map(|at| base * length + at)
                .collect::<Vec<_>>()
        };
        taken = taken.iter().flat_map(step).collect();
    }
    Some((taken_shape, taken))
}

/// Walks an axis as Python's documentation tells it: `start`, `start + step`, ... up to `stop`.
fn walk(
    start: Option<isize>,
    stop: Option<isize>,
    step: isize,
    length: usize,
) -> Option<Vec<usize>> {
    let length = length as i128;
    let step = step as i128;
    let from_end = |at: isize| {
        if at < 0 {
            at as i128 + length
        } else {
            at as i128
        }
    };
    let (first, last) = match step {
        0 => return None,
        1.. => (0, length),
        _ => (length - 1, -1),
    };
    let mut at = start.map_or(first, from_end);
    let stop = stop.map_or(last, from_end);
    // A start outside is clamped to the nearest end, not stepped in from.
    at = if step > 0 {
        at.max(0)
    } else {
        at.min(length - 1)
    };
    let mut taken = Vec::new();
    while (step > 0 && at < stop.min(length)) || (step < 0 && at > stop.max(-1)) {
        taken.push(at as usize);
        at += step;
    }
    Some(taken)
}

fn unravel(at: usize, shape: &[usize]) -> Vec<usize> {
    let mut rest = at;
    let mut index = vec![0; shape.len()];
    for (slot, &length) in index.iter_mut().zip(shape).rev() {
        *slot = rest % length;
        rest /= length;
    }
    index
}
