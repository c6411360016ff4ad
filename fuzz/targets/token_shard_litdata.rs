//! Any bytes as a litdata index and its chunk: refused, or rows of the length asked for.

use nexus_loader::Format;

#[path = "../shard.rs"]
mod shard;

/// Opens and reads `data`.
pub fn run(data: &[u8]) {
    shard::open(Format::Litdata, Some("chunk-0-0.bin"), None, data);
}
