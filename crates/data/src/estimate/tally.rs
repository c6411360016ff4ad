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
    /// Bytes on disk of the place.
    pub(super) size: u64,
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
    /// How often what was read goes into the place.
    fn scale(&self) -> f64 {
        (self.size as f64 / self.disk.max(1) as f64).max(1.0)
    }

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

    /// What there is for each byte that was read of a place, times the bytes of the place, and twice the
    /// standard error that the places' differences speak of (Cochran 1977, Sampling Techniques, chapters 5
    /// and 6: one cluster in each stratum, strata collapsed).
    fn ratio(&self, of: impl Fn(&Tally) -> f64) -> Estimated {
        let (mut found, mut size, mut unread) = (0.0, 0.0, 0.0);
        for tally in self.tallies {
            found += of(tally) * tally.scale();
            size += tally.size as f64;
            let part = 1.0 - 1.0 / tally.scale();
            unread += (tally.size as f64).powi(2) * part;
        }
        if size == 0.0 {
            let margin = Some(0.0);
            return Estimated {
                value: found,
                margin,
            };
        }
        let scale = self.bytes as f64 / size;
        let rate = |tally: &Tally| of(tally) / tally.disk.max(1) as f64;
        // A place of few bytes says little.
        let squares = self.tallies.iter().map(|tally| {
            let weight = tally.size as f64 / size;
            weight * (rate(tally) - found / size).powi(2)
        });
        let n = self.tallies.len() as f64;
        let variance = (n > 1.0).then(|| squares.sum::<f64>() * n / (n - 1.0));
        Estimated {
            value: found * scale,
            margin: variance.map(|variance| 2.0 * (variance * unread).sqrt() * scale),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(disk: u64, rejected: u64) -> Tally {
        Tally {
            size: 10 * disk,
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
        // The rates are 0 and 0.2, their deviation sqrt(0.02), and a tenth of twice 1000 bytes is known.
        let margin = 400.0 * 0.9_f64.sqrt();
        assert!((found.margin.unwrap() - margin).abs() < 1e-9, "{found:?}");
        assert_eq!(sum(&differ, 2000, true).margin, Some(0.0));
        assert_eq!(sum(&differ[..1], 1000, false).margin, None);
        // A place of which the bytes hold more counts for its bytes, not for what was read of it.
        let packed = Tally {
            disk: 10,
            ..tally(100, 100)
        };
        assert!((sum(&[packed, tally(100, 100)], 2000, false).value - 11_000.0).abs() < 1e-9);
        assert_eq!(
            sum(&[], 0, true),
            Estimated {
                value: 0.0,
                margin: Some(0.0)
            }
        );
    }
}
