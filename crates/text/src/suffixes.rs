//! The public suffix list (<https://publicsuffix.org>), and domain names by it. The list in `assets` is
//! under the Mozilla Public License 2.0, which covers that file alone.

use crate::hash::TextMap;
use crate::limits::PUNYCODE_SIZE_MAX;
use crate::unicode::is_space;
use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

/// The rules of registries, without those of private companies.
const LIST: &str = include_str!("../assets/public_suffixes.txt");

static SUFFIXES: LazyLock<PublicSuffixes> = LazyLock::new(|| PublicSuffixes::parse(LIST));

/// Ends of domain names under which people register names.
#[derive(Clone)]
pub struct PublicSuffixes {
    /// Every name that a rule is, or that is a part of one.
    nodes: Arc<TextMap<Node>>,
}

#[derive(Clone, Copy, Default)]
struct Node {
    is_suffix: bool,
    is_wild: bool,
}

/// The domain name of a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Domain<'a> {
    name: Cow<'a, str>,
    registered: usize,
}

impl Domain<'_> {
    /// The whole name, as it stands in the URL.
    pub fn full(&self) -> &str {
        &self.name
    }

    /// The name less the labels before the registered one, such as `bbc.co.uk`.
    pub fn registered(&self) -> &str {
        &self.name[self.registered..]
    }
}

impl Default for PublicSuffixes {
    /// The registries' rules of April 2025.
    fn default() -> Self {
        SUFFIXES.clone()
    }
}

impl PublicSuffixes {
    /// Reads a list in the format of `public_suffix_list.dat`; rules for private domains behind
    /// `===BEGIN PRIVATE DOMAINS===` are left out, as tldextract leaves them out.
    pub fn parse(list: &str) -> Self {
        let mut nodes = TextMap::<Node>::default();
        let public = list.split("// ===BEGIN PRIVATE DOMAINS===").next();
        for line in public.unwrap_or_default().lines() {
            let rule = line.split(is_space).next().unwrap_or_default();
            if rule.is_empty() || rule.starts_with("//") {
                continue;
            }
            let (rule, is_wild) = match rule.strip_prefix("*.") {
                Some(rule) => (rule, true),
                None => (rule, false),
            };
            for (dot, _) in rule.match_indices('.') {
                nodes.entry(rule[dot + 1..].into()).or_default();
            }
            let node = nodes.entry(rule.into()).or_default();
            node.is_wild |= is_wild;
            node.is_suffix |= !is_wild;
        }
        Self {
            nodes: Arc::new(nodes),
        }
    }

    /// The domain name of a URL, or none for addresses and names without a known suffix. The URL is
    /// read as leniently as tldextract reads it: a scheme is not needed, and case is kept.
    ///
    /// ```
    /// use nexus_text::PublicSuffixes;
    ///
    /// let suffixes = PublicSuffixes::default();
    /// let domain = suffixes.domain("http://forums.bbc.co.uk:80/a?b").unwrap();
    /// assert_eq!((domain.full(), domain.registered()), ("forums.bbc.co.uk", "bbc.co.uk"));
    /// assert!(suffixes.domain("http://127.0.0.1/").is_none());
    /// ```
    pub fn domain<'a>(&self, url: &'a str) -> Option<Domain<'a>> {
        let is_wide_dot = |c| matches!(c, '\u{3002}' | '\u{FF0E}' | '\u{FF61}');
        let mut name = Cow::Borrowed(host(url));
        if name.contains(is_wide_dot) {
            name = Cow::Owned(name.replace(is_wide_dot, "."));
        }
        let labels = self.suffix_labels(&name)?;
        // The suffix and one label more.
        let registered = match name.rmatch_indices('.').nth(labels) {
            Some((dot, _)) => dot + 1,
            None => 0,
        };
        if labels == 0 || name[registered..].starts_with('.') || name.split('.').count() == labels {
            return None;
        }
        if registered == 1 {
            // An empty label in front does not count.
            name = Cow::Owned(name[1..].to_owned());
            return Some(Domain {
                name,
                registered: 0,
            });
        }
        Some(Domain { name, registered })
    }

    /// The number of labels of the public suffix of a name.
    fn suffix_labels(&self, name: &str) -> Option<usize> {
        let (mut suffix, mut found, mut is_wild) = (String::new(), None, false);
        for (count, label) in name.rsplit('.').enumerate() {
            let label = decode(label);
            let dot = if count == 0 { "" } else { "." };
            suffix.insert_str(0, dot);
            suffix.insert_str(0, &label);
            match self.nodes.get(&*suffix) {
                Some(node) => {
                    if node.is_suffix {
                        found = Some(count + 1);
                    }
                    is_wild = node.is_wild;
                }
                None if is_wild => {
                    suffix.insert(0, '!');
                    let is_exception = self.nodes.contains_key(&*suffix);
                    return Some(if is_exception { count } else { count + 1 });
                }
                None => return found,
            }
        }
        found
    }
}

impl std::fmt::Debug for PublicSuffixes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PublicSuffixes({})", self.nodes.len())
    }
}

/// The host of a URL or of what looks like one.
fn host(url: &str) -> &str {
    let rest = match url.find("//") {
        Some(0) => &url[2..],
        Some(at) if at >= 2 && is_scheme(&url[..at]) => &url[at + 2..],
        _ => url,
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    if host.starts_with('[')
        && let Some(end) = host.find(']')
    {
        return &host[..=end];
    }
    let host = host.split(':').next().unwrap_or_default();
    host.trim_matches(is_space)
        .trim_end_matches(['.', '\u{3002}', '\u{FF0E}', '\u{FF61}'])
}

fn is_scheme(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    text.strip_suffix(':')
        .is_some_and(|scheme| scheme.bytes().all(is_part))
}

/// A label in lower case, and out of Punycode.
fn decode(label: &str) -> String {
    let lower = label.to_lowercase();
    let decoded = lower.strip_prefix("xn--").and_then(punycode);
    decoded.unwrap_or(lower)
}

/// Decodes Punycode (RFC 3492, section 6.2).
fn punycode(text: &str) -> Option<String> {
    if text.len() > PUNYCODE_SIZE_MAX || !text.is_ascii() {
        return None;
    }
    let (basic, digits) = text.rsplit_once('-').unwrap_or(("", text));
    let mut decoded: Vec<char> = basic.chars().collect();
    let (mut code, mut at, mut bias) = (128_u32, 0_u32, 72);
    let mut digits = digits.bytes().peekable();
    while digits.peek().is_some() {
        let (before, mut weight) = (at, 1_u32);
        for base in (36..).step_by(36) {
            let digit = match digits.next()? {
                byte @ b'a'..=b'z' => u32::from(byte - b'a'),
                byte @ b'0'..=b'9' => u32::from(byte - b'0') + 26,
                _ => return None,
            };
            at = at.checked_add(digit.checked_mul(weight)?)?;
            let threshold = u32::clamp(u32::saturating_sub(base, bias), 1, 26);
            if digit < threshold {
                break;
            }
            weight = weight.checked_mul(36 - threshold)?;
        }
        let count = decoded.len() as u32 + 1;
        bias = adapt(at - before, count, before == 0);
        code = code.checked_add(at / count)?;
        at %= count;
        decoded.insert(at as usize, char::from_u32(code)?);
        at += 1;
    }
    Some(decoded.into_iter().collect())
}

fn adapt(delta: u32, count: u32, is_first: bool) -> u32 {
    let mut delta = if is_first { delta / 700 } else { delta / 2 };
    delta += delta / count;
    let mut bias = 0;
    while delta > 455 {
        delta /= 35;
        bias += 36;
    }
    bias + 36 * delta / (delta + 38)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn punycode_is_that_of_the_rfc() {
        for (text, decoded) in [
            ("bcher-kva", Some("bücher")),
            ("fiqs8s", Some("中国")),
            ("p1ai", Some("рф")),
            ("egbpdaj6bu4bxfgehfvwxn", Some("ليهمابتكلموشعربي؟")),
            ("abc-", Some("abc")),
            ("", Some("")),
            ("99999999", None),
            ("a!", None),
        ] {
            assert_eq!(punycode(text).as_deref(), decoded, "{text}");
        }
    }
}
