//! What foreign data may ask for at most. Reaching a limit is an error that names it.

/// Largest document, in bytes: positions of words are 32 bits wide.
pub const TEXT_SIZE_MAX: usize = u32::MAX as usize;

/// Largest fastText model, in bytes: it is read into memory.
pub const MODEL_SIZE_MAX: u64 = 8 << 30;

/// Most words and labels of a fastText model.
pub const MODEL_WORDS_MAX: usize = 1 << 26;

/// Most labels of a fastText model.
pub const MODEL_LABELS_MAX: usize = 1 << 20;

/// Most numbers in a vector of a fastText model.
pub const MODEL_DIM_MAX: usize = 1 << 14;

/// Longest n-gram of characters, and of words, of a fastText model: a text costs its length times this.
pub const MODEL_NGRAM_MAX: usize = 32;

/// Longest label of a domain name that is decoded from Punycode, in bytes: DNS allows 63.
pub const PUNYCODE_SIZE_MAX: usize = 63;

/// Most times that a line is repaired anew; each time takes one layer of wrong decoding away.
pub const REPAIR_PASSES_MAX: usize = 64;

/// How deep repaired parts of a line may lie in each other.
pub const REPAIR_DEPTH_MAX: usize = 8;
