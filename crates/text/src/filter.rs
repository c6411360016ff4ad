//! What every filter can do.

use crate::profile::Profile;
use crate::verdict::Verdict;

/// A rule that keeps or drops documents.
///
/// Filters hold their settings alone, so one filter serves any number of threads.
pub trait Filter: Send + Sync {
    /// The name of the filter in plans and reports.
    fn name(&self) -> &'static str;

    /// Says whether to keep the document. Cost is linear in the text, and less where another filter
    /// has asked the same of the profile before.
    fn judge(&self, profile: &mut Profile<'_>) -> Verdict;

    /// What more there is to say of a document that the filter drops; none for most filters. Cost is that
    /// of judging again.
    fn evidence(&self, _profile: &mut Profile<'_>) -> Option<Evidence> {
        None
    }
}

/// What in a document led to a verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// The reason with what it is about, such as `contaminated_quiz`: the name of datatrove's statistic.
    pub reason: String,
    /// The passage, in the form in which the filter sees it.
    pub passage: String,
}
