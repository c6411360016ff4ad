//! Sparse factorisations, eigenvalues and singular values: residuals, orthogonality, dense twins.

use nexus_linalg::decompose::{self, Decompose};
use nexus_linalg::sparse::{
    Analysis, Csc, Csr, EigenOptions, Factor, Factorize, FromFn, Method, Operator,
    RandomizedOptions, Stopped, Which, eigsh, eigsh_near, randomized_svd, svds,
};
use nexus_linalg::{Context, ErrorKind, Float, Gemm, MatMut, MatRef, engine::Engine, norm};
use nexus_linalg_faer::Faer;

/// The five-point Laplacian of a rectangle.
fn laplacian<T: Float>(width: usize, height: usize) -> Csr<T, i32> {
    let (mut rows, mut columns, mut values) = (vec![], vec![], vec![]);
    let mut put = |i: usize, j: usize, value: f64| {
        rows.push(i as i32);
        columns.push(j as i32);
        values.push(T::from_f64(value));
    };
    for y in 0..height {
        for x in 0..width {
            let at = y * width + x;
            put(at, at, 4.0);
            if x + 1 < width {
                put(at, at + 1, -1.0);
                put(at + 1, at, -1.0);
            }
            if y + 1 < height {
                put(at, at + width, -1.0);
                put(at + width, at, -1.0);
            }
        }
    }
    let n = width * height;
    Csr::from_triplets((n, n), &rows, &columns, &values).unwrap()
}

/// Hashed places, and `diagonal` added to the items on it; as the script for `scipy` makes them.
fn scattered<T: Float>(
    m: usize,
    n: usize,
    seed: usize,
    modulus: usize,
    diagonal: f64,
) -> Csr<T, i32> {
    let (mut rows, mut columns, mut values) = (vec![], vec![], vec![]);
    for i in 0..m {
        for j in 0..n {
            let hash = (i * 131 + j * 71 + seed * 17 + 1) * 2_654_435_761 % (1 << 32);
            if (hash >> 7).is_multiple_of(modulus) {
                rows.push(i as i32);
                columns.push(j as i32);
                values.push(T::from_f64(((hash >> 12) % 2001) as f64 / 1000.0 - 1.0));
            }
        }
        if i < n && diagonal != 0.0 {
            rows.push(i as i32);
            columns.push(i as i32);
            values.push(T::from_f64(diagonal));
        }
    }
    Csr::from_triplets((m, n), &rows, &columns, &values).unwrap()
}

fn dense<T: Float>(a: &Csr<T, i32>) -> Vec<T> {
    let (m, n) = a.shape();
    let mut items = vec![T::NAN; m * n];
    a.as_ref()
        .to_dense(MatMut::new(&mut items, m, n).unwrap())
        .unwrap();
    items
}

fn apply<T: Float>(a: &dyn Operator<T>, x: &[T], columns: usize) -> Vec<T> {
    let (m, n) = a.shape();
    let mut y = vec![T::NAN; m * columns];
    a.apply(
        MatRef::new(x, n, columns).unwrap(),
        MatMut::new(&mut y, m, columns).unwrap(),
    )
    .unwrap();
    y
}

fn size<T: Float>(items: &[T]) -> f64 {
    norm::vector(items.iter().map(|item| item.to_f64()), 2.0)
}

fn distance<T: Float>(a: &[T], b: &[T]) -> f64 {
    norm::vector(a.iter().zip(b).map(|(&a, &b)| a.to_f64() - b.to_f64()), 2.0)
}

fn right_side<T: Float>(len: usize) -> Vec<T> {
    (0..len)
        .map(|i| T::from_f64((i as f64 * 0.7).sin()))
        .collect()
}

/// Systems: simplicial and supernodal sizes, graded ones, one that needs pivoting, and none.
fn systems<T: Float>() -> Vec<(&'static str, Csr<T, i32>)> {
    let graded = {
        let mut a = laplacian::<T>(9, 8);
        let pointers = a.as_ref().pointers().to_vec();
        for i in 0..72 {
            let factor = T::from_f64(2.0_f64.powi(-(i as i32) / 4));
            for value in &mut a.values_mut()[pointers[i] as usize..pointers[i + 1] as usize] {
                *value = *value * factor;
            }
        }
        a
    };
    let turned: Vec<i32> = (0..40).map(|i| (i * 7 + 3) % 40).collect();
    let in_order: Vec<i32> = (0..40).collect();
    vec![
        ("0x0", Csr::from_triplets((0, 0), &[], &[], &[]).unwrap()),
        (
            "1x1",
            Csr::from_triplets((1, 1), &[0], &[0], &[T::from_f64(3.0)]).unwrap(),
        ),
        ("small", laplacian(3, 2)),
        ("line", laplacian(200, 1)),
        ("square", laplacian(40, 40)),
        ("scattered", scattered(60, 60, 3, 6, 3.0)),
        ("without diagonal", scattered(90, 90, 5, 4, 0.0)),
        ("graded", graded),
        (
            "permutation",
            Csr::from_triplets((40, 40), &in_order, &turned, &[T::from_f64(2.0); 40]).unwrap(),
        ),
    ]
}

fn check_solutions<T: Float>()
where
    Faer: Factorize<T>,
{
    for (what, a) in systems::<T>() {
        let n = a.shape().0;
        let csc = a.as_ref().to_csc().unwrap();
        let symmetric = ["0x0", "1x1", "small", "line", "square"].contains(&what);
        let methods = [
            (Method::Lu, true),
            (Method::Qr, true),
            (Method::Cholesky, symmetric),
        ];
        for (method, _) in methods.into_iter().filter(|&(_, fits)| fits) {
            let factor = Factor::new(&Faer, method, csc.as_ref()).unwrap();
            for columns in [1, 3] {
                let b = right_side::<T>(n * columns);
                let mut x = b.clone();
                factor
                    .solve(MatMut::new(&mut x, n, columns).unwrap())
                    .unwrap();
                let bound =
                    |a: &[T], x: &[T]| 10.0 * n as f64 * T::EPSILON.to_f64() * size(a) * size(x);
                let values = a.as_ref().values();
                assert!(
                    distance(&apply(&a, &x, columns), &b) <= bound(values, &x),
                    "{what} {method:?}"
                );
                // Another layout, and the transposed system.
                let mut turned = vec![T::NAN; n * columns];
                let mut view = MatMut::with_strides(&mut turned, (n, columns), (1, n)).unwrap();
                for (at, &item) in b.iter().enumerate() {
                    *view.item(at / columns, at % columns) = item;
                }
                factor.solve(view.reborrow()).unwrap();
                let back: Vec<T> = (0..n * columns)
                    .map(|at| *view.item(at / columns, at % columns))
                    .collect();
                assert!(
                    distance(&back, &x) <= bound(values, &x) * 1e3,
                    "{what} {method:?}"
                );
                if method == Method::Qr {
                    assert!(
                        factor
                            .solve_transpose(MatMut::new(&mut x, n, columns).unwrap())
                            .is_err()
                    );
                    continue;
                }
                x.clone_from(&b);
                factor
                    .solve_transpose(MatMut::new(&mut x, n, columns).unwrap())
                    .unwrap();
                let transposed = csc.as_ref().transpose();
                assert!(
                    distance(&apply(&transposed, &x, columns), &b) <= bound(values, &x),
                    "{what} {method:?}"
                );
            }
        }
    }
}

#[test]
fn solutions_have_small_residuals() {
    check_solutions::<f64>();
    check_solutions::<f32>();
}

#[test]
fn elimination_agrees_with_superlu_of_scipy() {
    // SciPy 1.17.1: splu(scattered + 3 I).solve(ones).
    let a = scattered::<f64>(60, 60, 3, 6, 3.0)
        .as_ref()
        .to_csc()
        .unwrap();
    let mut x = [1.0; 60];
    let factor = Factor::new(&Faer, Method::Lu, a.as_ref()).unwrap();
    factor.solve(MatMut::new(&mut x, 60, 1).unwrap()).unwrap();
    let first = [
        -0.102_603_323_757_885_2,
        0.107_392_838_547_276_48,
        0.050_566_153_170_932_375,
        0.114_142_325_872_767_36,
    ];
    assert!(distance(&x[..4], &[first[0], first[1] - 2e-9, first[2], first[3]]) < 1e-8);
    assert!((x.iter().sum::<f64>() - 17.114_046_684_786_235).abs() < 1e-11);
}

#[test]
fn least_squares_leave_a_residual_that_is_orthogonal() {
    for (m, n) in [(30, 10), (80, 60), (400, 100), (5, 0)] {
        let a = scattered::<f64>(m, n, 4, 5, 2.0);
        let b = right_side::<f64>(m);
        let mut x = b.clone();
        let csc = a.as_ref().to_csc().unwrap();
        let factor = Factor::new(&Faer, Method::Qr, csc.as_ref()).unwrap();
        factor.solve(MatMut::new(&mut x, m, 1).unwrap()).unwrap();
        let fitted = apply(&a, &x[..n], 1);
        let residual: Vec<f64> = b.iter().zip(&fitted).map(|(b, y)| b - y).collect();
        let gradient = apply(&csc.as_ref().transpose(), &residual, 1);
        assert!(
            size(&gradient) <= 1e-12 * size(&b),
            "{m}x{n}: {}",
            size(&gradient)
        );
    }
}

#[test]
fn an_analysis_is_used_again_for_the_same_pattern_only() {
    let a = laplacian::<f64>(12, 11);
    let mut csc = a.as_ref().to_csc().unwrap();
    for method in [Method::Lu, Method::Cholesky, Method::Qr] {
        let analysis = Analysis::new(&Faer, method, csc.as_ref()).unwrap();
        for factor in [1.0, 2.0, 0.5] {
            for value in csc.values_mut() {
                *value *= factor;
            }
            let b = right_side::<f64>(132);
            let mut x = b.clone();
            analysis
                .factor(csc.as_ref())
                .unwrap()
                .solve(MatMut::new(&mut x, 132, 1).unwrap())
                .unwrap();
            assert!(
                distance(&apply(&csc, &x, 1), &b) <= 1e-12 * size(&x),
                "{method:?}"
            );
        }
        let other = laplacian::<f64>(11, 12).as_ref().to_csc().unwrap();
        let error = analysis.factor(other.as_ref()).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("items in other places was analysed"),
            "{error}"
        );
    }
}

fn check_refused(method: Method, a: &Csc<f64, i32>, kind: ErrorKind, says: &str) {
    let error = Factor::new(&Faer, method, a.as_ref()).unwrap_err();
    assert_eq!((error.kind(), error.to_string().as_str()), (kind, says));
}

#[test]
fn matrices_without_a_factor_are_named() {
    let of = |shape, rows: &[i32], columns: &[i32], values: &[f64]| {
        Csc::from_triplets(shape, rows, columns, values).unwrap()
    };
    let (rows, columns) = (&[0, 0, 1, 1, 2], &[0, 1, 0, 1, 2]);
    let dependent = of((3, 3), rows, columns, &[1.0, 2.0, 2.0, 4.0, 1.0]);
    let error = Factor::new(&Faer, Method::Lu, dependent.as_ref()).unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::Singular { pivot: 0 | 1 }),
        "{error}"
    );
    assert!(
        error.to_string().contains("it is singular, column"),
        "{error}"
    );
    let empty = of((3, 3), &[0, 2], &[0, 2], &[1.0, 1.0]);
    let says = "cannot eliminate in a 3x3 sparse matrix: it is singular, column 1 has no pivot";
    check_refused(Method::Lu, &empty, ErrorKind::Singular { pivot: 1 }, says);
    let says = "cannot orthogonalise a 3x3 sparse matrix: it is singular, column 1 has no pivot";
    check_refused(Method::Qr, &empty, ErrorKind::Singular { pivot: 1 }, says);

    let negative = of((2, 2), &[0, 1], &[0, 1], &[1.0, -1.0]);
    let error = Factor::new(&Faer, Method::Cholesky, negative.as_ref()).unwrap_err();
    assert!(matches!(
        error.kind(),
        ErrorKind::NotPositiveDefinite { .. }
    ));
    assert!(
        error
            .to_string()
            .ends_with("it is not positive definite, the pivot of row 1 is not positive"),
        "{error}"
    );

    let nan = of((2, 2), &[0, 1], &[0, 1], &[1.0, f64::NAN]);
    let says = "cannot eliminate in a 2x2 sparse matrix: NaN at (1, 1)";
    check_refused(Method::Lu, &nan, ErrorKind::NotANumber { at: (1, 1) }, says);
    let infinite = of((2, 2), &[0, 0, 1], &[0, 1, 1], &[1.0, f64::INFINITY, 1.0]);
    let says = "cannot orthogonalise a 2x2 sparse matrix: an infinity at (0, 1)";
    check_refused(
        Method::Qr,
        &infinite,
        ErrorKind::Infinite { at: (0, 1) },
        says,
    );
    // Cholesky reads the lower triangle.
    assert!(Factor::new(&Faer, Method::Cholesky, infinite.as_ref()).is_ok());

    let wide = of((2, 3), &[], &[], &[]);
    let says = "cannot orthogonalise a 2x3 sparse matrix: it is fewer rows than columns";
    check_refused(Method::Qr, &wide, ErrorKind::InvalidInput, says);
    let says = "cannot take Cholesky's factor of a 2x3 sparse matrix: it is not square";
    check_refused(Method::Cholesky, &wide, ErrorKind::InvalidInput, says);
    let factor = Factor::new(&Faer, Method::Lu, of((1, 1), &[0], &[0], &[2.0]).as_ref()).unwrap();
    let error = factor
        .solve(MatMut::new(&mut [1.0, 2.0], 2, 1).unwrap())
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot solve 1x1 for 2x1: the rows differ"
    );
}

#[test]
fn the_row_that_is_not_positive_is_named_with_and_without_supernodes() {
    for (width, height) in [(60, 1), (40, 40)] {
        let mut a = laplacian::<f64>(width, height).as_ref().to_csc().unwrap();
        let row = width / 2;
        let (start, rows) = (
            a.as_ref().pointers()[row] as usize,
            a.as_ref().column(row).0,
        );
        let at = start + rows.iter().position(|&i| i as usize == row).unwrap();
        a.values_mut()[at] = -100.0;
        let error = Factor::new(&Faer, Method::Cholesky, a.as_ref()).unwrap_err();
        let says = format!("the pivot of row {row} is not positive");
        assert!(
            error.to_string().ends_with(&says),
            "{width}x{height}: {error}"
        );
    }
}

#[test]
fn large_singular_matrices_are_found_out() {
    // The Laplacian with no boundary: constants are its null space.
    let mut a = laplacian::<f64>(30, 30);
    let view = a.as_ref();
    let sums: Vec<f64> = (0..900).map(|i| view.row(i).1.iter().sum()).collect();
    let diagonal = Csr::from_triplets(
        (900, 900),
        &(0..900).collect::<Vec<_>>(),
        &(0..900).collect::<Vec<_>>(),
        &sums,
    )
    .unwrap();
    a = a.as_ref().add(1.0, diagonal.as_ref(), -1.0).unwrap();
    let csc = a.as_ref().to_csc().unwrap();
    // Rounding may leave a tiny pivot; then the solution is huge, and never quietly wrong.
    match Factor::new(&Faer, Method::Lu, csc.as_ref()) {
        Err(error) => assert!(matches!(error.kind(), ErrorKind::Singular { .. })),
        Ok(factor) => {
            let mut x = vec![1.0; 900];
            factor.solve(MatMut::new(&mut x, 900, 1).unwrap()).unwrap();
            assert!(size(&x) > 1e10);
        }
    }
}

/// Columns of `v` are orthonormal within ten roundings a row.
fn assert_orthonormal<T: Float>(v: MatRef<'_, T>, what: &str) {
    let (n, k) = v.shape();
    let mut c = vec![T::default(); k * k];
    Engine.gemm(
        T::ONE,
        v.transpose(),
        v,
        T::default(),
        MatMut::new(&mut c, k, k).unwrap(),
    );
    let identity: Vec<T> = (0..k * k)
        .map(|at| T::from_f64(f64::from(u8::from(at / k == at % k))))
        .collect();
    assert!(
        distance(&c, &identity) <= 10.0 * n as f64 * T::EPSILON.to_f64(),
        "{what}"
    );
}

fn eigenvalues<T: Float>(a: &Csr<T, i32>) -> Vec<T>
where
    Faer: Decompose<T>,
{
    let n = a.shape().0;
    let mut values = vec![T::default(); n];
    decompose::eigh(
        Context::default(),
        &Faer,
        MatRef::new(&dense(a), n, n).unwrap(),
        &mut values,
        None,
    )
    .unwrap();
    values
}

/// Symmetric matrices: double eigenvalues, clusters, indefinite, low rank, the identity.
fn symmetric<T: Float>() -> Vec<(&'static str, Csr<T, i32>)> {
    let diagonal = |n: usize, value: &dyn Fn(usize) -> f64| {
        let at: Vec<i32> = (0..n as i32).collect();
        let values: Vec<T> = (0..n).map(|i| T::from_f64(value(i))).collect();
        Csr::from_triplets((n, n), &at, &at, &values).unwrap()
    };
    let a = scattered::<T>(70, 70, 8, 7, 0.0);
    let transposed = a.as_ref().to_csc().unwrap().into_transpose();
    vec![
        ("Laplacian", laplacian(14, 9)),
        ("square Laplacian", laplacian(12, 12)),
        (
            "indefinite",
            a.as_ref().add(T::ONE, transposed.as_ref(), T::ONE).unwrap(),
        ),
        ("graded", diagonal(60, &|i| (-(i as f64) / 6.0).exp2())),
        (
            "clustered",
            diagonal(60, &|i| if i < 50 { 1.0 } else { i as f64 }),
        ),
        (
            "low rank",
            diagonal(50, &|i| if i < 4 { i as f64 + 1.0 } else { 0.0 }),
        ),
        ("identity", diagonal(30, &|_| 1.0)),
        ("zero", diagonal(25, &|_| 0.0)),
        ("tiny", diagonal(3, &|i| i as f64)),
    ]
}

fn check_eigsh<T: Float>()
where
    Faer: Decompose<T>,
{
    for (what, a) in symmetric::<T>() {
        let n = a.shape().0;
        let all = eigenvalues(&a);
        let largest = all
            .iter()
            .fold(0.0_f64, |most, x| most.max(x.to_f64().abs()));
        for which in [Which::LargestMagnitude, Which::Largest, Which::Smallest] {
            for k in [0, 1, 3, 6, n].into_iter().filter(|&k| k <= n.min(60)) {
                let what = format!("{what} {which:?} {k}");
                let (mut values, mut vectors) = (vec![T::NAN; k], vec![T::NAN; n * k]);
                let target = MatMut::with_strides(&mut vectors, (n, k), (1, n)).unwrap();
                let options = EigenOptions::default();
                eigsh(&Faer, &a, which, &mut values, Some(target), &options)
                    .unwrap_or_else(|error| panic!("{what}: {error}"));
                let bound = 10.0 * n as f64 * T::EPSILON.to_f64() * largest;
                let mut expected = all.clone();
                match which {
                    Which::Largest => expected.reverse(),
                    Which::LargestMagnitude => {
                        expected.sort_by(|a, b| b.abs().partial_cmp(&a.abs()).unwrap());
                    }
                    Which::Smallest => {}
                }
                expected.truncate(k);
                expected.sort_by(|a, b| a.partial_cmp(b).unwrap());
                for (j, (&value, &right)) in values.iter().zip(&expected).enumerate() {
                    let (value, right) = (value.to_f64(), right.to_f64());
                    let off = if which == Which::LargestMagnitude {
                        value.abs() - right.abs()
                    } else {
                        value - right
                    };
                    assert!(
                        off.abs() <= bound,
                        "{what}: value {j} is {value}, not {right}"
                    );
                    let v = &vectors[j * n..(j + 1) * n];
                    let scaled: Vec<T> = v.iter().map(|&x| x * T::from_f64(value)).collect();
                    assert!(
                        distance(&apply(&a, v, 1), &scaled) <= bound,
                        "{what}: residual {j}"
                    );
                    let lead =
                        v.iter().fold(
                            T::default(),
                            |lead, &x| if x.abs() > lead.abs() { x } else { lead },
                        );
                    assert!(lead > T::default(), "{what}: sign {j}");
                }
                assert_orthonormal(
                    MatRef::with_strides(&vectors, (n, k), (1, n)).unwrap(),
                    &what,
                );
            }
        }
    }
}

#[test]
fn eigenvalues_at_the_ends_are_those_of_the_dense_matrix() {
    check_eigsh::<f64>();
    check_eigsh::<f32>();
}

#[test]
fn eigenvalues_near_a_number_are_found_by_its_inverse() {
    // SciPy 1.17.1, eigvalsh of the 12x12 Laplacian.
    let a = laplacian::<f64>(12, 12).as_ref().to_csc().unwrap();
    let factor = Factor::new(&Faer, Method::Cholesky, a.as_ref()).unwrap();
    let (mut values, mut vectors) = ([0.0; 4], vec![0.0; 144 * 4]);
    let target = MatMut::new(&mut vectors, 144, 4).unwrap();
    eigsh_near(
        &Faer,
        &factor,
        0.0,
        &mut values,
        Some(target),
        &EigenOptions::default(),
    )
    .unwrap();
    let expected = [
        0.116_232_730_295_79,
        0.287_204_313_841_474,
        0.287_204_313_841_475,
        0.458_175_897_387_157,
    ];
    assert!(distance(&values, &expected) < 1e-12, "{values:?}");
    let scaled: Vec<f64> = (0..144 * 4)
        .map(|at| vectors[at] * values[at % 4])
        .collect();
    assert!(distance(&apply(&a, &vectors, 4), &scaled) < 1e-12);

    // Around 4, where the spectrum is dense.
    let at: Vec<i32> = (0..144).collect();
    let shift = Csc::from_triplets((144, 144), &at, &at, &[4.05; 144]).unwrap();
    let shifted = a
        .as_ref()
        .transpose()
        .add(1.0, shift.as_ref().transpose(), -1.0)
        .unwrap();
    let factor = Factor::new(
        &Faer,
        Method::Lu,
        shifted.as_ref().to_csc().unwrap().as_ref(),
    )
    .unwrap();
    let mut values = [0.0; 5];
    eigsh_near(
        &Faer,
        &factor,
        4.05,
        &mut values,
        None,
        &EigenOptions::default(),
    )
    .unwrap();
    let mut all = eigenvalues(&laplacian::<f64>(12, 12));
    all.sort_by(|a, b| (a - 4.05).abs().partial_cmp(&(b - 4.05).abs()).unwrap());
    let mut expected = all[..5].to_vec();
    expected.sort_by(|a, b| a.partial_cmp(b).unwrap());
    let off = values
        .iter()
        .zip(&expected)
        .map(|(a, b)| ((a - 4.05).abs() - (b - 4.05).abs()).abs());
    assert!(off.fold(0.0, f64::max) < 1e-11, "{values:?} {expected:?}");
}

fn check_svds<T: Float>()
where
    Faer: Decompose<T>,
{
    let low_rank = |m: usize, n: usize| {
        let (rows, columns): (Vec<i32>, Vec<i32>) = ((0..3).collect(), (2..5).collect());
        Csr::from_triplets(
            (m, n),
            &rows,
            &columns,
            &[T::ONE, T::from_f64(2.0), T::from_f64(0.001)],
        )
        .unwrap()
    };
    let cases = [
        ("scattered", scattered::<T>(40, 30, 1, 5, 0.0)),
        ("wide", scattered(25, 90, 2, 6, 0.0)),
        ("tall", scattered(200, 15, 2, 6, 0.5)),
        ("Laplacian", laplacian(9, 9)),
        ("low rank", low_rank(40, 50)),
        ("zero", Csr::from_triplets((30, 40), &[], &[], &[]).unwrap()),
        (
            "one",
            Csr::from_triplets((1, 1), &[0], &[0], &[T::from_f64(-2.0)]).unwrap(),
        ),
        ("empty", Csr::from_triplets((0, 3), &[], &[], &[]).unwrap()),
    ];
    for (what, a) in cases {
        let (m, n) = a.shape();
        let mut all = vec![T::default(); m.min(n)];
        decompose::svd(
            Context::default(),
            &Faer,
            MatRef::new(&dense(&a), m, n).unwrap(),
            &mut all,
            None,
        )
        .unwrap();
        let bound =
            10.0 * m.max(n) as f64 * T::EPSILON.to_f64() * all.first().map_or(0.0, |s| s.to_f64());
        for k in [0, 1, 4, m.min(n)].into_iter().filter(|&k| k <= m.min(n)) {
            let what = format!("{what} {k}");
            let (mut s, mut u, mut v) = (vec![T::NAN; k], vec![T::NAN; m * k], vec![T::NAN; n * k]);
            let vectors = (
                MatMut::with_strides(&mut u, (m, k), (1, m)).unwrap(),
                MatMut::with_strides(&mut v, (n, k), (1, n)).unwrap(),
            );
            svds(&Faer, &a, &mut s, Some(vectors), &EigenOptions::default())
                .unwrap_or_else(|error| panic!("{what}: {error}"));
            for j in 0..k {
                assert!(
                    (s[j] - all[j]).abs().to_f64() <= bound,
                    "{what}: {} {}",
                    s[j],
                    all[j]
                );
                let scaled: Vec<T> = u[j * m..(j + 1) * m].iter().map(|&x| x * s[j]).collect();
                assert!(
                    distance(&apply(&a, &v[j * n..(j + 1) * n], 1), &scaled) <= bound,
                    "{what}: residual {j}"
                );
            }
            assert_orthonormal(MatRef::with_strides(&u, (m, k), (1, m)).unwrap(), &what);
            assert_orthonormal(MatRef::with_strides(&v, (n, k), (1, n)).unwrap(), &what);
        }
    }
}

#[test]
fn the_largest_singular_values_are_those_of_the_dense_matrix() {
    check_svds::<f64>();
    check_svds::<f32>();
}

#[test]
fn singular_values_are_those_of_numpy() {
    // NumPy 2.4.6.
    let expected = [
        3.685_234_977_147_292,
        3.576_543_371_419_988,
        2.841_026_475_259_811,
        2.668_585_226_478_037,
    ];
    let a = scattered::<f64>(40, 30, 1, 5, 0.0);
    let (mut exact, mut sketched) = ([0.0; 4], [0.0; 4]);
    svds(&Faer, &a, &mut exact, None, &EigenOptions::default()).unwrap();
    assert!(distance(&exact, &expected) < 1e-13);
    let options = RandomizedOptions {
        power_iterations: 30,
        ..RandomizedOptions::default()
    };
    randomized_svd(&Faer, &a, &mut sketched, None, &options).unwrap();
    assert!(distance(&sketched, &expected) < 1e-10, "{sketched:?}");
}

#[test]
fn a_sketch_is_near_the_best_and_the_same_for_the_same_seed() {
    // Singular values 2^-j: the best error for 6 of them is 2^-6.
    let (m, n, k) = (80, 50, 6);
    let a: Vec<f64> = (0..m * n)
        .map(|at| ((at as f64) * 0.731).sin() + ((at * at % 1013) as f64) / 1013.0)
        .collect();
    let (mut s, mut u, mut v) = (vec![0.0; n], vec![0.0; m * n], vec![0.0; n * n]);
    let both = (
        MatMut::new(&mut u, m, n).unwrap(),
        MatMut::new(&mut v, n, n).unwrap(),
    );
    decompose::svd(
        Context::default(),
        &Faer,
        MatRef::new(&a, m, n).unwrap(),
        &mut s,
        Some(both),
    )
    .unwrap();
    let graded: Vec<f64> = (0..m * n)
        .map(|at| {
            (0..n)
                .map(|j| u[at / n * n + j] * 2.0_f64.powi(-(j as i32)) * v[at % n * n + j])
                .sum()
        })
        .collect();
    let a = MatRef::new(&graded, m, n).unwrap();
    let sketch = |seed: u64| {
        let (mut s, mut u, mut v) = (vec![0.0; k], vec![0.0; m * k], vec![0.0; n * k]);
        let vectors = (
            MatMut::new(&mut u, m, k).unwrap(),
            MatMut::new(&mut v, n, k).unwrap(),
        );
        let options = RandomizedOptions {
            seed,
            ..RandomizedOptions::default()
        };
        randomized_svd(&Faer, &a, &mut s, Some(vectors), &options).unwrap();
        (s, u, v)
    };
    let (s, u, v) = sketch(1);
    assert_eq!(sketch(1), (s.clone(), u.clone(), v.clone()));
    assert_ne!(sketch(2).1, u);
    assert_orthonormal(MatRef::new(&u, m, k).unwrap(), "u");
    assert_orthonormal(MatRef::new(&v, n, k).unwrap(), "v");
    for (j, s) in s.iter().enumerate() {
        assert!((s - 2.0_f64.powi(-(j as i32))).abs() < 1e-10, "{j}: {s}");
    }
    let rest: Vec<f64> = (0..m * n)
        .map(|at| {
            graded[at]
                - (0..k)
                    .map(|j| u[at / n * k + j] * s[j] * v[at % n * k + j])
                    .sum::<f64>()
        })
        .collect();
    assert!(
        size(&rest) < 1.01 * 2.0_f64.powi(-6) * (4.0_f64 / 3.0).sqrt(),
        "{}",
        size(&rest)
    );
}

#[test]
fn searches_end_at_nan_at_their_limit_and_when_they_are_told() {
    let a = laplacian::<f64>(20, 20);
    let mut values = [0.0; 3];
    let options = EigenOptions {
        maxiter: Some(0),
        ncv: Some(6),
        ..EigenOptions::default()
    };
    let error = eigsh(&Faer, &a, Which::Smallest, &mut values, None, &options).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoConvergence);
    assert_eq!(
        error.to_string(),
        "cannot find 3 eigenvalues of a 400x400 operator: they have not converged after 0 restarts"
    );
    assert_eq!(
        svds(&Faer, &a, &mut values, None, &options)
            .unwrap_err()
            .kind(),
        ErrorKind::NoConvergence
    );

    let stop = || true;
    let options = EigenOptions {
        stop: Some(&stop),
        ..EigenOptions::default()
    };
    assert_eq!(
        eigsh(&Faer, &a, Which::Largest, &mut values, None, &options)
            .unwrap_err()
            .kind(),
        ErrorKind::Cancelled
    );
    assert_eq!(
        svds(&Faer, &a, &mut values, None, &options)
            .unwrap_err()
            .kind(),
        ErrorKind::Cancelled
    );
    let options = RandomizedOptions {
        stop: Some(&stop),
        ..RandomizedOptions::default()
    };
    assert_eq!(
        randomized_svd(&Faer, &a, &mut values, None, &options)
            .unwrap_err()
            .kind(),
        ErrorKind::Cancelled
    );

    let mut broken = a.clone();
    broken.values_mut()[0] = f64::NAN;
    let kind = ErrorKind::NotANumber { at: (0, 0) };
    let (plain, sketch) = (EigenOptions::default(), RandomizedOptions::default());
    assert_eq!(
        eigsh(&Faer, &broken, Which::Largest, &mut values, None, &plain)
            .unwrap_err()
            .kind(),
        kind
    );
    assert_eq!(
        svds(&Faer, &broken, &mut values, None, &plain)
            .unwrap_err()
            .kind(),
        kind
    );
    assert_eq!(
        randomized_svd(&Faer, &broken, &mut values, None, &sketch)
            .unwrap_err()
            .kind(),
        kind
    );

    let refuse = |_: MatRef<'_, f64>, _: MatMut<'_, f64>| Err(Stopped);
    let operator = FromFn::new((9, 9), refuse, refuse);
    assert_eq!(
        svds(&Faer, &operator, &mut values, None, &plain)
            .unwrap_err()
            .kind(),
        ErrorKind::Cancelled
    );
    let error = eigsh(
        &Faer,
        &operator,
        Which::Largest,
        &mut [0.0; 10],
        None,
        &plain,
    )
    .unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("cannot find 10 eigenvalues of a 9x9 operator")
    );
}
