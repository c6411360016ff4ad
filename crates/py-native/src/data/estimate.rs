//! What a run would do and cost, for Python.

use std::collections::BTreeMap;

use pyo3::prelude::*;

/// A number that a sample tells, and how sure that is.
#[pyclass(frozen, get_all, module = "nexus.data")]
#[derive(Clone, Copy)]
pub(crate) struct Estimated {
    /// The number.
    value: f64,
    /// How far away the true number may be, in 19 of 20 cases; 0 where all was counted.
    margin: Option<f64>,
}

impl From<nexus_data::Estimated> for Estimated {
    fn from(estimated: nexus_data::Estimated) -> Self {
        let nexus_data::Estimated { value, margin } = estimated;
        Self { value, margin }
    }
}

#[pymethods]
impl Estimated {
    fn __float__(&self) -> f64 {
        self.value
    }

    fn __repr__(&self) -> String {
        let Self { value, margin } = self;
        match margin {
            Some(margin) => format!("<nexus.data.Estimated {value:.6} +- {margin:.6}>"),
            None => format!("<nexus.data.Estimated {value:.6}>"),
        }
    }
}

/// What a step would do.
#[pyclass(frozen, get_all, module = "nexus.data")]
pub(crate) struct StepEstimate {
    /// The stage of the run, from 1.
    stage: usize,
    /// Its name in plans.
    name: String,
    /// Rows that come in.
    rows_in: Estimated,
    /// Rows that go out.
    rows_out: Estimated,
    /// Seconds of one core.
    cpu_seconds: Estimated,
}

#[pymethods]
impl StepEstimate {
    fn __repr__(&self) -> String {
        let (rows_in, rows_out) = (self.rows_in.value, self.rows_out.value);
        format!(
            "<nexus.data.StepEstimate {}: {rows_in:.0} -> {rows_out:.0} rows>",
            self.name
        )
    }
}

/// What a run would do and cost.
#[pyclass(frozen, module = "nexus.data")]
pub(crate) struct Estimate(pub(super) nexus_data::Estimate);

#[pymethods]
impl Estimate {
    /// Files of the source.
    #[getter]
    fn files(&self) -> u64 {
        self.0.files
    }

    /// Their bytes on disk.
    #[getter]
    fn bytes(&self) -> u64 {
        self.0.bytes
    }

    /// Their bytes decompressed.
    #[getter]
    fn plain_bytes(&self) -> Estimated {
        self.0.plain_bytes.into()
    }

    /// Documents that are read.
    #[getter]
    fn documents(&self) -> Estimated {
        self.0.documents.into()
    }

    /// Records that cannot be read.
    #[getter]
    fn rejected(&self) -> Estimated {
        self.0.rejected.into()
    }

    /// Rows that come out of the last step: at most, where steps look for copies.
    #[getter]
    fn kept(&self) -> Estimated {
        self.0.kept.into()
    }

    /// Documents that steps drop: step, reason, how many.
    #[getter]
    fn dropped(&self) -> BTreeMap<String, BTreeMap<String, Estimated>> {
        let mut steps: BTreeMap<String, BTreeMap<String, Estimated>> = BTreeMap::new();
        for dropped in &self.0.dropped {
            let reasons = steps.entry(dropped.step.clone()).or_default();
            reasons.insert(dropped.reason.clone(), dropped.count.into());
        }
        steps
    }

    /// The steps in order.
    #[getter]
    fn steps(&self) -> Vec<StepEstimate> {
        let steps = self.0.steps.iter().map(|step| StepEstimate {
            stage: step.stage,
            name: step.name.clone(),
            rows_in: step.rows_in.into(),
            rows_out: step.rows_out.into(),
            cpu_seconds: step.cpu_seconds.into(),
        });
        steps.collect()
    }

    /// Seconds of one core in all.
    #[getter]
    fn cpu_seconds(&self) -> Estimated {
        self.0.cpu_seconds.into()
    }

    /// Wall-clock seconds on so many threads.
    #[getter]
    fn seconds(&self) -> Estimated {
        self.0.seconds.into()
    }

    /// Worker threads.
    #[getter]
    fn threads(&self) -> usize {
        self.0.threads
    }

    /// Bytes of memory, besides the program and its models.
    #[getter]
    fn memory_bytes(&self) -> Estimated {
        self.0.memory_bytes.into()
    }

    /// Bytes on disk in the work folder.
    #[getter]
    fn work_bytes(&self) -> Estimated {
        self.0.work_bytes.into()
    }

    /// Bytes of the output.
    #[getter]
    fn output_bytes(&self) -> Estimated {
        self.0.output_bytes.into()
    }

    /// Places of the source that the sample was read from.
    #[getter]
    fn places(&self) -> usize {
        self.0.places
    }

    /// Bytes on disk of the sample.
    #[getter]
    fn sample_bytes(&self) -> u64 {
        self.0.sample_bytes
    }

    /// Documents of the sample.
    #[getter]
    fn sample_documents(&self) -> u64 {
        self.0.sample_documents
    }

    /// What the sample took.
    #[getter]
    fn sample_seconds(&self) -> f64 {
        self.0.sample_seconds
    }

    /// Whether the sample is the whole source.
    #[getter]
    fn is_whole(&self) -> bool {
        self.0.is_whole
    }

    /// What a sample cannot know.
    #[getter]
    fn notes(&self) -> Vec<String> {
        self.0.notes.clone()
    }

    /// All of it, as people read it.
    fn __str__(&self) -> String {
        self.0.to_string()
    }

    fn __repr__(&self) -> String {
        let (documents, kept) = (self.0.documents.value, self.0.kept.value);
        format!(
            "<nexus.data.Estimate: {documents:.0} documents, {kept:.0} kept, {:.1} s>",
            self.0.seconds.value
        )
    }
}
