//! Checksums of tensors, kept in `__metadata__`.
//!
//! A file's bytes can change on a disk or on the way without its header getting unsound. Checksums
//! tell, and name the tensor. They are an entry of the free text, so that every reader of
//! safetensors files still reads the file.
//!
//! # Format
//!
//! The entry [`CHECKSUM_KEY`] of `__metadata__` is compact JSON:
//!
//! ```json
//! {"algorithm":"xxh3","tensors":{"a":"2d06800538d394c2","b":"..."}}
//! ```
//!
//! - `algorithm` is `xxh3` ([XXH3] of 64 bits, seed 0) or `blake3` ([BLAKE3], 256 bits, no key).
//! - `tensors` has an entry for each tensor, sorted by name: the plain checksum of the tensor's
//!   bytes as they lie in the file, in lower-case hexadecimal digits, most significant byte first:
//!   16 digits for `xxh3` (what `xxhsum -H3` prints), 64 for `blake3` (what `b3sum` prints).
//!
//! XXH3 finds damage; it does not stop somebody who wants to change a file unseen. BLAKE3 does,
//! as long as the checksums come from elsewhere.
//!
//! ```
//! use nexus_safetensors::checksum::{Checksum, add_checksums, verify};
//! use nexus_safetensors::{Dtype, SafeTensorsFile, TensorView, serialize};
//!
//! let tensors = [("a", TensorView::new(Dtype::U8, vec![3], b"abc")?)];
//! let text = add_checksums(&tensors, None, Checksum::Xxh3, None)?;
//! let mut bytes = serialize(tensors, Some(text))?;
//! assert!(verify(&SafeTensorsFile::copy_of(&bytes)?, None)?.is_sound());
//!
//! *bytes.last_mut().unwrap() ^= 1;
//! let report = verify(&SafeTensorsFile::copy_of(&bytes)?, None)?;
//! assert_eq!(report.mismatches[0].name, "a");
//! # Ok::<(), nexus_safetensors::SafeTensorError>(())
//! ```
//!
//! [XXH3]: https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md
//! [BLAKE3]: https://github.com/BLAKE3-team/BLAKE3-specs/blob/master/blake3.pdf

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use blake3::hazmat::{self, ChainingValue, HasherExt, Mode};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::{SafeTensorError, SafeTensorsFile, View};

/// The entry of `__metadata__` that holds the checksums.
pub const CHECKSUM_KEY: &str = "nexus.checksums";

/// Larger tensors are shared among threads where the algorithm allows it: 16 MiB.
const SHARED_SIZE_MIN: usize = 16 << 20;

/// A way to make a checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Checksum {
    /// XXH3 of 64 bits: as fast as memory, finds damage. One tensor is the work of one thread.
    Xxh3,
    /// BLAKE3: slower, and nobody finds other bytes with the same checksum. Large tensors are
    /// shared among threads.
    Blake3,
}

impl Checksum {
    /// The name in the file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Xxh3 => "xxh3",
            Self::Blake3 => "blake3",
        }
    }

    /// The algorithm of this name, if there is one.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Xxh3, Self::Blake3]
            .into_iter()
            .find(|algorithm| algorithm.name() == name)
    }

    /// The checksum of some bytes, in hexadecimal digits.
    pub fn of(self, bytes: &[u8]) -> String {
        match self {
            Self::Xxh3 => format!("{:016x}", xxh3_64(bytes)),
            Self::Blake3 => blake3::hash(bytes).to_hex().to_string(),
        }
    }

    fn of_shared(self, bytes: &[u8], threads: usize) -> String {
        match self {
            Self::Blake3 if threads > 1 && bytes.len() > blake3::CHUNK_LEN => {
                let (left, right) = halves(bytes, 0, threads);
                hazmat::merge_subtrees_root(&left, &right, Mode::Hash)
                    .to_hex()
                    .to_string()
            }
            _ => self.of(bytes),
        }
    }
}

/// The checksums of a file's tensors.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checksums {
    algorithm: Checksum,
    tensors: BTreeMap<String, String>,
}

impl Checksums {
    /// Makes the checksums of tensors. Reads them once, with so many threads or as many as the
    /// machine runs at once.
    ///
    /// # Errors
    /// `DuplicateName`.
    pub fn compute<S: AsRef<str> + Sync, V: View + Sync>(
        tensors: &[(S, V)],
        algorithm: Checksum,
        threads: Option<NonZeroUsize>,
    ) -> Result<Self, SafeTensorError> {
        let views: Vec<_> = tensors.iter().map(|(_, view)| view).collect();
        let sums = all(&views, algorithm, threads);
        let mut named = BTreeMap::new();
        for ((name, _), sum) in tensors.iter().zip(sums) {
            let name = name.as_ref();
            if named.insert(name.to_owned(), sum).is_some() {
                return Err(SafeTensorError::DuplicateName(name.to_owned()));
            }
        }
        Ok(Self {
            algorithm,
            tensors: named,
        })
    }

    /// The checksums that the free text of a file holds, if any.
    ///
    /// # Errors
    /// `Checksums` when the entry is not what the format asks for.
    pub fn from_metadata(
        text: Option<&HashMap<String, String>>,
    ) -> Result<Option<Self>, SafeTensorError> {
        let Some(text) = text.and_then(|text| text.get(CHECKSUM_KEY)) else {
            return Ok(None);
        };
        serde_json::from_str(text)
            .map(Some)
            .map_err(|error| SafeTensorError::Checksums(format!("`{CHECKSUM_KEY}`: {error}")))
    }

    /// How they were made.
    pub fn algorithm(&self) -> Checksum {
        self.algorithm
    }

    /// The checksum of one tensor in hexadecimal digits, if there is one.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.tensors.get(name).map(String::as_str)
    }

    /// Those of some tensors alone.
    pub(crate) fn of_tensors<'a>(&self, names: impl Iterator<Item = &'a str>) -> Self {
        let found = names.filter_map(|name| self.tensors.get_key_value(name));
        Self {
            algorithm: self.algorithm,
            tensors: found
                .map(|(name, sum)| (name.clone(), sum.clone()))
                .collect(),
        }
    }

    /// The text of the entry in `__metadata__`.
    ///
    /// # Errors
    /// `JsonError`, which strings do not cause.
    pub fn to_text(&self) -> Result<String, SafeTensorError> {
        Ok(serde_json::to_string(self)?)
    }
}

/// The free text of a file with the checksums of its tensors in it; older ones are replaced.
///
/// # Errors
/// As [`Checksums::compute`].
#[expect(clippy::implicit_hasher, reason = "what `serialize` takes")]
pub fn add_checksums<S: AsRef<str> + Sync, V: View + Sync>(
    tensors: &[(S, V)],
    metadata: Option<HashMap<String, String>>,
    algorithm: Checksum,
    threads: Option<NonZeroUsize>,
) -> Result<HashMap<String, String>, SafeTensorError> {
    let text = Checksums::compute(tensors, algorithm, threads)?.to_text()?;
    let mut metadata = metadata.unwrap_or_default();
    metadata.insert(CHECKSUM_KEY.to_owned(), text);
    Ok(metadata)
}

/// A tensor whose bytes are not those that the checksum was made of.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mismatch {
    /// The tensor's name.
    pub name: String,
    /// Where its bytes lie in the file.
    pub range: Range<usize>,
    /// The checksum in the file.
    pub expected: String,
    /// The checksum of the bytes.
    pub found: String,
}

/// What [`verify`] found. Lists are sorted by name.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct VerifyReport {
    /// How the checksums were made; `None` where the file has none.
    pub algorithm: Option<Checksum>,
    /// How many tensors have the bytes that their checksum was made of.
    pub verified: usize,
    /// Tensors that have other bytes.
    pub mismatches: Vec<Mismatch>,
    /// Tensors without a checksum.
    pub missing: Vec<String>,
    /// Names of checksums that are no tensor's.
    pub unknown: Vec<String>,
}

impl VerifyReport {
    /// Whether every tensor has a checksum and every checksum a tensor, and all agree.
    pub fn is_sound(&self) -> bool {
        self.mismatches.is_empty() && self.missing.is_empty() && self.unknown.is_empty()
    }
}

/// Compares every tensor of a file with its checksum. Reads each byte once, with so many threads
/// or as many as the machine runs at once; tensors without a checksum are not read.
///
/// # Errors
/// As [`Checksums::from_metadata`]. Tensors that differ are no error but in the report.
pub fn verify(
    file: &SafeTensorsFile,
    threads: Option<NonZeroUsize>,
) -> Result<VerifyReport, SafeTensorError> {
    let checksums = Checksums::from_metadata(file.metadata())?;
    let mut report = VerifyReport {
        algorithm: checksums.as_ref().map(Checksums::algorithm),
        verified: 0,
        mismatches: Vec::new(),
        missing: Vec::new(),
        unknown: Vec::new(),
    };
    let Some(checksums) = checksums else {
        report.missing = file.names().into_iter().map(str::to_owned).collect();
        return Ok(report);
    };
    let (mut named, mut views) = (Vec::new(), Vec::new());
    for (name, info) in file.infos() {
        match checksums.get(name) {
            Some(expected) => {
                named.push((name, file.byte_range(info), expected));
                views.push(file.tensor(name)?);
            }
            None => report.missing.push(name.to_owned()),
        }
    }
    let unknown = checksums.tensors.keys();
    let unknown = unknown.filter(|name| file.info(name).is_err());
    report.unknown = unknown.cloned().collect();
    let sums = all(
        &views.iter().collect::<Vec<_>>(),
        checksums.algorithm,
        threads,
    );
    for ((name, range, expected), found) in named.into_iter().zip(sums) {
        if expected == found {
            report.verified += 1;
        } else {
            report.mismatches.push(Mismatch {
                name: name.to_owned(),
                range,
                expected: expected.to_owned(),
                found,
            });
        }
    }
    Ok(report)
}

/// The checksum of each view, in the order given.
fn all<V: View + Sync>(
    views: &[&V],
    algorithm: Checksum,
    threads: Option<NonZeroUsize>,
) -> Vec<String> {
    let threads = crate::packed::threads_or_all(threads).get();
    // Large ones first, so that no thread is left with one at the end.
    let mut order: Vec<_> = (0..views.len()).collect();
    order.sort_by_key(|&at| std::cmp::Reverse(views[at].data_len()));
    let shared = order.partition_point(|&at| views[at].data_len() >= SHARED_SIZE_MIN);
    let mut sums = vec![String::new(); views.len()];
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        while let Some(&at) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
            let bytes: Cow<'_, [u8]> = views[at].data();
            done.push((at, algorithm.of(&bytes)));
        }
        done
    };
    if algorithm == Checksum::Blake3 {
        for &at in &order[..shared] {
            sums[at] = algorithm.of_shared(&views[at].data(), threads);
        }
        next.store(shared, Ordering::Relaxed);
    }
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads.min(views.len()))
            .map(|_| scope.spawn(work))
            .collect();
        let mut done = work();
        for thread in others {
            match thread.join() {
                Ok(more) => done.extend(more),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        for (at, sum) in done {
            sums[at] = sum;
        }
    });
    sums
}

/// The two subtrees that BLAKE3 joins for these bytes, which are more than one chunk.
fn halves(bytes: &[u8], offset: u64, threads: usize) -> (ChainingValue, ChainingValue) {
    let middle = hazmat::left_subtree_len(bytes.len() as u64);
    let (left, right) = bytes.split_at(middle as usize);
    if threads < 2 {
        return (subtree(left, offset, 1), subtree(right, offset + middle, 1));
    }
    std::thread::scope(|scope| {
        let other = scope.spawn(move || subtree(left, offset, threads / 2));
        let right = subtree(right, offset + middle, threads - threads / 2);
        match other.join() {
            Ok(left) => (left, right),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

fn subtree(bytes: &[u8], offset: u64, threads: usize) -> ChainingValue {
    if threads < 2 || bytes.len() < SHARED_SIZE_MIN {
        let mut hasher = blake3::Hasher::new();
        hasher.set_input_offset(offset);
        hasher.update(bytes);
        return hasher.finalize_non_root();
    }
    let (left, right) = halves(bytes, offset, threads);
    hazmat::merge_subtrees_non_root(&left, &right, Mode::Hash)
}
