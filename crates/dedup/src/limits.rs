//! What foreign data can make large, and how large.

/// Most bands of a signature.
pub const BANDS_MAX: usize = 1024;

/// Most values of a signature: bands times rows.
pub const VALUES_MAX: usize = 8192;

/// Most tokens of a shingle.
pub const NGRAM_MAX: usize = 64;

/// Most rows of a shard: row numbers are 32 bits wide in the files.
pub const ROWS_MAX: u64 = 1 << 32;

/// Most distinct shingles of a document that are stored for verification. Longer documents are
/// verified on their smallest hashes, which is a uniform sample.
pub const SHINGLES_MAX: usize = 1 << 22;

/// Most documents of one deduplication, indexes included.
pub const DOCUMENTS_MAX: u64 = u32::MAX as u64;

/// Most kept documents of one band key that a later document is compared with.
pub const REPRESENTATIVES_MAX: usize = 64;

/// Largest manifest, 16 MiB.
pub const MANIFEST_SIZE_MAX: u64 = 16 << 20;

/// Most runs of a spill file.
pub const RUNS_MAX: u64 = 1 << 20;

/// Largest text of one call that finds repeated substrings, in elements (bytes or tokens).
pub const TEXT_LEN_MAX: usize = (u32::MAX - 1) as usize;

/// Smallest memory cap, 8 MiB.
pub const MEMORY_SIZE_MIN: u64 = 8 << 20;
