//! Documents of earlier dumps: folders that `nexus-dedup` writes, with the ids of the documents.
//!
//! `index.json` says which step the folder is for and names the files of ids, and is the mark of such a
//! folder. `part-N.names` has for each row of part N the size of its id (4 bytes, little-endian) and the
//! id, then the XXH3-64 of all that (8 bytes).

use super::gather::failed;
use super::parts::{self, Part};
use crate::atomic::{AtomicFile, AtomicFolder};
use crate::{Error, ErrorKind};
use nexus_dedup::{ExactIndex, Index, Params};
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::Xxh3Default;

/// The file that marks the folder as an index, and is written last.
const MARK: &str = "index.json";
const VERSION: u32 = 1;

/// Most bytes of the mark, and of an id.
const MARK_SIZE_MAX: u64 = 64 << 20;
const NAME_SIZE_MAX: u32 = 1 << 30;

/// Shards of indexes are numbered from here on; those of a run are fewer.
pub(super) const LABEL_FIRST: u32 = 1 << 31;

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Mark {
    version: u32,
    step: String,
    /// Of the ids of each part.
    names: Vec<Names>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Names {
    rows: u32,
    checksum: u64,
}

/// An index that is there.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    folder: PathBuf,
    mark: Mark,
    inner: Inner,
}

#[derive(Clone, Debug)]
pub(super) enum Inner {
    Near(Index),
    Exact(ExactIndex),
}

/// What an index must have been made with.
#[derive(Clone, Copy)]
pub(crate) enum Wanted {
    Near(Params),
    Exact { ignore_space: bool },
}

impl Wanted {
    fn step(self) -> &'static str {
        match self {
            Self::Near(_) => "dedup_near",
            Self::Exact { .. } => "dedup_exact",
        }
    }
}

/// What is said of the hashes of an index of exact copies.
pub(super) fn exact_params(ignore_space: bool) -> String {
    format!("xxh3-128 of texts, ignore_space = {ignore_space}")
}

/// Opens the indexes at these paths, each of which is one or a folder of them, but for the one that is
/// written.
pub(crate) fn open(
    wanted: Wanted,
    paths: &[PathBuf],
    written: Option<&PathBuf>,
) -> Result<Vec<Stored>, Error> {
    if let Some(path) = written {
        check_target(path)?;
    }
    let written = written.and_then(|path| path.canonicalize().ok());
    let mut found = Vec::new();
    for path in paths {
        for folder in folders(path)? {
            if written.is_none() || folder.canonicalize().ok() != written {
                found.push(Stored::open(&folder, wanted)?);
            }
        }
    }
    Ok(found)
}

/// The indexes at a path, in the order of their names.
fn folders(path: &Path) -> Result<Vec<PathBuf>, Error> {
    if path.join(MARK).is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let list = || {
        let mut folders = Vec::new();
        let mut is_empty = true;
        for entry in std::fs::read_dir(path)? {
            let entry = entry?;
            // Hidden folders are under construction.
            if entry.file_name().as_encoded_bytes().starts_with(b".") {
                continue;
            }
            is_empty = false;
            folders.extend(Some(entry.path()).filter(|path| path.join(MARK).is_file()));
        }
        folders.sort();
        Ok::<_, io::Error>((folders, is_empty))
    };
    let (folders, is_empty) = list().map_err(|error| Error::io("open the index", path, error))?;
    if folders.is_empty() && !is_empty {
        let message = format!("`{}` is no index and has none in it", path.display());
        return Err(Error::new(ErrorKind::NotFound, message)
            .with_hint("an index is a folder that `write_index` has written"));
    }
    Ok(folders)
}

/// Refuses what cannot be written, before the work begins.
fn check_target(path: &Path) -> Result<(), Error> {
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    if !parent.is_dir() {
        let missing = io::Error::from(io::ErrorKind::NotFound);
        return Err(Error::io("write an index to", path, missing));
    }
    let is_used = std::fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_some());
    if path.is_file() || is_used && !path.join(MARK).is_file() {
        let message = format!(
            "cannot write an index to `{}`: it holds other files",
            path.display()
        );
        return Err(Error::invalid(message).with_hint("give a new folder"));
    }
    Ok(())
}

impl Stored {
    fn open(folder: &Path, wanted: Wanted) -> Result<Self, Error> {
        let step = wanted.step();
        let path = folder.join(MARK);
        let file = File::open(&path).map_err(|error| Error::io("open", &path, error))?;
        let mark: Mark = serde_json::from_reader(file.take(MARK_SIZE_MAX)).map_err(|error| {
            let message = format!("cannot read the index `{}`: {error}", folder.display());
            Error::new(ErrorKind::Corrupt, message)
        })?;
        let refuse = |what: String| {
            let message = format!("step `{step}`: the index `{}` {what}", folder.display());
            Err(Error::new(ErrorKind::Unsupported, message))
        };
        if mark.version != VERSION {
            return refuse(format!("is of version {}, not {VERSION}", mark.version));
        }
        if mark.step != step {
            return refuse(format!("is one of `{}`", mark.step));
        }
        let failed = |error| failed(step, error);
        let inner = match wanted {
            Wanted::Near(params) => Inner::Near(Index::open(folder, &params).map_err(failed)?),
            Wanted::Exact { ignore_space } => {
                let params = exact_params(ignore_space);
                Inner::Exact(ExactIndex::open(folder, &params).map_err(failed)?)
            }
        };
        for (part, names) in (0..).zip(&mark.names) {
            let path = names_path(folder, part);
            let size = path
                .metadata()
                .map_err(|error| Error::io("open", &path, error))?;
            if size.len() < u64::from(names.rows) * 4 + 8 {
                return Err(changed(&path));
            }
        }
        let folder = folder.to_owned();
        Ok(Self {
            folder,
            mark,
            inner,
        })
    }

    pub(super) fn inner(&self) -> &Inner {
        &self.inner
    }

    /// Tells it from one with other documents.
    pub(crate) fn fingerprint(&self) -> Result<u64, Error> {
        let path = self.folder.join(nexus_dedup::MANIFEST);
        let bytes = std::fs::read(&path).map_err(|error| Error::io("read", &path, error))?;
        Ok(xxhash_rust::xxh3::xxh3_64(&bytes))
    }

    /// How many parts it has.
    pub(super) fn parts(&self) -> u32 {
        self.mark.names.len() as u32
    }

    /// Its folder, for people.
    pub(super) fn name(&self) -> String {
        self.folder.display().to_string()
    }

    /// The ids of rows of a part.
    pub(super) fn names(
        &self,
        part: u32,
        wanted: &HashSet<u32>,
    ) -> Result<HashMap<u32, String>, Error> {
        let path = names_path(&self.folder, part);
        let Some(names) = self.mark.names.get(part as usize) else {
            return Err(changed(&path));
        };
        read_names(&path, *names, wanted).map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => changed(&path),
            _ => Error::io("read", &path, error),
        })
    }
}

fn read_names(
    path: &Path,
    names: Names,
    wanted: &HashSet<u32>,
) -> io::Result<HashMap<u32, String>> {
    let invalid = || io::Error::from(io::ErrorKind::InvalidData);
    let mut file = BufReader::with_capacity(1 << 16, File::open(path)?);
    let (mut hash, mut found, mut name) = (Xxh3Default::new(), HashMap::new(), Vec::new());
    for row in 0..names.rows {
        let mut size = [0; 4];
        file.read_exact(&mut size)?;
        hash.update(&size);
        let size = u32::from_le_bytes(size);
        if size > NAME_SIZE_MAX {
            return Err(invalid());
        }
        name.clear();
        let read = file.by_ref().take(size.into()).read_to_end(&mut name)?;
        if read != size as usize {
            return Err(invalid());
        }
        hash.update(&name);
        if wanted.contains(&row) {
            let name = std::str::from_utf8(&name).map_err(|_| invalid())?;
            found.insert(row, name.to_owned());
        }
    }
    let mut sum = [0; 8];
    file.read_exact(&mut sum)?;
    let sum = u64::from_le_bytes(sum);
    if sum == hash.digest() && sum == names.checksum {
        Ok(found)
    } else {
        Err(invalid())
    }
}

fn changed(path: &Path) -> Error {
    let message = format!(
        "cannot read `{}`: it is not what was written",
        path.display()
    );
    Error::new(ErrorKind::Corrupt, message)
        .with_hint("take the index from a backup, or make it anew")
}

/// Where the ids of a part are put aside.
fn stage_names_path(stage: &Path, part: u32) -> PathBuf {
    parts::beside(stage, part, "names")
}

fn names_path(folder: &Path, part: u32) -> PathBuf {
    folder.join(format!("part-{part:05}.names"))
}

/// The ids of the rows of a part, as they are put aside.
pub(super) struct NamesWriter {
    file: AtomicFile,
    hash: Xxh3Default,
}

impl NamesWriter {
    pub(super) fn create(folder: &Path, part: u32) -> Result<Self, Error> {
        let file = AtomicFile::create(&stage_names_path(folder, part))?;
        let hash = Xxh3Default::new();
        Ok(Self { file, hash })
    }

    /// Takes the ids of the next rows, [encoded](encode_name).
    pub(super) fn write(&mut self, names: &[u8]) -> Result<(), Error> {
        self.hash.update(names);
        self.file.append(names)
    }

    pub(super) fn commit(mut self) -> Result<(), Error> {
        self.file.append(&self.hash.digest().to_le_bytes())?;
        self.file.commit_unsynced()
    }
}

/// An id as files of ids have it.
pub(super) fn encode_name(name: &str, out: &mut Vec<u8>) {
    out.extend((name.len() as u32).to_le_bytes());
    out.extend_from_slice(name.as_bytes());
}

/// Writes an index of what stays, beside its place: it gets its name when the run is over.
pub(super) fn write(
    path: &Path,
    step: &str,
    stage: &Path,
    parts: &[Part],
    documents: impl FnOnce(&Path) -> Result<(), nexus_dedup::Error>,
) -> Result<AtomicFolder, Error> {
    let folder = AtomicFolder::create(path, MARK)?;
    let target = folder.temporary();
    documents(target).map_err(|error| failed(step, error))?;
    let mut names = Vec::new();
    for (at, &Part { number, rows }) in (0..).zip(parts) {
        let (from, to) = (stage_names_path(stage, number), names_path(target, at));
        let copy = || {
            std::fs::copy(&from, &to)?;
            let mut file = File::open(&to)?;
            file.sync_all()?;
            let mut sum = [0; 8];
            io::Seek::seek(&mut file, io::SeekFrom::End(-8))?;
            file.read_exact(&mut sum)?;
            Ok(u64::from_le_bytes(sum))
        };
        let checksum = copy().map_err(|error| Error::io("copy", &from, error))?;
        names.push(Names { rows, checksum });
    }
    let mark = Mark {
        version: VERSION,
        step: step.to_owned(),
        names,
    };
    let mut file = AtomicFile::create(&target.join(MARK))?;
    file.append(&serde_json::to_vec(&mark).expect("plain values have a form"))?;
    file.commit()?;
    Ok(folder)
}
