//! Checksums: verifying files, and loads that verify.
#![expect(
    clippy::needless_pass_by_value,
    reason = "arguments come from Python as values"
)]

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use nexus_safetensors::checksum::{
    Checksum, VerifyOptions, VerifyReport, add_checksums, verify_with,
};
use nexus_safetensors::{Backend, Checkpoint, SafeTensorError, SafeTensorsFile, View};
use pyo3::prelude::*;

use super::error::{Doing, hinted, plain, set, to_exception};
use crate::interrupt::until_signal;

/// The argument `checksum=`.
#[derive(Clone, Copy)]
pub(crate) struct ChecksumName(pub(crate) Checksum);

impl<'py> FromPyObject<'_, 'py> for ChecksumName {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let name: String = object.extract()?;
        Checksum::named(&name).map(Self).ok_or_else(|| {
            plain(format!(
                "checksum {name:?} is invalid (expected one of: \"xxh3\", \"blake3\")"
            ))
        })
    }
}

/// The free text of a file with the checksums that were asked for.
///
/// # Errors
/// As [`add_checksums`].
pub(super) fn add<S: AsRef<str> + Sync, V: View + Sync>(
    checksum: Option<ChecksumName>,
    tensors: &[(S, V)],
    metadata: Option<HashMap<String, String>>,
) -> Result<Option<HashMap<String, String>>, SafeTensorError> {
    match checksum {
        None => Ok(metadata),
        Some(ChecksumName(name)) => add_checksums(tensors, metadata, name, None).map(Some),
    }
}

/// Name, file, first byte and one past the last, checksum in the file, checksum of the bytes.
type Mismatch = (String, PathBuf, usize, usize, String, String);

/// What is in a report: algorithm, number of sound tensors, mismatches, names of tensors without a
/// checksum, names of checksums without a tensor.
type Report = (
    Option<&'static str>,
    usize,
    Vec<Mismatch>,
    Vec<String>,
    Vec<String>,
);

/// Compare every tensor of a file, of a folder or of an index with its checksum.
#[pyfunction]
#[pyo3(signature = (path, *, threads = None))]
pub(crate) fn verify(
    py: Python<'_>,
    path: PathBuf,
    threads: Option<NonZeroUsize>,
) -> PyResult<Report> {
    let refusal = |path: &Path, error| to_exception(py, Doing::Other("verify", path), &error);
    let checkpoint = py.detach(|| Checkpoint::open_with(&path, &Backend::Read.into()));
    let checkpoint = checkpoint.map_err(|error| refusal(&path, error))?;
    let mut whole = Report::default();
    let (algorithm, verified, mismatches, missing, unknown) = &mut whole;
    for file in checkpoint.files() {
        let path = file.path().unwrap_or(&path);
        let report = until_signal(py, |stop| {
            let options = VerifyOptions::default().threads(threads);
            verify_with(file, &options.cancelled_by(stop))
        })?;
        let report = report.map_err(|error| refusal(path, error))?;
        *algorithm = algorithm.or(report.algorithm.map(Checksum::name));
        *verified += report.verified;
        mismatches.extend(report.mismatches.into_iter().map(|mismatch| {
            let (file, range) = (path.to_owned(), mismatch.range);
            let (expected, found) = (mismatch.expected, mismatch.found);
            (mismatch.name, file, range.start, range.end, expected, found)
        }));
        missing.extend(report.missing);
        unknown.extend(report.unknown);
    }
    Ok(whole)
}

/// Refuses a file in memory whose tensors are not those that the checksums were made of.
///
/// # Errors
/// `SafetensorError` that names the first tensor.
pub(super) fn check(py: Python<'_>, path: &Path, file: &SafeTensorsFile) -> PyResult<()> {
    let report = until_signal(py, |stop| {
        verify_with(file, &VerifyOptions::default().cancelled_by(stop))
    })?;
    let report = report.map_err(|error| to_exception(py, Doing::Other("verify", path), &error))?;
    if report.is_sound() {
        return Ok(());
    }
    let (tensor, text, hint) = complaint(&report);
    let text = format!("cannot load `{}`: {text}", path.display());
    let exception = hinted(py, &text, hint);
    if let Some(tensor) = tensor {
        set(py, &exception, "tensor", tensor);
    }
    Err(exception)
}

/// The first tensor that is not sound, what is wrong, and what to do.
fn complaint(report: &VerifyReport) -> (Option<&str>, String, &'static str) {
    let Some(algorithm) = report.algorithm.map(Checksum::name) else {
        let hint = "save it with `checksum=`, or load it without `verify`";
        return (None, "it has no checksums".to_owned(), hint);
    };
    let again = "fetch the file again, or restore it from a copy";
    if let Some(first) = report.mismatches.first() {
        let count = report.mismatches.len();
        let others = match count {
            1 => String::new(),
            _ => format!(" ({count} tensors do not)"),
        };
        let (name, expected, found) = (&first.name, &first.expected, &first.found);
        let text = format!(
            "tensor `{name}` does not have the bytes that it was saved with{others}: \
             its {algorithm} is {found}, not {expected}"
        );
        return (Some(name), text, again);
    }
    let (name, what) = match report.missing.first() {
        Some(name) => (name, "tensor has no checksum"),
        None => (&report.unknown[0], "checksum has no tensor"),
    };
    (Some(name), format!("{what}: `{name}`"), again)
}
