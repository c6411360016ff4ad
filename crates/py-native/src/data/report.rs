//! What a run did, for Python.

use std::collections::BTreeMap;

use pyo3::prelude::*;

/// What a run did.
#[pyclass(frozen, module = "nexus.data")]
pub(crate) struct Report(pub(super) nexus_data::Report);

#[pymethods]
impl Report {
    /// Rows that came out of the last step.
    #[getter]
    fn rows(&self) -> u64 {
        self.0.rows()
    }

    /// Rows that `dedup_exact` and `dedup_near` removed.
    #[getter]
    fn duplicates(&self) -> u64 {
        self.0.duplicates
    }

    /// Documents that steps dropped: step, reason, how many.
    #[getter]
    fn dropped(&self) -> BTreeMap<String, BTreeMap<String, u64>> {
        let mut steps: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
        for dropped in &self.0.dropped {
            let reasons = steps.entry(dropped.step.clone()).or_default();
            *reasons.entry(dropped.reason.clone()).or_default() += dropped.count;
        }
        steps
    }

    /// Records that could not be read.
    #[getter]
    fn rejected(&self) -> u64 {
        self.0.rejected.count
    }

    /// The first of them as `file:line: reason`.
    #[getter]
    fn rejected_samples(&self) -> Vec<String> {
        self.0
            .rejected
            .samples
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    /// Files of kinds that are not read.
    #[getter]
    fn skipped(&self) -> u64 {
        self.0.skipped.count
    }

    /// The first of them.
    #[getter]
    fn skipped_samples(&self) -> Vec<String> {
        self.0.skipped.samples.clone()
    }

    /// Files that were opened.
    #[getter]
    fn files(&self) -> u64 {
        self.0.files
    }

    /// Wall-clock time.
    #[getter]
    fn seconds(&self) -> f64 {
        self.0.seconds
    }

    /// Worker threads.
    #[getter]
    fn threads(&self) -> usize {
        self.0.threads
    }

    /// The steps in order.
    #[getter]
    fn steps(&self) -> Vec<StepReport> {
        StepReport::of(&self.0.steps)
    }

    /// A table of the steps with their rates.
    fn __str__(&self) -> String {
        self.0.to_string()
    }

    fn __repr__(&self) -> String {
        format!(
            "<nexus.data.Report: {} rows, {} duplicates, {} rejected, {:.3} s>",
            self.0.rows(),
            self.0.duplicates,
            self.0.rejected.count,
            self.0.seconds
        )
    }
}

/// What one step did.
#[pyclass(frozen, get_all, module = "nexus.data")]
pub(crate) struct StepReport {
    name: String,
    rows_in: u64,
    rows_out: u64,
    bytes_in: u64,
    seconds: f64,
}

impl StepReport {
    pub(super) fn of(steps: &[nexus_data::StepReport]) -> Vec<Self> {
        let steps = steps.iter().map(|step| Self {
            name: step.name.clone(),
            rows_in: step.rows_in,
            rows_out: step.rows_out,
            bytes_in: step.bytes_in,
            seconds: step.seconds,
        });
        steps.collect()
    }
}

#[pymethods]
impl StepReport {
    /// Rows that came in for each second of one thread.
    #[getter]
    fn rows_per_second(&self) -> f64 {
        self.rows_in as f64 / self.seconds.max(f64::MIN_POSITIVE)
    }

    /// Bytes that came in for each second of one thread.
    #[getter]
    fn bytes_per_second(&self) -> f64 {
        self.bytes_in as f64 / self.seconds.max(f64::MIN_POSITIVE)
    }

    fn __repr__(&self) -> String {
        let Self {
            name,
            rows_in,
            rows_out,
            seconds,
            ..
        } = self;
        format!("<nexus.data.StepReport {name}: {rows_in} -> {rows_out} rows, {seconds:.3} s>")
    }
}
