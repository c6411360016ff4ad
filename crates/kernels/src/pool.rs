//! Pooling of token vectors.

use crate::isa::Isa;
use crate::lanes::Lanes;
use crate::simd::{Kernel, dispatch};

/// Writes the mean of the rows of `rows` (each `out.len()` columns) to `out`.
///
/// # Panics
/// When `rows` is empty or not made of whole rows.
pub fn mean_pool(isa: Isa, rows: &[f32], out: &mut [f32]) {
    let columns = out.len();
    assert!(
        columns > 0 && !rows.is_empty(),
        "no rows to take the mean of"
    );
    assert!(
        rows.len().is_multiple_of(columns),
        "no whole rows of {columns} columns"
    );
    dispatch(isa, MeanPool { rows, out });
}

struct MeanPool<'a> {
    rows: &'a [f32],
    out: &'a mut [f32],
}

impl Kernel for MeanPool<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let columns = self.out.len();
        let factor = 1.0 / (self.rows.len() / columns) as f32;
        let full = columns / L::COUNT * L::COUNT;
        self.out.fill(0.0);
        for row in self.rows.chunks_exact(columns) {
            let (body, tail) = self.out.split_at_mut(full);
            for (o, x) in body
                .chunks_exact_mut(L::COUNT)
                .zip(row.chunks_exact(L::COUNT))
            {
                L::load(o).add(L::load(x)).store(o);
            }
            for (o, x) in tail.iter_mut().zip(&row[full..]) {
                *o += x;
            }
        }
        self.out.iter_mut().for_each(|o| *o *= factor);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_of_rows_is_taken_column_by_column() {
        for isa in Isa::all() {
            for columns in [1, 8, 11] {
                let rows: Vec<f32> = (0..4 * columns).map(|i| i as f32).collect();
                let mut out = vec![-1.0; columns];
                mean_pool(isa, &rows, &mut out);
                let expected: Vec<f32> = (0..columns)
                    .map(|i| i as f32 + 1.5 * columns as f32)
                    .collect();
                assert_eq!(out, expected);
            }
        }
    }
}
