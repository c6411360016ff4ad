//! What is decided at the end of a stage.

use super::index::{self, Stored, Wanted};
use super::repeats::Repeats;
use crate::duplicates::{ExactCopies, NearCopies};
use crate::settings::Settings;
use crate::{Error, ImageCopies};

/// Steps that decide when all rows are known, as they follow each other in a plan. None of them: rows
/// are put aside so that the work on them is not lost.
#[derive(Clone, Debug, Default)]
pub(crate) struct Decision {
    pub(crate) exact: Option<ExactCopies>,
    pub(crate) near: Option<NearCopies>,
    /// Alone, where there is one.
    pub(crate) repeats: Option<Repeats>,
    /// Alone, where there is one.
    pub(crate) images: Option<ImageCopies>,
    /// What `exact` is compared with.
    pub(crate) exact_indexes: Vec<Stored>,
    /// What `near` is compared with.
    pub(crate) near_indexes: Vec<Stored>,
}

impl Decision {
    /// The name of its step, the last if there are two.
    pub(crate) fn step(&self) -> Option<&'static str> {
        if self.images.is_some() {
            return Some(ImageCopies::OP);
        }
        match (&self.near, &self.repeats) {
            (_, Some(repeats)) => Some(repeats.step()),
            (Some(_), None) => Some("dedup_near"),
            (None, None) => self.exact.as_ref().map(|_| "dedup_exact"),
        }
    }

    /// Opens the indexes that its steps name.
    pub(crate) fn open_indexes(&mut self) -> Result<(), Error> {
        if let Some(exact) = &self.exact {
            exact.check()?;
            let ignore_space = exact.ignore_space;
            let wanted = Wanted::Exact { ignore_space };
            self.exact_indexes = index::open(wanted, &exact.index, exact.write_index.as_ref())?;
        }
        if let Some(near) = &self.near {
            near.check()?;
            let wanted = Wanted::Near(near.params());
            self.near_indexes = index::open(wanted, &near.index, near.write_index.as_ref())?;
        }
        Ok(())
    }

    /// Tells its indexes from those with other documents.
    pub(crate) fn fingerprints(&self) -> Result<Vec<u64>, Error> {
        let indexes = self.exact_indexes.iter().chain(&self.near_indexes);
        indexes.map(Stored::fingerprint).collect()
    }

    /// Whether an index is written.
    pub(super) fn writes_index(&self) -> bool {
        let exact = self.exact.as_ref();
        let near = self.near.as_ref();
        exact.is_some_and(|exact| exact.write_index.is_some())
            || near.is_some_and(|near| near.write_index.is_some())
    }

    /// What is decided, for people.
    pub(crate) fn lines(&self) -> impl Iterator<Item = String> {
        let exact = self.exact.as_ref();
        let exact = exact.map(|exact| format!("all documents: dedup_exact, {exact:?}"));
        let near = self.near.as_ref();
        let near = near.map(|near| format!("all documents: dedup_near, {near:?}"));
        let repeats = self.repeats.as_ref().map(|repeats| match repeats {
            Repeats::Lines(settings) => format!("all documents: {}, {settings:?}", repeats.step()),
            Repeats::Substrings(settings, _) => {
                format!("all documents: {}, {settings:?}", repeats.step())
            }
        });
        let images = self.images.as_ref();
        let images = images.map(|images| format!("all documents: {}, {images:?}", ImageCopies::OP));
        exact.into_iter().chain(near).chain(repeats).chain(images)
    }
}
