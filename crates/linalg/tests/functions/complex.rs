//! Functions of complex matrices: those of real ones of twice the size, in which `x + iy` is `[[x, -y], [y, x]]`.

use super::{distance, of, random, real, size};
use nexus_linalg::functions::{RealOrComplex, expm, logm, sqrtm, sylvester};
use nexus_linalg::{Complex, Context, ErrorKind, Field, MatMut};

type C = Complex<f64>;

fn matrix(m: usize, n: usize, seed: usize) -> Vec<C> {
    let parts = random(m, 2 * n, seed);
    parts
        .chunks_exact(2)
        .map(|part| C::new(part[0], part[1]))
        .collect()
}

/// With eigenvalues off the negative axis.
fn shifted(n: usize, seed: usize) -> Vec<C> {
    let mut items = matrix(n, n, seed);
    items
        .iter_mut()
        .step_by(n + 1)
        .for_each(|item| item.re += 2.0 * n as f64);
    items
}

fn twice(items: &[C], n: usize) -> Vec<f64> {
    let m = items.len() / n;
    let item = |at: usize| {
        let (i, j) = (at / (2 * n), at % (2 * n));
        let item = items[(i % m) * n + j % n];
        match (i < m, j < n) {
            (true, true) | (false, false) => item.re,
            (true, false) => -item.im,
            (false, true) => item.im,
        }
    };
    (0..4 * m * n).map(item).collect()
}

fn items(value: RealOrComplex<f64>) -> Vec<C> {
    match value {
        RealOrComplex::Complex(array) => array.into_items(),
        RealOrComplex::Real(_) => panic!("real"),
    }
}

#[test]
fn complex_matrices_have_the_functions_of_real_ones_of_twice_the_size() {
    let context = Context::default();
    for n in [1, 2, 3, 9, 17, 30] {
        let check = |found: &[C], exact: &[f64], what: &str| {
            let error = distance(&twice(found, n), exact) / size(exact);
            assert!(error <= 1e-12, "{what}, {n}: {error}");
        };
        let (a, wide) = (shifted(n, 1), twice(&shifted(n, 1), n));
        let (a, wide) = (of(&a, n, n), of(&wide, 2 * n, 2 * n));
        check(
            &items(sqrtm(context, a).unwrap()),
            &real(sqrtm(context, wide).unwrap()),
            "sqrt",
        );
        check(
            &items(logm(context, a).unwrap()),
            &real(logm(context, wide).unwrap()),
            "log",
        );
        for size in [1e-3, 1.0, 10.0] {
            let a: Vec<C> = matrix(n, n, 2)
                .into_iter()
                .map(|item| item * size)
                .collect();
            let (mut found, mut exact) = (vec![C::default(); n * n], vec![0.0; 4 * n * n]);
            let wide = twice(&a, n);
            let result = MatMut::new(&mut found, n, n).unwrap();
            expm(context, of(&a, n, n), result).unwrap();
            let result = MatMut::new(&mut exact, 2 * n, 2 * n).unwrap();
            expm(context, of(&wide, 2 * n, 2 * n), result).unwrap();
            check(&found, &exact, "exp");
        }
    }
}

#[test]
fn complex_triangles_have_exact_diagonals() {
    let (x, y) = (C::new(1.0, 2.0), C::new(1.0 + 1e-9, 2.0));
    let a = [x, C::new(1e9, 0.0), C::default(), y];
    let mut found = [C::default(); 4];
    let result = MatMut::new(&mut found, 2, 2).unwrap();
    expm(Context::default(), of(&a, 2, 2), result).unwrap();
    let exact = |z: C| C::new(z.im.cos(), z.im.sin()) * z.re.exp();
    let corner = exact((x + y) / 2.0) * 1e9;
    assert!((found[0] - exact(x)).norm_sqr() < 1e-29 && (found[3] - exact(y)).norm_sqr() < 1e-29);
    assert!((found[1] - corner).norm_sqr() / corner.norm_sqr() < 1e-29);
}

#[test]
fn complex_equations_of_sylvester_have_small_residuals() {
    for (m, n) in [(1, 1), (5, 3), (20, 33)] {
        let (a, b, c) = (shifted(m, 3), shifted(n, 4), matrix(m, n, 5));
        let mut x = vec![C::default(); m * n];
        let context = Context::default();
        let result = MatMut::new(&mut x, m, n).unwrap();
        sylvester(context, (of(&a, m, m), of(&b, n, n)), of(&c, m, n), result).unwrap();
        let left = super::product(of(&a, m, m), of(&x, m, n));
        let right = super::product(of(&x, m, n), of(&b, n, n));
        let sum: Vec<C> = left.iter().zip(&right).map(|(x, y)| x + y).collect();
        let bound = 10.0 * (m + n) as f64 * f64::EPSILON * size(&x) * (size(&a) + size(&b));
        assert!(distance(&sum, &c) <= bound, "{m}x{n}");
    }
}

#[test]
fn complex_nan_spreads_and_an_infinity_is_an_error() {
    let context = Context::default();
    let (mut a, mut result) = (matrix(3, 3, 6), [C::default(); 9]);
    a[4] = C::new(0.0, f64::NAN);
    assert!(
        items(sqrtm(context, of(&a, 3, 3)).unwrap())
            .iter()
            .all(|item| item.re.is_nan())
    );
    expm(
        context,
        of(&a, 3, 3),
        MatMut::new(&mut result, 3, 3).unwrap(),
    )
    .unwrap();
    assert!(result.iter().all(|item| Field::is_nan(*item)));
    a[4] = C::new(0.0, f64::INFINITY);
    let error = logm(context, of(&a, 3, 3)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Infinite { at: (1, 1) });
    let huge: Vec<C> = shifted(3, 7).iter().map(|item| item * 1e300).collect();
    let root = items(sqrtm(context, of(&huge, 3, 3)).unwrap());
    assert!(
        distance(&super::product(of(&root, 3, 3), of(&root, 3, 3)), &huge) <= 1e-13 * size(&huge)
    );
}
