//! Sparse factorisations: columns ordered by COLAMD or AMD, supernodes where there is enough work for them.

use crate::Faer;
use crate::raw::view_mut;
use faer::dyn_stack::{MemBuffer, MemStack, StackReq};
use faer::linalg::cholesky::llt::factor::LltError;
use faer::linalg::solvers::SolveLstsqCore;
use faer::sparse::linalg::LuError;
use faer::sparse::linalg::cholesky::{
    LltRef, SymbolicCholesky, SymbolicCholeskyRaw, SymmetricOrdering, factorize_symbolic_cholesky,
};
use faer::sparse::linalg::lu::{LuRef, NumericLu, SymbolicLu, factorize_symbolic_lu, simplicial};
use faer::sparse::linalg::solvers::{Qr, SymbolicQr};
use faer::sparse::{SparseColMatRef, SymbolicSparseColMatRef};
use faer::{Conj, Par, Side};
use nexus_linalg::MatMut;
use nexus_linalg::sparse::{Analysed, FactorFault, Factored, Factorize, Method, Pattern};
use std::sync::Arc;

/// LU: the order of columns, and where there are supernodes.
struct LuAnalysis(Arc<SymbolicLu<usize>>);

struct LuFactor<T> {
    symbolic: Arc<SymbolicLu<usize>>,
    numeric: NumericLu<usize, T>,
}

/// Cholesky: the order of rows, and the places of the factor.
struct LltAnalysis(Arc<SymbolicCholesky<usize>>);

struct LltFactor<T> {
    symbolic: Arc<SymbolicCholesky<usize>>,
    values: Vec<T>,
}

struct QrAnalysis(SymbolicQr<usize>);

struct QrFactor<T>(Qr<usize, T>);

/// The pattern as faer takes it; it checks it once more.
fn symbolic(pattern: &Pattern) -> SymbolicSparseColMatRef<'_, usize> {
    let (rows, columns) = pattern.shape;
    let Pattern {
        pointers, indices, ..
    } = pattern;
    SymbolicSparseColMatRef::new_checked(rows, columns, pointers, None, indices)
}

fn memory(needed: StackReq) -> Result<MemBuffer, FactorFault> {
    MemBuffer::try_new(needed.and(StackReq::new::<u8>(1024))).map_err(|_| FactorFault::Memory)
}

macro_rules! factorize {
    ($type:ident) => {
        impl Factorize<$type> for Faer {
            fn analyse(
                &self,
                method: Method,
                pattern: &Pattern,
            ) -> Result<Box<dyn Analysed<$type>>, FactorFault> {
                let pattern = symbolic(pattern);
                Ok(match method {
                    Method::Lu => Box::new(LuAnalysis(Arc::new(
                        factorize_symbolic_lu(pattern, Default::default())
                            .map_err(|_| FactorFault::Memory)?,
                    ))),
                    Method::Cholesky => Box::new(LltAnalysis(Arc::new(
                        factorize_symbolic_cholesky(
                            pattern,
                            Side::Lower,
                            SymmetricOrdering::Amd,
                            Default::default(),
                        )
                        .map_err(|_| FactorFault::Memory)?,
                    ))),
                    Method::Qr => Box::new(QrAnalysis(
                        SymbolicQr::try_new(pattern).map_err(|_| FactorFault::Memory)?,
                    )),
                })
            }
        }

        impl Analysed<$type> for LuAnalysis {
            fn factor(
                &self,
                pattern: &Pattern,
                values: &[$type],
            ) -> Result<Box<dyn Factored<$type>>, FactorFault> {
                let a = SparseColMatRef::new(symbolic(pattern), values);
                let mut numeric = NumericLu::new();
                let needed = self
                    .0
                    .factorize_numeric_lu_scratch::<$type>(Par::Seq, Default::default());
                let result = self.0.factorize_numeric_lu(
                    &mut numeric,
                    a,
                    Par::Seq,
                    MemStack::new(&mut memory(needed)?),
                    Default::default(),
                );
                if let Err(error) = result {
                    return Err(self.fault(error));
                }
                let factor = LuFactor {
                    symbolic: self.0.clone(),
                    numeric,
                };
                let mut probe = vec![1.0; pattern.shape.0];
                factor.solve(column(&mut probe));
                if probe.iter().any(|x| !x.is_finite()) {
                    // A pivot is zero, or the matrix nearly singular: elimination column by column tells.
                    self.check_pivots(a)?;
                }
                Ok(Box::new(factor))
            }
        }

        impl Pivots<$type> for LuAnalysis {
            fn check_pivots(
                &self,
                a: SparseColMatRef<'_, usize, $type>,
            ) -> Result<(), FactorFault> {
                let n = a.nrows();
                let (mut order, mut back) = (vec![0; n], vec![0; n]);
                let mut lu = simplicial::SimplicialLu::new();
                let needed =
                    simplicial::factorize_simplicial_numeric_lu_scratch::<usize, $type>(n, n);
                simplicial::factorize_simplicial_numeric_lu(
                    &mut order,
                    &mut back,
                    &mut lu,
                    a,
                    self.0.col_perm(),
                    MemStack::new(&mut memory(needed)?),
                )
                .map_err(|error| self.fault(error))?;
                let upper = lu.u_factor_unsorted();
                // The pivot is the last item of its column.
                let is_zero =
                    |&j: &usize| upper.val_of_col(j).last().is_none_or(|&pivot| pivot == 0.0);
                match (0..n).find(is_zero) {
                    Some(j) => Err(FactorFault::Singular {
                        column: self.column(j),
                    }),
                    None => Ok(()),
                }
            }
        }

        impl Factored<$type> for LuFactor<$type> {
            fn solve(&self, b: MatMut<'_, $type>) {
                let needed = self
                    .symbolic
                    .solve_in_place_scratch::<$type>(b.shape().1, Par::Seq);
                LuRef::new_unchecked(&self.symbolic, &self.numeric).solve_in_place_with_conj(
                    Conj::No,
                    view_mut(b),
                    Par::Seq,
                    MemStack::new(&mut MemBuffer::new(needed)),
                );
            }

            fn solve_transpose(&self, b: MatMut<'_, $type>) {
                let needed = self
                    .symbolic
                    .solve_transpose_in_place_scratch::<$type>(b.shape().1, Par::Seq);
                LuRef::new_unchecked(&self.symbolic, &self.numeric)
                    .solve_transpose_in_place_with_conj(
                        Conj::No,
                        view_mut(b),
                        Par::Seq,
                        MemStack::new(&mut MemBuffer::new(needed)),
                    );
            }
        }

        impl Analysed<$type> for LltAnalysis {
            fn factor(
                &self,
                pattern: &Pattern,
                values: &[$type],
            ) -> Result<Box<dyn Factored<$type>>, FactorFault> {
                let a = SparseColMatRef::new(symbolic(pattern), values);
                let mut factor = Vec::new();
                let len = self.0.len_val();
                factor
                    .try_reserve_exact(len)
                    .map_err(|_| FactorFault::Memory)?;
                factor.resize(len, 0.0);
                let needed = self
                    .0
                    .factorize_numeric_llt_scratch::<$type>(Par::Seq, Default::default());
                let result = self.0.factorize_numeric_llt(
                    &mut factor,
                    a,
                    Side::Lower,
                    Default::default(),
                    Par::Seq,
                    MemStack::new(&mut memory(needed)?),
                    Default::default(),
                );
                match result {
                    Ok(_) => Ok(Box::new(LltFactor {
                        symbolic: self.0.clone(),
                        values: factor,
                    })),
                    Err(LltError::NonPositivePivot { index }) => Err(self.fault(index)),
                }
            }
        }

        impl Factored<$type> for LltFactor<$type> {
            fn solve(&self, b: MatMut<'_, $type>) {
                let needed = self
                    .symbolic
                    .solve_in_place_scratch::<$type>(b.shape().1, Par::Seq);
                LltRef::new(&self.symbolic, &self.values).solve_in_place_with_conj(
                    Conj::No,
                    view_mut(b),
                    Par::Seq,
                    MemStack::new(&mut MemBuffer::new(needed)),
                );
            }

            fn solve_transpose(&self, b: MatMut<'_, $type>) {
                self.solve(b);
            }
        }

        impl Analysed<$type> for QrAnalysis {
            fn factor(
                &self,
                pattern: &Pattern,
                values: &[$type],
            ) -> Result<Box<dyn Factored<$type>>, FactorFault> {
                let a = SparseColMatRef::new(symbolic(pattern), values);
                let factor = Qr::try_new_with_symbolic(self.0.clone(), a)
                    .map_err(|_| FactorFault::Memory)?;
                let factor = QrFactor(factor);
                let mut probe = vec![1.0; pattern.shape.0];
                factor.solve(column(&mut probe));
                match probe[..pattern.shape.1].iter().position(|x| !x.is_finite()) {
                    Some(column) => Err(FactorFault::Singular { column }),
                    None => Ok(Box::new(factor)),
                }
            }
        }

        impl Factored<$type> for QrFactor<$type> {
            fn solve(&self, b: MatMut<'_, $type>) {
                self.0.solve_lstsq_in_place_with_conj(Conj::No, view_mut(b));
            }

            fn solve_transpose(&self, _: MatMut<'_, $type>) {
                unreachable!("nexus-linalg does not ask for it")
            }
        }
    };
}

factorize!(f32);
factorize!(f64);

/// Looking for the pivot that is zero.
trait Pivots<T> {
    fn check_pivots(&self, a: SparseColMatRef<'_, usize, T>) -> Result<(), FactorFault>;
}

impl LltAnalysis {
    /// That the pivot which faer calls `index` is not positive: without supernodes it counts from 1.
    fn fault(&self, index: usize) -> FactorFault {
        let place = match self.0.raw() {
            SymbolicCholeskyRaw::Simplicial(_) => index.saturating_sub(1),
            SymbolicCholeskyRaw::Supernodal(_) => index,
        };
        let row = self
            .0
            .perm()
            .and_then(|order| order.arrays().0.get(place).copied());
        FactorFault::NotPositiveDefinite {
            minor: place + 1,
            row: row.unwrap_or(place),
        }
    }
}

impl LuAnalysis {
    /// The column of the matrix that is eliminated as number `j`.
    fn column(&self, j: usize) -> usize {
        self.0.col_perm().arrays().0[j]
    }

    fn fault(&self, error: LuError) -> FactorFault {
        match error {
            LuError::SymbolicSingular { index } => FactorFault::Singular {
                column: self.column(index),
            },
            LuError::Generic(_) => FactorFault::Memory,
        }
    }
}

fn column<T>(items: &mut [T]) -> MatMut<'_, T> {
    let rows = items.len();
    MatMut::new(items, rows, 1).expect("one item for each row")
}
