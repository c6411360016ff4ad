//! How a call may run: its threads, its instructions.

use crate::engine::{self, Packing};
use crate::{Conj, Error, Field, Isa, MatMut, MatRef, pool};
use nexus_kernels::{GemmParts, Real, gemm_parts, gemm_small};
use std::num::NonZero;
use std::sync::{Mutex, PoisonError};

/// How operations run. The default is one thread, and the widest instructions of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    threads: NonZero<usize>,
    /// The widest where it is none.
    isa: Option<Isa>,
}

impl Default for Context {
    fn default() -> Self {
        Self {
            threads: NonZero::<usize>::MIN,
            isa: None,
        }
    }
}

impl Context {
    /// Calls use at most `threads` threads, the caller's included.
    #[must_use]
    pub fn threads(self, threads: NonZero<usize>) -> Self {
        Self { threads, ..self }
    }

    /// Products, elimination, Cholesky, stacks and what stands on them use these instructions. An [`Isa`] is one that
    /// this machine has: [`Isa::named`] gives none that it lacks. Engines of [`Decompose`](crate::decompose::Decompose)
    /// choose their own for what they do themselves.
    ///
    /// The bits of a result are the same for any number of threads, strides, rows and places in a stack, but not for
    /// two instruction sets.
    ///
    /// ```
    /// use nexus_linalg::{Context, Isa};
    ///
    /// let narrow = Isa::named("avx2").unwrap_or(Isa::portable());
    /// assert_eq!(Context::default().with_isa(narrow).isa(), narrow);
    /// assert_eq!(Context::default().isa(), Isa::detect());
    /// ```
    #[must_use]
    pub fn with_isa(self, isa: Isa) -> Self {
        let isa = Some(isa);
        Self { isa, ..self }
    }

    /// The instructions that calls use.
    #[inline]
    pub fn isa(self) -> Isa {
        self.isa.unwrap_or_else(Isa::detect)
    }

    /// How many threads calls use at most.
    pub(crate) fn count(self) -> usize {
        self.threads.get()
    }

    /// `c = a * b`.
    ///
    /// An item of `c` has the same bits for any number of threads, and in a product with fewer rows of `a`
    /// or columns of `b`. Small products stay on the calling thread.
    ///
    /// # Errors
    /// When the shapes are not `(m, k)`, `(k, n)` and `(m, n)`.
    pub fn matmul<T: Field>(
        &self,
        a: MatRef<'_, T>,
        b: MatRef<'_, T>,
        c: MatMut<'_, T>,
    ) -> Result<(), Error> {
        let ((m, k), (k_b, n)) = (a.shape(), b.shape());
        if k != k_b || c.shape() != (m, n) {
            return Err(Error::shapes("multiply", (m, k), (k_b, n), c.shape()));
        }
        self.gemm(T::ONE, a, b, T::default(), c);
        Ok(())
    }

    /// The context of each of `count` pieces of work: one thread where there are enough pieces for all threads.
    pub(crate) fn within(self, count: usize) -> Self {
        if count >= self.threads.get() {
            self.threads(NonZero::<usize>::MIN)
        } else {
            self
        }
    }

    /// Calls `work` with each of `items`, which cost about as many multiplications each, on the context's threads;
    /// on the caller's alone where they are fewer than the threads or cost little.
    pub(crate) fn for_each<P>(
        self,
        cost: f64,
        items: impl ExactSizeIterator<Item = P> + Send,
        work: impl Fn(P) + Sync,
    ) {
        let (count, threads) = (items.len(), self.threads.get());
        if threads == 1
            || count < threads
            || cost * (count as f64) < 2.0 * WORK_PER_THREAD_MIN as f64
        {
            return items.for_each(work);
        }
        let at_once = ((WORK_AT_ONCE / cost.max(1.0)) as usize).clamp(1, count.div_ceil(threads));
        let items = Mutex::new(items);
        pool::share(threads, &|| {
            let mut some = Vec::with_capacity(at_once);
            loop {
                let mut items = items.lock().unwrap_or_else(PoisonError::into_inner);
                some.extend(items.by_ref().take(at_once));
                drop(items);
                if some.is_empty() {
                    return;
                }
                some.drain(..).for_each(&work);
            }
        });
    }

    /// `c = alpha * a * b + beta * c`, for shapes that fit.
    pub(crate) fn gemm<T: Field>(
        self,
        alpha: T,
        a: MatRef<'_, T>,
        b: MatRef<'_, T>,
        beta: T,
        c: MatMut<'_, T>,
    ) {
        T::gemm(self, alpha, (a, Conj::No), (b, Conj::No), beta, c);
    }

    /// [`gemm`](Self::gemm) of real items.
    pub(crate) fn real_gemm<T: Real + Packing>(
        self,
        alpha: T,
        a: MatRef<'_, T>,
        b: MatRef<'_, T>,
        beta: T,
        mut c: MatMut<'_, T>,
    ) {
        let ((m, k), (_, n)) = (a.shape(), b.shape());
        let isa = self.isa();
        if gemm_small(isa, alpha, (a, b), beta, c.reborrow()) {
            return;
        }
        // A matrix times a vector waits for memory.
        let weight = if m == 1 || n == 1 { VECTOR_WEIGHT } else { 1 };
        self.share((m, k.saturating_mul(weight), n), |count| {
            gemm_parts(isa, alpha, (a, b), beta, c, count)
        });
    }

    /// Computes a product of `m x k` by `k x n` items, of which `parts` makes about so many parts, on as many
    /// threads as pay.
    pub(crate) fn share<'a, P: Packing>(
        self,
        (m, k, n): (usize, usize, usize),
        parts: impl FnOnce(usize) -> GemmParts<'a, P>,
    ) {
        let threads = self.threads_for(m.saturating_mul(k).saturating_mul(n));
        let count = if threads == 1 {
            1
        } else {
            threads * PARTS_PER_THREAD
        };
        let parts = parts(count);
        if threads == 1 {
            parts.for_each(engine::run);
        } else {
            let parts = Mutex::new(parts);
            let next = || parts.lock().unwrap_or_else(PoisonError::into_inner).next();
            pool::share(threads, &|| std::iter::from_fn(next).for_each(engine::run));
        }
    }

    /// The threads that pay for so many multiplications.
    pub(crate) fn threads_for(self, work: usize) -> usize {
        self.threads.get().min(work / WORK_PER_THREAD_MIN).max(1)
    }
}

/// Below this many multiplications a thread costs more to wake than it saves.
const WORK_PER_THREAD_MIN: usize = 1_000_000;

/// Multiplications that take as long as one of a matrix and a vector.
const VECTOR_WEIGHT: usize = 4;

/// Multiplications that a thread takes at once, which cost much more than taking them.
const WORK_AT_ONCE: f64 = 100_000.0;

/// Parts for each thread: one that is held up leaves some of its own to the others.
const PARTS_PER_THREAD: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn the_number_of_threads_does_not_change_a_bit() {
        let shapes = [
            (211, 97, 301),
            (400, 20_000, 1),
            (300, 2000, 64),
            (2, 1 << 20, 3),
            (1, 9, 9),
        ];
        for (m, k, n) in shapes {
            let a: Vec<f32> = (0..m * k).map(|i| (i as f32 * 0.37).sin()).collect();
            let b: Vec<f32> = (0..k * n).map(|i| (i as f32 * 0.11).cos()).collect();
            let product = |threads: usize| {
                let mut c = vec![f32::NAN; m * n];
                Context::default()
                    .threads(NonZero::new(threads).unwrap())
                    .matmul(
                        MatRef::new(&a, m, k).unwrap(),
                        MatRef::new(&b, k, n).unwrap(),
                        MatMut::new(&mut c, m, n).unwrap(),
                    )
                    .unwrap();
                c
            };
            let one = product(1);
            assert!(one.iter().all(|x| x.is_finite()));
            for threads in [2, 3, 4] {
                assert_eq!(one, product(threads), "{m}x{k}x{n} on {threads} threads");
            }
        }
    }

    #[test]
    fn a_result_with_interleaved_rows_is_computed_too() {
        let (m, k, n) = (200, 110, 250);
        let a = vec![1.0_f64; m * k];
        let b = vec![2.0_f64; k * n];
        let mut c = vec![0.0; m * n];
        let context = Context::default().threads(NonZero::new(2).unwrap());
        let view = MatMut::with_strides(&mut c, (m, n), (1, m)).unwrap();
        context
            .matmul(
                MatRef::new(&a, m, k).unwrap(),
                MatRef::new(&b, k, n).unwrap(),
                view,
            )
            .unwrap();
        assert!(c.iter().all(|&x| x == 2.0 * k as f64));
    }

    #[test]
    fn shapes_that_do_not_fit_are_an_error_that_names_them() {
        let (a, mut c) = ([0.0_f32; 6], [0.0_f32; 4]);
        let a = MatRef::new(&a, 2, 3).unwrap();
        let error = Context::default()
            .matmul(a, a, MatMut::new(&mut c, 2, 2).unwrap())
            .unwrap_err();
        assert_eq!(error.to_string(), "cannot multiply 2x3 by 2x3 into 2x2");
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }
}
