//! Runs a pipeline on several threads.
//!
//! Each thread takes a piece of the source, brings it through all steps into the sink, and takes the
//! next. So there are at most as many batches under way as threads, whatever the source's size and
//! the steps' speed. What depends on order (reading, deduplication, the sink) is a [`Turnstile`]:
//! the result is the same for any number of threads. An error travels with its batch to the sink,
//! so the first one in order is reported, and the sink has got all that comes before it.

use crate::atomic::AtomicFile;
use crate::operators::{Operator, Stop};
use crate::report::{Counted, Dropped, Progressed, Report, StepReport, Ticker};
use crate::sink::{Encoded, Encoder, Writer};
use crate::source::{self, Chunk, Meter, Reader};
use crate::stages::{self, Gather, Gathered, Gatherer};
use crate::turnstile::{Closed, Turn, Turnstile};
use crate::{BoxError, Cancel, Error, Progress, Reject, batch, jsonl, report};
use arrow_array::RecordBatch;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What becomes of the batches at the end.
pub(crate) enum Sink<'a> {
    /// They are counted.
    Nothing,
    /// They are written.
    Write(Writer),
    /// They are put aside until all of them are known.
    Gather(&'a mut Gather),
    /// They are handed to a function.
    Each(&'a mut (dyn FnMut(RecordBatch) -> Result<(), BoxError> + Send)),
}

/// All that a run needs.
pub(crate) struct Job<'s, 'a> {
    pub(crate) reader: Reader,
    /// Another run may use them after this one; this one's report tells what they did in this one.
    pub(crate) operators: &'s [Box<dyn Operator>],
    pub(crate) sink: Sink<'a>,
    pub(crate) rejects: Option<AtomicFile>,
    pub(crate) audit: Option<AtomicFile>,
    pub(crate) threads: usize,
    pub(crate) cancel: Cancel,
    pub(crate) progress: Option<Arc<dyn Progress>>,
    /// How far the stage is as the job begins: what the job does is added.
    pub(crate) progressed: Progressed,
    /// What is to be done before the output appears.
    pub(crate) before_output: Option<Box<dyn FnOnce() -> Result<(), Error> + 's>>,
}

/// Runs the job to its end, and commits its files if it gets there.
pub(crate) fn run(job: Job<'_, '_>) -> Result<Report, Error> {
    let start = Instant::now();
    let Job {
        mut reader,
        operators,
        sink,
        rejects,
        audit,
        threads,
        cancel,
        progress,
        progressed,
        before_output,
    } = job;
    let skipped = reader.take_skipped();
    let run = Run {
        read: StepMeter::default(),
        steps: operators.iter().map(|_| StepMeter::default()).collect(),
        written: StepMeter::default(),
        meter: reader.meter(),
        bytes_before: reader.bytes_before(),
        bytes_total: reader.bytes_total(),
        before: operators
            .iter()
            .map(|each| (each.reports(), each.dropped()))
            .collect(),
        // Batch 0 was the trial of the steps.
        source: Mutex::new(Tickets { reader, next: 1 }),
        operators,
        sink_name: match sink {
            Sink::Nothing | Sink::Gather(_) => None,
            Sink::Write(ref writer) => Some(writer.step()),
            Sink::Each(_) => Some("for_each"),
        },
        prepare: match sink {
            Sink::Write(ref writer) => Prepare::Encode(writer.encoder()),
            Sink::Gather(ref gather) => Prepare::Gather(gather.gatherer()),
            Sink::Nothing | Sink::Each(_) => Prepare::Nothing,
        },
        is_audited: audit.is_some(),
        end: Turnstile::starting_at(
            1,
            End {
                sink,
                rejects,
                audit,
                rejected: Counted::default(),
                error: None,
            },
        ),
        cancel,
        is_cancelled: AtomicBool::new(false),
        ticker: Ticker::new(progress),
        progressed,
        start,
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(|| run.work())).collect();
        for worker in workers {
            if let Err(panic) = worker.join() {
                std::panic::resume_unwind(panic);
            }
        }
    });
    let mut report = run.report(threads, skipped);
    let is_cancelled = run.is_cancelled.into_inner();
    let end = run.end.into_state();
    if let Some(error) = end.error {
        return Err(error);
    }
    if is_cancelled {
        return Err(Error::cancelled());
    }
    // The rejects first: whoever sees the output can look them up.
    for file in [end.rejects, end.audit].into_iter().flatten() {
        file.commit()?;
    }
    if let Some(act) = before_output {
        act()?;
    }
    match end.sink {
        Sink::Write(writer) => writer.commit()?,
        Sink::Gather(gather) => gather.finish()?,
        Sink::Nothing | Sink::Each(_) => {}
    }
    report.rejected = end.rejected;
    report.seconds = start.elapsed().as_secs_f64();
    Ok(report)
}

/// A run as its threads see it.
struct Run<'s, 'a> {
    source: Mutex<Tickets>,
    operators: &'s [Box<dyn Operator>],
    /// What the operators had done before.
    before: Vec<(Vec<StepReport>, Vec<Dropped>)>,
    end: Turnstile<End<'a>>,
    prepare: Prepare,
    is_audited: bool,
    sink_name: Option<&'static str>,
    read: StepMeter,
    steps: Vec<StepMeter>,
    written: StepMeter,
    meter: Arc<Meter>,
    bytes_before: u64,
    bytes_total: Option<u64>,
    cancel: Cancel,
    is_cancelled: AtomicBool,
    ticker: Ticker,
    /// How far the stage was before.
    progressed: Progressed,
    start: Instant,
}

/// The source, and the number of the batch that comes next.
struct Tickets {
    reader: Reader,
    next: u64,
}

/// What batches meet last, in order.
struct End<'a> {
    sink: Sink<'a>,
    rejects: Option<AtomicFile>,
    audit: Option<AtomicFile>,
    rejected: Counted<Reject>,
    error: Option<Error>,
}

/// What makes of a batch what the sink takes, on any thread.
enum Prepare {
    Nothing,
    Encode(Encoder),
    Gather(Arc<Gatherer>),
}

/// What comes out of the last step, as the sink takes it.
enum Product {
    Batch(RecordBatch),
    Encoded(Encoded),
    Gathered(Gathered),
}

/// A piece of the source on its way.
struct Piece {
    chunk: Chunk,
    rejects: Vec<Reject>,
    turn: Turn,
}

impl Run<'_, '_> {
    fn work(&self) {
        let _guard = CloseOnPanic(self);
        while let Some(piece) = self.take() {
            if self.process(piece).is_err() {
                return self.close();
            }
            self.ticker.tick(|| self.progressed());
        }
    }

    fn take(&self) -> Option<Piece> {
        self.check_cancelled().ok()?;
        let mut source = self.source.lock().unwrap_or_else(PoisonError::into_inner);
        let start = Instant::now();
        let (chunk, rejects) = source.reader.next()?;
        let mut turn = Turn::new(source.next);
        source.next += 1;
        drop(source);
        turn.audit = self.is_audited.then(Vec::new);
        self.read.add_time(start.elapsed());
        Some(Piece {
            chunk,
            rejects,
            turn,
        })
    }

    /// Brings a piece through all steps into the sink. Gives `Closed` when the run is over.
    fn process(&self, piece: Piece) -> Result<(), Closed> {
        let Piece {
            chunk,
            mut rejects,
            mut turn,
        } = piece;
        let start = Instant::now();
        let decoded = source::decode(chunk, &self.meter, &mut rejects, &mut turn);
        let rows = decoded.as_ref().map_or(0, RecordBatch::num_rows);
        self.read
            .add(rows + rejects.len(), rows, 0, start.elapsed());
        let mut state = decoded;
        for (operator, meter) in self.operators.iter().zip(&self.steps) {
            self.check_cancelled()?;
            state = match state {
                Ok(batch) => meter.apply(operator.as_ref(), batch, &mut turn)?,
                Err(error) => {
                    operator.skip(&mut turn)?;
                    Err(error)
                }
            };
        }
        self.check_cancelled()?;
        let start = Instant::now();
        let rows = state.as_ref().map_or(0, RecordBatch::num_rows);
        let size = state.as_ref().map_or(0, batch::size);
        turn.waited = Duration::ZERO;
        let state = self.prepare(state, &mut turn)?;
        let audit = turn.audit.take().unwrap_or_default();
        rejects.append(&mut turn.rejects);
        let ended = self
            .end
            .pass(&mut turn, |end| end.accept(state, rejects, &audit))?;
        self.written.add(
            rows,
            rows,
            size,
            start.elapsed().saturating_sub(turn.waited),
        );
        ended
    }

    fn prepare(
        &self,
        state: Result<RecordBatch, Error>,
        turn: &mut Turn,
    ) -> Result<Result<Product, Error>, Closed> {
        let result = match (&self.prepare, state) {
            (Prepare::Gather(gatherer), Ok(batch)) => {
                gatherer.apply(&batch, turn).map(Product::Gathered)
            }
            (_, Err(error)) => Err(Stop::Failed(error)),
            (Prepare::Encode(encoder), Ok(batch)) => encoder
                .encode(batch)
                .map(Product::Encoded)
                .map_err(Stop::Failed),
            (Prepare::Nothing, Ok(batch)) => Ok(Product::Batch(batch)),
        };
        match result {
            Ok(product) => Ok(Ok(product)),
            Err(Stop::Closed) => Err(Closed),
            Err(Stop::Failed(error)) => {
                if let Prepare::Gather(gatherer) = &self.prepare {
                    gatherer.skip(turn)?;
                }
                Ok(Err(error))
            }
        }
    }

    fn check_cancelled(&self) -> Result<(), Closed> {
        if self.cancel.is_cancelled() {
            self.is_cancelled.store(true, Relaxed);
            self.close();
            return Err(Closed);
        }
        Ok(())
    }

    fn close(&self) {
        self.operators.iter().for_each(|operator| operator.close());
        if let Prepare::Gather(gatherer) = &self.prepare {
            gatherer.close();
        }
        self.end.close();
    }

    fn progressed(&self) -> Progressed {
        let bytes = self.meter.bytes.load(Relaxed);
        let read = self.read.rows_out.load(Relaxed);
        let mut now = Progressed {
            rows: self.progressed.rows + self.written.rows_out.load(Relaxed),
            bytes,
            bytes_total: self.bytes_total,
            rows_read: self.progressed.rows_read + read,
            stage_bytes: self.progressed.stage_bytes + bytes.saturating_sub(self.bytes_before),
            seconds: self.progressed.seconds + self.start.elapsed().as_secs_f64(),
            ..self.progressed.clone()
        };
        now.add_steps(&self.steps());
        now
    }

    fn steps(&self) -> Vec<StepReport> {
        let mut read = self.read.report("read");
        let bytes = self.meter.bytes.load(Relaxed);
        read.bytes_in = bytes.saturating_sub(self.bytes_before);
        let mut reports = vec![read];
        let steps = self.operators.iter().zip(&self.steps);
        for ((operator, meter), (before, _)) in steps.zip(&self.before) {
            let mut own = operator.reports();
            for (report, before) in own.iter_mut().zip(before) {
                report.subtract(before);
            }
            if own.is_empty() {
                reports.push(meter.report(operator.name()));
            }
            reports.extend(own);
        }
        reports.extend(self.sink_name.map(|name| self.written.report(name)));
        reports
    }

    fn report(&self, threads: usize, skipped: Counted<String>) -> Report {
        self.ticker.end(self.progressed());
        let reports = self.steps();
        let operators = self.operators.iter().zip(&self.before);
        let dropped =
            operators.flat_map(|(operator, (_, before))| report::since(operator.dropped(), before));
        Report {
            duplicates: stages::duplicates(&reports),
            steps: reports,
            dropped: dropped.collect(),
            skipped,
            files: self.meter.files.load(Relaxed),
            threads,
            ..Report::default()
        }
    }
}

impl End<'_> {
    /// Takes a batch and what was rejected on the way to it. Gives `Closed` from the first error on:
    /// batches that were waiting may come before the turnstile is shut.
    fn accept(
        &mut self,
        state: Result<Product, Error>,
        rejects: Vec<Reject>,
        audit: &[u8],
    ) -> Result<(), Closed> {
        if self.error.is_some() {
            return Err(Closed);
        }
        let result = self
            .reject(rejects)
            .and_then(|()| match &mut self.audit {
                Some(file) => file.append(audit),
                None => Ok(()),
            })
            .and_then(|()| match (&mut self.sink, state?) {
                (Sink::Write(writer), Product::Encoded(rows)) => writer.write(&rows),
                (Sink::Gather(gather), Product::Gathered(rows)) => gather.write(rows),
                (Sink::Each(function), Product::Batch(batch)) if batch.num_rows() > 0 => {
                    function(batch).map_err(|error| Error::function("for_each", error))
                }
                _ => Ok(()),
            });
        result.map_err(|error| {
            self.error = Some(error);
            Closed
        })
    }

    fn reject(&mut self, rejects: Vec<Reject>) -> Result<(), Error> {
        for reject in rejects {
            if let Some(file) = &mut self.rejects {
                file.append(&jsonl::encode_reject(&reject))?;
            }
            self.rejected.add(reject);
        }
        Ok(())
    }
}

/// A panic in a user's function must not leave the other threads waiting.
struct CloseOnPanic<'r, 's, 'a>(&'r Run<'s, 'a>);

impl Drop for CloseOnPanic<'_, '_, '_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.close();
        }
    }
}

/// What a step did so far.
#[derive(Default)]
pub(crate) struct StepMeter {
    rows_in: AtomicU64,
    rows_out: AtomicU64,
    bytes_in: AtomicU64,
    nanoseconds: AtomicU64,
}

impl StepMeter {
    /// Measures a step. The error is for the batch alone, `Closed` for the run.
    fn apply(
        &self,
        operator: &dyn Operator,
        batch: RecordBatch,
        turn: &mut Turn,
    ) -> Result<Result<RecordBatch, Error>, Closed> {
        let (rows, size) = (batch.num_rows(), batch::size(&batch));
        let start = Instant::now();
        turn.waited = Duration::ZERO;
        match operator.apply(batch, turn) {
            Ok(batch) => {
                let time = start.elapsed().saturating_sub(turn.waited);
                self.add(rows, batch.num_rows(), size, time);
                Ok(Ok(batch))
            }
            Err(Stop::Failed(error)) => {
                operator.skip(turn)?;
                Ok(Err(error))
            }
            Err(Stop::Closed) => Err(Closed),
        }
    }

    pub(crate) fn add(&self, rows_in: usize, rows_out: usize, bytes_in: usize, time: Duration) {
        self.rows_in.fetch_add(rows_in as u64, Relaxed);
        self.rows_out.fetch_add(rows_out as u64, Relaxed);
        self.bytes_in.fetch_add(bytes_in as u64, Relaxed);
        self.add_time(time);
    }

    fn add_time(&self, time: Duration) {
        self.nanoseconds.fetch_add(time.as_nanos() as u64, Relaxed);
    }

    pub(crate) fn report(&self, name: &str) -> StepReport {
        StepReport {
            name: name.to_owned(),
            rows_in: self.rows_in.load(Relaxed),
            rows_out: self.rows_out.load(Relaxed),
            bytes_in: self.bytes_in.load(Relaxed),
            seconds: Duration::from_nanos(self.nanoseconds.load(Relaxed)).as_secs_f64(),
        }
    }
}
