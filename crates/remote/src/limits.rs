//! Limits on what is asked for at once.

/// How many bytes one request asks for. Larger tensors are several requests.
pub const REQUEST_SIZE_MAX: u64 = 8 << 20;

/// Runs of bytes that are so far apart at most are one request.
pub const GAP_SIZE_MAX: u64 = 64 << 10;

/// How many bytes one call may ask for.
pub const READ_SIZE_MAX: u64 = 1 << 40;

/// How many characters of what a server says are repeated in an error.
pub const ERROR_LEN_MAX: usize = 1000;
