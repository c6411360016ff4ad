//! `NumPy`'s names of element types and the rules of its [array interface].
//!
//! [array interface]: https://numpy.org/doc/stable/reference/arrays.interface.html

use alloc::format;
use alloc::vec::Vec;

use crate::limits::IMPORT_RANK_MAX;
use crate::{DType, Error, Layout, TensorRef};

/// The version of the array interface that this module speaks.
pub const VERSION: u32 = 3;

impl DType {
    /// `NumPy`'s `typestr`; `None` for types that `NumPy` itself does not have (`BF16`, `F8_*`, ...).
    ///
    /// ```
    /// # use nexus_tensor::DType;
    /// assert_eq!(DType::F32.typestr(), Some("<f4"));
    /// assert_eq!(DType::BF16.typestr(), None);
    /// ```
    pub const fn typestr(self) -> Option<&'static str> {
        Some(match self {
            Self::BOOL => "|b1",
            Self::U8 => "|u1",
            Self::I8 => "|i1",
            Self::U16 => "<u2",
            Self::I16 => "<i2",
            Self::F16 => "<f2",
            Self::U32 => "<u4",
            Self::I32 => "<i4",
            Self::F32 => "<f4",
            Self::C64 => "<c8",
            Self::U64 => "<u8",
            Self::I64 => "<i8",
            Self::F64 => "<f8",
            _ => return None,
        })
    }

    /// The type that a `NumPy` `typestr` names.
    ///
    /// # Errors
    /// `Unsupported` for big-endian numbers and for types that no [`DType`] stands for.
    pub fn from_typestr(typestr: &str) -> Result<Self, Error> {
        let known = |dtype: &DType| {
            dtype
                .typestr()
                .is_some_and(|known| known[1..] == typestr[1..])
        };
        // Byte order means nothing for one byte.
        let readable = matches!(
            typestr.as_bytes(),
            [b'<' | b'=', ..] | [b'|' | b'>', _, b'1']
        );
        let found = Self::ALL.into_iter().find(|dtype| readable && known(dtype));
        found.ok_or_else(|| Error::unsupported(format!("cannot represent NumPy type `{typestr}`")))
    }
}

/// The content of `__array_interface__`, version 3: what `NumPy` needs to view foreign memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArrayInterface {
    /// The element type.
    pub typestr: &'static str,
    /// The length of each axis.
    pub shape: Vec<usize>,
    /// The distance between neighbours along each axis in bytes; `None` for a dense array.
    pub strides_bytes: Option<Vec<isize>>,
    /// The address of element `[0, 0, ...]`.
    pub address: usize,
    /// Whether `NumPy` must not write.
    pub read_only: bool,
}

impl ArrayInterface {
    /// Describes a borrowed view. The caller keeps the bytes alive while `NumPy` looks at them.
    ///
    /// # Errors
    /// `Unsupported` when `NumPy` has no such element type.
    pub fn of(view: &TensorRef<'_>) -> Result<Self, Error> {
        let dtype = view.dtype();
        let (Some(typestr), Some(size)) = (dtype.typestr(), dtype.size_bytes()) else {
            return Err(Error::unsupported(format!(
                "cannot show {dtype} to NumPy, which has no such type"
            )));
        };
        let layout = view.layout();
        let strides = || {
            layout
                .strides()
                .iter()
                .map(|stride| stride.wrapping_mul(size.cast_signed()))
                .collect()
        };
        Ok(Self {
            typestr,
            shape: layout.shape().to_vec(),
            strides_bytes: (!layout.is_contiguous()).then(strides),
            address: view.backing_bytes().as_ptr().addr() + layout.offset() * size,
            read_only: true,
        })
    }
}

/// The layout of an array given by shape and strides in bytes, as `NumPy` and the buffer protocol
/// give them, and the distance in bytes from its lowest address to element `[0, 0, ...]`.
///
/// # Errors
/// `InvalidInput` when the ranks differ, `Unsupported` when a stride is no multiple of the element
/// size, `LimitReached` on overflow or a rank above [`IMPORT_RANK_MAX`].
pub fn layout_of(
    dtype: DType,
    shape: &[usize],
    strides_bytes: Option<&[isize]>,
) -> Result<(Layout, usize), Error> {
    if shape.len() > IMPORT_RANK_MAX {
        return Err(Error::limit(format!(
            "cannot import {} axes: at most {IMPORT_RANK_MAX}",
            shape.len()
        )));
    }
    let Some(strides_bytes) = strides_bytes else {
        return Ok((Layout::contiguous(shape)?, 0));
    };
    let size = dtype
        .size_bytes()
        .ok_or_else(|| Error::unsupported(format!("cannot stride over {dtype}")))?;
    let size = size.cast_signed();
    if let Some(stride) = strides_bytes.iter().find(|&stride| stride % size != 0) {
        return Err(Error::unsupported(format!(
            "cannot stride by {stride} bytes over {dtype}"
        )));
    }
    let strides: Vec<isize> = strides_bytes.iter().map(|stride| stride / size).collect();
    let before = lead(shape, &strides)?;
    let before_bytes = before.checked_mul(size.cast_unsigned()).ok_or_else(|| {
        Error::limit(format!(
            "cannot stride over shape {shape:?} by {strides_bytes:?} bytes: overflow"
        ))
    })?;
    Ok((Layout::strided(shape, strides, before)?, before_bytes))
}

/// How many elements lie below element `[0, 0, ...]`, because strides are negative.
pub(crate) fn lead(shape: &[usize], strides: &[isize]) -> Result<usize, Error> {
    if shape.contains(&0) {
        return Ok(0);
    }
    let reach = |(&dimension, &stride): (&usize, &isize)| match stride {
        0.. => Some(0),
        _ => (dimension - 1).checked_mul(stride.unsigned_abs()),
    };
    shape
        .iter()
        .zip(strides)
        .map(reach)
        .try_fold(0_usize, |sum, reach| sum.checked_add(reach?))
        .filter(|&lead| lead <= isize::MAX.cast_unsigned())
        .ok_or_else(|| {
            Error::limit(format!(
                "cannot stride over shape {shape:?} by {strides:?}: overflow"
            ))
        })
}
