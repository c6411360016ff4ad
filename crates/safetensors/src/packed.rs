//! Lossless compression of BF16 and F16 tensors.
//!
//! The exponents of weights are few and far from equally frequent: they carry about 2.6 bits of
//! the 8 that BF16 gives them, while sign and mantissa look like noise. So a packed file keeps
//! sign and mantissa as they are and gives frequent exponents short codes: BF16 weights take about
//! two thirds of their size. [`pack_file`] writes such a file, [`PackedFile`] reads tensors of
//! it, [`unpack_file`] gives the original back, byte for byte.
//!
//! The observation is that of ZipNN ([arXiv 2411.05239]) and DFloat11 ([arXiv 2504.11651]), which
//! code exponents by Huffman's method. The code here is a cascade of 2-bit digits, the prefix code
//! whose words are made of whole digits: close to the same size, but decoded 32 values at a time
//! by shifts and byte shuffles, without a branch or a table that depends on the bits before.
//!
//! `cargo run --release -p nexus-safetensors --example packed_speed -- FILE` tells ratio and speed.
//!
//! # Packed format, version 1
//!
//! A packed file is a safetensors file. Every reader of those opens it, and finds in `__metadata__`
//! what it is. All numbers are little-endian.
//!
//! ## Header
//!
//! [`PACKED_KEY`] in `__metadata__` is compact JSON with these fields:
//!
//! | field | content |
//! |---|---|
//! | `version` | 1. A reader refuses any other. |
//! | `about` | A sentence for people. |
//! | `size` | The size of the original file in bytes. |
//! | `xxh3` | XXH3-64 of the original file, seed 0, 16 lower-case hexadecimal digits. |
//! | `tensors` | For each packed tensor: `codec` (`cascade`), `dtype` (`BF16` or `F16`), `shape`. |
//!
//! A tensor listed there has its own name in the packed file and is a list of U8, its *payload*.
//! All others are as in the original. A tensor that would not get smaller is not packed.
//!
//! [`PACKED_HEADER_KEY`] is the text of the original's header, blanks included. It is left out
//! where a writer would make the same one anew: as compact JSON, padded with blanks to a multiple
//! of 8, `__metadata__` first (left out when empty, else that of the packed file without the two
//! keys above and `nexus.checksums`, sorted), then the tensors by descending type and then by name,
//! each as `{"dtype":...,"shape":...,"data_offsets":...}`. The original is the size of that header
//! as 8 bytes, the header, and the bytes of the tensors in the order of their offsets.
//!
//! ## Payload
//!
//! The values of a tensor, row-major, are cut into blocks of 8192; the last one has the rest.
//! The payload is a directory, the size of each block in 2 bytes, and then the blocks. A block whose
//! size is two bytes for each value is *raw*: the values as they are. Others are smaller, but have
//! at least a byte for each value.
//!
//! ## Block
//!
//! Each value, 16 bits, is rotated left by one bit. Its lower byte ends with the sign. Its upper
//! byte is the exponent (BF16), or the exponent and 3 more bits (F16). The *symbol* of a value is
//! the upper byte, for F16 with the lower 3 bits set to 0. A block of `n` values is:
//!
//! | bytes | content |
//! |---|---|
//! | 12 | the symbols `s[0]` to `s[11]`, by falling frequency in the block; 0 where there are fewer |
//! | 8 | `c[1]` to `c[4]`, 2 bytes each; `c[0]` is `n`, and none is larger than the one before |
//! | `n` | the lower byte of each value |
//! | 8 `g(n)` | F16 only: bits 0 and 1 of each upper byte, as digits |
//! | 4 `g(n)` | F16 only: bit 2 of each upper byte, as bits |
//! | 8 `g(c[0])` | level 0: a digit for each value |
//! | 8 `g(c[1])` | level 1: a digit for each value whose digit in level 0 is 3 |
//! | 8 `g(c[2])` | level 2: likewise, for level 1 |
//! | 8 `g(c[3])` | level 3: likewise, for level 2 |
//! | `c[4]` | the symbol of each value whose digit in level 3 is 3 |
//!
//! Digit `d` below 3 in level `k` stands for the symbol `s[3 k + d]`; digit 3 sends the value to
//! the next level, where values keep their order. `g(m)` is `m / 32` rounded up: digits and bits
//! come in groups of 32, the last one filled with 0. In the 8 bytes of a group, digit `8 i + j` is
//! bits `2 i` and `2 i + 1` of byte `j`. In 4 bytes, bit `4 i + j` is bit `i` of byte `j`.
//!
//! # Limits
//!
//! A tensor of `n` values has a payload of at least `n` bytes, which is checked before memory is
//! taken: unpacking takes at most twice the size of the file. No size or count is believed before
//! it is checked; the decoder neither reads nor writes outside of what it was given.
//!
//! [arXiv 2411.05239]: https://arxiv.org/abs/2411.05239
//! [arXiv 2504.11651]: https://arxiv.org/abs/2504.11651

mod block;
mod cascade;
mod decode;
mod encode;
mod isa;
mod manifest;
mod pack;
mod simd;
mod unpack;

pub use isa::Isa;
pub use manifest::{PACKED_HEADER_KEY, PACKED_KEY, PACKED_VERSION};
pub use pack::{PackOptions, PackReport, PackedTensorReport, is_packed, pack_file};
pub use unpack::{PackedFile, unpack_file};

#[cfg(test)]
mod tests;
