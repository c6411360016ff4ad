//! Borrowed arrays.

use crate::Error;

/// A view of an array: item `(i, j, ...)` is `data[i * strides[0] + j * strides[1] + ...]`.
#[derive(Clone, Copy, Debug)]
pub struct ArrayRef<'a, T> {
    data: &'a [T],
    shape: &'a [usize],
    strides: &'a [usize],
}

/// A writable view of an array whose items do not overlap.
#[derive(Debug)]
pub struct ArrayMut<'a, T> {
    data: &'a mut [T],
    shape: &'a [usize],
    strides: &'a [usize],
}

/// The strides of an array without gaps, the last axis fastest. They saturate for arrays that fit no memory.
pub fn row_major(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1_usize; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis].saturating_mul(shape[axis].max(1));
    }
    strides
}

impl<'a, T> ArrayRef<'a, T> {
    /// A view with any strides, zero included, counted in items. Costs one pass over the axes.
    ///
    /// # Errors
    /// `InvalidInput` when there are more or fewer strides than axes, or when the last item lies past the end
    /// of `data`.
    pub fn new(data: &'a [T], shape: &'a [usize], strides: &'a [usize]) -> Result<Self, Error> {
        check_reach(data.len(), shape, strides)?;
        Ok(Self {
            data,
            shape,
            strides,
        })
    }

    /// The items that the view covers, gaps included.
    pub fn data(&self) -> &'a [T] {
        self.data
    }

    /// The length of each axis.
    pub fn shape(&self) -> &'a [usize] {
        self.shape
    }

    /// Items between neighbours along each axis.
    pub fn strides(&self) -> &'a [usize] {
        self.strides
    }
}

impl<'a, T> ArrayMut<'a, T> {
    /// A writable view with strides counted in items. Costs a sort of the axes.
    ///
    /// # Errors
    /// As [`ArrayRef::new`], and when two items would share a place.
    pub fn new(data: &'a mut [T], shape: &'a [usize], strides: &'a [usize]) -> Result<Self, Error> {
        check_reach(data.len(), shape, strides)?;
        if overlaps(shape, strides) {
            let message = format!(
                "cannot write to an array of shape {shape:?} with strides {strides:?}: items share places"
            );
            return Err(Error::invalid(message));
        }
        Ok(Self {
            data,
            shape,
            strides,
        })
    }

    /// The items that the view covers, gaps included.
    pub fn data_mut(&mut self) -> &mut [T] {
        self.data
    }

    /// The length of each axis.
    pub fn shape(&self) -> &'a [usize] {
        self.shape
    }

    /// Items between neighbours along each axis.
    pub fn strides(&self) -> &'a [usize] {
        self.strides
    }
}

fn check_reach(len: usize, shape: &[usize], strides: &[usize]) -> Result<(), Error> {
    if shape.len() != strides.len() {
        let (axes, given) = (shape.len(), strides.len());
        let message = format!("cannot view an array of {axes} axes with {given} strides");
        return Err(Error::invalid(message));
    }
    let reach = if shape.contains(&0) {
        Some(0)
    } else {
        let mut steps = shape.iter().zip(strides);
        steps.try_fold(1_usize, |reach, (&len, &stride)| {
            reach.checked_add((len - 1).checked_mul(stride)?)
        })
    };
    if reach.is_none_or(|reach| reach > len) {
        let message = format!(
            "cannot view {len} items as an array of shape {shape:?} with strides {strides:?}: it reaches past the end"
        );
        return Err(Error::invalid(message));
    }
    Ok(())
}

/// True where two items may share a place: an axis does not step over the whole reach of the finer ones.
fn overlaps(shape: &[usize], strides: &[usize]) -> bool {
    if shape.contains(&0) {
        return false;
    }
    let axes = shape.iter().zip(strides).filter(|&(&len, _)| len > 1);
    let mut axes: Vec<(usize, usize)> = axes.map(|(&len, &stride)| (stride, len)).collect();
    axes.sort_unstable();
    let mut reach = 1;
    axes.into_iter().any(|(stride, len)| {
        let shared = stride < reach;
        reach += (len - 1) * stride;
        shared
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    #[test]
    fn views_past_the_end_or_with_too_few_strides_are_refused() {
        let message = |shape: &[usize], strides: &[usize]| {
            let view = ArrayRef::new(&[0.0; 11], shape, strides);
            view.map(|_| ()).unwrap_err().to_string()
        };
        assert_eq!(
            message(&[3, 2, 2], &[4, 2, 1]),
            "cannot view 11 items as an array of shape [3, 2, 2] with strides [4, 2, 1]: it reaches past the end"
        );
        assert_eq!(
            message(&[3], &[]),
            "cannot view an array of 1 axes with 0 strides"
        );
        assert!(ArrayRef::new(&[0.0; 1], &[2, 2], &[usize::MAX, 1]).is_err());
        assert!(ArrayRef::<f64>::new(&[], &[0, 7], &[usize::MAX, 1]).is_ok());
        assert_eq!(row_major(&[2, 0, 3]), [3, 3, 1]);
    }

    proptest! {
        #[test]
        fn a_writable_view_never_holds_one_place_twice(
            shape in prop::collection::vec(0_usize..4, 3), strides in prop::collection::vec(0_usize..12, 3),
        ) {
            let mut data = [0_u8; 64];
            let allowed = ArrayMut::new(&mut data, &shape, &strides).is_ok();
            let mut places = HashSet::new();
            let distinct = (0..shape.iter().product::<usize>()).all(|at| {
                let index = [at / (shape[1] * shape[2]), at / shape[2] % shape[1], at % shape[2]];
                places.insert(index.iter().zip(&strides).map(|(i, s)| i * s).sum::<usize>())
            });
            prop_assert!(distinct || !allowed);
        }
    }
}
