//! E-mail and IP addresses, replaced by made-up ones.
//!
//! What is an address is said by datatrove's two regular expressions. Here each is found from its `@`
//! or its dots, so time is linear in the text, whatever it holds.

use crate::formatter::Formatter;
use crate::unicode::{Classes, WORD};
use memchr::memchr_iter;
use std::borrow::Cow;
use std::net::Ipv4Addr;
use std::ops::Range;

/// Replaces e-mail addresses and IPv4 addresses, as datatrove's `PIIFormatter` does.
///
/// Replacements take turns. [`apply`](Formatter::apply) begins with the first in each document, so that
/// documents do not depend on each other; [`apply_from`](Self::apply_from) goes on from document to
/// document, as datatrove does. What is a public address is as in Python 3.11.7.
///
/// ```
/// use nexus_text::{Formatter, PiiFormatter};
///
/// let text = PiiFormatter::default().apply("ask jo@mail.org, or 8.8.8.8, not 127.0.0.1");
/// assert_eq!(text, "ask email@example.com, or 22.214.171.124, not 127.0.0.1");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PiiFormatter {
    /// Whether e-mail addresses are replaced.
    pub remove_emails: bool,
    /// Whether IPv4 addresses are replaced.
    pub remove_ips: bool,
    /// Whether addresses of private and reserved networks stay.
    pub only_remove_public_ips: bool,
    /// What stands for e-mail addresses, in turn. If there is nothing, they are removed.
    pub email_replacement: Vec<String>,
    /// What stands for IP addresses, in turn. If there is nothing, they are removed.
    pub ip_replacement: Vec<String>,
}

/// Whose turn it is, of the replacements of a [`PiiFormatter`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PiiTurn {
    email: usize,
    ip: usize,
}

impl Default for PiiFormatter {
    fn default() -> Self {
        let owned = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        Self {
            remove_emails: true,
            remove_ips: true,
            only_remove_public_ips: true,
            email_replacement: owned(&["email@example.com", "firstname.lastname@example.org"]),
            ip_replacement: owned(&[
                "22.214.171.124",
                "126.96.36.199",
                "188.8.131.52",
                "184.108.40.206",
                "220.127.116.11",
                "18.104.22.168",
            ]),
        }
    }
}

impl Formatter for PiiFormatter {
    fn name(&self) -> &'static str {
        "pii"
    }

    fn apply<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.apply_from(text, &mut PiiTurn::default())
    }
}

impl PiiFormatter {
    /// Replaces the addresses of `text`, beginning with the replacements whose turn it is.
    pub fn apply_from<'a>(&self, text: &'a str, turn: &mut PiiTurn) -> Cow<'a, str> {
        let mut text = Cow::Borrowed(text);
        if self.remove_emails {
            let found = emails(&text);
            replace(&mut text, &found, &self.email_replacement, &mut turn.email);
        }
        if self.remove_ips {
            let found = addresses(&text, self.only_remove_public_ips);
            replace(&mut text, &found, &self.ip_replacement, &mut turn.ip);
        }
        text
    }
}

fn replace(text: &mut Cow<'_, str>, found: &[Range<usize>], by: &[String], turn: &mut usize) {
    if found.is_empty() {
        return;
    }
    let (mut new, mut end) = (String::with_capacity(text.len()), 0);
    for range in found {
        new.push_str(&text[end..range.start]);
        if !by.is_empty() {
            // The turn may be one of another formatter, with more of them.
            new.push_str(&by[*turn % by.len()]);
            *turn = (*turn + 1) % by.len();
        }
        end = range.end;
    }
    new.push_str(&text[end..]);
    *text = Cow::Owned(new);
}

/// Where e-mail addresses are: a name of atoms joined by dots, from a word boundary on; `@`; a host.
fn emails(text: &str) -> Vec<Range<usize>> {
    let (bytes, mut found) = (text.as_bytes(), Vec::new());
    let mut searched = 0;
    for at in memchr_iter(b'@', bytes) {
        if at < searched {
            continue;
        }
        let Some(start) = name_start(text, searched, at) else {
            continue;
        };
        if let Some(size) = host(&bytes[at + 1..]).or_else(|| literal(&bytes[at + 1..])) {
            searched = at + 1 + size;
            found.push(start..searched);
        }
    }
    found
}

fn is_atom(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+/=?^_`{|}~-".contains(&byte)
}

/// Where the longest name that ends at `at` begins, not before `least`.
fn name_start(text: &str, least: usize, at: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut first = at;
    // Dots stand alone, and not at the ends.
    while first > least {
        let is_dot = bytes[first - 1] == b'.' && first < at && bytes[first] != b'.';
        if !is_atom(bytes[first - 1]) && !is_dot {
            break;
        }
        first -= 1;
    }
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let is_word_before = |start: usize| {
        let before = text[..start].chars().next_back();
        before.is_some_and(|c| Classes::get().of(c) & WORD != 0)
    };
    (first..at)
        .find(|&start| bytes[start] != b'.' && is_word(bytes[start]) != is_word_before(start))
}

/// The size of the host name at the front: labels of letters, digits and inner hyphens, at least two.
fn host(bytes: &[u8]) -> Option<usize> {
    let (mut start, mut size) = (0, None);
    loop {
        let label = bytes[start..]
            .iter()
            .take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'-')
            .count();
        let label = &bytes[start..start + label];
        if !label.first().is_some_and(u8::is_ascii_alphanumeric) {
            return size;
        }
        let end = label.iter().rposition(u8::is_ascii_alphanumeric)? + 1;
        if start > 0 {
            size = Some(start + end);
        }
        if end < label.len() || bytes.get(start + end) != Some(&b'.') {
            return size;
        }
        start += end + 1;
    }
}

/// The size of the address in square brackets at the front.
fn literal(bytes: &[u8]) -> Option<usize> {
    let inner = bytes.strip_prefix(b"[")?;
    let mut start = 0;
    for _ in 0..3 {
        start += whole_octet(&inner[start..])? + 1;
    }
    let is_part = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b':');
    let end = start + inner[start..].iter().take_while(is_part).count();
    if inner.get(end) != Some(&b']') {
        return None;
    }
    let last = &inner[start..end];
    let is_name = |name: &[u8]| {
        name.last().is_some_and(u8::is_ascii_alphanumeric)
            && name
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
    };
    let is_last = is_octet(last) || last.strip_suffix(b":").is_some_and(is_name);
    is_last.then_some(end + 2)
}

/// The size of the octet at the front that a dot follows.
fn whole_octet(bytes: &[u8]) -> Option<usize> {
    let size = bytes.iter().take(4).position(|&byte| byte == b'.')?;
    is_octet(&bytes[..size]).then_some(size)
}

/// One to three digits, at most 255.
fn is_octet(digits: &[u8]) -> bool {
    digits.iter().all(u8::is_ascii_digit)
        && match digits {
            [b'2', second, third] => [*second, *third] <= *b"55" && *third <= b'9',
            [first, _, _] => *first < b'2',
            _ => !digits.is_empty() && digits.len() < 3,
        }
}

/// Where IPv4 addresses are that Python's `ipaddress` accepts.
fn addresses(text: &str, only_public: bool) -> Vec<Range<usize>> {
    let (bytes, mut found) = (text.as_bytes(), Vec::new());
    let mut searched = 0;
    for dot in memchr_iter(b'.', bytes) {
        if let Some(range) = address(bytes, searched, dot) {
            searched = range.end;
            let is_replaced = text[range.clone()]
                .parse::<Ipv4Addr>()
                .is_ok_and(|address| !only_public || is_public(address));
            if is_replaced {
                found.push(range);
            }
        }
    }
    found
}

/// The address whose first dot is `dot` and that begins not before `least`.
fn address(bytes: &[u8], least: usize, dot: usize) -> Option<Range<usize>> {
    let earliest = least.max(dot.saturating_sub(3));
    let start = (earliest..dot).find(|&start| is_octet(&bytes[start..dot]))?;
    let mut end = dot + 1;
    for _ in 0..2 {
        end += whole_octet(&bytes[end..])? + 1;
    }
    let digits = bytes[end..].iter().take(3);
    let digits = digits.take_while(|byte| byte.is_ascii_digit()).count();
    let last = (1..=digits)
        .rev()
        .find(|&size| is_octet(&bytes[end..end + size]))?;
    Some(start..end + last)
}

/// Python 3.11's `IPv4Address.is_global`.
fn is_public(address: Ipv4Addr) -> bool {
    let number = u32::from(address);
    let is_in = |network: [u8; 4], bits: u32| {
        (number ^ u32::from(Ipv4Addr::from(network))) >> (32 - bits) == 0
    };
    !(is_in([0; 4], 8)
        || address.is_private()
        || is_in([100, 64, 0, 0], 10)
        || address.is_loopback()
        || address.is_link_local()
        || is_in([192, 0, 0, 0], 29)
        || is_in([192, 0, 0, 170], 31)
        || address.is_documentation()
        || is_in([198, 18, 0, 0], 15)
        || is_in([240, 0, 0, 0], 4))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_turn_of_a_formatter_with_more_replacements_is_a_turn() {
        let (long, mut turn) = (PiiFormatter::default(), PiiTurn::default());
        long.apply_from("8.8.8.8 8.8.4.4 1.1.1.1", &mut turn);
        let short = PiiFormatter {
            ip_replacement: vec!["IP".to_owned()],
            ..long
        };
        assert_eq!(short.apply_from("at 8.8.8.8", &mut turn), "at IP");
    }

    #[test]
    fn octets_are_those_of_the_expression() {
        for number in 0..1300 {
            for digits in [
                format!("{number}"),
                format!("{number:02}"),
                format!("{number:03}"),
            ] {
                assert_eq!(is_octet(digits.as_bytes()), number < 256, "{digits}");
            }
        }
        assert!(!is_octet(b"") && !is_octet(b"0001") && !is_octet(b"1a"));
    }

    proptest! {
        #[test]
        fn nothing_is_found_where_there_is_no_sign_of_it(text in "[^@0-9]*") {
            prop_assert!(matches!(PiiFormatter::default().apply(&text), Cow::Borrowed(_)));
        }
    }
}
