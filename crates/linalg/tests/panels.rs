//! Factors of matrices around the edges of leaves, blocks and panels.

use nexus_linalg::dense::{Diagonal, Lu, Triangle, cholesky, inv, solve_triangular};
use nexus_linalg::{Complex, Context, ErrorKind, Field, Float, MatMut, MatRef};
use std::num::NonZero;

/// Numbers in (-1, 1), the same for the same seed.
fn numbers<T: Field>(count: usize, seed: u64) -> Vec<T> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        T::Real::from_f64((state >> 11) as f64 / (1_u64 << 52) as f64 - 1.0)
    };
    (0..count).map(|_| T::from_parts(next(), next())).collect()
}

fn contexts() -> [Context; 2] {
    [1, 3].map(|threads| Context::default().threads(NonZero::new(threads).unwrap()))
}

fn product<T: Field>(a: MatRef<'_, T>, b: MatRef<'_, T>) -> Vec<T> {
    let ((m, _), (_, n)) = (a.shape(), b.shape());
    let mut c = vec![T::default(); m * n];
    let view = MatMut::new(&mut c, m, n).unwrap();
    Context::default().matmul(a, b, view).unwrap();
    c
}

/// The largest distance of items, in units of the rounding of so many sums.
fn distance<T: Field>(a: impl Iterator<Item = T>, b: &[T], sums: usize) -> f64 {
    let pairs = a.zip(b);
    let largest = pairs.fold(0.0_f64, |most, (a, &b)| most.max((a - b).abs().to_f64()));
    largest / (sums as f64 * T::Real::EPSILON.to_f64())
}

fn check_lu<T: Field>() {
    let shapes = [
        (17, 17),
        (48, 49),
        (95, 96),
        (96, 97),
        (97, 97),
        (96, 200),
        (97, 150),
        (200, 97),
        (145, 144),
        (300, 50),
        (50, 300),
        (260, 257),
        (1, 200),
        (200, 1),
    ];
    for (m, n) in shapes {
        let items: Vec<T> = numbers(m * n, (m * n) as u64);
        let a = MatRef::new(&items, m, n).unwrap();
        let [one, three] = contexts().map(|context| Lu::factor(context, a));
        assert_eq!(one.permutation(), three.permutation(), "{m}x{n}");
        let packed = one.packed().data();
        assert_eq!(packed, three.packed().data(), "{m}x{n}");
        let k = m.min(n);
        let (mut l, mut u) = (vec![T::default(); m * k], vec![T::default(); k * n]);
        one.unpack(
            MatMut::new(&mut l, m, k).unwrap(),
            MatMut::new(&mut u, k, n).unwrap(),
        )
        .unwrap();
        let limit = if T::IS_COMPLEX { 1.5 } else { 1.0 };
        assert!(l.iter().all(|item| item.abs().to_f64() <= limit), "{m}x{n}");
        let back = product(
            MatRef::new(&l, m, k).unwrap(),
            MatRef::new(&u, k, n).unwrap(),
        );
        let rows = one
            .permutation()
            .iter()
            .flat_map(|&row| a.row(row).copied());
        assert!(distance(rows, &back, 10 * k) <= 10.0, "{m}x{n}");
    }
}

#[test]
fn the_factors_of_any_shape_give_the_matrix_back_and_do_not_depend_on_threads() {
    check_lu::<f64>();
    check_lu::<f32>();
    check_lu::<Complex<f64>>();
}

fn check_cholesky<T: Field>() {
    for n in [5, 7, 8, 16, 23, 63, 64, 65, 95, 96, 97, 128, 161, 193, 300] {
        let half: Vec<T> = numbers(n * n, n as u64);
        let adjoint: Vec<T> = (0..n * n)
            .map(|at| half[at % n * n + at / n].conj())
            .collect();
        let of = |items| MatRef::new(items, n, n).unwrap();
        let mut a = product(of(&half), of(&adjoint));
        a.iter_mut()
            .step_by(n + 1)
            .for_each(|item| *item = *item + T::ONE);
        let factors = contexts().map(|context| {
            let mut l = vec![T::NAN; n * n];
            cholesky(context, of(&a), MatMut::new(&mut l, n, n).unwrap()).unwrap();
            l
        });
        assert_eq!(factors[0], factors[1], "{n}");
        let l = &factors[0];
        let adjoint: Vec<T> = (0..n * n).map(|at| l[at % n * n + at / n].conj()).collect();
        let back = product(of(l), of(&adjoint));
        assert!(distance(a.iter().copied(), &back, n * n) <= 10.0, "{n}");
        assert!((0..n).all(|i| {
            l[i * n + i + 1..(i + 1) * n]
                .iter()
                .all(|&item| item == T::default())
        }));
        // By columns, from columns.
        let turned: Vec<T> = (0..n * n).map(|at| a[at % n * n + at / n]).collect();
        let mut columns = vec![T::NAN; n * n];
        let view = MatMut::new(&mut columns, n, n).unwrap().transpose();
        cholesky(Context::default(), of(&turned).transpose(), view).unwrap();
        assert!(
            (0..n * n).all(|at| columns[at % n * n + at / n] == l[at]),
            "{n}"
        );
        for minor in [1, n / 2 + 1, n] {
            let mut a = a.clone();
            a[(minor - 1) * (n + 1)] = -T::ONE;
            let mut same = vec![T::ONE; n * n];
            let view = MatMut::new(&mut same, n, n).unwrap();
            let a = MatRef::new(&a, n, n).unwrap();
            let error = cholesky(Context::default(), a, view).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotPositiveDefinite { minor });
            assert!(same.iter().all(|&item| item == T::ONE));
        }
    }
}

#[test]
fn cholesky_factors_around_blocks_give_the_matrix_back_in_any_layout() {
    check_cholesky::<f64>();
    check_cholesky::<f32>();
    check_cholesky::<Complex<f64>>();
}

#[test]
fn triangles_around_leaves_are_solved_for_any_number_of_columns_with_the_same_bits() {
    for n in [1, 3, 4, 5, 63, 64, 65, 130] {
        let mut items: Vec<f64> = numbers(n * n, 9);
        for item in &mut items {
            *item /= n as f64;
        }
        items
            .iter_mut()
            .step_by(n + 1)
            .for_each(|item| *item += 2.0);
        let a = MatRef::new(&items, n, n).unwrap();
        for triangle in [Triangle::Lower, Triangle::Upper] {
            for diagonal in [Diagonal::Stored, Diagonal::Ones] {
                let b: Vec<f64> = numbers(n * 30, 4);
                let mut x = b.clone();
                let view = MatMut::new(&mut x, n, 30).unwrap();
                solve_triangular(Context::default(), a, (triangle, diagonal), view).unwrap();
                // A product with one column has an order of its own.
                let least = if n > 64 { 2 } else { 1 };
                for columns in [least, 2, 4, 5, 11, 12, 13, 29] {
                    let part = |items: &[f64]| -> Vec<f64> {
                        items
                            .chunks(30)
                            .flat_map(|row| row[..columns].to_vec())
                            .collect()
                    };
                    let mut fewer = part(&b);
                    let view = MatMut::new(&mut fewer, n, columns).unwrap();
                    solve_triangular(Context::default(), a, (triangle, diagonal), view).unwrap();
                    assert_eq!(fewer, part(&x), "{n}, {columns} columns");
                }
                let item = |i: usize, j: usize| match (i == j, triangle) {
                    (true, _) if diagonal == Diagonal::Ones => 1.0,
                    (true, _) => items[i * n + j],
                    (false, Triangle::Lower) if i > j => items[i * n + j],
                    (false, Triangle::Upper) if i < j => items[i * n + j],
                    _ => 0.0,
                };
                let whole: Vec<f64> = (0..n * n).map(|at| item(at / n, at % n)).collect();
                let back = product(
                    MatRef::new(&whole, n, n).unwrap(),
                    MatRef::new(&x, n, 30).unwrap(),
                );
                assert!(distance(b.iter().copied(), &back, 10 * n) <= 10.0, "{n}");
            }
        }
    }
}

#[test]
fn inverses_around_panels_times_their_matrices_are_the_identity() {
    for n in [17, 48, 65, 96, 97, 150] {
        let mut items: Vec<f64> = numbers(n * n, 2);
        items
            .iter_mut()
            .step_by(n + 1)
            .for_each(|item| *item += n as f64);
        let mut inverse = vec![f64::NAN; n * n];
        let a = MatRef::new(&items, n, n).unwrap();
        inv(
            Context::default(),
            a,
            MatMut::new(&mut inverse, n, n).unwrap(),
        )
        .unwrap();
        let back = product(a, MatRef::new(&inverse, n, n).unwrap());
        let identity = (0..n * n).map(|at| f64::from(u8::from(at % (n + 1) == 0)));
        assert!(distance(identity, &back, n) <= 10.0, "{n}");
    }
}

#[test]
fn pivots_without_an_inverse_divide_exactly() {
    for size in [f64::from_bits(1), f64::MIN_POSITIVE, f64::MAX] {
        let items = [size, 0.0, 0.0, 0.0, 0.0]
            .into_iter()
            .cycle()
            .enumerate()
            .take(36)
            .map(|(at, _)| {
                if at / 6 >= at % 6 && at % 6 == 0 || at % 7 == 0 {
                    size
                } else {
                    0.0
                }
            })
            .collect::<Vec<_>>();
        let lu = Lu::factor(Context::default(), MatRef::new(&items, 6, 6).unwrap());
        assert!((1..6).all(|i| lu.packed().get(i, 0) == 1.0), "{size}");
    }
}
