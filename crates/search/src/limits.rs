//! What an index and a query may ask for.

/// The longest query, in bytes; MiniLM reads about the first thousand.
pub const QUERY_SIZE_MAX: usize = 8192;

/// The most hits in one answer.
pub const HITS_MAX: usize = 100;

/// The most passages in an index, so that positions fit 32 bits.
pub const PASSAGES_MAX: usize = u32::MAX as usize;

/// The most queries that are embedded together.
pub const QUERIES_TOGETHER_MAX: usize = 64;
