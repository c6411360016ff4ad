//! Which of many names below a root are read, for storages that know names and no folders.

use crate::Error;
use glob::{MatchOptions, Pattern};

/// A folder or a pattern of names with `/` between their parts.
///
/// ```
/// use nexus_data::storage::Selection;
///
/// let all = Selection::new("crawl/2024")?;
/// assert_eq!(all.prefix(), "crawl/2024/");
/// assert_eq!(all.id("crawl/2024/a/b.txt"), Some("a/b.txt"));
/// assert_eq!(all.id("crawl/2024/.hidden/b.txt"), None);
///
/// let some = Selection::new("crawl/*/[ab].jsonl.gz")?;
/// assert_eq!(some.prefix(), "crawl/");
/// assert_eq!(some.id("crawl/x/a.jsonl.gz"), Some("x/a.jsonl.gz"));
/// assert_eq!(some.id("crawl/x/y/a.jsonl.gz"), None);
/// # Ok::<(), nexus_data::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Selection {
    prefix: String,
    pattern: Option<Pattern>,
}

/// As the file system's patterns are matched: part by part, and hidden names only by a dot.
const OPTIONS: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: true,
};

impl Selection {
    /// Whether a name may be a pattern.
    pub fn is_pattern(name: &str) -> bool {
        name.contains(['*', '?', '['])
    }

    /// What is below the folder `root`, or matches the pattern `root`; all if it is empty.
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for a pattern that is none.
    pub fn new(root: &str) -> Result<Self, Error> {
        let root = root.trim_end_matches('/');
        let named = root.split('/').take_while(|part| !Self::is_pattern(part));
        let mut prefix = String::new();
        for part in named {
            prefix.push_str(part);
            prefix.push('/');
        }
        if root.is_empty() {
            prefix.clear();
        }
        let pattern = if Self::is_pattern(root) {
            let wrong = |error| Error::invalid(format!("`{root}` is no pattern: {error}"));
            Some(Pattern::new(root).map_err(wrong)?)
        } else {
            None
        };
        Ok(Self { prefix, pattern })
    }

    /// Whether it is a pattern, and no folder.
    pub fn has_pattern(&self) -> bool {
        self.pattern.is_some()
    }

    /// What all names begin with: empty, or a folder with a `/` behind it.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The place below [`prefix`](Self::prefix) of a name that is selected.
    pub fn id<'a>(&self, name: &'a str) -> Option<&'a str> {
        let id = name.strip_prefix(&self.prefix)?;
        let is_hidden = |below: &str| below.split('/').any(|part| part.starts_with('.'));
        let is_selected = match &self.pattern {
            None => !is_hidden(id),
            // The pattern may match a folder, with all that is below it.
            Some(pattern) => (self.prefix.len()..name.len())
                .filter(|&at| name.as_bytes()[at] == b'/')
                .chain([name.len()])
                .any(|end| {
                    pattern.matches_with(&name[..end], OPTIONS)
                        && !is_hidden(name[end..].trim_start_matches('/'))
                }),
        };
        (is_selected && !id.is_empty()).then_some(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_selected_as_the_file_system_does() {
        for (root, name, expected) in [
            ("", "a.txt", Some("a.txt")),
            ("a", "a/b.txt", Some("b.txt")),
            ("a/", "a/b.txt", Some("b.txt")),
            ("a", "ab/c.txt", None),
            ("a", "a/.x/c.txt", None),
            ("a", "a/.c.txt", None),
            ("*.txt", "a.txt", Some("a.txt")),
            ("*.txt", ".a.txt", None),
            ("*.txt", "x/a.txt", None),
            ("**/*.txt", "x/y/a.txt", Some("x/y/a.txt")),
            ("**/*.txt", "a.txt", Some("a.txt")),
            // A folder that matches, with what is below it.
            ("c/*-2024", "c/x-2024/y/z.txt", Some("x-2024/y/z.txt")),
            ("c/*-2024", "c/x-2024/.y/z.txt", None),
            ("c/?/a[0-9].jsonl", "c/é/a7.jsonl", Some("é/a7.jsonl")),
            ("c/?/a[0-9].jsonl", "c/d/ax.jsonl", None),
        ] {
            let selection = Selection::new(root).unwrap();
            assert_eq!(selection.id(name), expected, "{root} {name}");
        }
        assert!(Selection::new("a/***").is_err());
    }
}
