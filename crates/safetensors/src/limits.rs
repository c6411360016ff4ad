//! Limits on what a file may ask of the reader and a caller of the writer.

/// The largest header in bytes, as in the `safetensors` crate.
pub const HEADER_SIZE_MAX: usize = 100_000_000;

/// How many symbolic links a save follows from the name it is given to the file it replaces.
pub const SYMLINKS_MAX: usize = 40;

/// How many names a save tries for its temporary file before it gives up.
pub const TEMPORARY_NAMES_MAX: u32 = 1000;

/// How many bytes of values are in memory at once while a packed file is turned back: 16 MiB.
pub const UNPACK_BUFFER_SIZE: usize = 16 << 20;
