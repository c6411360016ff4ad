//! Element types.

use alloc::format;
use core::fmt;
use core::str::FromStr;

use crate::Error;

/// The type of a tensor's elements: every type that the safetensors format knows.
///
/// Variants carry the format's own names. Their order is the format's: types with a stricter
/// alignment compare greater, and writers store greater types first.
///
/// ```
/// use nexus_tensor::DType;
///
/// assert_eq!("BF16".parse(), Ok(DType::BF16));
/// assert_eq!(DType::BF16.bits(), 16);
/// assert!(DType::F64 > DType::BF16);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
#[expect(non_camel_case_types, reason = "the names of the safetensors format")]
pub enum DType {
    /// Boolean: one byte, 0 or 1.
    BOOL,
    /// 4-bit float E2M1 of [OCP MX], two elements a byte.
    ///
    /// [OCP MX]: https://www.opencompute.org/documents/ocp-microscaling-formats-mx-v1-0-spec-final-pdf
    F4,
    /// 6-bit float E2M3 of OCP MX, four elements in three bytes.
    F6_E2M3,
    /// 6-bit float E3M2 of OCP MX, four elements in three bytes.
    F6_E3M2,
    /// Unsigned 8-bit integer.
    U8,
    /// Signed 8-bit integer.
    I8,
    /// 8-bit float E5M2 ([arXiv 2209.05433](https://arxiv.org/abs/2209.05433)).
    F8_E5M2,
    /// 8-bit float E4M3 without infinities, `float8_e4m3fn` elsewhere (arXiv 2209.05433).
    F8_E4M3,
    /// 8-bit exponent, the scale of OCP MX blocks.
    F8_E8M0,
    /// 8-bit float E4M3 without negative zero ([arXiv 2206.02915](https://arxiv.org/abs/2206.02915)).
    F8_E4M3FNUZ,
    /// 8-bit float E5M2 without negative zero (arXiv 2206.02915).
    F8_E5M2FNUZ,
    /// Signed 16-bit integer.
    I16,
    /// Unsigned 16-bit integer.
    U16,
    /// IEEE 754 binary16.
    F16,
    /// The upper half of an IEEE 754 binary32.
    BF16,
    /// Signed 32-bit integer.
    I32,
    /// Unsigned 32-bit integer.
    U32,
    /// IEEE 754 binary32.
    F32,
    /// Complex number of two binary32.
    C64,
    /// IEEE 754 binary64.
    F64,
    /// Signed 64-bit integer.
    I64,
    /// Unsigned 64-bit integer.
    U64,
}

impl DType {
    /// Every type, in ascending order.
    pub const ALL: [Self; 22] = [
        Self::BOOL,
        Self::F4,
        Self::F6_E2M3,
        Self::F6_E3M2,
        Self::U8,
        Self::I8,
        Self::F8_E5M2,
        Self::F8_E4M3,
        Self::F8_E8M0,
        Self::F8_E4M3FNUZ,
        Self::F8_E5M2FNUZ,
        Self::I16,
        Self::U16,
        Self::F16,
        Self::BF16,
        Self::I32,
        Self::U32,
        Self::F32,
        Self::C64,
        Self::F64,
        Self::I64,
        Self::U64,
    ];

    /// The size of one element in bits.
    pub const fn bits(self) -> usize {
        match self {
            Self::F4 => 4,
            Self::F6_E2M3 | Self::F6_E3M2 => 6,
            Self::BOOL
            | Self::U8
            | Self::I8
            | Self::F8_E5M2
            | Self::F8_E4M3
            | Self::F8_E8M0
            | Self::F8_E4M3FNUZ
            | Self::F8_E5M2FNUZ => 8,
            Self::I16 | Self::U16 | Self::F16 | Self::BF16 => 16,
            Self::I32 | Self::U32 | Self::F32 => 32,
            Self::C64 | Self::F64 | Self::I64 | Self::U64 => 64,
        }
    }

    /// The size of one element in bits, under the name that the `safetensors` crate gives it.
    pub const fn bitsize(self) -> usize {
        self.bits()
    }

    /// The size of one element in bytes; `None` where elements share bytes.
    pub const fn size_bytes(self) -> Option<usize> {
        match self.bits() {
            bits if bits % 8 == 0 => Some(bits / 8),
            _ => None,
        }
    }

    /// The name in the safetensors format.
    pub const fn name(self) -> &'static str {
        match self {
            Self::BOOL => "BOOL",
            Self::F4 => "F4",
            Self::F6_E2M3 => "F6_E2M3",
            Self::F6_E3M2 => "F6_E3M2",
            Self::U8 => "U8",
            Self::I8 => "I8",
            Self::F8_E5M2 => "F8_E5M2",
            Self::F8_E4M3 => "F8_E4M3",
            Self::F8_E8M0 => "F8_E8M0",
            Self::F8_E4M3FNUZ => "F8_E4M3FNUZ",
            Self::F8_E5M2FNUZ => "F8_E5M2FNUZ",
            Self::I16 => "I16",
            Self::U16 => "U16",
            Self::F16 => "F16",
            Self::BF16 => "BF16",
            Self::I32 => "I32",
            Self::U32 => "U32",
            Self::F32 => "F32",
            Self::C64 => "C64",
            Self::F64 => "F64",
            Self::I64 => "I64",
            Self::U64 => "U64",
        }
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Parses the name in the safetensors format. Case matters.
impl FromStr for DType {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|dtype| dtype.name() == name)
            .ok_or_else(|| Error::invalid(format!("cannot parse `{name}` as an element type")))
    }
}
