//! What foreign data and plans may ask for at most. Reaching a limit rejects the record, or is an
//! error that names the limit.

/// Reads a size in bytes, which may have a unit: `4096`, `512MiB`, `1GiB`.
///
/// ```
/// assert_eq!(nexus_data::parse_size("1GiB"), Ok(1 << 30));
/// assert!(nexus_data::parse_size("1 ell").is_err());
/// ```
///
/// # Errors
/// What is wrong with the text.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let shift = match text[digits.len()..].to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kib" => 10,
        "m" | "mib" => 20,
        "g" | "gib" => 30,
        "t" | "tib" => 40,
        unit => {
            return Err(format!(
                "there is no unit `{unit}` of size; known are KiB, MiB, GiB and TiB"
            ));
        }
    };
    let number: u64 = digits
        .trim_end()
        .parse()
        .map_err(|_| format!("`{text}` is no size such as 512MiB"))?;
    number
        .checked_mul(1 << shift)
        .ok_or_else(|| format!("`{text}` is more than there can be"))
}

/// Longest JSONL line or CSV record, in bytes.
pub const LINE_SIZE_MAX: usize = 64 << 20;

/// Largest text, Markdown or HTML file, in bytes, decompressed.
pub const DOCUMENT_SIZE_MAX: usize = 64 << 20;

/// Most keys of one JSONL record.
pub const RECORD_KEYS_MAX: usize = 1024;

/// Most memory that an `.xz` file may ask of its reader, in KiB: enough for what `xz -9` writes, and
/// 15 times that.
pub const XZ_MEMORY_MAX_KIB: u32 = 1 << 20;

/// Largest window of a `.zst` file, as a power of two, in bytes: what `zstd --long=31` writes.
pub const ZSTD_WINDOW_LOG_MAX: u32 = 31;

/// Most bytes of one message of an Arrow file: a batch or a dictionary as they are stored.
pub const ARROW_MESSAGE_SIZE_MAX: u64 = 4 << 30;

/// Most bytes of the description of one message of an Arrow file, and of the file's footer.
pub const ARROW_METADATA_SIZE_MAX: u64 = 64 << 20;

/// Most bytes of one buffer of an Arrow file, decompressed.
pub const ARROW_BUFFER_SIZE_MAX: u64 = 4 << 30;

/// Most columns of a table or CSV file.
pub const COLUMNS_MAX: usize = 4096;

/// Deepest nesting of a column's type.
pub const TYPE_DEPTH_MAX: usize = 32;

/// Most bytes of the named fields of one WARC record.
pub const WARC_HEADER_SIZE_MAX: usize = 1 << 20;

/// Most bytes of one long name or extended header in a tar archive.
pub const TAR_NAME_SIZE_MAX: u64 = 1 << 20;

/// Most members of one sample in a tar archive.
pub const SAMPLE_MEMBERS_MAX: usize = 1024;

/// Smallest size of a shard that can be asked for, in bytes.
pub const SHARD_SIZE_MIN: u64 = 1 << 10;

/// Largest size of a shard that can be asked for, in bytes.
pub const SHARD_SIZE_MAX: u64 = 1 << 40;

/// Most shards of one output.
pub const SHARDS_MAX: usize = 1 << 20;

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

/// Most bytes of the tensors that `image_tensors` makes of one batch, if it has more than one row.
pub const TENSORS_SIZE_MAX: usize = 64 << 20;

/// Largest plan, in bytes.
pub const PLAN_SIZE_MAX: usize = 1 << 20;

/// Least bytes of a sample by which a run is estimated.
pub const ESTIMATE_SAMPLE_SIZE_MIN: u64 = 64 << 10;

/// Most seconds for which a sample is read, but for the batch that is under way then.
pub const ESTIMATE_SECONDS_MAX: u64 = 30;

/// How many rejected records and skipped files a report shows; all are counted.
pub const SAMPLES_MAX: usize = 10;

/// Most characters of the reason for which a record or a file is set aside: it may repeat what they say.
pub const REASON_LEN_MAX: usize = 1000;

/// Most groups of files of one run: more files are put into each.
pub const GROUPS_MAX: u64 = 1 << 15;

/// Bytes with which a part of the rows that are put aside is complete.
pub const PART_SIZE: u64 = 256 << 20;

/// Most bytes of one batch that is put aside.
pub const FRAME_SIZE_MAX: u64 = 16 << 30;
