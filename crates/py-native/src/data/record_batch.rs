//! Batches that functions of users get and give.

use arrow_array::ffi::{FFI_ArrowArray, FFI_ArrowSchema};
use arrow_array::ffi_stream::FFI_ArrowArrayStream;
use arrow_array::{Array, RecordBatchIterator, StructArray};
use arrow_schema::ArrowError;
use arrow_select::concat::concat_batches;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyCapsule;

use crate::raw;

/// Some rows, as `map_batches` hands them to its function. Libraries of Arrow take it without a copy.
#[pyclass(frozen, module = "nexus.data")]
pub(crate) struct RecordBatch(pub(super) arrow_array::RecordBatch);

#[pymethods]
impl RecordBatch {
    /// The names of the columns.
    #[getter]
    fn column_names(&self) -> Vec<String> {
        let schema = self.0.schema_ref();
        schema
            .fields()
            .iter()
            .map(|field| field.name().clone())
            .collect()
    }

    /// The number of rows.
    #[getter]
    fn num_rows(&self) -> usize {
        self.0.num_rows()
    }

    fn __len__(&self) -> usize {
        self.0.num_rows()
    }

    /// The columns as a capsule of Arrow.
    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        let schema = FFI_ArrowSchema::try_from(self.0.schema_ref().as_ref()).map_err(invalid)?;
        PyCapsule::new_with_value(py, schema, raw::SCHEMA)
    }

    /// The rows as capsules of Arrow.
    #[pyo3(signature = (requested_schema = None))]
    fn __arrow_c_array__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<(Bound<'py, PyCapsule>, Bound<'py, PyCapsule>)> {
        // The protocol lets a producer give its own types.
        drop(requested_schema);
        let array = FFI_ArrowArray::new(&StructArray::from(self.0.clone()).to_data());
        let array = PyCapsule::new_with_value(py, array, raw::ARRAY)?;
        Ok((self.__arrow_c_schema__(py)?, array))
    }

    /// The rows as a stream of one batch.
    #[pyo3(signature = (requested_schema = None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        drop(requested_schema);
        let reader = RecordBatchIterator::new([Ok(self.0.clone())], self.0.schema());
        let stream = FFI_ArrowArrayStream::new(Box::new(reader));
        PyCapsule::new_with_value(py, stream, raw::STREAM)
    }

    fn __repr__(&self) -> String {
        let names = self.column_names().join(", ");
        format!(
            "<nexus.data.RecordBatch: {} rows of {names}>",
            self.0.num_rows()
        )
    }
}

/// What a function of the user gives back, as one batch.
pub(super) fn returned(object: &Bound<'_, PyAny>) -> PyResult<arrow_array::RecordBatch> {
    let reader = raw::batches(object)?;
    let schema = reader.schema();
    let batches: Vec<_> = reader.collect::<Result<_, _>>().map_err(invalid)?;
    match <[_; 1]>::try_from(batches) {
        Ok([batch]) => Ok(batch),
        Err(batches) => concat_batches(&schema, &batches).map_err(invalid),
    }
}

fn invalid(error: ArrowError) -> PyErr {
    PyValueError::new_err(error.to_string())
}
