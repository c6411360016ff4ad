//! Casts between bytes and elements.

use core::mem::size_of;
use core::slice;

use crate::Element;

/// The bytes of elements.
pub(crate) fn bytes_of<T: Element>(elements: &[T]) -> &[u8] {
    let size = size_of_val(elements);
    // SAFETY: elements have no padding (sealed trait), so all `size` bytes are initialised, and
    // the borrow of `elements` covers them.
    unsafe { slice::from_raw_parts(elements.as_ptr().cast(), size) }
}

/// The bytes of elements, to be filled with others.
pub(crate) fn bytes_of_mut(words: &mut [u64]) -> &mut [u8] {
    let size = size_of_val(words);
    // SAFETY: as in `bytes_of`; every bit pattern is a `u64`.
    unsafe { slice::from_raw_parts_mut(words.as_mut_ptr().cast(), size) }
}

/// The elements that fill `bytes`; `None` when they do not fill them exactly, are not aligned in
/// memory or hold a bit pattern that is no value of `T`.
pub(crate) fn elements_of<T: Element>(bytes: &[u8]) -> Option<&[T]> {
    let fits =
        bytes.len().is_multiple_of(size_of::<T>()) && bytes.as_ptr().cast::<T>().is_aligned();
    if !fits || !T::valid(bytes) {
        return None;
    }
    // SAFETY: size and alignment are checked above, `T::valid` vouches for the bit patterns, and
    // the result borrows what `bytes` borrows.
    Some(unsafe { slice::from_raw_parts(bytes.as_ptr().cast(), bytes.len() / size_of::<T>()) })
}

/// The element whose bytes are `bytes`, aligned or not; `None` as in [`elements_of`].
pub(crate) fn element_of<T: Element>(bytes: &[u8]) -> Option<T> {
    if bytes.len() != size_of::<T>() || !T::valid(bytes) {
        return None;
    }
    // SAFETY: there are `size_of::<T>()` readable bytes and `T::valid` vouches for them.
    Some(unsafe { bytes.as_ptr().cast::<T>().read_unaligned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn casts_equal_their_safe_twins() {
        let values = [1.5_f32, -0.0, f32::NAN, f32::INFINITY];
        let bytes = bytes_of(&values);
        let twin: alloc::vec::Vec<u8> = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        assert_eq!(bytes, twin);
        let back = elements_of::<f32>(bytes).unwrap();
        assert!(
            back.iter()
                .zip(values)
                .all(|(a, b)| a.to_bits() == b.to_bits())
        );
        for (at, value) in values.iter().enumerate() {
            let one = element_of::<f32>(&twin[at * 4..at * 4 + 4]).unwrap();
            assert_eq!(one.to_bits(), value.to_bits());
        }
    }

    #[test]
    fn what_does_not_fit_is_none() {
        let words = [0_u64; 2];
        let bytes = bytes_of(&words);
        assert!(elements_of::<u32>(&bytes[..6]).is_none());
        assert!(elements_of::<u32>(&bytes[1..5]).is_none());
        assert!(elements_of::<bool>(&[0, 1, 2]).is_none());
        assert_eq!(elements_of::<bool>(&[0, 1]), Some(&[false, true][..]));
        assert!(element_of::<bool>(&[7]).is_none());
        assert!(element_of::<u16>(&[7]).is_none());
    }
}
