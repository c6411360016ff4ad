//! The affine family modulo the Mersenne prime 2^61 - 1, with the parameters of NumPy's `RandomState`.
//!
//! As in datatrove, `a * x + b` is computed modulo 2^64 before it is reduced modulo the prime.

const PRIME: u64 = (1 << 61) - 1;

#[derive(Clone, Debug)]
pub(crate) struct Mersenne {
    a: Vec<u64>,
    b: Vec<u64>,
}

impl Mersenne {
    pub(crate) fn new(seed: u32, len: usize) -> Self {
        let mut random = Mt19937::new(seed);
        let a = (0..len).map(|_| random.between(1)).collect();
        let b = (0..len).map(|_| random.between(0)).collect();
        Self { a, b }
    }

    /// The least value of each function.
    pub(crate) fn minima(&self, hashes: &[u64]) -> Vec<u64> {
        let mut minima = vec![u64::MAX; self.a.len()];
        for &x in hashes {
            let functions = self.a.iter().zip(&self.b);
            for (least, (&a, &b)) in minima.iter_mut().zip(functions) {
                let v = a.wrapping_mul(x).wrapping_add(b);
                let folded = (v & PRIME) + (v >> 61);
                let reduced = if folded >= PRIME {
                    folded - PRIME
                } else {
                    folded
                };
                *least = (*least).min(reduced);
            }
        }
        minima
    }
}

/// MT19937 (Matsumoto, Nishimura 1998) as NumPy's `RandomState` seeds and uses it.
struct Mt19937 {
    state: [u32; 624],
    at: usize,
}

impl Mt19937 {
    fn new(seed: u32) -> Self {
        let mut state = [seed; 624];
        for i in 1..624 {
            let previous = state[i - 1] ^ (state[i - 1] >> 30);
            state[i] = previous.wrapping_mul(1_812_433_253).wrapping_add(i as u32);
        }
        Self { state, at: 624 }
    }

    /// A uniform number of `low..PRIME`: NumPy masks 64 random bits and rejects what is too large.
    fn between(&mut self, low: u64) -> u64 {
        let range = PRIME - 1 - low;
        loop {
            let high = u64::from(self.next()) << 32;
            let value = (high | u64::from(self.next())) & PRIME;
            if value <= range {
                return low + value;
            }
        }
    }

    fn next(&mut self) -> u32 {
        if self.at == 624 {
            self.refill();
        }
        let mut y = self.state[self.at];
        self.at += 1;
        y ^= y >> 11;
        y ^= (y << 7) & 0x9D2C_5680;
        y ^= (y << 15) & 0xEFC6_0000;
        y ^ (y >> 18)
    }

    fn refill(&mut self) {
        for i in 0..624 {
            let y = (self.state[i] & 0x8000_0000) | (self.state[(i + 1) % 624] & 0x7FFF_FFFF);
            let odd = if y & 1 == 1 { 0x9908_B0DF } else { 0 };
            self.state[i] = self.state[(i + 397) % 624] ^ (y >> 1) ^ odd;
        }
        self.at = 0;
    }
}

#[cfg(test)]
mod tests {
    use crate::{Family, MinHasher, Params};
    use xxhash_rust::xxh3::xxh3_64;

    #[test]
    fn parameters_and_signatures_are_those_of_numpy() {
        // NumPy 2.4.6 and xxhash 4.1.0, by the formulas of datatrove 0.10.1.
        let mersenne = super::Mersenne::new(1, 112);
        assert_eq!(
            mersenne.a[..3],
            [
                775_169_054_918_279_404,
                1_758_426_461_858_698_313,
                2_109_959_069_025_162
            ]
        );
        assert_eq!(
            mersenne.b[..3],
            [
                1_062_448_801_025_099_917,
                1_324_811_268_927_594_100,
                1_217_488_311_597_731_462
            ]
        );
        assert_eq!(mersenne.a[111], 223_865_076_026_037_746);
        assert_eq!(mersenne.b[111], 1_097_409_548_522_419_201);

        let family = Family::Mersenne { seed: 1 };
        let mut hasher = MinHasher::new(Params {
            family,
            ..Params::default()
        })
        .unwrap();
        let text = "the quick brown fox jumps over the lazy dog";
        let signature = hasher.signature(text);
        assert_eq!(signature.values()[0], 85_330_943_174_081_874);
        assert_eq!(signature.values()[111], 3_963_570_588_256_049);
        let bytes: Vec<u8> = signature
            .values()
            .iter()
            .flat_map(|v| v.to_le_bytes())
            .collect();
        assert_eq!(xxh3_64(&bytes), 7_920_166_437_038_342_937);
        assert_eq!(hasher.document_of_tokens(text.split(' ')).0, signature);
    }
}
