//! A small seeded mutator, so that fuzz targets also run on stable in the ordinary tests.

/// SplitMix64 (Steele, Lea, Flood 2014): the same seed gives the same mutations on every machine.
pub struct Rng(pub u64);

impl Rng {
    /// The next 64 random bits.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `bound`, which is not 0.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}

/// Changes `data` in one to four places: flips, overwrites, inserts, removes, repeats or truncates.
pub fn mutate(data: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut out = data.to_vec();
    for _ in 0..=rng.below(4) {
        if out.is_empty() {
            out.push(rng.next() as u8);
            continue;
        }
        let at = rng.below(out.len());
        match rng.below(6) {
            0 => out[at] ^= 1 << rng.below(8),
            1 => out[at] = INTERESTING[rng.below(INTERESTING.len())],
            2 => out.insert(at, INTERESTING[rng.below(INTERESTING.len())]),
            3 => drop(out.remove(at)),
            4 => {
                let end = at + rng.below(out.len() - at).min(64);
                let piece = out[at..end].to_vec();
                out.splice(at..at, piece);
            }
            _ => out.truncate(at),
        }
    }
    out
}

/// Runs `target` on every file of `fuzz/corpus/<name>` and on `count` mutations of them.
///
/// # Panics
/// When the corpus is missing or empty, or when the target panics.
pub fn replay(name: &str, count: usize, target: fn(&[u8])) {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/corpus")
        .join(name);
    let mut seeds: Vec<_> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("cannot read the corpus {}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    seeds.sort();
    assert!(
        !seeds.is_empty(),
        "the corpus {} is empty",
        folder.display()
    );
    let seeds: Vec<Vec<u8>> = seeds
        .iter()
        .map(|path| std::fs::read(path).unwrap())
        .collect();
    for seed in &seeds {
        target(seed);
    }
    let mut rng = Rng(0x6E65_7875_7321);
    for _ in 0..count {
        target(&mutate(&seeds[rng.below(seeds.len())], &mut rng));
    }
}

const INTERESTING: [u8; 16] = [
    0, 1, 0x7F, 0x80, 0xFF, b'"', b'{', b'}', b'[', b']', b',', b'<', b'&', b'\\', b'\n', b'9',
];
