//! The affine family with AVX2: the first hashes exactly, the others through a sieve.

use super::{avx2, has_avx2, sieve};

/// Hashes after which most do not lower any minimum, so that a sieve pays.
const HASHES_UNSIEVED: usize = 32;

/// What the functions are sieved by. There is none where the machine has no AVX2.
#[derive(Clone, Debug)]
pub(crate) struct Kernel(Vec<sieve::Sieve>);

impl Kernel {
    /// For as many functions as fill the lanes of sieves.
    pub(crate) fn new(a: &[u64], b: &[u64]) -> Option<Self> {
        let pairs = a.as_chunks().0.iter().zip(b.as_chunks().0);
        has_avx2().then(|| Self(pairs.map(|(a, b)| sieve::Sieve::new(a, b)).collect()))
    }

    /// Lowers `minima` to the least value of each function; `a` and `b` are those that it is made of.
    pub(crate) fn lower(&self, a: &[u64], b: &[u64], hashes: &[u64], minima: &mut [u64]) {
        let (first, rest) = hashes.split_at(hashes.len().min(HASHES_UNSIEVED));
        let halves = |&hash: &u64| [hash & ((1 << 31) - 1), hash >> 31, hash >> 31 << 1];
        let first: Vec<_> = first.iter().map(halves).collect();
        let tiles = a.as_chunks().0.iter().zip(b.as_chunks().0);
        for ((a, b), least) in tiles.zip(minima.as_chunks_mut().0) {
            // SAFETY: there is a kernel only where the machine has AVX2.
            unsafe { avx2::affine(a, b, &first, least) }
        }
        let digits: Vec<_> = rest.iter().map(|&hash| sieve::digits(hash)).collect();
        let tiles = a.as_chunks().0.iter().zip(b.as_chunks().0);
        for ((sieve, tile), least) in self.0.iter().zip(tiles).zip(minima.as_chunks_mut().0) {
            // SAFETY: as above.
            unsafe { sieve.lower(tile, (rest, &digits), least) }
        }
    }
}
