//! What was decided, as a file: who goes on after a kill, and other nodes, need not decide again.
//!
//! A line of JSON (parts, counts of the steps, how many details), the bits of all parts, the details, and
//! the XXH3-64 of all this. Numbers are little-endian.

use super::parts::Part;
use super::removed::{Detail, Removed};
use crate::atomic::AtomicFile;
use crate::{Error, ErrorKind};
use nexus_dedup::DocumentId;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;
use xxhash_rust::xxh3::Xxh3;

/// Longest id of a document, in bytes.
const NAME_SIZE_MAX: u64 = 1 << 30;

/// Longest first line, in bytes.
const HEADER_SIZE_MAX: u64 = 1 << 30;

#[derive(Serialize, Deserialize)]
struct Header {
    /// Number and rows.
    parts: Vec<(u32, u32)>,
    counts: Vec<(String, u64)>,
    /// None where nobody wants to know.
    details: Option<u64>,
    /// Whether ranges of rows go.
    has_cuts: bool,
    /// Shards of indexes, and the names of these.
    indexes: Vec<(u32, String)>,
}

impl Removed {
    /// Writes the file.
    pub(super) fn publish(&self, path: &Path) -> Result<(), Error> {
        let mut file = AtomicFile::create(path)?;
        self.write(&mut file)
            .map_err(|error| Error::io("write", path, error))?;
        file.commit()
    }

    /// Reads the file, of the details those of some parts; none where there is no file.
    pub(super) fn load(
        path: &Path,
        folder: &Path,
        is_wanted: impl Fn(Part) -> bool,
    ) -> Result<Option<Self>, Error> {
        let file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            result => result.map_err(|error| Error::io("open", path, error))?,
        };
        match read(file, folder, is_wanted) {
            Ok(removed) => Ok(Some(removed)),
            Err(error) => {
                let message = format!("cannot read `{}`: {error}", path.display());
                Err(Error::new(ErrorKind::Corrupt, message).with_hint("run again without resume"))
            }
        }
    }

    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let mut out = Summed::new(out);
        let parts = self.parts.iter().map(|part| (part.number, part.rows));
        let counts = self.counts.iter();
        let header = Header {
            parts: parts.collect(),
            counts: counts
                .map(|(step, count)| (step.to_string(), *count))
                .collect(),
            details: self.details.as_ref().map(|details| details.len() as u64),
            has_cuts: self.has_cuts,
            indexes: self.indexes.clone().into_iter().collect(),
        };
        let mut line = serde_json::to_vec(&header)?;
        line.push(b'\n');
        out.write(&line)?;
        for part in &self.parts {
            for word in &self.bits[&part.number] {
                out.write(&word.to_le_bytes())?;
            }
        }
        for (document, detail) in self.details.iter().flatten() {
            let name = self.names.get(&detail.duplicate_of);
            let name = name.map_or("", String::as_str);
            out.write(&document.shard.to_le_bytes())?;
            out.write(&document.row.to_le_bytes())?;
            out.write(&detail.duplicate_of.shard.to_le_bytes())?;
            out.write(&detail.duplicate_of.row.to_le_bytes())?;
            out.write(&(detail.step as u64).to_le_bytes())?;
            out.write(&detail.similarity.unwrap_or(f64::NAN).to_le_bytes())?;
            out.write(&(name.len() as u64).to_le_bytes())?;
            out.write(name.as_bytes())?;
        }
        let sum = out.hash.digest();
        out.inner.write_all(&sum.to_le_bytes())
    }
}

fn read(file: File, folder: &Path, is_wanted: impl Fn(Part) -> bool) -> io::Result<Removed> {
    let wrong = || io::Error::from(io::ErrorKind::InvalidData);
    let mut file = BufReader::with_capacity(1 << 16, file);
    let mut line = Vec::new();
    file.by_ref()
        .take(HEADER_SIZE_MAX)
        .read_until(b'\n', &mut line)?;
    let header: Header = serde_json::from_slice(&line)?;
    let mut file = Summed::new(file);
    file.hash.update(&line);
    let parts = header.parts.into_iter();
    let parts: Vec<_> = parts.map(|(number, rows)| Part { number, rows }).collect();
    let mut removed = Removed::new(folder, Vec::new(), header.details.is_some());
    removed.has_cuts = header.has_cuts;
    removed.indexes = header.indexes.into_iter().collect();
    for part in &parts {
        let mut words = Vec::new();
        for _ in 0..part.rows.div_ceil(64) {
            words.push(file.word()?);
        }
        removed.bits.insert(part.number, words);
    }
    let wanted: HashMap<u32, bool> = parts
        .iter()
        .map(|&part| (part.number, is_wanted(part)))
        .collect();
    removed.parts = parts;
    let counts = header.counts.into_iter();
    removed.counts = counts.map(|(step, count)| (step.into(), count)).collect();
    for _ in 0..header.details.unwrap_or_default() {
        let document = file.document()?;
        let duplicate_of = file.document()?;
        let step = file.word()? as usize;
        let similarity = f64::from_bits(file.word()?);
        let name = file.name()?;
        if step >= removed.counts.len() {
            return Err(wrong());
        }
        if let (Some(true), Some(details)) = (wanted.get(&document.shard), &mut removed.details) {
            let similarity = (!similarity.is_nan()).then_some(similarity);
            let detail = Detail {
                step,
                duplicate_of,
                similarity,
            };
            details.insert(document, detail);
            removed.names.insert(duplicate_of, name);
        }
    }
    let sum = file.hash.digest();
    if file.word()? != sum {
        return Err(wrong());
    }
    Ok(removed)
}

/// A file, and the hash of what went through.
struct Summed<F> {
    inner: F,
    hash: Xxh3,
}

impl<F> Summed<F> {
    fn new(inner: F) -> Self {
        let hash = Xxh3::new();
        Self { inner, hash }
    }
}

impl<F: Write> Summed<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hash.update(bytes);
        self.inner.write_all(bytes)
    }
}

impl<F: Read> Summed<F> {
    fn word(&mut self) -> io::Result<u64> {
        let mut bytes = [0; 8];
        self.inner.read_exact(&mut bytes)?;
        self.hash.update(&bytes);
        Ok(u64::from_le_bytes(bytes))
    }

    fn document(&mut self) -> io::Result<DocumentId> {
        let word = self.word()?;
        Ok(DocumentId {
            shard: word as u32,
            row: (word >> 32) as u32,
        })
    }

    fn name(&mut self) -> io::Result<String> {
        let size = self.word()?;
        let mut bytes = Vec::new();
        self.inner
            .by_ref()
            .take(size.min(NAME_SIZE_MAX))
            .read_to_end(&mut bytes)?;
        self.hash.update(&bytes);
        if bytes.len() as u64 != size {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        String::from_utf8(bytes).map_err(|_| io::ErrorKind::InvalidData.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn removed(folder: &Path) -> Removed {
        let parts = vec![Part::new(0, 0, 3), Part::new(2, 1, 70)];
        let mut removed = Removed::new(folder, parts.clone(), true);
        removed.counts = vec![("dedup_exact".into(), 1), ("dedup_near".into(), 1)];
        removed.bits.insert(parts[1].number, vec![1 << 63, 5]);
        let (document, duplicate_of) = [(1, 5), (0, 2)]
            .map(|(part, row)| DocumentId {
                shard: parts[part].number,
                row,
            })
            .into();
        let detail = Detail {
            step: 1,
            duplicate_of,
            similarity: Some(0.875),
        };
        removed.details.as_mut().unwrap().insert(document, detail);
        removed.names.insert(duplicate_of, "é".to_owned());
        removed.indexes.insert(1 << 31, "dumps/1".to_owned());
        removed.have_cuts();
        removed
    }

    #[test]
    fn what_was_decided_is_read_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("removed");
        let written = removed(folder.path());
        written.publish(&path).unwrap();
        let read = Removed::load(&path, folder.path(), |_| true)
            .unwrap()
            .unwrap();
        assert_eq!(read.parts, written.parts);
        assert_eq!(read.bits, written.bits);
        assert_eq!(read.counts, written.counts);
        assert_eq!(read.names, written.names);
        assert_eq!(read.indexes, written.indexes);
        assert!(read.has_cuts);
        let details = |removed: &Removed| format!("{:?}", removed.details);
        assert_eq!(details(&read), details(&written));
        let others = Removed::load(&path, folder.path(), |part| part.group() == 0);
        assert!(others.unwrap().unwrap().details.unwrap().is_empty());
        assert!(
            Removed::load(&folder.path().join("none"), folder.path(), |_| true)
                .unwrap()
                .is_none()
        );
    }

    #[test]
    fn any_changed_or_missing_byte_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("removed");
        removed(folder.path()).publish(&path).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let check = |changed: &[u8]| {
            std::fs::write(&path, changed).unwrap();
            let error = Removed::load(&path, folder.path(), |_| true).err().unwrap();
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        };
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 0x10;
            check(&changed);
            check(&bytes[..at]);
        }
    }
}
