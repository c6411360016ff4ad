//! Elimination with registers along columns, four columns at a time: within them each takes the multiples of those
//! before it at once, and the columns after them take the multiples of all four in one pass.

use super::{Register, spill};
use crate::{Field, Float};

/// Columns that are eliminated before the others take their multiples.
const GROUP: usize = 4;

/// Columns of `len` items, one after the other.
struct Columns<T> {
    start: *mut T,
    len: usize,
    count: usize,
}

/// Eliminates, as [`Leaf::eliminate`](super::Leaf::eliminate) says.
#[inline(always)]
pub(super) unsafe fn eliminate<V: Register>(
    (items, len): (&mut [V::Item], usize),
    exchanges: &mut [usize],
) {
    let count = exchanges.len();
    assert!(count <= len && items.len() == count * len, "columns");
    let columns = Columns {
        start: items.as_mut_ptr(),
        len,
        count,
    };
    for first in (0..count).step_by(GROUP) {
        let end = (first + GROUP).min(count);
        for (j, exchange) in (first..end).zip(&mut exchanges[first..end]) {
            // SAFETY: `j` is one of the columns, and of their items; the caller has the instructions.
            unsafe {
                let largest = j + first_largest::<V>(columns.at(j, j), len - j);
                *exchange = largest;
                if largest != j {
                    columns.exchange(j, largest);
                }
                match end - j {
                    4 => columns.take_multiples::<V, 3>(j),
                    3 => columns.take_multiples::<V, 2>(j),
                    2 => columns.take_multiples::<V, 1>(j),
                    _ => columns.take_multiples::<V, 0>(j),
                }
            }
        }
        let mut next = end;
        while next < count {
            // SAFETY: columns after a whole group; the caller has the instructions.
            unsafe {
                if next + 2 <= count {
                    columns.take_group::<V, 2>(first, next);
                    next += 2;
                } else {
                    columns.take_group::<V, 1>(first, next);
                    next += 1;
                }
            }
        }
    }
}

impl<T: Float> Columns<T> {
    #[inline(always)]
    fn at(&self, row: usize, column: usize) -> *mut T {
        self.start.wrapping_add(column * self.len + row)
    }

    #[inline(always)]
    unsafe fn exchange(&self, i: usize, j: usize) {
        for column in 0..self.count {
            // SAFETY: rows and columns are inside.
            unsafe { self.at(i, column).swap(self.at(j, column)) };
        }
    }

    /// Makes multipliers of what is below pivot `j`, and takes their multiples from the next `N` columns.
    #[inline(always)]
    unsafe fn take_multiples<V: Register<Item = T>, const N: usize>(&self, j: usize) {
        // SAFETY: the columns are inside, and registers end with them.
        unsafe {
            // What is below a pivot of zero is zero, and stays. A quotient of equal items is one, which their product
            // with the inverse need not be: so equal rows leave nothing of each other.
            let pivot = *self.at(j, j);
            let divisor = V::splat(if pivot == T::default() { T::ONE } else { pivot });
            let factors: [V; N] = std::array::from_fn(|c| V::splat(*self.at(j, j + 1 + c)));
            let mut i = j + 1;
            while i + V::LANES <= self.len {
                let multiplier = V::load(self.at(i, j)).div(divisor);
                multiplier.store(self.at(i, j));
                for (c, &factor) in factors.iter().enumerate() {
                    let place = self.at(i, j + 1 + c);
                    V::load(place).less_product(multiplier, factor).store(place);
                }
                i += V::LANES;
            }
            if i < self.len {
                let rest = self.len - i;
                let multiplier = V::load_some(self.at(i, j), rest).div(divisor);
                multiplier.store_some(self.at(i, j), rest);
                for (c, &factor) in factors.iter().enumerate() {
                    let place = self.at(i, j + 1 + c);
                    let value = V::load_some(place, rest).less_product(multiplier, factor);
                    value.store_some(place, rest);
                }
            }
        }
    }

    /// Takes the multiples of a whole group from `N` columns after it.
    #[inline(always)]
    unsafe fn take_group<V: Register<Item = T>, const N: usize>(&self, first: usize, next: usize) {
        // SAFETY: the columns are inside, and registers end with them.
        unsafe {
            let mut factors = [[V::splat(T::default()); GROUP]; N];
            for (c, factors) in factors.iter_mut().enumerate() {
                for k in 0..GROUP {
                    let place = self.at(first + k, next + c);
                    let mut value = V::splat(*place);
                    for (known, &factor) in factors.iter().enumerate().take(k) {
                        let multiplier = V::splat(*self.at(first + k, first + known));
                        value = value.less_product(multiplier, factor);
                    }
                    factors[k] = value;
                    *place = spill(value)[0];
                }
            }
            let mut i = first + GROUP;
            while i + V::LANES <= self.len {
                let multipliers: [V; GROUP] =
                    std::array::from_fn(|k| V::load(self.at(i, first + k)));
                for (c, factors) in factors.iter().enumerate() {
                    let place = self.at(i, next + c);
                    let mut value = V::load(place);
                    for (&multiplier, &factor) in multipliers.iter().zip(factors) {
                        value = value.less_product(multiplier, factor);
                    }
                    value.store(place);
                }
                i += V::LANES;
            }
            if i < self.len {
                let rest = self.len - i;
                for (c, factors) in factors.iter().enumerate() {
                    let place = self.at(i, next + c);
                    let mut value = V::load_some(place, rest);
                    for (k, &factor) in factors.iter().enumerate() {
                        let multiplier = V::load_some(self.at(i, first + k), rest);
                        value = value.less_product(multiplier, factor);
                    }
                    value.store_some(place, rest);
                }
            }
        }
    }
}

/// The place of the first of the items with the largest absolute value; NaN stays where it is.
#[inline(always)]
unsafe fn first_largest<V: Register>(items: *const V::Item, len: usize) -> usize {
    let zero = V::Item::default();
    let at = |i: usize| items.wrapping_add(i);
    let whole = len / V::LANES * V::LANES;
    // SAFETY: registers end with the items.
    unsafe {
        if (*items).is_nan() {
            return 0;
        }
        let mut most = [V::splat(zero); 2];
        for i in (0..whole).step_by(V::LANES) {
            let turn = i / V::LANES % 2;
            most[turn] = most[turn].max_abs(V::load(at(i)));
        }
        if whole < len {
            most[0] = most[0].max_abs(V::load_some(at(whole), len - whole));
        }
        let largest = spill(most[0].max_abs(most[1]))
            .into_iter()
            .fold(zero, |a, b| if b > a { b } else { a });
        let largest = V::splat(largest);
        for i in (0..whole).step_by(V::LANES) {
            let equal = largest.equal_abs(V::load(at(i)));
            if equal != 0 {
                return i + equal.trailing_zeros() as usize;
            }
        }
        let equal = largest.equal_abs(V::load_some(at(whole), len - whole));
        let place = whole + equal.trailing_zeros() as usize;
        if place < len { place } else { 0 }
    }
}
