//! The folder in which a run puts what it must keep until all rows are known.
//!
//! `work.json` says whose folder it is, and is locked as long as a run uses it. `stage-N` holds what
//! stage N puts aside, `stage-N.json` says that it is complete.

use crate::report::{Counted, Dropped, StepReport};
use crate::{Error, ErrorKind, Reject};
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind as ErrorKindIo, Read, Write};
use std::path::{Path, PathBuf};

/// The file that marks the folder as a run's.
const MARK: &str = "work.json";

/// Most bytes of what is read of such files.
const NOTE_SIZE_MAX: u64 = 1 << 30;

/// A folder that is gone when it is dropped, unless it is to be kept.
pub(crate) struct Work {
    path: PathBuf,
    /// Holds the lock.
    _mark: File,
    is_kept: bool,
}

/// A stage that is complete.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Done {
    /// Rows in each part.
    pub(crate) rows: Vec<u32>,
    pub(crate) steps: Vec<StepReport>,
    pub(crate) dropped: Vec<Dropped>,
    pub(crate) rejected: Counted<Reject>,
    pub(crate) skipped: Counted<String>,
    pub(crate) files: u64,
}

#[derive(Serialize, Deserialize)]
struct Mark {
    version: u32,
    /// What decides on the result: the steps, the files, where batches are cut.
    plan: String,
}

impl Work {
    /// Opens the folder of a run that is called `plan`. What an earlier run has left of the same one
    /// is kept when it is to be resumed.
    pub(crate) fn open(path: &Path, plan: &str, resume: bool) -> Result<Self, Error> {
        let failed = |error| Error::io("use the work folder", path, error);
        let mark_path = path.join(MARK);
        let is_used = std::fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_some());
        if is_used && !mark_path.is_file() {
            let message = format!("`{}` is no work folder of a pipeline", path.display());
            return Err(
                Error::invalid(message).with_hint("give another folder, or remove this one")
            );
        }
        match std::fs::create_dir(path) {
            Err(error) if error.kind() != ErrorKindIo::AlreadyExists => return Err(failed(error)),
            _ => {}
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut mark = options.open(&mark_path).map_err(failed)?;
        match mark.try_lock() {
            // Some file systems have no locks; two runs at once are the user's care there.
            Ok(()) | Err(TryLockError::Error(_)) => {}
            Err(TryLockError::WouldBlock) => {
                let message = format!("another run uses the work folder `{}`", path.display());
                return Err(Error::invalid(message)
                    .with_hint("wait for it, or give this run a work folder of its own"));
            }
        }
        let mut text = String::new();
        Read::take(&mark, NOTE_SIZE_MAX)
            .read_to_string(&mut text)
            .map_err(failed)?;
        let left = serde_json::from_str::<Mark>(&text).ok();
        match left {
            Some(left) if resume && left.version == 1 && left.plan == plan => {}
            Some(_) if resume => {
                let message = format!(
                    "cannot resume from `{}`: it is of another plan, or the files have changed",
                    path.display()
                );
                return Err(Error::invalid(message).with_hint("run without resume"));
            }
            _ => {
                clear(path).map_err(failed)?;
                let version = 1;
                let plan = plan.to_owned();
                let note = serde_json::to_vec(&Mark { version, plan }).expect("plain values");
                mark.set_len(0)
                    .and_then(|()| std::io::Seek::rewind(&mut mark))
                    .and_then(|()| mark.write_all(&note))
                    .and_then(|()| mark.sync_all())
                    .map_err(failed)?;
            }
        }
        Ok(Self {
            path: path.to_owned(),
            _mark: mark,
            is_kept: resume,
        })
    }

    /// The folder of a stage that begins: empty.
    pub(crate) fn begin(&self, stage: usize) -> Result<PathBuf, Error> {
        let path = self.stage(stage);
        let make = || {
            if path.exists() {
                std::fs::remove_dir_all(&path)?;
            }
            std::fs::create_dir(&path)
        };
        make().map_err(|error| Error::io("create", &path, error))?;
        Ok(path)
    }

    /// The folder of a stage.
    pub(crate) fn stage(&self, stage: usize) -> PathBuf {
        self.path.join(format!("stage-{stage}"))
    }

    /// Where the lines on documents that a stage drops are kept.
    pub(crate) fn audit(&self, stage: usize) -> PathBuf {
        self.path.join(format!("audit-{stage}.jsonl"))
    }

    /// What a complete stage has done.
    pub(crate) fn done(&self, stage: usize) -> Result<Option<Done>, Error> {
        let path = self.note(stage);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKindIo::NotFound => return Ok(None),
            Err(error) => return Err(Error::io("open", &path, error)),
        };
        serde_json::from_reader(file.take(NOTE_SIZE_MAX))
            .map(Some)
            .map_err(|error| {
                let message = format!("cannot read `{}`: {error}", path.display());
                Error::new(ErrorKind::Corrupt, message).with_hint("run without resume")
            })
    }

    /// Says that a stage is complete.
    pub(crate) fn finish(&self, stage: usize, done: &Done) -> Result<(), Error> {
        let mut file = crate::atomic::AtomicFile::create(&self.note(stage))?;
        file.append(&serde_json::to_vec(done).expect("plain values have a form"))?;
        file.commit()
    }

    /// The rows of a stage are in the parts of the next one. A run that may be resumed decides anew, and
    /// needs both.
    pub(crate) fn discard(&self, stage: usize) {
        if !self.is_kept {
            let _ = std::fs::remove_dir_all(self.stage(stage));
        }
    }

    /// The run has come to its end: nothing is needed any longer.
    pub(crate) fn remove(mut self) {
        self.is_kept = false;
    }

    fn note(&self, stage: usize) -> PathBuf {
        self.path.join(format!("stage-{stage}.json"))
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        if !self.is_kept {
            // The mark goes last: what a kill leaves here is still known for a work folder. What cannot
            // be removed is removed by the next run.
            let _ = clear(&self.path).and_then(|()| std::fs::remove_dir_all(&self.path));
        }
    }
}

/// Removes all but the mark.
fn clear(path: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            std::fs::remove_dir_all(entry.path())?;
        } else if entry.file_name() != MARK {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}
