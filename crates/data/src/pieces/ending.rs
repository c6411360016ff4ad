//! The end of a run in pieces: one process writes what many have made.

use super::note::Note;
use super::{Piece, Pieces, corrupt};
use crate::atomic::{AtomicFile, Spool};
use crate::pipeline::check_local;
use crate::report::{Counted, Dropped};
use crate::settings::Settings;
use crate::sink::{Encoder, Writer};
use crate::stages::duplicates;
use crate::{Error, NearCopies, Pipeline, Reject, Report, StepReport, jsonl};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

/// Takes the pieces of the last phase, in order. What it writes appears when it is
/// [finished](Self::finish); dropped before, it leaves no trace.
pub struct Ending {
    writer: Option<(Writer, Encoder)>,
    rejects: Option<AtomicFile>,
    audit: Option<Audit>,
    last: Option<u64>,
    read: StepReport,
    steps: Vec<StepReport>,
    written: StepReport,
    dropped: BTreeMap<(usize, String, String), u64>,
    rejected: Counted<Reject>,
    skipped: Counted<String>,
    files: u64,
    start: Instant,
}

/// The lines of stage 0 are written as they come, those of later ones behind them.
struct Audit {
    path: PathBuf,
    file: AtomicFile,
    later: Vec<Spool>,
}

impl Ending {
    /// Tries the paths that will be written.
    ///
    /// # Errors
    /// Those of [`run`](crate::Pipeline::run) that concern the output.
    pub fn new(pieces: &Pieces, skipped: Counted<String>) -> Result<Self, Error> {
        let stages = pieces.phases.last().map_or(0, |phase| phase.stage);
        let Pipeline { rejects, audit, .. } = &pieces.pipeline;
        for (what, path) in [("rejects", rejects), ("the audit", audit)] {
            check_local(&pieces.storage, what, path.as_deref())?;
        }
        let create = AtomicFile::create;
        let rejects = rejects.as_deref().map(create).transpose()?;
        let audit = match audit {
            None => None,
            Some(path) => Some(Audit {
                path: path.clone(),
                file: create(path)?,
                later: (0..stages)
                    .map(|_| Spool::create(Some(path), path))
                    .collect::<Result<_, _>>()?,
            }),
        };
        let schema = pieces.trial.as_ref().map(arrow_array::RecordBatch::schema);
        let writer = match (&pieces.target, pieces.encoder.clone()) {
            (Some(target), Some(encoder)) => {
                let writer = Writer::create(target.clone(), &pieces.storage, schema.as_ref())?;
                Some((writer, encoder))
            }
            _ => None,
        };
        let named = |name: &str| StepReport {
            name: name.to_owned(),
            ..StepReport::default()
        };
        Ok(Self {
            read: named("read"),
            steps: pieces.step_names().iter().map(|name| named(name)).collect(),
            written: named(writer.as_ref().map_or("", |(writer, _)| writer.step())),
            writer,
            rejects,
            audit,
            last: None,
            dropped: BTreeMap::new(),
            rejected: Counted::default(),
            skipped,
            files: 0,
            start: Instant::now(),
        })
    }

    /// Takes the next piece.
    ///
    /// # Errors
    /// [`Corrupt`](crate::ErrorKind::Corrupt) for a piece that is none, or out of order;
    /// [`Io`](crate::ErrorKind::Io).
    pub fn add(&mut self, piece: &Piece) -> Result<(), Error> {
        if self.last.is_some_and(|last| last >= piece.place) {
            return Err(corrupt("it comes after its place"));
        }
        self.last = Some(piece.place);
        let note = Note::decode(&piece.note)?;
        if let (Some((writer, encoder)), Some(frame)) = (&mut self.writer, &piece.frame) {
            let start = Instant::now();
            writer.write(&encoder.unpack(frame)?)?;
            self.written.seconds += start.elapsed().as_secs_f64();
        }
        self.count(&note)?;
        for reject in note.rejects {
            if let Some(file) = &mut self.rejects {
                file.append(&jsonl::encode_reject(&reject))?;
            }
            self.rejected.add(reject);
        }
        for (stage, lines) in note.audits.iter().enumerate() {
            let Some(audit) = &mut self.audit else { break };
            match stage.checked_sub(1) {
                None => audit.file.append(lines.as_bytes())?,
                Some(later) => match audit.later.get_mut(later) {
                    Some(spool) => spool.append(lines.as_bytes())?,
                    None => return Err(corrupt("its audit is of another plan")),
                },
            }
        }
        Ok(())
    }

    /// Writes what comes last, gives the files their names, and tells what was done by so many workers.
    ///
    /// # Errors
    /// [`Io`](crate::ErrorKind::Io).
    pub fn finish(self, workers: usize) -> Result<Report, Error> {
        if let Some(file) = self.rejects {
            file.commit()?;
        }
        if let Some(Audit {
            path,
            mut file,
            later,
        }) = self.audit
        {
            for spool in later {
                let copied = std::io::copy(&mut spool.into_reader()?, &mut file);
                copied.map_err(|error| Error::io("write", &path, error))?;
            }
            file.commit()?;
        }
        let mut steps = vec![self.read];
        steps.extend(self.steps);
        let near = steps.iter().filter(|step| step.name == NearCopies::OP);
        let near: u64 = near.map(|step| step.rows_in - step.rows_out).sum();
        let duplicates = near + duplicates(&steps);
        if let Some((writer, _)) = self.writer {
            writer.commit()?;
            steps.push(self.written);
        }
        let dropped = self.dropped.into_iter();
        Ok(Report {
            steps,
            rejected: self.rejected,
            skipped: self.skipped,
            dropped: dropped
                .map(|((_, step, reason), count)| Dropped {
                    step,
                    reason,
                    count,
                })
                .collect(),
            duplicates,
            files: self.files,
            seconds: self.start.elapsed().as_secs_f64(),
            threads: workers,
        })
    }

    fn count(&mut self, note: &Note) -> Result<(), Error> {
        self.read.add(&note.read);
        if !note.steps.is_empty() && note.steps.len() != self.steps.len() {
            return Err(corrupt("its steps are of another plan"));
        }
        for (total, step) in self.steps.iter_mut().zip(&note.steps) {
            total.add(step);
        }
        for (place, dropped) in &note.dropped {
            let key = (*place, dropped.step.clone(), dropped.reason.clone());
            *self.dropped.entry(key).or_default() += dropped.count;
        }
        self.written.rows_in += note.rows;
        self.written.rows_out += note.rows;
        self.written.seconds += note.sink_seconds;
        self.files += note.files;
        Ok(())
    }
}

impl Pieces {
    /// The names of all steps, as reports have them.
    fn step_names(&self) -> Vec<String> {
        let mut names = Vec::new();
        for phase in &self.phases {
            for operator in &phase.operators {
                let own = operator.reports();
                if own.is_empty() {
                    names.push(operator.name().to_owned());
                }
                names.extend(own.into_iter().map(|report| report.name));
            }
            let decided = phase.barrier.iter().flat_map(super::Barrier::steps);
            names.extend(decided.map(str::to_owned));
        }
        names
    }
}
