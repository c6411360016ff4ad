//! One contraction: two arrays become one by a product of matrices for each index that both keep.

use super::order::Labels;
use super::product::Product;
use super::subscripts::bit;
use super::view::{ArrayRef, row_major};
use crate::{Context, Error, Field};
use std::borrow::Cow;

/// Where the items of an array with labelled axes lie.
#[derive(Clone, Copy)]
pub(super) struct Layout<'a> {
    pub(super) labels: &'a [u8],
    pub(super) strides: &'a [usize],
}

impl Layout<'_> {
    /// The stride of an axis: 0 where there is no such axis.
    fn stride(&self, label: u8) -> usize {
        let at = self.labels.iter().position(|&own| own == label);
        at.map_or(0, |at| self.strides[at])
    }

    fn strides_of(&self, labels: &[u8]) -> Vec<usize> {
        labels.iter().map(|&label| self.stride(label)).collect()
    }

    /// The length and stride of one axis that steps through these, the last one fastest, if there is one.
    fn fused(&self, labels: &[u8], sizes: &[usize]) -> Option<(usize, usize)> {
        // Of an axis without items no stride is used.
        if labels.iter().any(|&label| sizes[label as usize] == 0) {
            return Some((0, 0));
        }
        let long = labels.iter().filter(|&&label| sizes[label as usize] != 1);
        let mut axis = None;
        for &label in long {
            let (len, stride) = (sizes[label as usize], self.stride(label));
            axis = match axis {
                None => Some((len, stride)),
                Some((before, outer)) if outer == stride * len => Some((before * len, stride)),
                Some(_) => return None,
            };
        }
        Some(axis.unwrap_or((1, 0)))
    }
}

/// An operand on its way: distinct axes, each as long as its label says.
pub(super) struct Term<'a, T: Clone> {
    items: Cow<'a, [T]>,
    axes: Vec<u8>,
    strides: Vec<usize>,
}

impl<'a, T: Field> Term<'a, T> {
    /// The view of an operand: equal labels become a diagonal, and axes that broadcast vanish.
    pub(super) fn of(operand: &ArrayRef<'a, T>, labels: &[u8], sizes: &[usize]) -> Self {
        let (mut axes, mut strides) = (Vec::new(), Vec::<usize>::new());
        let steps = operand.shape().iter().zip(operand.strides());
        for (&label, (&len, &stride)) in labels.iter().zip(steps) {
            if len != sizes[label as usize] {
                continue;
            }
            match axes.iter().position(|&own| own == label) {
                // The stride of an axis with fewer than two items means nothing.
                Some(at) if len > 1 => strides[at] += stride,
                Some(_) => {}
                None => {
                    axes.push(label);
                    strides.push(if len > 1 { stride } else { 0 });
                }
            }
        }
        Self {
            items: Cow::Borrowed(operand.data()),
            axes,
            strides,
        }
    }

    /// A dense array with these axes.
    fn dense(items: Vec<T>, axes: Vec<u8>, sizes: &[usize]) -> Self {
        let strides = row_major(&lengths(&axes, sizes));
        Self {
            items: Cow::Owned(items),
            axes,
            strides,
        }
    }

    pub(super) fn labels(&self) -> Labels {
        self.axes.iter().fold(0, |all, &label| all | bit(label))
    }

    fn layout(&self) -> Layout<'_> {
        Layout {
            labels: &self.axes,
            strides: &self.strides,
        }
    }

    /// The sum over all axes but those to keep, each item in the order of the operand's own axes.
    pub(super) fn sum_to(self, keep: Labels, sizes: &[usize]) -> Result<Self, Error> {
        if self.labels() & !keep == 0 {
            return Ok(self);
        }
        let kept = self.axes.iter().copied();
        let kept: Vec<u8> = kept.filter(|&label| keep & bit(label) != 0).collect();
        let mut sums = Self::dense(zeros(&lengths(&kept, sizes))?, kept, sizes);
        let to = sums.layout().strides_of(&self.axes);
        let target = sums.items.to_mut();
        walk(
            &lengths(&self.axes, sizes),
            [&self.strides, &to],
            |len, [from, to], [step, to_step]| {
                for at in 0..len {
                    let sum = &mut target[to + at * to_step];
                    *sum = *sum + self.items[from + at * step];
                }
            },
        );
        Ok(sums)
    }

    /// A copy whose axes stand in this order.
    fn arranged(&self, axes: Vec<u8>, sizes: &[usize]) -> Result<Term<'static, T>, Error> {
        let items = zeros(&lengths(&axes, sizes))?;
        let mut term = Term::dense(items, axes, sizes);
        let Term {
            items,
            axes,
            strides,
        } = &mut term;
        let layout = Layout {
            labels: axes,
            strides,
        };
        copy(self, layout, items.to_mut(), sizes);
        Ok(term)
    }
}

/// Zeros for an array of this shape, where there is memory for them.
pub(super) fn zeros<T: Field>(shape: &[usize]) -> Result<Vec<T>, Error> {
    let count = if shape.contains(&0) {
        Some(0)
    } else {
        shape
            .iter()
            .try_fold(1_usize, |count, &len| count.checked_mul(len))
    };
    let mut items = Vec::new();
    match count {
        Some(count) if items.try_reserve_exact(count).is_ok() => items.resize(count, T::default()),
        _ => {
            let message = format!(
                "cannot contract arrays into one of shape {shape:?}: no memory has room for it"
            );
            return Err(Error::invalid(message));
        }
    }
    Ok(items)
}

/// Copies a term to where another layout of the same axes has its items.
pub(super) fn copy<T: Field>(
    from: &Term<'_, T>,
    to: Layout<'_>,
    target: &mut [T],
    sizes: &[usize],
) {
    let strides = from.layout().strides_of(to.labels);
    walk(
        &lengths(to.labels, sizes),
        [&strides, to.strides],
        |len, [from_at, to_at], [step, to_step]| {
            if step == 1 && to_step == 1 {
                target[to_at..to_at + len].copy_from_slice(&from.items[from_at..from_at + len]);
            } else {
                for at in 0..len {
                    target[to_at + at * to_step] = from.items[from_at + at * step];
                }
            }
        },
    );
}

/// Contracts two terms. The result goes to the target when its layout is that of a product, else to a new term.
pub(super) fn contract<'a, T: Field>(
    context: Context,
    a: Term<'_, T>,
    b: Term<'_, T>,
    keep: Labels,
    sizes: &[usize],
    target: Option<(Layout<'_>, &mut [T])>,
) -> Result<Option<Term<'a, T>>, Error> {
    let groups = Groups::of(&a, &b, keep, sizes);
    let a = groups.fit(a, &groups.rows, Side::Left, sizes)?;
    let b = groups.fit(b, &groups.columns, Side::Right, sizes)?;
    if let Some((layout, items)) = target {
        let fits = layout.fused(&groups.rows, sizes).is_some()
            && layout.fused(&groups.columns, sizes).is_some();
        if fits {
            groups.multiply(context, &a, &b, (layout, items), sizes);
            return Ok(None);
        }
    }
    let axes = [&groups.batch[..], &groups.rows, &groups.columns].concat();
    let mut result = Term::dense(zeros(&lengths(&axes, sizes))?, axes, sizes);
    let Term {
        items,
        axes,
        strides,
    } = &mut result;
    let layout = Layout {
        labels: axes,
        strides,
    };
    groups.multiply(context, &a, &b, (layout, items.to_mut()), sizes);
    let strides = result.layout().strides_of(&groups.result);
    Ok(Some(Term {
        items: result.items,
        axes: groups.result,
        strides,
    }))
}

#[derive(Clone, Copy)]
enum Side {
    Left,
    Right,
}

/// The axes of two operands by what becomes of them.
struct Groups {
    /// In both, and kept.
    batch: Vec<u8>,
    /// In the first one alone.
    rows: Vec<u8>,
    /// In both, and summed over.
    inner: Vec<u8>,
    /// In the second one alone.
    columns: Vec<u8>,
    /// Those of the result, in an order that does not depend on strides.
    result: Vec<u8>,
}

impl Groups {
    fn of<T: Field>(a: &Term<'_, T>, b: &Term<'_, T>, keep: Labels, sizes: &[usize]) -> Self {
        let both = a.labels() & b.labels();
        let select = |term: &Term<'_, T>, wanted: &dyn Fn(Labels) -> bool| -> Vec<u8> {
            let axes = term.axes.iter().copied();
            axes.filter(|&label| wanted(bit(label))).collect()
        };
        // The order of these changes no bit of the result: as they lie in memory.
        let own = |term: &Term<'_, T>| {
            let mut axes = select(term, &|label| both & label == 0);
            axes.sort_by_key(|&label| std::cmp::Reverse(term.layout().stride(label)));
            axes
        };
        // The order of the products of a sum may change its bits, so it must not depend on strides.
        let items = |term: &Term<'_, T>| {
            let all = term.axes.iter().map(|&label| sizes[label as usize] as f64);
            all.product::<f64>()
        };
        let larger = if items(a) >= items(b) { a } else { b };
        let mut result = select(a, &|label| keep & label != 0);
        result.extend(select(b, &|label| !both & label != 0));
        Self {
            batch: select(a, &|label| both & keep & label != 0),
            rows: own(a),
            inner: select(larger, &|label| both & !keep & label != 0),
            columns: own(b),
            result,
        }
    }

    /// The operand, copied where its axes do not make a matrix.
    fn fit<'a, T: Field>(
        &self,
        term: Term<'a, T>,
        own: &[u8],
        side: Side,
        sizes: &[usize],
    ) -> Result<Term<'a, T>, Error> {
        let layout = term.layout();
        if layout.fused(own, sizes).is_some() && layout.fused(&self.inner, sizes).is_some() {
            return Ok(term);
        }
        let (first, last) = match side {
            Side::Left => (own, &self.inner[..]),
            Side::Right => (&self.inner[..], own),
        };
        term.arranged([&self.batch[..], first, last].concat(), sizes)
    }

    /// A product of matrices for each index of the batch.
    fn multiply<T: Field>(
        &self,
        context: Context,
        a: &Term<'_, T>,
        b: &Term<'_, T>,
        (layout, target): (Layout<'_>, &mut [T]),
        sizes: &[usize],
    ) {
        let axis = |layout: &Layout<'_>, labels: &[u8]| {
            let fused = layout.fused(labels, sizes);
            fused.expect("operands and target are arranged so")
        };
        let (a_layout, b_layout) = (a.layout(), b.layout());
        let ((m, a_row), (k, a_inner)) =
            (axis(&a_layout, &self.rows), axis(&a_layout, &self.inner));
        let ((_, b_inner), (n, b_column)) =
            (axis(&b_layout, &self.inner), axis(&b_layout, &self.columns));
        let ((_, row), (_, column)) = (axis(&layout, &self.rows), axis(&layout, &self.columns));
        let batch = &self.batch;
        let strides = [
            a_layout.strides_of(batch),
            b_layout.strides_of(batch),
            layout.strides_of(batch),
        ];
        let product = Product {
            shape: (m, k, n),
            a: (a_row, a_inner),
            b: (b_inner, b_column),
            c: (row, column),
        };
        let strides = [&strides[0][..], &strides[1], &strides[2]];
        walk(&lengths(batch, sizes), strides, |len, start, step| {
            for at in 0..len {
                let [from_a, from_b, to] = [0, 1, 2].map(|i| start[i] + at * step[i]);
                // Matrices without items may begin past the end.
                let a = &a.items[from_a.min(a.items.len())..];
                let b = &b.items[from_b.min(b.items.len())..];
                let to = to.min(target.len());
                product.run(context, a, b, &mut target[to..]);
            }
        });
    }
}

fn lengths(labels: &[u8], sizes: &[usize]) -> Vec<usize> {
    labels.iter().map(|&label| sizes[label as usize]).collect()
}

/// Steps through an index space, the last axis fastest: calls `run` for each run of the last axis with its length,
/// the places where it begins, and its strides.
fn walk<const N: usize>(
    shape: &[usize],
    strides: [&[usize]; N],
    mut run: impl FnMut(usize, [usize; N], [usize; N]),
) {
    if shape.contains(&0) {
        return;
    }
    let Some((&len, outer)) = shape.split_last() else {
        return run(1, [0; N], [0; N]);
    };
    let last = strides.map(|strides| strides[outer.len()]);
    let mut index = vec![0; outer.len()];
    let mut places = [0; N];
    loop {
        run(len, places, last);
        let mut axis = outer.len();
        loop {
            let Some(next) = axis.checked_sub(1) else {
                return;
            };
            axis = next;
            index[axis] += 1;
            if index[axis] < outer[axis] {
                (0..N).for_each(|i| places[i] += strides[i][axis]);
                break;
            }
            (0..N).for_each(|i| places[i] -= strides[i][axis] * (outer[axis] - 1));
            index[axis] = 0;
        }
    }
}
