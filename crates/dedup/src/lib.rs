//! Deduplication of text corpora that do not fit into memory.
//!
//! - [`ExactDedup`]: equal documents.
//! - [`MinHasher`] and [`Clusterer`]: near duplicates by `MinHash` and locality-sensitive hashing,
//!   verified by their true Jaccard similarity.
//! - [`Substrings`]: text that is repeated within and between documents.
//! - [`Index`], [`ExactIndex`]: what stayed of earlier dumps, so that a new one is deduplicated against them.
//!
//! A document is known by its shard and its row there ([`DocumentId`]). The result depends on the
//! documents and these numbers alone: not on threads, on the order in which shards come, or on how
//! many machines share the work. Every stage writes files that appear whole or not at all; a run
//! that was killed is run again and does what is missing, and its output has the same bytes.

mod affine;
mod cluster;
mod corpus;
mod error;
mod exact;
mod file;
mod index;
pub mod limits;
mod marks;
mod mersenne;
mod minhash;
mod part;
mod record;
mod removals;
mod resolve;
mod set;
mod shingle;
mod simd;
mod spill;
mod substring;
mod suffix;
mod union;
mod workers;

pub use cluster::{Clusterer, Options};
pub use error::{Error, ErrorKind};
pub use exact::{ExactDedup, ExactShard};
pub use index::{ExactIndex, Index, MANIFEST};
pub use minhash::{Family, MinHasher, Params, Signature};
pub use part::Shard;
pub use removals::{DocumentId, Removal, Removals};
pub use set::ShingleSet;
pub use substring::{Span, Substrings};
