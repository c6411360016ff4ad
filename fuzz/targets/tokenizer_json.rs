//! Any bytes as a tokenizer file, and a text for it: reading gives a tokenizer or an error, encoding
//! gives ids that have a token and offsets that are ordered ranges of the text.

use nexus_tokenizer::{Case, Encoding, Tokenizer, WordPiece};

/// Reads `data` as `tokenizer.json` and as `vocab.txt`, and encodes it with what results.
///
/// # Panics
/// When an id has no token, an offset is no range of the text, or ids differ from call to call.
pub fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let json = Tokenizer::from_bytes(data).ok();
    let vocab = WordPiece::from_vocab(data, Case::Lower).ok();
    for tokenizer in json.into_iter().chain(vocab.map(Tokenizer::from)) {
        let mut encoding = Encoding::default();
        tokenizer.encode_with_offsets(&text, &mut encoding);
        assert_eq!(encoding.ids.len(), encoding.offsets.len());
        for (&id, &(start, end)) in encoding.ids.iter().zip(&encoding.offsets) {
            assert!(tokenizer.token(id).is_some(), "id {id} has no token");
            assert!(
                text.get(start as usize..end as usize).is_some(),
                "{start}..{end}"
            );
        }
        assert_eq!(tokenizer.encode(&text), encoding.ids);
        tokenizer.decode(&encoding.ids);
    }
}
