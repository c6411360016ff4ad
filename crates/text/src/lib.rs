//! Quality filters for text corpora, with the verdicts of datatrove 0.10.1, and what changes texts.
//!
//! A [`Profiler`] makes a [`Profile`] of a document; filters judge it and share what it knows. For
//! each document a filter gives datatrove's verdict and reason, byte for byte: words are split as
//! spaCy's English tokenizer splits them, lines and letters are those of Python.
//!
//! ```
//! use nexus_text::{C4Quality, Filter, FineWebQuality, GopherQuality, Profiler, Verdict};
//!
//! let few = GopherQuality { min_doc_words: Some(3), ..GopherQuality::default() };
//! let lines = C4Quality { min_num_sentences: Some(1), ..C4Quality::default() };
//!
//! let mut profiler = Profiler::new();
//! let mut profile = profiler.profile("It is the end of the story.[1]\nHome | About")?;
//! assert_eq!(few.judge(&mut profile), Verdict::Keep);
//! assert_eq!(
//!     lines.judge(&mut profile),
//!     Verdict::KeepAs("It is the end of the story.".to_owned())
//! );
//! let verdict = FineWebQuality::default().judge(&mut profile);
//! assert_eq!(verdict.reason().map(|reason| reason.to_string()).as_deref(), Some("line_punct_ratio"));
//! # Ok::<(), nexus_text::Error>(())
//! ```
//!
//! A [`Formatter`] changes a text: it replaces e-mail and IP addresses ([`PiiFormatter`]), repairs text
//! that was decoded wrongly ([`FtfyFormatter`]), gives a Unicode form ([`UnicodeFormatter`]), leaves
//! repeated lines out ([`LineDedup`], and [`Parts`] or [`Spans`] across documents). [`UrlFilter`], [`LanguageFilter`]
//! and [`NGramsDecontFilter`] judge by origin, by language and by what evaluation sets hold.
//!
//! # How exact
//! Letters, digits and punctuation are those of Unicode 14.0, which Python 3.11 has; other versions of
//! Python differ in the characters that Unicode added since. Words are those of datatrove for English,
//! its default, for texts of any language; its tokenizers for other languages are not here. Where
//! datatrove raises an error (a division by zero, in texts without words) the verdict is to drop.

mod affix;
mod basic;
mod c4;
mod c4_badwords;
mod contamination;
mod duplicates;
mod error;
mod fasttext;
mod filter;
mod fineweb;
mod formatter;
mod ftfy;
mod gopher_quality;
mod gopher_repetition;
mod hash;
mod language;
pub mod limits;
mod lines;
mod mark_tables;
mod merge;
mod ngrams;
mod parts;
mod piece;
mod pieces;
mod pii;
mod profile;
mod sentences;
#[cfg(target_arch = "x86_64")]
mod simd;
mod simplify;
mod spans;
mod special;
mod suffixes;
mod unicode;
mod unicode_form;
mod unicode_tables;
mod url;
mod url_filter;
mod verdict;
mod word;
mod words;

pub use basic::Basic;
pub use c4::{C4Lines, C4Paragraphs, C4Quality};
pub use c4_badwords::C4BadWords;
pub use contamination::{Contamination, NGramsDecontConfig, NGramsDecontFilter};
pub use error::{Error, ErrorKind};
pub use fasttext::{FastText, Prediction};
pub use filter::{Evidence, Filter};
pub use fineweb::FineWebQuality;
pub use formatter::Formatter;
pub use ftfy::FtfyFormatter;
pub use gopher_quality::GopherQuality;
pub use gopher_repetition::GopherRepetition;
pub use language::{Language, LanguageFilter, LanguageId};
pub use parts::{Form, LineDedup, Parts, Unit};
pub use pii::{PiiFormatter, PiiTurn};
pub use profile::{Profile, Profiler, WordSummary};
pub use simplify::TextNorm;
pub use spans::{SpanUnit, Spans};
pub use suffixes::{Domain, PublicSuffixes};
pub use unicode_form::{UnicodeForm, UnicodeFormatter};
pub use unicode_tables::UNICODE_VERSION;
pub use url_filter::{UrlFilter, UrlRules};
pub use verdict::{Reason, Verdict};
pub use word::Word;
