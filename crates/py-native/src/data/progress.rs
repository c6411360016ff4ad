//! How far a run is, for Python.

use nexus_data::Progressed;
use pyo3::prelude::*;

use super::StepReport;

/// How far a run is.
#[pyclass(frozen, module = "nexus.data")]
pub(crate) struct Progress(pub(super) Progressed);

#[pymethods]
impl Progress {
    /// Rows that left the last step of this stage.
    #[getter]
    fn rows(&self) -> u64 {
        self.0.rows
    }

    /// Bytes read from the source's files, compressed ones as they lie on disk.
    #[getter]
    fn bytes(&self) -> u64 {
        self.0.bytes
    }

    /// The bytes of all files of the source; `None` when the source is no files.
    #[getter]
    fn bytes_total(&self) -> Option<u64> {
        self.0.bytes_total
    }

    /// The stage that is under way, from 1.
    #[getter]
    fn stage(&self) -> usize {
        self.0.stage
    }

    /// How many stages the run has.
    #[getter]
    fn stages(&self) -> usize {
        self.0.stages
    }

    /// Rows that this stage has read.
    #[getter]
    fn rows_read(&self) -> u64 {
        self.0.rows_read
    }

    /// Rows that this stage will read; `None` in the first stage.
    #[getter]
    fn rows_total(&self) -> Option<u64> {
        self.0.rows_total
    }

    /// Wall-clock time of this stage.
    #[getter]
    fn seconds(&self) -> f64 {
        self.0.seconds
    }

    /// Documents that this stage reads in a second.
    #[getter]
    fn rows_per_second(&self) -> f64 {
        self.0.rows_per_second()
    }

    /// Bytes of files that this stage reads in a second.
    #[getter]
    fn bytes_per_second(&self) -> f64 {
        self.0.bytes_per_second()
    }

    /// The part of this stage that is done, from 0 to 1, where it is known.
    #[getter]
    fn fraction(&self) -> Option<f64> {
        self.0.fraction()
    }

    /// Seconds until this stage is done, if it goes on as it went.
    #[getter]
    fn seconds_left(&self) -> Option<f64> {
        self.0.seconds_left()
    }

    /// What the steps of this stage did so far.
    #[getter]
    fn steps(&self) -> Vec<StepReport> {
        StepReport::of(&self.0.steps)
    }

    /// Of a node that waits: the node that it waits for, and how many groups of files are missing.
    #[getter]
    fn waiting(&self) -> Option<(usize, u64)> {
        let waiting = self.0.waiting?;
        Some((waiting.node, waiting.groups))
    }

    /// All of it in one line.
    fn __str__(&self) -> String {
        self.0.to_string()
    }

    fn __repr__(&self) -> String {
        format!("<nexus.data.Progress: {}>", self.0)
    }
}
