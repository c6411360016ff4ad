//! Triangles of few rows, one after the other, by reflectors: what the rows of a matrix by columns are.

#![expect(
    clippy::inline_always,
    reason = "the loops must be compiled inside the shell that enables their instructions"
)]

use super::reflector::{block_factor, reflect};
use super::simd::{Item, Loops, dot, wide};
use crate::workspace::Room;
use crate::{Context, MatRef};

/// Rows that lie `step` items apart, and in each of them the items from `first` on that are reflected.
pub(super) struct Rows<'a, T> {
    pub(super) items: &'a mut [T],
    pub(super) step: usize,
    pub(super) first: usize,
}

/// What made rows a lower triangle.
pub(super) struct Reflected<T> {
    /// Row `r` has zeros before item `r`, its one there, and the rest of the vector.
    pub(super) vectors: Room<T>,
    /// The upper triangular `t` of `1 - v^T t v`, the product of all reflectors.
    pub(super) factor: Room<T>,
    pub(super) taus: Room<T>,
}

impl<T: Item> Rows<'_, T> {
    /// Makes row `r` zero behind its item `r`, by reflectors of the items of all rows, as many as there are rows or
    /// items.
    pub(super) fn triangle(self, context: Context) -> Reflected<T> {
        let Rows { items, step, first } = self;
        let (rows, len) = (items.len() / step, step - first);
        let count = rows.min(len);
        let mut vectors = Room::filled(T::default(), count * len);
        let mut taus = Room::filled(T::default(), count);
        for (r, vector) in vectors.chunks_exact_mut(len).enumerate() {
            let (done, others) = items.split_at_mut((r + 1) * step);
            let row = &mut done[r * step + first..];
            vector[r..].copy_from_slice(&row[r..]);
            let (tau, item) = reflect(context.isa(), &mut vector[r..]);
            row[r..].fill(T::default());
            row[r] = item;
            taus[r] = tau;
            let reflection = Reflection {
                tau,
                vector: &vector[r..],
                items: others,
                place: (step, first + r),
            };
            wide(context.isa(), reflection);
        }
        let view = MatRef::new(&vectors, count, len).expect("rows of vectors");
        let factor = block_factor(context, view, &taus);
        Reflected {
            vectors,
            factor,
            taus,
        }
    }
}

/// Reflects rows from an item on.
struct Reflection<'a, T> {
    tau: T,
    vector: &'a [T],
    items: &'a mut [T],
    /// The distance of rows, and the item.
    place: (usize, usize),
}

impl<T: Item> Loops for Reflection<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const FUSED: bool>(self) {
        let (step, first) = self.place;
        for row in self.items.chunks_exact_mut(step) {
            let row = &mut row[first..];
            let factor = -self.tau * dot::<T, FUSED>(row, self.vector);
            for (item, &part) in row.iter_mut().zip(self.vector) {
                *item = part.multiply_add::<FUSED>(factor, *item);
            }
        }
    }
}
