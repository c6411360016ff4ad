//! Einstein's summation: subscripts and shapes first, numbers later.

use super::contract::{Layout, Term, contract, copy};
use super::order::{Labels, Order, order};
use super::subscripts::{LABELS, Subscripts, bit, invalid, name};
use super::view::{ArrayMut, ArrayRef, row_major};
use crate::{Context, Error, Field};

/// An array in row-major order without gaps.
#[derive(Clone, Debug, PartialEq)]
pub struct Array<T> {
    items: Vec<T>,
    shape: Vec<usize>,
}

impl<T> Array<T> {
    /// As many items as the shape says.
    pub(crate) fn new(items: Vec<T>, shape: Vec<usize>) -> Self {
        Self { items, shape }
    }

    /// The items, the last axis fastest.
    pub fn items(&self) -> &[T] {
        &self.items
    }

    /// The length of each axis; none for a number.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The same as [`items`](Self::items), owned.
    pub fn into_items(self) -> Vec<T> {
        self.items
    }
}

/// A sum of products of arrays that is known but for the numbers: what `subscripts` say of operands of certain
/// shapes, and the order in which they are contracted.
///
/// Up to ten operands the order is the cheapest that contracts two at a time, beyond that a good one; it depends
/// on the shapes alone. Each contraction is a product of matrices for each index that both operands keep. An
/// operand is copied where its strides do not make it such a matrix; the axes of a diagonal are one axis, and an
/// axis that only one operand has is summed first. An item of the result has the same bits for any strides and
/// number of threads.
///
/// ```
/// use nexus_linalg::tensor::Einsum;
///
/// let chain = Einsum::new("ij,jk,kl", &[&[100, 2], &[2, 100], &[100, 3]])?;
/// assert_eq!(chain.shape(), [100, 3]);
/// // The last two first: 2 * 2 * 100 * 3 and 2 * 100 * 2 * 3 operations.
/// assert_eq!(chain.path(), [(1, 2), (0, 1)]);
/// assert_eq!(chain.cost(), 2400.0);
/// assert_eq!(chain.products_per_item(), 200.0);
/// # Ok::<(), nexus_linalg::Error>(())
/// ```
#[derive(Debug)]
pub struct Einsum {
    shapes: Vec<Vec<usize>>,
    subscripts: Subscripts,
    sizes: Vec<usize>,
    shape: Vec<usize>,
    order: Order,
}

impl Einsum {
    /// Reads `subscripts` for operands of these shapes, and finds the order.
    ///
    /// Letters are axes, commas divide operands, `...` stands for axes that broadcast, a letter twice in an
    /// operand is a diagonal. After `->` come the axes of the result; without it they are those of the ellipses
    /// and the letters that occur once, sorted. An axis of length 1 broadcasts. Costs about a millisecond for
    /// ten operands, microseconds for a few.
    ///
    /// # Errors
    /// `InvalidInput` when the subscripts do not follow the notation, or do not fit the operands' shapes, and for
    /// results with more items than memory has.
    pub fn new(subscripts: &str, shapes: &[&[usize]]) -> Result<Self, Error> {
        let text = subscripts;
        let ranks: Vec<usize> = shapes.iter().map(|shape| shape.len()).collect();
        let subscripts = Subscripts::parse(text, &ranks)?;
        let sizes = sizes(text, &subscripts, shapes)?;
        let terms: Vec<Labels> = subscripts
            .operands
            .iter()
            .zip(shapes)
            .map(|(labels, shape)| {
                let own = labels.iter().zip(*shape);
                own.filter(|&(&label, &len)| len == sizes[label as usize])
                    .fold(0, |all, (&label, _)| all | bit(label))
            })
            .collect();
        let output = subscripts.output.iter();
        let output = output.fold(0, |all, &label| all | bit(label));
        let shape = subscripts.output.iter().map(|&label| sizes[label as usize]);
        Ok(Self {
            shape: shape.collect(),
            order: order(&terms, output, &sizes),
            shapes: shapes.iter().map(|shape| shape.to_vec()).collect(),
            subscripts,
            sizes,
        })
    }

    /// The shape of the result.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Which operands are contracted, as positions in a list: both leave it, and their contraction is its last
    /// item from then on. This is the form of `opt_einsum.contract_path`.
    pub fn path(&self) -> &[(usize, usize)] {
        &self.order.path
    }

    /// Additions and multiplications of all contractions.
    pub fn cost(&self) -> f64 {
        self.order.cost
    }

    /// How many products each item of the result is the sum of.
    pub fn products_per_item(&self) -> f64 {
        let labels = |labels: &[u8]| labels.iter().fold(0, |all, &label| all | bit(label));
        let operands = self.subscripts.operands.iter();
        let summed =
            operands.fold(0, |all, own| all | labels(own)) & !labels(&self.subscripts.output);
        let sizes = (0..LABELS as u8).filter(|&label| summed & bit(label) != 0);
        sizes
            .map(|label| self.sizes[label as usize] as f64)
            .product()
    }

    /// Computes the sum of products into `result`.
    ///
    /// # Errors
    /// `InvalidInput` when operands or result have other shapes than those that the expression was made for, or
    /// when there is no memory for what lies between.
    pub fn run<T: Field>(
        &self,
        context: Context,
        operands: &[ArrayRef<'_, T>],
        mut result: ArrayMut<'_, T>,
    ) -> Result<(), Error> {
        let shapes = operands.iter().map(ArrayRef::shape);
        if !shapes.eq(self.shapes.iter().map(Vec::as_slice)) || result.shape() != self.shape {
            let shapes: Vec<_> = operands.iter().map(ArrayRef::shape).collect();
            let message = format!(
                "cannot contract arrays of shapes {shapes:?} into {:?}: the expression is for {:?} into {:?}",
                result.shape(),
                self.shapes,
                self.shape
            );
            return Err(Error::invalid(message));
        }
        let mut terms: Vec<Term<'_, T>> = operands
            .iter()
            .zip(&self.subscripts.operands)
            .map(|(operand, labels)| Term::of(operand, labels, &self.sizes))
            .collect();
        let kept = |terms: &[Term<'_, T>]| {
            let output = self.subscripts.output.iter();
            let output = output.fold(0, |all, &label| all | bit(label));
            terms.iter().fold(output, |all, term| all | term.labels())
        };
        // An axis that one operand alone has goes first.
        for at in 0..terms.len() {
            let term = terms.swap_remove(at);
            let term = term.sum_to(kept(&terms), &self.sizes)?;
            terms.push(term);
            let last = terms.len() - 1;
            terms.swap(at, last);
        }
        let layout = Layout {
            labels: &self.subscripts.output,
            strides: result.strides(),
        };
        for &(i, j) in &self.order.path {
            let b = terms.remove(j);
            let a = terms.remove(i);
            let last = terms.is_empty();
            let target = last.then(|| (layout, result.data_mut()));
            match contract(context, a, b, kept(&terms), &self.sizes, target)? {
                Some(term) => terms.push(term),
                None => return Ok(()),
            }
        }
        if let Some(term) = terms.pop() {
            copy(&term, layout, result.data_mut(), &self.sizes);
        }
        Ok(())
    }
}

/// The sum of products that `subscripts` name, as an array of its own. For many sums of one shape, an [`Einsum`]
/// is made once.
///
/// ```
/// use nexus_linalg::tensor::{ArrayRef, einsum};
/// use nexus_linalg::Context;
///
/// let a = ArrayRef::new(&[1.0, 2.0, 3.0, 4.0], &[2, 2], &[2, 1])?;
/// let trace = einsum(Context::default(), "ii", &[a])?;
/// assert_eq!(trace.items(), [5.0]);
/// let product = einsum(Context::default(), "ij,kj->ki", &[a, a])?;
/// assert_eq!(product.items(), [5.0, 11.0, 11.0, 25.0]);
/// # Ok::<(), nexus_linalg::Error>(())
/// ```
///
/// # Errors
/// As [`Einsum::new`].
pub fn einsum<T: Field>(
    context: Context,
    subscripts: &str,
    operands: &[ArrayRef<'_, T>],
) -> Result<Array<T>, Error> {
    let shapes: Vec<_> = operands.iter().map(ArrayRef::shape).collect();
    let plan = Einsum::new(subscripts, &shapes)?;
    let mut items = super::contract::zeros(&plan.shape)?;
    let strides = row_major(&plan.shape);
    plan.run(
        context,
        operands,
        ArrayMut::new(&mut items, &plan.shape, &strides)?,
    )?;
    Ok(Array {
        items,
        shape: plan.shape,
    })
}

/// The length of each label; 1 where operands broadcast.
fn sizes(text: &str, subscripts: &Subscripts, shapes: &[&[usize]]) -> Result<Vec<usize>, Error> {
    let mut sizes = vec![1; LABELS];
    for (at, (labels, shape)) in subscripts.operands.iter().zip(shapes).enumerate() {
        for (axis, (&label, &len)) in labels.iter().zip(*shape).enumerate() {
            let first = labels.iter().position(|&other| other == label);
            let before = first.map_or(len, |first| shape[first]);
            if before != len {
                let label = name(label);
                let why = format!(
                    "the diagonal {label} of operand {at} is of axes of lengths {before} and {len}"
                );
                return Err(invalid(text, &why));
            }
            let size = &mut sizes[label as usize];
            if *size == 1 {
                *size = len;
            } else if len != 1 && len != *size {
                let label = name(label);
                let why = format!(
                    "{label} has length {len} in axis {axis} of operand {at}, and {size} before"
                );
                return Err(invalid(text, &why));
            }
        }
    }
    Ok(sizes)
}
