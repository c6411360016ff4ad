//! Singular vectors of wide matrices, and QR of graded ones.

use nexus_linalg::decompose::{self, Decompose};
use nexus_linalg::functions::null_space;
use nexus_linalg::{Complex, Context, Field, Float, MatMut, MatRef};
use nexus_linalg_faer::Faer;

fn of<T>(items: &[T], (m, n): (usize, usize)) -> MatRef<'_, T> {
    MatRef::new(items, m, n).unwrap()
}

fn bound<T: Field>((m, n): (usize, usize)) -> f64 {
    10.0 * m.max(n) as f64 * T::Real::EPSILON.to_f64()
}

/// The length of a sequence of numbers.
fn length<T: Field>(items: impl Iterator<Item = T> + Clone) -> f64 {
    nexus_linalg::norm::vector(items, 2.0).to_f64()
}

fn assert_orthonormal<T: Field>(q: MatRef<'_, T>, what: &str) {
    let (m, k) = q.shape();
    for i in 0..k {
        for j in 0..k {
            let sum = (0..m).fold(T::default(), |sum, l| {
                sum + q.get(l, i).conj() * q.get(l, j)
            });
            let wanted = if i == j { T::ONE } else { T::default() };
            assert!(
                (sum - wanted).abs().to_f64() <= bound::<T>((m, k)),
                "{what}: orthonormal"
            );
        }
    }
}

fn numbers<T: Field>() -> impl Iterator<Item = T> {
    let unit = |i: usize| ((i + 1) * 2_654_435_761 % 65_537) as f64 / 32_768.5 - 1.0;
    (0..).map(move |i| {
        T::from_parts(
            T::Real::from_f64(unit(i)),
            T::Real::from_f64(unit(i + 40_000)),
        )
    })
}

fn check_svd<T: Field>(items: &[T], (m, n): (usize, usize), (u_width, v_width): (usize, usize))
where
    Faer: Decompose<T>,
{
    let what = format!("{m}x{n}, {u_width} and {v_width} wide");
    let k = m.min(n);
    let mut values = vec![T::Real::default(); k];
    let (mut u, mut v) = (vec![T::NAN; m * u_width], vec![T::NAN; n * v_width]);
    let views = (
        MatMut::new(&mut u, m, u_width).unwrap(),
        MatMut::new(&mut v, n, v_width).unwrap(),
    );
    decompose::svd(
        Context::default(),
        &Faer,
        of(items, (m, n)),
        &mut values,
        Some(views),
    )
    .unwrap();
    let (u, v) = (of(&u, (m, u_width)), of(&v, (n, v_width)));
    assert_orthonormal(u, &what);
    assert_orthonormal(v, &what);
    let error = length((0..m * n).map(|at| {
        let (i, j) = (at / n, at % n);
        let sum = (0..k).fold(T::default(), |sum, l| {
            sum + (u.get(i, l) * v.get(j, l).conj()).scale(values[l])
        });
        sum - items[at]
    }));
    assert!(
        error <= bound::<T>((m, n)) * length(items.iter().copied()),
        "{what}: {error}"
    );
}

fn check_wide<T: Field>()
where
    Faer: Decompose<T>,
{
    for (m, n) in [
        (1, 40),
        (1, 65),
        (2, 129),
        (3, 86),
        (4, 64),
        (4, 65),
        (9, 92),
        (14, 132),
    ] {
        for items in [vec![T::ONE; m * n], numbers().take(m * n).collect()] {
            check_svd::<T>(&items, (m, n), (m, n));
            check_svd::<T>(&items, (m, n), (m, m));
            check_svd::<T>(&items, (n, m), (n, m));
            check_svd::<T>(&items, (n, m), (m, m));
        }
    }
}

#[test]
fn wide_matrices_have_all_their_singular_vectors() {
    check_wide::<f32>();
    check_wide::<f64>();
    check_wide::<Complex<f32>>();
    check_wide::<Complex<f64>>();
}

#[test]
fn the_null_space_of_a_few_rows_has_all_its_columns() {
    for (m, n) in [(1, 40), (1, 65), (4, 64), (10, 200)] {
        let ones = null_space(&Faer, of(&vec![1.0; m * n], (m, n)), None).unwrap();
        assert_eq!(ones.shape(), [n, n - 1]);
        assert_orthonormal(of(ones.items(), (n, n - 1)), "ones");
    }
}

/// Checks each column of `q r`, and that what is below the diagonal of `r` are zeros without a sign.
fn check_qr<T: Field>(items: &[T], (m, n): (usize, usize), what: &str)
where
    Faer: Decompose<T>,
{
    let k = m.min(n);
    for k in [k, m] {
        let what = format!("{what}, {m}x{n}, {k} wide");
        let (mut q, mut r) = (vec![T::NAN; m * k], vec![T::NAN; k * n]);
        let views = (
            MatMut::new(&mut q, m, k).unwrap(),
            MatMut::new(&mut r, k, n).unwrap(),
        );
        decompose::qr(
            Context::default(),
            &Faer,
            of(items, (m, n)),
            views.0,
            views.1,
        )
        .unwrap();
        let (q, r) = (of(&q, (m, k)), of(&r, (k, n)));
        assert_orthonormal(q, &what);
        for j in 0..n {
            let error = length((0..m).map(|i| {
                let sum = (0..k).fold(T::default(), |sum, l| sum + q.get(i, l) * r.get(l, j));
                sum - items[i * n + j]
            }));
            let size = length((0..m).map(|i| items[i * n + j]));
            assert!(
                error <= bound::<T>((m, n)) * size,
                "{what}: column {j}, {error} of {size}"
            );
            for i in j + 1..k {
                let zero = r.get(i, j);
                let (re, im) = (zero.re().to_f64(), zero.im().to_f64());
                assert_eq!(
                    (re.to_bits(), im.to_bits()),
                    (0, 0),
                    "{what}: below the diagonal"
                );
            }
        }
    }
}

fn check_graded<T: Field>()
where
    Faer: Decompose<T>,
{
    let number = |x: f64| T::from_real(T::Real::from_f64(x));
    let eps = T::Real::EPSILON.to_f64();
    for m in [3, 5, 7, 33, 60, 150] {
        let mut items = vec![T::default(); m * 2];
        let others = [(0, 0.3), (1, -0.01 / eps), (3, 1.0), (2 * m - 1, -9e-8)];
        for (at, x) in others {
            items[at] = number(x);
        }
        check_qr(&items, (m, 2), "two columns");
        items[0] = number(3.0);
        items[1] = number(-0.1 / eps);
        check_qr(&items, (m, 2), "two columns");
    }
    for (m, n) in [
        (7, 2),
        (20, 20),
        (40, 12),
        (12, 40),
        (33, 60),
        (60, 33),
        (70, 70),
        (90, 64),
    ] {
        for (rows, columns) in [(0, 0), (-1, 1), (1, -1), (-1, -1), (1, 1), (-2, 0), (0, 1)] {
            let grade = |i: usize, range: i32, len: usize| {
                10_f64.powf(f64::from(range) * 8.0 * i as f64 / len as f64)
            };
            let items: Vec<T> = numbers::<T>()
                .take(m * n)
                .enumerate()
                .map(|(at, x)| {
                    let size = grade(at / n, rows, m) * grade(at % n, columns, n);
                    x * number(size)
                })
                .collect();
            check_qr(&items, (m, n), &format!("grades {rows} and {columns}"));
            // Columns that are others again have nothing left.
            let twice: Vec<T> = (0..m * n)
                .map(|at| items[at / n * n + at % n / 3])
                .collect();
            check_qr(
                &twice,
                (m, n),
                &format!("grades {rows} and {columns}, repeated"),
            );
        }
    }
}

#[test]
fn each_column_of_a_graded_matrix_is_that_of_its_factors() {
    check_graded::<f32>();
    check_graded::<f64>();
    check_graded::<Complex<f32>>();
    check_graded::<Complex<f64>>();
}

#[test]
fn no_zero_below_the_diagonal_of_a_triangle_is_negative() {
    for n in [2, 33] {
        let items: Vec<f64> = (0..n * n)
            .map(|at| f64::from(u8::from(at / n + at % n + 1 == n)))
            .collect();
        let (mut q, mut r) = (vec![f64::NAN; n * n], vec![f64::NAN; n * n]);
        let views = (
            MatMut::new(&mut q, n, n).unwrap(),
            MatMut::new(&mut r, n, n).unwrap(),
        );
        decompose::qr(
            Context::default(),
            &Faer,
            of(&items, (n, n)),
            views.0,
            views.1,
        )
        .unwrap();
        let below = (0..n * n).filter(|at| at % n < at / n);
        assert!(below.clone().all(|at| r[at].to_bits() == 0), "{n}: {r:?}");
    }
}
