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
}
