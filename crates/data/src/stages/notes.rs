//! What is known of the groups of files that are through a stage.
//!
//! A run that may go on has a file for each, `notes-STAGE/GROUP.json`, which appears whole when all else
//! that belongs to the group is there; other nodes read it too. Any other run holds them in memory.

use super::parts::Part;
use crate::atomic::AtomicFile;
use crate::report::{Counted, Dropped, StepReport};
use crate::{Error, ErrorKind, Reject, Report};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{ErrorKind as ErrorKindIo, Read};
use std::path::{Path, PathBuf};

/// Most bytes of one note.
const NOTE_SIZE_MAX: u64 = 1 << 30;

/// A group that is through a stage.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Done {
    /// Rows in each part.
    rows: Vec<u32>,
    #[serde(flatten)]
    told: Told,
}

/// A report as it is kept.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Told {
    steps: Vec<StepReport>,
    dropped: Vec<Dropped>,
    rejected: Counted<Reject>,
    skipped: Counted<String>,
    files: u64,
    #[serde(default)]
    duplicates: u64,
}

/// The notes of one stage.
#[derive(Debug)]
pub(super) struct Notes {
    /// None where they are held in memory.
    folder: Option<PathBuf>,
    known: BTreeMap<usize, Done>,
}

impl Notes {
    /// Those of stage `stage` in the folder `work`, if there is one to keep them.
    pub(super) fn open(work: Option<&Path>, stage: usize) -> Result<Self, Error> {
        let folder = work.map(|work| work.join(format!("notes-{stage}")));
        if let Some(folder) = &folder {
            std::fs::create_dir_all(folder).map_err(|error| Error::io("create", folder, error))?;
        }
        Ok(Self {
            folder,
            known: BTreeMap::new(),
        })
    }

    /// Says that a group is complete.
    pub(super) fn add(&mut self, group: usize, done: Done) -> Result<(), Error> {
        if let Some(folder) = &self.folder {
            write(&folder.join(format!("{group}.json")), &done)?;
        }
        self.known.insert(group, done);
        Ok(())
    }

    /// The first groups of `0..count` that are not there, by asking the system once.
    pub(super) fn missing(&self, count: usize) -> Result<Vec<usize>, Error> {
        let mut there: BTreeSet<usize> = self.known.keys().copied().collect();
        if let Some(folder) = &self.folder {
            let io = |error| Error::io("list", folder, error);
            for entry in std::fs::read_dir(folder).map_err(io)? {
                let name = entry.map_err(io)?.file_name();
                let group = name.to_str().and_then(|name| name.strip_suffix(".json"));
                there.extend(group.and_then(|group| group.parse::<usize>().ok()));
            }
        }
        Ok((0..count).filter(|group| !there.contains(group)).collect())
    }

    /// Reads the notes of all groups.
    pub(super) fn read(&mut self, count: usize) -> Result<(), Error> {
        for group in 0..count {
            if let (false, Some(folder)) = (self.known.contains_key(&group), &self.folder) {
                let path = folder.join(format!("{group}.json"));
                let done = read(&path)?.ok_or_else(|| {
                    let missing = ErrorKindIo::NotFound.into();
                    Error::io("open", &path, missing)
                })?;
                self.known.insert(group, done);
            }
        }
        Ok(())
    }

    /// The parts of those groups that were read.
    pub(super) fn parts(&self) -> impl Iterator<Item = Part> {
        let groups = self.known.iter();
        groups.flat_map(|(&group, done)| {
            let parts = done.rows.iter().enumerate();
            parts.map(move |(at, &rows)| Part::new(group, at, rows))
        })
    }

    /// The reports of all groups that were read as one.
    pub(super) fn told(&self) -> Told {
        let mut total = Told::default();
        for done in self.known.values() {
            total.add(&done.told);
        }
        total
    }
}

impl Done {
    pub(super) fn new(report: Report, rows: Vec<u32>) -> Self {
        let told = Told::new(report);
        Self { rows, told }
    }
}

impl Told {
    pub(super) fn new(report: Report) -> Self {
        Self {
            steps: report.steps,
            dropped: report.dropped,
            rejected: report.rejected,
            skipped: report.skipped,
            files: report.files,
            duplicates: report.duplicates,
        }
    }

    pub(super) fn into_report(self) -> Report {
        Report {
            steps: self.steps,
            dropped: self.dropped,
            rejected: self.rejected,
            skipped: self.skipped,
            files: self.files,
            duplicates: self.duplicates,
            ..Report::default()
        }
    }

    /// Adds what the same steps did with the files that come next.
    fn add(&mut self, next: &Self) {
        if self.steps.is_empty() {
            self.steps.clone_from(&next.steps);
        } else {
            for (step, next) in self.steps.iter_mut().zip(&next.steps) {
                step.add(next);
            }
        }
        for each in &next.dropped {
            match self.dropped.iter_mut().find(|known| known.is_like(each)) {
                Some(known) => known.count += each.count,
                None => self.dropped.push(each.clone()),
            }
        }
        let steps = &self.steps;
        let place = |each: &Dropped| steps.iter().position(|step| step.name == each.step);
        self.dropped
            .sort_by(|a, b| (place(a), &a.reason).cmp(&(place(b), &b.reason)));
        self.rejected.append(next.rejected.clone());
        self.skipped.append(next.skipped.clone());
        self.files += next.files;
        self.duplicates += next.duplicates;
    }
}

/// Writes a note.
pub(super) fn write(path: &Path, note: &impl Serialize) -> Result<(), Error> {
    let mut file = AtomicFile::create(path)?;
    file.append(&serde_json::to_vec(note).expect("plain values have a form"))?;
    file.commit()
}

/// Reads a note; none where there is none.
pub(super) fn read<T: for<'a> Deserialize<'a>>(path: &Path) -> Result<Option<T>, Error> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKindIo::NotFound => return Ok(None),
        Err(error) => return Err(Error::io("open", path, error)),
    };
    serde_json::from_reader(std::io::BufReader::new(file.take(NOTE_SIZE_MAX)))
        .map(Some)
        .map_err(|error| {
            let message = format!("cannot read `{}`: {error}", path.display());
            Error::new(ErrorKind::Corrupt, message).with_hint("run without resume")
        })
}
