//! Every value comes back, on every instruction set; what is broken is refused by all alike.

use proptest::prelude::*;

use super::block::{BLOCK_LEN, Format, HEAD_SIZE, SYMBOLS};
use super::decode::Blocks;
use super::encode::Plan;
use super::isa::Isa;
use crate::SafeTensorError;
use crate::pieces::Pieces;

const FORMATS: [Format; 2] = [Format::Bf16, Format::F16];

fn isas() -> impl Iterator<Item = Isa> {
    ["portable", "avx2"].into_iter().filter_map(Isa::named)
}

fn bytes_of(values: impl IntoIterator<Item = u16>) -> Vec<u8> {
    values.into_iter().flat_map(u16::to_le_bytes).collect()
}

fn pack(format: Format, bytes: &[u8], threads: usize) -> Vec<u8> {
    let plan = Plan::new(format, bytes, threads);
    let packed = plan.pack(bytes, threads).unwrap();
    assert_eq!(packed.len(), plan.size());
    packed
}

fn blocks(format: Format, len: usize, packed: &[u8]) -> Result<Blocks<'_>, SafeTensorError> {
    Blocks::read("t", format, len, Pieces::Borrowed(packed))
}

fn unpack(format: Format, len: usize, packed: &[u8], isa: Isa) -> Result<Vec<u8>, String> {
    let mut bytes = vec![0xEE; 2 * len];
    let unpacked = blocks(format, len, packed)
        .and_then(|blocks| blocks.unpack(0..len, &mut bytes, isa, 1))
        .map_err(|error| error.to_string());
    unpacked.map(|()| bytes)
}

/// Packs, unpacks with every instruction set, and gives the packed bytes.
fn check(format: Format, values: impl IntoIterator<Item = u16>) -> Vec<u8> {
    let bytes = bytes_of(values);
    let packed = pack(format, &bytes, 1);
    for isa in isas() {
        let again = unpack(format, bytes.len() / 2, &packed, isa);
        assert!(
            again.as_ref() == Ok(&bytes),
            "{format:?} {isa:?} {:?}",
            again.err()
        );
    }
    packed
}

/// Values whose exponents are as those of weights: each half as frequent as the one before.
fn weights(len: usize, seed: u64) -> Vec<u16> {
    let mut state = seed;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        state >> 32
    };
    (0..len)
        .map(|_| (120_u16 - next().trailing_zeros().min(40) as u16) << 7 | next() as u16 & 0x807F)
        .collect()
}

#[test]
fn every_16_bit_pattern_comes_back() {
    for format in FORMATS {
        check(format, 0..=u16::MAX);
        check(format, (0..=u16::MAX).map(|value| value.rotate_left(9)));
    }
}

#[test]
fn every_length_comes_back() {
    for format in FORMATS {
        for len in (0..200).chain([
            1000,
            BLOCK_LEN - 1,
            BLOCK_LEN,
            BLOCK_LEN + 1,
            3 * BLOCK_LEN + 33,
        ]) {
            check(format, weights(len, 7));
            check(format, std::iter::repeat_n(0x7FC1, len));
        }
    }
}

#[test]
fn a_constant_takes_little_more_than_its_lower_byte() {
    let packed = check(Format::Bf16, [0x3F80; BLOCK_LEN]);
    assert_eq!(packed.len(), 2 + HEAD_SIZE + BLOCK_LEN + BLOCK_LEN / 4);
}

#[test]
fn noise_takes_little_more_than_its_bytes() {
    let noise = |seed: u64| {
        weights(3 * BLOCK_LEN, seed)
            .into_iter()
            .zip(weights(3 * BLOCK_LEN, seed + 1))
    };
    let noise = noise(1).map(|(a, b)| (a ^ b.rotate_left(8)).wrapping_mul(40_503));
    assert!(check(Format::F16, noise).len() <= 2 * 3 * BLOCK_LEN + 3 * 2);
}

#[test]
fn weights_pack_to_67_percent() {
    // Gaussian (Box and Muller), rows of 2048 with log-normal scales around 0.7 / sqrt(2048).
    let mut state = 1_u64;
    let mut uniform = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((state >> 40) as f64 + 0.5) / f64::from(1 << 24)
    };
    let mut normal = || (-2.0 * uniform().ln()).sqrt() * (std::f64::consts::TAU * uniform()).cos();
    let values = (0..256).flat_map(|_| {
        let scale = 0.7 / 2048_f64.sqrt() * (0.25 * normal()).exp();
        let row: Vec<_> = (0..2048).map(|_| (normal() * scale) as f32).collect();
        row.into_iter()
            .map(|weight| (weight.to_bits() >> 16) as u16)
    });
    let packed = check(Format::Bf16, values.collect::<Vec<_>>());
    assert!(
        packed.len() * 100 <= 67 * 2 * 256 * 2048,
        "{}",
        packed.len()
    );
}

#[test]
fn threads_change_neither_packed_nor_unpacked_bytes() {
    let bytes = bytes_of(weights(300 * BLOCK_LEN + 5, 11));
    let packed = pack(Format::Bf16, &bytes, 1);
    assert!(packed == pack(Format::Bf16, &bytes, 3));
    for threads in 1..5 {
        let blocks = self::blocks(Format::Bf16, bytes.len() / 2, &packed).unwrap();
        let mut again = vec![0; bytes.len()];
        blocks
            .unpack(0..bytes.len() / 2, &mut again, Isa::detect(), threads)
            .unwrap();
        assert!(again == bytes);
    }
}

#[test]
fn values_that_change_between_the_passes_are_noticed() {
    let bytes = bytes_of(weights(BLOCK_LEN, 1));
    let plan = Plan::new(Format::Bf16, &bytes, 1);
    assert_eq!(plan.pack(&bytes_of([0xFFFF; BLOCK_LEN]), 1), None);
}

const FAULT_LEN: usize = 256;

/// What is wrong with a tensor of one packed block after a change.
fn fault(change: impl Fn(&mut Vec<u8>)) -> String {
    let values = weights(FAULT_LEN, 5).into_iter().map(|value| value << 3);
    let mut packed = check(Format::F16, values);
    assert!(packed.len() < 2 * FAULT_LEN);
    change(&mut packed);
    let mut faults = isas().map(|isa| unpack(Format::F16, FAULT_LEN, &packed, isa).unwrap_err());
    let fault = faults.next().unwrap();
    assert!(faults.all(|other| other == fault));
    fault
}

type Change<'a> = &'a dyn Fn(&mut Vec<u8>);

#[test]
fn broken_tensors_are_refused_in_words() {
    let counts = 2 + SYMBOLS;
    let extra = FAULT_LEN / 32 * 12;
    let digits = 2 + HEAD_SIZE + FAULT_LEN + extra;
    let set = |at: usize, value: u16| {
        move |packed: &mut Vec<u8>| packed[at..at + 2].copy_from_slice(&value.to_le_bytes())
    };
    let cases: [(&str, Change<'_>); 9] = [
        ("1 bytes do not hold the directory of 1 blocks", &|packed| {
            packed.truncate(1);
        }),
        ("block 0 of 256 values has 255 bytes", &set(0, 255)),
        ("block 0 of 256 values has 513 bytes", &set(0, 513)),
        ("bytes in all are in", &|packed| packed.push(0)),
        (
            "block 0: a level has more values than the one before it",
            &set(counts, 257),
        ),
        (
            "block 0: a level has more values than the one before it",
            &set(counts + 2, 256),
        ),
        (
            "block 0: its size is not the one that its levels ask for",
            &|packed| {
                packed[0] += 1;
                packed.push(0);
            },
        ),
        (
            "block 0: a symbol has bits behind the exponent",
            &|packed| packed[2] |= 1,
        ),
        ("block 0: a level does not have as many values", &|packed| {
            packed[digits] = 0xFF;
        }),
    ];
    for (words, change) in cases {
        let fault = fault(change);
        assert!(fault.contains(words), "{fault}");
    }
}

#[test]
fn a_shape_larger_than_the_file_takes_no_memory() {
    assert!(blocks(Format::Bf16, usize::MAX / 2, &[0; 100]).is_err());
    assert!(blocks(Format::Bf16, usize::MAX, &[]).is_err());
}

proptest! {
    #[test]
    fn any_values_come_back(
        values in prop::collection::vec(any::<u16>(), 0..1000),
        mask in any::<u16>(),
        base in any::<u16>(),
    ) {
        for format in FORMATS {
            check(format, values.iter().copied());
            // Fewer bits vary, so that blocks are packed and not kept as they are.
            check(format, values.iter().map(|value| (value & mask) ^ base));
        }
    }

    #[test]
    fn any_part_comes_back(len in 1..4 * BLOCK_LEN, from in 0.0..1.0, to in 0.0..1.0) {
        let bytes = bytes_of(weights(len, len as u64));
        let packed = pack(Format::Bf16, &bytes, 1);
        let at = |part: f64| (part * len as f64) as usize;
        let (start, end) = (at(from).min(at(to)), at(from).max(at(to)));
        let mut part = vec![0; 2 * (end - start)];
        let blocks = self::blocks(Format::Bf16, len, &packed).unwrap();
        blocks.unpack(start..end, &mut part, Isa::detect(), 1).unwrap();
        prop_assert!(part == bytes[2 * start..2 * end]);
    }

    #[test]
    fn instruction_sets_agree_on_broken_blocks(
        len in 1..700_usize,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
    ) {
        for format in FORMATS {
            let mut packed = pack(format, &bytes_of(weights(len, 9)), 1);
            for (at, byte) in &changes {
                let at = at.index(packed.len());
                packed[at] = *byte;
            }
            let mut results = isas().map(|isa| unpack(format, len, &packed, isa));
            let first = results.next().unwrap();
            results.for_each(|result| assert!(result == first));
        }
    }
}
