//! How documents that say the same are found, and which of them stays.

use crate::Error;
use nexus_dedup::{Family, MinHasher, Params};
use std::path::PathBuf;

/// Which of the documents that say the same stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Keep {
    /// The first that is read.
    #[default]
    First,
    /// The one whose id comes first in the order of its bytes, wherever it stands: the result does
    /// not depend on how documents are spread over files. Holds all documents that have a copy in
    /// memory, by 16 bytes each and their ids.
    LeastId,
}

/// How [`dedup_exact`](crate::Pipeline::dedup_exact) finds equal documents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExactCopies {
    /// Which of them stays.
    pub keep: Keep,
    /// Whether documents are equal that differ in their white space alone.
    pub ignore_space: bool,
    /// Indexes of earlier dumps, or folders of them, in the order of their names: what equals a document
    /// there goes. Not with [`Keep::LeastId`].
    pub index: Vec<PathBuf>,
    /// A folder for an index of what stays, which appears with the output, in place of an older index.
    /// What was there is not read, so that a run can be run again.
    pub write_index: Option<PathBuf>,
}

impl Default for ExactCopies {
    fn default() -> Self {
        Self {
            keep: Keep::First,
            ignore_space: true,
            index: Vec::new(),
            write_index: None,
        }
    }
}

/// How [`dedup_near`](crate::Pipeline::dedup_near) finds documents that say nearly the same: by
/// `MinHash` signatures of runs of words, and locality-sensitive hashing (Broder 1997; Leskovec,
/// Rajaraman, Ullman, chapter 3).
#[derive(Clone, Debug, PartialEq)]
pub struct NearCopies {
    /// Which of them stays.
    pub keep: Keep,
    /// The least Jaccard similarity of the runs of words of a document that goes to those of one
    /// that stays. None: whatever is joined by a chain of equal bands is one cluster, unseen.
    pub threshold: Option<f64>,
    /// Bands: documents that agree in one are candidates.
    pub bands: usize,
    /// Values in each band.
    pub rows: usize,
    /// Words in each run.
    pub ngram: usize,
    /// How values are made.
    pub family: Family,
    /// Indexes of earlier dumps, or folders of them, in the order of their names: what is like a document
    /// there goes. They have the same bands, rows, runs and family. Not with [`Keep::LeastId`].
    pub index: Vec<PathBuf>,
    /// A folder for an index of what stays, which appears with the output, in place of an older index.
    /// What was there is not read, so that a run can be run again.
    pub write_index: Option<PathBuf>,
}

impl Default for NearCopies {
    /// 14 bands of 8 values, runs of 5 words, similarities from 0.8.
    fn default() -> Self {
        let Params {
            bands,
            rows,
            ngram,
            family,
        } = Params::default();
        Self {
            keep: Keep::First,
            threshold: Some(0.8),
            bands,
            rows,
            ngram,
            family,
            index: Vec::new(),
            write_index: None,
        }
    }
}

impl ExactCopies {
    /// Refuses settings that make no sense.
    pub(crate) fn check(&self) -> Result<(), Error> {
        check_index(
            "dedup_exact",
            self.keep,
            &self.index,
            self.write_index.as_ref(),
        )
    }

    /// Whether documents of other dumps are asked for or given.
    pub(crate) fn has_index(&self) -> bool {
        !self.index.is_empty() || self.write_index.is_some()
    }
}

impl NearCopies {
    /// As [`ExactCopies::has_index`].
    pub(crate) fn has_index(&self) -> bool {
        !self.index.is_empty() || self.write_index.is_some()
    }
}

/// An index knows documents by their order.
fn check_index(
    step: &str,
    keep: Keep,
    read: &[PathBuf],
    written: Option<&PathBuf>,
) -> Result<(), Error> {
    if keep == Keep::LeastId && (!read.is_empty() || written.is_some()) {
        let message =
            format!("step `{step}`: with an index the first document stays, not that of least id");
        return Err(Error::invalid(message).with_hint("keep the first, or leave the index out"));
    }
    Ok(())
}

impl NearCopies {
    /// Refuses settings that make no sense.
    pub(crate) fn check(&self) -> Result<(), Error> {
        MinHasher::new(self.params()).map_err(|error| Error::dedup("dedup_near", error))?;
        if let Some(threshold) = self
            .threshold
            .filter(|share| !(*share > 0.0 && *share <= 1.0))
        {
            return Err(Error::invalid(format!(
                "step `dedup_near`: the threshold {threshold} is not above 0 and at most 1"
            )));
        }
        if self.keep == Keep::LeastId && self.threshold.is_some() {
            let message = "step `dedup_near`: who stays by its id is decided among whole clusters";
            return Err(
                Error::invalid(message).with_hint("set the threshold to false, or keep the first")
            );
        }
        check_index(
            "dedup_near",
            self.keep,
            &self.index,
            self.write_index.as_ref(),
        )
    }

    pub(crate) fn params(&self) -> Params {
        Params {
            bands: self.bands,
            rows: self.rows,
            ngram: self.ngram,
            family: self.family,
        }
    }
}
