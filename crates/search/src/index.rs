//! The index: a safetensors file with the vectors and the passages.
//!
//! | tensor | type | shape | holds |
//! |---|---|---|---|
//! | `vectors` | F32 | `[passages, dimensions]` | unit vectors |
//! | `records` | U8 | `[bytes]` | one JSON object per passage, one after the other |
//! | `offsets` | U64 | `[passages + 1]` | where each record begins, and the end |
//!
//! `__metadata__` holds `format`, `version`, `fingerprint` and the counts of [`Summary`].

use crate::error::{Error, ErrorKind};
use nexus_safetensors::{Dtype, SafeTensorsFile, TensorView, serialize_to_file};
use nexus_tensor::Tensor;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

const FORMAT: &str = "nexus-search";
const VERSION: &str = "1";

/// What an index keeps of a passage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The title of the document: its field `title`, else its id.
    pub title: String,
    /// The document's field `module`, else its source.
    pub module: String,
    /// The document's field `url`, if it has one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub url: String,
    /// The file that the document was read from.
    pub source: String,
    /// The passage's place among those of its document, from 0.
    pub part: u32,
    /// The passage.
    pub text: String,
}

/// The counts of a build, kept in the index.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Documents read.
    pub documents: u64,
    /// Documents dropped because an equal one came before.
    pub duplicates: u64,
    /// Records set aside because they could not be read.
    pub rejected: u64,
    /// Passages in the index.
    pub passages: u64,
    /// Tokens in all passages, special tokens included.
    pub tokens: u64,
}

/// An open index: the file is mapped, passages are decoded when they are asked for.
#[derive(Debug)]
pub struct Index {
    path: PathBuf,
    vectors: Tensor,
    records: Tensor,
    offsets: Vec<u64>,
    summary: Summary,
    fingerprint: String,
}

impl Index {
    /// Opens the index at `path` and checks its structure. Cost: the header and the offsets.
    ///
    /// # Errors
    /// When the file is missing, is no safetensors file, or is not an index of this version.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let file = SafeTensorsFile::open(path).map_err(|source| match source.kind() {
            // These name the file themselves.
            nexus_safetensors::ErrorKind::NotFound => {
                Error::new(ErrorKind::NotFound, source.to_string())
            }
            nexus_safetensors::ErrorKind::Io => Error::new(ErrorKind::Io, source.to_string()),
            _ => Error::index(path, &source).caused_by(source),
        })?;
        let none = HashMap::new();
        let metadata = file.metadata().unwrap_or(&none);
        let text = |key: &str| metadata.get(key).map_or("", String::as_str);
        if (text("format"), text("version")) != (FORMAT, VERSION) {
            return Err(Error::index(
                path,
                format_args!("it is not marked as {FORMAT} version {VERSION}"),
            ));
        }
        let count = |key: &str| {
            text(key)
                .parse::<u64>()
                .map_err(|_| Error::index(path, format_args!("`{key}` is no number")))
        };
        let tensor = |name: &str, dtype: Dtype, rank: usize| {
            let tensor = file
                .shared_tensor(name)
                .map_err(|source| Error::index(path, source))?;
            if (tensor.dtype(), tensor.shape().len()) == (dtype, rank) {
                return Ok(tensor);
            }
            let (dtype, shape) = (tensor.dtype(), tensor.shape());
            Err(Error::index(
                path,
                format_args!("tensor `{name}` is {dtype} {shape:?}"),
            ))
        };
        let offsets = tensor("offsets", Dtype::U64, 1)?;
        let index = Self {
            path: path.to_owned(),
            vectors: tensor("vectors", Dtype::F32, 2)?,
            records: tensor("records", Dtype::U8, 1)?,
            offsets: offsets
                .as_slice()
                .map_err(|source| Error::index(path, source))?
                .to_vec(),
            summary: Summary {
                documents: count("documents")?,
                duplicates: count("duplicates")?,
                rejected: count("rejected")?,
                passages: count("passages")?,
                tokens: count("tokens")?,
            },
            fingerprint: text("fingerprint").to_owned(),
        };
        index.check()?;
        Ok(index)
    }

    /// Checks that the tensors fit each other, so that later reads need no checks.
    fn check(&self) -> Result<(), Error> {
        let &[passages, dimensions] = self.vectors.shape() else {
            unreachable!("the rank was checked when the tensor was taken");
        };
        let ordered = self.offsets.is_sorted() && self.offsets.first() == Some(&0);
        let reason = if dimensions == 0 {
            "its vectors have no dimensions"
        } else if self.vectors.as_slice::<f32>().is_err() {
            "its vectors are not aligned"
        } else if self.offsets.len() != passages + 1 || self.summary.passages != passages as u64 {
            "its tensors disagree on the number of passages"
        } else if !ordered || self.offsets.last() != Some(&(self.records.shape()[0] as u64)) {
            "its offsets do not fit its records"
        } else {
            return Ok(());
        };
        Err(Error::index(&self.path, reason))
    }

    /// Where the index was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many passages there are.
    pub fn len(&self) -> usize {
        self.vectors.shape()[0]
    }

    /// True when there are no passages.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The length of a vector.
    pub fn dimensions(&self) -> usize {
        self.vectors.shape()[1]
    }

    /// All vectors, row by row.
    #[expect(
        clippy::missing_panics_doc,
        reason = "type and alignment were checked by `open`"
    )]
    pub fn vectors(&self) -> &[f32] {
        self.vectors
            .as_slice()
            .expect("checked when the index was opened")
    }

    /// The passage at `position`.
    ///
    /// # Errors
    /// When the record is not the JSON it should be.
    ///
    /// # Panics
    /// When `position` is not below [`Index::len`].
    pub fn record(&self, position: usize) -> Result<Record, Error> {
        let (start, end) = (
            self.offsets[position] as usize,
            self.offsets[position + 1] as usize,
        );
        let bytes = self
            .records
            .as_slice::<u8>()
            .expect("bytes are always aligned");
        serde_json::from_slice(&bytes[start..end])
            .map_err(|source| Error::index(&self.path, format_args!("record {position}: {source}")))
    }

    /// The counts of the build.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// What the index was built from; see [`build`](crate::build).
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }
}

/// The parts of an index while it is built.
pub(crate) struct Draft {
    dimensions: usize,
    vectors: Vec<u8>,
    records: Vec<u8>,
    offsets: Vec<u8>,
    passages: u64,
}

impl Draft {
    pub(crate) fn new(dimensions: usize) -> Self {
        let offsets = 0_u64.to_le_bytes().to_vec();
        Self {
            dimensions,
            vectors: Vec::new(),
            records: Vec::new(),
            offsets,
            passages: 0,
        }
    }

    /// Adds a passage.
    ///
    /// # Panics
    /// When the vector has another length than the index.
    pub(crate) fn push(&mut self, vector: &[f32], record: &Record) {
        assert_eq!(vector.len(), self.dimensions, "length of the vector");
        self.vectors
            .extend(vector.iter().flat_map(|value| value.to_le_bytes()));
        serde_json::to_writer(&mut self.records, record).expect("strings are JSON");
        self.offsets
            .extend((self.records.len() as u64).to_le_bytes());
        self.passages += 1;
    }

    pub(crate) fn passages(&self) -> u64 {
        self.passages
    }

    /// Writes the index; the file appears whole or not at all.
    pub(crate) fn write(
        &self,
        path: &Path,
        summary: &Summary,
        fingerprint: &str,
    ) -> Result<(), Error> {
        let failed = |source: nexus_safetensors::SafeTensorError| {
            let message = format!("cannot write the index {}: {source}", path.display());
            Error::new(ErrorKind::Io, message).caused_by(source)
        };
        let passages = self.passages as usize;
        let vectors = TensorView::new(Dtype::F32, vec![passages, self.dimensions], &self.vectors);
        let records = TensorView::new(Dtype::U8, vec![self.records.len()], &self.records);
        let offsets = TensorView::new(Dtype::U64, vec![passages + 1], &self.offsets);
        let tensors = [
            ("vectors", vectors.map_err(failed)?),
            ("records", records.map_err(failed)?),
            ("offsets", offsets.map_err(failed)?),
        ];
        let counts = [
            ("documents", summary.documents),
            ("duplicates", summary.duplicates),
            ("rejected", summary.rejected),
            ("passages", summary.passages),
            ("tokens", summary.tokens),
        ];
        let texts = [
            ("format", FORMAT),
            ("version", VERSION),
            ("fingerprint", fingerprint),
        ];
        let metadata = counts
            .map(|(key, count)| (key.to_owned(), count.to_string()))
            .into_iter()
            .chain(texts.map(|(key, text)| (key.to_owned(), text.to_owned())))
            .collect();
        serialize_to_file(tensors, Some(metadata), path).map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(title: &str) -> Record {
        let text = |s: &str| s.to_owned();
        Record {
            title: text(title),
            module: text("m"),
            url: text(""),
            source: text("s.txt"),
            part: 0,
            text: text("words"),
        }
    }

    fn written(folder: &Path) -> PathBuf {
        let path = folder.join("index.safetensors");
        let mut draft = Draft::new(2);
        draft.push(&[1.0, 0.0], &record("a"));
        draft.push(&[0.0, 1.0], &record("b \u{1F600}"));
        let summary = Summary {
            documents: 3,
            duplicates: 1,
            passages: 2,
            tokens: 9,
            ..Summary::default()
        };
        draft.write(&path, &summary, "f00").unwrap();
        path
    }

    #[test]
    fn an_index_is_read_back_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let index = Index::open(written(folder.path())).unwrap();
        assert_eq!(
            (index.len(), index.dimensions(), index.fingerprint()),
            (2, 2, "f00")
        );
        assert_eq!(index.vectors(), [1.0, 0.0, 0.0, 1.0]);
        assert_eq!(index.record(1).unwrap(), record("b \u{1F600}"));
        assert_eq!(
            (index.summary().documents, index.summary().duplicates),
            (3, 1)
        );
    }

    #[test]
    fn a_missing_index_is_not_found_and_a_damaged_one_is_corrupt() {
        let folder = tempfile::tempdir().unwrap();
        let missing = Index::open(folder.path().join("no.safetensors")).unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::NotFound);

        let path = written(folder.path());
        let whole = std::fs::read(&path).unwrap();
        for cut in [0, 7, 100, whole.len() - 1] {
            std::fs::write(&path, &whole[..cut]).unwrap();
            assert_eq!(
                Index::open(&path).unwrap_err().kind(),
                ErrorKind::Corrupt,
                "cut at {cut}"
            );
        }
        let lies = [
            ("nexus-search", "other-format"),
            ("\"passages\":\"2\"", "\"passages\":\"3\""),
        ];
        for (truth, lie) in lies {
            let at = whole
                .windows(truth.len())
                .position(|w| w == truth.as_bytes())
                .unwrap();
            let mut changed = whole.clone();
            changed[at..at + truth.len()].copy_from_slice(&lie.as_bytes()[..truth.len()]);
            std::fs::write(&path, &changed).unwrap();
            assert_eq!(
                Index::open(&path).unwrap_err().kind(),
                ErrorKind::Corrupt,
                "{lie}"
            );
        }
    }

    #[test]
    fn a_record_that_is_no_json_is_corrupt_when_it_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = written(folder.path());
        let mut bytes = std::fs::read(&path).unwrap();
        let at = bytes.windows(9).position(|w| w == b"{\"title\":").unwrap();
        bytes[at] = b'[';
        std::fs::write(&path, bytes).unwrap();
        let index = Index::open(&path).unwrap();
        assert_eq!(index.record(0).unwrap_err().kind(), ErrorKind::Corrupt);
    }
}
