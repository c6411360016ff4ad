//! The parts of one block: where they lie, and that they fit.

/// Values in a block; only a tensor's last block may have fewer.
pub(super) const BLOCK_LEN: usize = 8192;

/// Values whose digits lie together.
pub(super) const GROUP_LEN: usize = 32;

/// The digits of one group: two bits a value.
pub(super) const DIGITS_SIZE: usize = GROUP_LEN / 4;

/// The third extra bit of each value of one group.
pub(super) const BITS_SIZE: usize = GROUP_LEN / 8;

/// Digits that a symbol has at most, before it is stored as a byte.
pub(super) const LEVELS: usize = 4;

/// Digits 0, 1 and 2 name a symbol of the level; this one sends to the next level.
pub(super) const ESCAPE: u8 = 3;

/// Symbols that have a code of their own.
pub(super) const SYMBOLS: usize = LEVELS * ESCAPE as usize;

/// The symbols, and how many values reach the second level and those after it.
pub(super) const HEAD_SIZE: usize = SYMBOLS + 2 * LEVELS;

/// Bytes with room for the symbols of a whole block.
pub(super) type Symbols = [u8; BLOCK_LEN];

/// Which 16-bit floats are packed. Both are rotated left by one bit first, so that the sign is
/// the last bit and the exponent comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// Exponent of 8 bits: it is the upper byte.
    Bf16,
    /// Exponent of 5 bits: the upper byte ends with 3 extra bits, which are stored as they are.
    F16,
}

impl Format {
    /// The bits of the upper byte that are exponent.
    pub(super) const fn symbol_mask(self) -> u8 {
        match self {
            Self::Bf16 => 0xFF,
            Self::F16 => 0xF8,
        }
    }

    /// The size of a packed block of `counts[0]` values, of which `counts[k]` reach level `k + 1`
    /// and the last ones are stored as bytes.
    pub(super) fn block_size(self, counts: &[usize; LEVELS + 1]) -> usize {
        let groups = counts[0].div_ceil(GROUP_LEN);
        let extra = match self {
            Self::Bf16 => 0,
            Self::F16 => groups * (DIGITS_SIZE + BITS_SIZE),
        };
        let digits: usize = counts[..LEVELS]
            .iter()
            .map(|count| count.div_ceil(GROUP_LEN) * DIGITS_SIZE)
            .sum();
        HEAD_SIZE + counts[0] + extra + digits + counts[LEVELS]
    }
}

/// The parts of a packed block, none of which reaches out of it.
pub(super) struct Sections<'a> {
    pub(super) symbols: [u8; SYMBOLS],
    pub(super) counts: [usize; LEVELS + 1],
    pub(super) low: &'a [u8],
    pub(super) pairs: &'a [[u8; DIGITS_SIZE]],
    pub(super) bits: &'a [[u8; BITS_SIZE]],
    pub(super) digits: [&'a [[u8; DIGITS_SIZE]]; LEVELS],
    pub(super) rest: &'a [u8],
}

impl<'a> Sections<'a> {
    /// Splits a block of `len` values, which are at most [`BLOCK_LEN`].
    pub(super) fn split(format: Format, len: usize, block: &'a [u8]) -> Result<Self, &'static str> {
        let (head, mut body) = block
            .split_first_chunk::<HEAD_SIZE>()
            .ok_or("it is smaller than its head")?;
        let mut symbols = [0; SYMBOLS];
        symbols.copy_from_slice(&head[..SYMBOLS]);
        let mut counts = [len; LEVELS + 1];
        for (count, bytes) in counts[1..].iter_mut().zip(head[SYMBOLS..].as_chunks().0) {
            *count = usize::from(u16::from_le_bytes(*bytes));
        }
        if !counts.is_sorted_by(|more, fewer| more >= fewer) {
            return Err("a level has more values than the one before it");
        }
        if format.block_size(&counts) != block.len() {
            return Err("its size is not the one that its levels ask for");
        }
        // From here on every part is there, since the sizes add up.
        let mut take = |size: usize| {
            let (part, rest) = body.split_at(size);
            body = rest;
            part
        };
        let groups = len.div_ceil(GROUP_LEN);
        let extra = if format == Format::F16 { groups } else { 0 };
        let low = take(len);
        let pairs = take(extra * DIGITS_SIZE).as_chunks().0;
        let bits = take(extra * BITS_SIZE).as_chunks().0;
        let digits = std::array::from_fn(|level| {
            take(counts[level].div_ceil(GROUP_LEN) * DIGITS_SIZE)
                .as_chunks()
                .0
        });
        let rest = take(counts[LEVELS]);
        let odd = !format.symbol_mask();
        if symbols.iter().chain(rest).any(|symbol| symbol & odd != 0) {
            return Err("a symbol has bits behind the exponent");
        }
        Ok(Self {
            symbols,
            counts,
            low,
            pairs,
            bits,
            digits,
            rest,
        })
    }

    /// The three symbols of a level, which counts from 0.
    pub(super) fn symbols_of(&self, level: usize) -> [u8; 3] {
        let at = level * usize::from(ESCAPE);
        [self.symbols[at], self.symbols[at + 1], self.symbols[at + 2]]
    }
}
