//! Stacks: every matrix has the result that it has alone, to the bit, and fails alone.

use nexus_linalg::stack::{self, Stack};
use nexus_linalg::{Context, ErrorKind, Float, Isa, MatMut, MatRef, dense};
use std::num::NonZero;

/// Numbers in (-1, 1), the same for the same seed.
fn numbers<T: Float>(count: usize, seed: u64) -> Vec<T> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..count)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            T::from_f64((state >> 11) as f64 / (1_u64 << 52) as f64 - 1.0)
        })
        .collect()
}

fn contexts() -> [Context; 3] {
    let sets =
        ["avx512", "avx2", "portable"].map(|name| Isa::named(name).unwrap_or_else(Isa::detect));
    [0, 1, 2].map(|i| {
        let threads = NonZero::new(i + 1).unwrap();
        Context::default().threads(threads).with_isa(sets[i])
    })
}

/// Compares numbers by their bits, but that any NaN equals any other.
fn same<T: Float>(a: &[T], b: &[T]) -> bool {
    a.len() == b.len()
        && a.iter().zip(b).all(|(a, b)| {
            a.to_f64().to_bits() == b.to_f64().to_bits() || (a.is_nan() && b.is_nan())
        })
}

fn positive_definite<T: Float>(items: &[T], n: usize) -> Vec<T> {
    let mut result = Vec::new();
    for a in items.chunks_exact(n * n) {
        for i in 0..n {
            for j in 0..n {
                let sum = (0..n).fold(T::default(), |sum, k| sum + a[i * n + k] * a[j * n + k]);
                result.push(if i == j { sum + T::ONE } else { sum });
            }
        }
    }
    result
}

fn every_operation_equals_the_one_of_a_single_matrix<T: Float>() {
    for n in [1, 2, 3, 4, 5, 6, 7, 16, 17] {
        for count in [1, 2, 7, 8, 9, 40] {
            let items: Vec<T> = numbers(count * n * n, (n * count) as u64);
            let a = stack::Dense::new(&items, n, n).unwrap();
            let one = |index: usize| a.get(index);
            for context in contexts() {
                let mut dets = vec![T::default(); count];
                assert!(stack::det(context, &a, &mut dets).unwrap().is_empty());
                let alone: Vec<T> = (0..count)
                    .map(|index| dense::det(context, one(index)).unwrap())
                    .collect();
                assert!(same(&dets, &alone), "det, {count} of {n}");

                let mut inverses = vec![T::default(); count * n * n];
                assert!(stack::inv(context, &a, &mut inverses).unwrap().is_empty());
                for (index, inverse) in inverses.chunks_exact(n * n).enumerate() {
                    let mut alone = vec![T::default(); n * n];
                    let view = MatMut::new(&mut alone, n, n).unwrap();
                    dense::inv(context, one(index), view).unwrap();
                    assert!(same(inverse, &alone), "inv, {index} of {count} of {n}");
                }

                for width in [1, 2, n] {
                    let b: Vec<T> = numbers(count * n * width, 77);
                    let mut x = b.clone();
                    assert!(stack::solve(context, &a, &mut x, width).unwrap().is_empty());
                    for (index, x) in x.chunks_exact(n * width).enumerate() {
                        let mut alone = b[index * n * width..(index + 1) * n * width].to_vec();
                        let view = MatMut::new(&mut alone, n, width).unwrap();
                        dense::solve(context, one(index), view).unwrap();
                        assert!(same(x, &alone), "solve, {index} of {count} of {n}");
                    }
                }

                let spd = positive_definite(&items, n);
                let spd = stack::Dense::new(&spd, n, n).unwrap();
                let mut factors = vec![T::default(); count * n * n];
                let failures = stack::cholesky(context, &spd, &mut factors).unwrap();
                assert!(failures.is_empty());
                for (index, factor) in factors.chunks_exact(n * n).enumerate() {
                    let mut alone = vec![T::default(); n * n];
                    let view = MatMut::new(&mut alone, n, n).unwrap();
                    dense::cholesky(context, spd.get(index), view).unwrap();
                    assert!(same(factor, &alone), "cholesky, {index} of {count} of {n}");
                }
            }
        }
    }
}

#[test]
fn every_operation_on_f64_equals_the_one_of_a_single_matrix() {
    every_operation_equals_the_one_of_a_single_matrix::<f64>();
}

#[test]
fn every_operation_on_f32_equals_the_one_of_a_single_matrix() {
    every_operation_equals_the_one_of_a_single_matrix::<f32>();
}

fn every_product_equals_the_one_of_a_single_pair<T: Float>() {
    let sets = ["portable", "avx2", "avx512"].into_iter();
    for isa in sets.filter_map(Isa::named) {
        for n in [1, 2, 3, 4, 5, 16] {
            for (count, context) in [1, 7, 40].into_iter().zip(contexts()) {
                let (a, b): (Vec<T>, Vec<T>) =
                    (numbers(count * n * n, 3), numbers(count * n * n, 4));
                let left = stack::Dense::new(&a, n, n).unwrap();
                let right = stack::Dense::new(&b, n, n).unwrap();
                let mut products = vec![T::NAN; count * n * n];
                let context = context.with_isa(isa);
                stack::matmul(context, &left, &right, &mut products).unwrap();
                for (index, product) in products.chunks_exact(n * n).enumerate() {
                    let mut alone = vec![T::NAN; n * n];
                    let view = MatMut::new(&mut alone, n, n).unwrap();
                    context
                        .matmul(left.get(index), right.get(index), view)
                        .unwrap();
                    let isa = isa.name();
                    assert!(
                        same(product, &alone),
                        "{index} of {count} of {n} with {isa}"
                    );
                }
            }
        }
    }
}

#[test]
fn every_product_of_a_stack_equals_the_one_of_a_single_pair() {
    every_product_equals_the_one_of_a_single_pair::<f64>();
    every_product_equals_the_one_of_a_single_pair::<f32>();
}

#[test]
fn a_matrix_without_a_result_fails_alone_and_says_why() {
    for n in [2, 4, 6] {
        let count = 21;
        let mut items: Vec<f64> = numbers(count * n * n, 5);
        for index in [0, 9, 20] {
            // Two equal rows.
            let start = index * n * n;
            items.copy_within(start..start + n, start + n);
        }
        items[3 * n * n] = f64::NAN;
        let a = stack::Dense::new(&items, n, n).unwrap();
        let mut inverses = vec![0.0; items.len()];
        let failures = stack::inv(Context::default(), &a, &mut inverses).unwrap();
        let indices: Vec<usize> = failures.iter().map(|(index, _)| *index).collect();
        assert_eq!(indices, [0, 9, 20]);
        let kind = failures[0].1.kind();
        assert!(matches!(kind, ErrorKind::Singular { pivot } if pivot > 0));
        assert!(
            inverses[3 * n * n..4 * n * n]
                .iter()
                .any(|item| item.is_nan())
        );
        assert!(
            inverses[n * n..2 * n * n]
                .iter()
                .all(|item| item.is_finite())
        );

        let mut x: Vec<f64> = numbers(count * n, 8);
        let before = x.clone();
        let failures = stack::solve(Context::default(), &a, &mut x, 1).unwrap();
        assert_eq!(failures.len(), 3);
        assert_eq!(x[9 * n..10 * n], before[9 * n..10 * n]);
        assert_ne!(x[10 * n..11 * n], before[10 * n..11 * n]);

        let mut dets = vec![1.0; count];
        assert!(
            stack::det(Context::default(), &a, &mut dets)
                .unwrap()
                .is_empty()
        );
        assert_eq!((dets[0], dets[9], dets[20]), (0.0, 0.0, 0.0));
        assert!(dets[3].is_nan());

        let mut spd = positive_definite(&items, n);
        let at = 7 * n * n + (n - 1) * (n + 1);
        spd[at] = -1.0;
        let spd = stack::Dense::new(&spd, n, n).unwrap();
        let mut factors = vec![0.0; items.len()];
        let failures = stack::cholesky(Context::default(), &spd, &mut factors).unwrap();
        assert_eq!(failures.len(), 1);
        assert_eq!(failures[0].0, 7);
        let kind = failures[0].1.kind();
        assert_eq!(kind, ErrorKind::NotPositiveDefinite { minor: n });
    }
}

#[test]
fn results_that_do_not_fit_are_errors() {
    let items = [1.0; 12];
    let a = stack::Dense::new(&items, 2, 2).unwrap();
    let mut few = [0.0; 2];
    let message = |error: nexus_linalg::Error| error.to_string();
    assert_eq!(
        message(stack::det(Context::default(), &a, &mut few).unwrap_err()),
        "cannot take the determinants of 3 2x2 matrices into 2 items"
    );
    assert_eq!(
        message(stack::matmul(Context::default(), &a, &a, &mut few).unwrap_err()),
        "cannot multiply 3 2x2 matrices by 3 2x2 ones into 2 items"
    );
    assert_eq!(
        message(stack::Dense::new(&items, 5, 2).unwrap_err()),
        "cannot take 12 items as 5x2 matrices"
    );
    let wide = stack::Dense::new(&items, 2, 3).unwrap();
    assert_eq!(
        message(stack::inv(Context::default(), &wide, &mut few).unwrap_err()),
        "cannot invert 2x3 matrices: they are not square"
    );
}

#[test]
fn strided_and_repeated_matrices_are_a_stack_too() {
    struct Repeated<'a>(MatRef<'a, f64>);
    impl Stack<f64> for Repeated<'_> {
        fn len(&self) -> usize {
            19
        }
        fn shape(&self) -> (usize, usize) {
            self.0.shape()
        }
        fn get(&self, _: usize) -> MatRef<'_, f64> {
            self.0
        }
    }
    let items: Vec<f64> = numbers(60, 3);
    let matrix = MatRef::with_strides(&items, (3, 3), (2, 9)).unwrap();
    let mut dets = [0.0; 19];
    stack::det(Context::default(), &Repeated(matrix), &mut dets).unwrap();
    let alone = dense::det(Context::default(), matrix).unwrap();
    assert_eq!(dets, [alone; 19]);
}
