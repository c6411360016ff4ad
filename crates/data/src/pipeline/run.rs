//! Running a pipeline: what is checked, opened and made before the first file is read.

use super::{Pipeline, RunOptions, Source};
use crate::engine::Sink;
use crate::output::{Output, Target};
use crate::sink::{Encoder, Writer};
use crate::source::{BatchLimit, Reader};
use crate::stages::{self, Shared, Stage, Use, Work};
use crate::storage::Storage;
use crate::{BoxError, Error, ErrorKind, Node, Report};
use arrow_array::RecordBatch;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Runs of this process that had no place for a work folder.
static RUNS: AtomicU64 = AtomicU64::new(0);

impl Pipeline {
    /// Runs the pipeline into its output file; without one, the rows are only counted.
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) when the steps do not fit together or an
    /// option is out of its range, [`NotFound`](crate::ErrorKind::NotFound) when the source or the
    /// tokenizer is missing, [`Io`](crate::ErrorKind::Io) when the output cannot be written,
    /// [`Function`](crate::ErrorKind::Function) when a function returns an error,
    /// [`Cancelled`](crate::ErrorKind::Cancelled). There is no output file then, or the one from
    /// before. Records that cannot be read are no error: see [`Report::rejected`].
    ///
    /// # Panics
    /// When a function panics.
    pub fn run(&self, options: &RunOptions) -> Result<Report, Error> {
        let sink = |output: Option<Writer>| match output {
            Some(output) => Sink::Write(output),
            None => Sink::Nothing,
        };
        self.start(options, self.output.as_ref(), sink)
    }

    /// Runs the pipeline and hands each batch that has rows to `function`, one at a time and in
    /// order. An output file is not written.
    ///
    /// # Errors
    /// Those of [`run`](Self::run). An error of `function` ends the run.
    ///
    /// # Panics
    /// When a function panics.
    pub fn for_each<F>(&self, options: &RunOptions, mut function: F) -> Result<Report, Error>
    where
        F: FnMut(RecordBatch) -> Result<(), BoxError> + Send,
    {
        if options.node.is_some() {
            let message = "the batches of a run of several nodes cannot be handed out";
            return Err(Error::invalid(message).with_hint("write them, and read the files"));
        }
        self.start(options, None, |_| Sink::Each(&mut function))
    }

    fn start<'a>(
        &self,
        options: &RunOptions,
        output: Option<&Output>,
        sink: impl FnOnce(Option<Writer>) -> Sink<'a>,
    ) -> Result<Report, Error> {
        let threads = options.threads()?;
        let mut limit = options.batch_limit()?;
        limit.rows = limit.rows.min(self.batch_rows_max());
        let target = output.map(Output::target).transpose()?;
        let all = self.stages(options)?;
        let trial = self.trial(&all)?;
        let storage = self.storage.for_run(&options.cancel);
        self.check_places(options, &storage)?;
        let reader = self.reader(&storage, limit)?;
        let memory_size = options.memory()?;
        let shared = Shared {
            threads,
            limit,
            memory_size,
            rejects: self.rejects.clone(),
            audit: self.audit.clone(),
            cancel: options.cancel.clone(),
            progress: options.progress.clone(),
            node: options.node,
            node_timeout: options.node_timeout,
        };
        let work = match all.len() {
            1 => None,
            _ => Some(self.work(options, &reader, target.as_ref(), &all)?),
        };
        let write = |target: Target| {
            let schema = trial.as_ref().map(RecordBatch::schema);
            // A column without a form in the format is known before the first file is read.
            trial.map_or(Ok(()), |batch| {
                Encoder::new(&target).encode(batch).map(drop)
            })?;
            let is_writer = options.node.is_none_or(Node::is_first);
            let create = || Writer::create(target, &storage, schema.as_ref());
            is_writer.then(create).transpose()
        };
        let sink = sink(target.map(write).transpose()?.flatten());
        let start = Instant::now();
        let mut report = match work {
            None => stages::run_one(reader, &all[0], sink, &shared)?,
            Some(work) => {
                let size = options.group_size(&reader);
                let readers = if options.goes_on() {
                    reader.groups(size)
                } else {
                    vec![reader]
                };
                stages::run(readers, &all, sink, &shared, work)?
            }
        };
        report.threads = threads;
        report.seconds = start.elapsed().as_secs_f64();
        Ok(report)
    }

    /// Lists of what is left out, and what waits for all documents, are written to this machine.
    fn check_places(&self, options: &RunOptions, storage: &Arc<dyn Storage>) -> Result<(), Error> {
        for (what, path) in [("rejects", &self.rejects), ("the audit", &self.audit)] {
            if let Some(path) = path.as_ref().filter(|path| !storage.is_local(path)) {
                let message = format!("cannot write {what} to `{}`", path.display());
                return Err(Error::new(ErrorKind::Unsupported, message).with_hint(
                    "give a path of this machine, and copy the file when the run is over",
                ));
            }
        }
        if let Some(work) = options.work.as_ref().filter(|work| !storage.is_local(work)) {
            let message = format!("`{}` cannot be a work folder", work.display());
            return Err(Error::new(ErrorKind::Unsupported, message)
                .with_hint("give a folder of a file system, which nodes may share"));
        }
        Ok(())
    }

    /// Finds what there is to read, and opens no file of it.
    fn reader(&self, storage: &Arc<dyn Storage>, limit: BatchLimit) -> Result<Reader, Error> {
        match &self.source {
            Source::Path(path) => Reader::files(path, storage, limit, self.image_column()),
            Source::Table(table) => Reader::table(table, limit, self.image_column()),
            Source::Batches(batches) => {
                let taken = batches.lock().map_or(None, |mut batches| batches.take());
                let used_up = || Error::invalid("the source was used up by an earlier run");
                Ok(Reader::batches(taken.ok_or_else(used_up)?, limit))
            }
        }
    }

    /// The folder of this run.
    fn work(
        &self,
        options: &RunOptions,
        reader: &Reader,
        target: Option<&Target>,
        stages: &[Stage],
    ) -> Result<Work, Error> {
        let plan = if options.goes_on() {
            self.fingerprint(options, reader, stages)?
        } else {
            String::new()
        };
        if options.node.is_some() && options.work.is_none() {
            let message = "a run of several nodes has no work folder that they share";
            return Err(Error::invalid(message).with_hint("give the work folder a path"));
        }
        if options.resume && options.work.is_none() && target.is_none() {
            return Err(Error::invalid(
                "a run without an output has no work folder to resume from",
            )
            .with_hint("give the work folder a path"));
        }
        let default = || match target {
            Some(target) => self.work_path(&target.path),
            None => {
                let number = RUNS.fetch_add(1, Ordering::Relaxed);
                let name = format!("nexus-data-{}-{number}.work", std::process::id());
                std::env::temp_dir().join(name)
            }
        };
        let path = options.work.clone().unwrap_or_else(default);
        let how = match options.node {
            Some(node) => Use::Share(node),
            None if options.resume => Use::Resume,
            None => Use::Alone,
        };
        Work::open(&path, &plan, how)
    }

    /// The folder beside the output; below the system's folder for temporary files where that is not on
    /// this machine.
    fn work_path(&self, output: &Path) -> PathBuf {
        let name = output.file_name().unwrap_or_default().to_string_lossy();
        if self.storage.is_local(output) {
            return output.with_file_name(format!(".{name}.work"));
        }
        let hash = xxhash_rust::xxh3::xxh3_64(output.as_os_str().as_encoded_bytes());
        std::env::temp_dir().join(format!("nexus-data-{name}-{hash:016x}.work"))
    }
}
