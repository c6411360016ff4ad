//! Batches as Python has them.

use std::sync::Arc;

use nexus_loader::Token;
use nexus_tensor::DType;
use pyo3::prelude::*;

use crate::raw::{Memory, Tensor};

/// Rows of tokens. Arrays made of its tensors share its memory, which goes back to the loader when
/// the last of them is gone.
#[pyclass(frozen, module = "nexus.data")]
pub(crate) struct Batch {
    inner: Arc<nexus_loader::Batch>,
}

impl Batch {
    pub(super) fn new(inner: nexus_loader::Batch) -> Self {
        Self {
            inner: Arc::new(inner),
        }
    }

    fn shape(&self) -> Vec<usize> {
        vec![self.inner.len(), self.inner.row_len()]
    }
}

#[pymethods]
impl Batch {
    /// The tokens, rows × row length.
    #[getter]
    fn tokens(&self) -> PyResult<Tensor> {
        let dtype = match self.inner.token() {
            Token::U16 => DType::U16,
            Token::U32 => DType::U32,
            Token::I32 => DType::I32,
            Token::I64 => DType::I64,
        };
        Tensor::new(dtype, self.shape(), Memory::of_tokens(self.inner.clone()))
    }

    /// The position of each token in its document, as `int32`, if the loader was asked for them.
    #[getter]
    fn position_ids(&self) -> PyResult<Option<Tensor>> {
        let memory = Memory::of_positions(self.inner.clone());
        let tensor = memory.map(|memory| Tensor::new(DType::I32, self.shape(), memory));
        tensor.transpose()
    }

    /// Where documents start in the flattened tokens, and the end of the last, as `int32`, if the
    /// loader was asked for it. The padding of a row counts as a document.
    #[getter]
    fn cu_seqlens(&self) -> PyResult<Option<Tensor>> {
        let ends = self.inner.cu_seqlens().map(<[i32]>::to_vec);
        let tensor =
            ends.map(|ends| Tensor::new(DType::I32, vec![ends.len()], Memory::of_ints(ends)));
        tensor.transpose()
    }

    /// The length of the longest document or padding, if the loader was asked for `cu_seqlens`.
    #[getter]
    fn max_seqlen(&self) -> Option<i32> {
        let ends = self.inner.cu_seqlens()?;
        ends.windows(2).map(|pair| pair[1] - pair[0]).max()
    }

    /// The numbers of the rows.
    #[getter]
    fn rows(&self) -> Vec<u64> {
        self.inner.rows().to_vec()
    }

    /// The epoch that the batch is of.
    #[getter]
    fn epoch(&self) -> u64 {
        self.inner.epoch()
    }

    /// How many rows there are.
    fn __len__(&self) -> usize {
        self.inner.len()
    }

    fn __repr__(&self) -> String {
        format!(
            "<nexus.data.Batch {} × {} {}, epoch {}>",
            self.inner.len(),
            self.inner.row_len(),
            self.inner.token(),
            self.inner.epoch()
        )
    }
}
