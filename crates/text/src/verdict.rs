//! What a filter says of a document.

use std::borrow::Cow;
use std::fmt;

/// What a filter says of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Keep the document as it is.
    Keep,
    /// Keep the document with this text in place of its own.
    KeepAs(String),
    /// Drop the document.
    Drop(Reason),
}

impl Verdict {
    /// Why the document is dropped, or none if it is kept.
    pub fn reason(&self) -> Option<Reason> {
        match self {
            Self::Drop(reason) => Some(*reason),
            Self::Keep | Self::KeepAs(_) => None,
        }
    }

    /// Whether the document is kept, with its own text or with another.
    pub fn is_kept(&self) -> bool {
        self.reason().is_none()
    }
}

/// Why a document is dropped. Its name, given by `Display` too, is datatrove's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The most frequent run of so many words takes too many of the characters.
    TopRun(usize),
    /// Repeated runs of so many words take too many of the characters.
    RepeatedRuns(usize),
    /// Fewer than so many long paragraphs.
    FewParagraphs(usize),
    /// Any other reason, by its name.
    Named(&'static str),
}

impl Reason {
    /// The name that reports and statistics use, such as `gopher_short_doc` or `top_2_gram`.
    pub fn name(&self) -> Cow<'static, str> {
        match self {
            Self::TopRun(n) => format!("top_{n}_gram").into(),
            Self::RepeatedRuns(n) => format!("duplicated_{n}_n_grams").into(),
            Self::FewParagraphs(n) => format!("< {n} paragraphs").into(),
            Self::Named(name) => (*name).into(),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

/// Keeps a document that no test of a filter drops.
pub(crate) fn verdict(first: Option<Reason>) -> Verdict {
    first.map_or(Verdict::Keep, Verdict::Drop)
}

/// A named reason if `fails`.
pub(crate) fn drop_if(fails: bool, name: &'static str) -> Option<Reason> {
    fails.then_some(Reason::Named(name))
}

/// `count / of` as Python divides integers: rounded once, exact below 2^53.
pub(crate) fn share(count: usize, of: usize) -> f64 {
    count as f64 / of as f64
}
