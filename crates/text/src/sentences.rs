//! Where sentences end for spaCy's rule-based sentencizer.

use crate::word::Word;

/// The end of each sentence in bytes: of its last word, or of the text if only white space follows.
///
/// A sentence ends before the first word that follows a full stop and is neither punctuation nor
/// itself the end of a sentence. White space other than one blank is such a word.
pub(crate) fn sentence_ends(text: &str, words: &[Word], ends_in_gap: bool) -> Vec<usize> {
    let mut ends = Vec::new();
    let mut is_over = false;
    for (at, word) in words.iter().enumerate() {
        let starts = word.is_after_gap() || !word.is_punctuation() && !word.ends_sentence();
        if is_over && starts {
            ends.push(words[at - 1].end as usize);
            is_over = false;
        }
        is_over |= word.ends_sentence();
    }
    if let Some(last) = words.last() {
        if is_over && ends_in_gap {
            ends.push(last.end as usize);
        }
        ends.push(if ends_in_gap {
            text.len()
        } else {
            last.end as usize
        });
    } else if ends_in_gap {
        ends.push(text.len());
    }
    ends
}
