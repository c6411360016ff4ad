//! Streaming, order-preserving text pipelines over Arrow batches.
//!
//! A [`Pipeline`] reads files of text, Markdown, HTML or JSON Lines, brings their documents through
//! steps (clean, deduplicate, tokenise, cut, functions of yours) and writes the result or hands it
//! out, batch by batch. It runs on all cores, gives the same result for any number of them, holds
//! about a batch for each, and sets aside what it cannot read, with file, line and reason.
//!
//! What it is not: a query engine. Joins and SQL are done by others, on the same Arrow batches.
//!
//! ```
//! use nexus_data::{Pipeline, RunOptions};
//!
//! # let folder = tempfile::tempdir()?;
//! # let docs = folder.path().join("docs");
//! # let output = folder.path().join("out.jsonl");
//! std::fs::create_dir(&docs)?;
//! std::fs::write(docs.join("a.html"), "<title>Greeting</title><p>Hello,&nbsp;world!")?;
//! std::fs::write(docs.join("b.jsonl"), "{\"text\": \"Good bye.\"}\n{\"text\": oops}\n")?;
//!
//! let report = Pipeline::read(&docs).clean().write_jsonl(&output).run(&RunOptions::default())?;
//! assert_eq!(report.rows(), 2);
//! assert_eq!(report.rejected.count, 1);
//! assert!(report.rejected.samples[0].to_string().contains("b.jsonl:2: bad JSON in column 10"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod arrow_table;
mod atomic;
mod audit;
mod batch;
mod cancel;
mod cells;
mod contamination;
mod copies;
mod document;
mod duplicates;
mod engine;
mod error;
mod estimate;
mod files;
mod formatting;
pub mod html;
mod images;
mod json;
mod jsonl;
pub mod limits;
pub mod markdown;
mod node;
mod operators;
mod output;
pub mod pieces;
mod pipeline;
mod plan;
mod quality;
mod record;
mod repeats;
mod report;
mod settings;
mod show;
mod sink;
mod source;
mod stages;
pub mod storage;
mod tokenization;
mod turnstile;

pub use arrow_table::ArrowTable;
pub use batch::{Row, columns};
pub use cancel::Cancel;
pub use contamination::EvaluationSets;
pub use document::Document;
pub use duplicates::{ExactCopies, Keep, NearCopies};
pub use error::{BoxError, Error, ErrorKind};
pub use estimate::{DropEstimate, Estimate, Estimated, SAMPLE_SIZE, StepEstimate};
pub use files::Files;
pub use formatting::{Formatting, RepeatedParts};
pub use images::{ImageCopies, ImageHash, ImageRules, ImageTensors, PixelType};
pub use limits::parse_size;
pub use node::Node;
pub use output::{Format, Output, TokenType};
pub use pipeline::{Pipeline, RunOptions};
pub use quality::{BadWords, LanguageRules, Quality};
pub use record::Record;
pub use repeats::{RepeatedLines, RepeatedSubstrings};
pub use report::{Counted, Dropped, Progress, Progressed, Reject, Report, StepReport, Waiting};
pub use source::files;
pub use tokenization::{AnyTokenizer, Tokenization};

/// The page of the documentation, whose Rust examples are tests.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/data.md")]
struct Docs;
