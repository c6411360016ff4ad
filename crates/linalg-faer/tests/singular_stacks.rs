//! Singular values of stacks: every matrix has those that it has alone, to the bit, on every instruction set.

use nexus_linalg::stack::{self, Stack as _};
use nexus_linalg::{Context, ErrorKind, Float, Isa, MatMut, MatRef, decompose};
use nexus_linalg_faer::Faer;
use std::num::NonZero;

/// Numbers in (-1, 1), with some matrices that are zero, of rank one, or of items that differ much.
fn matrices<T: Float>(count: usize, (m, n): (usize, usize)) -> Vec<T> {
    let item = |at: usize| {
        let (index, i, j) = (at / (m * n), at / n % m, at % n);
        let value = ((at + 1) * 2_654_435_761 % 65_537) as f64 / 32_768.5 - 1.0;
        T::from_f64(match index % 9 {
            6 => 1.0,
            7 => value * 0.01_f64.powi(j as i32),
            8 if i == j => 1.0,
            5 | 8 => 0.0,
            _ => value,
        })
    };
    (0..count * m * n).map(item).collect()
}

fn each_matrix_is_decomposed_as_it_is_alone<T: Float>()
where
    Faer: decompose::Decompose<T>,
{
    let sets: Vec<Isa> = ["portable", "avx2", "avx512"]
        .into_iter()
        .filter_map(Isa::named)
        .collect();
    let orders = [1, 2, 3, 4, 5, 8, 11, 16, 17];
    let square = orders.map(|n| (n, n));
    for (m, n) in square.into_iter().chain([(4, 2), (2, 3), (9, 4), (5, 16)]) {
        let (k, count) = (m.min(n), 27);
        let items: Vec<T> = matrices(count, (m, n));
        let a = stack::Dense::new(&items, m, n).unwrap();
        for &isa in &sets {
            for (threads, full) in [(1, false), (2, true)] {
                let (p, q) = if full { (m, n) } else { (k, k) };
                let threads = NonZero::new(threads).unwrap();
                let context = Context::default().threads(threads).with_isa(isa);
                let mut values = vec![T::NAN; count * k];
                let (mut u, mut v) = (vec![T::NAN; count * m * p], vec![T::NAN; count * n * q]);
                let vectors = (&mut u[..], &mut v[..]);
                let failures = stack::svd(context, &Faer, &a, &mut values, vectors, (p, q));
                assert!(failures.unwrap().is_empty());
                let mut only = vec![T::NAN; count * k];
                let none = (&mut [][..], &mut [][..]);
                let failures = stack::svd(context, &Faer, &a, &mut only, none, (0, 0));
                assert!(failures.unwrap().is_empty());
                for index in 0..count {
                    let what = format!("{index} of {m}x{n} with {}", isa.name());
                    let mut one = vec![T::NAN; k];
                    let (mut left, mut right) = (vec![T::NAN; m * p], vec![T::NAN; n * q]);
                    let both = (
                        MatMut::with_strides(&mut left, (m, p), (1, m)).unwrap(),
                        MatMut::with_strides(&mut right, (n, q), (1, n)).unwrap(),
                    );
                    let alone = Context::default().with_isa(isa);
                    decompose::svd(alone, &Faer, a.get(index), &mut one, Some(both)).unwrap();
                    assert_eq!(one, values[index * k..(index + 1) * k], "{what}");
                    assert_eq!(left, u[index * m * p..(index + 1) * m * p], "{what}");
                    assert_eq!(right, v[index * n * q..(index + 1) * n * q], "{what}");
                    check(a.get(index), (&one, &left, &right), &what);
                    decompose::svd(alone, &Faer, a.get(index), &mut one, None).unwrap();
                    assert_eq!(one, only[index * k..(index + 1) * k], "values of {what}");
                }
            }
        }
    }
}

/// The factors give the matrix back, and vectors have length 1 and right angles.
fn check<T: Float>(a: MatRef<'_, T>, (values, u, v): (&[T], &[T], &[T]), what: &str) {
    let (m, n) = a.shape();
    let bound = 20.0 * (m + n) as f64 * T::EPSILON.to_f64();
    let most = values
        .iter()
        .fold(0.0, |most: f64, value| most.max(value.to_f64()));
    assert!(values.is_sorted_by(|a, b| a >= b), "{what}");
    for i in 0..m {
        for j in 0..n {
            let terms = values.iter().enumerate();
            let terms =
                terms.map(|(k, s)| s.to_f64() * u[k * m + i].to_f64() * v[k * n + j].to_f64());
            let back: f64 = terms.sum();
            assert!(
                (back - a.get(i, j).to_f64()).abs() <= bound * most,
                "{what}"
            );
        }
    }
    for (vectors, len) in [(u, m), (v, n)] {
        for (i, x) in vectors.chunks_exact(len).enumerate() {
            for (j, y) in vectors.chunks_exact(len).enumerate() {
                let product: f64 = x.iter().zip(y).map(|(x, y)| x.to_f64() * y.to_f64()).sum();
                let expected = f64::from(u8::from(i == j));
                assert!((product - expected).abs() <= bound, "{what}: {i} and {j}");
            }
        }
    }
}

#[test]
fn each_f64_matrix_is_decomposed_as_it_is_alone() {
    each_matrix_is_decomposed_as_it_is_alone::<f64>();
}

#[test]
fn each_f32_matrix_is_decomposed_as_it_is_alone() {
    each_matrix_is_decomposed_as_it_is_alone::<f32>();
}

#[test]
fn nan_spreads_in_one_matrix_an_infinity_fails_alone_and_results_must_fit() {
    let mut items: Vec<f64> = matrices(20, (3, 3));
    (items[9 * 2], items[9 * 11]) = (f64::NAN, f64::INFINITY);
    let a = stack::Dense::new(&items, 3, 3).unwrap();
    let (mut values, mut u, mut v) = (vec![0.0; 60], vec![0.0; 180], vec![0.0; 180]);
    let vectors = (&mut u[..], &mut v[..]);
    let context = Context::default();
    let failures = stack::svd(context, &Faer, &a, &mut values, vectors, (3, 3)).unwrap();
    assert_eq!(failures.len(), 1);
    assert_eq!(failures[0].0, 11);
    assert_eq!(failures[0].1.kind(), ErrorKind::Infinite { at: (0, 0) });
    assert!(
        values[6..9]
            .iter()
            .chain(&u[18..27])
            .all(|item| item.is_nan())
    );
    assert!(values[9..33].iter().all(|item| item.is_finite()));
    let vectors = (&mut u[..9], &mut v[..]);
    let error = stack::svd(context, &Faer, &a, &mut values, vectors, (3, 3)).unwrap_err();
    let expected = "cannot decompose 20 3x3 matrices into 60 values and 9 and 180 items of vectors";
    assert_eq!(error.to_string(), expected);
}
