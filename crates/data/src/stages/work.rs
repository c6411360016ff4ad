//! The folder in which a run puts what it must keep until all rows are known.
//!
//! `work.json` says whose folder it is, is locked as long as a run uses it, and empty when what is there is of
//! no use to another run: while it is removed, and where a run keeps nothing. `stage-N` holds what stage N
//! puts aside, `notes-N` which groups of files are through it, `stage-N.removed` what was decided
//! of them. `node-N.lock` is locked by node N, `done.json` says that the run of several nodes is over.

use super::notes::{self, Told};
use crate::{Error, Node};
use serde::{Deserialize, Serialize};
use std::fs::{File, Metadata, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The file that marks the folder as a run's.
const MARK: &str = "work.json";

/// What says that a run of several nodes is over.
const DONE: &str = "done.json";

/// Most bytes of a mark.
const MARK_SIZE_MAX: u64 = 1 << 20;

/// The form of the folder.
const VERSION: u32 = 2;

/// A folder that is gone when it is dropped, unless it is to be kept.
pub(crate) struct Work {
    path: PathBuf,
    /// Hold the locks; the mark is the last one.
    locks: Vec<File>,
    is_kept: bool,
}

/// How a run uses its folder.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Use {
    /// What is there is removed before and after.
    Alone,
    /// What an earlier run has left is used, and what this one leaves can be.
    Resume,
    /// The same, by several processes at once.
    Share(Node),
}

#[derive(Debug, Serialize, Deserialize, PartialEq, Eq)]
struct Mark {
    version: u32,
    /// What decides on the result: the steps, the files, where batches are cut.
    plan: String,
    /// The version of this crate.
    #[serde(default)]
    made_by: String,
    #[serde(default)]
    nodes: usize,
}

impl Work {
    /// Opens the folder of a run that is called `plan`.
    pub(crate) fn open(path: &Path, plan: &str, how: Use) -> Result<Self, Error> {
        let failed = |error| Error::io("use the work folder", path, error);
        let mark_path = path.join(MARK);
        let is_foreign = |entry: io::Result<std::fs::DirEntry>| {
            // Another node may be about to make the mark.
            entry.is_ok_and(|entry| {
                !entry
                    .file_name()
                    .to_string_lossy()
                    .starts_with(".work.json")
            })
        };
        let is_used = std::fs::read_dir(path).is_ok_and(|mut entries| entries.any(is_foreign));
        if is_used && !mark_path.is_file() {
            let message = format!("`{}` is no work folder of a pipeline", path.display());
            return Err(
                Error::invalid(message).with_hint("give another folder, or remove this one")
            );
        }
        match std::fs::create_dir(path) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(failed(error)),
            _ => {}
        }
        let mine = Mark {
            version: VERSION,
            plan: plan.to_owned(),
            made_by: env!("CARGO_PKG_VERSION").to_owned(),
            nodes: match how {
                Use::Share(node) => node.count(),
                _ => 0,
            },
        };
        let mut locks = match how {
            Use::Share(node) => share(path, &mine, node)?,
            _ => Vec::new(),
        };
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut mark = options.open(&mark_path).map_err(failed)?;
        let lock = match how {
            Use::Share(_) => mark.try_lock_shared(),
            _ => mark.try_lock(),
        };
        check_lock(&lock, || used(path))?;
        // Who has it may have removed the folder before the lock was free.
        if !is_at(&mark, &mark_path) {
            return Err(used(path));
        }
        let mut text = String::new();
        Read::take(&mark, MARK_SIZE_MAX)
            .read_to_string(&mut text)
            .map_err(failed)?;
        match (how, serde_json::from_str::<Mark>(&text).ok()) {
            (Use::Share(_), None) if text.is_empty() => {
                return Err(other(path, "it is of a run that kept nothing"));
            }
            (Use::Share(_), None) => return Err(other(path, "it is broken")),
            (Use::Share(_) | Use::Resume, Some(left)) => left.check(&mine, path)?,
            _ => {
                let note = match how {
                    Use::Alone => Vec::new(),
                    _ => serde_json::to_vec(&mine).expect("plain values"),
                };
                // As long as it is not clear, what is there is of no use.
                mark.set_len(0)
                    .and_then(|()| clear(path, &[MARK]))
                    .and_then(|()| io::Seek::rewind(&mut mark))
                    .and_then(|()| mark.write_all(&note))
                    .and_then(|()| mark.sync_all())
                    .map_err(failed)?;
            }
        }
        locks.push(mark);
        Ok(Self {
            path: path.to_owned(),
            locks,
            is_kept: !matches!(how, Use::Alone),
        })
    }

    /// The folder, where what is in it can be of use to another run.
    pub(super) fn kept(&self) -> Option<&Path> {
        self.is_kept.then_some(&self.path)
    }

    /// The folder of a stage. `prepare` makes what all groups and nodes share in it, in a folder that gets
    /// its name when it is ready.
    pub(super) fn begin(
        &self,
        stage: usize,
        prepare: impl FnOnce(&Path) -> Result<(), Error>,
    ) -> Result<PathBuf, Error> {
        let path = self.stage(stage);
        if path.exists() {
            return Ok(path);
        }
        let failed = |error| Error::io("create", &path, error);
        let temporary = crate::atomic::folder_beside(&path).map_err(failed)?;
        prepare(&temporary)?;
        match std::fs::rename(&temporary, &path) {
            // Another node was faster.
            Err(_) if path.exists() => std::fs::remove_dir_all(&temporary).map_err(failed)?,
            result => result.map_err(failed)?,
        }
        Ok(path)
    }

    /// The folder of a stage.
    pub(super) fn stage(&self, stage: usize) -> PathBuf {
        self.path.join(format!("stage-{stage}"))
    }

    /// Where the lines on documents that a stage drops of a group are kept.
    pub(super) fn audit(&self, stage: usize, group: usize) -> PathBuf {
        self.path.join(format!("audit-{stage}-{group}.jsonl"))
    }

    /// Where the lines on what is rejected of a group are kept.
    pub(super) fn rejects(&self, group: usize) -> PathBuf {
        self.path.join(format!("rejects-{group}.jsonl"))
    }

    /// Where it is kept what was decided of a stage.
    pub(super) fn removed(&self, stage: usize) -> PathBuf {
        self.path.join(format!("stage-{stage}.removed"))
    }

    /// The rows of a stage are in the parts of the next one.
    pub(super) fn discard(&self, stage: usize) {
        let _ = std::fs::remove_dir_all(self.stage(stage));
    }

    /// The report of a run of several nodes that has come to its end.
    pub(super) fn finished(&self) -> Result<Option<Told>, Error> {
        notes::read(&self.path.join(DONE))
    }

    /// The run of several nodes has come to its end: nothing but the notes is needed any longer.
    pub(super) fn finish(self, told: &Told) -> Result<(), Error> {
        notes::write(&self.path.join(DONE), told)?;
        // What is left takes room and does no harm.
        let _ = clear(&self.path, &[MARK, DONE, "notes-", "node-"]);
        Ok(())
    }

    /// The run has come to its end: nothing is needed any longer.
    pub(super) fn remove(mut self) {
        self.is_kept = false;
    }
}

impl Mark {
    /// Refuses what another run has left.
    fn check(&self, mine: &Self, path: &Path) -> Result<(), Error> {
        if self.made_by != mine.made_by && self.version == mine.version {
            let made_by = &self.made_by;
            return Err(other(
                path,
                &format!(
                    "it is of version {made_by} of nexus-data, and this is {}",
                    mine.made_by
                ),
            ));
        }
        if self.nodes != mine.nodes {
            let nodes = |count| match count {
                0 => "one process".to_owned(),
                count => format!("{count} nodes"),
            };
            return Err(other(
                path,
                &format!(
                    "it is of a run of {}, not of {}",
                    nodes(self.nodes),
                    nodes(mine.nodes)
                ),
            ));
        }
        if self != mine {
            return Err(other(
                path,
                "it is of another plan, or the files have changed",
            ));
        }
        Ok(())
    }
}

fn used(path: &Path) -> Error {
    let message = format!("another run uses the work folder `{}`", path.display());
    Error::invalid(message).with_hint("wait for it, or give this run a work folder of its own")
}

/// Whether this is the file that lies at a path.
fn is_at(file: &File, path: &Path) -> bool {
    let place = |metadata: Metadata| (metadata.dev(), metadata.ino());
    let (this, there) = (
        file.metadata().map(place),
        std::fs::metadata(path).map(place),
    );
    matches!((this, there), (Ok(this), Ok(there)) if this == there)
}

fn other(path: &Path, why: &str) -> Error {
    let message = format!("cannot resume from `{}`: {why}", path.display());
    Error::invalid(message).with_hint("run without resume, or in another work folder")
}

/// Makes the mark unless another node has done so, and takes the lock of this node.
fn share(path: &Path, mine: &Mark, node: Node) -> Result<Vec<File>, Error> {
    let failed = |error| Error::io("use the work folder", path, error);
    let mark_path = path.join(MARK);
    if !mark_path.is_file() {
        let note = serde_json::to_vec(mine).expect("plain values");
        let (temporary, mut file) = crate::atomic::file_beside(&mark_path).map_err(failed)?;
        let result = file
            .write_all(&note)
            .and_then(|()| file.sync_all())
            .and_then(|()| match std::fs::hard_link(&temporary, &mark_path) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
                // Some file systems have no links.
                Err(_) => std::fs::rename(&temporary, &mark_path),
                Ok(()) => Ok(()),
            });
        let _ = std::fs::remove_file(&temporary);
        result.map_err(failed)?;
    }
    let lock_path = path.join(format!("node-{}.lock", node.index()));
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    let lock = options.open(&lock_path).map_err(failed)?;
    check_lock(&lock.try_lock(), || {
        let message = format!(
            "node {node} is running in the work folder `{}`",
            path.display()
        );
        Error::invalid(message).with_hint("give each process a number of its own")
    })?;
    Ok(vec![lock])
}

/// Some file systems have no locks; who uses a folder twice at once must take care there.
fn check_lock(
    result: &Result<(), TryLockError>,
    taken: impl FnOnce() -> Error,
) -> Result<(), Error> {
    match result {
        Ok(()) | Err(TryLockError::Error(_)) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(taken()),
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        if !self.is_kept {
            // An empty mark says that what is there is of no use: a kill may leave half of it. It goes last,
            // so that the folder is still known for a work folder. What cannot be removed is removed by
            // the next run.
            let emptied = self.locks.last().map_or(Ok(()), |mark| {
                mark.set_len(0)?;
                mark.sync_all()
            });
            let _ = emptied
                .and_then(|()| clear(&self.path, &[MARK]))
                .and_then(|()| std::fs::remove_dir_all(&self.path));
        }
    }
}

/// Removes all but what has a name that begins with one of `but`.
fn clear(path: &Path, but: &[&str]) -> io::Result<()> {
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        let name = entry.file_name();
        if but
            .iter()
            .any(|start| name.to_string_lossy().starts_with(start))
        {
            continue;
        }
        if entry.file_type()?.is_dir() {
            std::fs::remove_dir_all(entry.path())?;
        } else {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}
