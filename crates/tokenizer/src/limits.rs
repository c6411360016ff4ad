//! What a tokenizer file may ask for at most. Reaching a limit is an error that names it.

/// Largest tokenizer file, in bytes. The largest published ones are about 20 MB.
pub const FILE_SIZE_MAX: u64 = 64 << 20;

/// Largest token id plus one. The largest published vocabularies have about 260 000 tokens.
pub const VOCAB_SIZE_MAX: u32 = 4 << 20;

/// Longest token, in bytes.
pub const TOKEN_SIZE_MAX: usize = 4096;

/// Most slots of the vocabulary's search structure, 12 bytes each.
pub const TRIE_SLOTS_MAX: usize = 1 << 26;

/// Largest `max_input_chars_per_word` of a file: the work for a word grows with its square.
pub const WORD_CHARS_MAX: usize = 1024;

/// Largest text for one call, in bytes: offsets are 32 bits wide.
pub const TEXT_SIZE_MAX: usize = u32::MAX as usize;

/// Most added tokens of a file. The largest published vocabularies have about 1 100.
pub const ADDED_TOKENS_MAX: usize = 1 << 16;

/// Most special tokens that a file puts around a text.
pub const AROUND_MAX: usize = 256;

/// Most entries of the cache of an encoder for pretokens of at most 15 bytes, 32 bytes each, which its
/// threads share; and of each thread's own for longer ones, 16 bytes each.
pub const CACHE_ENTRIES_MAX: usize = 1 << 19;

/// Most bytes that the cache of a thread holds for pretokens of more than 15 bytes. With the entries
/// it has 24 MiB at most, beside the 16 MiB that all share.
pub const CACHE_ARENA_SIZE_MAX: usize = 16 << 20;
