//! Quality filters for text corpora, with the verdicts of datatrove 0.10.1.
//!
//! A [`Profiler`] makes a [`Profile`] of a document; filters judge it and share what it knows. For
//! each document a filter gives datatrove's verdict and reason, byte for byte: words are split as
//! spaCy's English tokenizer splits them, lines and letters are those of Python.
//!
//! ```
//! use nexus_text::{C4Quality, Filter, GopherQuality, GopherRepetition, Profiler, Verdict};
//!
//! let filters: [&dyn Filter; 3] = [
//!     &GopherRepetition::default(),
//!     &GopherQuality { min_doc_words: Some(3), ..GopherQuality::default() },
//!     &C4Quality { min_num_sentences: Some(1), ..C4Quality::default() },
//! ];
//! let mut profiler = Profiler::new();
//! let mut profile = profiler.profile("The end of the story.[1]\nHome | About")?;
//! let verdicts = filters.map(|filter| filter.judge(&mut profile));
//! assert_eq!(verdicts[0], Verdict::Keep);
//! assert_eq!(verdicts[1], Verdict::Keep);
//! assert_eq!(verdicts[2], Verdict::Drop(nexus_text::Reason::Named("too_few_sentences")));
//! # Ok::<(), nexus_text::Error>(())
//! ```

mod affix;
mod basic;
mod c4;
mod c4_badwords;
mod duplicates;
mod error;
mod filter;
mod fineweb;
mod gopher_quality;
mod gopher_repetition;
mod hash;
pub mod limits;
mod lines;
mod merge;
mod ngrams;
mod profile;
mod sentences;
mod special;
mod unicode;
mod unicode_tables;
mod url;
mod verdict;
mod words;

pub use basic::Basic;
pub use c4::{C4Lines, C4Paragraphs, C4Quality};
pub use c4_badwords::C4BadWords;
pub use error::{Error, ErrorKind};
pub use filter::Filter;
pub use fineweb::FineWebQuality;
pub use gopher_quality::GopherQuality;
pub use gopher_repetition::GopherRepetition;
pub use profile::{Profile, Profiler, WordSummary};
pub use unicode_tables::UNICODE_VERSION;
pub use verdict::{Reason, Verdict};
pub use words::Word;
