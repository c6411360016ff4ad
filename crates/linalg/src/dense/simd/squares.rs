//! Copies between a matrix by columns and one by rows, a square of registers at a time.

use super::Register;

/// Item `i` of line `j` of the source becomes item `j` of line `i` of the target, as
/// [`Leaf::turn`](super::Leaf::turn) says.
#[inline(always)]
pub(super) unsafe fn turn<V: Register>(
    (source, from): (&[V::Item], usize),
    (target, to, (lines, len)): (&mut [V::Item], usize, (usize, usize)),
) {
    if lines == 0 || len == 0 {
        return;
    }
    assert!((len - 1) * from + lines <= source.len(), "the source");
    assert!((lines - 1) * to + len <= target.len(), "the target");
    let whole = (lines / V::LANES * V::LANES, len / V::LANES * V::LANES);
    for i in (0..whole.0).step_by(V::LANES) {
        for j in (0..whole.1).step_by(V::LANES) {
            let first = source.as_ptr().wrapping_add(j * from + i);
            let place = target.as_mut_ptr().wrapping_add(i * to + j);
            // SAFETY: the square is inside both; the caller has the instructions.
            unsafe { V::turn((first, from), (place, to)) };
        }
    }
    for i in 0..lines {
        let start = if i < whole.0 { whole.1 } else { 0 };
        for j in start..len {
            target[i * to + j] = source[j * from + i];
        }
    }
}
