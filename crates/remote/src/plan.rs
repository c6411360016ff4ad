//! Which requests bring which bytes.

use std::ops::Range;

use crate::limits::{GAP_SIZE_MAX, REQUEST_SIZE_MAX};

/// One request, and where its bytes go.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fetch {
    /// The bytes of the file.
    pub(crate) range: Range<u64>,
    /// From where in the answer to where in the output.
    pub(crate) pieces: Vec<Piece>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) source: usize,
    pub(crate) target: Range<usize>,
}

/// Joins runs that follow each other closely and cuts long ones. The output has the bytes of the runs
/// in the order given, without gaps.
pub(crate) fn plan(runs: impl IntoIterator<Item = Range<u64>>) -> Vec<Fetch> {
    let mut fetches: Vec<Fetch> = Vec::new();
    let mut target = 0;
    for run in runs {
        let mut start = run.start;
        while start < run.end {
            let last = fetches.last_mut().filter(|last| {
                let near = start >= last.range.end && start - last.range.end <= GAP_SIZE_MAX;
                near && start - last.range.start < REQUEST_SIZE_MAX
            });
            let begin = last.as_ref().map_or(start, |last| last.range.start);
            let end = run.end.min(begin + REQUEST_SIZE_MAX);
            let size = (end - start) as usize;
            let piece = Piece {
                source: (start - begin) as usize,
                target: target..target + size,
            };
            match last {
                Some(last) => {
                    last.range.end = end;
                    last.pieces.push(piece);
                }
                None => fetches.push(Fetch {
                    range: start..end,
                    pieces: vec![piece],
                }),
            }
            target += size;
            start = end;
        }
    }
    fetches
}

#[cfg(test)]
#[expect(clippy::single_range_in_vec_init, reason = "lists of ranges")]
mod tests {
    use super::*;

    #[track_caller]
    fn check(runs: &[Range<u64>], requests: &[Range<u64>]) {
        let fetches = plan(runs.iter().cloned());
        let ranges: Vec<_> = fetches.iter().map(|fetch| fetch.range.clone()).collect();
        assert_eq!(ranges, requests);
        // Every byte of the output has its place in the file.
        let mut places = Vec::new();
        for fetch in &fetches {
            for Piece { source, target } in &fetch.pieces {
                let start = fetch.range.start + *source as u64;
                assert_eq!(
                    target.start as u64,
                    places.iter().map(|(_, size)| size).sum::<u64>()
                );
                places.push((start, target.len() as u64));
                assert!(start + target.len() as u64 <= fetch.range.end);
            }
        }
        let expected: u64 = runs
            .iter()
            .map(|run| run.end.saturating_sub(run.start))
            .sum();
        assert_eq!(places.iter().map(|(_, size)| size).sum::<u64>(), expected);
    }

    #[test]
    fn runs_close_together_are_one_request() {
        const GAP: u64 = GAP_SIZE_MAX;
        check(&[0..4, 8..12], &[0..12]);
        check(&[0..4, 4 + GAP..5 + GAP], &[0..5 + GAP]);
        check(&[0..4, 5 + GAP..6 + GAP], &[0..4, 5 + GAP..6 + GAP]);
    }

    #[test]
    fn runs_backwards_are_requests_of_their_own() {
        check(&[8..12, 0..4, 2..6], &[8..12, 0..4, 2..6]);
    }

    #[test]
    fn long_runs_are_cut() {
        const MAX: u64 = REQUEST_SIZE_MAX;
        check(
            &[5..5 + 2 * MAX + 1],
            &[5..5 + MAX, 5 + MAX..5 + 2 * MAX, 5 + 2 * MAX..6 + 2 * MAX],
        );
        check(&[0..MAX - 1, MAX..MAX + 1], &[0..MAX - 1, MAX..MAX + 1]);
    }

    #[test]
    fn empty_runs_ask_for_nothing() {
        check(&[3..3, 9..9], &[]);
    }
}
