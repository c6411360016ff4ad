//! Any bytes as an Arrow file or stream.

#[path = "../read_file.rs"]
mod read_file;

/// Reads `data`.
pub fn run(data: &[u8]) {
    read_file::read(data, "arrow");
}
