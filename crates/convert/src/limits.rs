//! Limits on what a foreign file may ask of a reader.

/// How many bytes of tensors a file may declare for each of its own, beside [`OUTPUT_SIZE_FREE`].
/// Deflate packs 1032 bytes into one; tensors that share or repeat their elements grow too.
pub const OUTPUT_FACTOR_MAX: u64 = 1100;

/// How many bytes of tensors any file may declare.
pub const OUTPUT_SIZE_FREE: u64 = 1 << 30;

/// How many axes an array of `NumPy` or a tensor of torch may have; `NumPy` knows no more.
pub const RANK_MAX: usize = 64;

/// How many tensors a file may have.
pub const TENSORS_MAX: usize = 1_000_000;

/// How many files an archive may hold.
pub const ARCHIVE_MEMBERS_MAX: usize = 2_000_000;

/// The largest header of an `.npy` file, in bytes.
pub const NPY_HEADER_SIZE_MAX: usize = 1 << 20;

/// The largest pickle, in bytes.
pub const PICKLE_SIZE_MAX: u64 = 256 << 20;

/// How many opcodes of a pickle are read. A tensor takes about 35.
pub const PICKLE_OPCODES_MAX: u64 = 20_000_000;

/// How many containers, storages and tensors a pickle may make. A tensor takes about 8; a byte of
/// the pickle is enough for one.
pub const PICKLE_NODES_MAX: usize = 5_000_000;

/// How many values a pickle may remember.
pub const PICKLE_MEMO_MAX: usize = 10_000_000;

/// The longest text in a pickle, in bytes.
pub const PICKLE_TEXT_SIZE_MAX: usize = 1 << 20;

/// How deep dictionaries, lists and tuples of a pickle may be nested.
pub const PICKLE_DEPTH_MAX: usize = 64;

/// How many values are visited on the search for tensors in a pickle. A value may be reached on
/// many ways, and a small pickle may have very many ways.
pub const PICKLE_VISITS_MAX: u64 = 5_000_000;

/// How many bytes the names of the tensors in a pickle may have together, each axis counted as 16:
/// a small pickle may make very many long names. The header of a safetensors file holds no more.
pub const NAMES_SIZE_MAX: usize = 100_000_000;

/// The longest name of a tensor that keys make together, in bytes.
pub const NAME_SIZE_MAX: usize = 4096;

/// How many notes a source keeps; the others are counted.
pub const NOTES_MAX: usize = 100;

/// How many keys of metadata a GGUF file may have.
pub const GGUF_KEYS_MAX: u64 = 100_000;

/// The longest text in a GGUF file, in bytes.
pub const GGUF_TEXT_SIZE_MAX: u64 = 16 << 20;

/// How many elements arrays in the metadata of a GGUF file may have together.
pub const GGUF_ARRAY_LEN_MAX: u64 = 100_000_000;

/// How deep arrays in the metadata of a GGUF file may be nested.
pub const GGUF_ARRAY_DEPTH_MAX: usize = 8;

/// How many axes a tensor of a GGUF file may have. The format says 4 today.
pub const GGUF_RANK_MAX: u32 = 8;

/// How many bytes of tensors a file of `input_size` bytes may declare.
pub(crate) fn output_size_max(input_size: u64) -> u64 {
    input_size
        .saturating_mul(OUTPUT_FACTOR_MAX)
        .max(OUTPUT_SIZE_FREE)
}
