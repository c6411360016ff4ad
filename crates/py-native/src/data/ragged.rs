//! The ids of many texts as arrays.

use std::sync::Arc;

use arrow_array::types::{UInt16Type, UInt32Type};
use arrow_array::{ArrayRef, LargeListArray, PrimitiveArray};
use arrow_buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::Field;
use nexus_tensor::DType;
use nexus_tokenizer::Batch;
use pyo3::exceptions::{PyIndexError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyIterator, PyRange};

use crate::raw::{Memory, Tensor, capsules};

/// The ids of many texts in one array, and where those of each begin. Ids are not copied on the way to
/// NumPy, torch or Arrow, and no Python object is made for one.
#[pyclass(frozen, module = "nexus.data")]
pub(crate) struct Ragged {
    dtype: DType,
    ids: Buffer,
    offsets: ScalarBuffer<i64>,
}

impl Ragged {
    pub(super) fn of_long(batch: Batch<u32>) -> Self {
        Self::new(DType::U32, Buffer::from_vec(batch.ids), &batch.ends)
    }

    pub(super) fn of_short(batch: Batch<u16>) -> Self {
        Self::new(DType::U16, Buffer::from_vec(batch.ids), &batch.ends)
    }

    fn new(dtype: DType, ids: Buffer, ends: &[usize]) -> Self {
        let ends = ends.iter().map(|&end| end as i64);
        let offsets: Vec<i64> = std::iter::once(0).chain(ends).collect();
        Self {
            dtype,
            ids,
            offsets: offsets.into(),
        }
    }

    fn id_size(&self) -> usize {
        self.dtype.size_bytes().unwrap_or(1)
    }

    /// Ids `start..end` of all.
    fn range(&self, start: usize, end: usize) -> PyResult<Tensor> {
        let size = self.id_size();
        let memory = Memory::of_buffer(self.ids.clone()).part(start * size..end * size);
        Tensor::new(self.dtype, vec![end - start], memory)
    }
}

#[pymethods]
impl Ragged {
    /// The ids of all texts, one after the other.
    #[getter]
    fn ids(&self) -> PyResult<Tensor> {
        self.range(0, self.ids.len() / self.id_size())
    }

    /// Where the ids of each text begin, and the end of the last, as `int64`: one more than texts. A copy,
    /// for those of this object must stay as they are.
    #[getter]
    fn offsets(&self) -> PyResult<Tensor> {
        let memory = Memory::of_buffer(Buffer::from_vec(self.offsets.to_vec()));
        Tensor::new(DType::I64, vec![self.offsets.len()], memory)
    }

    /// How many texts there are.
    fn __len__(&self) -> usize {
        self.offsets.len() - 1
    }

    /// The ids of a text.
    fn __getitem__(&self, index: isize) -> PyResult<Tensor> {
        let from_end = if index < 0 { self.__len__() } else { 0 };
        let index = index.wrapping_add_unsigned(from_end);
        let at = usize::try_from(index)
            .ok()
            .filter(|&at| at < self.__len__());
        let at = at.ok_or_else(|| PyIndexError::new_err("there is no such text"))?;
        self.range(self.offsets[at] as usize, self.offsets[at + 1] as usize)
    }

    /// The ids of each text.
    fn __iter__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyIterator>> {
        let py = slf.py();
        let numbers = PyRange::new(py, 0, slf.get().__len__().cast_signed())?;
        let map = py.import("builtins")?.getattr("map")?;
        map.call1((slf.getattr("__getitem__")?, numbers))?
            .try_iter()
    }

    /// The ids as an Arrow array of the type `large_list`, shared.
    #[pyo3(signature = (requested_schema = None))]
    fn __arrow_c_array__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<(Bound<'py, PyCapsule>, Bound<'py, PyCapsule>)> {
        // The protocol lets a producer give its own type.
        let _ = requested_schema;
        let ids: ArrayRef = if self.dtype == DType::U16 {
            let ids = ScalarBuffer::from(self.ids.clone());
            Arc::new(PrimitiveArray::<UInt16Type>::new(ids, None))
        } else {
            let ids = ScalarBuffer::from(self.ids.clone());
            Arc::new(PrimitiveArray::<UInt32Type>::new(ids, None))
        };
        let item = Arc::new(Field::new("item", ids.data_type().clone(), false));
        let offsets = OffsetBuffer::new(self.offsets.clone());
        let lists = LargeListArray::try_new(item, offsets, ids, None)
            .map_err(|error| PyValueError::new_err(error.to_string()))?;
        capsules(py, &lists)
    }

    fn __repr__(&self) -> String {
        format!(
            "<nexus.data.Ragged of {} ids of {} texts, {}>",
            self.ids.len() / self.id_size(),
            self.__len__(),
            self.dtype
        )
    }
}
