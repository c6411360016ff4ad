//! Bytes that are almost UTF-8, made whole.

use std::ops::RangeInclusive;

/// The bytes that may stand at one place.
type Set = &'static [RangeInclusive<u8>];

const CONTINUES: Set = &[0x80..=0xBF];
/// A byte that continues a character, but for those that became other text.
const MIDDLE: Set = &[0x80..=0x84, 0x86..=0x9F, 0xA1..=0xBF];
const BLANK: Set = &[b' '..=b' '];
const LOST: Set = &[0x1A..=0x1A];
const LOST_OR_MARK: Set = &[0x1A..=0x1A, b'?'..=b'?'];
const LOST_OR_CONTINUES: Set = &[0x1A..=0x1A, 0x80..=0xBF];
const ANY: Set = &[0x1A..=0x1A, b'?'..=b'?', 0x80..=0xBF];
const HIGH: [Set; 2] = [&[0xED..=0xED], &[0xA0..=0xAF]];
const LOW: [Set; 2] = [&[0xED..=0xED], &[0xB0..=0xBF]];
const THREE: Set = &[0xE0..=0xEF];
const FOUR: Set = &[0xF0..=0xF4];
const F0: Set = &[0xF0..=0xF0];

/// UTF-8 in which a byte A0 became a blank, where the character is a likely one.
const ALTERED: [&[Set]; 6] = [
    &[
        &[
            0xC2..=0xC3,
            0xC5..=0xC5,
            0xCE..=0xCE,
            0xD0..=0xD0,
            0xD9..=0xD9,
        ],
        BLANK,
    ],
    &[&[0xE2..=0xE3], BLANK, MIDDLE],
    &[&[0xE0..=0xE3], MIDDLE, BLANK],
    &[F0, BLANK, CONTINUES, CONTINUES],
    &[F0, CONTINUES, BLANK, CONTINUES],
    &[F0, CONTINUES, CONTINUES, BLANK],
];

/// UTF-8 and CESU-8 in which a byte got lost.
const LOSSY: [&[Set]; 10] = [
    &[&[0xC2..=0xDF], LOST],
    &[&[0xC2..=0xC3], &[b'?'..=b'?']],
    &[HIGH[0], HIGH[1], LOST_OR_MARK, LOW[0], LOW[1], ANY],
    &[HIGH[0], HIGH[1], ANY, LOW[0], LOW[1], LOST_OR_MARK],
    &[THREE, LOST_OR_MARK, LOST_OR_CONTINUES],
    &[THREE, LOST_OR_CONTINUES, LOST_OR_MARK],
    &[FOUR, LOST_OR_MARK, LOST_OR_CONTINUES, LOST_OR_CONTINUES],
    &[FOUR, LOST_OR_CONTINUES, LOST_OR_MARK, LOST_OR_CONTINUES],
    &[FOUR, LOST_OR_CONTINUES, LOST_OR_CONTINUES, LOST_OR_MARK],
    &[LOST],
];

/// The size of the first of `runs` that `bytes` begin with.
fn starts(runs: &[&[Set]], bytes: &[u8]) -> Option<usize> {
    let is_run = |run: &&&[Set]| {
        let is_in = |(set, byte): (&Set, &u8)| set.iter().any(|range| range.contains(byte));
        bytes.len() >= run.len() && run.iter().zip(bytes).all(is_in)
    };
    runs.iter().find(is_run).map(|run| run.len())
}

/// Makes blanks A0 again where that gives UTF-8, if there is such a place.
pub(super) fn restore_blanks(bytes: &mut Vec<u8>) {
    let has_place = (0..bytes.len()).any(|at| starts(&ALTERED, &bytes[at..]).is_some());
    if !has_place {
        return;
    }
    restore_a_grave(bytes);
    let mut at = 0;
    while at < bytes.len() {
        let size = starts(&ALTERED, &bytes[at..]).unwrap_or(0);
        for byte in &mut bytes[at..at + size] {
            if *byte == b' ' {
                *byte = 0xA0;
            }
        }
        at += size.max(1);
    }
}

/// The word `à` of French and others, less the words that begin with it in Portuguese and Italian.
fn restore_a_grave(bytes: &mut Vec<u8>) {
    let endings: [&[u8]; 5] = [b" ", b"quele", b"quela", b"quilo", b"s "];
    let (mut new, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while let Some(found) = memchr::memmem::find(&bytes[at..], b"\xC3 ") {
        let end = at + found + 2;
        new.extend_from_slice(&bytes[at..end - 1]);
        let is_begun = endings
            .iter()
            .any(|ending| bytes[end..].starts_with(ending));
        if !is_begun {
            new.push(0xA0);
        }
        new.push(b' ');
        at = end;
    }
    new.extend_from_slice(&bytes[at..]);
    *bytes = new;
}

/// Puts U+FFFD for characters that lost a byte.
pub(super) fn replace_lossy(bytes: &mut Vec<u8>) {
    if !bytes.iter().any(|byte| matches!(byte, 0x1A | b'?')) {
        return;
    }
    let (mut new, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while at < bytes.len() {
        if let Some(size) = starts(&LOSSY, &bytes[at..]) {
            new.extend_from_slice("\u{FFFD}".as_bytes());
            at += size;
        } else {
            new.push(bytes[at]);
            at += 1;
        }
    }
    *bytes = new;
}

/// Decodes UTF-8 in which characters beyond U+FFFF may be pairs of surrogates (CESU-8) and U+0 may be
/// C0 80, as Java writes them.
pub(super) fn decode(bytes: Vec<u8>) -> Option<String> {
    if !bytes.iter().any(|byte| matches!(byte, 0xED | 0xC0)) {
        return String::from_utf8(bytes).ok();
    }
    let (mut new, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while at < bytes.len() {
        match bytes[at..] {
            [0xC0, 0x80, ..] => {
                new.push(0);
                at += 2;
            }
            [
                0xED,
                a @ 0xA0..=0xAF,
                b @ 0x80..=0xBF,
                0xED,
                c @ 0xB0..=0xBF,
                d @ 0x80..=0xBF,
                ..,
            ] => {
                let [a, b, c, d] = [a & 0x0F, b & 0x3F, c & 0x0F, d & 0x3F].map(u32::from);
                let code = 0x10000 + (a << 16) + (b << 10) + (c << 6) + d;
                let c = char::from_u32(code)?;
                new.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                at += 6;
            }
            _ => {
                new.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8(new).ok()
}
