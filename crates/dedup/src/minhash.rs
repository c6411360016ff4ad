//! `MinHash` signatures (Broder 1997): the share of equal values estimates the Jaccard similarity.

use crate::affine::Affine;
use crate::error::Error;
use crate::limits;
use crate::mersenne::Mersenne;
use crate::set::ShingleSet;
use crate::shingle::{Shingler, TextHash};
use crate::simd;
use std::fmt;
use std::str::FromStr;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// How the values of a signature are made from shingle hashes. Signatures of different families
/// have nothing in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Family {
    /// Version 1 of the fast family: with a shingle's 64-bit xxh3 as two halves `low` and `high`,
    /// value `i` is the least `a[i] * low + high` modulo 2^32, where `a[i]` are odd numbers from
    /// `SplitMix64` with seed 0. Two values of one shingle are independent but for a few low bits.
    Fast1,
    /// The affine family of datatrove: shingles by 64-bit xxhash (`XXH64`), value `i` the least
    /// `(a[i] * x + b[i] mod 2^64) mod (2^61 - 1)`, `a` and `b` from NumPy's `RandomState(seed)`.
    Mersenne {
        /// datatrove's default is 1.
        seed: u32,
    },
    /// An affine family that is true to the prime: shingles by `XXH64`, value `i` the least
    /// `(a[i] * (x mod p) + b[i]) mod p` with p = 2^61 - 1, `a` and `b` from `SplitMix64(seed)`:
    /// `a[0] = 1 + next mod (p - 1)`, `b[0] = next mod p`, and so on.
    Affine {
        /// The state of `SplitMix64`.
        seed: u64,
    },
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fast1 => f.write_str("fast1"),
            Self::Mersenne { seed } => write!(f, "mersenne:{seed}"),
            Self::Affine { seed } => write!(f, "affine:{seed}"),
        }
    }
}

impl FromStr for Family {
    type Err = Error;

    /// Reads what `Display` writes.
    fn from_str(name: &str) -> Result<Self, Error> {
        let family = match name.split_once(':') {
            None => (name == "fast1").then_some(Self::Fast1),
            Some(("mersenne", seed)) => seed.parse().ok().map(|seed| Self::Mersenne { seed }),
            Some(("affine", seed)) => seed.parse().ok().map(|seed| Self::Affine { seed }),
            Some(_) => None,
        };
        family.ok_or_else(|| {
            Error::invalid(format!("there is no family of signatures `{name}`"))
                .with_hint("known are fast1, mersenne:SEED and affine:SEED")
        })
    }
}

/// The parameters of signatures. Files made with others are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Params {
    /// Bands: documents that agree in all rows of one band are candidates.
    pub bands: usize,
    /// Values in each band.
    pub rows: usize,
    /// Tokens in each shingle.
    pub ngram: usize,
    /// How values are made.
    pub family: Family,
}

impl Default for Params {
    /// 14 bands of 8 rows, shingles of 5 tokens, the fast family: half of the pairs with Jaccard
    /// 0.69 become candidates, 92 % at 0.8, all but 1 in 10,000 at 0.93.
    fn default() -> Self {
        Self {
            bands: 14,
            rows: 8,
            ngram: 5,
            family: Family::Fast1,
        }
    }
}

impl Params {
    /// The probability that a pair with this Jaccard similarity becomes a candidate:
    /// `1 - (1 - jaccard^rows)^bands`.
    pub fn recall(&self, jaccard: f64) -> f64 {
        1.0 - (1.0 - jaccard.powi(self.rows as i32)).powi(self.bands as i32)
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        let values = self.bands.saturating_mul(self.rows);
        if self.bands == 0 || self.rows == 0 || self.ngram == 0 {
            return Err(Error::invalid(
                "cannot make signatures: bands, rows and ngram must be at least 1",
            ));
        }
        for (name, value, most) in [
            ("bands", self.bands, limits::BANDS_MAX),
            ("bands times rows", values, limits::VALUES_MAX),
            ("ngram", self.ngram, limits::NGRAM_MAX),
        ] {
            if value > most {
                return Err(Error::limit(format!(
                    "cannot make signatures: {name} is {value}, the most is {most}"
                )));
            }
        }
        Ok(())
    }
}

impl fmt::Display for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            bands, rows, ngram, ..
        } = self;
        let family = self.family;
        write!(f, "bands={bands} rows={rows} ngram={ngram} family={family}")
    }
}

/// The signature of a document: `bands * rows` values, or none for a document without shingles.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signature {
    values: Vec<u64>,
    rows: usize,
}

impl Signature {
    /// A signature that was made elsewhere; `values` are band by band, `rows` in each, and empty
    /// for a document that is no candidate of any other.
    ///
    /// # Errors
    /// `InvalidInput` when the values are not whole bands.
    pub fn from_values(values: Vec<u64>, rows: usize) -> Result<Self, Error> {
        if rows == 0 || !values.len().is_multiple_of(rows) {
            let len = values.len();
            return Err(Error::invalid(format!(
                "cannot make a signature: {len} values are not bands of {rows} rows"
            )));
        }
        Ok(Self { values, rows })
    }

    /// The values, band by band.
    pub fn values(&self) -> &[u64] {
        &self.values
    }

    /// The values, to be used again.
    pub fn into_values(self) -> Vec<u64> {
        self.values
    }

    /// The share of equal values: an estimate of the Jaccard similarity with a standard error of
    /// `sqrt(j * (1 - j) / values)`. 0 where one has no values.
    pub fn similarity(&self, other: &Self) -> f64 {
        let pairs = self.values.iter().zip(&other.values);
        let equal = pairs.filter(|(a, b)| a == b).count();
        equal as f64 / self.values.len().max(other.values.len()).max(1) as f64
    }

    /// One key a band, which depends on the band's number and values.
    pub fn band_keys(&self) -> impl Iterator<Item = u64> + '_ {
        let rows = self.rows.max(1);
        let mut bytes = Vec::with_capacity(rows * 8);
        self.values
            .chunks_exact(rows)
            .zip(0..)
            .map(move |(band, number)| {
                bytes.clear();
                bytes.extend(band.iter().flat_map(|value| value.to_le_bytes()));
                xxh3_64_with_seed(&bytes, number)
            })
    }
}

/// Makes signatures. One for each thread: it holds scratch memory, about twice the longest text.
///
/// ```
/// use nexus_dedup::{MinHasher, Params};
/// let mut hasher = MinHasher::new(Params::default())?;
/// let a = hasher.signature("the quick brown fox jumps over the lazy dog again");
/// let b = hasher.signature("The quick brown fox, jumps over the lazy dog -- again!");
/// assert_eq!(a, b);
/// // Fewer than five tokens: like no other document.
/// assert!(hasher.signature("too short").values().is_empty());
/// # Ok::<(), nexus_dedup::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct MinHasher {
    params: Params,
    kernel: Kernel,
    shingler: Shingler,
    hashes: Vec<u64>,
}

#[derive(Clone, Debug)]
enum Kernel {
    Fast(simd::Fast),
    Mersenne(Mersenne),
    Affine(Affine),
}

impl MinHasher {
    /// Prepares the family.
    ///
    /// # Errors
    /// `InvalidInput` for a parameter of 0, `LimitReached` for one beyond [`limits`].
    pub fn new(params: Params) -> Result<Self, Error> {
        params.check()?;
        let len = params.bands * params.rows;
        let kernel = match params.family {
            Family::Fast1 => Kernel::Fast(simd::Fast::new(len)),
            Family::Mersenne { seed } => Kernel::Mersenne(Mersenne::new(seed, len)),
            Family::Affine { seed } => Kernel::Affine(Affine::new(seed, len)),
        };
        Ok(Self {
            params,
            kernel,
            shingler: Shingler::default(),
            hashes: Vec::new(),
        })
    }

    /// The parameters.
    pub fn params(&self) -> &Params {
        &self.params
    }

    /// The signature of a text. Time is linear in its length and in the number of values.
    pub fn signature(&mut self, text: &str) -> Signature {
        self.shingle(text);
        self.of_hashes()
    }

    /// The signature of a text and the set that verifies candidates.
    pub fn document(&mut self, text: &str) -> (Signature, ShingleSet) {
        let signature = self.signature(text);
        (signature, ShingleSet::new(&self.hashes))
    }

    /// The same for tokens of the caller's making, which are taken as they are: datatrove's own
    /// word tokenizer gives datatrove's own signatures.
    pub fn document_of_tokens<'a>(
        &mut self,
        tokens: impl IntoIterator<Item = &'a str>,
    ) -> (Signature, ShingleSet) {
        let hash = self.text_hash();
        let (n, out) = (self.params.ngram, &mut self.hashes);
        self.shingler.tokens(tokens.into_iter(), n, hash, out);
        (self.of_hashes(), ShingleSet::new(&self.hashes))
    }

    /// The hashes of the shingles of a text, in order and with repeats.
    pub fn shingles(&mut self, text: &str) -> &[u64] {
        self.shingle(text);
        &self.hashes
    }

    fn shingle(&mut self, text: &str) {
        let hash = self.text_hash();
        self.shingler
            .text(text, self.params.ngram, hash, &mut self.hashes);
    }

    fn text_hash(&self) -> TextHash {
        match self.params.family {
            Family::Fast1 => TextHash::Xxh3,
            Family::Mersenne { .. } | Family::Affine { .. } => TextHash::Xxh64,
        }
    }

    fn of_hashes(&mut self) -> Signature {
        let values = match &self.kernel {
            _ if self.hashes.is_empty() => Vec::new(),
            Kernel::Fast(fast) => fast.minima(&self.hashes),
            Kernel::Mersenne(mersenne) => mersenne.minima(&self.hashes),
            // A set of shingles is one of numbers below the prime then.
            Kernel::Affine(affine) => affine.minima(&mut self.hashes),
        };
        Signature {
            values,
            rows: self.params.rows,
        }
    }
}
