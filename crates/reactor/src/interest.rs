//! Which kinds of readiness.

use std::ops::{BitAnd, BitOr};

/// Reading, writing, both or neither: what is asked for, how, and what is there.
///
/// A closed peer and an error count as both, because either call would return at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Interest(u8);

impl Interest {
    /// Neither.
    pub const NONE: Self = Self(0);
    /// A read, or an accept, returns at once.
    pub const READ: Self = Self(1);
    /// A write returns at once.
    pub const WRITE: Self = Self(2);

    /// Asked for beside the others: what arrives is reported once, not until it is read. A registration may then
    /// stay while nobody reads.
    pub const EDGE: Self = Self(4);
    /// Reported beside the others: a short read does not mean that all is read, because the peer's end, an error or
    /// urgent data are there too.
    pub const MORE: Self = Self(8);

    /// Whether all of `other` is in it.
    #[inline]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether it is neither.
    #[inline]
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// It, without what is in `other`.
    #[must_use]
    #[inline]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

impl BitOr for Interest {
    type Output = Self;
    #[inline]
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitAnd for Interest {
    type Output = Self;
    #[inline]
    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}
