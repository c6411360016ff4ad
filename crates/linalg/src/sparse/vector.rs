//! Arithmetic on vectors, and looking for what is not finite.

use crate::{Error, ErrorKind, Float};

/// `y = y + alpha * x`.
pub(super) fn add_scaled<T: Float>(alpha: T, x: &[T], y: &mut [T]) {
    for (y, &x) in y.iter_mut().zip(x) {
        *y = *y + alpha * x;
    }
}

/// `y = x + beta * y`.
pub(super) fn scale_add<T: Float>(x: &[T], beta: T, y: &mut [T]) {
    for (y, &x) in y.iter_mut().zip(x) {
        *y = x + beta * *y;
    }
}

/// `x = alpha * x`.
pub(super) fn scale<T: Float>(alpha: T, x: &mut [T]) {
    for x in x {
        *x = alpha * *x;
    }
}

/// `x = x + alpha * p` and `r = r - alpha * q`.
pub(super) fn step<T: Float>(alpha: T, (p, q): (&[T], &[T]), (x, r): (&mut [T], &mut [T])) {
    for ((x, &p), (r, &q)) in x.iter_mut().zip(p).zip(r.iter_mut().zip(q)) {
        *x = *x + alpha * p;
        *r = *r - alpha * q;
    }
}

/// Fails where an item is NaN or infinite, and names the first one.
pub(super) fn check_finite<T: Float>(operation: &str, what: &str, x: &[T]) -> Result<(), Error> {
    let Some(i) = x.iter().position(|x| !x.is_finite()) else {
        return Ok(());
    };
    let at = (i, 0);
    let (kind, is) = if x[i].is_nan() {
        (ErrorKind::NotANumber { at }, "NaN")
    } else {
        (ErrorKind::Infinite { at }, "an infinity")
    };
    Err(Error::new(
        kind,
        format!("cannot {operation}: {what} holds {is} at {i}"),
    ))
}
