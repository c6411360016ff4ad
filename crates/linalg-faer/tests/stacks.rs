//! Stacks of symmetric matrices: every matrix has the decomposition that it has alone, to the bit.

use nexus_linalg::stack::{self, Stack};
use nexus_linalg::{Complex, Context, ErrorKind, Field, MatMut, decompose};
use nexus_linalg_faer::Faer;

/// Symmetric matrices of numbers in (-1, 1), some of them graded, diagonal, zero or of rank one.
fn symmetric<T: Field>(count: usize, n: usize, number: impl Fn(f64) -> T) -> Vec<T> {
    let mut state = 88_172_645_463_325_252_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    };
    let mut items = Vec::new();
    for index in 0..count {
        let start = items.len();
        items.resize(start + n * n, T::default());
        for i in 0..n {
            for j in 0..=i {
                let value = next();
                let value = match index % 6 {
                    1 => value * 10_f64.powi(-3 * (i + j) as i32),
                    2 if i != j => 0.0,
                    3 => 0.0,
                    4 => 1.0,
                    _ => value,
                };
                items[start + i * n + j] = number(value);
                items[start + j * n + i] = number(value);
            }
        }
    }
    items
}

macro_rules! each_matrix_alone {
    ($type:ty, $number:expr) => {
        for n in 1..6 {
            for count in [1, 3, 8, 31] {
                let items: Vec<$type> = symmetric(count, n, $number);
                let a = stack::Dense::new(&items, n, n).unwrap();
                let context = Context::default();
                let mut values = vec![Default::default(); count * n];
                let mut vectors = vec![Default::default(); count * n * n];
                let failures = stack::eigh(context, &Faer, &a, &mut values, &mut vectors).unwrap();
                assert!(failures.is_empty());
                let mut alone = values.clone();
                let failures = stack::eigh(context, &Faer, &a, &mut alone, &mut []).unwrap();
                assert!(failures.is_empty());
                for index in 0..count {
                    let mut one = vec![Default::default(); n];
                    let mut columns: Vec<$type> = vec![Default::default(); n * n];
                    let view = MatMut::with_strides(&mut columns, (n, n), (1, n)).unwrap();
                    decompose::eigh(
                        Context::default(),
                        &Faer,
                        a.get(index),
                        &mut one,
                        Some(view),
                    )
                    .unwrap();
                    assert_eq!(one, values[index * n..(index + 1) * n], "{index} of {n}");
                    let own = &vectors[index * n * n..(index + 1) * n * n];
                    assert_eq!(format!("{columns:?}"), format!("{own:?}"), "{index} of {n}");
                    decompose::eigh(Context::default(), &Faer, a.get(index), &mut one, None)
                        .unwrap();
                    assert_eq!(one, alone[index * n..(index + 1) * n]);
                }
            }
        }
    };
}

#[test]
fn eigenvalues_and_vectors_are_those_of_each_matrix_alone() {
    each_matrix_alone!(f64, |value| value);
    each_matrix_alone!(f32, |value| value as f32);
    each_matrix_alone!(Complex<f64>, |value| Complex::new(value, 0.0));
}

#[test]
fn small_matrices_have_small_residuals_whatever_they_are() {
    for n in 1..5 {
        let items: Vec<f64> = symmetric(60, n, |value| value);
        for (index, a) in items.chunks_exact(n * n).enumerate() {
            for scale in [1.0, 1e-80, 1e70, 1e-160, 1e160, 1e-300, 1e300] {
                let a: Vec<f64> = a.iter().map(|item| item * scale).collect();
                let stack = stack::Dense::new(&a, n, n).unwrap();
                let (mut values, mut vectors) = (vec![0.0; n], vec![0.0; n * n]);
                let failures =
                    stack::eigh(Context::default(), &Faer, &stack, &mut values, &mut vectors);
                assert!(failures.unwrap().is_empty());
                assert!(values.is_sorted(), "{index} of {n}");
                let size = a.iter().fold(0.0_f64, |size, item| size.max(item.abs()));
                let bound = 10.0 * n as f64 * f64::EPSILON * n as f64;
                for (value, v) in values.iter().zip(vectors.chunks_exact(n)) {
                    for i in 0..n {
                        let row: f64 = (0..n).map(|j| a[i * n + j] / size.max(1e-300) * v[j]).sum();
                        let rest = row - value / size.max(1e-300) * v[i];
                        assert!(rest.abs() <= bound, "{index} of {n} at {scale}: {rest}");
                    }
                    let length: f64 = v.iter().map(|item| item * item).sum();
                    assert!((length - 1.0).abs() <= bound);
                }
            }
        }
    }
}

#[test]
fn nan_spreads_in_one_matrix_and_an_infinity_fails_alone() {
    let n = 3;
    let mut items: Vec<f64> = symmetric(10, n, |value| value);
    items[2 * n * n] = f64::NAN;
    items[7 * n * n + n] = f64::INFINITY;
    let a = stack::Dense::new(&items, n, n).unwrap();
    let (mut values, mut vectors) = (vec![0.0; 10 * n], vec![0.0; 10 * n * n]);
    let failures = stack::eigh(Context::default(), &Faer, &a, &mut values, &mut vectors).unwrap();
    assert_eq!(failures.len(), 1);
    assert_eq!(failures[0].0, 7);
    assert_eq!(failures[0].1.kind(), ErrorKind::Infinite { at: (1, 0) });
    assert!(values[2 * n..3 * n].iter().all(|value| value.is_nan()));
    assert!(values[3 * n..4 * n].iter().all(|value| value.is_finite()));
}
