//! The settings of steps, by the names that plans have for them. Reading and writing a plan both go
//! through one list of fields for each step, so that what is written is read.

use crate::Error;
use crate::duplicates::{ExactCopies, Keep, NearCopies};
use crate::formatting::RepeatedParts;
use crate::images::{ImageCopies, ImageRules, ImageTensors};
use crate::quality::{BadWords, LanguageRules};
use crate::repeats::{RepeatedLines, RepeatedSubstrings};
use crate::tokenization::Tokenization;
use nexus_dedup::Family;
use nexus_text::{
    Basic, C4Paragraphs, C4Quality, FineWebQuality, FtfyFormatter, GopherQuality, GopherRepetition,
    PiiFormatter, SpanUnit, UnicodeForm, UnicodeFormatter, Unit, UrlRules,
};
use std::path::PathBuf;
use toml::de::DeValue;

mod images;

/// A type of setting.
pub(crate) trait Setting: Clone + PartialEq {
    /// What is said to who gives something else.
    const EXPECTED: &'static str;

    fn read(value: &DeValue<'_>) -> Option<Self>;

    /// Its form in TOML; none for a path that is no Unicode.
    fn write(&self) -> Option<String>;
}

/// Goes through the settings of a step.
pub(crate) trait Visit {
    fn field<T: Setting>(&mut self, key: &'static str, value: &mut T) -> Result<(), Error>;
}

/// The settings of a step.
pub(crate) trait Settings: Default {
    /// The step's name in plans.
    const OP: &'static str;

    fn visit(&mut self, visit: &mut impl Visit) -> Result<(), Error>;
}

macro_rules! settings {
    ($type:ty, $op:literal, $($field:ident),+) => {
        impl Settings for $type {
            const OP: &'static str = $op;

            fn visit(&mut self, visit: &mut impl Visit) -> Result<(), Error> {
                $(visit.field(stringify!($field), &mut self.$field)?;)+
                Ok(())
            }
        }
    };
}

settings!(Basic, "basic", lines, pairs);
settings!(
    GopherQuality,
    "gopher_quality",
    min_doc_words,
    max_doc_words,
    min_avg_word_length,
    max_avg_word_length,
    max_symbol_word_ratio,
    max_bullet_lines_ratio,
    max_ellipsis_lines_ratio,
    max_non_alpha_words_ratio,
    min_stop_words,
    stop_words
);
settings!(
    GopherRepetition,
    "gopher_repetition",
    dup_line_frac,
    dup_para_frac,
    dup_line_char_frac,
    dup_para_char_frac,
    top_n_grams,
    dup_n_grams
);
settings!(
    C4Quality,
    "c4_quality",
    split_paragraph,
    remove_citations,
    filter_no_terminal_punct,
    min_num_sentences,
    min_words_per_line,
    max_word_length,
    filter_lorem_ipsum,
    filter_javascript,
    filter_curly_bracket,
    filter_policy
);
settings!(
    C4Paragraphs,
    "c4_paragraphs",
    min_paragraphs,
    min_paragraph_len
);
settings!(BadWords, "c4_bad_words", path, is_substring);
settings!(
    FineWebQuality,
    "fineweb_quality",
    line_punct_thr,
    line_punct_exclude_zero,
    stop_chars,
    short_line_thr,
    short_line_length,
    char_duplicates_ratio,
    new_line_ratio
);
settings!(
    LanguageRules,
    "language",
    languages,
    language_threshold,
    model
);
settings!(
    UrlRules,
    "url",
    soft_word_threshold,
    extra_domains,
    extra_urls,
    banned_words,
    banned_subwords,
    soft_banned_words
);
settings!(
    PiiFormatter,
    "pii",
    remove_emails,
    remove_ips,
    only_remove_public_ips,
    email_replacement,
    ip_replacement
);
settings!(
    FtfyFormatter,
    "ftfy",
    remove_terminal_escapes,
    fix_encoding,
    restore_byte_a0,
    replace_lossy_sequences,
    decode_inconsistent_utf8,
    fix_c1_controls,
    fix_latin_ligatures,
    fix_character_width,
    uncurl_quotes,
    fix_line_breaks,
    remove_control_chars,
    normalization
);
settings!(
    UnicodeFormatter,
    "unicode",
    form,
    remove_control_chars,
    remove_zero_width,
    remove_soft_hyphens
);
settings!(RepeatedParts, "line_dedup", unit);
settings!(
    ExactCopies,
    "dedup_exact",
    keep,
    ignore_space,
    index,
    write_index
);
settings!(
    NearCopies,
    "dedup_near",
    keep,
    threshold,
    bands,
    rows,
    ngram,
    family,
    index,
    write_index
);
settings!(
    RepeatedLines,
    "dedup_lines",
    unit,
    span,
    min_words,
    remove,
    min_doc_words,
    min_num_sentences
);
settings!(
    RepeatedSubstrings,
    "dedup_substrings",
    length,
    tokenizer,
    remove,
    min_doc_words
);
settings!(
    ImageRules, "images", column, label, required, min_size, max_aspect, max_pixels
);
settings!(ImageCopies, "dedup_images", hash, distance);
settings!(
    ImageTensors,
    "image_tensors",
    width,
    height,
    resize,
    filter,
    layout,
    dtype,
    mean,
    std
);
settings!(Tokenization, "tokenize", path, offsets, end);

impl Setting for bool {
    const EXPECTED: &'static str = "true or false";

    fn read(value: &DeValue<'_>) -> Option<Self> {
        value.as_bool()
    }

    fn write(&self) -> Option<String> {
        Some(self.to_string())
    }
}

impl Setting for u64 {
    const EXPECTED: &'static str = "a whole number from 0";

    fn read(value: &DeValue<'_>) -> Option<Self> {
        let number = value.as_integer()?;
        Self::from_str_radix(number.as_str(), number.radix()).ok()
    }

    fn write(&self) -> Option<String> {
        Some(self.to_string())
    }
}

impl Setting for usize {
    const EXPECTED: &'static str = u64::EXPECTED;

    fn read(value: &DeValue<'_>) -> Option<Self> {
        u64::read(value)?.try_into().ok()
    }

    fn write(&self) -> Option<String> {
        Some(self.to_string())
    }
}

impl Setting for f64 {
    const EXPECTED: &'static str = "a number";

    fn read(value: &DeValue<'_>) -> Option<Self> {
        if let Some(number) = value.as_float() {
            return number.as_str().parse().ok();
        }
        let number = value.as_integer()?;
        let whole = i64::from_str_radix(number.as_str(), number.radix());
        whole.ok().map(|number| number as Self)
    }

    fn write(&self) -> Option<String> {
        // `NaN` is `nan` in TOML.
        Some(format!("{self:?}").to_lowercase())
    }
}

/// What can be switched off is `false` then: TOML has no null.
impl<T: Setting> Setting for Option<T> {
    const EXPECTED: &'static str = T::EXPECTED;

    fn read(value: &DeValue<'_>) -> Option<Self> {
        if value.as_bool() == Some(false) {
            return Some(None);
        }
        T::read(value).map(Some)
    }

    fn write(&self) -> Option<String> {
        self.as_ref().map_or(Some("false".to_owned()), T::write)
    }
}

impl Setting for String {
    const EXPECTED: &'static str = "a string";

    fn read(value: &DeValue<'_>) -> Option<Self> {
        value.as_str().map(str::to_owned)
    }

    fn write(&self) -> Option<String> {
        Some(quote(self))
    }
}

impl Setting for PathBuf {
    const EXPECTED: &'static str = "a path";

    fn read(value: &DeValue<'_>) -> Option<Self> {
        value.as_str().map(Self::from)
    }

    fn write(&self) -> Option<String> {
        self.to_str().map(quote)
    }
}

impl Setting for Vec<String> {
    const EXPECTED: &'static str = "an array of strings";

    fn read(value: &DeValue<'_>) -> Option<Self> {
        let strings = value.as_array()?.iter();
        strings.map(|each| String::read(each.get_ref())).collect()
    }

    fn write(&self) -> Option<String> {
        let strings: Vec<_> = self.iter().map(|each| quote(each)).collect();
        Some(format!("[{}]", strings.join(", ")))
    }
}

/// A path alone stands for a list of one.
impl Setting for Vec<PathBuf> {
    const EXPECTED: &'static str = "a path or an array of paths";

    fn read(value: &DeValue<'_>) -> Option<Self> {
        if let Some(path) = PathBuf::read(value) {
            return Some(vec![path]);
        }
        let paths = value.as_array()?.iter();
        paths.map(|each| PathBuf::read(each.get_ref())).collect()
    }

    fn write(&self) -> Option<String> {
        let paths: Option<Vec<_>> = self.iter().map(PathBuf::write).collect();
        Some(format!("[{}]", paths?.join(", ")))
    }
}

/// Lengths of runs of words, each with the share that is allowed.
impl Setting for Vec<(usize, f64)> {
    const EXPECTED: &'static str = "an array of pairs such as [2, 0.2]";

    fn read(value: &DeValue<'_>) -> Option<Self> {
        let pair = |value: &DeValue<'_>| match value.as_array()?.iter().collect::<Vec<_>>()[..] {
            [length, share] => Some((usize::read(length.get_ref())?, f64::read(share.get_ref())?)),
            _ => None,
        };
        let pairs = value.as_array()?.iter();
        pairs.map(|each| pair(each.get_ref())).collect()
    }

    fn write(&self) -> Option<String> {
        let pairs: Vec<_> = self
            .iter()
            .map(|(length, share)| format!("[{length}, {share:?}]"))
            .collect();
        Some(format!("[{}]", pairs.join(", ")))
    }
}

impl Setting for UnicodeForm {
    const EXPECTED: &'static str = "\"nfc\", \"nfd\", \"nfkc\" or \"nfkd\"";

    fn read(value: &DeValue<'_>) -> Option<Self> {
        let name = value.as_str()?;
        let known = [Self::Nfc, Self::Nfd, Self::Nfkc, Self::Nfkd];
        known
            .into_iter()
            .find(|form| form.write() == Some(quote(name)))
    }

    fn write(&self) -> Option<String> {
        Some(quote(match self {
            Self::Nfc => "nfc",
            Self::Nfd => "nfd",
            Self::Nfkc => "nfkc",
            Self::Nfkd => "nfkd",
        }))
    }
}

impl Setting for Unit {
    const EXPECTED: &'static str = "\"line\" or \"paragraph\"";

    fn read(value: &DeValue<'_>) -> Option<Self> {
        match value.as_str()? {
            "line" => Some(Self::Line),
            "paragraph" => Some(Self::Paragraph),
            _ => None,
        }
    }

    fn write(&self) -> Option<String> {
        Some(quote(match self {
            Self::Line => "line",
            Self::Paragraph => "paragraph",
        }))
    }
}

impl Setting for SpanUnit {
    const EXPECTED: &'static str = "\"line\", \"paragraph\" or \"sentence\"";

    fn read(value: &DeValue<'_>) -> Option<Self> {
        match value.as_str()? {
            "line" => Some(Self::Line),
            "paragraph" => Some(Self::Paragraph),
            "sentence" => Some(Self::Sentence),
            _ => None,
        }
    }

    fn write(&self) -> Option<String> {
        Some(quote(match self {
            Self::Line => "line",
            Self::Paragraph => "paragraph",
            Self::Sentence => "sentence",
        }))
    }
}

impl Setting for Keep {
    const EXPECTED: &'static str = "\"first\" or \"least_id\"";

    fn read(value: &DeValue<'_>) -> Option<Self> {
        match value.as_str()? {
            "first" => Some(Self::First),
            "least_id" => Some(Self::LeastId),
            _ => None,
        }
    }

    fn write(&self) -> Option<String> {
        let name = match self {
            Self::First => "first",
            Self::LeastId => "least_id",
        };
        Some(quote(name))
    }
}

impl Setting for Family {
    const EXPECTED: &'static str = "\"fast1\", \"mersenne:SEED\" or \"affine:SEED\"";

    fn read(value: &DeValue<'_>) -> Option<Self> {
        value.as_str()?.parse().ok()
    }

    fn write(&self) -> Option<String> {
        Some(quote(&self.to_string()))
    }
}

/// A string in TOML. JSON's escapes are TOML's, but for DEL, which JSON leaves as it is.
pub(crate) fn quote(text: &str) -> String {
    serde_json::Value::from(text)
        .to_string()
        .replace('\x7f', "\\u007f")
}
