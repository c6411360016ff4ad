//! Rust types that are tensor elements.

use half::{bf16, f16};

use crate::DType;

/// A Rust type with the same size and bit patterns as a [`DType`].
///
/// Sealed: the casts in this crate rest on it. Implementors have no padding, and accept every bit
/// pattern for which [`valid`](Element::valid) holds.
pub trait Element: sealed::Sealed + Copy + Send + Sync + 'static {
    /// The element type that this Rust type stands for.
    const DTYPE: DType;

    /// Whether every element of `bytes` is a value of this type. Costs nothing but for `bool`.
    #[doc(hidden)]
    fn valid(bytes: &[u8]) -> bool {
        let _ = bytes;
        true
    }
}

impl Element for bool {
    const DTYPE: DType = DType::BOOL;

    // A Rust `bool` that is neither 0 nor 1 is undefined behaviour, and files may hold any byte.
    fn valid(bytes: &[u8]) -> bool {
        bytes.iter().fold(0, |seen, byte| seen | byte) <= 1
    }
}

macro_rules! elements {
    ($($element:ty => $dtype:ident,)*) => {
        $(impl Element for $element {
            const DTYPE: DType = DType::$dtype;
        })*

        mod sealed {
            use half::{bf16, f16};

            pub trait Sealed {}
            impl Sealed for bool {}
            $(impl Sealed for $element {})*
        }
    };
}

elements! {
    u8 => U8,
    i8 => I8,
    u16 => U16,
    i16 => I16,
    f16 => F16,
    bf16 => BF16,
    u32 => U32,
    i32 => I32,
    f32 => F32,
    [f32; 2] => C64,
    u64 => U64,
    i64 => I64,
    f64 => F64,
}
