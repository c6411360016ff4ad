//! Token shards as shuffled, packed, resumable training batches.
mod error;
pub mod limits;
mod order;
pub mod pack;
mod schedule;
pub use error::{Error, ErrorKind};
pub use order::{Order, Permutation, Shuffle};
pub use schedule::{Split, Tail};
