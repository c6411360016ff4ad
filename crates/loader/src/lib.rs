//! Token shards and images as shuffled, resumable training batches.
//!
//! - [`Corpus`] opens shards of many formats and knows where their documents lie.
//! - [`Rows`] cuts or packs documents into rows of one length; [`pack`] does so by best fit.
//! - [`Order`] shuffles rows by a keyed permutation, which is computed and not stored.
//! - [`Split`] says who reads which part of an epoch, and when.
//! - [`ImageSet`] opens images in archives, tables and folders; [`Images`] are batches of them.
//! - [`Loader`] joins these: threads prepare batches ahead, in memory that is used again.
//!
//! Parquet and shards that are packed are unpacked unit by unit, and kept while there is room.
//!
//! An epoch's order depends on rows, seed and epoch alone. A [`State`] is these and a position, so
//! that a run goes on exactly where it stopped, with any number of ranks and workers.
//!
//! There is no Arrow here, no tokenizer and no Python.

mod batch;
mod cancel;
mod corpus;
mod error;
mod feed;
mod foreign;
mod images;
pub mod limits;
mod loader;
mod maker;
mod order;
pub mod pack;
mod raw;
mod ring;
mod rows;
mod schedule;
mod shard;
mod store;
mod token;
mod tokens;
mod units;
mod unpack;

pub use batch::Batch;
pub use cancel::Cancel;
pub use corpus::{Corpus, Format, OpenOptions};
pub use error::{Error, ErrorKind};
pub use images::{Broken, ImageBatch, ImageOptions, ImageSet, Images, Pixels};
pub use loader::{Loader, LoaderOptions, Next, State};
pub use maker::Maker;
pub use order::{Order, Permutation, Shuffle};
pub use rows::Rows;
pub use schedule::{Split, Tail};
pub use store::Access;
pub use token::{Stored, Token};
pub use tokens::Tokens;
