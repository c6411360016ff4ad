//! QR of small matrices, alone and in stacks: orthonormal columns, small residuals, one sign, and the same bits.

use nexus_linalg::stack::{self, Stack};
use nexus_linalg::{Context, ErrorKind, Float, MatMut, MatRef, decompose};
use nexus_linalg_faer::Faer;
use std::num::NonZero;

/// Rows and columns on both sides of those where the small ones end.
const SHAPES: [(usize, usize); 14] = [
    (1, 1),
    (2, 2),
    (4, 4),
    (4, 2),
    (1, 4),
    (3, 5),
    (5, 5),
    (16, 16),
    (16, 7),
    (17, 16),
    (31, 32),
    (32, 32),
    (33, 20),
    (33, 33),
];

/// A matrix of numbers in (-1, 1), graded, of rank one, zero, triangular, with a column of zeros, or with a column
/// whose squares vanish.
fn matrices<T: Float>(count: usize, (m, n): (usize, usize)) -> Vec<T> {
    let mut state = 88_172_645_463_325_252_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    };
    let tiny = T::MIN_POSITIVE.to_f64() * 8.0;
    let mut items = Vec::new();
    for index in 0..count {
        for i in 0..m {
            for j in 0..n {
                let value = next();
                items.push(T::from_f64(match index % 8 {
                    1 => value * 2_f64.powi(-(i as i32) - 2 * j as i32),
                    2 => 1.0,
                    3 => 0.0,
                    4 if i > j => 0.0,
                    5 if j == n / 2 => 0.0,
                    6 if j == 0 => value * tiny,
                    _ => value,
                }));
            }
        }
    }
    items
}

/// Checks that `q r` is `a`, that the columns of `q` are orthonormal and that `r` is an upper triangle whose diagonal is not
/// negative.
fn check<T: Float>(a: MatRef<'_, T>, q: MatRef<'_, T>, r: MatRef<'_, T>, what: &str) {
    let ((m, n), (_, k)) = (a.shape(), q.shape());
    let bound = 10.0 * m.max(n) as f64 * T::EPSILON.to_f64();
    for i in 0..m {
        for j in 0..n {
            let sum: f64 = (0..k)
                .map(|l| q.get(i, l).to_f64() * r.get(l, j).to_f64())
                .sum();
            assert!((sum - a.get(i, j).to_f64()).abs() <= bound, "{what}: q r");
        }
    }
    for i in 0..k {
        for j in 0..k {
            let sum: f64 = (0..m)
                .map(|l| q.get(l, i).to_f64() * q.get(l, j).to_f64())
                .sum();
            let wanted = f64::from(u8::from(i == j));
            assert!((sum - wanted).abs() <= bound, "{what}: q^T q");
        }
        for j in 0..n.min(i) {
            assert_eq!(r.get(i, j), T::default(), "{what}: below the diagonal");
        }
        assert!(i >= n || r.get(i, i) >= T::default(), "{what}: a sign");
    }
}

fn each_matrix_of_a_stack_is_factored_as_it_is_alone<T: Float>()
where
    Faer: decompose::Decompose<T>,
{
    for (m, n) in SHAPES {
        for width in [m.min(n), m] {
            for (count, threads) in [(1, 1), (8, 1), (27, 1), (27, 2)] {
                let what = format!("{count} of {m}x{n}, {width} wide");
                let items: Vec<T> = matrices(count, (m, n));
                let a = stack::Dense::new(&items, m, n).unwrap();
                let mut q = vec![T::NAN; count * m * width];
                let mut r = vec![T::NAN; count * width * n];
                let context = Context::default().threads(NonZero::new(threads).unwrap());
                let failures = stack::qr(context, &Faer, &a, width, (&mut q, &mut r)).unwrap();
                assert!(failures.is_empty());
                let each = q.chunks(m * width).zip(r.chunks(width * n));
                for (index, (q, r)) in each.enumerate() {
                    let (mut one, mut two) = (vec![T::NAN; q.len()], vec![T::NAN; r.len()]);
                    let views = (
                        MatMut::new(&mut one, m, width).unwrap(),
                        MatMut::new(&mut two, width, n).unwrap(),
                    );
                    decompose::qr(Context::default(), &Faer, a.get(index), views.0, views.1)
                        .unwrap();
                    assert_eq!((&one[..], &two[..]), (q, r), "{index} of {what}");
                    let (q, r) = (MatRef::new(q, m, width), MatRef::new(r, width, n));
                    check(a.get(index), q.unwrap(), r.unwrap(), &what);
                }
            }
        }
    }
}

#[test]
fn each_f64_matrix_of_a_stack_is_factored_as_it_is_alone() {
    each_matrix_of_a_stack_is_factored_as_it_is_alone::<f64>();
}

#[test]
fn each_f32_matrix_of_a_stack_is_factored_as_it_is_alone() {
    each_matrix_of_a_stack_is_factored_as_it_is_alone::<f32>();
}

#[test]
fn numbers_near_the_ends_of_the_range_are_factored_in_a_stack_too() {
    for scale in [1e-300, 1e-160, 1e160, 1e300] {
        let items: Vec<f64> = matrices::<f64>(2, (3, 3))
            .iter()
            .map(|x| x * scale)
            .collect();
        let a = stack::Dense::new(&items, 3, 3).unwrap();
        let (mut q, mut r) = ([0.0; 18], [0.0; 18]);
        let failures = stack::qr(Context::default(), &Faer, &a, 3, (&mut q, &mut r)).unwrap();
        assert!(failures.is_empty());
        let back: Vec<f64> = items[..9].iter().map(|x| x / scale).collect();
        let r: Vec<f64> = r[..9].iter().map(|x| x / scale).collect();
        let of = |items| MatRef::new(items, 3, 3).unwrap();
        check(of(&back), of(&q[..9]), of(&r), "scaled");
    }
}

#[test]
fn nan_spreads_in_one_matrix_and_an_infinity_fails_alone() {
    let mut items: Vec<f32> = matrices(20, (3, 2));
    items[2 * 6] = f32::NAN;
    items[7 * 6 + 3] = f32::INFINITY;
    let a = stack::Dense::new(&items, 3, 2).unwrap();
    let (mut q, mut r) = (vec![0.0; 20 * 6], vec![0.0; 20 * 4]);
    let failures = stack::qr(Context::default(), &Faer, &a, 2, (&mut q, &mut r)).unwrap();
    assert_eq!(failures.len(), 1);
    assert_eq!(failures[0].0, 7);
    assert_eq!(failures[0].1.kind(), ErrorKind::Infinite { at: (1, 1) });
    assert!(q[12..18].iter().chain(&r[8..12]).all(|item| item.is_nan()));
    assert!(q[18..24].iter().all(|item| item.is_finite()));
}

/// Matrices of two rows and no column.
struct Empty;

impl Stack<f64> for Empty {
    fn len(&self) -> usize {
        2
    }
    fn shape(&self) -> (usize, usize) {
        (2, 0)
    }
    fn get(&self, _: usize) -> MatRef<'_, f64> {
        MatRef::new(&[], 2, 0).unwrap()
    }
}

#[test]
fn factors_that_do_not_fit_are_errors_and_those_of_nothing_are_identities() {
    let items = [1.0_f64; 12];
    let a = stack::Dense::new(&items, 3, 2).unwrap();
    let (mut q, mut r) = ([0.0; 12], [0.0; 8]);
    let error = stack::qr(Context::default(), &Faer, &a, 1, (&mut q, &mut r)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot factor 2 3x2 matrices, 1 columns wide, into 12 and 8 items"
    );

    let mut q = [5.0; 8];
    stack::qr(Context::default(), &Faer, &Empty, 2, (&mut q, &mut [])).unwrap();
    assert_eq!(q, [1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0]);
}
