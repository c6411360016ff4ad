//! Any bytes as a CSV file.

#[path = "../read_file.rs"]
mod read_file;

/// Reads `data`.
pub fn run(data: &[u8]) {
    read_file::read(data, "csv");
}
