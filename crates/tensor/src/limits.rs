//! Limits on what other libraries' structures may ask of this crate.

/// The highest rank of a tensor taken over from `DLPack` or `__array_interface__`.
///
/// `NumPy` stops at 64 axes and `PyTorch` at 64; the rank drives how much foreign memory is read.
pub const IMPORT_RANK_MAX: usize = 1024;
