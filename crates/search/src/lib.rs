//! Search a corpus by meaning: the main job from text to hits.
//!
//! [`build`] runs a corpus through the data pipeline, embeds its passages with MiniLM and writes an
//! index, which is an ordinary safetensors file. [`Index`] opens one; [`Searcher`] answers queries
//! on it; [`SearchHandler`] and [`SearchPage`] put that behind an endpoint and a web page.
//!
//! The crate joins the rooms; it has no algorithm of its own but the ranking.

mod build;
mod error;
mod handler;
mod index;
pub mod limits;
mod page;
mod query;

pub use build::{BuildOptions, BuildReport, Outcome, Stage, Watch, build};
pub use error::{Error, ErrorKind};
pub use handler::SearchHandler;
pub use index::{Index, Record, Summary};
pub use page::SearchPage;
pub use query::{Hit, Searcher};
