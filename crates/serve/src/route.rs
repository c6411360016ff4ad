//! Which contract a request's path belongs to.

use std::borrow::Cow;

use crate::limits::NAME_SIZE_MAX;

/// What a path asks for.
///
/// ```
/// use nexus_serve::route::Route;
///
/// assert_eq!(Route::parse("/ping"), Route::Ping);
/// assert_eq!(Route::parse("/endpoints/a-1/invocations"), Route::Endpoint("a-1".into()));
/// assert_eq!(Route::parse("/endpoints/..%2Fx/invocations"), Route::MalformedName);
/// assert_eq!(Route::parse("/search"), Route::Page);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route<'a> {
    /// `/ping`: is everything loaded?
    Ping,
    /// `/invocations`: the first endpoint, as a container answers.
    Invocations,
    /// `/endpoints/{name}/invocations`: the endpoint of that name, as SageMaker answers.
    Endpoint(Cow<'a, str>),
    /// `/endpoints/{name}/invocations` with a name that no endpoint can have.
    MalformedName,
    /// `/endpoints/...` that is none of the operations served here.
    UnknownOperation,
    /// Anything else: a page of the site, if there is one.
    Page,
}

impl<'a> Route<'a> {
    /// Sorts a path (as sent, without the query). Allocates only if a name is percent-encoded.
    pub fn parse(path: &'a str) -> Self {
        match path {
            "/ping" => return Self::Ping,
            "/invocations" => return Self::Invocations,
            _ => {}
        }
        let Some(rest) = path.strip_prefix("/endpoints/") else {
            return Self::Page;
        };
        match rest.split_once('/') {
            Some((name, "invocations")) => match percent_decode(name) {
                Some(name) if is_endpoint_name(&name) => Self::Endpoint(name),
                _ => Self::MalformedName,
            },
            _ => Self::UnknownOperation,
        }
    }
}

/// Whether `name` can name an endpoint: letters, digits and single inner hyphens or runs of them,
/// 1 to 63 bytes (SageMaker's pattern `[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}`).
pub fn is_endpoint_name(name: &str) -> bool {
    let bytes = name.as_bytes();
    let inner = bytes
        .iter()
        .all(|&b| b.is_ascii_alphanumeric() || b == b'-');
    let ends = [bytes.first(), bytes.last()];
    inner && bytes.len() <= NAME_SIZE_MAX && ends.iter().all(|b| b.is_some_and(|&b| b != b'-'))
}

/// Decodes `%41` to `A` (RFC 3986, section 2.1); none if it is malformed or not UTF-8.
fn percent_decode(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('%') {
        return Some(text.into());
    }
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let high = char::from(bytes.next()?).to_digit(16)?;
        let low = char::from(bytes.next()?).to_digit(16)?;
        decoded.push((high << 4 | low) as u8);
    }
    String::from_utf8(decoded).ok().map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::{Route, is_endpoint_name};

    #[test]
    fn paths_belong_to_contracts() {
        for (path, route) in [
            ("/ping", Route::Ping),
            ("/ping/", Route::Page),
            ("/invocations", Route::Invocations),
            ("/", Route::Page),
            ("", Route::Page),
            ("*", Route::Page),
            ("/endpoints", Route::Page),
            ("/endpoints/a/invocations", Route::Endpoint("a".into())),
            (
                "/endpoints/a%2D1/invocations",
                Route::Endpoint("a-1".into()),
            ),
            ("/endpoints/a/invocations/", Route::UnknownOperation),
            ("/endpoints/a/async-invocations", Route::UnknownOperation),
            ("/endpoints/a", Route::UnknownOperation),
            ("/endpoints//invocations", Route::MalformedName),
            ("/endpoints/a b/invocations", Route::MalformedName),
            ("/endpoints/%/invocations", Route::MalformedName),
            ("/endpoints/%4/invocations", Route::MalformedName),
            ("/endpoints/%zz/invocations", Route::MalformedName),
            ("/endpoints/%ff/invocations", Route::MalformedName),
            ("/endpoints/%2e%2e%2fetc/invocations", Route::MalformedName),
        ] {
            assert_eq!(Route::parse(path), route, "{path}");
        }
    }

    #[test]
    fn names_follow_sagemakers_pattern() {
        for (name, good) in [
            ("a", true),
            ("A-9", true),
            ("a--b", true),
            (&"x".repeat(63), true),
            (&"x".repeat(64), false),
            ("", false),
            ("-a", false),
            ("a-", false),
            ("a_b", false),
            ("a.b", false),
            ("é", false),
        ] {
            assert_eq!(is_endpoint_name(name), good, "{name}");
        }
    }
}
