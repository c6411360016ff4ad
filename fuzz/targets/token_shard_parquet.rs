//! Any bytes as a table: refused, or rows of the length asked for.

use nexus_loader::Format;

#[path = "../shard.rs"]
mod shard;

/// Opens and reads `data`.
pub fn run(data: &[u8]) {
    shard::open(Format::Parquet, None, None, data);
}
