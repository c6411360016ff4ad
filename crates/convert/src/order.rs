//! Byte order and axis order: what files say, turned into row-major and little-endian.

use nexus_tensor::{DType, Layout};

use crate::Error;
use crate::input::zeroed;

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

/// The elements of `layout` one after the other. Allocates them once.
pub(crate) fn gathered(dtype: DType, layout: &Layout, bytes: &[u8]) -> Result<Vec<u8>, Error> {
    let size = dtype.size_bytes().unwrap_or(1);
    let end = layout.places().end.saturating_mul(size);
    if end > bytes.len() || dtype.size_bytes().is_none() {
        let has = bytes.len();
        let message = format!("{dtype} elements up to byte {end} are not in {has} bytes");
        return Err(Error::corrupt(message));
    }
    let mut out = zeroed(layout.element_count() as u64 * size as u64, "its elements")?;
    // The last axes that lie densely are one run; the others count like an odometer.
    let (mut run, mut outer) = (1_usize, layout.rank());
    for (&len, &stride) in layout.shape().iter().zip(layout.strides()).rev() {
        if len != 1 && stride != run.cast_signed() {
            break;
        }
        run *= len;
        outer -= 1;
    }
    let mut index = vec![0; layout.rank()];
    for target in out.chunks_exact_mut((run * size).max(1)) {
        let Some(place) = layout.place(&index) else {
            break;
        };
        target.copy_from_slice(&bytes[place * size..(place + run) * size]);
        for axis in (0..outer).rev() {
            index[axis] += 1;
            if index[axis] < layout.shape()[axis] {
                break;
            }
            index[axis] = 0;
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use nexus_tensor::TensorRef;

    use super::*;

    #[test]
    fn elements_are_gathered_as_indices_lead_to_them() {
        let bytes: Vec<u8> = (0..48).collect();
        let cases: [(&[usize], &[isize], usize); 8] = [
            (&[], &[], 3),
            (&[2, 3, 4], &[12, 4, 1], 0),
            (&[4, 3, 2], &[1, 4, 12], 0),
            (&[3, 2], &[0, 1], 5),
            (&[3, 2], &[-4, -1], 20),
            (&[2, 1, 3], &[3, 99, 1], 1),
            (&[0, 3], &[3, 1], 0),
            (&[5], &[0], 23),
        ];
        for (shape, strides, offset) in cases {
            let layout = Layout::strided(shape, strides, offset).unwrap();
            let view = TensorRef::with_layout(DType::U16, layout.clone(), &bytes).unwrap();
            let expected = view.to_contiguous();
            let expected = expected.view().as_bytes().unwrap().to_vec();
            let found = gathered(DType::U16, &layout, &bytes).unwrap();
            assert_eq!(found, expected, "{layout:?}");
        }
    }

    #[test]
    fn what_does_not_lie_in_the_bytes_is_corrupt() {
        let layout = Layout::contiguous([3]).unwrap();
        let error = gathered(DType::U16, &layout, &[0; 5]).unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::Corrupt, "{error}");
        assert!(gathered(DType::F4, &layout, &[0; 5]).is_err());
    }
}
