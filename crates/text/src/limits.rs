//! What a document may ask for at most. Reaching a limit is an error that names it.

/// Largest document, in bytes: positions of words are 32 bits wide.
pub const TEXT_SIZE_MAX: usize = u32::MAX as usize;
