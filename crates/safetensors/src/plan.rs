//! What to load of a checkpoint, and how.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use nexus_tensor::DType;

use crate::cancel::Cancel;
use crate::{SafeTensorError, TensorInfo};

/// A part of a tensor: its shape, and where its bytes lie in the tensor.
pub trait Part: Send + Sync {
    /// The length of each axis.
    fn shape(&self) -> &[usize];

    /// The runs of bytes in row-major order, counted from the tensor's first byte.
    fn runs(&self) -> Box<dyn Iterator<Item = Range<usize>> + Send + '_>;
}

/// Which part each process of a tensor-parallel group has: an equal share along one axis.
///
/// The axis is cut into `world` pieces whose lengths differ by one at most, the longer ones first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shard {
    shape: Vec<usize>,
    outer: usize,
    stride: usize,
    piece: Range<usize>,
}

impl Shard {
    /// The share of process `rank` of `world` of a tensor, cut along `axis`.
    ///
    /// # Errors
    /// `InvalidShard` when there is no such axis or rank, or elements share a byte with others.
    pub fn new(
        info: &TensorInfo,
        axis: usize,
        rank: usize,
        world: usize,
    ) -> Result<Self, SafeTensorError> {
        let invalid = || SafeTensorError::InvalidShard { axis, rank, world };
        let len = *info.shape.get(axis).ok_or_else(invalid)?;
        let element = info.dtype.size_bytes().ok_or_else(invalid)?;
        if rank >= world {
            return Err(invalid());
        }
        let start = rank * (len / world) + rank.min(len % world);
        let count = len / world + usize::from(rank < len % world);
        let mut shape = info.shape.clone();
        shape[axis] = count;
        // A tensor without elements has no runs, whatever its other axes multiply to.
        let (outer, inner) = if info.shape.contains(&0) {
            (0, 0)
        } else {
            let inner: usize = info.shape[axis + 1..].iter().product();
            (info.shape[..axis].iter().product(), inner * element)
        };
        Ok(Self {
            shape,
            outer,
            stride: len * inner,
            piece: start * inner..(start + count) * inner,
        })
    }
}

impl Part for Shard {
    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn runs(&self) -> Box<dyn Iterator<Item = Range<usize>> + Send + '_> {
        let run =
            |at: usize| at * self.stride + self.piece.start..at * self.stride + self.piece.end;
        Box::new((0..self.outer).map(run).filter(|run| !run.is_empty()))
    }
}

/// Called with the bytes read so far and the bytes to read.
pub(crate) type Progress = Arc<dyn Fn(u64, u64) + Send + Sync>;

/// Which tensors of a checkpoint to load, which parts of them, and as which type.
///
/// ```
/// use nexus_safetensors::{Dtype, Plan};
///
/// let plan = Plan::names(["embedding", "head"]).dtype(Dtype::F32);
/// # let _ = plan;
/// ```
#[derive(Clone, Default)]
pub struct Plan {
    pub(crate) names: Option<Vec<String>>,
    pub(crate) cuts: Vec<(String, Cut)>,
    pub(crate) dtype: Option<DType>,
    pub(crate) dtypes: Vec<(String, DType)>,
    pub(crate) progress: Option<Progress>,
    pub(crate) cancel: Cancel,
}

#[derive(Clone)]
pub(crate) enum Cut {
    Part(Arc<dyn Part>),
    Shard(usize, usize, usize),
}

impl Plan {
    /// Every tensor, whole and as it is.
    pub fn all() -> Self {
        Self::default()
    }

    /// These tensors, whole and as they are.
    pub fn names<S: Into<String>>(names: impl IntoIterator<Item = S>) -> Self {
        Self {
            names: Some(names.into_iter().map(Into::into).collect()),
            ..Self::default()
        }
    }

    /// Takes only a part of one tensor.
    #[must_use]
    pub fn part(mut self, name: impl Into<String>, part: impl Part + 'static) -> Self {
        self.cuts.push((name.into(), Cut::Part(Arc::new(part))));
        self
    }

    /// Takes the share of process `rank` of `world`, cut along `axis`, of every tensor whose name
    /// matches: `*` in the pattern stands for any text. The last pattern that matches counts.
    #[must_use]
    pub fn shard(mut self, pattern: &str, axis: usize, rank: usize, world: usize) -> Self {
        self.cuts
            .push((pattern.to_owned(), Cut::Shard(axis, rank, world)));
        self
    }

    /// Converts every tensor of a type that [`can_cast`](crate::can_cast) says can be converted.
    /// Others, integers for example, stay as they are.
    #[must_use]
    pub fn dtype(mut self, dtype: DType) -> Self {
        self.dtype = Some(dtype);
        self
    }

    /// Converts one tensor; that it cannot be converted is an error.
    #[must_use]
    pub fn dtype_of(mut self, name: impl Into<String>, dtype: DType) -> Self {
        self.dtypes.push((name.into(), dtype));
        self
    }

    /// Calls a function with the bytes read so far and the bytes to read, from the thread that
    /// reads, as they come in.
    #[must_use]
    pub fn on_progress(mut self, call: impl Fn(u64, u64) + Send + Sync + 'static) -> Self {
        self.progress = Some(Arc::new(call));
        self
    }

    /// Stops with the error `Cancelled` soon after the flag is set.
    #[must_use]
    pub fn cancelled_by(mut self, flag: Arc<AtomicBool>) -> Self {
        self.cancel = Cancel::by(flag);
        self
    }

    /// The cut of a tensor, if any: the last whose name or pattern matches.
    pub(crate) fn cut_of(&self, name: &str) -> Option<&Cut> {
        let holds = |(pattern, cut): &&(String, Cut)| match cut {
            Cut::Part(_) => pattern == name,
            Cut::Shard(..) => matches(pattern, name),
        };
        self.cuts.iter().rev().find(holds).map(|(_, cut)| cut)
    }
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan")
            .field("names", &self.names)
            .field("dtype", &self.dtype)
            .finish_non_exhaustive()
    }
}

/// Whether a name matches a pattern in which `*` stands for any text.
fn matches(pattern: &str, name: &str) -> bool {
    let Some((head, mut rest)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let Some(mut name) = name.strip_prefix(head) else {
        return false;
    };
    // Each piece in the middle is best found as early as it can be.
    while let Some((piece, tail)) = rest.split_once('*') {
        let Some(at) = name.find(piece) else {
            return false;
        };
        name = &name[at + piece.len()..];
        rest = tail;
    }
    name.ends_with(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, name, expected) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("*", "", true),
            ("*.weight", "layers.0.weight", true),
            ("*.weight", "layers.0.bias", false),
            ("layers.*.up*", "layers.12.up_proj", true),
            ("layers.*.up*", "layers.12.down", false),
            ("a*a", "a", false),
            ("a*b*b", "ab", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }
}
