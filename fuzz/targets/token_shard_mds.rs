//! Any bytes as a MDS index and its shard: refused, or rows of the length asked for.

use nexus_loader::Format;

#[path = "../shard.rs"]
mod shard;

/// Opens and reads `data`.
pub fn run(data: &[u8]) {
    shard::open(Format::Mds, Some("shard.00000.mds"), None, data);
}
