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

mod hashing;

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::cancel::Cancel;
use crate::pieces::Pieces;
use crate::{SafeTensorError, SafeTensorsFile, View};
use hashing::Hashing;

/// The entry of `__metadata__` that holds the checksums.
pub const CHECKSUM_KEY: &str = "nexus.checksums";

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
        let sizes: Vec<_> = tensors.iter().map(|(_, view)| view.data_len()).collect();
        let hashing = Hashing::new(algorithm, threads, Cancel::default());
        let sums = hashing.all(&sizes, |at, hashed| {
            hashed(&Pieces::Borrowed(&tensors[at].1.data()))
        })?;
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

/// How [`verify_with`] works.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct VerifyOptions {
    /// Threads; by default as many as the machine runs at once.
    pub threads: Option<NonZeroUsize>,
    cancel: Cancel,
}

impl VerifyOptions {
    /// Sets [`threads`](Self::threads).
    #[must_use]
    pub fn threads(mut self, threads: Option<NonZeroUsize>) -> Self {
        self.threads = threads;
        self
    }

    /// Stops with the error `Cancelled` soon after the flag is set.
    #[must_use]
    pub fn cancelled_by(mut self, flag: Arc<AtomicBool>) -> Self {
        self.cancel = Cancel::by(flag);
        self
    }
}

/// Compares every tensor of a file with its checksum. Reads each byte once, with so many threads
/// or as many as the machine runs at once; tensors without a checksum are not read.
///
/// A file that was opened to be read on demand, by [`Backend::Read`](crate::Backend::Read), is read
/// in pieces of 256 KiB; that it is cut meanwhile is an error. A mapped file must not be cut.
///
/// # Errors
/// As [`Checksums::from_metadata`]; `File` and `UnexpectedEnd` for a file that is read on demand.
/// Tensors that differ are no error but in the report.
pub fn verify(
    file: &SafeTensorsFile,
    threads: Option<NonZeroUsize>,
) -> Result<VerifyReport, SafeTensorError> {
    verify_with(file, &VerifyOptions::default().threads(threads))
}

/// [`verify`] with options.
///
/// # Errors
/// As [`verify`]; `Cancelled`.
pub fn verify_with(
    file: &SafeTensorsFile,
    options: &VerifyOptions,
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
    let mut named = Vec::new();
    for (name, info) in file.infos() {
        match checksums.get(name) {
            Some(expected) => named.push((name, file.byte_range(info), expected)),
            None => report.missing.push(name.to_owned()),
        }
    }
    let unknown = checksums.tensors.keys();
    let unknown = unknown.filter(|name| file.info(name).is_err());
    report.unknown = unknown.cloned().collect();
    let hashing = Hashing::new(checksums.algorithm, options.threads, options.cancel.clone());
    let sizes: Vec<_> = named.iter().map(|(_, range, _)| range.len()).collect();
    let sums = hashing.all(&sizes, |at, hashed| hashed(&file.pieces(named[at].0)?))?;
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
