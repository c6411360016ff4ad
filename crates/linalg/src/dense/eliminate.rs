//! Elimination with row exchanges, a panel of columns at a time.
//!
//! The matrix is cut into panels of [`PANEL`] columns, each with its rows one after the other. A factored panel
//! changes each of those right of it by itself, so threads share them, and who has changed the next one factors it
//! while the others go on (J. Kurzak et al., "Implementing linear algebra routines on multi-core processors with
//! pipelining and a look ahead", 2007). Within a panel the same is done with leaves of [`LEAF`] columns.

use super::triangular::solve_rows;
use super::{Diagonal, LEAF, Triangle, copy_into};
use crate::workspace::Room;
use crate::{Context, Field, MatMut, MatRef};
use std::ops::Range;

/// Columns of a panel: so few that a product with one reads its items where they are.
pub(super) const PANEL: usize = 48;

/// Columns of a matrix that is one panel.
pub(super) const ALONE: usize = 96;

/// Factors `a`, `m x n`, into `packed` in row-major order: `u` on and above the diagonal, `l` without its ones below.
/// `exchanges`, the lesser of `m` and `n`, become the rows that each row was exchanged with.
pub(super) fn eliminate<T: Field>(
    context: Context,
    a: MatRef<'_, T>,
    packed: &mut [T],
    exchanges: &mut [usize],
) {
    let (m, n) = a.shape();
    if m == 0 || n == 0 {
        return;
    }
    if n <= ALONE {
        copy_into(a, of(packed, n));
        return Panel::new(packed, n).factor(context, 0, exchanges);
    }
    T::with_items(m * n, |items| {
        let mut panels = Room::gather(items.chunks_mut(m * PANEL).map(|items| {
            let columns = items.len() / m;
            Panel::new(items, columns)
        }));
        for (columns, panel) in columns_of(n).zip(panels.iter_mut()) {
            copy_into(a.block(0..m, columns), panel.view());
        }
        factor_panels(context, &mut panels, exchanges);
        for (columns, panel) in columns_of(n).zip(panels.iter_mut()) {
            let later = columns.end.min(exchanges.len());
            panel.exchange(later, &exchanges[later..]);
            copy_into(panel.view().as_ref(), of(packed, n).block(0..m, columns));
        }
    });
}

/// The columns of each panel.
fn columns_of(n: usize) -> impl Iterator<Item = Range<usize>> {
    (0..n).step_by(PANEL).map(move |i| i..n.min(i + PANEL))
}

/// Items in rows of `n`.
fn of<T>(items: &mut [T], n: usize) -> MatMut<'_, T> {
    let m = items.len() / n;
    MatMut::new(items, m, n).expect("whole rows")
}

fn factor_panels<T: Field>(context: Context, panels: &mut [Panel<'_, T>], exchanges: &mut [usize]) {
    let first = PANEL.min(exchanges.len());
    panels[0].factor(context, 0, &mut exchanges[..first]);
    for (p, start) in (0..exchanges.len()).step_by(PANEL).enumerate() {
        let (done, right) = panels.split_at_mut(p + 1);
        let left = &done[p];
        let end = exchanges.len().min(start + PANEL);
        let (known, unknown) = exchanges.split_at_mut(end);
        let known = &known[start..];
        let next_len = PANEL.min(unknown.len());
        let mut next = Some(&mut unknown[..next_len]);
        let cost = (left.rows() * PANEL * PANEL) as f64;
        let inner = context.within(right.len());
        let right = right.iter_mut().map(|panel| (panel, next.take()));
        context.for_each(cost, right, |(panel, next)| {
            panel.take_multiples(inner, left, start, known);
            if let Some(exchanges) = next {
                panel.factor(inner, end, exchanges);
            }
        });
    }
}

/// Columns of a matrix, by rows.
pub(super) struct Panel<'a, T> {
    items: &'a mut [T],
    columns: usize,
}

impl<'a, T: Field> Panel<'a, T> {
    fn new(items: &'a mut [T], columns: usize) -> Self {
        Self { items, columns }
    }

    fn rows(&self) -> usize {
        self.items.len() / self.columns
    }

    fn view(&mut self) -> MatMut<'_, T> {
        of(self.items, self.columns)
    }

    fn as_ref(&self) -> MatRef<'_, T> {
        MatRef::new(self.items, self.rows(), self.columns).expect("whole rows")
    }

    /// The rows before one, and those from it on.
    fn split(&mut self, row: usize) -> (MatMut<'_, T>, MatMut<'_, T>) {
        let (top, bottom) = self.items.split_at_mut(row * self.columns);
        (of(top, self.columns), of(bottom, self.columns))
    }

    /// Exchanges rows from `first` on with others.
    fn exchange(&mut self, first: usize, others: &[usize]) {
        let n = self.columns;
        for (i, &j) in (first..).zip(others) {
            if i < j {
                let (top, bottom) = self.items.split_at_mut(j * n);
                top[i * n..(i + 1) * n].swap_with_slice(&mut bottom[..n]);
            }
        }
    }

    /// Exchanges rows as the panel `left` did from row `start` on, and takes the multiples of its columns.
    fn take_multiples(&mut self, context: Context, left: &Self, start: usize, known: &[usize]) {
        self.exchange(start, known);
        let (m, width, columns) = (self.rows(), known.len(), self.columns);
        let end = start + width;
        let factor = left.as_ref().block(start..m, 0..width);
        let (top, bottom) = self.split(end);
        let top = top.block(start..end, 0..columns);
        take(context, factor, top, bottom);
    }

    /// Factors as many columns as there are exchanges, from row `start` on, and takes their multiples from the
    /// others.
    fn factor(&mut self, context: Context, start: usize, exchanges: &mut [usize]) {
        for (leaf, exchanges) in exchanges.chunks_mut(LEAF).enumerate() {
            let column = leaf * LEAF;
            self.factor_leaf(context, (start + column, column), exchanges);
        }
    }

    fn factor_leaf(
        &mut self,
        context: Context,
        (row, column): (usize, usize),
        exchanges: &mut [usize],
    ) {
        let (width, m) = (exchanges.len(), self.rows());
        let (len, own) = (m - row, column..column + width);
        T::with_items(width * len, |leaf| {
            let block = self.as_ref().block(row..m, own.clone());
            copy_into(block.transpose(), of(leaf, len));
            if !T::eliminate(leaf, len, exchanges) {
                eliminate_columns(leaf, len, exchanges);
            }
            for other in &mut *exchanges {
                *other += row;
            }
            self.exchange(row, exchanges);
            let factor = MatRef::new(leaf, width, len).expect("whole columns");
            let factor = factor.transpose();
            copy_into(factor, self.view().block(row..m, own.clone()));
            let others = own.end..self.columns;
            if !others.is_empty() {
                let (top, bottom) = self.split(row + width);
                let top = top.block(row..row + width, others.clone());
                take(context, factor, top, bottom.block(0..len - width, others));
            }
        });
    }
}

/// Solves with the unit lower triangle of a factor, and takes multiples of the result by what is below it.
fn take<T: Field>(
    context: Context,
    factor: MatRef<'_, T>,
    mut top: MatMut<'_, T>,
    bottom: MatMut<'_, T>,
) {
    let (m, width) = factor.shape();
    let triangle = factor.block(0..width, 0..width);
    solve_rows(
        context,
        triangle,
        (Triangle::Lower, Diagonal::Ones),
        top.reborrow(),
    );
    if m > width {
        let below = factor.block(width..m, 0..width);
        context.gemm(-T::ONE, below, top.as_ref(), T::ONE, bottom);
    }
}

/// The leaf for items without one of their own.
fn eliminate_columns<T: Field>(items: &mut [T], len: usize, exchanges: &mut [usize]) {
    for (j, exchange) in exchanges.iter_mut().enumerate() {
        let (known, right) = items.split_at_mut((j + 1) * len);
        let own = &mut known[j * len..];
        let largest = j + first_largest(&own[j..]);
        *exchange = largest;
        for column in known
            .chunks_exact_mut(len)
            .chain(right.chunks_exact_mut(len))
        {
            column.swap(j, largest);
        }
        let own = &mut known[j * len..];
        let pivot = own[j];
        if pivot != T::default() {
            for item in &mut own[j + 1..] {
                *item = item.divide(pivot);
            }
        }
        for column in right.chunks_exact_mut(len) {
            let factor = column[j];
            for (item, &multiplier) in column[j + 1..].iter_mut().zip(&own[j + 1..]) {
                *item = *item - multiplier * factor;
            }
        }
    }
}

/// The place of the first of the items with the largest absolute value; NaN stays where it is.
fn first_largest<T: Field>(items: &[T]) -> usize {
    let (mut place, mut most) = (0, items[0].abs1());
    for (i, item) in items.iter().enumerate().skip(1) {
        if item.abs1() > most {
            (place, most) = (i, item.abs1());
        }
    }
    place
}
