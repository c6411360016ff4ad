//! Solutions by iteration: residuals, the numbers of `scipy` 1.17.1, and that everything ends.

use nexus_linalg::sparse::{
    Csr, FromFn, Ic0, Ilu0, Jacobi, OnThreads, Operator, Options, Outcome, Reason, Stopped,
    bicgstab, cg, gmres, minres,
};
use nexus_linalg::{Context, Error, ErrorKind, Float, MatMut, MatRef};
use std::cell::Cell;

/// The five-point Laplacian of a square of `side` points a side.
fn laplacian<T: Float>(side: usize) -> Csr<T, i32> {
    let (mut rows, mut columns, mut values) = (vec![], vec![], vec![]);
    let mut put = |i: usize, j: usize, value: f64| {
        rows.push(i as i32);
        columns.push(j as i32);
        values.push(T::from_f64(value));
    };
    for y in 0..side {
        for x in 0..side {
            let at = y * side + x;
            put(at, at, 4.0);
            for (near, is) in [
                (at.wrapping_sub(1), x > 0),
                (at + 1, x + 1 < side),
                (at.wrapping_sub(side), y > 0),
                (at + side, y + 1 < side),
            ] {
                if is {
                    put(at, near, -1.0);
                }
            }
        }
    }
    Csr::from_triplets((side * side, side * side), &rows, &columns, &values).unwrap()
}

type Solver<T> = fn(
    &dyn Operator<T>,
    Option<&dyn Operator<T>>,
    &[T],
    &mut [T],
    &Options<'_>,
) -> Result<Outcome, Error>;

fn solvers<T: Float>() -> [(&'static str, Solver<T>); 4] {
    [
        ("cg", cg),
        ("minres", minres),
        ("gmres", gmres),
        ("bicgstab", bicgstab),
    ]
}

fn residual<T: Float>(a: &dyn Operator<T>, x: &[T], b: &[T]) -> f64 {
    let mut y = vec![T::default(); b.len()];
    let (from, to) = (
        MatRef::new(x, x.len(), 1).unwrap(),
        MatMut::new(&mut y, b.len(), 1).unwrap(),
    );
    a.apply(from, to).unwrap();
    let square = |(&y, &b): (&T, &T)| (y.to_f64() - b.to_f64()).powi(2);
    y.iter().zip(b).map(square).sum::<f64>().sqrt()
}

#[test]
fn the_laplacian_takes_as_many_iterations_as_in_scipy() {
    let a = laplacian::<f64>(12);
    let b = [1.0; 144];
    // SciPy: cg 20, gmres (restart 20) 20, bicgstab 15; minres stops by another rule.
    for ((name, solve), most) in solvers().into_iter().zip([20, 20, 20, 15]) {
        let mut x = [0.0; 144];
        let options = Options {
            rtol: 1e-8,
            ..Options::default()
        };
        let outcome = solve(&a, None, &b, &mut x, &options).unwrap();
        assert!(
            outcome.converged() && outcome.iterations <= most,
            "{name}: {outcome:?}"
        );
        assert!(outcome.residual <= 1e-8 * 12.0, "{name}: {outcome:?}");
        assert!(
            (residual(&a, &x, &b) - outcome.residual).abs() < 1e-13,
            "{name}"
        );
        assert!(
            (x.iter().sum::<f64>() - 984.745_603_489_6).abs() < 1e-5,
            "{name}"
        );
    }
}

fn check_preconditioned<T: Float>(rtol: f64) {
    let a = laplacian::<T>(30);
    let n = 900;
    let b: Vec<T> = (0..n)
        .map(|i| T::from_f64((i as f64 * 0.7).sin()))
        .collect();
    let jacobi = Jacobi::new(&a.as_ref().diagonal()).unwrap();
    let ilu = Ilu0::new(a.as_ref()).unwrap();
    let root = Ic0::new(a.as_ref()).unwrap();
    for (name, solve) in solvers::<T>() {
        let options = Options {
            rtol,
            maxiter: Some(2000),
            ..Options::default()
        };
        let run = |preconditioner: Option<&dyn Operator<T>>| {
            let mut x = vec![T::default(); n];
            let outcome = solve(&a, preconditioner, &b, &mut x, &options).unwrap();
            assert!(outcome.converged(), "{name}: {outcome:?}");
            assert!(residual(&a, &x, &b) <= 1.01 * outcome.tolerance, "{name}");
            outcome.iterations
        };
        let (none, diagonal, incomplete) = (run(None), run(Some(&jacobi)), run(Some(&ilu)));
        assert!(
            diagonal <= none + 40 && incomplete < none * 2 / 3,
            "{name}: {none} {diagonal} {incomplete}"
        );
        let symmetric = run(Some(&root));
        assert!(symmetric <= incomplete + 2, "{name}: {symmetric}");
    }
}

#[test]
fn preconditioners_save_iterations_and_residuals_are_true() {
    check_preconditioned::<f64>(1e-10);
    check_preconditioned::<f32>(1e-4);
}

#[test]
fn a_start_that_is_the_solution_takes_no_iteration() {
    let a = laplacian::<f64>(5);
    for (name, solve) in solvers() {
        let mut x = [0.0; 25];
        let outcome = solve(&a, None, &[0.0; 25], &mut x, &Options::default()).unwrap();
        assert_eq!(
            (outcome.iterations, outcome.reason),
            (0, Reason::Converged),
            "{name}"
        );
        assert_eq!(x, [0.0; 25]);
        let outcome = solve(
            &Csr::<f64, i32>::from_triplets((0, 0), &[], &[], &[]).unwrap(),
            None,
            &[],
            &mut [],
            &Options::default(),
        );
        assert!(outcome.unwrap().converged(), "{name}");
    }
}

#[test]
fn systems_without_symmetry_are_solved_by_gmres_and_bicgstab() {
    let n = 50;
    let items: Vec<f64> = (0..n * n)
        .map(|at| {
            let (i, j) = (at / n, at % n);
            if i == j {
                8.0
            } else {
                ((at * 37 % 19) as f64 - 9.0) * 0.05
            }
        })
        .collect();
    let a = MatRef::new(&items, n, n).unwrap();
    let b: Vec<f64> = (0..n).map(|i| i as f64).collect();
    let two = Context::default().threads(2.try_into().unwrap());
    for (name, solve) in [solvers()[2], solvers()[3]] {
        let options = Options {
            rtol: 1e-12,
            restart: 10,
            ..Options::default()
        };
        let (mut x, mut y) = (vec![0.0; n], vec![0.0; n]);
        assert!(
            solve(&a, None, &b, &mut x, &options).unwrap().converged(),
            "{name}"
        );
        assert!(
            solve(&OnThreads(two, a), None, &b, &mut y, &options)
                .unwrap()
                .converged(),
            "{name}"
        );
        assert_eq!(x, y, "{name}: the same bits on two threads");
    }
}

/// Matrices that solvers cannot cope with, or only just.
fn awkward() -> Vec<(&'static str, Vec<f64>)> {
    let n = 6;
    let make =
        |item: &dyn Fn(usize, usize) -> f64| (0..n * n).map(|at| item(at / n, at % n)).collect();
    vec![
        ("zero", make(&|_, _| 0.0)),
        (
            "a shift",
            make(&|i, j| f64::from(u8::from(j == (i + 1) % 6))),
        ),
        ("nilpotent", make(&|i, j| f64::from(u8::from(j == i + 1)))),
        ("negative", make(&|i, j| -f64::from(u8::from(i == j)))),
        (
            "indefinite",
            make(&|i, j| if i == j { i as f64 - 2.5 } else { 0.0 }),
        ),
        ("ones", make(&|_, _| 1.0)),
        ("Hilbert", make(&|i, j| 1.0 / (i + j + 1) as f64)),
        ("huge", make(&|i, j| if i == j { 1e300 } else { 1e299 })),
        ("tiny", make(&|i, j| if i == j { 1e-300 } else { 0.0 })),
        ("denormal", make(&|i, j| if i == j { 1e-310 } else { 0.0 })),
    ]
}

#[test]
fn awkward_systems_end_and_say_the_true_residual() {
    for (what, items) in awkward() {
        let a = MatRef::new(&items, 6, 6).unwrap();
        for (name, solve) in solvers() {
            let (b, mut x) = ([1.0, 2.0, -1.0, 0.5, 3.0, 1.0], [0.0; 6]);
            match solve(&a, None, &b, &mut x, &Options::default()) {
                Ok(outcome) => {
                    let true_residual = residual(&a, &x, &b);
                    assert!(
                        (outcome.residual - true_residual).abs() <= 1e-12 * true_residual.max(1.0),
                        "{name} {what}"
                    );
                    assert_eq!(
                        outcome.converged(),
                        outcome.residual <= outcome.tolerance,
                        "{name} {what}"
                    );
                    assert!(outcome.iterations <= 60, "{name} {what}");
                }
                Err(error) => assert!(
                    matches!(
                        error.kind(),
                        ErrorKind::NotANumber { .. } | ErrorKind::Infinite { .. }
                    ),
                    "{name} {what}: {error}"
                ),
            }
        }
    }
}

#[test]
fn minres_and_gmres_solve_what_is_not_definite() {
    let items = &awkward()[4].1;
    let a = MatRef::new(items, 6, 6).unwrap();
    for (name, solve) in [solvers()[1], solvers()[2]] {
        let mut x = [0.0; 6];
        let options = Options {
            rtol: 1e-12,
            ..Options::default()
        };
        let outcome = solve(&a, None, &[1.0; 6], &mut x, &options).unwrap();
        assert!(outcome.converged(), "{name}: {outcome:?}");
    }
    let outcome = cg(&a, None, &[1.0; 6], &mut [0.0; 6], &Options::default()).unwrap();
    assert_eq!(outcome.reason, Reason::Breakdown);
}

#[test]
fn a_tolerance_below_rounding_ends_with_a_breakdown_or_at_the_limit() {
    let a = laplacian::<f64>(10);
    for (name, solve) in solvers() {
        let options = Options {
            rtol: 0.0,
            ..Options::default()
        };
        let mut x = [0.0; 100];
        let outcome = solve(&a, None, &[1.0; 100], &mut x, &options).unwrap();
        assert!(
            outcome.residual < 1e-12 || outcome.converged(),
            "{name}: {outcome:?}"
        );
        assert!(outcome.iterations <= 1000, "{name}");
        let options = Options {
            maxiter: Some(3),
            ..Options::default()
        };
        let outcome = solve(&a, None, &[1.0; 100], &mut [0.0; 100], &options).unwrap();
        assert_eq!(
            (outcome.reason, outcome.iterations),
            (Reason::Limit, 3),
            "{name}"
        );
    }
}

#[test]
fn nan_and_infinities_end_at_once_with_their_place() {
    let a = laplacian::<f64>(3);
    let mut b = [1.0; 9];
    b[4] = f64::NAN;
    for (name, solve) in solvers() {
        let error = solve(&a, None, &b, &mut [0.0; 9], &Options::default()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotANumber { at: (4, 0) });
        assert_eq!(
            error.to_string(),
            format!("cannot solve by {name}: `b` holds NaN at 4")
        );
        let mut x = [0.0; 9];
        x[2] = f64::INFINITY;
        let error = solve(&a, None, &[1.0; 9], &mut x, &Options::default()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Infinite { at: (2, 0) });
        let mut broken = a.clone();
        broken.values_mut()[0] = f64::NAN;
        let error =
            solve(&broken, None, &[1.0; 9], &mut [0.0; 9], &Options::default()).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("cannot solve by {name}: a product with the operator holds NaN at 0")
        );
    }
}

#[test]
fn callers_and_operators_can_end_an_iteration() {
    let a = laplacian::<f64>(20);
    for (name, solve) in solvers() {
        let asked = Cell::new(0);
        let stop = || {
            asked.set(asked.get() + 1);
            asked.get() > 4
        };
        let options = Options {
            stop: Some(&stop),
            ..Options::default()
        };
        let error = solve(&a, None, &[1.0; 400], &mut [0.0; 400], &options).unwrap_err();
        assert_eq!(
            (error.kind(), asked.get()),
            (ErrorKind::Cancelled, 5),
            "{name}"
        );

        let refuse = |_: MatRef<'_, f64>, _: MatMut<'_, f64>| Err(Stopped);
        let operator = FromFn::new((400, 400), refuse, refuse);
        let error = solve(
            &operator,
            None,
            &[1.0; 400],
            &mut [0.0; 400],
            &Options::default(),
        )
        .unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("cannot solve by {name}: the caller or an operator ended it")
        );
    }
}

#[test]
fn shapes_and_tolerances_that_do_not_fit_are_named() {
    let a = laplacian::<f64>(2);
    let error = cg(&a, None, &[1.0; 3], &mut [0.0; 3], &Options::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot solve by cg: the operator is 4x4, `b` has 3 items, `x` 3"
    );
    let other = Jacobi::new(&[1.0; 3]).unwrap();
    let error = cg(
        &a,
        Some(&other),
        &[1.0; 4],
        &mut [0.0; 4],
        &Options::default(),
    )
    .unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("the operator is 4x4, the preconditioner 3x3")
    );
    let options = Options {
        rtol: -1.0,
        ..Options::default()
    };
    assert!(cg(&a, None, &[1.0; 4], &mut [0.0; 4], &options).is_err());
    let options = Options {
        restart: 0,
        ..Options::default()
    };
    assert!(gmres(&a, None, &[1.0; 4], &mut [0.0; 4], &options).is_err());
    assert_eq!(
        Jacobi::new(&[1.0, 0.0]).unwrap_err().kind(),
        ErrorKind::Singular { pivot: 1 }
    );
    let hole = Csr::from_triplets((2, 2), &[0, 1], &[0, 0], &[1.0, 1.0]).unwrap();
    assert_eq!(
        Ilu0::new(hole.as_ref()).unwrap_err().kind(),
        ErrorKind::Singular { pivot: 1 }
    );
}

#[test]
fn elimination_without_fill_is_exact_where_there_is_none_and_transposes() {
    let (rows, columns) = ([0, 0, 1, 1, 1, 2, 2], [0, 1, 0, 1, 2, 1, 2]);
    let a = Csr::<_, i32>::from_triplets(
        (3, 3),
        &rows,
        &columns,
        &[4.0, 1.0, 2.0, 5.0, -1.0, 3.0, 6.0],
    )
    .unwrap();
    let ilu = Ilu0::new(a.as_ref()).unwrap();
    let x = [1.0, -2.0, 3.0];
    let (mut b, mut back) = ([0.0; 3], [0.0; 3]);
    a.apply(view(&x), MatMut::new(&mut b, 3, 1).unwrap())
        .unwrap();
    ilu.apply(view(&b), MatMut::new(&mut back, 3, 1).unwrap())
        .unwrap();
    assert!(
        back.iter()
            .zip(&x)
            .all(|(a, b): (&f64, &f64)| (a - b).abs() < 1e-14),
        "{back:?}"
    );
    a.apply_transpose(view(&x), MatMut::new(&mut b, 3, 1).unwrap())
        .unwrap();
    ilu.apply_transpose(view(&b), MatMut::new(&mut back, 3, 1).unwrap())
        .unwrap();
    assert!(
        back.iter()
            .zip(&x)
            .all(|(a, b): (&f64, &f64)| (a - b).abs() < 1e-14),
        "{back:?}"
    );
}

fn view(items: &[f64; 3]) -> MatRef<'_, f64> {
    MatRef::new(items, 3, 1).unwrap()
}

#[test]
fn a_root_without_fill_is_exact_where_there_is_none_and_says_where_it_ends() {
    let (rows, columns) = ([0, 0, 1, 1, 1, 2, 2], [0, 1, 0, 1, 2, 1, 2]);
    let make =
        |values: &[f64; 7]| Csr::<_, i32>::from_triplets((3, 3), &rows, &columns, values).unwrap();
    // The upper triangle is not read.
    let read = make(&[4.0, 9.0, 1.0, 5.0, 9.0, -1.0, 6.0]);
    let a = make(&[4.0, 1.0, 1.0, 5.0, -1.0, -1.0, 6.0]);
    let root = Ic0::new(read.as_ref()).unwrap();
    let x = [1.0, -2.0, 3.0];
    let (mut b, mut back) = ([0.0; 3], [0.0; 3]);
    a.apply(view(&x), MatMut::new(&mut b, 3, 1).unwrap())
        .unwrap();
    for transposed in [false, true] {
        let to = MatMut::new(&mut back, 3, 1).unwrap();
        if transposed {
            root.apply_transpose(view(&b), to).unwrap();
        } else {
            root.apply(view(&b), to).unwrap();
        }
        assert!(back.iter().zip(&x).all(|(a, b)| (a - b).abs() < 1e-14));
    }
    for (values, minor) in [
        ([4.0, 1.0, 1.0, 5.0, -1.0, -1.0, -6.0], 3),
        ([4.0, 1.0, 4.0, 4.0, -1.0, -1.0, 6.0], 2),
        ([f64::NAN, 1.0, 1.0, 5.0, -1.0, -1.0, 6.0], 1),
        ([4.0, 1.0, f64::INFINITY, 5.0, -1.0, -1.0, 6.0], 2),
    ] {
        let error = Ic0::new(make(&values).as_ref()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotPositiveDefinite { minor });
    }
    let hole = Csr::from_triplets((2, 2), &[0, 1], &[0, 0], &[1.0, 1.0]).unwrap();
    assert_eq!(
        Ic0::new(hole.as_ref()).unwrap_err().kind(),
        ErrorKind::NotPositiveDefinite { minor: 2 }
    );
    let wide = Csr::<f64, i32>::from_triplets((2, 3), &[], &[], &[]).unwrap();
    assert_eq!(
        Ic0::new(wide.as_ref()).unwrap_err().kind(),
        ErrorKind::InvalidInput
    );
}

#[test]
fn without_a_right_side_the_solution_is_zero_wherever_it_begins() {
    let a = laplacian::<f64>(4);
    let b = [0.0; 16];
    for (name, solver) in solvers::<f64>() {
        let options = Options {
            maxiter: Some(0),
            ..Options::default()
        };
        let mut x = [1.5; 16];
        let outcome = solver(&a, None, &b, &mut x, &options).unwrap();
        assert!(outcome.converged(), "{name}");
        assert_eq!((outcome.iterations, outcome.residual), (0, 0.0), "{name}");
        assert_eq!(x, [0.0; 16], "{name}");
    }
}
