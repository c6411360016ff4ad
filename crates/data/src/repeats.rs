//! Which parts of documents count as repeated, and what becomes of the rest.

use crate::Error;
use nexus_text::{SpanUnit, Spans};
use std::path::PathBuf;

/// How [`dedup_lines`](crate::Pipeline::dedup_lines) finds lines, paragraphs or sentences that an earlier
/// document has, or the same one earlier.
///
/// C4 (Raffel et al. 2020) is `unit: SpanUnit::Sentence, span: 3, min_words: 0`; the limits for what is
/// left are those of datatrove's `SentDedupConfig`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RepeatedLines {
    /// What texts are cut into.
    pub unit: SpanUnit,
    /// How many units in a row are compared, as one.
    pub span: usize,
    /// Runs of fewer words are nobody's copy. Words are counted in the form in which runs are compared:
    /// without case, punctuation and accents, and with all numbers alike.
    pub min_words: usize,
    /// Whether repeats go. Else they are written to the audit alone.
    pub remove: bool,
    /// The least words of a document that has lost something; none for any.
    pub min_doc_words: Option<usize>,
    /// The least sentences of a document that has lost something; none for any.
    pub min_num_sentences: Option<usize>,
}

impl Default for RepeatedLines {
    /// Single lines of at least three words; what has lost some keeps 50 words and 3 sentences.
    fn default() -> Self {
        Self {
            unit: SpanUnit::Line,
            span: 1,
            min_words: 3,
            remove: true,
            min_doc_words: Some(50),
            min_num_sentences: Some(3),
        }
    }
}

/// How [`dedup_substrings`](crate::Pipeline::dedup_substrings) finds text that stands anywhere earlier in
/// the corpus (Lee et al. 2021, <https://arxiv.org/abs/2107.06499>).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepeatedSubstrings {
    /// The least length of a repeat: in bytes, or in tokens where there is a tokenizer.
    pub length: usize,
    /// A file of a tokenizer. Repeats then begin and end with its tokens.
    pub tokenizer: Option<PathBuf>,
    /// Whether repeats go. Else they are written to the audit alone.
    pub remove: bool,
    /// The least words of a document that has lost something; none for any.
    pub min_doc_words: Option<usize>,
}

impl Default for RepeatedSubstrings {
    /// 100 bytes; what has lost some keeps 50 words.
    fn default() -> Self {
        Self {
            length: 100,
            tokenizer: None,
            remove: true,
            min_doc_words: Some(50),
        }
    }
}

impl RepeatedLines {
    /// Refuses settings that make no sense.
    pub(crate) fn check(&self) -> Result<(), Error> {
        match self.span {
            0 => Err(Error::invalid(
                "step `dedup_lines`: a run has at least one unit, `span` is 0",
            )),
            _ => Ok(()),
        }
    }

    pub(crate) fn spans(&self) -> Spans {
        Spans {
            unit: self.unit,
            length: self.span,
            min_words: self.min_words,
            ..Spans::default()
        }
    }
}

impl RepeatedSubstrings {
    /// Refuses settings that make no sense.
    pub(crate) fn check(&self) -> Result<(), Error> {
        match self.length {
            0 => Err(Error::invalid(
                "step `dedup_substrings`: a repeat has a length of at least 1, `length` is 0",
            )),
            _ => Ok(()),
        }
    }
}
