//! Limits on what is asked for at once.

use std::time::Duration;

/// How many bytes one request asks for. Larger tensors are several requests.
pub const REQUEST_SIZE_MAX: u64 = 8 << 20;

/// Runs of bytes that are so far apart at most are one request.
pub const GAP_SIZE_MAX: u64 = 64 << 10;

/// How many bytes one call may ask for.
pub const READ_SIZE_MAX: u64 = 1 << 40;

/// How many characters of what a server says are repeated in an error.
pub const ERROR_LEN_MAX: usize = 1000;

/// How many bytes of a cloud's error are read.
pub const ERROR_BODY_SIZE_MAX: usize = 16 << 10;

/// How long is waited for them.
pub const ERROR_BODY_TIME_MAX: Duration = Duration::from_secs(5);

/// How many bytes of an object one request asks for when it is read from its start to its end.
pub const SEGMENT_SIZE: u64 = 4 << 20;

/// How many such requests are under way, and so far ahead of the reader.
pub const SEGMENTS_MAX: usize = 4;

/// The size of the first parts of an upload; later ones are larger, so that all fit.
pub const PART_SIZE: usize = 8 << 20;

/// How many parts of one upload are under way.
pub const PARTS_UNDER_WAY_MAX: usize = 3;

/// How many parts an upload has at most: what S3 allows. They hold about 480 GiB.
pub const PARTS_MAX: usize = 10_000;

/// How many bytes of small objects of a folder wait in memory until all of the folder appears.
pub const HELD_SIZE_MAX: usize = 32 << 20;

/// How many uploads are completed, aborted or objects removed at once.
pub const ENDINGS_UNDER_WAY_MAX: usize = 16;

/// How long it is tried to abort what a failed run has uploaded.
pub const ABORT_TIME_MAX: Duration = Duration::from_secs(30);
