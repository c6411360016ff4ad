//! Strings of JSON: what must be escaped in them is found a block at a time.

/// Bytes that are looked at together.
const BLOCK: usize = 32;

/// Whether there are characters below U+0020, which no string holds as they are.
pub(crate) fn has_control(text: &str) -> bool {
    let is_control = |any, byte: &u8| any | u8::from(*byte < 0x20);
    text.as_bytes().iter().fold(0, is_control) != 0
}

/// How many bytes there are before the first that must be escaped: a quote, a backslash, or a control
/// character below U+0020.
fn plain_size(bytes: &[u8]) -> usize {
    let (blocks, _) = bytes.as_chunks::<BLOCK>();
    // The comparisons of a block become a few instructions on vectors.
    let must_be = |any, byte: &u8| any | u8::from(is_special(*byte));
    let plain = blocks
        .iter()
        .take_while(|block| block.iter().fold(0, must_be) == 0);
    let from = plain.count() * BLOCK;
    let rest = &bytes[from..];
    let special = rest.iter().position(|&byte| is_special(byte));
    from + special.unwrap_or(rest.len())
}

fn is_special(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// Appends a string with its quotes, as `serde_json` does.
pub(crate) fn write_string(text: &str, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    let mut rest = text.as_bytes();
    loop {
        let (plain, special) = rest.split_at(plain_size(rest));
        out.extend_from_slice(plain);
        let Some((&byte, behind)) = special.split_first() else {
            break;
        };
        let short = match byte {
            b'"' | b'\\' => byte,
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            0x08 => b'b',
            0x0C => b'f',
            _ => b'u',
        };
        out.extend_from_slice(&[b'\\', short]);
        if short == b'u' {
            let (high, low) = (byte >> 4, byte & 15);
            let digits = [
                b'0',
                b'0',
                DIGITS[usize::from(high)],
                DIGITS[usize::from(low)],
            ];
            out.extend_from_slice(&digits);
        }
        rest = behind;
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_first_special_byte_is_found(
            bytes in proptest::collection::vec(
                prop_oneof![8 => 0x20u8..=255, 1 => any::<u8>()], 0..200,
            ),
        ) {
            let expected = bytes.iter().position(|&byte| is_special(byte));
            prop_assert_eq!(plain_size(&bytes), expected.unwrap_or(bytes.len()));
        }

        #[test]
        fn strings_are_written_as_serde_json_writes_them(text in "[\\x00-\\x7F é語😀]{0,90}") {
            let mut out = Vec::new();
            write_string(&text, &mut out);
            prop_assert_eq!(out, serde_json::to_vec(&text).unwrap());
        }
    }
}
