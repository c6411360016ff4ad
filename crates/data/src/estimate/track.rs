//! The steps of a run, as a sample goes through them.

use super::places::Reading;
use super::tally::{StepTally, Tally};
use crate::operators::{Operator, Stop};
use crate::output::{Format, Target};
use crate::sink::{Encoder, Measure};
use crate::stages::{Gatherer, Stage};
use crate::turnstile::Turn;
use crate::{Error, batch, source};
use arrow_array::RecordBatch;
use std::collections::BTreeMap;
use std::time::Instant;

/// A step and its place in the run.
struct Station {
    stage: usize,
    name: String,
    action: Action,
}

enum Action {
    Read,
    Operator(Box<dyn Operator>),
    /// Rows wait for all others.
    Gather(Box<Gatherer>),
    /// What has waited is read; done together with `Gather`.
    TakeBack,
    Write(Encoder, Format),
}

pub(super) struct Track {
    stations: Vec<Station>,
    /// The number of the next batch.
    ticket: u64,
    output: Measure,
    /// What was dropped before this place.
    dropped: BTreeMap<(String, String), u64>,
}

impl Track {
    /// The steps, which batch 0 has passed, and the output.
    pub(super) fn new(stages: Vec<Stage>, target: Option<&Target>, memory_size: u64) -> Self {
        let mut stations = vec![Station::new(1, "read", Action::Read)];
        for (number, stage) in (1..).zip(stages) {
            for operator in stage.operators {
                let name = operator.title();
                stations.push(Station::new(number, &name, Action::Operator(operator)));
            }
            if let Some(decision) = stage.decision {
                let step = decision.step().unwrap_or("put aside");
                let gather = Action::Gather(Box::new(Gatherer::new(decision, memory_size)));
                stations.push(Station::new(number, step, gather));
                stations.push(Station::new(number + 1, "read again", Action::TakeBack));
            }
        }
        if let Some(target) = target {
            let stage = stations.last().map_or(1, |station| station.stage);
            let write = Action::Write(Encoder::new(target), target.format);
            stations.push(Station::new(stage, target.format.step(), write));
        }
        Self {
            stations,
            ticket: 1,
            output: Measure::default(),
            dropped: BTreeMap::new(),
        }
    }

    /// Stages and names of the steps.
    pub(super) fn names(&self) -> impl Iterator<Item = (usize, &str)> {
        let stations = self.stations.iter();
        stations.map(|station| (station.stage, station.name.as_str()))
    }

    /// The steps that hold what they have seen in memory.
    pub(super) fn seen(&self) -> impl Iterator<Item = usize> {
        let holds = |station: &Station| matches!(&station.action, Action::Operator(operator) if operator.name() == "dedup_exact");
        let stations = self.stations.iter().enumerate();
        stations
            .filter(move |(_, station)| holds(station))
            .map(|(at, _)| at)
    }

    /// Whether something is decided when all documents are known.
    pub(super) fn decides(&self) -> bool {
        let decides = |station: &Station| matches!(station.action, Action::Gather(_));
        self.stations.iter().any(decides)
    }

    /// Whether the writer holds rows before they are in the file.
    pub(super) fn holds_rows(&self) -> bool {
        let last = self.stations.last().map(|station| &station.action);
        matches!(last, Some(Action::Write(_, Format::Parquet)))
    }

    /// Begins a place.
    pub(super) fn begin(&self) -> Tally {
        Tally {
            steps: vec![StepTally::default(); self.stations.len()],
            ..Tally::default()
        }
    }

    /// Brings the next records of a place through all steps; false at its end.
    pub(super) fn next(&mut self, reading: &mut Reading, tally: &mut Tally) -> Result<bool, Error> {
        let start = Instant::now();
        let Some((chunk, mut rejects)) = reading.next() else {
            return Ok(false);
        };
        let serial_seconds = start.elapsed().as_secs_f64();
        let mut turn = Turn::new(self.ticket);
        self.ticket += 1;
        let mut batch = source::decode(chunk, &reading.meter, &mut rejects, &mut turn)?;
        let rows = batch.num_rows() as u64;
        tally.rejected += rejects.len() as u64;
        tally.plain = reading.plain();
        let read = StepTally {
            rows_in: rows + rejects.len() as u64,
            rows_out: rows,
            seconds: start.elapsed().as_secs_f64(),
            serial_seconds,
        };
        tally.steps[0].add(&read);
        for at in 1..self.stations.len() {
            batch = self.pass(at, batch, &mut turn, tally)?;
        }
        Ok(true)
    }

    /// Brings a batch through a step.
    fn pass(
        &mut self,
        at: usize,
        batch: RecordBatch,
        turn: &mut Turn,
        tally: &mut Tally,
    ) -> Result<RecordBatch, Error> {
        let (rows, size) = (batch.num_rows() as u64, batch::size(&batch));
        let start = Instant::now();
        let mut serial_seconds = 0.0;
        let out = match &self.stations[at].action {
            Action::Read | Action::TakeBack => {
                tally.steps[at].rows_in += rows;
                tally.steps[at].rows_out += rows;
                return Ok(batch);
            }
            Action::Operator(operator) => operator.apply(batch, turn).map_err(failed)?,
            Action::Gather(gatherer) => {
                let gathered = gatherer.apply(&batch, turn).map_err(failed)?;
                let seconds = start.elapsed().as_secs_f64();
                tally.work += gathered.size() as u64;
                let begin = Instant::now();
                let out = gathered.into_batch()?;
                tally.steps[at + 1].seconds += begin.elapsed().as_secs_f64();
                tally.steps[at].add(&StepTally {
                    rows_in: rows,
                    rows_out: rows,
                    seconds,
                    serial_seconds,
                });
                return Ok(out);
            }
            Action::Write(encoder, format) => {
                let encoded = encoder.encode(batch.clone())?;
                let begin = Instant::now();
                self.output.add(
                    &encoded,
                    *format == Format::JsonlZst,
                    *format == Format::Parquet,
                )?;
                serial_seconds = begin.elapsed().as_secs_f64();
                batch
            }
        };
        tally.steps[at].add(&StepTally {
            rows_in: rows,
            rows_out: out.num_rows() as u64,
            seconds: start.elapsed().as_secs_f64(),
            serial_seconds,
        });
        tally.widest = tally.widest.max(size + batch::size(&out));
        Ok(out)
    }

    /// Ends a place: what was dropped at it, and the bytes of its output.
    pub(super) fn end(&mut self, tally: &mut Tally) -> Result<(), Error> {
        let start = Instant::now();
        tally.output = std::mem::take(&mut self.output).finish()?;
        if let (Action::Write(..), Some(last)) = (
            &self.stations[self.stations.len() - 1].action,
            tally.steps.last_mut(),
        ) {
            let seconds = start.elapsed().as_secs_f64();
            (last.seconds, last.serial_seconds) =
                (last.seconds + seconds, last.serial_seconds + seconds);
        }
        let mut now = BTreeMap::new();
        for station in &self.stations {
            if let Action::Operator(operator) = &station.action {
                for dropped in operator.dropped() {
                    *now.entry((dropped.step, dropped.reason)).or_insert(0) += dropped.count;
                }
            }
        }
        for (key, count) in &now {
            let before = self.dropped.get(key).copied().unwrap_or(0);
            if *count > before {
                tally.dropped.insert(key.clone(), count - before);
            }
        }
        self.dropped = now;
        Ok(())
    }

    /// What the work at a place would take on so many threads: each stage as long as its share of work,
    /// and as what only one thread can do at a time.
    pub(super) fn wall_seconds(&self, tally: &Tally, threads: usize) -> f64 {
        let stages = self.stations.last().map_or(1, |station| station.stage);
        let stage = |stage: usize| {
            let steps = self.stations.iter().zip(&tally.steps);
            let steps = steps.filter(move |(station, _)| station.stage == stage);
            let (mut all, mut serial) = (0.0, 0.0_f64);
            for (_, step) in steps {
                all += step.seconds;
                serial = serial.max(step.serial_seconds);
            }
            serial.max(all / threads as f64)
        };
        (1..=stages).map(stage).sum()
    }
}

impl Station {
    fn new(stage: usize, name: &str, action: Action) -> Self {
        let name = name.to_owned();
        Self {
            stage,
            name,
            action,
        }
    }
}

impl StepTally {
    fn add(&mut self, other: &Self) {
        self.rows_in += other.rows_in;
        self.rows_out += other.rows_out;
        self.seconds += other.seconds;
        self.serial_seconds += other.serial_seconds;
    }
}

fn failed(stop: Stop) -> Error {
    match stop {
        Stop::Failed(error) => error,
        Stop::Closed => Error::cancelled(),
    }
}
