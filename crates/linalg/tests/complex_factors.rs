//! Factors that are kept and contractions, of complex matrices.

use nexus_linalg::dense::{
    Ldl, Lu, Orientation, Symmetry, Triangle, cholesky, cholesky_solve, inv,
};
use nexus_linalg::tensor::{ArrayRef, einsum};
use nexus_linalg::{Complex, Context, Field, MatMut, MatRef, norm};

type C = Complex<f64>;

fn random(m: usize, n: usize, seed: usize) -> Vec<C> {
    let part = |i: usize| ((i * i + 3 * i + seed) as f64 * 0.37).sin();
    (0..m * n)
        .map(|i| C::new(part(2 * i), part(2 * i + 1)))
        .collect()
}

fn of(items: &[C], m: usize, n: usize) -> MatRef<'_, C> {
    MatRef::new(items, m, n).unwrap()
}

fn adjoint(a: &[C], m: usize, n: usize) -> Vec<C> {
    (0..m * n).map(|at| a[at % m * n + at / m].conj()).collect()
}

fn product(a: &[C], b: &[C], (m, k, n): (usize, usize, usize)) -> Vec<C> {
    let mut c = vec![C::default(); m * n];
    let view = MatMut::new(&mut c, m, n).unwrap();
    Context::default()
        .matmul(of(a, m, k), of(b, k, n), view)
        .unwrap();
    c
}

fn size(items: &[C]) -> f64 {
    norm::vector(items.iter().map(|&item| Field::abs(item)), 2.0)
}

fn distance(a: &[C], b: &[C]) -> f64 {
    size(&a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<_>>())
}

#[test]
fn kept_factors_solve_in_each_orientation() {
    for n in [1, 2, 5, 17, 40] {
        let (a, b) = (random(n, n, 1), random(n, 2, 2));
        let lu = Lu::factor(Context::default(), of(&a, n, n));
        let turned: Vec<C> = adjoint(&a, n, n).iter().map(C::conj).collect();
        let cases = [
            (Orientation::AsIs, a.clone()),
            (Orientation::Transposed, turned),
            (Orientation::Adjoint, adjoint(&a, n, n)),
        ];
        for (orientation, matrix) in cases {
            let mut x = b.clone();
            lu.solve(
                Context::default(),
                orientation,
                MatMut::new(&mut x, n, 2).unwrap(),
            )
            .unwrap();
            let residual = distance(&product(&matrix, &x, (n, n, 2)), &b);
            let bound = 10.0 * n as f64 * f64::EPSILON * (size(&a) * size(&x) + size(&b));
            assert!(
                residual <= bound,
                "{n} {orientation:?}: {residual} > {bound}"
            );
        }
        let mut inverse = vec![C::default(); n * n];
        let view = MatMut::new(&mut inverse, n, n).unwrap();
        inv(Context::default(), of(&a, n, n), view).unwrap();
        let norm_one = |a: &[C]| {
            let sum = |j: usize| (0..n).map(|i| Field::abs(a[i * n + j])).sum::<f64>();
            (0..n).map(sum).fold(0.0, f64::max)
        };
        let exact = 1.0 / norm_one(&a) / norm_one(&inverse);
        let found = lu.rcond(Context::default()).unwrap();
        assert!(
            found >= exact / 1.001 && found <= 3.0 * exact,
            "{n}: {found} for {exact}"
        );
    }
}

#[test]
fn cholesky_factors_solve_in_either_triangle() {
    for n in [1, 3, 20, 50] {
        let root = random(n, n, 4);
        let mut a = product(&root, &adjoint(&root, n, n), (n, n, n));
        (0..n).for_each(|i| a[i * n + i] += n as f64);
        let b = random(n, 2, 5);
        let mut factor = vec![C::default(); n * n];
        let view = MatMut::new(&mut factor, n, n).unwrap();
        cholesky(Context::default(), of(&a, n, n), view).unwrap();
        let upper = adjoint(&factor, n, n);
        for known in [
            (of(&factor, n, n), Triangle::Lower),
            (of(&upper, n, n), Triangle::Upper),
        ] {
            let mut x = b.clone();
            let view = MatMut::new(&mut x, n, 2).unwrap();
            cholesky_solve(Context::default(), known, view).unwrap();
            let residual = distance(&product(&a, &x, (n, n, 2)), &b);
            let bound = 10.0 * n as f64 * f64::EPSILON * (size(&a) * size(&x) + size(&b));
            assert!(residual <= bound, "{n} {:?}: {residual} > {bound}", known.1);
        }
    }
}

/// Hermitian or symmetric: random, with pivots of two rows, of low rank, graded, zero, and far from one.
fn mirrored(n: usize, symmetry: Symmetry) -> Vec<Vec<C>> {
    let items = random(n, n, 7);
    let make = |item: &dyn Fn(usize, usize) -> C| -> Vec<C> {
        let place = |at: usize| match (at / n, at % n, symmetry) {
            (i, j, Symmetry::Hermitian) if i == j => C::new(item(i, i).re, 0.0),
            (i, j, Symmetry::Hermitian) if i < j => item(j, i).conj(),
            (i, j, _) => item(i.max(j), i.min(j)),
        };
        (0..n * n).map(place).collect()
    };
    let zero = C::default();
    vec![
        make(&|i, j| items[i * n + j]),
        make(&|i, j| if i == j { zero } else { items[i * n + j] }),
        make(&|i, j| if i == j + 1 { C::new(0.0, 1.0) } else { zero }),
        make(&|i, j| {
            items[i]
                * if symmetry == Symmetry::Hermitian {
                    items[j].conj()
                } else {
                    items[j]
                }
        }),
        make(&|i, j| items[i * n + j] * 2.0_f64.powi(-((i + j) as i32))),
        make(&|_, _| zero),
        make(&|i, j| items[i * n + j] * 1e200),
    ]
}

#[test]
fn factors_of_hermitian_and_symmetric_matrices_give_them_back_and_solve() {
    let cases = [Symmetry::Hermitian, Symmetry::Symmetric]
        .into_iter()
        .flat_map(|symmetry| [1, 2, 3, 5, 17, 40].map(|n| (symmetry, n)));
    for (symmetry, n) in cases {
        for (kind, a) in mirrored(n, symmetry).iter().enumerate() {
            for triangle in [Triangle::Lower, Triangle::Upper] {
                let what = format!("{n}, kind {kind}, {symmetry:?}, {triangle:?}");
                // The triangle that is not read, and imaginary parts of a real diagonal, may hold anything.
                let read = |at: usize| match (at / n, at % n) {
                    (i, j) if i == j && symmetry == Symmetry::Hermitian => {
                        C::new(a[at].re, f64::NAN)
                    }
                    (i, j) if (j > i) == (triangle == Triangle::Lower) && i != j => C::NAN,
                    _ => a[at],
                };
                let read: Vec<C> = (0..n * n).map(read).collect();
                let ldl = Ldl::factor(of(&read, n, n), triangle, symmetry).unwrap();
                let (mut l, mut d) = (vec![C::NAN; n * n], vec![C::NAN; n * n]);
                let views = (MatMut::new(&mut l, n, n), MatMut::new(&mut d, n, n));
                ldl.unpack(views.0.unwrap(), views.1.unwrap()).unwrap();
                let mut turned = adjoint(&l, n, n);
                if symmetry == Symmetry::Symmetric {
                    for item in &mut turned {
                        *item = item.conj();
                    }
                } else {
                    assert!((0..n).all(|i| d[i * n + i].im == 0.0), "{what}");
                }
                let p = ldl.permutation();
                let exchanged: Vec<C> = (0..n * n).map(|at| a[p[at / n] * n + p[at % n]]).collect();
                let back = product(&product(&l, &d, (n, n, n)), &turned, (n, n, n));
                let error = distance(&back, &exchanged);
                let bound = 10.0 * n as f64 * f64::EPSILON * size(a) + 1e-321;
                assert!(error <= bound, "{what}: {error} > {bound}");
                let b = random(n, 2, 4);
                let mut x = b.clone();
                let solved = ldl.solve(Context::default(), MatMut::new(&mut x, n, 2).unwrap());
                if kind == 0 || kind == 6 || (kind == 1 && n > 1) {
                    solved.unwrap();
                    let residual = distance(&product(a, &x, (n, n, 2)), &b);
                    let bound = 10.0 * n as f64 * f64::EPSILON * (size(a) * size(&x) + size(&b));
                    assert!(residual <= bound, "{what}: {residual} > {bound}");
                }
            }
        }
    }
}

#[test]
fn signs_of_eigenvalues_are_counted_without_them() {
    let i = C::new(0.0, 1.0);
    // Eigenvalues 3 and -1.
    let a = [C::new(1.0, 0.0), 2.0 * i, -2.0 * i, C::new(1.0, 0.0)];
    let factor = |symmetry| Ldl::factor(of(&a, 2, 2), Triangle::Upper, symmetry).unwrap();
    assert_eq!(factor(Symmetry::Hermitian).inertia(), (1, 1, 0));
    assert_eq!(factor(Symmetry::Symmetric).inertia(), (0, 0, 0));
}

#[test]
fn contractions_take_complex_items() {
    let (a, b) = (random(7, 9, 1), random(9, 8, 2));
    let views = [
        ArrayRef::new(&a, &[7, 9], &[9, 1]).unwrap(),
        ArrayRef::new(&b, &[9, 8], &[8, 1]).unwrap(),
    ];
    let found = einsum(Context::default(), "ij,jk->ik", &views).unwrap();
    assert!(distance(found.items(), &product(&a, &b, (7, 9, 8))) < 1e-13);
    let trace = einsum(Context::default(), "ij,ij->", &[views[0], views[0]]).unwrap();
    let sum: C = a.iter().map(|item| item * item).sum();
    assert!(distance(trace.items(), &[sum]) < 1e-13);
}
