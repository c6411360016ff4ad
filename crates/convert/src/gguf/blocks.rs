//! Element types of ggml: plain ones, and blocks of quantised numbers.

use half::f16;
use nexus_tensor::DType;

use super::decode::{self, Decode};
use crate::Error;
use crate::input::zeroed;

/// One type.
#[derive(Clone, Copy)]
pub(super) struct Block {
    /// The number in the file.
    kind: u32,
    /// ggml's name.
    pub(super) name: &'static str,
    /// How many elements are packed together.
    pub(super) len: usize,
    /// How many bytes they take.
    pub(super) size: usize,
    pub(super) elements: Elements,
}

/// What a block holds.
#[derive(Clone, Copy)]
pub(super) enum Elements {
    /// Numbers of a type that is known here.
    Plain(DType),
    /// Quantised numbers, and what turns them into floats, where that is known here.
    Quantized(Option<Decode>),
}

const fn plain(kind: u32, name: &'static str, size: usize, dtype: DType) -> Block {
    let elements = Elements::Plain(dtype);
    block(kind, name, (1, size), elements)
}

const fn packed(
    kind: u32,
    name: &'static str,
    sizes: (usize, usize),
    decode: Option<Decode>,
) -> Block {
    block(kind, name, sizes, Elements::Quantized(decode))
}

const fn block(
    kind: u32,
    name: &'static str,
    (len, size): (usize, usize),
    elements: Elements,
) -> Block {
    Block {
        kind,
        name,
        len,
        size,
        elements,
    }
}

/// `ggml_type` and its sizes, from `ggml/src/ggml-common.h`.
const BLOCKS: [Block; 34] = [
    plain(0, "F32", 4, DType::F32),
    plain(1, "F16", 2, DType::F16),
    packed(2, "Q4_0", (32, 18), Some(decode::q4_0)),
    packed(3, "Q4_1", (32, 20), Some(decode::q4_1)),
    packed(6, "Q5_0", (32, 22), Some(decode::q5_0)),
    packed(7, "Q5_1", (32, 24), Some(decode::q5_1)),
    packed(8, "Q8_0", (32, 34), Some(decode::q8_0)),
    packed(9, "Q8_1", (32, 36), None),
    packed(10, "Q2_K", (256, 84), Some(decode::q2_k)),
    packed(11, "Q3_K", (256, 110), Some(decode::q3_k)),
    packed(12, "Q4_K", (256, 144), Some(decode::q4_k)),
    packed(13, "Q5_K", (256, 176), Some(decode::q5_k)),
    packed(14, "Q6_K", (256, 210), Some(decode::q6_k)),
    packed(15, "Q8_K", (256, 292), None),
    packed(16, "IQ2_XXS", (256, 66), None),
    packed(17, "IQ2_XS", (256, 74), None),
    packed(18, "IQ3_XXS", (256, 98), None),
    packed(19, "IQ1_S", (256, 50), None),
    packed(20, "IQ4_NL", (32, 18), Some(decode::iq4_nl)),
    packed(21, "IQ3_S", (256, 110), None),
    packed(22, "IQ2_S", (256, 82), None),
    packed(23, "IQ4_XS", (256, 136), Some(decode::iq4_xs)),
    plain(24, "I8", 1, DType::I8),
    plain(25, "I16", 2, DType::I16),
    plain(26, "I32", 4, DType::I32),
    plain(27, "I64", 8, DType::I64),
    plain(28, "F64", 8, DType::F64),
    packed(29, "IQ1_M", (256, 56), None),
    plain(30, "BF16", 2, DType::BF16),
    packed(34, "TQ1_0", (256, 54), None),
    packed(35, "TQ2_0", (256, 66), None),
    packed(39, "MXFP4", (32, 17), Some(decode::mxfp4)),
    packed(40, "NVFP4", (64, 36), None),
    packed(41, "Q1_0", (128, 18), None),
];

impl Block {
    pub(super) fn of(kind: u32) -> Option<Self> {
        BLOCKS.into_iter().find(|block| block.kind == kind)
    }
}

/// Blocks of `block.size` bytes as floats of type F32 or F16.
pub(super) fn dequantize(
    block: &Block,
    decode: Decode,
    bytes: &[u8],
    dtype: DType,
) -> Result<Vec<u8>, Error> {
    let width = dtype.bits() / 8;
    let count = bytes.len() / block.size * block.len;
    let mut out = zeroed((count * width) as u64, "floats")?;
    let mut floats = vec![0.0; block.len];
    let targets = out.chunks_exact_mut(block.len * width);
    for (source, target) in bytes.chunks_exact(block.size).zip(targets) {
        decode(source, &mut floats);
        for (place, float) in target.chunks_exact_mut(width).zip(&floats) {
            match dtype {
                DType::F16 => place.copy_from_slice(&f16::from_f32(*float).to_le_bytes()),
                _ => place.copy_from_slice(&float.to_le_bytes()),
            }
        }
    }
    Ok(out)
}
