//! C4's list of bad words: a document with one of them is dropped.

use crate::filter::Filter;
use crate::profile::Profile;
use crate::unicode::{Classes, WORD};
use crate::verdict::{Verdict, drop_if, verdict};
use std::collections::HashMap;

/// Words of the published lists that C4 lets pass, since they are parts of common words.
const ALLOWED: [&str; 4] = ["sm", "グロ", "女の子", "性"];

/// Drops documents with a word of a list, as datatrove's `C4BadWordsFilter` does without its random
/// `keep_fraction`.
///
/// The lists are not part of this crate: C4 uses those of LDNOOBW, one file for each language.
///
/// ```
/// use nexus_text::{C4BadWords, Filter, Profiler};
///
/// let filter = C4BadWords::new(["rude", "very rude"], true);
/// let mut profiler = Profiler::new();
/// assert!(!filter.judge(&mut profiler.profile("How Rude!")?).is_kept());
/// assert!(filter.judge(&mut profiler.profile("How crude!")?).is_kept());
/// # Ok::<(), nexus_text::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct C4BadWords {
    /// The words by their first character.
    words: HashMap<char, Vec<String>>,
    needs_separation: bool,
}

impl C4BadWords {
    /// A filter for these words in lower case. `needs_separation` is false for Japanese, Thai and
    /// Chinese, where a word may stand inside of others.
    pub fn new<W: AsRef<str>>(words: impl IntoIterator<Item = W>, needs_separation: bool) -> Self {
        let mut by_first: HashMap<char, Vec<String>> = HashMap::new();
        for word in words {
            let word = word.as_ref().trim();
            if let Some(first) = word.chars().next().filter(|_| !ALLOWED.contains(&word)) {
                by_first.entry(first).or_default().push(word.to_owned());
            }
        }
        Self {
            words: by_first,
            needs_separation,
        }
    }

    fn has_word(&self, text: &str) -> bool {
        let classes = Classes::get();
        let separates = |c: Option<char>| c.is_none_or(|c| classes.of(c) & WORD == 0);
        let mut previous = None;
        for (at, c) in text.char_indices() {
            if !self.needs_separation || separates(previous) {
                let rest = &text[at..];
                let is_here = |word: &String| {
                    rest.strip_prefix(&**word).is_some_and(|after| {
                        !self.needs_separation || separates(after.chars().next())
                    })
                };
                if self
                    .words
                    .get(&c)
                    .is_some_and(|words| words.iter().any(is_here))
                {
                    return true;
                }
            }
            previous = Some(c);
        }
        false
    }
}

impl Filter for C4BadWords {
    fn name(&self) -> &'static str {
        "c4_badwords"
    }

    fn judge(&self, profile: &mut Profile<'_>) -> Verdict {
        let found = self.has_word(&profile.text().to_lowercase());
        verdict(drop_if(found, "document_removed_with_badwords"))
    }
}
