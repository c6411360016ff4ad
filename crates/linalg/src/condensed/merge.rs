//! What the merging of two halves is for eigenvectors and for singular vectors: vectors that have zeros in one half, and
//! their products with those of a secular equation.

use super::secular::{Root, Secular};
use crate::workspace::Room;
use crate::{Context, MatMut, MatRef};
use std::ops::Range;

/// The numbers of values, from the least value to the largest.
pub(super) fn ascending(values: &[f64]) -> Room<usize> {
    let mut order = Room::gather(0..values.len());
    order.sort_unstable_by(|&i, &j| values[i].total_cmp(&values[j]).then(i.cmp(&j)));
    order
}

/// In which half of the columns a vector has items.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Half {
    First,
    Both,
    Second,
}

/// Numbers that are put down one after the other.
pub(super) struct List {
    items: Room<usize>,
    count: usize,
}

impl List {
    pub(super) fn new(most: usize) -> Self {
        let items = Room::filled(0, most);
        Self { items, count: 0 }
    }

    pub(super) fn push(&mut self, item: usize) {
        self.items[self.count] = item;
        self.count += 1;
    }

    pub(super) fn done(mut self) -> Room<usize> {
        self.items.truncate(self.count);
        self.items
    }
}

/// Vectors of a node as rows, which are zeros but for some columns: those from the first of `span` to the second are
/// the first half of these, and the others to the third.
pub(super) struct Vectors<'a> {
    pub(super) rows: &'a mut [f64],
    /// The items of a row.
    pub(super) columns: usize,
    pub(super) span: [usize; 3],
}

impl Vectors<'_> {
    pub(super) fn rotate(&mut self, (i, j): (usize, usize), (cosine, sine): (f64, f64)) {
        let n = self.columns;
        for column in self.span[0]..self.span[2] {
            let (x, y) = (self.rows[i * n + column], self.rows[j * n + column]);
            self.rows[i * n + column] = cosine * x + sine * y;
            self.rows[j * n + column] = cosine * y - sine * x;
        }
    }

    /// Multiplies the vectors that come in `order`, those of the first half, of both and of the second one after the
    /// other, by rows of `factors`; those that are done follow. `rest` has room for all vectors as they were.
    pub(super) fn combine(
        &mut self,
        context: Context,
        (factors, width): (&[f64], usize),
        (order, done): (&[usize], &[usize]),
        halves: &[Half],
        rest: &mut [f64],
    ) {
        let (n, k) = (self.columns, order.len());
        let [start, middle, end] = self.span;
        let count = |half: Half| order.iter().filter(|&&i| halves[i] == half).count();
        let (first, second) = (count(Half::First), count(Half::Second));
        let (top, rest) = rest.split_at_mut((k - second) * (middle - start));
        let (bottom, rest) = rest.split_at_mut((k - first) * (end - middle));
        self.copy(&order[..k - second], start..middle, top);
        self.copy(&order[first..], middle..end, bottom);
        self.copy(done, start..end, rest);
        for (part, columns, old) in [
            (0..k - second, start..middle, top),
            (first..k, middle..end, bottom),
        ] {
            let (terms, columns_len) = (part.len(), columns.len());
            let a = MatRef::with_strides(&factors[part.start..], (k, terms), (width, 1));
            let b = MatRef::new(old, terms, columns_len);
            let place = &mut self.rows[columns.start..];
            let c = MatMut::with_strides(place, (k, columns_len), (n, 1));
            let fit = "rows of the vectors";
            context.gemm(1.0, a.expect(fit), b.expect(fit), 0.0, c.expect(fit));
        }
        let done = rest[..done.len() * (end - start)].chunks_exact(end - start);
        for (row, from) in self.rows.chunks_exact_mut(n).skip(k).zip(done) {
            row[start..end].copy_from_slice(from);
        }
    }

    /// Copies these columns of some vectors.
    fn copy(&self, which: &[usize], columns: Range<usize>, to: &mut [f64]) {
        for (to, &i) in to.chunks_exact_mut(columns.len()).zip(which) {
            to.copy_from_slice(&self.rows[i * self.columns..][columns.clone()]);
        }
    }
}

/// What two items of a diagonal become when their vectors turn.
pub(super) fn share(diagonal: &mut [f64], (i, j): (usize, usize), (cosine, sine): (f64, f64)) {
    let (x, y) = (diagonal[i], diagonal[j]);
    diagonal[i] = x * cosine * cosine + y * sine * sine;
    diagonal[j] = x * sine * sine + y * cosine * cosine;
}

/// The places of kept vectors, ordered by halves, so that zeros need not be multiplied.
pub(super) fn by_halves(kept: &[usize], halves: &[Half]) -> Room<usize> {
    let mut order = Room::gather(0..kept.len());
    order.sort_unstable_by_key(|&i| (halves[kept[i]] as u8, i));
    order
}

/// Puts the items of a vector in order.
pub(super) fn reorder(items: &mut [f64], order: &[usize]) {
    let sorted = Room::gather(items.iter().copied());
    for (item, &from) in items.iter_mut().zip(order) {
        *item = sorted[from];
    }
}

/// Writes what roots and vectors that are done have become.
pub(super) fn write_values(
    diagonal: &mut [f64],
    secular: &Secular,
    roots: &[Root],
    done: &[usize],
) {
    let mut values = Room::filled(0.0, diagonal.len());
    let done = done.iter().map(|&i| diagonal[i]);
    let found = roots.iter().map(|&root| secular.value(root)).chain(done);
    for (value, found) in values.iter_mut().zip(found) {
        *value = found;
    }
    diagonal.copy_from_slice(&values);
}

/// Multiplications that the search for a root costs, for each pole.
const ROOT_COST: f64 = 50.0;

/// All roots, and the distances of each.
pub(super) fn solve_all(context: Context, secular: &Secular, distances: &mut [f64]) -> Room<Root> {
    let width = secular.width();
    let mut roots = Room::filled(Root::default(), distances.len() / width);
    let places = distances.chunks_exact_mut(width).zip(roots.iter_mut());
    context.for_each(
        ROOT_COST * width as f64,
        places.enumerate(),
        |(index, (distances, root))| *root = secular.root(index, distances),
    );
    roots
}
