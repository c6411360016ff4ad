//! Byte order and axis order: what files say, turned into row-major and little-endian.

use nexus_tensor::{DType, Layout, TensorRef};

use crate::Error;

/// In which order the bytes of a number stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ByteOrder {
    Little,
    Big,
}

impl ByteOrder {
    /// Turns numbers of this order into little-endian ones.
    pub(crate) fn to_little(self, dtype: DType, bytes: &mut [u8]) {
        let width = match dtype {
            // Two numbers, one after the other.
            DType::C64 => 4,
            _ => dtype.bits() / 8,
        };
        if self == Self::Big && width > 1 {
            bytes.chunks_exact_mut(width).for_each(<[u8]>::reverse);
        }
    }
}

/// The elements of `layout` one after the other.
pub(crate) fn gathered(dtype: DType, layout: Layout, bytes: &[u8]) -> Result<Vec<u8>, Error> {
    let view = TensorRef::with_layout(dtype, layout, bytes)?;
    let dense = view.to_contiguous();
    Ok(dense.view().as_bytes().unwrap_or_default().to_vec())
}
