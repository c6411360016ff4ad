//! Limits on what foreign data and arguments may ask for.

/// How many documents one corpus may have; a place in a packed row names one by 32 bits.
pub const DOCUMENTS_MAX: u64 = u32::MAX as u64;

/// How many rows may be shuffled, and how many tokens a file may declare.
pub const ROWS_MAX: u64 = 1 << 62;

/// The longest row, in tokens.
pub const ROW_LEN_MAX: usize = 1 << 24;

/// How many pieces documents may be packed as; a place in the list of them has 32 bits.
pub const PIECES_MAX: u64 = u32::MAX as u64;

/// How many shards one corpus may have.
pub const SHARDS_MAX: usize = 1_000_000;

/// The largest `index.json`, in bytes.
pub const INDEX_SIZE_MAX: u64 = 256 << 20;

/// How many columns the samples of a shard may have.
pub const COLUMNS_MAX: usize = 4096;

/// How many axes an array may have; `NumPy` knows no more.
pub const RANK_MAX: usize = 64;

/// The largest header of an `.npy` array, in bytes.
pub const NPY_HEADER_SIZE_MAX: u64 = 1 << 20;

/// How many members an archive may have.
pub const TAR_MEMBERS_MAX: u64 = 500_000_000;

/// The largest extended header of an archive's member, in bytes.
pub const TAR_HEADER_SIZE_MAX: u64 = 1 << 20;

/// How many extended headers may follow each other without a member.
pub const TAR_HEADERS_MAX: usize = 64;

/// How many rows a batch may have.
pub const BATCH_ROWS_MAX: usize = 1 << 20;

/// The largest batch, in bytes.
pub const BATCH_SIZE_MAX: usize = 16 << 30;

/// How many batches may be prepared ahead.
pub const PREFETCH_MAX: usize = 4096;

/// How many threads a loader may start.
pub const THREADS_MAX: usize = 256;

/// How many ranks, and how many workers in one, may share an epoch.
pub const WORLD_MAX: u64 = 1 << 24;

/// How many bytes of unpacked shards a loader keeps, unless [`LoaderOptions`](crate::LoaderOptions)
/// say otherwise.
pub const CACHE_SIZE: u64 = 2 << 30;

/// The largest shard or row group when it is unpacked, in bytes; it is in memory as a whole.
pub const UNIT_SIZE_MAX: u64 = 4 << 30;

/// The largest footer of a Parquet file, in bytes.
pub const FOOTER_SIZE_MAX: u64 = 256 << 20;

/// The largest image file, in bytes.
pub const IMAGE_SIZE_MAX: u64 = 1 << 30;

/// How deep folders of images may be nested.
pub const FOLDER_DEPTH_MAX: usize = 64;

/// How many classes a folder of images may have.
pub const CLASSES_MAX: usize = 1_000_000;
