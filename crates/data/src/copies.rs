//! What documents are compared by.

use arrow_array::StringArray;
use xxhash_rust::xxh3::xxh3_128;

/// XXH3-128 of each document, with every run of white space as one space if it is to be ignored. Two
/// different documents collide with a chance of 2⁻¹²⁸ a pair: among 10⁹ of them, about 10⁻²¹.
pub(crate) fn hashes(texts: &StringArray, ignore_space: bool) -> Vec<u128> {
    let mut normalised = String::new();
    let hash = |text: Option<&str>| {
        let text = text.unwrap_or_default();
        if !ignore_space {
            return xxh3_128(text.as_bytes());
        }
        normalised.clear();
        for word in text.split_whitespace() {
            normalised.push_str(word);
            normalised.push(' ');
        }
        xxh3_128(normalised.as_bytes())
    };
    texts.iter().map(hash).collect()
}
