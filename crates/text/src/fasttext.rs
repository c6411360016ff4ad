//! Text classifiers in the format of fastText (Joulin et al. 2016, <https://arxiv.org/abs/1607.01759>).

mod buckets;
mod dictionary;
mod matrix;
mod output;
mod reader;

use crate::error::Error;
use crate::limits::{MODEL_DIM_MAX, MODEL_NGRAM_MAX, MODEL_SIZE_MAX};
use dictionary::Dictionary;
use matrix::Matrix;
use output::Loss;
use reader::Reader;
use std::path::Path;

/// What a model file begins with.
const MAGIC: i32 = 793_712_314;
/// The versions that are read.
const VERSIONS: std::ops::RangeInclusive<i32> = 11..=12;
/// A model of this kind classifies; the others embed words.
const SUPERVISED: i32 = 3;

/// A text classifier read from a file of fastText, `.bin` or quantised `.ftz`, such as
/// `lid.176.ftz`, which tells languages.
///
/// ```no_run
/// use nexus_text::FastText;
///
/// let model = FastText::open("lid.176.ftz".as_ref())?;
/// let best = model.predict("Wie geht es dir?")[0];
/// assert_eq!(best.label, "de");
/// # Ok::<(), nexus_text::Error>(())
/// ```
pub struct FastText {
    dictionary: Dictionary,
    input: Matrix,
    output: Matrix,
    loss: Loss,
}

/// A label and how likely it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prediction<'a> {
    /// The label, without `__label__`.
    pub label: &'a str,
    /// Its probability. As in fastText it may be above 1 by 0.00001.
    pub probability: f32,
}

/// What the dictionary needs to know of how the model was trained.
#[derive(Clone, Copy)]
struct Settings {
    word_grams: usize,
    gram_min: usize,
    gram_max: usize,
    buckets: u32,
}

impl Settings {
    fn has_grams(&self) -> bool {
        self.gram_max > 0 || self.word_grams > 1
    }
}

impl FastText {
    /// Reads a model. A `.bin` takes its size in memory, an `.ftz` a little more.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) and [`Io`](crate::ErrorKind::Io) when the file cannot
    /// be read, [`LimitReached`](crate::ErrorKind::LimitReached) when it is larger than
    /// [`MODEL_SIZE_MAX`], and those of [`from_bytes`](Self::from_bytes).
    pub fn open(path: &Path) -> Result<Self, Error> {
        let io = |error: std::io::Error| Error::io("the fastText model", path, &error);
        let size = std::fs::metadata(path).map_err(io)?.len();
        if size > MODEL_SIZE_MAX {
            let message = format!(
                "cannot read a fastText model of {size} bytes: MODEL_SIZE_MAX is {MODEL_SIZE_MAX}"
            );
            return Err(Error::limit(message).at(path));
        }
        let data = std::fs::read(path).map_err(io)?;
        Self::from_bytes(&data).map_err(|error| error.at(path))
    }

    /// Reads a model from the bytes of its file.
    ///
    /// # Errors
    /// [`Corrupt`](crate::ErrorKind::Corrupt) when the file breaks the format,
    /// [`Unsupported`](crate::ErrorKind::Unsupported) when it is of another version or no classifier,
    /// [`LimitReached`](crate::ErrorKind::LimitReached) when it exceeds one of
    /// [`limits`](crate::limits).
    pub fn from_bytes(data: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(data);
        if reader.i32("the first word")? != MAGIC {
            return Err(Error::corrupt(
                "cannot read a fastText model: the file does not begin as one",
            ));
        }
        let version = reader.i32("the version")?;
        if !VERSIONS.contains(&version) {
            return Err(Error::unsupported(format!(
                "cannot read a fastText model of version {version}: 11 and 12 are known"
            )));
        }
        let (settings, loss) = settings(&mut reader, version)?;
        let dictionary = Dictionary::read(&mut reader, settings)?;
        let is_quantised = reader.flag("the kind of the input matrix")?;
        if !is_quantised && dictionary.is_pruned() {
            return Err(Error::corrupt(
                "cannot read a fastText model: it is pruned, but not quantised",
            ));
        }
        let input = Matrix::read(&mut reader, is_quantised)?;
        let is_output_quantised = reader.flag("the kind of the output matrix")?;
        let output = Matrix::read(&mut reader, is_quantised && is_output_quantised)?;
        let loss = Loss::new(loss, &dictionary.labels)?;
        let model = Self {
            dictionary,
            input,
            output,
            loss,
        };
        model.check()?;
        Ok(model)
    }

    /// The labels, without `__label__`.
    pub fn labels(&self) -> impl Iterator<Item = &str> {
        self.dictionary.labels.iter().map(|label| &*label.0)
    }

    /// The labels of a text, the most likely first; line feeds count as blanks. Labels less likely
    /// than 0.00001 may be left out, as fastText does. Time is linear in the text.
    pub fn predict(&self, text: &str) -> Vec<Prediction<'_>> {
        let mut hidden = vec![0.0; self.input.dim()];
        let mut rows = 0_u32;
        self.dictionary.rows_of(text.as_bytes(), |found| {
            self.input.add_rows(found, &mut hidden);
            rows = rows.saturating_add(found.len() as u32);
        });
        let mut found = Vec::new();
        if rows == 0 {
            return found;
        }
        let scale = 1.0 / rows as f32;
        for value in &mut hidden {
            *value *= scale;
        }
        self.loss.predict(&self.output, &hidden, |label, score| {
            found.push(Prediction {
                label: &self.dictionary.labels[label].0,
                probability: score.exp(),
            });
        });
        found.sort_by(|a, b| b.probability.total_cmp(&a.probability));
        found
    }

    /// Holds when every row that a text can ask for is there.
    fn check(&self) -> Result<(), Error> {
        let (needed, labels) = (self.dictionary.rows(), self.dictionary.labels.len());
        if labels == 0 {
            return Err(Error::corrupt(
                "cannot read a fastText model: it has no labels",
            ));
        }
        for (what, is_right) in [
            ("rows of the input matrix", self.input.rows() >= needed),
            ("rows of the output matrix", self.output.rows() == labels),
            ("lengths of the rows", self.input.dim() == self.output.dim()),
        ] {
            if !is_right {
                return Err(Error::corrupt(format!(
                    "cannot read a fastText model: the {what} do not fit its words and labels"
                )));
            }
        }
        Ok(())
    }
}

impl std::fmt::Debug for FastText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FastText")
            .field("labels", &self.dictionary.labels.len())
            .field("rows", &self.input.rows())
            .field("dim", &self.input.dim())
            .finish_non_exhaustive()
    }
}

fn settings(reader: &mut Reader<'_>, version: i32) -> Result<(Settings, i32), Error> {
    reader.count(MODEL_DIM_MAX, "MODEL_DIM_MAX", "the length of a vector")?;
    for _ in 0..4 {
        reader.i32("a setting of the training")?;
    }
    let mut number = || reader.i32("a setting");
    let (word_grams, loss, model, buckets) = (number()?, number()?, number()?, number()?);
    let (gram_min, mut gram_max) = (number()?, number()?);
    number()?;
    reader.i64("a setting of the training")?;
    if model != SUPERVISED {
        return Err(Error::unsupported(
            "cannot read a fastText model: it embeds words and has no labels",
        ));
    }
    if version == 11 {
        gram_max = 0; // Classifiers of that version wrote a number that they did not use.
    }
    let ngram = |number: i32| match usize::try_from(number.max(0)) {
        Ok(number) if number <= MODEL_NGRAM_MAX => Ok(number),
        _ => Err(Error::limit(format!(
            "cannot read a fastText model: an n-gram of {number} exceeds MODEL_NGRAM_MAX, which is \
             {MODEL_NGRAM_MAX}"
        ))),
    };
    let settings = Settings {
        word_grams: ngram(word_grams)?,
        gram_min: ngram(gram_min)?,
        gram_max: ngram(gram_max)?,
        buckets: u32::try_from(buckets).unwrap_or(0),
    };
    if settings.has_grams() && settings.buckets == 0 {
        return Err(Error::corrupt(
            "cannot read a fastText model: it has n-grams, but no buckets for them",
        ));
    }
    Ok((settings, loss))
}
