//! Identifiers for the header `x-amzn-RequestId`.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

/// Makes identifiers of the shape of a version 4 UUID (RFC 9562, section 5.4): unique in the
/// process, unlikely to meet those of another, not secret.
#[derive(Debug)]
pub(crate) struct RequestIds {
    seed: [u64; 2],
    next: AtomicU64,
}

impl RequestIds {
    pub(crate) fn new() -> Self {
        let random = RandomState::new();
        Self::seeded([random.hash_one(0), random.hash_one(1)])
    }

    fn seeded(seed: [u64; 2]) -> Self {
        Self {
            seed,
            next: AtomicU64::new(0),
        }
    }

    pub(crate) fn next(&self) -> String {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let high = mix(self.seed[0].wrapping_add(number));
        let low = mix(self.seed[1].wrapping_add(number));
        format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xFFFF,
            high & 0xFFF,
            0x8000 | (low >> 48) & 0x3FFF,
            low & 0xFFFF_FFFF_FFFF,
        )
    }
}

/// The finaliser of SplitMix64 (Steele, Lea, Flood 2014): a bijection, so numbers stay distinct.
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::RequestIds;

    #[test]
    fn identifiers_are_distinct_version_4_uuids() {
        let ids = RequestIds::seeded([1, 2]);
        let made: std::collections::HashSet<String> = (0..1000).map(|_| ids.next()).collect();
        assert_eq!(made.len(), 1000);
        for id in made {
            let groups: Vec<&str> = id.split('-').collect();
            assert_eq!(
                groups.iter().map(|g| g.len()).collect::<Vec<_>>(),
                [8, 4, 4, 4, 12],
                "{id}"
            );
            assert!(
                groups[2].starts_with('4') && "89ab".contains(&groups[3][..1]),
                "{id}"
            );
        }
    }
}
