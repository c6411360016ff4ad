//! Which ranges of the rows of a part were found to be repeats: `part-GROUP-N.cuts`.
//!
//! A file has for each range the row, where it starts and where it ends (4 bytes each, little-endian),
//! in order, then the XXH3-64 of all that (8 bytes). `cuts.done` says that all parts have theirs.

use super::parts::{self, Part};
use crate::atomic::AtomicFile;
use crate::{Error, ErrorKind};
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::Xxh3Default;

/// The column of the ranges of rows, on their way to the step that takes them out.
pub(crate) const CUTS: &str = "\0cuts";

const CUT_SIZE: usize = 12;
const SUM_SIZE: u64 = 8;

/// A range of a row, in what the step counts: units, bytes or tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    pub(crate) row: u32,
    pub(crate) start: u32,
    pub(crate) end: u32,
}

fn path(folder: &Path, part: u32) -> PathBuf {
    parts::beside(folder, part, "cuts")
}

fn mark(folder: &Path) -> PathBuf {
    folder.join("cuts.done")
}

/// Whether all parts have their file.
pub(super) fn are_done(folder: &Path) -> bool {
    mark(folder).exists()
}

/// Says that all parts have their file.
pub(super) fn finish(folder: &Path) -> Result<(), Error> {
    AtomicFile::create(&mark(folder))?.commit_unsynced()
}

/// The ranges of all parts under construction, which come in order.
pub(super) struct CutsWriter {
    folder: PathBuf,
    /// The numbers of those that are not complete, the next one last.
    parts: Vec<u32>,
    file: Option<(AtomicFile, Xxh3Default)>,
}

impl CutsWriter {
    pub(super) fn new(folder: &Path, parts: &[Part]) -> Self {
        Self {
            folder: folder.to_owned(),
            parts: parts.iter().rev().map(|part| part.number).collect(),
            file: None,
        }
    }

    pub(super) fn push(&mut self, part: u32, cut: Cut) -> Result<(), Error> {
        while self.parts.last().is_some_and(|&next| next < part) {
            self.end()?;
        }
        let (file, hash) = self.open(part)?;
        let mut bytes = [0; CUT_SIZE];
        for (to, word) in bytes
            .as_chunks_mut::<4>()
            .0
            .iter_mut()
            .zip([cut.row, cut.start, cut.end])
        {
            *to = word.to_le_bytes();
        }
        hash.update(&bytes);
        file.append(&bytes)
    }

    /// Completes the files of all parts.
    pub(super) fn finish(mut self) -> Result<(), Error> {
        while !self.parts.is_empty() {
            self.end()?;
        }
        finish(&self.folder)
    }

    fn open(&mut self, part: u32) -> Result<&mut (AtomicFile, Xxh3Default), Error> {
        if self.file.is_none() {
            let file = AtomicFile::create(&path(&self.folder, part))?;
            self.file = Some((file, Xxh3Default::new()));
        }
        Ok(self.file.as_mut().expect("just opened"))
    }

    fn end(&mut self) -> Result<(), Error> {
        let Some(part) = self.parts.pop() else {
            return Ok(());
        };
        self.open(part)?;
        if let Some((mut file, hash)) = self.file.take() {
            file.append(&hash.digest().to_le_bytes())?;
            file.commit_unsynced()?;
        }
        Ok(())
    }
}

/// Reads the ranges of a part, in step with its rows.
pub(crate) struct CutsReader {
    path: PathBuf,
    file: BufReader<File>,
    /// Bytes of ranges that are not yet read.
    left: u64,
    hash: Xxh3Default,
    next: Option<Cut>,
}

impl CutsReader {
    pub(crate) fn open(folder: &Path, part: u32) -> Result<Self, Error> {
        let path = path(folder, part);
        let open = || {
            let file = File::open(&path)?;
            let size = file.metadata()?.len();
            Ok::<_, io::Error>((BufReader::with_capacity(1 << 16, file), size))
        };
        let (file, size) = open().map_err(|error| Error::io("open", &path, error))?;
        let mut reader = Self {
            file,
            left: size.saturating_sub(SUM_SIZE),
            hash: Xxh3Default::new(),
            next: None,
            path,
        };
        if size < SUM_SIZE || !reader.left.is_multiple_of(CUT_SIZE as u64) {
            return Err(reader.changed());
        }
        reader.advance()?;
        Ok(reader)
    }

    /// The ranges of the rows before `end`, which no earlier call has given.
    pub(crate) fn before(&mut self, end: u32) -> Result<Vec<Cut>, Error> {
        let mut cuts = Vec::new();
        while let Some(cut) = self.next.filter(|cut| cut.row < end) {
            cuts.push(cut);
            self.advance()?;
        }
        Ok(cuts)
    }

    /// Whether all ranges are of rows that there are.
    pub(crate) fn end(&self) -> Result<(), Error> {
        self.next.map_or(Ok(()), |_| Err(self.changed()))
    }

    fn advance(&mut self) -> Result<(), Error> {
        self.next = match self.read() {
            Ok(next) => next,
            Err(error) if error.kind() == io::ErrorKind::InvalidData => return Err(self.changed()),
            Err(error) => return Err(Error::io("read", &self.path, error)),
        };
        Ok(())
    }

    fn read(&mut self) -> io::Result<Option<Cut>> {
        if self.left == 0 {
            let mut sum = [0; SUM_SIZE as usize];
            self.file.read_exact(&mut sum)?;
            if u64::from_le_bytes(sum) == self.hash.digest() {
                return Ok(None);
            }
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut bytes = [0; CUT_SIZE];
        self.file.read_exact(&mut bytes)?;
        self.hash.update(&bytes);
        self.left -= CUT_SIZE as u64;
        let word = |at: usize| u32::from_le_bytes(bytes.as_chunks::<4>().0[at]);
        let cut = Cut {
            row: word(0),
            start: word(1),
            end: word(2),
        };
        let is_after =
            |last: Cut| (last.row, last.end) <= (cut.row, cut.start) || last.row < cut.row;
        if cut.start < cut.end && self.next.is_none_or(is_after) {
            Ok(Some(cut))
        } else {
            Err(io::ErrorKind::InvalidData.into())
        }
    }

    fn changed(&self) -> Error {
        let path = self.path.display();
        let message = format!("cannot read `{path}`: what was put aside has changed");
        Error::new(ErrorKind::Corrupt, message).with_hint("run again without resume")
    }
}
