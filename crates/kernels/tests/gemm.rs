//! Products by any instruction set of this machine: right at every edge, and with the same bits however
//! they are cut.

use nexus_kernels::{
    Gemm, Isa, MatMut, MatRef, NaiveGemm, Real, gemm_parts, gemm_small, gemv_pair,
};
use proptest::prelude::*;
use std::mem::MaybeUninit;
use std::num::Wrapping;

fn all_isas() -> impl Iterator<Item = Isa> {
    ["portable", "avx2", "avx512"]
        .into_iter()
        .filter_map(Isa::named)
}

fn multiply<T: Real>(
    isa: Isa,
    alpha: T,
    (a, b): (MatRef<'_, T>, MatRef<'_, T>),
    beta: T,
    c: MatMut<'_, T>,
    count: usize,
) {
    for part in gemm_parts(isa, alpha, (a, b), beta, c, count) {
        let mut workspace = vec![MaybeUninit::uninit(); part.workspace_len()];
        part.run(&mut workspace);
    }
}

/// Whole numbers so small that sums are exact in any order.
fn whole(len: usize, seed: usize) -> Vec<f64> {
    (0..len)
        .map(|i| ((i * 31 + seed * 17) % 13) as f64 - 6.0)
        .collect()
}

/// Numbers whose sums differ in the last bits by their order.
fn real(len: usize, seed: usize) -> Vec<f64> {
    (0..len)
        .map(|i| ((i * 7 + seed) as f64 * 0.731).sin())
        .collect()
}

/// Strides for a matrix of `rows x columns`, by columns or by rows, with a gap.
fn layout(rows: usize, columns: usize, gap: usize, by_columns: bool) -> (usize, usize) {
    if by_columns {
        (1, rows + gap)
    } else {
        (columns + gap, 1)
    }
}

fn narrow(items: &[f64]) -> Vec<f32> {
    items.iter().map(|&item| item as f32).collect()
}

#[test]
fn every_size_around_the_tiles_is_right_in_both_types() {
    let sizes = [
        1, 2, 3, 5, 6, 7, 8, 9, 15, 16, 17, 23, 24, 25, 33, 47, 48, 49, 65, 129,
    ];
    let (a, b) = (whole(129 * 129, 1), whole(129 * 129, 2));
    let (a_narrow, b_narrow) = (narrow(&a), narrow(&b));
    for isa in all_isas() {
        for m in sizes {
            for n in sizes {
                for k in [0, 1, 2, 7, 40] {
                    let mut expected = vec![f64::NAN; m * n];
                    let view = |data, rows, columns| MatRef::new(data, rows, columns).unwrap();
                    let operands = (view(&a, m, k), view(&b, k, n));
                    let c = MatMut::new(&mut expected, m, n).unwrap();
                    NaiveGemm.gemm(1.0, operands.0, operands.1, 0.0, c);
                    let mut c = vec![f64::NAN; m * n];
                    multiply(
                        isa,
                        1.0,
                        operands,
                        0.0,
                        MatMut::new(&mut c, m, n).unwrap(),
                        1,
                    );
                    assert_eq!(c, expected, "{m}x{k} by {k}x{n} with {}", isa.name());
                    let mut c = vec![f32::NAN; m * n];
                    let view = |data, rows, columns| MatRef::new(data, rows, columns).unwrap();
                    let operands = (view(&a_narrow, m, k), view(&b_narrow, k, n));
                    multiply(
                        isa,
                        1.0,
                        operands,
                        0.0,
                        MatMut::new(&mut c, m, n).unwrap(),
                        1,
                    );
                    assert_eq!(
                        c,
                        narrow(&expected),
                        "f32, {m}x{k} by {k}x{n} with {}",
                        isa.name()
                    );
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn strided_views_with_factors_equal_the_naive_twin(
        (m, k, n) in (0_usize..70, 0_usize..70, 0_usize..70),
        gaps in any::<[bool; 3]>(),
        by_columns in any::<[bool; 3]>(),
        (alpha, beta) in (-2_i8..3, -2_i8..3),
        count in 1_usize..7,
    ) {
        let (a, b) = (whole(72 * 72, 1), whole(72 * 72, 2));
        let strides = |rows, columns, which: usize| layout(rows, columns, usize::from(gaps[which]), by_columns[which]);
        let a = MatRef::with_strides(&a, (m, k), strides(m, k, 0)).unwrap();
        let b = MatRef::with_strides(&b, (k, n), strides(k, n, 1)).unwrap();
        let (alpha, beta) = (f64::from(alpha), f64::from(beta));
        let mut expected = whole(72 * 72, 3);
        let c = MatMut::with_strides(&mut expected, (m, n), strides(m, n, 2)).unwrap();
        NaiveGemm.gemm(alpha, a, b, beta, c);
        for isa in all_isas() {
            let mut found = whole(72 * 72, 3);
            let c = MatMut::with_strides(&mut found, (m, n), strides(m, n, 2)).unwrap();
            multiply(isa, alpha, (a, b), beta, c, count);
            prop_assert_eq!(&found, &expected);
        }
    }

    #[test]
    fn rows_columns_parts_and_layouts_do_not_change_a_bit(
        (m, k, n) in (1_usize..60, 1_usize..700, 2_usize..60),
        rows in 1_usize..60,
        columns in 2_usize..60,
        by_columns in any::<[bool; 3]>(),
        count in 1_usize..9,
    ) {
        let (rows, columns) = (rows.min(m), columns.min(n));
        let (a, b) = (real(m * k, 1), real(k * n, 2));
        let by_rows = |data, rows, columns| MatRef::new(data, rows, columns).unwrap();
        for isa in all_isas() {
            let mut all = vec![f64::NAN; m * n];
            let c = MatMut::new(&mut all, m, n).unwrap();
            multiply(isa, 1.0, (by_rows(&a, m, k), by_rows(&b, k, n)), 0.0, c, 1);
            // The same values in other places.
            let place = |items: &[f64], (r, c): (usize, usize), by_columns| {
                let strides = layout(r, c, 3, by_columns);
                let mut moved = vec![f64::NAN; (r + 3) * (c + 3)];
                for i in 0..r {
                    for j in 0..c {
                        moved[i * strides.0 + j * strides.1] = items[i * c + j];
                    }
                }
                (moved, strides)
            };
            let (a, a_strides) = place(&a, (m, k), by_columns[0]);
            let (b, b_strides) = place(&b, (k, n), by_columns[1]);
            let a = MatRef::with_strides(&a, (rows, k), a_strides).unwrap();
            let b = MatRef::with_strides(&b, (k, columns), b_strides).unwrap();
            let strides = layout(rows, columns, 1, by_columns[2]);
            let mut some = vec![f64::NAN; (rows + 1) * (columns + 1)];
            let c = MatMut::with_strides(&mut some, (rows, columns), strides).unwrap();
            multiply(isa, 1.0, (a, b), 0.0, c, count);
            for i in 0..rows {
                for j in 0..columns {
                    let (some, all) = (some[i * strides.0 + j * strides.1], all[i * n + j]);
                    prop_assert_eq!(some.to_bits(), all.to_bits(), "item ({}, {}) with {}", i, j, isa.name());
                }
            }
        }
    }

    #[test]
    fn rows_of_a_matrix_times_a_vector_do_not_change_a_bit(
        (m, k) in (1_usize..40, 0_usize..300),
        first in 0_usize..40,
        by_columns in any::<bool>(),
        count in 1_usize..5,
    ) {
        let first = first % m;
        let (a, x) = (real(m * k + 1, 1), real(k, 2));
        let strides = layout(m, k, 0, by_columns);
        let x = MatRef::new(&x, k, 1).unwrap();
        for isa in all_isas() {
            let (mut all, mut some) = (vec![f64::NAN; m], vec![f64::NAN; m - first]);
            let view = MatRef::with_strides(&a, (m, k), strides).unwrap();
            multiply(isa, 1.0, (view, x), 0.0, MatMut::new(&mut all, m, 1).unwrap(), 1);
            let c = MatMut::new(&mut some, m - first, 1).unwrap();
            multiply(isa, 1.0, (view.row_range(first, m), x), 0.0, c, count);
            prop_assert_eq!(&some, &all[first..]);
            for (i, item) in all.iter().enumerate() {
                let exact: f64 = (0..k).map(|l| view.get(i, l) * x.get(l, 0)).sum();
                prop_assert!((item - exact).abs() <= 1e-12 * (k as f64 + 1.0));
            }
        }
    }
}

#[test]
#[should_panic(expected = "the workspace is too small")]
fn a_workspace_that_is_too_small_is_a_programming_error() {
    let (a, mut c) = (whole(100 * 100, 1), vec![0.0; 100 * 100]);
    let a = MatRef::new(&a, 100, 100).unwrap();
    let c = MatMut::new(&mut c, 100, 100).unwrap();
    gemm_parts(Isa::detect(), 1.0, (a, a), 0.0, c, 1).for_each(|part| part.run(&mut []));
}

#[test]
#[should_panic(expected = "shapes of a, b and c")]
fn shapes_that_do_not_fit_are_a_programming_error() {
    let (a, mut c) = (whole(6, 1), vec![0.0; 4]);
    let a = MatRef::new(&a, 2, 3).unwrap();
    let _ = gemm_parts(
        Isa::portable(),
        1.0,
        (a, a),
        0.0,
        MatMut::new(&mut c, 2, 2).unwrap(),
        1,
    );
}

#[test]
fn small_products_without_copies_have_the_bits_of_the_others() {
    let (items, old) = (real(40 * 40, 1), real(40 * 40, 2));
    let narrow_items = narrow(&items);
    for isa in all_isas() {
        for m in 1..20 {
            for n in [1, 2, 3, 4, 5, 8, 11, 16, 17] {
                for (k, by_columns, (alpha, beta)) in [
                    (0, false, (1.0, 0.0)),
                    (1, true, (1.0, 0.0)),
                    (5, false, (-0.3, 0.7)),
                    (16, true, (-1.0, 1.0)),
                    (33, false, (1.0, 0.0)),
                ] {
                    let of = |rows, columns, gap, by_columns| {
                        let strides = layout(rows, columns, gap, by_columns);
                        MatRef::with_strides(&items, (rows, columns), strides).unwrap()
                    };
                    let operands = (
                        of(m, k, 3, by_columns),
                        of(k, n, 1, by_columns ^ (m % 2 == 0)),
                    );
                    let (mut c, mut expected) = (old.clone(), old.clone());
                    let strides = layout(m, n, 2, by_columns);
                    let view = MatMut::with_strides(&mut c, (m, n), strides).unwrap();
                    let done = gemm_small(isa, alpha, operands, beta, view);
                    assert!(done || m == 1 || n == 1 || k == 0, "{m}x{k} by {k}x{n}");
                    let view = MatMut::with_strides(&mut expected, (m, n), strides).unwrap();
                    multiply(isa, alpha, operands, beta, view, 1);
                    assert!(!done || c == expected, "{m}x{k} by {k}x{n}");
                    let view = |rows, columns| MatRef::new(&narrow_items, rows, columns).unwrap();
                    let operands = (view(m, k), view(k, n));
                    let (mut c, mut expected) = ([0.0; 400], [0.0; 400]);
                    let done =
                        gemm_small(isa, 1.0, operands, 0.0, MatMut::new(&mut c, m, n).unwrap());
                    multiply(
                        isa,
                        1.0,
                        operands,
                        0.0,
                        MatMut::new(&mut expected, m, n).unwrap(),
                        1,
                    );
                    assert!(
                        !done || c == expected,
                        "{m}x{k} by {k}x{n} in single precision"
                    );
                }
            }
        }
    }
    let (a, mut c) = (MatRef::new(&items, 40, 40).unwrap(), vec![0.0; 1600]);
    let isa = Isa::detect();
    assert!(!gemm_small(
        isa,
        1.0,
        (a, a),
        0.0,
        MatMut::new(&mut c, 40, 40).unwrap()
    ));
}

fn every_layout_is_right<T: Real + std::fmt::Debug>(item: impl Fn(f64) -> T) {
    let items: Vec<T> = whole(70 * 70, 1).into_iter().map(item).collect();
    let sizes = [1, 2, 7, 8, 9, 17, 50];
    for isa in all_isas() {
        for (at, m) in sizes.into_iter().enumerate() {
            for (k, n) in [
                (1, 67),
                (3, 9),
                (4, 6),
                (7, 67),
                (8, 7),
                (9, 13),
                (13, 5),
                (67, 67),
            ] {
                for layouts in 0..8 {
                    let of = |rows, columns, which: usize| {
                        let by_columns = layouts & 1 << which != 0;
                        layout(rows, columns, (at + which) % 3, by_columns)
                    };
                    let a = MatRef::with_strides(&items, (m, k), of(m, k, 0)).unwrap();
                    let b = MatRef::with_strides(&items[70..], (k, n), of(k, n, 1)).unwrap();
                    let (mut found, mut expected) = (items.clone(), items.clone());
                    let strides = of(m, n, 2);
                    let c = MatMut::with_strides(&mut expected, (m, n), strides).unwrap();
                    NaiveGemm.gemm(T::ONE, a, b, T::ONE, c);
                    let c = MatMut::with_strides(&mut found, (m, n), strides).unwrap();
                    multiply(isa, T::ONE, (a, b), T::ONE, c, 1);
                    assert_eq!(found, expected, "{m}x{k} by {k}x{n} with {}", isa.name());
                    found.clone_from(&items);
                    let c = MatMut::with_strides(&mut found, (m, n), strides).unwrap();
                    if gemm_small(isa, T::ONE, (a, b), T::ONE, c) {
                        assert_eq!(found, expected, "small, {m}x{k} by {k}x{n}");
                    }
                }
            }
        }
    }
}

#[test]
fn operands_by_rows_and_by_columns_are_right_in_every_item_type() {
    every_layout_is_right(|x| x);
    every_layout_is_right(|x| x as f32);
    every_layout_is_right(|x| Wrapping(x as i16));
    every_layout_is_right(|x| Wrapping(x as i32));
    every_layout_is_right(|x| Wrapping(x as i64));
}

#[test]
fn a_row_that_is_repeated_is_read_where_it_is() {
    let (row, column) = (real(9, 1), real(7, 2));
    for isa in all_isas() {
        let a = MatRef::with_strides(&column, (7, 5), (1, 0)).unwrap();
        let b = MatRef::with_strides(&row, (5, 9), (0, 1)).unwrap();
        let mut c = vec![f64::NAN; 63];
        multiply(isa, 1.0, (a, b), 0.0, MatMut::new(&mut c, 7, 9).unwrap(), 1);
        for (i, item) in c.into_iter().enumerate() {
            let exact = 5.0 * column[i / 9] * row[i % 9];
            assert!(
                (item - exact).abs() <= 1e-14,
                "item {i} with {}",
                isa.name()
            );
        }
    }
}

#[test]
fn one_row_times_a_matrix_has_the_bits_of_that_row_among_others() {
    for isa in all_isas() {
        for n in [1, 2, 3, 5, 8, 17, 31, 64, 100, 130] {
            for k in [1, 2, 7, 9, 100, 300, 600] {
                let (a, b) = (real(2 * k, 1), real(k * n, 2));
                let (a, b) = (narrow(&a), narrow(&b));
                let both = MatRef::new(&a, 2, k).unwrap();
                for by_columns in [false, true] {
                    let strides = layout(k, n, 0, by_columns);
                    let b = MatRef::with_strides(&b, (k, n), strides).unwrap();
                    let (mut one, mut two) = (vec![f32::NAN; n], vec![f32::NAN; 2 * n]);
                    let c = MatMut::new(&mut one, 1, n).unwrap();
                    multiply(isa, 1.0, (both.row_range(0, 1), b), 0.0, c, 1);
                    let c = MatMut::new(&mut two, 2, n).unwrap();
                    multiply(isa, 1.0, (both, b), 0.0, c, 1);
                    if n > 1 {
                        assert_eq!(one, two[..n], "{k}x{n} with {}", isa.name());
                    }
                }
            }
        }
    }
}

#[test]
fn two_vectors_are_multiplied_as_each_of_them_is() {
    let (a, x) = (real(70 * 70, 1), real(140, 2));
    for isa in all_isas() {
        for m in [0, 1, 2, 3, 4, 5, 7, 16, 17, 33, 70] {
            for k in [0, 1, 2, 3, 4, 7, 8, 9, 31, 70] {
                for by_columns in [false, true] {
                    let strides = layout(70, 70, 0, by_columns);
                    let a = MatRef::with_strides(&a, (m, k), strides).unwrap();
                    let (mut y, x) = (vec![f64::NAN; 2 * m], &x[..2 * k]);
                    gemv_pair(isa, a, x, &mut y);
                    for (at, item) in y.iter().enumerate() {
                        let x = &x[at % 2 * k..];
                        let exact: f64 = (0..k).map(|l| a.get(at / 2, l) * x[l]).sum();
                        assert!((item - exact).abs() <= 1e-13, "{m}x{k} with {}", isa.name());
                    }
                    let first = m / 3;
                    let mut some = vec![f64::NAN; 2 * (m - first)];
                    gemv_pair(isa, a.row_range(first, m), x, &mut some);
                    assert_eq!(some, y[2 * first..], "{m}x{k} with {}", isa.name());
                }
            }
        }
    }
}

#[test]
#[should_panic(expected = "lengths of x and y")]
fn vectors_of_other_lengths_are_a_programming_error() {
    let (a, mut y) = (whole(6, 1), vec![0.0; 4]);
    let a = MatRef::new(&a, 2, 3).unwrap();
    gemv_pair(Isa::portable(), a, &[0.0; 5], &mut y);
}
