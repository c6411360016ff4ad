//! Any bytes as a tar archive of samples.

#[path = "../read_file.rs"]
mod read_file;

/// Reads `data`.
pub fn run(data: &[u8]) {
    read_file::read(data, "tar");
}
