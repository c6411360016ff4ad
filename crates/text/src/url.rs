//! Whether a piece of text is a web address for spaCy.
//!
//! The rule is D. Perini's URL pattern (<https://gist.github.com/dperini/729294>) with spaCy's
//! changes: an optional scheme and user, then a public IPv4 address or a host name whose last label
//! is in lower case, then an optional port and path. Time is linear in the piece.

use crate::affix::Glyph;
use crate::unicode::{DIGIT, LOWER, WORD};

/// Labels of a host name and top-level domains have at most this many characters.
const LABEL_CHARS_MAX: usize = 64;
const DOMAIN_CHARS_MAX: usize = 63;

/// Whether the whole of `piece`, which has no white space, is a web address.
pub(crate) fn is_url(piece: &[Glyph]) -> bool {
    if !piece.iter().any(|glyph| glyph.c == '.') {
        return false;
    }
    let after_users = (1..piece.len())
        .filter(|&at| piece[at].c == '@')
        .map(|at| at + 1);
    [0, after_scheme(piece)]
        .into_iter()
        .chain(after_users)
        .any(|start| is_place(&piece[start..]))
}

/// Where the text after `scheme://` begins, or 0.
fn after_scheme(piece: &[Glyph]) -> usize {
    let is_scheme = |glyph: &&Glyph| glyph.class & WORD != 0 || matches!(glyph.c, '+' | '-' | '.');
    let length = piece.iter().take_while(is_scheme).count();
    let follows = piece[length..]
        .iter()
        .map(|glyph| glyph.c)
        .take(3)
        .eq("://".chars());
    if length >= 2 && follows {
        length + 3
    } else {
        0
    }
}

/// Whether `piece` is a host or address, with a port and a path or without.
fn is_place(piece: &[Glyph]) -> bool {
    let end = piece
        .iter()
        .position(|glyph| matches!(glyph.c, ':' | '/' | '?' | '#' | '@'))
        .unwrap_or(piece.len());
    let (host, rest) = piece.split_at(end);
    is_rest(rest) && (is_host(host) || is_address(host))
}

/// Whether what follows a host is nothing, a port, a path or both.
fn is_rest(rest: &[Glyph]) -> bool {
    let is_path = |rest: &[Glyph]| {
        matches!(
            rest.first().map(|glyph| glyph.c),
            None | Some('/' | '?' | '#')
        )
    };
    if rest.first().is_some_and(|glyph| glyph.c == ':') {
        let digits = rest[1..]
            .iter()
            .take_while(|glyph| glyph.class & DIGIT != 0)
            .count();
        return (2..=5).contains(&digits) && is_path(&rest[1 + digits..]);
    }
    is_path(rest)
}

fn is_host(host: &[Glyph]) -> bool {
    let mut labels = host.rsplit(|glyph| glyph.c == '.');
    let domain = labels.next().unwrap_or_default();
    let is_domain = (2..=DOMAIN_CHARS_MAX).contains(&domain.len())
        && domain.iter().all(|glyph| glyph.class & LOWER != 0);
    is_domain && domain.len() < host.len() && labels.all(is_label)
}

fn is_label(label: &[Glyph]) -> bool {
    let is_end = |c: char| c.is_ascii_alphanumeric() || matches!(c, '\u{A1}'..='\u{FFFF}');
    let (Some(first), Some(last)) = (label.first(), label.last()) else {
        return false;
    };
    label.len() <= LABEL_CHARS_MAX
        && is_end(first.c)
        && is_end(last.c)
        && label
            .iter()
            .all(|glyph| is_end(glyph.c) || matches!(glyph.c, '-' | '_'))
}

/// Whether `host` is a dotted IPv4 address outside the private networks.
fn is_address(host: &[Glyph]) -> bool {
    let mut octets = [&host[..0]; 4];
    let mut parts = host.split(|glyph| glyph.c == '.');
    for octet in &mut octets {
        match parts.next() {
            Some(part) if matches!(part.len(), 1..=3) => *octet = part,
            _ => return false,
        }
    }
    let [first, second, third, fourth] = octets;
    let is = |octet: &[Glyph], text: &str| octet.iter().map(|glyph| glyph.c).eq(text.chars());
    let is_private = is(first, "10")
        || is(first, "127")
        || is(first, "169") && is(second, "254")
        || is(first, "192") && is(second, "168")
        || is(first, "172") && is_second_of_172(second);
    parts.next().is_none()
        && !is_private
        && is_octet(first, Octet::First)
        && is_octet(second, Octet::Middle)
        && is_octet(third, Octet::Middle)
        && is_octet(fourth, Octet::Last)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Octet {
    First,
    Middle,
    Last,
}

/// `\d` is any decimal digit of Unicode, the other digits are ASCII.
fn is_octet(octet: &[Glyph], place: Octet) -> bool {
    let digit = |at: usize| octet[at].class & DIGIT != 0;
    let c = |at: usize| octet[at].c;
    match octet.len() {
        1 if place == Octet::Middle => digit(0),
        1 => matches!(c(0), '1'..='9'),
        2 if place == Octet::Middle => digit(0) && digit(1),
        2 => matches!(c(0), '1'..='9') && digit(1),
        _ => match (place, c(0), c(1)) {
            (_, '1', _) => digit(1) && digit(2),
            (Octet::First, '2', '0'..='1') | (Octet::Middle | Octet::Last, '2', '0'..='4') => {
                digit(2)
            }
            (Octet::First, '2', '2') => matches!(c(2), '0'..='3'),
            (Octet::Middle, '2', '5') => matches!(c(2), '0'..='5'),
            (Octet::Last, '2', '5') => matches!(c(2), '0'..='4'),
            _ => false,
        },
    }
}

/// Whether the second octet of 172.x is in the private range, 16 to 31.
fn is_second_of_172(octet: &[Glyph]) -> bool {
    let &[tens, units] = octet else {
        return false;
    };
    match tens.c {
        '1' => matches!(units.c, '6'..='9'),
        '2' => units.class & DIGIT != 0,
        '3' => matches!(units.c, '0' | '1'),
        _ => false,
    }
}
