//! Limits on what a file may ask of the reader and a caller of the writer.

/// From this size on a file that is not in the page cache is loaded past it.
pub const DIRECT_SIZE_MIN: u64 = 64 << 20;

/// The largest header in bytes, as in the `safetensors` crate.
pub const HEADER_SIZE_MAX: usize = 100_000_000;

/// The largest index of a checkpoint in bytes.
pub const INDEX_SIZE_MAX: u64 = 100_000_000;

/// How many symbolic links a save follows from the name it is given to the file it replaces.
pub const SYMLINKS_MAX: usize = 40;

/// How many names a save tries for its temporary file before it gives up.
pub const TEMPORARY_NAMES_MAX: u32 = 1000;

/// The largest alignment of the data that a save can be asked for: a huge page.
pub const ALIGN_MAX: usize = 2 << 20;

/// How many bytes of values are in memory at once while a packed file is turned back: 16 MiB.
pub const UNPACK_BUFFER_SIZE: usize = 16 << 20;
