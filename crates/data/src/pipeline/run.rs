//! Running a pipeline: what is checked, opened and made before the first file is read.

use super::{Pipeline, RunOptions, Source};
use crate::engine::Sink;
use crate::output::{Output, Target};
use crate::sink::{Encoder, Writer};
use crate::source::{BatchLimit, Reader};
use crate::stages::{self, Shared};
use crate::storage::Storage;
use crate::{BoxError, Error, Node, Report};
use arrow_array::RecordBatch;
use std::sync::Arc;
use std::time::Instant;

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
        let target = output.map(|output| output.target(&self.keys)).transpose()?;
        self.keys.check()?;
        let all = self.stages(options)?;
        let trial = self.trial(&all)?;
        let storage = self.storage.for_run(&options.cancel);
        self.check_places(options, target.as_ref(), &storage)?;
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

    /// Finds what there is to read, and opens no file of it.
    fn reader(&self, storage: &Arc<dyn Storage>, limit: BatchLimit) -> Result<Reader, Error> {
        match &self.source {
            Source::Path(path) => {
                Reader::files(path, storage, limit, self.image_column(), &self.keys)
            }
            Source::Table(table) => Reader::table(table, limit, self.image_column()),
            Source::Batches(batches) => {
                let taken = batches.lock().map_or(None, |mut batches| batches.take());
                let used_up = || Error::invalid("the source was used up by an earlier run");
                Ok(Reader::batches(taken.ok_or_else(used_up)?, limit))
            }
        }
    }
}
