//! What foreign data and plans may ask for at most. Reaching a limit rejects the record, or is an
//! error that names the limit.

/// Longest JSONL line, in bytes.
pub const LINE_SIZE_MAX: usize = 64 << 20;

/// Largest text, Markdown or HTML file, in bytes, decompressed.
pub const DOCUMENT_SIZE_MAX: usize = 64 << 20;

/// Most keys of one JSONL record.
pub const RECORD_KEYS_MAX: usize = 1024;

/// Most files of one source.
pub const FILES_MAX: usize = 16 << 20;

/// Deepest folder below the source's root.
pub const FOLDER_DEPTH_MAX: usize = 128;

/// Most threads of one run.
pub const THREADS_MAX: usize = 1024;

/// Most rows of one batch as it is read.
pub const BATCH_ROWS_MAX: usize = 1 << 20;

/// Most bytes of text in one batch as it is read, if it has more than one row.
pub const BATCH_SIZE_MAX: usize = 256 << 20;

/// Longest passage of [`cut`](crate::Pipeline::cut), in tokens.
pub const PASSAGE_TOKENS_MAX: usize = 1 << 20;

/// Most bytes of all strings of one column of a batch: Arrow's `Utf8` counts with 31 bits.
pub const COLUMN_SIZE_MAX: usize = i32::MAX as usize;

/// Largest plan, in bytes.
pub const PLAN_SIZE_MAX: usize = 1 << 20;

/// How many rejected records and skipped files a report shows; all are counted.
pub const SAMPLES_MAX: usize = 10;
