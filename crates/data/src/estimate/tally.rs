//! What was counted and measured at each place, and what that says of all bytes.

use super::Estimated;
use std::collections::BTreeMap;

/// What a step did at a place.
#[derive(Clone, Debug, Default)]
pub(super) struct StepTally {
    pub(super) rows_in: u64,
    pub(super) rows_out: u64,
    pub(super) seconds: f64,
    /// Seconds of these that only one thread can work at a time.
    pub(super) serial_seconds: f64,
}

/// What was found at a place.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    /// Bytes on disk that were read.
    pub(super) disk: u64,
    /// The same bytes decompressed.
    pub(super) plain: u64,
    /// Whether the place was read to its end.
    pub(super) is_whole: bool,
    pub(super) rejected: u64,
    pub(super) steps: Vec<StepTally>,
    pub(super) dropped: BTreeMap<(String, String), u64>,
    /// Bytes in the work folder.
    pub(super) work: u64,
    /// Bytes of the output.
    pub(super) output: u64,
    /// Most bytes of a batch as it comes into a step and as it goes out.
    pub(super) widest: usize,
}

impl Tally {
    pub(super) fn seconds(&self) -> f64 {
        self.steps.iter().map(|step| step.seconds).sum()
    }

    pub(super) fn dropped_for(&self, step: &str, reason: &str) -> u64 {
        let key = (step.to_owned(), reason.to_owned());
        self.dropped.get(&key).copied().unwrap_or(0)
    }
}

/// All places together.
pub(super) struct Sum<'a> {
    pub(super) tallies: &'a [Tally],
    /// Bytes on disk of the source.
    pub(super) bytes: u64,
    pub(super) is_whole: bool,
}

impl Sum<'_> {
    /// Bytes on disk of the sample.
    pub(super) fn disk(&self) -> f64 {
        self.tallies.iter().map(|tally| tally.disk as f64).sum()
    }

    /// What was dropped for which reasons.
    pub(super) fn dropped(&self) -> Vec<(String, String)> {
        let mut keys: Vec<_> = self
            .tallies
            .iter()
            .flat_map(|tally| tally.dropped.keys().cloned())
            .collect();
        keys.sort();
        keys.dedup();
        keys
    }

    /// What is counted: exact when all is.
    pub(super) fn count(&self, of: impl Fn(&Tally) -> f64) -> Estimated {
        let estimated = self.ratio(of);
        let margin = if self.is_whole {
            Some(0.0)
        } else {
            estimated.margin
        };
        Estimated {
            margin,
            ..estimated
        }
    }

    /// What is measured: never exact.
    pub(super) fn time(&self, of: impl Fn(&Tally) -> f64) -> Estimated {
        self.ratio(of)
    }

    /// The ratio estimator: what there is for each byte of the sample, times all bytes, and twice its
    /// standard error (Cochran 1977, Sampling Techniques, chapter 6).
    fn ratio(&self, of: impl Fn(&Tally) -> f64) -> Estimated {
        let (n, disk) = (self.tallies.len() as f64, self.disk());
        let found: f64 = self.tallies.iter().map(&of).sum();
        if disk == 0.0 {
            let margin = Some(0.0);
            return Estimated {
                value: found,
                margin,
            };
        }
        let (ratio, scale) = (found / disk, self.bytes as f64 / disk);
        let squares = self.tallies.iter().map(|tally| {
            let expected = ratio * tally.disk as f64;
            (of(tally) - expected).powi(2)
        });
        let spread = (n > 1.0).then(|| (squares.sum::<f64>() * n / (n - 1.0)).sqrt());
        // What was read has no error.
        let unread = (1.0 - 1.0 / scale).max(0.0).sqrt();
        Estimated {
            value: found * scale,
            margin: spread.map(|spread| 2.0 * spread * scale * unread),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(disk: u64, rejected: u64) -> Tally {
        Tally {
            disk,
            rejected,
            ..Tally::default()
        }
    }

    #[test]
    fn the_spread_of_places_says_how_sure_an_estimate_is() {
        let of = |tally: &Tally| tally.rejected as f64;
        let sum = |tallies: &[Tally], bytes, is_whole| {
            let sum = Sum {
                tallies,
                bytes,
                is_whole,
            };
            sum.count(of)
        };
        let same = [tally(100, 10), tally(200, 20), tally(50, 5)];
        assert_eq!(
            sum(&same, 3500, false),
            Estimated {
                value: 350.0,
                margin: Some(0.0)
            }
        );
        let differ = [tally(100, 0), tally(100, 20)];
        let found = sum(&differ, 2000, false);
        assert!((found.value - 200.0).abs() < 1e-9);
        // sqrt(2 * (10^2 + 10^2)) = 20, times 10, twice, and a tenth of the bytes is known.
        let margin = 400.0 * 0.9_f64.sqrt();
        assert!((found.margin.unwrap() - margin).abs() < 1e-9, "{found:?}");
        assert_eq!(sum(&differ, 200, true).margin, Some(0.0));
        assert_eq!(sum(&differ[..1], 200, false).margin, None);
        assert_eq!(
            sum(&[], 0, true),
            Estimated {
                value: 0.0,
                margin: Some(0.0)
            }
        );
    }
}
