//! Token shards as shuffled, packed, resumable training batches.
//!
//! - [`Corpus`] opens shards of many formats and knows where their documents lie.
//! - [`Rows`] cuts or packs documents into rows of one length; [`pack`] does so by best fit.
//! - [`Order`] shuffles rows by a keyed permutation, which is computed and not stored.
//! - [`Split`] says who reads which part of an epoch, and when.
//! - [`Loader`] joins these: threads prepare batches ahead, in memory that is used again.
//!
//! An epoch's order depends on rows, seed and epoch alone. A [`State`] is these and a position, so
//! that a run goes on exactly where it stopped, with any number of ranks and workers.
//!
//! There is no Arrow here, no tokenizer and no Python.

mod batch;
mod corpus;
mod error;
mod feed;
pub mod limits;
mod loader;
mod order;
pub mod pack;
mod raw;
mod ring;
mod rows;
mod schedule;
mod shard;
mod store;
mod token;

pub use batch::Batch;
pub use corpus::{Corpus, Format, OpenOptions};
pub use error::{Error, ErrorKind};
pub use loader::{Loader, LoaderOptions, Next, State};
pub use order::{Order, Permutation, Shuffle};
pub use rows::Rows;
pub use schedule::{Split, Tail};
pub use store::Access;
pub use token::{Stored, Token};
