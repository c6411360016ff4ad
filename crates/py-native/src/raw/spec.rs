//! Addresses that Python hands in.

use std::borrow::Cow;
use std::slice;

use nexus_safetensors::{Dtype, View};

use crate::safetensors::TensorSpec;

impl View for TensorSpec {
    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        if self.data_ptr == 0 || self.data_len == 0 {
            return Cow::Borrowed(&[]);
        }
        // SAFETY: whoever makes a `TensorSpec` in Python promises that `data_len` bytes can be read
        // at `data_ptr` while it is written: the contract of the class, as in `safetensors` 0.8.0.
        let bytes = unsafe { slice::from_raw_parts(self.data_ptr as *const u8, self.data_len) };
        Cow::Borrowed(bytes)
    }

    fn data_len(&self) -> usize {
        self.data_len
    }
}
