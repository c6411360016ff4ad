//! GPT-2's printable alphabet: each byte is written as one character, so that tokens can stand in a
//! text file. Visible Latin-1 bytes are themselves, the others follow from U+0100 in order.

/// The number of characters before and after the alphabet's last one.
const END: usize = 0x144;

/// The byte of each character of the alphabet.
pub(crate) struct Alphabet([Option<u8>; END]);

impl Alphabet {
    pub(crate) fn new() -> Self {
        let mut bytes = [None; END];
        let mut next = 0x100;
        for byte in 0..=255u8 {
            if matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF) {
                bytes[byte as usize] = Some(byte);
            } else {
                bytes[next] = Some(byte);
                next += 1;
            }
        }
        Self(bytes)
    }

    /// Appends the bytes that `token` stands for; tells whether all its characters are in the alphabet.
    pub(crate) fn append(&self, token: &str, out: &mut Vec<u8>) -> bool {
        token.chars().all(|c| {
            let byte = self.0.get(c as usize).copied().flatten();
            out.extend(byte);
            byte.is_some()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_stand_for_the_bytes_of_gpt2() {
        let alphabet = Alphabet::new();
        for (token, bytes) in [
            ("Ġa", Some(b" a".as_slice())),
            ("Ċ", Some(b"\n")),
            ("Ã©", Some("é".as_bytes())),
            ("Ń", Some(b"\xAD")),
            ("语", None),
        ] {
            let mut out = Vec::new();
            assert_eq!(
                alphabet.append(token, &mut out).then_some(out.as_slice()),
                bytes,
                "{token}"
            );
        }
    }
}
