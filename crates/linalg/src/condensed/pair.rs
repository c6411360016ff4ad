//! Blocks of two rows of a Schur form, as LAPACK's `dlanv2` has them.

use super::simd::Item;

/// A block of two rows turned to its final form, and by which rotation.
pub(super) struct Pair<T> {
    /// By rows. Either the third is zero, or the diagonal is equal and the others have opposite signs.
    pub(super) items: [T; 4],
    cosine: T,
    sine: T,
}

impl<T: Item> Pair<T> {
    pub(super) fn of([a, b, c, d]: [T; 4]) -> Self {
        let (zero, one) = (T::default(), T::ONE);
        let half = T::from_f64(0.5);
        let as_it_is = Self {
            items: [a, b, c, d],
            cosine: one,
            sine: zero,
        };
        if c == zero {
            return as_it_is;
        }
        if b == zero {
            return Self {
                items: [d, -c, zero, a],
                cosine: zero,
                sine: one,
            };
        }
        let difference = a - d;
        if difference == zero && (b < zero) != (c < zero) {
            return as_it_is;
        }
        let p = difference * half;
        let (large, small) = if b.abs() > c.abs() {
            (b.abs(), c.abs())
        } else {
            (c.abs(), b.abs())
        };
        let small = if (b < zero) == (c < zero) {
            small
        } else {
            -small
        };
        let scale = if p.abs() > large { p.abs() } else { large };
        let z = p / scale * p + large / scale * small;
        // Nearly equal values are taken for a pair, and seen to below.
        if z >= T::from_f64(4.0) * T::EPSILON {
            let root = scale.sqrt() * z.sqrt();
            let z = p + if p < zero { -root } else { root };
            let length = length(c, z);
            return Self {
                items: [d + z, b - c, zero, d - large / z * small],
                cosine: z / length,
                sine: c / length,
            };
        }
        Self::equal_diagonal([a, b, c, d], p)
    }

    /// Of complex values, or of real ones that are nearly equal.
    fn equal_diagonal([a, b, c, d]: [T; 4], p: T) -> Self {
        let (zero, one) = (T::default(), T::ONE);
        let half = T::from_f64(0.5);
        let sum = b + c;
        let distance = length(sum, a - d);
        let cosine = (half * (one + sum.abs() / distance)).sqrt();
        let sine = -(p / (distance * cosine));
        let sine = if sum < zero { -sine } else { sine };
        let (aa, bb) = (a * cosine + b * sine, b * cosine - a * sine);
        let (cc, dd) = (c * cosine + d * sine, d * cosine - c * sine);
        let (b, c) = (bb * cosine + dd * sine, cc * cosine - aa * sine);
        let middle = ((aa * cosine + cc * sine) + (dd * cosine - bb * sine)) * half;
        let turned = Self {
            items: [middle, b, c, middle],
            cosine,
            sine,
        };
        if c == zero || (b != zero && (b < zero) != (c < zero)) {
            return turned;
        }
        if b == zero {
            return Self {
                items: [middle, -c, zero, middle],
                cosine: -sine,
                sine: cosine,
            };
        }
        // Real after all.
        let (left, right) = (b.abs().sqrt(), c.abs().sqrt());
        let p = if c < zero {
            -(left * right)
        } else {
            left * right
        };
        let inverse = one / (b + c).abs().sqrt();
        let (x, y) = (left * inverse, right * inverse);
        Self {
            items: [middle + p, b - c, zero, middle - p],
            cosine: cosine * x - sine * y,
            sine: cosine * y + sine * x,
        }
    }

    /// The rotation of two items.
    pub(super) fn turned(&self, x: T, y: T) -> (T, T) {
        let (cosine, sine) = (self.cosine, self.sine);
        (cosine * x + sine * y, cosine * y - sine * x)
    }

    /// Turns two rows from a column on.
    pub(super) fn turn_rows(&self, rows: &mut [T], from: usize) {
        let (x, y) = rows.split_at_mut(rows.len() / 2);
        for (x, y) in x[from..].iter_mut().zip(&mut y[from..]) {
            (*x, *y) = self.turned(*x, *y);
        }
    }
}

/// The length of a vector of two items.
fn length<T: Item>(x: T, y: T) -> T {
    let (x, y) = (x.abs(), y.abs());
    let (large, small) = if x > y { (x, y) } else { (y, x) };
    if large == T::default() {
        return large;
    }
    let ratio = small / large;
    large * (T::ONE + ratio * ratio).sqrt()
}
