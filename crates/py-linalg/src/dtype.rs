//! The types of items: their names, how they combine, and which of them are computed with.

use crate::raw::Dtype;
use half::{bf16, f16};
use nexus_linalg::decompose::Decompose;
use nexus_linalg::{Complex, Field};
use nexus_linalg_faer::Faer;
use nexus_tensor::dlpack::DLDataType;
use std::ffi::CStr;

/// A kind of numbers: sums and products stay in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Whole,
    Real,
    Complex,
}

/// Every type: variant, name, bytes, code of the module `struct`, type of the array interface, kind.
macro_rules! table {
    ($($variant:ident $name:literal $size:literal $format:literal $typestr:literal $kind:ident;)+) => {
        impl Dtype {
            /// All of them.
            pub(crate) const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name of the array API standard, NumPy and PyTorch.
            pub(crate) fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// The bytes of an item.
            pub(crate) fn size(self) -> usize {
                match self { $(Self::$variant => $size),+ }
            }

            /// What addresses of items are multiples of.
            pub(crate) fn align(self) -> usize {
                if self.kind() == Kind::Complex { self.size() / 2 } else { self.size() }
            }

            /// The format of a buffer, as NumPy extends the codes of the module `struct`; it has none for
            /// bfloat16.
            pub(crate) fn format(self) -> Option<&'static CStr> {
                Some(match self { $(Self::$variant => $format),+ }).filter(|format| !format.is_empty())
            }

            /// The type of NumPy's array interface.
            pub(crate) fn typestr(self) -> &'static str {
                match self { $(Self::$variant => $typestr),+ }
            }

            pub(crate) fn kind(self) -> Kind {
                match self { $(Self::$variant => Kind::$kind),+ }
            }
        }
    };
}

table! {
    F16 "float16" 2 c"e" "<f2" Real;
    BF16 "bfloat16" 2 c"" "<V2" Real;
    F32 "float32" 4 c"f" "<f4" Real;
    F64 "float64" 8 c"d" "<f8" Real;
    C64 "complex64" 8 c"Zf" "<c8" Complex;
    C128 "complex128" 16 c"Zd" "<c16" Complex;
    I8 "int8" 1 c"b" "|i1" Whole;
    I16 "int16" 2 c"h" "<i2" Whole;
    I32 "int32" 4 c"i" "<i4" Whole;
    I64 "int64" 8 c"q" "<i8" Whole;
    U8 "uint8" 1 c"B" "|u1" Whole;
}

impl Dtype {
    /// The type of this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|dtype| dtype.name() == name)
    }

    /// The type that holds the numbers of both, by the rules of the array API standard and, across kinds, of
    /// NumPy; float16 and bfloat16 together are float32.
    pub(crate) fn promote(self, other: Self) -> Self {
        use Dtype::{BF16, C64, C128, F16, F32, F64, I8, I16, I32, I64, U8};
        let (a, b) = if self.kind() <= other.kind() {
            (self, other)
        } else {
            (other, self)
        };
        match (a, b) {
            _ if a == b => a,
            (U8, I8) | (I8, U8) => I16,
            (I8 | I16 | I32 | I64 | U8, I8 | I16 | I32 | I64 | U8) => {
                if a.size() > b.size() {
                    a
                } else {
                    b
                }
            }
            (I8 | U8, F16 | BF16 | F32) | (I16, F32) => b,
            (F16 | BF16 | F32, F16 | BF16 | F32) | (I16, F16 | BF16) => F32,
            (I8 | I16 | U8 | F16 | BF16 | F32, C64) => C64,
            (_, C64 | C128) => C128,
            _ => F64,
        }
    }

    /// The type that is computed with: float32 for narrower floats, float64 for whole numbers.
    pub(crate) fn computed(self) -> Self {
        match self {
            Self::F16 | Self::BF16 | Self::F32 => Self::F32,
            Self::C64 => Self::C64,
            Self::C128 => Self::C128,
            _ => Self::F64,
        }
    }
}

/// The types of foreign items: ours, and those that are copied as the next greater one of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Own(Dtype),
    U16,
    U32,
    U64,
}

impl Source {
    /// The bytes of an item.
    pub(crate) fn size(self) -> usize {
        match self {
            Self::Own(dtype) => dtype.size(),
            Self::U16 => 2,
            Self::U32 => 4,
            Self::U64 => 8,
        }
    }

    /// The type of a code of the module `struct` (with NumPy's for complex numbers) and a size, in the machine's
    /// order of bytes.
    pub(crate) fn of_format(format: &str, size: usize) -> Option<Self> {
        let code = match format.as_bytes() {
            [b'<', code @ ..] if cfg!(target_endian = "little") => code,
            [b'@' | b'=', code @ ..] | code => code,
        };
        Some(match (code, size) {
            (b"e", 2) => Self::Own(Dtype::F16),
            (b"f", 4) => Self::Own(Dtype::F32),
            (b"d", 8) => Self::Own(Dtype::F64),
            (b"Zf" | b"F", 8) => Self::Own(Dtype::C64),
            (b"Zd" | b"D", 16) => Self::Own(Dtype::C128),
            (b"b", 1) => Self::Own(Dtype::I8),
            (b"B", 1) => Self::Own(Dtype::U8),
            (b"h", 2) => Self::Own(Dtype::I16),
            (b"H", 2) => Self::U16,
            (b"i" | b"l", 4) => Self::Own(Dtype::I32),
            (b"I" | b"L", 4) => Self::U32,
            (b"l" | b"q" | b"n", 8) => Self::Own(Dtype::I64),
            (b"L" | b"Q" | b"N", 8) => Self::U64,
            _ => return None,
        })
    }

    /// The type of a kind and a size of NumPy's array interface, in the machine's order of bytes.
    pub(crate) fn of_code(kind: u8, size: usize) -> Option<Self> {
        Some(match (kind, size) {
            (b'f', 8) => Self::Own(Dtype::F64),
            (b'f', 4) => Self::Own(Dtype::F32),
            (b'f', 2) => Self::Own(Dtype::F16),
            (b'c', 8) => Self::Own(Dtype::C64),
            (b'c', 16) => Self::Own(Dtype::C128),
            (b'i', 1) => Self::Own(Dtype::I8),
            (b'i', 2) => Self::Own(Dtype::I16),
            (b'i', 4) => Self::Own(Dtype::I32),
            (b'i', 8) => Self::Own(Dtype::I64),
            (b'u', 1) => Self::Own(Dtype::U8),
            (b'u', 2) => Self::U16,
            (b'u', 4) => Self::U32,
            (b'u', 8) => Self::U64,
            _ => return None,
        })
    }

    /// The type of a string of NumPy's array interface.
    pub(crate) fn of_typestr(typestr: &str) -> Option<Self> {
        let (&[order, kind], size) = typestr.as_bytes().split_first_chunk()?;
        let is_native = order == b'|' || (order == b'<') == cfg!(target_endian = "little");
        let size = str::from_utf8(size).ok()?.parse().ok()?;
        Self::of_code(kind, size).filter(|_| is_native)
    }

    /// The type of `DLPack`.
    pub(crate) fn of_dlpack(dtype: DLDataType) -> Option<Self> {
        let DLDataType { code, bits, lanes } = dtype;
        let own = Dtype::ALL.iter().find(|own| own.dlpack() == (code, bits));
        match (code, bits, own) {
            _ if lanes != 1 => None,
            (_, _, Some(&dtype)) => Some(Self::Own(dtype)),
            (UINT, 16, _) => Some(Self::U16),
            (UINT, 32, _) => Some(Self::U32),
            (UINT, 64, _) => Some(Self::U64),
            _ => None,
        }
    }
}

/// `kDLInt`, `kDLUInt`, `kDLFloat`, `kDLBfloat`, `kDLComplex`.
const INT: u8 = 0;
const UINT: u8 = 1;
const FLOAT: u8 = 2;
const BFLOAT: u8 = 4;
const COMPLEX: u8 = 5;

impl Dtype {
    /// Code and bits of `DLPack`.
    fn dlpack(self) -> (u8, u8) {
        let code = match (self, self.kind()) {
            (Self::BF16, _) => BFLOAT,
            (Self::U8, _) => UINT,
            (_, Kind::Whole) => INT,
            (_, Kind::Real) => FLOAT,
            (_, Kind::Complex) => COMPLEX,
        };
        (code, (self.size() * 8) as u8)
    }

    /// The type of `DLPack`.
    pub(crate) fn to_dlpack(self) -> DLDataType {
        let (code, bits) = self.dlpack();
        DLDataType {
            code,
            bits,
            lanes: 1,
        }
    }
}

/// Types of items in memory.
pub(crate) trait Item: Copy + Default + Send + Sync + 'static {
    const DTYPE: Dtype;

    /// The nearest number; what does not fit wraps around.
    fn of_whole(value: i64) -> Self;
    /// The nearest number. A type of whole numbers cuts fractions off.
    fn of_real(value: f64) -> Self;
    /// The nearest number. A type without imaginary parts drops them.
    fn of_complex(value: Complex<f64>) -> Self;
    /// The number as one of a wide type, by `to`.
    fn convert<T: Item>(self) -> T;
}

macro_rules! item {
    ($($type:ty: $dtype:ident, |$whole:ident| $of_whole:expr, |$real:ident| $of_real:expr, |$item:ident| $convert:expr;)+) => {$(
        impl Item for $type {
            const DTYPE: Dtype = Dtype::$dtype;

            fn of_whole($whole: i64) -> Self {
                $of_whole
            }
            fn of_real($real: f64) -> Self {
                $of_real
            }
            fn of_complex(value: Complex<f64>) -> Self {
                Self::of_real(value.re)
            }
            fn convert<T: Item>(self) -> T {
                let $item = self;
                $convert
            }
        }
    )+};
}

item! {
    f16: F16, |value| Self::from_f64(value as f64), |value| Self::from_f64(value), |item| T::of_real(item.to_f64());
    bf16: BF16, |value| Self::from_f64(value as f64), |value| Self::from_f64(value), |item| T::of_real(item.to_f64());
    f32: F32, |value| value as Self, |value| value as Self, |item| T::of_real(item.into());
    f64: F64, |value| value as Self, |value| value, |item| T::of_real(item);
    i8: I8, |value| value as Self, |value| value as Self, |item| T::of_whole(item.into());
    i16: I16, |value| value as Self, |value| value as Self, |item| T::of_whole(item.into());
    i32: I32, |value| value as Self, |value| value as Self, |item| T::of_whole(item.into());
    i64: I64, |value| value, |value| value as Self, |item| T::of_whole(item);
    u8: U8, |value| value as Self, |value| value as Self, |item| T::of_whole(item.into());
}

macro_rules! complex {
    ($($part:ty: $dtype:ident;)+) => {$(
        impl Item for Complex<$part> {
            const DTYPE: Dtype = Dtype::$dtype;

            fn of_whole(value: i64) -> Self {
                Self::new(value as $part, 0.0)
            }
            fn of_real(value: f64) -> Self {
                Self::new(value as $part, 0.0)
            }
            fn of_complex(value: Complex<f64>) -> Self {
                Self::new(value.re as $part, value.im as $part)
            }
            fn convert<T: Item>(self) -> T {
                T::of_complex(Complex::new(self.re.into(), self.im.into()))
            }
        }
    )+};
}

complex! {
    f32: C64;
    f64: C128;
}

/// Types that are computed with.
pub(crate) trait Element: Item + Field<Real: Item, Complex: Item> {
    /// The engine of decompositions.
    fn engine() -> impl Decompose<Self> + Sync;
}

macro_rules! element {
    ($($type:ty),+) => {$(
        impl Element for $type {
            fn engine() -> impl Decompose<Self> + Sync {
                Faer
            }
        }
    )+};
}

element!(f32, f64, Complex<f32>, Complex<f64>);

/// Does `$work` with the type of items that `$dtype` names.
macro_rules! with_item {
    ($dtype:expr, $type:ident => $work:expr) => {
        $crate::dtype::with_type!($dtype, $type => $work;
            F16 half::f16, BF16 half::bf16, F32 f32, F64 f64,
            C64 nexus_linalg::Complex<f32>, C128 nexus_linalg::Complex<f64>,
            I8 i8, I16 i16, I32 i32, I64 i64, U8 u8)
    };
}

/// Does `$work` with the type that items of type `$dtype` are computed in.
macro_rules! computing {
    ($dtype:expr, $type:ident => $work:expr) => {
        match $dtype.computed() {
            $crate::raw::Dtype::F32 => {
                type $type = f32;
                $work
            }
            $crate::raw::Dtype::C64 => {
                type $type = nexus_linalg::Complex<f32>;
                $work
            }
            $crate::raw::Dtype::C128 => {
                type $type = nexus_linalg::Complex<f64>;
                $work
            }
            _ => {
                type $type = f64;
                $work
            }
        }
    };
}

/// Does `$work` with the type of whole numbers that `$dtype` names.
macro_rules! with_whole {
    ($dtype:expr, $type:ident => $work:expr) => {
        match $dtype {
            $crate::raw::Dtype::I8 => {
                type $type = i8;
                $work
            }
            $crate::raw::Dtype::I16 => {
                type $type = i16;
                $work
            }
            $crate::raw::Dtype::I32 => {
                type $type = i32;
                $work
            }
            $crate::raw::Dtype::U8 => {
                type $type = u8;
                $work
            }
            _ => {
                type $type = i64;
                $work
            }
        }
    };
}

macro_rules! with_type {
    ($dtype:expr, $type:ident => $work:expr; $($variant:ident $item:ty),+) => {
        match $dtype {
            $($crate::raw::Dtype::$variant => { type $type = $item; $work })+
        }
    };
}

pub(crate) use {computing, with_item, with_type, with_whole};
