//! Sparse matrices against dense ones and against `scipy` 1.17.1.

use nexus_linalg::dense::{Diagonal, Triangle};
use nexus_linalg::norm::MatrixNorm;
use nexus_linalg::sparse::{Csc, CscRef, Csr, CsrRef, Index};
use nexus_linalg::{Context, ErrorKind, Gemm, MatMut, MatRef, engine::Engine};
use proptest::prelude::*;
use std::num::NonZero;

/// The items that a script made for `scipy` too: a hash of the place says which are there.
fn scattered(m: usize, n: usize, seed: usize, modulus: usize) -> Csr<f64, i32> {
    let (mut rows, mut columns, mut values) = (vec![], vec![], vec![]);
    for i in 0..m {
        for j in 0..n {
            let hash = (i * 131 + j * 71 + seed * 17 + 1) * 2_654_435_761 % (1 << 32);
            if (hash >> 7).is_multiple_of(modulus) {
                rows.push(i as i32);
                columns.push(j as i32);
                values.push(((hash >> 12) % 2001) as f64 / 1000.0 - 1.0);
            }
        }
    }
    Csr::from_triplets((m, n), &rows, &columns, &values).unwrap()
}

fn dense(a: CsrRef<'_, f64, impl Index>) -> Vec<f64> {
    let (m, n) = a.shape();
    let mut items = vec![f64::NAN; m * n];
    a.to_dense(MatMut::new(&mut items, m, n).unwrap()).unwrap();
    items
}

fn dense_product(a: &[f64], b: &[f64], (m, k, n): (usize, usize, usize)) -> Vec<f64> {
    let mut c = vec![0.0; m * n];
    let (a, b) = (MatRef::new(a, m, k).unwrap(), MatRef::new(b, k, n).unwrap());
    Engine.gemm(1.0, a, b, 0.0, MatMut::new(&mut c, m, n).unwrap());
    c
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-13 * (1.0 + b.abs())
}

#[test]
fn products_and_norms_are_those_of_scipy() {
    let (a, b) = (scattered(40, 30, 1, 5), scattered(30, 25, 2, 5));
    let (a, b) = (a.as_ref(), b.as_ref());
    let c = a.multiply_sparse(b).unwrap();
    assert_eq!(
        (a.stored(), b.stored(), c.as_ref().stored()),
        (242, 150, 740)
    );
    let sum = |items: &[f64]| items.iter().sum::<f64>();
    let sizes = |items: &[f64]| items.iter().map(|x| x.abs()).sum::<f64>();
    assert!(near(sum(c.as_ref().values()), 4.741_049));
    assert!(near(sizes(c.as_ref().values()), 260.790_949));

    let x: Vec<f64> = (0..30).map(|i| f64::from(i).cos()).collect();
    let mut y = vec![f64::NAN; 40];
    let view = MatMut::new(&mut y, 40, 1).unwrap();
    a.multiply(Context::default(), MatRef::new(&x, 30, 1).unwrap(), view)
        .unwrap();
    assert!(near(sum(&y), -7.389_301_816_391_306) && near(sizes(&y), 21.208_388_020_516_413));
    assert!(near(y[0], -1.096_635_400_026_893) && near(y[39], -0.262_543_843_941_434_54));

    let norms = [
        (MatrixNorm::Frobenius, 9.432_671_572_783_61),
        (MatrixNorm::One, 6.6),
        (MatrixNorm::Infinity, 4.972),
        (MatrixNorm::MinusOne, 2.646),
        (MatrixNorm::MinusInfinity, 1.642),
    ];
    for (norm, value) in norms {
        assert!(near(a.norm(norm).unwrap(), value), "{norm:?}");
    }
    assert!(a.norm(MatrixNorm::Two).is_err());
}

/// Pointers, indices, values, and what is said about them.
type Case<'a> = (&'a [i32], &'a [i32], &'a [f64], &'a str);

fn check_refused(
    shape: (usize, usize),
    (pointers, indices, values): (&[i32], &[i32], &[f64]),
    says: &str,
) {
    let error = CsrRef::new(shape, pointers, indices, values).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert_eq!(
        error.to_string(),
        format!("cannot view a sparse matrix: {says}")
    );
}

#[test]
fn foreign_memory_that_does_not_fit_is_refused_with_the_place() {
    let two = &[1.0, 2.0][..];
    let cases: [Case<'_>; 8] = [
        (
            &[0, 1],
            &[0, 1],
            two,
            "2 pointers for 2 rows, not one more than rows",
        ),
        (
            &[],
            &[0, 1],
            two,
            "0 pointers for 2 rows, not one more than rows",
        ),
        (&[1, 1, 2], &[0, 1], two, "the first pointer is 1, not 0"),
        (
            &[0, 2, 1],
            &[0, 1],
            two,
            "row 1 ends at 1 before it begins at 2",
        ),
        (
            &[0, 1, 3],
            &[0, 1],
            two,
            "row 1 ends at 3, past the 2 indices",
        ),
        (&[0, 1, 2], &[0, 1], &[1.0], "1 values, 2 indices"),
        (
            &[0, 1, 2],
            &[0, 3],
            two,
            "index 3 at 1 (in row 1) is none of 3 columns",
        ),
        (
            &[0, 1, 2],
            &[-1, 1],
            two,
            "index -1 at 0 (in row 0) is none of 3 columns",
        ),
    ];
    for (pointers, indices, values, says) in cases {
        check_refused((2, 3), (pointers, indices, values), says);
    }
    check_refused(
        (usize::MAX, 3),
        (&[0], &[], &[]),
        "1 pointers for 18446744073709551615 rows, not one more than rows",
    );
    let error = CscRef::new((2, 1), &[0_i64, 1], &[2], &[1.0_f32]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot view a sparse matrix: index 2 at 0 (in column 0) is none of 2 rows"
    );
}

#[test]
fn a_view_that_was_checked_before_needs_its_lengths_alone() {
    let (pointers, indices, values) = ([0_i32, 2, 3], [0, 1, 1], [1.0, 2.0, 3.0]);
    let view =
        |pointers, values| CsrRef::checked_before((2, 2), (pointers, &indices), values, true);
    assert_eq!(
        dense(view(&pointers, &values).unwrap()),
        [1.0, 2.0, 0.0, 3.0]
    );
    for wrong in [view(&pointers[1..], &values), view(&pointers, &values[1..])] {
        assert_eq!(wrong.unwrap_err().kind(), ErrorKind::InvalidInput);
    }
    // What changed since the check is left out.
    let changed = view(&[0, 7, 3], &values).unwrap();
    let mut y = [f64::NAN; 2];
    let x = MatRef::new(&[1.0, 1.0], 2, 1).unwrap();
    let y_view = MatMut::new(&mut y, 2, 1).unwrap();
    changed.multiply(Context::default(), x, y_view).unwrap();
    assert_eq!(y, [0.0, 0.0]);
}

#[test]
fn parts_of_one_place_are_summed_in_their_order() {
    let (rows, columns) = ([1_i64, 0, 1, 1, 0], [2, 1, 0, 2, 1]);
    let values = [1e16, 1.0, 5.0, -1e16, 2.0];
    let a = Csr::from_triplets((2, 3), &rows, &columns, &values).unwrap();
    assert_eq!(
        a.into_parts(),
        (vec![0, 1, 3], vec![1, 0, 2], vec![3.0, 5.0, 0.0])
    );
    let by_columns = Csc::from_triplets((2, 3), &rows, &columns, &values).unwrap();
    assert_eq!(
        by_columns.into_parts(),
        (vec![0, 1, 2, 3], vec![1, 0, 1], vec![5.0, 3.0, 0.0])
    );

    let error = Csr::from_triplets((2, 3), &[0, 2], &[0, 0], &[1.0, 1.0]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot make a 2x3 sparse matrix: part 1 is at (2, 0)"
    );
    let error = Csr::<f64, i32>::from_triplets((2, 3), &[0], &[0, 0], &[1.0]).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("1 row numbers, 2 column numbers and 1 values")
    );
}

#[test]
fn a_view_may_have_columns_in_any_order_and_twice() {
    let (pointers, indices, values) = ([0, 4, 5], [2, 0, 2, 1, 1], [1.0, 2.0, 3.0, 4.0, 5.0]);
    let a = CsrRef::new((2, 3), &pointers, &indices, &values).unwrap();
    assert!(!a.is_canonical());
    let expected = [2.0, 4.0, 4.0, 0.0, 5.0, 0.0];
    assert_eq!(dense(a), expected);
    assert_eq!(dense(a.to_canonical().as_ref()), expected);
    assert_eq!(
        dense(a.to_csc().unwrap().as_ref().to_csr().unwrap().as_ref()),
        expected
    );
    assert_eq!(a.diagonal(), [2.0, 5.0]);
    assert_eq!(a.norm(MatrixNorm::Infinity).unwrap(), 10.0);
    assert_eq!(
        dense(a.columns(1..3).unwrap().as_ref()),
        [4.0, 4.0, 5.0, 0.0]
    );
    assert!(a.rows(1..3).is_err());
}

#[test]
fn more_columns_than_memory_is_an_error() {
    let a = CsrRef::<f64, i64>::new((1, usize::MAX >> 2), &[0, 0], &[], &[]).unwrap();
    assert!(
        a.to_csc()
            .unwrap_err()
            .to_string()
            .contains("no memory for")
    );
    assert!(a.norm(MatrixNorm::One).is_err());
    assert_eq!(a.norm(MatrixNorm::Frobenius).unwrap(), 0.0);
}

#[test]
fn the_number_of_threads_and_the_layout_do_not_change_a_bit() {
    let a = scattered(3000, 2000, 7, 9);
    let a = a.as_ref();
    for columns in [1, 3, 8] {
        let b: Vec<f64> = (0..2000 * columns)
            .map(|i| (i as f64 * 0.37).sin())
            .collect();
        let b = MatRef::new(&b, 2000, columns).unwrap();
        let product = |threads: usize, strides: (usize, usize)| {
            let mut c = vec![f64::NAN; 3000 * columns * 2];
            let context = Context::default().threads(NonZero::new(threads).unwrap());
            let mut view = MatMut::with_strides(&mut c, (3000, columns), strides).unwrap();
            a.multiply(context, b, view.reborrow()).unwrap();
            let view = view.as_ref();
            (0..3000)
                .flat_map(|i| view.row(i).copied().collect::<Vec<_>>())
                .collect::<Vec<_>>()
        };
        let one = product(1, (columns, 1));
        assert!(one.iter().all(|x| x.is_finite()));
        for threads in [1, 2, 3] {
            for strides in [(columns, 1), (2 * columns, 2), (1, 3000)] {
                assert_eq!(
                    one,
                    product(threads, strides),
                    "{threads} threads, {strides:?}"
                );
            }
        }
    }
}

#[test]
fn triangular_systems_are_solved_and_zero_pivots_named() {
    let a = scattered(60, 60, 3, 6);
    let shift = Csr::from_triplets((60, 60), &IDENTITY, &IDENTITY, &[3.0; 60]).unwrap();
    let a = a.as_ref().add(1.0, shift.as_ref(), 1.0).unwrap();
    let items = dense(a.as_ref());
    for triangle in [Triangle::Lower, Triangle::Upper] {
        for diagonal in [Diagonal::Stored, Diagonal::Ones] {
            let b: Vec<f64> = (0..120).map(|i| f64::from(i).sin()).collect();
            let (mut sparse, mut full) = (b.clone(), b);
            let kind = (triangle, diagonal);
            a.as_ref()
                .solve_triangular(kind, MatMut::new(&mut sparse, 60, 2).unwrap())
                .unwrap();
            let (matrix, target) = (
                MatRef::new(&items, 60, 60).unwrap(),
                MatMut::new(&mut full, 60, 2).unwrap(),
            );
            nexus_linalg::dense::solve_triangular(Context::default(), matrix, kind, target)
                .unwrap();
            let largest = full.iter().fold(1.0_f64, |most, x| most.max(x.abs()));
            for (x, y) in sparse.iter().zip(&full) {
                assert!((x - y).abs() <= 1e-12 * largest, "{kind:?}: {x} {y}");
            }
        }
    }
    let zero = scattered(60, 60, 3, 6);
    let kind = (Triangle::Lower, Diagonal::Stored);
    let error = zero
        .as_ref()
        .solve_triangular(kind, MatMut::new(&mut [0.0; 60], 60, 1).unwrap())
        .unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::Singular { .. }),
        "{error}"
    );
}

const IDENTITY: [i32; 60] = {
    let mut numbers = [0; 60];
    let mut i = 0;
    while i < 60 {
        numbers[i] = i as i32;
        i += 1;
    }
    numbers
};

/// A shape, and rows, columns and values.
type Parts = ((usize, usize), Vec<(usize, usize, i8)>);

fn triplets() -> impl Strategy<Value = Parts> {
    (1_usize..12, 1_usize..12).prop_flat_map(|(m, n)| {
        (
            Just((m, n)),
            prop::collection::vec((0..m, 0..n, -4_i8..5), 0..50),
        )
    })
}

fn matrix<I: Index>((shape, parts): &Parts) -> Csr<f64, I> {
    let index = |i: usize| I::from_usize(i).unwrap();
    let rows: Vec<I> = parts.iter().map(|part| index(part.0)).collect();
    let columns: Vec<I> = parts.iter().map(|part| index(part.1)).collect();
    let values: Vec<f64> = parts.iter().map(|part| f64::from(part.2)).collect();
    Csr::from_triplets(*shape, &rows, &columns, &values).unwrap()
}

proptest! {
    #[test]
    fn everything_is_what_dense_matrices_say(a in triplets(), b in triplets(), width in 0_usize..4) {
        let (m, n) = a.0;
        let sparse = matrix::<i64>(&a);
        let mut full = vec![0.0; m * n];
        for &(i, j, value) in &a.1 {
            full[i * n + j] += f64::from(value);
        }
        prop_assert_eq!(&dense(sparse.as_ref()), &full);
        // Through columns and back, and from dense.
        let back = sparse.as_ref().to_csc().unwrap().as_ref().to_csr().unwrap();
        prop_assert_eq!(&back, &sparse);
        let again = Csr::<f64, i32>::from_dense(MatRef::new(&full, m, n).unwrap()).unwrap();
        prop_assert_eq!(&dense(again.as_ref()), &full);
        let view = CsrRef::new((m, n), sparse.as_ref().pointers(), sparse.as_ref().indices(), sparse.as_ref().values());
        prop_assert!(view.unwrap().is_canonical());

        // Sums, with a matrix of the same shape.
        let parts = b.1.iter().map(|&(i, j, value)| (i % m, j % n, value)).collect();
        let other = matrix::<i64>(&((m, n), parts));
        let other_full = dense(other.as_ref());
        let sum = sparse.as_ref().add(2.0, other.as_ref(), -3.0).unwrap();
        let expected: Vec<f64> = full.iter().zip(&other_full).map(|(x, y)| 2.0 * x - 3.0 * y).collect();
        prop_assert_eq!(dense(sum.as_ref()), expected);

        // Products with a sparse matrix, with a dense one, and transposed.
        let (k, l) = (n, b.0.1);
        let parts = b.1.iter().map(|&(i, j, value)| (i % k, j, value)).collect();
        let right = matrix::<i64>(&((k, l), parts));
        let product = sparse.as_ref().multiply_sparse(right.as_ref()).unwrap();
        prop_assert_eq!(dense(product.as_ref()), dense_product(&full, &dense(right.as_ref()), (m, k, l)));

        let x: Vec<f64> = (0..n * width).map(|i| (i * 7 % 5) as f64 - 2.0).collect();
        let mut y = vec![f64::NAN; m * width];
        let (from, to) = (MatRef::new(&x, n, width).unwrap(), MatMut::new(&mut y, m, width).unwrap());
        sparse.as_ref().multiply(Context::default(), from, to).unwrap();
        let expected = dense_product(&full, &x, (m, n, width));
        prop_assert_eq!(&y, &expected);
        y.fill(f64::NAN);
        let to = MatMut::new(&mut y, m, width).unwrap();
        sparse.as_ref().to_csc().unwrap().as_ref().multiply(from, to).unwrap();
        prop_assert_eq!(&y, &expected);
        let transposed = sparse.clone().into_transpose();
        let mut rows = vec![f64::NAN; m * n];
        transposed.as_ref().to_dense(MatMut::with_strides(&mut rows, (n, m), (1, n)).unwrap()).unwrap();
        prop_assert_eq!(rows, full);
    }

    #[test]
    fn any_pointers_and_indices_are_refused_or_safe(
        pointers in prop::collection::vec(-2_i32..9, 0..6),
        indices in prop::collection::vec(-2_i32..6, 0..9),
        (m, n) in (0_usize..6, 0_usize..6),
    ) {
        let values = vec![1.0; indices.len()];
        if let Ok(a) = CsrRef::new((m, n), &pointers, &indices, &values) {
            let (x, mut y) = (vec![1.0; n], vec![0.0; m]);
            let (from, to) = (MatRef::new(&x, n, 1).unwrap(), MatMut::new(&mut y, m, 1).unwrap());
            a.multiply(Context::default(), from, to).unwrap();
            prop_assert_eq!(y.iter().sum::<f64>() as usize, a.stored());
            prop_assert_eq!(a.to_canonical().as_ref().norm(MatrixNorm::Infinity).is_ok(), true);
        }
    }
}
