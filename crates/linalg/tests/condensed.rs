//! Reductions to condensed forms, and eigenvectors by divide and conquer: residuals, orthogonality, and the same bits
//! on any number of threads.

use nexus_linalg::condensed::{self, Item, eigenvectors, singular_vectors};
use nexus_linalg::{Context, MatMut, MatRef};
use std::num::NonZero;

/// Numbers between -1 and 1 that look random.
fn random(len: usize, seed: usize) -> Vec<f64> {
    let mut state = (seed as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) + 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    };
    (0..len).map(|_| next()).collect()
}

/// Tridiagonal matrices of order `n`: names, diagonals, and what lies beside them.
fn tridiagonal(n: usize) -> Vec<(&'static str, Vec<f64>, Vec<f64>)> {
    let (d, e) = (random(n, n), random(n - 1, n + 1000));
    let power = |i: usize| 0.5_f64.powi((100 * i / n) as i32);
    let graded =
        |items: &[f64]| -> Vec<f64> { (0..).zip(items).map(|(i, item)| item * power(i)).collect() };
    let back = |items: &[f64]| -> Vec<f64> { graded(items).into_iter().rev().collect() };
    let times = |items: &[f64], factor: f64| -> Vec<f64> {
        items.iter().map(|item| item * factor).collect()
    };
    let hills = |links: f64| {
        let d = (0..n).map(|i| ((i % 21) as f64 - 10.0).abs()).collect();
        let link = |i: usize| if i % 21 == 20 { links } else { 1.0 };
        (d, (0..n - 1).map(link).collect())
    };
    let (glued, close) = (hills(1e-8), hills(1e-14));
    let wilkinson = (0..n).map(|i| (i as f64 - (n / 2) as f64).abs()).collect();
    let near_one = d.iter().map(|item| 1.0 + 1e-14 * item).collect();
    let split = (0..n - 1).map(|i| if i % 7 == 0 { 0.0 } else { e[i] });
    vec![
        ("random", d.clone(), e.clone()),
        ("zeros", vec![0.0; n], vec![0.0; n - 1]),
        ("ones", vec![1.0; n], vec![1.0; n - 1]),
        ("identity", vec![1.0; n], vec![0.0; n - 1]),
        ("second differences", vec![2.0; n], vec![-1.0; n - 1]),
        ("zeros on the diagonal", vec![0.0; n], vec![1.0; n - 1]),
        ("Wilkinson", wilkinson, vec![1.0; n - 1]),
        ("glued Wilkinson", glued.0, glued.1),
        ("hardly glued Wilkinson", close.0, close.1),
        ("graded", graded(&d), graded(&e)),
        ("graded upwards", back(&d), back(&e)),
        ("huge", times(&d, 1e300), times(&e, 1e300)),
        ("tiny", times(&d, 1e-300), times(&e, 1e-300)),
        ("denormal", times(&d, 1e-310), times(&e, 1e-310)),
        ("clustered", near_one, times(&e, 1e-14)),
        ("weakly linked", d.clone(), times(&e, 1e-8)),
        ("strongly linked", times(&d, 1e-8), e.clone()),
        ("apart", d, split.collect()),
    ]
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Rows of length one at right angles, but for ten roundings for each row.
fn assert_orthonormal(rows: &[f64], n: usize, epsilon: f64, what: &str) {
    for (i, row) in rows.chunks_exact(n).enumerate() {
        for (j, other) in rows.chunks_exact(n).enumerate().take(i + 1) {
            let error = (dot(row, other) - f64::from(u8::from(i == j))).abs();
            assert!(
                error <= 10.0 * n as f64 * epsilon,
                "{what}: {i} and {j}, {error}"
            );
        }
    }
}

#[test]
fn vectors_of_tridiagonal_matrices_belong_to_their_values_and_threads_change_no_bit() {
    for n in [1, 2, 3, 15, 16, 17, 32, 33, 34, 65, 100, 131, 260] {
        for (kind, d, e) in tridiagonal(n) {
            let what = format!("{kind} {n}x{n}");
            let found = |threads: usize| {
                let context = Context::default().threads(NonZero::new(threads).unwrap());
                let (mut values, mut beside) = (d.clone(), e.clone());
                let mut vectors = vec![f64::NAN; n * n];
                eigenvectors(context, &mut values, &mut beside, &mut vectors).unwrap();
                (values, vectors)
            };
            let (values, vectors) = found(1);
            assert_eq!(found(2), (values.clone(), vectors.clone()), "{what}");
            assert!(values.is_sorted(), "{what}");
            assert_orthonormal(&vectors, n, f64::EPSILON, &what);
            let size = d
                .iter()
                .chain(&e)
                .fold(f64::MIN_POSITIVE, |size, item| size.max(item.abs()));
            for (value, vector) in values.iter().zip(vectors.chunks_exact(n)) {
                for i in 0..n {
                    let above = if i > 0 { e[i - 1] * vector[i - 1] } else { 0.0 };
                    let below = if i + 1 < n { e[i] * vector[i + 1] } else { 0.0 };
                    let error = (d[i] - value) * vector[i] + above + below;
                    let bound = 10.0 * n as f64 * f64::EPSILON * size;
                    assert!(error.abs() <= bound, "{what}, row {i}: {error}");
                }
            }
        }
    }
}

#[test]
fn vectors_of_bidiagonal_matrices_belong_to_their_values_and_threads_change_no_bit() {
    for n in [1, 2, 3, 15, 16, 17, 18, 32, 33, 34, 65, 100, 131, 260] {
        for (kind, d, e) in tridiagonal(n) {
            let what = format!("{kind} {n}x{n}");
            let found = |threads: usize| {
                let context = Context::default().threads(NonZero::new(threads).unwrap());
                let (mut values, mut above) = (d.clone(), e.clone());
                let (mut left, mut right) = (vec![f64::NAN; n * n], vec![f64::NAN; n * n]);
                let both = (&mut left[..], &mut right[..]);
                singular_vectors(context, &mut values, &mut above, both).unwrap();
                (values, left, right)
            };
            let (values, left, right) = found(1);
            assert_eq!(
                found(2),
                (values.clone(), left.clone(), right.clone()),
                "{what}"
            );
            assert!(
                values.is_sorted_by(|a, b| a >= b && *b >= 0.0),
                "{what}: {values:?}"
            );
            assert_orthonormal(&left, n, f64::EPSILON, &what);
            assert_orthonormal(&right, n, f64::EPSILON, &what);
            let size = d
                .iter()
                .chain(&e)
                .fold(f64::MIN_POSITIVE, |size, item| size.max(item.abs()));
            let bound = 10.0 * n as f64 * f64::EPSILON * size;
            let pairs = left.chunks_exact(n).zip(right.chunks_exact(n));
            for (value, (u, v)) in values.iter().zip(pairs) {
                for i in 0..n {
                    let beside = if i + 1 < n { e[i] * v[i + 1] } else { 0.0 };
                    let error = d[i] * v[i] + beside - value * u[i];
                    assert!(error.abs() <= bound, "{what}, row {i}: {error}");
                    let above = if i > 0 { e[i - 1] * u[i - 1] } else { 0.0 };
                    let error = d[i] * u[i] + above - value * v[i];
                    assert!(error.abs() <= bound, "{what}, column {i}: {error}");
                }
            }
        }
    }
}

/// Square matrices by rows, far from overflow.
fn dense(n: usize) -> Vec<(&'static str, Vec<f64>)> {
    let noise = random(n * n, n);
    let at = |f: &dyn Fn(usize, usize) -> f64| (0..n * n).map(|k| f(k / n, k % n)).collect();
    let power = |i: usize| 0.5_f64.powi((60 * i / n) as i32);
    vec![
        ("random", noise.clone()),
        ("graded", at(&|i, j| noise[i * n + j] * power(i) * power(j))),
        (
            "graded upwards",
            at(&|i, j| noise[i * n + j] * power(n - 1 - i) * power(n - 1 - j)),
        ),
        ("of rank one", at(&|i, j| noise[i] * noise[j])),
        (
            "of rank two",
            at(&|i, j| noise[i] * noise[j] + 1e-20 * noise[n - 1 - i] * noise[n - 1 - j]),
        ),
        ("Hilbert", at(&|i, j| 1.0 / (i + j + 1) as f64)),
        (
            "clustered",
            at(&|i, j| f64::from(u8::from(i == j)) + 1e-7 * noise[i * n + j]),
        ),
        (
            "tridiagonal",
            at(&|i, j| if i.abs_diff(j) < 2 { noise[i + j] } else { 0.0 }),
        ),
        (
            "one item",
            at(&|i, j| if (i, j) == (n - 1, n / 2) { 1.0 } else { 0.0 }),
        ),
        (
            "nearly zeros beside",
            at(&|i, j| {
                if i == j {
                    noise[i]
                } else {
                    1e-30 * noise[i * n + j]
                }
            }),
        ),
        ("zeros", vec![0.0; n * n]),
        ("ones", vec![1.0; n * n]),
    ]
}

fn check<T: Item>(to: impl Fn(f64) -> T) {
    let epsilon = T::EPSILON.to_f64();
    for n in [1, 2, 3, 4, 7, 8, 9, 16, 17, 33, 40, 97] {
        for (kind, items) in dense(n) {
            let what = format!("{kind} {n}x{n}");
            // What is above the diagonal is not read.
            let lower: Vec<T> = (0..n * n)
                .map(|k| if k % n > k / n { T::NAN } else { to(items[k]) })
                .collect();
            let symmetric = |i: usize, j: usize| lower[i.max(j) * n + i.min(j)].to_f64();
            let a = MatRef::new(&lower, n, n).unwrap();
            let mut values = vec![to(0.0); n];
            let mut vectors = vec![T::NAN; n * n];
            let columns = MatMut::with_strides(&mut vectors, (n, n), (1, n)).unwrap();
            condensed::eigh(Context::default(), a, &mut values, Some(columns)).unwrap();
            let rows: Vec<f64> = vectors.iter().map(|item| item.to_f64()).collect();
            assert_orthonormal(&rows, n, epsilon, &what);
            let squares = (0..n * n).map(|k| symmetric(k / n, k % n).powi(2));
            let size = squares.sum::<f64>().sqrt();
            let bound = 10.0 * n as f64 * epsilon * size;
            for (value, vector) in values.iter().zip(rows.chunks_exact(n)) {
                for i in 0..n {
                    let product: f64 = (0..n).map(|j| symmetric(i, j) * vector[j]).sum();
                    let error = (product - value.to_f64() * vector[i]).abs();
                    assert!(error <= bound, "{what}, row {i}: {error}");
                }
            }
            let mut alone = vec![to(0.0); n];
            condensed::eigh(Context::default(), a, &mut alone, None).unwrap();
            for (alone, value) in alone.iter().zip(&values) {
                let apart = (alone.to_f64() - value.to_f64()).abs();
                assert!(apart <= bound, "{what}: {alone} for {value}");
            }
        }
    }
}

#[test]
fn dense_symmetric_matrices_have_vectors_that_belong_to_their_values() {
    check(|x| x);
    check(|x| x as f32);
}

/// Vectors of both widths belong to the values.
fn check_vectors<T: Item>(a: MatRef<'_, T>, alone: &[T], what: &str) {
    let (m, n) = a.shape();
    let epsilon = T::EPSILON.to_f64();
    let size = alone.iter().fold(0.0, |most, x| x.to_f64().max(most));
    let bound = 20.0 * m as f64 * epsilon * size;
    for width in [n, m] {
        let mut values = vec![T::default(); n];
        let (mut u, mut v) = (vec![T::NAN; width * m], vec![T::NAN; n * n]);
        let left = MatMut::with_strides(&mut u, (m, width), (1, m)).unwrap();
        let right = MatMut::with_strides(&mut v, (n, n), (1, n)).unwrap();
        condensed::svd(Context::default(), a, &mut values, Some((left, right))).expect(what);
        let plain = |items: Vec<T>| items.iter().map(|x| x.to_f64()).collect::<Vec<_>>();
        let (u, v) = (plain(u), plain(v));
        assert_orthonormal(&u, m, epsilon, what);
        assert_orthonormal(&v, n, epsilon, what);
        for (value, alone) in values.iter().zip(alone) {
            let apart = (value.to_f64() - alone.to_f64()).abs();
            assert!(apart <= bound, "{what}: {value} for {alone}");
        }
        for i in 0..m {
            for j in 0..n {
                let item = |k: usize| u[k * m + i] * values[k].to_f64() * v[k * n + j];
                let error = (0..n).map(item).sum::<f64>() - a.get(i, j).to_f64();
                assert!(error.abs() <= bound, "{what}, item {i}, {j}: {error}");
            }
        }
    }
}

/// The singular values are the absolute values of those of the symmetric matrix with `a` and its transpose in its
/// corners.
fn check_singular<T: Item>(to: impl Fn(f64) -> T) {
    for (m, n) in [
        (1, 1),
        (2, 1),
        (2, 2),
        (3, 2),
        (5, 4),
        (8, 8),
        (9, 9),
        (17, 13),
        (40, 33),
        (97, 40),
        (131, 131),
    ] {
        for (kind, items) in dense(m) {
            let what = format!("{kind} {m}x{n}");
            let a: Vec<T> = (0..m * n).map(|k| to(items[k / n * m + k % n])).collect();
            let view = MatRef::new(&a, m, n).unwrap();
            let (mut values, mut wide) = (vec![to(0.0); n], vec![to(0.0); n]);
            condensed::svd(Context::default(), view, &mut values, None).unwrap();
            condensed::svd(Context::default(), view.transpose(), &mut wide, None).unwrap();
            assert!(m == n || values == wide, "{what}");
            check_vectors(view, &values, &what);
            let order = m + n;
            let mut both = vec![0.0; order * order];
            for i in 0..m {
                for j in 0..n {
                    both[(n + i) * order + j] = view.get(i, j).to_f64();
                }
            }
            let mut pairs = vec![0.0; order];
            let both = MatRef::new(&both, order, order).unwrap();
            condensed::eigh(Context::default(), both, &mut pairs, None).unwrap();
            let bound = 10.0 * m as f64 * T::EPSILON.to_f64() * pairs[order - 1].abs();
            for (value, expected) in values.iter().zip(pairs.iter().rev()) {
                let apart = (value.to_f64() - expected).abs();
                assert!(apart <= bound, "{what}: {value} for {expected}");
            }
        }
    }
}

#[test]
fn singular_values_are_eigenvalues_of_the_matrix_with_both_transposes() {
    check_singular(|x| x);
    check_singular(|x| x as f32);
}

#[test]
fn triangles_have_the_columns_of_their_matrices_and_threads_change_no_bit() {
    for (m, n) in [
        (1, 1),
        (3, 2),
        (2, 5),
        (40, 40),
        (65, 64),
        (200, 70),
        (90, 200),
    ] {
        for (kind, items) in dense(m.max(n)) {
            let what = format!("{kind} {m}x{n}");
            let a = MatRef::with_strides(&items, (m, n), (m.max(n), 1)).unwrap();
            for width in [m, m.min(n)] {
                let found = |threads: usize| {
                    let context = Context::default().threads(NonZero::new(threads).unwrap());
                    let (mut q, mut r) = (vec![f64::NAN; width * m], vec![f64::NAN; width * n]);
                    let columns = MatMut::with_strides(&mut q, (m, width), (1, m)).unwrap();
                    let view = MatMut::new(&mut r, width, n).unwrap();
                    condensed::qr(context, a, Some(columns), view);
                    let mut alone = vec![f64::NAN; width * n];
                    condensed::qr(context, a, None, MatMut::new(&mut alone, width, n).unwrap());
                    assert_eq!(alone, r, "{what}");
                    (q, r)
                };
                let (q, r) = found(1);
                assert_eq!(found(3), (q.clone(), r.clone()), "{what}");
                assert_orthonormal(&q, m, f64::EPSILON, &what);
                for j in 0..n {
                    let size = (0..m).map(|i| a.get(i, j).abs()).fold(0.0, f64::max);
                    for i in 0..m {
                        let sum: f64 = (0..width).map(|k| q[k * m + i] * r[k * n + j]).sum();
                        let error = (sum - a.get(i, j)).abs();
                        let bound = 10.0 * m as f64 * f64::EPSILON * size;
                        assert!(error <= bound, "{what}, item {i}, {j}: {error}");
                    }
                    assert!((j + 1..width).all(|i| r[i * n + j] == 0.0), "{what}");
                }
            }
        }
    }
}
