//! The hashes that an index of MDS may give of its files.

use std::collections::BTreeMap;

use sha2::Digest as _;
use xxhash_rust::{xxh3, xxh64};

use crate::Error;

/// The hashes of a file as it is stored, and when it is unpacked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hashes {
    pub(crate) packed: Digests,
    pub(crate) plain: Digests,
}

/// Digests by their names, in hexadecimal digits.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(transparent)]
pub(crate) struct Digests(BTreeMap<String, String>);

impl Digests {
    /// Checks those that are known; the names are those of Python's `hashlib` and `xxhash`.
    pub(crate) fn check(&self, bytes: &[u8]) -> Result<(), Error> {
        for (name, wanted) in &self.0 {
            let Some(found) = digest(name, bytes) else {
                continue;
            };
            if !wanted.eq_ignore_ascii_case(&found) {
                let message = format!("its {name} is {found}, and {wanted} by the index");
                return Err(Error::corrupt(message).with_hint("fetch the file again"));
            }
        }
        Ok(())
    }
}

fn digest(name: &str, bytes: &[u8]) -> Option<String> {
    let hexadecimal = |digest: &[u8]| {
        let digits = digest.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        let digits = digits.filter_map(|digit| char::from_digit(u32::from(digit), 16));
        digits.collect()
    };
    Some(match name {
        "xxh64" => format!("{:016x}", xxh64::xxh64(bytes, 0)),
        "xxh3_64" => format!("{:016x}", xxh3::xxh3_64(bytes)),
        "xxh128" | "xxh3_128" => format!("{:032x}", xxh3::xxh3_128(bytes)),
        "sha1" => hexadecimal(&sha1::Sha1::digest(bytes)),
        "sha256" => hexadecimal(&sha2::Sha256::digest(bytes)),
        "sha512" => hexadecimal(&sha2::Sha512::digest(bytes)),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_python() {
        // hashlib of CPython 3.11 and xxhash 3.6 of b"abc".
        for (name, wanted) in [
            ("xxh64", "44bc2cf5ad770999"),
            ("xxh3_64", "78af5f94892f3950"),
            ("xxh128", "06b05ab6733a618578af5f94892f3950"),
            ("sha1", "a9993e364706816aba3e25717850c26c9cd0d89d"),
            (
                "sha256",
                "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            ),
        ] {
            assert_eq!(digest(name, b"abc").as_deref(), Some(wanted), "{name}");
        }
        assert_eq!(digest("crc32", b"abc"), None);
    }
}
