//! Any bytes as a rank file of tiktoken: reading gives a tokenizer or an error, and what it encodes
//! it decodes.

use nexus_tokenizer::{Tiktoken, Tokenizer};

/// Reads `data` as the ranks of each kind of encoding, and encodes it with what results.
///
/// # Panics
/// When the ids of a text do not spell it.
pub fn run(data: &[u8]) {
    for encoding in [Tiktoken::R50k, Tiktoken::Cl100k, Tiktoken::O200k] {
        if let Ok(tokenizer) = Tokenizer::from_tiktoken(data, encoding) {
            let text = String::from_utf8_lossy(data);
            assert_eq!(tokenizer.decode(&tokenizer.encode(&text)), text);
        }
    }
}
