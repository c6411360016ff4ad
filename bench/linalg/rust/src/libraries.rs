//! The contestants.

use crate::Operands;
use faer::linalg::solvers::{DenseSolveCore, Solve};
use faer::{MatRef as FaerRef, Side};
use nexus_linalg::{Complex, Context, Field, MatMut, MatRef, decompose, dense, norm};
use nexus_linalg_faer::Faer;
use std::num::NonZero;

/// A library, and how many threads it has.
pub struct Library {
    name: Name,
    pub threads: usize,
}

enum Name {
    Nexus,
    Faer,
    Gemm,
    MatrixMultiply,
    Nalgebra,
    Machine,
}

type Measure<'a> = &'a mut dyn FnMut(&mut dyn FnMut() -> f64) -> (f64, f64);

impl Library {
    pub fn named(name: &str, threads: usize) -> Option<Self> {
        let name = match name {
            "nexus" => Name::Nexus,
            "faer" => {
                if threads == 1 {
                    faer::set_global_parallelism(faer::Par::Seq);
                } else {
                    faer::set_global_parallelism(faer::Par::rayon(threads));
                }
                Name::Faer
            }
            "gemm" => Name::Gemm,
            "matrixmultiply" => {
                // SAFETY: no other thread runs yet.
                unsafe { std::env::set_var("MATMUL_NUM_THREADS", threads.to_string()) };
                Name::MatrixMultiply
            }
            "nalgebra" => Name::Nalgebra,
            "machine" => Name::Machine,
            _ => return None,
        };
        Some(Self { name, threads })
    }
}

/// The sum of absolute values.
macro_rules! size {
    ($items:expr) => {
        $items
            .into_iter()
            .map(|item| f64::from(item.abs()))
            .sum::<f64>()
    };
}

/// What has no one number.
const UNCHECKED: f64 = f64::NAN;

macro_rules! library {
    ($type:ident) => {
        impl Library {
            /// Measures an operation; `None` where the library has none.
            pub fn $type(
                &self,
                operation: &str,
                it: &Operands<$type>,
                measure: Measure<'_>,
            ) -> Option<(f64, f64)> {
                match self.name {
                    Name::Nexus => self::nexus::$type(self.threads, operation, it, measure),
                    Name::Faer => self::faer_::$type(operation, it, measure),
                    Name::Gemm | Name::MatrixMultiply => {
                        self::products::$type(self, operation, it, measure)
                    }
                    Name::Nalgebra => self::nalgebra_::$type(operation, it, measure),
                    Name::Machine => None,
                }
            }
        }
    };
}
library!(f32);
library!(f64);

/// Ours.
mod nexus {
    use super::*;

    macro_rules! operations {
        ($type:ident) => {
            pub(super) fn $type(
                threads: usize,
                operation: &str,
                it: &Operands<$type>,
                measure: Measure<'_>,
            ) -> Option<(f64, f64)> {
                let n = it.n;
                let context = Context::default().threads(NonZero::new(threads)?);
                let view = |items| MatRef::new(items, n, n).expect("n times n items");
                let (a, b, s, p) = (view(&it.a), view(&it.b), view(&it.s), view(&it.p));
                let x = MatRef::new(&it.x, n, 1).expect("n items");
                // Vectors go where faer likes them best: by columns.
                let (mut c, mut d) = (vec![0.0; n * n], vec![0.0; n * n]);
                let (mut values, mut others) = (vec![0.0; n], vec![0.0; n]);
                macro_rules! square {
                    ($items:ident) => {
                        MatMut::new(&mut $items, n, n).expect("n times n items")
                    };
                }
                Some(match operation {
                    "matmul" | "matmul_t" => {
                        let b = if operation == "matmul" {
                            b
                        } else {
                            b.transpose()
                        };
                        let (seconds, _) = measure(&mut || {
                            context.matmul(a, b, square!(c)).expect("shapes fit");
                            UNCHECKED
                        });
                        (seconds, size!(&c))
                    }
                    "gemv" => {
                        let (seconds, _) = measure(&mut || {
                            let y = MatMut::new(&mut values, n, 1).expect("n items");
                            context.matmul(a, x, y).expect("shapes fit");
                            UNCHECKED
                        });
                        (seconds, size!(&values))
                    }
                    "solve" => {
                        let (seconds, _) = measure(&mut || {
                            values.copy_from_slice(&it.x);
                            let y = MatMut::new(&mut values, n, 1).expect("n items");
                            dense::solve(context, a, y).expect("regular");
                            UNCHECKED
                        });
                        (seconds, size!(&values))
                    }
                    "inv" => {
                        let (seconds, _) = measure(&mut || {
                            dense::inv(context, a, square!(c)).expect("regular");
                            UNCHECKED
                        });
                        (seconds, size!(&c))
                    }
                    "det" => measure(&mut || dense::det(context, a).expect("square").abs().into()),
                    "cholesky" => {
                        let (seconds, _) = measure(&mut || {
                            dense::cholesky(context, p, square!(c)).expect("positive definite");
                            UNCHECKED
                        });
                        (seconds, size!(&c))
                    }
                    "qr" => {
                        let (seconds, _) = measure(&mut || {
                            decompose::qr(context, &Faer, a, square!(d), square!(c))
                                .expect("finite");
                            UNCHECKED
                        });
                        (seconds, size!(&c))
                    }
                    "eigvalsh" | "eigh" => {
                        let (seconds, _) = measure(&mut || {
                            let vectors = (operation == "eigh").then(|| square!(c).transpose());
                            decompose::eigh(context, &Faer, s, &mut values, vectors)
                                .expect("finite");
                            UNCHECKED
                        });
                        (seconds, size!(&values))
                    }
                    "eigvals" | "eig" => {
                        let zeros = |len| vec![Complex::<$type>::default(); len];
                        let (mut complex, mut vectors) = (zeros(n), zeros(n * n));
                        let (seconds, _) = measure(&mut || {
                            let by_columns = ((n, n), (1, n));
                            let vectors = (operation == "eig").then(|| {
                                MatMut::with_strides(&mut vectors, by_columns.0, by_columns.1)
                                    .expect("n times n items")
                            });
                            decompose::eig(context, &Faer, a, &mut complex, vectors)
                                .expect("finite");
                            UNCHECKED
                        });
                        (
                            seconds,
                            size!(complex.iter().map(|&value| Field::abs(value))),
                        )
                    }
                    "svdvals" | "svd" => {
                        let (seconds, _) = measure(&mut || {
                            let vectors = (operation == "svd")
                                .then(|| (square!(c).transpose(), square!(d).transpose()));
                            decompose::svd(context, &Faer, a, &mut values, vectors)
                                .expect("finite");
                            UNCHECKED
                        });
                        (seconds, size!(&values))
                    }
                    "pinv" => measure(&mut || {
                        decompose::pinv(&Faer, context, a, None, square!(c)).expect("finite");
                        UNCHECKED
                    }),
                    "lstsq" => {
                        let (seconds, _) = measure(&mut || {
                            let y = MatMut::new(&mut values, n, 1).expect("n items");
                            let numbers = &mut others[..];
                            decompose::lstsq(&Faer, context, a, x, None, y, numbers)
                                .expect("finite");
                            UNCHECKED
                        });
                        (seconds, size!(&values))
                    }
                    "norm" => measure(&mut || {
                        let frobenius = norm::MatrixNorm::Frobenius;
                        norm::matrix(&Faer, a, frobenius).expect("finite").into()
                    }),
                    _ => return None,
                })
            }
        };
    }
    operations!(f32);
    operations!(f64);
}

/// faer's own types, which allocate as its users have them do.
mod faer_ {
    use super::*;

    macro_rules! operations {
        ($type:ident) => {
            pub(super) fn $type(
                operation: &str,
                it: &Operands<$type>,
                measure: Measure<'_>,
            ) -> Option<(f64, f64)> {
                let n = it.n;
                // By columns, as faer likes it best.
                let owned = |items| FaerRef::from_row_major_slice(items, n, n).to_owned();
                let (a, b, s, p) = (owned(&it.a), owned(&it.b), owned(&it.s), owned(&it.p));
                let x = FaerRef::from_row_major_slice(&it.x, n, 1).to_owned();
                Some(match operation {
                    "matmul" | "matmul_t" | "gemv" => {
                        let right = match operation {
                            "matmul" => b.as_ref(),
                            "matmul_t" => b.transpose(),
                            _ => x.as_ref(),
                        };
                        let mut c = faer::Mat::<$type>::zeros(n, right.ncols());
                        let (seconds, _) = measure(&mut || {
                            faer::linalg::matmul::matmul(
                                c.as_mut(),
                                faer::Accum::Replace,
                                a.as_ref(),
                                right,
                                1.0,
                                faer::get_global_parallelism(),
                            );
                            UNCHECKED
                        });
                        (seconds, c.absolute_sum())
                    }
                    "lu" => measure(&mut || {
                        std::hint::black_box(a.partial_piv_lu());
                        UNCHECKED
                    }),
                    "solve" => measure(&mut || a.partial_piv_lu().solve(&x).absolute_sum()),
                    "inv" => measure(&mut || a.partial_piv_lu().inverse().absolute_sum()),
                    "det" => measure(&mut || a.determinant().abs().into()),
                    "cholesky" => measure(&mut || {
                        std::hint::black_box(p.llt(Side::Lower).expect("positive definite"));
                        UNCHECKED
                    }),
                    "qr" => measure(&mut || {
                        let qr = a.qr();
                        std::hint::black_box((qr.compute_thin_Q(), qr.thin_R()));
                        UNCHECKED
                    }),
                    "eigvalsh" => measure(&mut || {
                        size!(s.self_adjoint_eigenvalues(Side::Lower).expect("finite"))
                    }),
                    "eigh" => measure(&mut || {
                        let found = s.self_adjoint_eigen(Side::Lower).expect("finite");
                        size!(found.S().column_vector().iter())
                    }),
                    "eigvals" => measure(&mut || {
                        let found = a.eigenvalues().expect("finite");
                        size!(found.iter().map(|value| value.re.hypot(value.im)))
                    }),
                    "eig" => measure(&mut || {
                        std::hint::black_box(a.eigen().expect("finite"));
                        UNCHECKED
                    }),
                    "svdvals" => measure(&mut || size!(a.singular_values().expect("finite"))),
                    "svd" => measure(&mut || {
                        let found = a.thin_svd().expect("finite");
                        size!(found.S().column_vector().iter())
                    }),
                    "pinv" => measure(&mut || {
                        std::hint::black_box(a.thin_svd().expect("finite").pseudoinverse());
                        UNCHECKED
                    }),
                    "norm" => measure(&mut || a.norm_l2().into()),
                    _ => return None,
                })
            }
        };
    }
    operations!(f32);
    operations!(f64);

    /// The sum of absolute values of a matrix.
    trait Sum {
        fn absolute_sum(&self) -> f64;
    }

    macro_rules! sum {
        ($type:ident) => {
            impl Sum for faer::Mat<$type> {
                fn absolute_sum(&self) -> f64 {
                    (0..self.ncols()).map(|j| size!(self.col(j).iter())).sum()
                }
            }
        };
    }
    sum!(f32);
    sum!(f64);
}

/// What has products alone.
mod products {
    use super::*;

    macro_rules! operations {
        ($type:ident, $multiply:path) => {
            pub(super) fn $type(
                library: &Library,
                operation: &str,
                it: &Operands<$type>,
                measure: Measure<'_>,
            ) -> Option<(f64, f64)> {
                let n = it.n;
                let (right, (row, column), columns) = match operation {
                    "matmul" => (&it.b, (n, 1), n),
                    "matmul_t" => (&it.b, (1, n), n),
                    "gemv" => (&it.x, (1, 1), 1),
                    _ => return None,
                };
                let (m, strides) = (n as isize, (row as isize, column as isize));
                let mut c = vec![0.0; n * columns];
                let parallel = match library.threads {
                    1 => gemm::Parallelism::None,
                    threads => gemm::Parallelism::Rayon(threads),
                };
                let (seconds, _) = measure(&mut || {
                    let (a, b, c) = (it.a.as_ptr(), right.as_ptr(), c.as_mut_ptr());
                    // SAFETY: the operands have n times n items, or n times `columns`, in these strides.
                    unsafe {
                        if matches!(library.name, Name::Gemm) {
                            gemm::gemm(
                                n,
                                columns,
                                n,
                                c,
                                1,
                                columns as isize,
                                false,
                                a,
                                1,
                                m,
                                b,
                                strides.1,
                                strides.0,
                                0.0,
                                1.0,
                                false,
                                false,
                                false,
                                parallel,
                            );
                        } else {
                            $multiply(
                                n,
                                n,
                                columns,
                                1.0,
                                a,
                                m,
                                1,
                                b,
                                strides.0,
                                strides.1,
                                0.0,
                                c,
                                columns as isize,
                                1,
                            );
                        }
                    }
                    UNCHECKED
                });
                Some((seconds, size!(&c)))
            }
        };
    }
    operations!(f32, matrixmultiply::sgemm);
    operations!(f64, matrixmultiply::dgemm);
}

/// nalgebra: with sizes known to the compiler up to 4, and dynamic ones.
mod nalgebra_ {
    use super::*;
    use nalgebra::{DMatrix, DVector, SMatrix, SVector};

    /// The operations on matrices of either kind.
    macro_rules! measured {
        ($type:ident, $operation:ident, $measure:ident, $a:ident, $b:ident, $s:ident, $p:ident, $x:ident) => {
            Some(match $operation {
                "matmul" => {
                    let mut c = $a.clone();
                    let (seconds, _) = $measure(&mut || {
                        std::hint::black_box(&$a).mul_to(std::hint::black_box(&$b), &mut c);
                        UNCHECKED
                    });
                    (seconds, size!(c.iter()))
                }
                "gemv" => {
                    let mut y = $x.clone();
                    let (seconds, _) = $measure(&mut || {
                        std::hint::black_box(&$a).mul_to(std::hint::black_box(&$x), &mut y);
                        UNCHECKED
                    });
                    (seconds, size!(y.iter()))
                }
                "solve" => $measure(&mut || {
                    let y = std::hint::black_box(&$a)
                        .clone()
                        .lu()
                        .solve(&$x)
                        .expect("regular");
                    size!(y.iter())
                }),
                "inv" => $measure(&mut || {
                    let inverse = std::hint::black_box(&$a)
                        .clone()
                        .try_inverse()
                        .expect("regular");
                    size!(inverse.iter())
                }),
                "det" => $measure(&mut || std::hint::black_box(&$a).determinant().abs().into()),
                "cholesky" => $measure(&mut || {
                    std::hint::black_box(std::hint::black_box(&$p).clone().cholesky());
                    UNCHECKED
                }),
                "qr" => $measure(&mut || {
                    let qr = std::hint::black_box(&$a).clone().qr();
                    std::hint::black_box((qr.q(), qr.r()));
                    UNCHECKED
                }),
                "eigvalsh" => $measure(&mut || {
                    size!(std::hint::black_box(&$s).symmetric_eigenvalues().iter())
                }),
                "eigh" => $measure(&mut || {
                    size!(
                        std::hint::black_box(&$s)
                            .clone()
                            .symmetric_eigen()
                            .eigenvalues
                            .iter()
                    )
                }),
                "svdvals" => {
                    $measure(&mut || size!(std::hint::black_box(&$a).singular_values().iter()))
                }
                "svd" => $measure(&mut || {
                    size!(
                        std::hint::black_box(&$a)
                            .clone()
                            .svd(true, true)
                            .singular_values
                            .iter()
                    )
                }),
                "norm" => $measure(&mut || std::hint::black_box(&$a).norm().into()),
                _ => return None,
            })
        };
    }

    macro_rules! operations {
        ($type:ident) => {
            pub(super) fn $type(
                operation: &str,
                it: &Operands<$type>,
                measure: Measure<'_>,
            ) -> Option<(f64, f64)> {
                macro_rules! fixed {
                    ($n:literal) => {{
                        type M = SMatrix<$type, $n, $n>;
                        let made = M::from_row_slice;
                        let (a, b, s, p) = (made(&it.a), made(&it.b), made(&it.s), made(&it.p));
                        let x = SVector::<$type, $n>::from_row_slice(&it.x);
                        measured!($type, operation, measure, a, b, s, p, x)
                    }};
                }
                let n = it.n;
                match n {
                    2 => return fixed!(2),
                    4 => return fixed!(4),
                    // Its decompositions of large matrices take minutes.
                    513.. if !matches!(operation, "matmul" | "gemv" | "norm") => return None,
                    _ => {}
                }
                let made = |items| DMatrix::from_row_slice(n, n, items);
                let (a, b, s, p) = (made(&it.a), made(&it.b), made(&it.s), made(&it.p));
                let x = DVector::from_row_slice(&it.x);
                measured!($type, operation, measure, a, b, s, p, x)
            }
        };
    }
    operations!(f32);
    operations!(f64);
}
