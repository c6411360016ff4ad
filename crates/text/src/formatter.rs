//! What every step that changes a text can do.

use std::borrow::Cow;

/// A rule that changes texts.
///
/// Formatters hold their settings alone, so one serves any number of threads.
pub trait Formatter: Send + Sync {
    /// The name of the formatter in plans and reports.
    fn name(&self) -> &'static str;

    /// The text, changed where it must be. Nothing is copied when nothing changes.
    fn apply<'a>(&self, text: &'a str) -> Cow<'a, str>;
}
