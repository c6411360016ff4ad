//! Mutations that know what a safetensors header is made of, so that most of them get past the JSON
//! and reach the rules behind it.

use super::mutate::Rng;

/// Changes one to three tokens of a header: numbers, names, types, keys, blanks; repeats or drops
/// members; swaps offsets.
pub fn mutate_header(header: &str, rng: &mut Rng) -> String {
    let mut tokens = tokens(header);
    for _ in 0..=rng.below(3) {
        if tokens.is_empty() {
            break;
        }
        change(&mut tokens, rng);
    }
    tokens.concat()
}

fn change(tokens: &mut Vec<String>, rng: &mut Rng) {
    match rng.below(12) {
        0 | 1 => replace(tokens, is_number, rng, number),
        2 => swap(tokens, is_number, rng),
        3 => swap(tokens, is_string, rng),
        4 => replace(tokens, is_string, rng, |_, rng| pick(&NAMES, rng)),
        5 => replace(tokens, is_string, rng, escaped),
        6 => copy(tokens, rng),
        7 => repeat_member(tokens, rng),
        8 => drop_member(tokens, rng),
        9 => {
            let at = rng.below(tokens.len());
            tokens.insert(at, pick(&BLANKS, rng));
        }
        10 => replace(tokens, |_| true, rng, |_, rng| pick(&VALUES, rng)),
        _ => {
            let at = rng.below(tokens.len());
            drop(tokens.remove(at));
        }
    }
}

fn number(old: &str, rng: &mut Rng) -> String {
    match (rng.below(3), old.parse::<u64>()) {
        (0, Ok(number)) => number.wrapping_add(1).to_string(),
        (1, Ok(number)) => number.wrapping_sub(1).to_string(),
        _ => pick(&NUMBERS, rng),
    }
}

/// The same string with a character as an escape, now and then a broken one.
fn escaped(old: &str, rng: &mut Rng) -> String {
    let inner: Vec<char> = old.trim_matches('"').chars().collect();
    let at = rng.below(inner.len() + 1);
    let mut out = String::from("\"");
    for (place, &character) in inner.iter().enumerate() {
        if place == at {
            let code = u32::from(character);
            let escape = match rng.below(4) {
                0 => pick(&ESCAPES, rng),
                _ if code < 0x1_0000 => format!("\\u{code:04x}"),
                _ => String::from(character),
            };
            out.push_str(&escape);
        } else {
            out.push(character);
        }
    }
    out.push('"');
    out
}

/// One string takes the place of another: keys that stand twice, types of other tensors.
fn copy(tokens: &mut [String], rng: &mut Rng) {
    if let (Some(from), Some(to)) = (find(tokens, is_string, rng), find(tokens, is_string, rng)) {
        let copy = tokens[from].clone();
        tokens[to] = copy;
    }
}

fn repeat_member(tokens: &mut Vec<String>, rng: &mut Rng) {
    if let Some((start, end)) = member(tokens, rng) {
        let mut piece = tokens[start..end].to_vec();
        piece.push(String::from(","));
        tokens.splice(start..start, piece);
    }
}

fn drop_member(tokens: &mut Vec<String>, rng: &mut Rng) {
    if let Some((start, end)) = member(tokens, rng) {
        let comma = usize::from(tokens.get(end).is_some_and(|token| token == ","));
        tokens.drain(start..end + comma);
    }
}

/// The tokens of a `"key": value`.
fn member(tokens: &[String], rng: &mut Rng) -> Option<(usize, usize)> {
    let colon = find(tokens, |token| token == ":", rng)?;
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(colon + 1) {
        match token.as_str() {
            "{" | "[" => depth += 1,
            "}" | "]" | "," if depth == 0 => return Some((colon.checked_sub(1)?, at)),
            "}" | "]" => depth -= 1,
            _ => (),
        }
    }
    None
}

fn swap(tokens: &mut [String], kind: fn(&str) -> bool, rng: &mut Rng) {
    if let (Some(one), Some(other)) = (find(tokens, kind, rng), find(tokens, kind, rng)) {
        tokens.swap(one, other);
    }
}

fn replace(
    tokens: &mut [String],
    kind: fn(&str) -> bool,
    rng: &mut Rng,
    change: fn(&str, &mut Rng) -> String,
) {
    if let Some(at) = find(tokens, kind, rng) {
        tokens[at] = change(&tokens[at], rng);
    }
}

fn find(tokens: &[String], kind: fn(&str) -> bool, rng: &mut Rng) -> Option<usize> {
    let found: Vec<usize> = (0..tokens.len()).filter(|&at| kind(&tokens[at])).collect();
    (!found.is_empty()).then(|| found[rng.below(found.len())])
}

fn pick(list: &[&str], rng: &mut Rng) -> String {
    list[rng.below(list.len())].to_owned()
}

fn is_number(token: &str) -> bool {
    token.starts_with(|first: char| first.is_ascii_digit() || first == '-')
}

fn is_string(token: &str) -> bool {
    token.starts_with('"')
}

/// Strings, runs of other characters between punctuation, and each punctuation mark alone.
fn tokens(header: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    let mut open = false;
    let mut quoted = false;
    let mut skip = false;
    for character in header.chars() {
        let mark = !quoted && "{}[],:\"".contains(character);
        match tokens.last_mut() {
            Some(last) if open && !mark => last.push(character),
            _ => tokens.push(String::from(character)),
        }
        let closes = quoted && !skip && character == '"';
        skip = quoted && !skip && character == '\\';
        quoted = if quoted { !closes } else { character == '"' };
        open = quoted || !(mark || closes);
    }
    tokens
}

const NUMBERS: [&str; 24] = [
    "0",
    "1",
    "2",
    "3",
    "4",
    "7",
    "8",
    "16",
    "255",
    "4294967295",
    "4294967296",
    "9223372036854775807",
    "9223372036854775808",
    "9999999999999999999",
    "10000000000000000000",
    "18446744073709551615",
    "18446744073709551616",
    "-1",
    "-0",
    "00",
    "01",
    "1.0",
    "1e1",
    "0x1",
];

const NAMES: [&str; 20] = [
    "\"\"",
    "\"a\"",
    "\"b\"",
    "\"__metadata__\"",
    "\"dtype\"",
    "\"shape\"",
    "\"data_offsets\"",
    "\"F32\"",
    "\"U8\"",
    "\"BOOL\"",
    "\"F4\"",
    "\"F6_E2M3\"",
    "\"BF16\"",
    "\"I64\"",
    "\"f32\"",
    "\"F128\"",
    "\"\u{e9}\"",
    "\"\\u0000\"",
    "\"\u{0}\"",
    "\"a\nb\"",
];

const VALUES: [&str; 14] = [
    "null",
    "true",
    "[]",
    "{}",
    "\"x\"",
    "1",
    "[1,2]",
    "{\"x\":[1.5,{}]}",
    "[\"U8\",[1],[0,1]]",
    "{\"U8\":null}",
    ",",
    ":",
    "}",
    "nul",
];

const ESCAPES: [&str; 9] = [
    "\\n",
    "\\\"",
    "\\\\",
    "\\/",
    "\\u0000",
    "\\ud800",
    "\\ud83d\\ude00",
    "\\x",
    "\\u12",
];

const BLANKS: [&str; 6] = [" ", "\t", "\n", "\r\n", "\u{b}", "\u{a0}"];
