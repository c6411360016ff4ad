//! The rules of C4 (Raffel et al. 2020, <https://arxiv.org/abs/1910.10683>): lines are dropped one by
//! one, and the document with what is left if that is too little.

use crate::filter::Filter;
use crate::lines::{split_feeds, splitlines, strip};
use crate::profile::Profile;
use crate::unicode::{Classes, DIGIT, count_chars, is_space};
use crate::verdict::{Reason, Verdict, drop_if};
use memchr::{memchr, memmem};
use std::borrow::Cow;

/// What no kept line ends in, and what it must end in.
const ELLIPSIS: &str = "...";
const ENDS: [char; 5] = ['.', '?', '!', '"', '\''];

const LOREM: &str = "lorem ipsum";
const JAVASCRIPT: &str = "javascript";
const POLICIES: [&str; 6] = [
    "terms of use",
    "privacy policy",
    "cookie policy",
    "uses cookies",
    "use of cookies",
    "use cookies",
];

/// The line rules of C4, as datatrove's `C4QualityFilter` applies them.
///
/// The verdict is [`KeepAs`](Verdict::KeepAs) when lines, their indentation or citations were
/// removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "the switches of the peer")]
pub struct C4Quality {
    /// Look at lines; otherwise at sentences, which are joined by blanks.
    pub split_paragraph: bool,
    /// Remove `[1]`, `[]`, `[edit]` and `[citation needed]`.
    pub remove_citations: bool,
    /// Drop lines that do not end in `.`, `?`, `!` or a quotation mark, or end in `...`.
    pub filter_no_terminal_punct: bool,
    /// Fewest sentences of all kept lines; none is off.
    pub min_num_sentences: Option<usize>,
    /// Fewest words of a line; none is off.
    pub min_words_per_line: Option<usize>,
    /// Code points of the longest word of a line; none is off.
    pub max_word_length: Option<usize>,
    /// Drop the document at `lorem ipsum`.
    pub filter_lorem_ipsum: bool,
    /// Drop lines with `javascript`.
    pub filter_javascript: bool,
    /// Drop the document at `{`.
    pub filter_curly_bracket: bool,
    /// Drop lines about cookies, privacy and terms of use.
    pub filter_policy: bool,
}

impl Default for C4Quality {
    fn default() -> Self {
        Self {
            split_paragraph: true,
            remove_citations: true,
            filter_no_terminal_punct: true,
            min_num_sentences: Some(5),
            min_words_per_line: Some(3),
            max_word_length: Some(1000),
            filter_lorem_ipsum: true,
            filter_javascript: true,
            filter_curly_bracket: true,
            filter_policy: true,
        }
    }
}

/// How many lines each rule of [`C4Quality`] dropped; datatrove counts the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct C4Lines {
    /// Lines seen, up to one that drops the document.
    pub total: usize,
    /// Lines kept.
    pub kept: usize,
    /// Lines with a word that is too long.
    pub too_long_word: usize,
    /// Lines with the wrong end.
    pub no_terminal_punct: usize,
    /// Lines with too few words.
    pub too_few_words: usize,
    /// Lines with `javascript`.
    pub javascript: usize,
    /// Lines about cookies, privacy and terms of use.
    pub policy: usize,
}

impl Filter for C4Quality {
    fn name(&self) -> &'static str {
        "c4_quality"
    }

    fn judge(&self, profile: &mut Profile<'_>) -> Verdict {
        self.judge_lines(profile, &mut C4Lines::default())
    }
}

impl C4Quality {
    /// As [`judge`](Filter::judge), and adds what happened to the lines to `counts`.
    pub fn judge_lines(&self, profile: &mut Profile<'_>, counts: &mut C4Lines) -> Verdict {
        let lower = profile.take_lower();
        let phrases = Phrases::of(profile.text(), &lower);
        let verdict = if self.split_paragraph {
            let lines = splitlines(profile.text());
            self.read(profile, lines, &phrases, counts)
        } else {
            let sentences = profile.sentences();
            self.read(profile, sentences.into_iter(), &phrases, counts)
        };
        profile.return_lower(lower);
        verdict
    }

    fn read<'a>(
        &self,
        profile: &mut Profile<'a>,
        lines: impl Iterator<Item = &'a str>,
        phrases: &Phrases,
        counts: &mut C4Lines,
    ) -> Verdict {
        let (mut kept, mut sentences) = (Vec::new(), 0);
        for line in lines {
            counts.total += 1;
            match self.look(line, phrases) {
                Fate::Kept(line) => {
                    // More than enough sentences are as good as enough.
                    if self.min_num_sentences.is_some_and(|min| sentences < min) {
                        sentences += if self.split_paragraph {
                            profile.count_sentences(&line)
                        } else {
                            1
                        };
                    }
                    counts.kept += 1;
                    kept.push(line);
                }
                Fate::Dropped(count) => *count(counts) += 1,
                Fate::Fatal(reason) => return Verdict::Drop(reason),
            }
        }
        let too_few = self.min_num_sentences.is_some_and(|min| sentences < min);
        if let Some(reason) = drop_if(too_few, "too_few_sentences") {
            return Verdict::Drop(reason);
        }
        let joint = if self.split_paragraph { "\n" } else { " " };
        let text = kept.join(joint);
        match strip(&text) {
            text if text == profile.text() => Verdict::Keep,
            text => Verdict::KeepAs(text.to_owned()),
        }
    }

    /// What becomes of one line.
    fn look<'a>(&self, line: &'a str, phrases: &Phrases) -> Fate<'a> {
        let original = strip(line);
        if self
            .max_word_length
            .is_some_and(|max| has_longer_word(original, max))
        {
            return Fate::Dropped(|counts| &mut counts.too_long_word);
        }
        let line = if self.remove_citations {
            without_citations(original)
        } else {
            Cow::Borrowed(original)
        };
        if self.filter_no_terminal_punct && (!line.ends_with(ENDS) || line.ends_with(ELLIPSIS)) {
            return Fate::Dropped(|counts| &mut counts.no_terminal_punct);
        }
        if self
            .min_words_per_line
            .is_some_and(|min| has_fewer_words(original, min))
        {
            return Fate::Dropped(|counts| &mut counts.too_few_words);
        }
        self.look_for_phrases(line, phrases)
    }

    fn look_for_phrases<'a>(&self, line: Cow<'a, str>, phrases: &Phrases) -> Fate<'a> {
        let is_changed = matches!(line, Cow::Owned(_));
        let suspect = |found: bool| found || is_changed;
        let is_suspect = suspect(phrases.lorem || phrases.javascript || phrases.policy);
        let lower = if is_suspect {
            lower(&line)
        } else {
            String::new()
        };
        let has = |phrase: &str| memmem::find(lower.as_bytes(), phrase.as_bytes()).is_some();
        if self.filter_lorem_ipsum && suspect(phrases.lorem) && has(LOREM) {
            return Fate::Fatal(Reason::Named("lorem_ipsum"));
        }
        if self.filter_javascript && suspect(phrases.javascript) && has(JAVASCRIPT) {
            return Fate::Dropped(|counts| &mut counts.javascript);
        }
        if self.filter_curly_bracket && phrases.bracket && memchr(b'{', line.as_bytes()).is_some() {
            return Fate::Fatal(Reason::Named("curly_bracket"));
        }
        if self.filter_policy
            && suspect(phrases.policy)
            && POLICIES.iter().any(|policy| has(policy))
        {
            return Fate::Dropped(|counts| &mut counts.policy);
        }
        Fate::Kept(line)
    }
}

/// What becomes of a line.
enum Fate<'a> {
    Kept(Cow<'a, str>),
    Dropped(fn(&mut C4Lines) -> &mut usize),
    Fatal(Reason),
}

/// Which phrases a document may have at all.
#[expect(clippy::struct_excessive_bools, reason = "one for each search")]
struct Phrases {
    lorem: bool,
    javascript: bool,
    policy: bool,
    bracket: bool,
}

impl Phrases {
    fn of(text: &str, lower: &str) -> Self {
        let has = |phrase: &str| memmem::find(lower.as_bytes(), phrase.as_bytes()).is_some();
        // The Kelvin sign is a k in lower case.
        let has_kelvin = has("\u{212A}");
        Self {
            lorem: has(LOREM),
            javascript: has(JAVASCRIPT),
            policy: has_kelvin || POLICIES.iter().any(|policy| has(policy)),
            bracket: memchr(b'{', text.as_bytes()).is_some(),
        }
    }
}

/// The line in lower case as far as the phrases go.
fn lower(line: &str) -> String {
    line.to_ascii_lowercase().replace('\u{212A}', "k")
}

fn has_longer_word(line: &str, max: usize) -> bool {
    line.len() > max
        && line
            .split(is_space)
            .any(|word| word.len() > max && count_chars(word) > max)
}

fn has_fewer_words(line: &str, min: usize) -> bool {
    line.split(is_space)
        .filter(|word| !word.is_empty())
        .take(min)
        .count()
        < min
}

/// The line without `[` digits `]`, `[edit]` and `[citation needed]`.
fn without_citations(line: &str) -> Cow<'_, str> {
    let (mut result, mut rest, mut kept) = (String::new(), 0, 0);
    while let Some(at) = memchr(b'[', &line.as_bytes()[rest..]).map(|at| rest + at) {
        rest = at + 1;
        if let Some(size) = citation(&line[rest..]) {
            result.push_str(&line[kept..at]);
            rest += size;
            kept = rest;
        }
    }
    if kept == 0 {
        return Cow::Borrowed(line);
    }
    result.push_str(&line[kept..]);
    Cow::Owned(result)
}

/// The size of what follows a `[` up to and with the `]`, if it is a citation.
fn citation(text: &str) -> Option<usize> {
    let is_digit = |c: char| Classes::get().of(c) & DIGIT != 0;
    let number = text.trim_start_matches(is_digit);
    if number.starts_with(']') {
        return Some(text.len() - number.len() + 1);
    }
    ["edit]", "citation needed]"]
        .iter()
        .find(|note| text.starts_with(**note))
        .map(|note| note.len())
}

/// Drops documents with too few long paragraphs, as datatrove's `C4ParagraphFilter` does: at least
/// three lines of 200 code points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct C4Paragraphs {
    /// Fewest long paragraphs.
    pub min_paragraphs: usize,
    /// Least length of these, in code points.
    pub min_paragraph_len: usize,
}

impl Default for C4Paragraphs {
    fn default() -> Self {
        Self {
            min_paragraphs: 3,
            min_paragraph_len: 200,
        }
    }
}

impl Filter for C4Paragraphs {
    fn name(&self) -> &'static str {
        "c4_paragraphs"
    }

    fn judge(&self, profile: &mut Profile<'_>) -> Verdict {
        let is_long = |line: &&str| {
            line.len() >= self.min_paragraph_len && count_chars(line) >= self.min_paragraph_len
        };
        let long = split_feeds(profile.text())
            .filter(is_long)
            .take(self.min_paragraphs);
        if long.count() < self.min_paragraphs {
            Verdict::Drop(Reason::FewParagraphs(self.min_paragraphs))
        } else {
            Verdict::Keep
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{lower, without_citations};

    #[test]
    fn citations_are_removed() {
        for (line, expected) in [
            ("a [1] b[] c[edit]d [citation needed].", "a  b cd ."),
            ("[[1]]", "[]"),
            ("[1][2]", ""),
            ("[१२] [1a] [ 1]", " [1a] [ 1]"),
            ("none [", "none ["),
        ] {
            assert_eq!(without_citations(line), expected, "{line}");
        }
    }

    #[test]
    fn the_kelvin_sign_is_a_k() {
        assert_eq!(lower("COO\u{212A}IES"), "cookies");
    }
}
