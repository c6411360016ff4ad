//! Documents by where they come from.

use crate::filter::Filter;
use crate::profile::Profile;
use crate::suffixes::PublicSuffixes;
use crate::unicode::is_space;
use crate::verdict::{Verdict, drop_if, verdict};
use std::collections::HashSet;

/// The settings of a [`UrlFilter`]. Entries that begin with `#` are comments, and empty ones none.
#[derive(Clone, Debug)]
pub struct UrlRules {
    /// A URL with so many different words of `soft_banned_words` is dropped.
    pub soft_word_threshold: usize,
    /// Domains that are dropped: registered ones, such as `example.com`, or whole names.
    pub extra_domains: Vec<String>,
    /// URLs that are dropped, as they are in full.
    pub extra_urls: Vec<String>,
    /// Words, one of which is enough.
    pub banned_words: Vec<String>,
    /// Parts of words, one of which is enough, wherever it stands in the letters and digits of the URL.
    pub banned_subwords: Vec<String>,
    /// Words of which it takes `soft_word_threshold`.
    pub soft_banned_words: Vec<String>,
    /// What registered domains end in.
    pub suffixes: PublicSuffixes,
}

impl Default for UrlRules {
    fn default() -> Self {
        Self {
            soft_word_threshold: 2,
            extra_domains: Vec::new(),
            extra_urls: Vec::new(),
            banned_words: Vec::new(),
            banned_subwords: Vec::new(),
            soft_banned_words: Vec::new(),
            suffixes: PublicSuffixes::default(),
        }
    }
}

/// Drops documents by their URL, as datatrove's `URLFilter` does without its integrated lists.
///
/// The URL is that of [`Profile::set_url`]; a document without one is dropped with the reason
/// `no_url`, where datatrove stops. Time is linear in the URL, times the number of `banned_subwords`
/// that begin alike.
///
/// ```
/// use nexus_text::{Filter, Profiler, UrlFilter, UrlRules};
///
/// let filter = UrlFilter::new(UrlRules {
///     extra_domains: vec!["example.co.uk".into()],
///     ..UrlRules::default()
/// });
/// let mut profiler = Profiler::new();
/// let mut profile = profiler.profile("text")?;
/// profile.set_url(Some("https://www.example.co.uk/a"));
/// assert_eq!(filter.judge(&mut profile).reason().unwrap().name(), "domain");
/// # Ok::<(), nexus_text::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct UrlFilter {
    soft_word_threshold: usize,
    domains: HashSet<Box<str>>,
    urls: HashSet<Box<str>>,
    banned_words: HashSet<Box<str>>,
    soft_banned_words: HashSet<Box<str>>,
    /// By their first byte.
    banned_subwords: Vec<Vec<Box<str>>>,
    suffixes: PublicSuffixes,
}

impl UrlFilter {
    /// A filter with these rules.
    pub fn new(rules: UrlRules) -> Self {
        let mut banned_subwords = vec![Vec::new(); 128];
        for part in words(&rules.banned_subwords) {
            banned_subwords[usize::from(part.as_bytes()[0])].push(part);
        }
        Self {
            soft_word_threshold: rules.soft_word_threshold,
            domains: names(&rules.extra_domains),
            urls: names(&rules.extra_urls),
            banned_words: words(&rules.banned_words),
            soft_banned_words: words(&rules.soft_banned_words),
            banned_subwords,
            suffixes: rules.suffixes,
        }
    }

    fn has_domain(&self, url: &str) -> Option<&'static str> {
        if self.domains.is_empty() {
            return None;
        }
        let domain = self.suffixes.domain(url)?;
        if self.domains.contains(domain.registered()) {
            return Some("domain");
        }
        self.domains.contains(domain.full()).then_some("subdomain")
    }

    fn has_words(&self, url: &str) -> Option<&'static str> {
        let mut soft = HashSet::new();
        let is_end = |c: char| !c.is_ascii_alphanumeric();
        for word in url.split(is_end).filter(|word| !word.is_empty()) {
            if self.banned_words.contains(word) {
                return Some("hard_blacklisted");
            }
            if self.soft_banned_words.contains(word) {
                soft.insert(word);
            }
        }
        (soft.len() >= self.soft_word_threshold).then_some("soft_blacklisted")
    }

    fn has_subword(&self, url: &str) -> bool {
        let letters = normalise(url);
        let starts = |at: usize| {
            let rest = &letters[at..];
            let parts = &self.banned_subwords[usize::from(rest.as_bytes()[0])];
            parts.iter().any(|part| rest.starts_with(&**part))
        };
        (0..letters.len()).any(starts)
    }
}

impl Filter for UrlFilter {
    fn name(&self) -> &'static str {
        "url"
    }

    fn judge(&self, profile: &mut Profile<'_>) -> Verdict {
        let Some(url) = profile.url().filter(|url| !url.is_empty()) else {
            return verdict(drop_if(true, "no_url"));
        };
        let name = self
            .has_domain(url)
            .or_else(|| self.urls.contains(url).then_some("url"))
            .or_else(|| self.has_words(url))
            .or_else(|| self.has_subword(url).then_some("blacklisted_subword"));
        verdict(name.and_then(|name| drop_if(true, name)))
    }
}

fn names(entries: &[String]) -> HashSet<Box<str>> {
    entries
        .iter()
        .filter(|entry| !entry.starts_with('#'))
        .map(|entry| entry.trim_matches(is_space))
        .filter(|name| !name.is_empty())
        .map(Into::into)
        .collect()
}

fn words(entries: &[String]) -> HashSet<Box<str>> {
    entries
        .iter()
        .filter(|entry| !entry.starts_with('#'))
        .map(|entry| normalise(entry))
        .filter(|word| !word.is_empty())
        .map(Into::into)
        .collect()
}

/// The ASCII letters and digits of a text, in lower case.
fn normalise(text: &str) -> String {
    let mut text: String = text.chars().filter(char::is_ascii_alphanumeric).collect();
    text.make_ascii_lowercase();
    text
}
