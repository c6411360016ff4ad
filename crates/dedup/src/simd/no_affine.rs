//! The affine family on machines without AVX2: there is no kernel.

/// Has no values.
#[derive(Clone, Debug)]
pub(crate) enum Kernel {}

impl Kernel {
    pub(crate) fn new(_a: &[u64], _b: &[u64]) -> Option<Self> {
        None
    }

    pub(crate) fn lower(&self, _a: &[u64], _b: &[u64], _hashes: &[u64], _minima: &mut [u64]) {
        match *self {}
    }
}
