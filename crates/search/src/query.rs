//! Ranking: the dot product of the query's vector with every passage's.

use crate::error::{Error, ErrorKind};
use crate::index::{Index, Record};
use crate::limits::{HITS_MAX, QUERY_SIZE_MAX};
use nexus_linalg::Isa;
use nexus_linalg::kernels::dot;
use nexus_minilm::MiniLm;
use serde::Serialize;
use std::num::NonZero;
use std::sync::Arc;

/// A passage found.
#[derive(Clone, Debug, Serialize)]
pub struct Hit {
    /// The cosine of the angle between query and passage, -1 to 1.
    pub score: f32,
    /// The passage's place in the index.
    pub position: usize,
    /// The passage.
    #[serde(flatten)]
    pub record: Record,
}

/// An index and the model it was built with. Clones share both.
#[derive(Clone)]
pub struct Searcher {
    index: Arc<Index>,
    model: MiniLm,
}

impl Searcher {
    /// Joins an index and a model.
    ///
    /// # Errors
    /// When the model's vectors have another length than the index's.
    pub fn new(index: Index, model: MiniLm) -> Result<Self, Error> {
        if index.dimensions() != model.dimensions() {
            let (found, expected) = (index.dimensions(), model.dimensions());
            let reason = format!("its vectors have {found} dimensions, the model's {expected}");
            return Err(Error::index(index.path(), reason));
        }
        Ok(Self {
            index: Arc::new(index),
            model,
        })
    }

    /// The index.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// The `count` best passages for each query, best first; equal scores in the index's order.
    ///
    /// All queries are embedded together. Cost: one pass of the model, one pass over the vectors.
    ///
    /// # Errors
    /// When a query is empty or too long, when more than [`HITS_MAX`] hits are asked for, or when
    /// the index holds a broken record.
    pub fn search(&self, queries: &[(&str, usize)]) -> Result<Vec<Vec<Hit>>, Error> {
        queries
            .iter()
            .try_for_each(|&(query, count)| check(query, count))?;
        let texts: Vec<&str> = queries.iter().map(|&(text, _)| text).collect();
        let vectors = self.model.embed(&texts, NonZero::<usize>::MIN);
        let vectors = vectors.chunks_exact(self.index.dimensions());
        vectors
            .zip(queries)
            .map(|(vector, &(_, count))| self.nearest(vector, count))
            .collect()
    }

    fn nearest(&self, vector: &[f32], count: usize) -> Result<Vec<Hit>, Error> {
        rank(self.index.vectors(), vector, count)
            .into_iter()
            .map(|(score, position)| {
                Ok(Hit {
                    score,
                    position,
                    record: self.index.record(position)?,
                })
            })
            .collect()
    }
}

/// Refuses what [`Searcher::search`] does not take.
pub(crate) fn check(query: &str, count: usize) -> Result<(), Error> {
    if query.trim().is_empty() {
        return Err(Error::new(
            ErrorKind::InvalidInput,
            "cannot search: the query is empty",
        ));
    }
    if query.len() > QUERY_SIZE_MAX {
        let message = format!(
            "cannot search: the query has {} bytes, at most {QUERY_SIZE_MAX}",
            query.len()
        );
        return Err(Error::new(ErrorKind::LimitReached, message));
    }
    if count == 0 || count > HITS_MAX {
        let message = format!("cannot search: {count} hits asked for, not 1 to {HITS_MAX}");
        return Err(Error::new(ErrorKind::InvalidInput, message));
    }
    Ok(())
}

/// The `count` rows of `rows` with the greatest dot product, best first, ties by position.
fn rank(rows: &[f32], vector: &[f32], count: usize) -> Vec<(f32, usize)> {
    let isa = Isa::detect();
    let mut scores: Vec<(f32, usize)> = rows
        .chunks_exact(vector.len())
        .map(|row| dot(isa, row, vector))
        .zip(0..)
        .collect();
    let best_first = |a: &(f32, usize), b: &(f32, usize)| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1));
    if scores.len() > count {
        scores.select_nth_unstable_by(count, best_first);
        scores.truncate(count);
    }
    scores.sort_unstable_by(best_first);
    scores
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_rows_come_first_and_ties_keep_their_order() {
        let rows = [[1.0, 0.0], [0.0, 1.0], [0.6, 0.8], [0.0, 1.0], [-1.0, 0.0]].concat();
        let positions = |count| {
            rank(&rows, &[0.0, 1.0], count)
                .iter()
                .map(|&(_, at)| at)
                .collect::<Vec<_>>()
        };
        assert_eq!(positions(3), [1, 3, 2]);
        assert_eq!(positions(1), [1]);
        assert_eq!(positions(50), [1, 3, 2, 0, 4]);
    }

    #[test]
    fn ranking_equals_a_full_sort() {
        let rows: Vec<f32> = (0..3000).map(|i| ((i * 7919) % 101) as f32).collect();
        let vector = [0.5, -1.0, 0.25];
        let all = rank(&rows, &vector, usize::MAX);
        for count in [1, 2, 17, 999, 1000] {
            assert_eq!(rank(&rows, &vector, count), all[..count]);
        }
        assert!(all.is_sorted_by(|a, b| a.0 > b.0 || (a.0 == b.0 && a.1 < b.1)));
    }

    #[test]
    fn queries_out_of_bounds_are_refused() {
        assert_eq!(check(" \n", 5).unwrap_err().kind(), ErrorKind::InvalidInput);
        assert_eq!(
            check(&"x".repeat(8193), 5).unwrap_err().kind(),
            ErrorKind::LimitReached
        );
        assert_eq!(check("x", 0).unwrap_err().kind(), ErrorKind::InvalidInput);
        assert_eq!(check("x", 101).unwrap_err().kind(), ErrorKind::InvalidInput);
        assert!(check("x", 100).is_ok());
    }
}
