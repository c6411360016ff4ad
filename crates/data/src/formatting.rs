//! Which changes of a text a pipeline may have.

use crate::settings::Settings;
use nexus_text::{
    Formatter, FtfyFormatter, LineDedup, Parts, PiiFormatter, UnicodeFormatter, Unit,
};

/// A change of the text that nobody else's documents matter for, with its settings.
///
/// ```
/// use nexus_data::Pipeline;
/// use nexus_text::{FtfyFormatter, PiiFormatter};
///
/// let pipeline = Pipeline::read("docs")
///     .format(FtfyFormatter::default())
///     .format(PiiFormatter::default());
/// # drop(pipeline);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Formatting {
    /// `pii`: other e-mail and IP addresses in place of those in the text, as datatrove does.
    Pii(PiiFormatter),
    /// `ftfy`: text that was decoded wrongly, as ftfy repairs it.
    Ftfy(FtfyFormatter),
    /// `unicode`: a normalization form, no control characters.
    Unicode(UnicodeFormatter),
    /// `line_dedup`: each line or paragraph once.
    LineDedup(RepeatedParts),
}

/// Which parts of a document may not be repeated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RepeatedParts {
    /// Lines or paragraphs. They are compared without case, punctuation, accents, and with all numbers
    /// alike.
    pub unit: Unit,
}

impl Formatting {
    /// The names that plans have for them.
    pub const NAMES: [&str; 4] = [
        PiiFormatter::OP,
        FtfyFormatter::OP,
        UnicodeFormatter::OP,
        RepeatedParts::OP,
    ];

    /// What changes texts.
    pub(crate) fn formatter(&self) -> Box<dyn Formatter> {
        match self.clone() {
            Self::Pii(formatter) => Box::new(formatter),
            Self::Ftfy(formatter) => Box::new(formatter),
            Self::Unicode(formatter) => Box::new(formatter),
            Self::LineDedup(RepeatedParts { unit }) => Box::new(LineDedup {
                parts: Parts {
                    unit,
                    ..Parts::default()
                },
            }),
        }
    }
}

impl From<PiiFormatter> for Formatting {
    fn from(formatter: PiiFormatter) -> Self {
        Self::Pii(formatter)
    }
}

impl From<FtfyFormatter> for Formatting {
    fn from(formatter: FtfyFormatter) -> Self {
        Self::Ftfy(formatter)
    }
}

impl From<UnicodeFormatter> for Formatting {
    fn from(formatter: UnicodeFormatter) -> Self {
        Self::Unicode(formatter)
    }
}

impl From<RepeatedParts> for Formatting {
    fn from(parts: RepeatedParts) -> Self {
        Self::LineDedup(parts)
    }
}
