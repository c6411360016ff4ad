//! Limits on what foreign data can ask for.

/// Axes of an array.
pub(crate) const RANK_MAX: usize = 8;

/// Items that `repr` shows of an axis.
pub(crate) const SHOWN_MAX: isize = 6;
