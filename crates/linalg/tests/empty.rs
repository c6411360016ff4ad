//! Matrices without rows, columns or right sides, and views of them whose strides are those of what they were cut
//! from: every operation ends without a panic, with results of the right shapes.

use nexus_linalg::dense::{
    Diagonal, Ldl, Lu, Orientation, Symmetry, Triangle, cholesky, cholesky_solve, det, inv,
    slogdet, solve, solve_triangular,
};
use nexus_linalg::tensor::{ArrayRef, einsum};
use nexus_linalg::{Complex, Context, Error, ErrorKind, Field, MatMut, MatRef, stack};

const ORDERS: [usize; 6] = [0, 1, 2, 4, 5, 70];

fn identity<T: Field>(n: usize) -> Vec<T> {
    let one = |at: usize| at / n == at % n;
    let item = |at| if one(at) { T::ONE } else { T::default() };
    (0..n * n).map(item).collect()
}

type Solver<T> = fn(MatRef<'_, T>, MatMut<'_, T>) -> Result<(), Error>;

fn solvers<T: Field>() -> [(&'static str, Solver<T>); 7] {
    fn stored(triangle: Triangle) -> (Triangle, Diagonal) {
        (triangle, Diagonal::Stored)
    }
    [
        ("solve", |a, b| solve(Context::default(), a, b)),
        ("lower", |a, b| {
            solve_triangular(Context::default(), a, stored(Triangle::Lower), b)
        }),
        ("upper", |a, b| {
            solve_triangular(Context::default(), a, stored(Triangle::Upper), b)
        }),
        ("cholesky", |a, b| {
            cholesky_solve(Context::default(), (a, Triangle::Lower), b)
        }),
        ("lu", |a, b| {
            Lu::factor(Context::default(), a).solve(Context::default(), Orientation::AsIs, b)
        }),
        ("lu, adjoint", |a, b| {
            Lu::factor(Context::default(), a).solve(Context::default(), Orientation::Adjoint, b)
        }),
        ("ldl", |a, b| {
            Ldl::factor(a, Triangle::Lower, Symmetry::Hermitian)?.solve(Context::default(), b)
        }),
    ]
}

/// Solves for no right side, by rows, by columns, and in a view without items but with strides.
fn check_solvers<T: Field>() {
    for n in ORDERS {
        let a = identity::<T>(n);
        let singular = vec![T::default(); n * n];
        for (name, solver) in solvers::<T>() {
            for strides in [(0, 1), (1, n), (3, 1), (7, 2)] {
                let b = || MatMut::with_strides(&mut [], (n, 0), strides).unwrap();
                let a = MatRef::new(&a, n, n).unwrap();
                assert!(solver(a, b()).is_ok(), "{name} {n} {strides:?}");
                let singular = MatRef::new(&singular, n, n).unwrap();
                let error = solver(singular, b()).err().map(|error| error.kind());
                let expected = (n > 0).then_some(ErrorKind::Singular { pivot: 0 });
                assert_eq!(error, expected, "{name} {n} {strides:?}");
            }
        }
    }
}

#[test]
fn systems_without_right_sides_are_solved_or_singular() {
    check_solvers::<f32>();
    check_solvers::<f64>();
    check_solvers::<Complex<f64>>();
}

#[test]
fn singular_matrices_of_a_stack_fail_without_right_sides_too() {
    for n in [1, 3, 6] {
        let items = [identity::<f64>(n), vec![0.0; n * n]].concat();
        let matrices = stack::Dense::new(&items, n, n).unwrap();
        let failures = stack::solve(Context::default(), &matrices, &mut [], 0).unwrap();
        let failed: Vec<_> = failures
            .iter()
            .map(|(at, error)| (*at, error.kind()))
            .collect();
        assert_eq!(failed, [(1, ErrorKind::Singular { pivot: 0 })]);
    }
}

#[test]
fn matrices_without_rows_have_an_inverse_a_factor_and_a_determinant_of_one() {
    let context = Context::default();
    for strides in [(0, 1), (1, 0), (9, 1), (1, 9)] {
        let a = MatRef::<f64>::with_strides(&[], (0, 0), strides).unwrap();
        let to = || MatMut::with_strides(&mut [], (0, 0), strides).unwrap();
        assert!(inv(context, a, to()).is_ok());
        assert!(cholesky(context, a, to()).is_ok());
        assert_eq!(det(context, a).unwrap(), 1.0);
        assert_eq!(slogdet(context, a).unwrap(), (1.0, 0.0));
    }
}

#[test]
fn views_without_columns_that_keep_the_strides_of_rows_have_factors() {
    for (m, n) in [(3, 0), (0, 3), (40, 0), (0, 40)] {
        for strides in [(4, 1), (1, 4), (8, 2)] {
            let a = MatRef::<f64>::with_strides(&[], (m, n), strides).unwrap();
            let lu = Lu::factor(Context::default(), a);
            assert_eq!((lu.shape(), lu.permutation().len()), ((m, n), m));
            let (l, u) = (MatMut::new(&mut [], m, 0), MatMut::new(&mut [], 0, n));
            assert!(lu.unpack(l.unwrap(), u.unwrap()).is_ok());
        }
    }
}

/// Views without items whose rows would begin past the end.
const EMPTY: [(usize, usize, usize); 6] = [
    (10, 0, 5),
    (0, 3, 5),
    (10, 3, 0),
    (0, 0, 0),
    (300, 0, 5),
    (300, 2, 0),
];

macro_rules! products {
    ($($zero:literal, $one:literal, $run:ident;)*) => {$(
        for (m, k, n) in EMPTY {
            for (row, column) in [(2, 1), (1, 2), (6, 3)] {
                let items = vec![$zero; 6000];
                let cut = |rows, columns| {
                    let none = rows == 0 || columns == 0;
                    let data = if none { &items[..0] } else { &items[..] };
                    MatRef::with_strides(data, (rows, columns), (row * columns.max(1), column)).unwrap()
                };
                let mut c = vec![$one; m * n];
                let to = MatMut::new(&mut c, m, n).unwrap();
                Context::default().$run(cut(m, k), cut(k, n), to).unwrap();
                assert!(c.iter().all(|&item| item == $zero), "{m} {k} {n} {row} {column}");
            }
        }
    )*};
}

#[test]
fn products_of_views_without_items_are_zeros() {
    products! {
        0.0_f32, 1.0, matmul;
        0.0_f64, 1.0, matmul;
        0_i8, 1, matmul_wrapping;
        0_u8, 1, matmul_wrapping;
        0_i16, 1, matmul_wrapping;
        0_i32, 1, matmul_wrapping;
        0_i64, 1, matmul_wrapping;
        0_u64, 1, matmul_wrapping;
    }
}

#[test]
fn sums_of_products_over_empty_axes_are_empty_or_zeros() {
    // The subscripts, the operands' shapes, and the shape of the result.
    type Case = (&'static str, &'static [&'static [usize]], &'static [usize]);
    let some = [1.0, 2.0];
    let cases: [Case; 7] = [
        ("ij,k->kij", &[&[0, 2], &[2]], &[2, 0, 2]),
        ("ij,k->ikj", &[&[2, 0], &[2]], &[2, 2, 0]),
        ("ij,jk->ik", &[&[2, 0], &[0, 2]], &[2, 2]),
        ("ij,jk->ki", &[&[0, 2], &[2, 1]], &[1, 0]),
        ("bij,bjk->kbi", &[&[0, 1, 2], &[0, 2, 1]], &[1, 0, 1]),
        (
            "ij,kl,m->mkjil",
            &[&[0, 2], &[1, 2], &[2]],
            &[2, 1, 2, 0, 2],
        ),
        ("ij->j", &[&[0, 2]], &[2]),
    ];
    for (subscripts, shapes, expected) in cases {
        let strides = shapes.iter().map(|shape| {
            let step = |axis: usize| shape[axis + 1..].iter().map(|&n| n.max(1)).product();
            (0..shape.len()).map(step).collect::<Vec<usize>>()
        });
        let strides: Vec<_> = strides.collect();
        let operands = shapes.iter().zip(&strides).map(|(shape, strides)| {
            let data = if shape.contains(&0) { &[][..] } else { &some };
            ArrayRef::new(data, shape, strides).unwrap()
        });
        let operands: Vec<_> = operands.collect();
        let found = einsum(Context::default(), subscripts, &operands).unwrap();
        assert_eq!(found.shape(), expected, "{subscripts}");
        assert!(
            found.items().iter().all(|&item| item == 0.0),
            "{subscripts}"
        );
    }
}
