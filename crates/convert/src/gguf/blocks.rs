//! Element types of ggml: plain ones, and blocks of quantised numbers.

use half::f16;
use nexus_tensor::DType;

use crate::Error;
use crate::input::zeroed;

/// One type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Block {
    /// The number in the file.
    kind: u32,
    /// ggml's name.
    pub(super) name: &'static str,
    /// How many elements are packed together.
    pub(super) len: usize,
    /// How many bytes they take.
    pub(super) size: usize,
    /// The same type here; `None` for quantised ones.
    pub(super) dtype: Option<DType>,
}

const fn plain(kind: u32, name: &'static str, size: usize, dtype: DType) -> Block {
    Block {
        kind,
        name,
        len: 1,
        size,
        dtype: Some(dtype),
    }
}

const fn packed(kind: u32, name: &'static str, len: usize, size: usize) -> Block {
    Block {
        kind,
        name,
        len,
        size,
        dtype: None,
    }
}

const Q4_0: u32 = 2;
const Q8_0: u32 = 8;

/// `ggml_type` and its sizes, from `ggml/src/ggml-common.h`.
const BLOCKS: [Block; 34] = [
    plain(0, "F32", 4, DType::F32),
    plain(1, "F16", 2, DType::F16),
    packed(Q4_0, "Q4_0", 32, 18),
    packed(3, "Q4_1", 32, 20),
    packed(6, "Q5_0", 32, 22),
    packed(7, "Q5_1", 32, 24),
    packed(Q8_0, "Q8_0", 32, 34),
    packed(9, "Q8_1", 32, 36),
    packed(10, "Q2_K", 256, 84),
    packed(11, "Q3_K", 256, 110),
    packed(12, "Q4_K", 256, 144),
    packed(13, "Q5_K", 256, 176),
    packed(14, "Q6_K", 256, 210),
    packed(15, "Q8_K", 256, 292),
    packed(16, "IQ2_XXS", 256, 66),
    packed(17, "IQ2_XS", 256, 74),
    packed(18, "IQ3_XXS", 256, 98),
    packed(19, "IQ1_S", 256, 50),
    packed(20, "IQ4_NL", 32, 18),
    packed(21, "IQ3_S", 256, 110),
    packed(22, "IQ2_S", 256, 82),
    packed(23, "IQ4_XS", 256, 136),
    plain(24, "I8", 1, DType::I8),
    plain(25, "I16", 2, DType::I16),
    plain(26, "I32", 4, DType::I32),
    plain(27, "I64", 8, DType::I64),
    plain(28, "F64", 8, DType::F64),
    packed(29, "IQ1_M", 256, 56),
    plain(30, "BF16", 2, DType::BF16),
    packed(34, "TQ1_0", 256, 54),
    packed(35, "TQ2_0", 256, 66),
    packed(39, "MXFP4", 32, 17),
    packed(40, "NVFP4", 64, 36),
    packed(41, "Q1_0", 128, 18),
];

impl Block {
    pub(super) fn of(kind: u32) -> Option<Self> {
        BLOCKS.into_iter().find(|block| block.kind == kind)
    }

    pub(super) fn is_quantized(&self) -> bool {
        self.dtype.is_none()
    }

    /// Whether [`dequantize`] knows the type.
    pub(super) fn is_decoded(&self) -> bool {
        matches!(self.kind, Q4_0 | Q8_0)
    }
}

/// Blocks of `Q4_0` or `Q8_0` as floats: a 16-bit scale, then 32 numbers. `Q4_0` has the first 16 in
/// the low halves of its bytes and the others in the high halves, with 8 for zero.
///
/// # Panics
/// For other types.
pub(super) fn dequantize(block: &Block, bytes: &[u8], dtype: DType) -> Result<Vec<u8>, Error> {
    let width = dtype.bits() / 8;
    let count = bytes.len() / block.size * block.len;
    let mut out = zeroed((count * width) as u64, "floats")?;
    let targets = out.chunks_exact_mut(block.len * width);
    for (source, target) in bytes.chunks_exact(block.size).zip(targets) {
        let (scale, packed) = source.split_at(2);
        let scale = f16::from_le_bytes([scale[0], scale[1]]).to_f32();
        let mut put = |at: usize, number: i8| {
            let value = scale * f32::from(number);
            let place = &mut target[at * width..(at + 1) * width];
            match dtype {
                DType::F16 => place.copy_from_slice(&f16::from_f32(value).to_le_bytes()),
                _ => place.copy_from_slice(&value.to_le_bytes()),
            }
        };
        match block.kind {
            Q8_0 => {
                let numbers = packed.iter().enumerate();
                numbers.for_each(|(at, &byte)| put(at, byte.cast_signed()));
            }
            Q4_0 => {
                for (at, &byte) in packed.iter().enumerate() {
                    put(at, (byte & 0x0F).cast_signed() - 8);
                    put(at + block.len / 2, (byte >> 4).cast_signed() - 8);
                }
            }
            _ => unreachable!("`is_decoded` is asked first"),
        }
    }
    Ok(out)
}
