//! A plan in pieces, for the adapters of `nexus.data` to engines that run on many machines: bytes in,
//! bytes out.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use arrow_buffer::Buffer;
use nexus_data::pieces::{self as core, Piece, facts};
use nexus_data::{Error, RunOptions};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyTuple};

use super::report::Report;
use super::settings::Size;
use super::{Function, MAP_BATCHES, Pipeline, exception};
use crate::raw::{Memory, Tensor};

/// A pipeline as it travels: source and sink as a plan, each step as a plan or as a function with the names
/// of its method and of the step, and options of object stores.
pub(super) type Outline = (String, Vec<CarriedStep>, Vec<(String, String)>);

#[derive(FromPyObject, IntoPyObject)]
pub(super) enum CarriedStep {
    Plan(String),
    Function(String, Option<String>, Py<PyAny>),
}

impl Pipeline {
    pub(super) fn carried(&self, py: Python<'_>) -> PyResult<Outline> {
        let outline = self.inner.outline().map_err(|error| exception(py, error))?;
        let mut functions = self.functions.iter();
        let mut steps = Vec::with_capacity(outline.steps.len());
        for step in outline.steps {
            if let Some(plan) = step {
                steps.push(CarriedStep::Plan(plan));
                continue;
            }
            let known = functions.next();
            let Function { method, name, call } =
                known.ok_or_else(|| PyValueError::new_err("a function is not known"))?;
            let (method, call) = ((*method).to_owned(), call.clone_ref(py));
            steps.push(CarriedStep::Function(method, name.clone(), call));
        }
        Ok((outline.plan, steps, self.stores.clone()))
    }

    fn uncarried(py: Python<'_>, (plan, steps, stores): Outline) -> PyResult<Self> {
        let mut pipeline = Self::from_toml(py, &plan)?.with_stores(py, stores)?;
        for step in steps {
            pipeline = match step {
                CarriedStep::Plan(plan) => {
                    let inner = pipeline.inner.clone().step(&plan);
                    let inner = inner.map_err(|error| exception(py, error))?;
                    pipeline.then(|_| inner)
                }
                CarriedStep::Function(method, name, call) => match &*method {
                    "map" => pipeline.map(call),
                    "filter" => pipeline.filter(call),
                    MAP_BATCHES => pipeline.map_batches(call, name.as_deref()),
                    _ => {
                        let message = format!("there is no step `{method}` with a function");
                        return Err(PyValueError::new_err(message));
                    }
                },
            };
        }
        Ok(pipeline)
    }
}

/// A piece for Python: place, frame, facts, note.
fn tuple(py: Python<'_>, piece: Piece) -> PyResult<Bound<'_, PyTuple>> {
    let frame = piece
        .frame
        .map(|frame| Tensor::of_bytes(Memory::of_buffer(frame)));
    let facts = piece.facts.map(|facts| PyBytes::new(py, &facts));
    let note = PyBytes::new(py, &piece.note);
    (piece.place, frame, facts, note).into_pyobject(py)
}

/// The bytes of an object, without a copy where it is read-only.
fn buffer(frame: Option<&Bound<'_, PyAny>>) -> PyResult<Option<Buffer>> {
    let memory = frame.map(Memory::of_object).transpose()?;
    Ok(memory.map(Memory::into_buffer))
}

/// A plan, ready to be run in pieces.
#[pyclass(frozen, module = "nexus._native")]
pub(crate) struct Pieces(Arc<core::Pieces>);

#[pymethods]
impl Pieces {
    /// Cuts the pipeline that was carried here.
    #[new]
    #[pyo3(signature = (outline, /, *, memory = None))]
    fn new(py: Python<'_>, outline: Outline, memory: Option<Size>) -> PyResult<Self> {
        let pipeline = Pipeline::uncarried(py, outline)?;
        let options = RunOptions {
            memory_size_bytes: memory.map(|Size(size)| size),
            ..pipeline.options()
        };
        let pieces = py.detach(|| core::Pieces::new(&pipeline.inner, &options));
        pieces
            .map(|pieces| Self(Arc::new(pieces)))
            .map_err(|error| exception(py, error))
    }

    /// How many phases there are.
    #[getter]
    fn phases(&self) -> usize {
        self.0.phases()
    }

    /// Whether the result is written.
    #[getter]
    fn has_output(&self) -> bool {
        self.0.has_output()
    }

    /// The units of work for so many workers, and what takes the pieces in the end.
    fn start(&self, py: Python<'_>, workers: usize) -> PyResult<(Vec<Py<PyBytes>>, Ending)> {
        let begin = || {
            let units = self.0.units(workers)?;
            let ending = core::Ending::new(&self.0, units.skipped)?;
            Ok((units.units, ending))
        };
        let (units, ending) = py
            .detach(begin)
            .map_err(|error: Error| exception(py, error))?;
        let units = units.iter().map(|unit| PyBytes::new(py, unit).unbind());
        Ok((units.collect(), Ending(Mutex::new(Some(ending)))))
    }

    /// The pieces of a unit.
    fn read(&self, py: Python<'_>, number: u32, unit: &[u8]) -> PyResult<UnitPieces> {
        let reader = self.0.read(number, unit);
        reader
            .map(|reader| UnitPieces(Mutex::new(reader)))
            .map_err(|error| exception(py, error))
    }

    /// Brings a piece through a later phase.
    #[pyo3(signature = (phase, place, frame, note, removals, /))]
    fn apply<'py>(
        &self,
        py: Python<'py>,
        phase: usize,
        place: u64,
        frame: Option<Bound<'py, PyAny>>,
        note: &[u8],
        removals: &Removals,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let piece = Piece {
            place,
            frame: buffer(frame.as_ref())?,
            note: note.to_vec(),
            facts: None,
        };
        if phase == 0 || phase >= self.0.phases() {
            return Err(PyValueError::new_err("there is no such phase"));
        }
        let piece = py.detach(|| self.0.apply(phase, piece, Some(&removals.0)));
        tuple(py, piece.map_err(|error| exception(py, error))?)
    }

    /// What must be known of the candidates among the rows of a piece.
    #[staticmethod]
    #[pyo3(signature = (place, facts, wanted, /))]
    fn details<'py>(
        py: Python<'py>,
        place: u64,
        facts: Option<&[u8]>,
        wanted: &Wanted,
    ) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let details = py.detach(|| facts::details(place, facts, &wanted.0));
        let details = details.map_err(|error| exception(py, error))?;
        Ok(details.map(|details| PyBytes::new(py, &details)))
    }

    /// The records by which the documents of pieces are compared, as little-endian columns: keys, places (8
    /// bytes), rows (4).
    #[staticmethod]
    #[pyo3(signature = (pieces, /))]
    fn records(
        py: Python<'_>,
        pieces: Vec<(u64, Option<PyBackedBytes>)>,
    ) -> PyResult<[Bound<'_, PyBytes>; 3]> {
        let records = py.detach(|| {
            let mut records = facts::Records::default();
            for (place, facts) in &pieces {
                records.append(*place, facts.as_deref())?;
            }
            Ok(records)
        });
        let records = records.map_err(|error: Error| exception(py, error))?;
        let words = |words: &[u64]| to_bytes(py, words.iter().map(|word| word.to_le_bytes()));
        Ok([
            words(&records.keys),
            words(&records.places),
            to_bytes(py, records.rows.iter().map(|row| row.to_le_bytes())),
        ])
    }
}

fn to_bytes<const SIZE: usize>(
    py: Python<'_>,
    values: impl Iterator<Item = [u8; SIZE]>,
) -> Bound<'_, PyBytes> {
    PyBytes::new(py, values.collect::<Vec<_>>().as_flattened())
}

fn from_bytes<const SIZE: usize, T>(bytes: &[u8], value: impl Fn([u8; SIZE]) -> T) -> Vec<T> {
    bytes
        .as_chunks()
        .0
        .iter()
        .map(|&chunk| value(chunk))
        .collect()
}

/// The documents that share a record: places (8 bytes, little-endian) and rows (4).
#[pyfunction]
pub(crate) fn shared_records<'py>(
    py: Python<'py>,
    keys: &[u8],
    places: &[u8],
    rows: &[u8],
) -> PyResult<[Bound<'py, PyBytes>; 2]> {
    let records = facts::Records {
        keys: from_bytes(keys, u64::from_le_bytes),
        places: from_bytes(places, u64::from_le_bytes),
        rows: from_bytes(rows, u32::from_le_bytes),
    };
    let found = py.detach(|| facts::shared(&records));
    let mut found = found.map_err(|error| exception(py, error))?;
    found.sort();
    let documents = found.documents();
    Ok([
        to_bytes(
            py,
            documents.iter().map(|document| document.0.to_le_bytes()),
        ),
        to_bytes(
            py,
            documents.iter().map(|document| document.1.to_le_bytes()),
        ),
    ])
}

/// The pieces of a unit, one after the other.
#[pyclass(module = "nexus._native")]
pub(crate) struct UnitPieces(Mutex<core::UnitReader>);

#[pymethods]
impl UnitPieces {
    /// Where the next piece stands.
    #[getter]
    fn place(&mut self) -> u64 {
        own(&mut self.0).place()
    }

    fn __iter__(pieces: PyRef<'_, Self>) -> PyRef<'_, Self> {
        pieces
    }

    fn __next__<'py>(&mut self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyTuple>>> {
        let reader = own(&mut self.0);
        match py.detach(|| reader.next()) {
            None => Ok(None),
            Some(Ok(piece)) => tuple(py, piece).map(Some),
            Some(Err(error)) => Err(exception(py, error)),
        }
    }
}

/// Documents of which more must be known.
#[pyclass(frozen, module = "nexus._native")]
pub(crate) struct Wanted(facts::Wanted);

#[pymethods]
impl Wanted {
    /// Places (8 bytes, little-endian) and rows (4), in any order.
    #[new]
    #[pyo3(signature = (places, rows, /))]
    fn new(places: &[u8], rows: &[u8]) -> Self {
        let places = from_bytes(places, u64::from_le_bytes).into_iter();
        let rows = from_bytes(rows, u32::from_le_bytes);
        let mut wanted = facts::Wanted::default();
        wanted.extend(&places.zip(rows).collect::<Vec<_>>());
        wanted.sort();
        Self(wanted)
    }

    fn __len__(&self) -> usize {
        self.0.documents().len()
    }
}

/// Decides which of the candidates go. Boxed: its tables are aligned as Python's objects are not.
#[pyclass(module = "nexus._native")]
pub(crate) struct Decider(Mutex<Option<Box<core::Decider>>>);

#[pymethods]
impl Decider {
    #[new]
    #[pyo3(signature = (pieces, phase, folder, /))]
    fn new(py: Python<'_>, pieces: &Pieces, phase: usize, folder: PathBuf) -> PyResult<Self> {
        let decider = py.detach(|| core::Decider::new(&pieces.0, phase, &folder));
        decider
            .map(|decider| Self(Mutex::new(Some(Box::new(decider)))))
            .map_err(|error| exception(py, error))
    }

    /// Takes the details of a piece, in order.
    fn add(&mut self, py: Python<'_>, place: u64, details: Option<&[u8]>) -> PyResult<()> {
        let decider = own(&mut self.0).as_mut().ok_or_else(finished)?;
        let added = py.detach(|| decider.add(place, details));
        added.map_err(|error| exception(py, error))
    }

    /// Decides.
    fn finish<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let decider = own(&mut self.0).take().ok_or_else(finished)?;
        let removals = py.detach(|| decider.finish());
        let removals = removals.map_err(|error| exception(py, error))?;
        Ok(PyBytes::new(py, &removals))
    }
}

/// What goes.
#[pyclass(frozen, module = "nexus._native")]
pub(crate) struct Removals(core::Removals);

#[pymethods]
impl Removals {
    #[new]
    #[pyo3(signature = (removals, /))]
    fn new(py: Python<'_>, removals: &[u8]) -> PyResult<Self> {
        let removals = core::Removals::decode(removals);
        removals.map(Self).map_err(|error| exception(py, error))
    }

    fn __len__(&self) -> usize {
        self.0.count()
    }
}

/// Takes the pieces of the last phase, in order, and writes the output.
#[pyclass(module = "nexus._native")]
pub(crate) struct Ending(Mutex<Option<core::Ending>>);

#[pymethods]
impl Ending {
    /// Takes the next piece.
    #[pyo3(signature = (place, frame, note, /))]
    fn add(
        &mut self,
        py: Python<'_>,
        place: u64,
        frame: Option<Bound<'_, PyAny>>,
        note: &[u8],
    ) -> PyResult<()> {
        let ending = own(&mut self.0).as_mut().ok_or_else(finished)?;
        let piece = Piece {
            place,
            frame: buffer(frame.as_ref())?,
            note: note.to_vec(),
            facts: None,
        };
        let added = py.detach(|| ending.add(&piece));
        added.map_err(|error| exception(py, error))
    }

    /// Gives the output its name.
    fn finish(&mut self, py: Python<'_>, workers: usize) -> PyResult<Report> {
        let ending = own(&mut self.0).take().ok_or_else(finished)?;
        let report = py.detach(|| ending.finish(workers));
        report.map(Report).map_err(|error| exception(py, error))
    }
}

/// What nobody else can hold, since it is borrowed for a change: the lock says so to the compiler.
fn own<T>(mutex: &mut Mutex<T>) -> &mut T {
    mutex.get_mut().unwrap_or_else(PoisonError::into_inner)
}

fn finished() -> PyErr {
    PyValueError::new_err("it is finished")
}
