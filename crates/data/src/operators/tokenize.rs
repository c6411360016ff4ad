//! Token ids, and where each token stands in the text.

use super::{Operator, Stop};
use crate::batch::{columns, list_array, strings, with_columns};
use crate::turnstile::Turn;
use crate::{AnyTokenizer, Error, Tokenization};
use arrow_array::{Array, RecordBatch};
use nexus_tokenizer::{Encoding, Tokenizer};
use std::sync::Arc;

pub(crate) struct Tokenize {
    tokenizer: AnyTokenizer,
    offsets: bool,
    /// The id behind each document.
    end: Option<u32>,
}

impl Tokenize {
    /// Ids and their places, and no token behind a document.
    pub(crate) fn new(tokenizer: AnyTokenizer) -> Self {
        Self {
            tokenizer,
            offsets: true,
            end: None,
        }
    }

    pub(crate) fn from_file(settings: &Tokenization) -> Result<Self, Error> {
        let tokenizer = Tokenizer::from_file(&settings.path).map_err(Error::tokenizer)?;
        let tokenizer = AnyTokenizer::from(tokenizer);
        let end = match &settings.end {
            None => None,
            Some(token) => Some(tokenizer.id(token).ok_or_else(|| {
                let path = settings.path.display();
                Error::invalid(format!("step `tokenize`: `{path}` has no token `{token}`"))
            })?),
        };
        Ok(Self {
            tokenizer,
            offsets: settings.offsets,
            end,
        })
    }
}

impl Operator for Tokenize {
    fn name(&self) -> &'static str {
        "tokenize"
    }

    fn apply(&self, batch: RecordBatch, _turn: &mut Turn) -> Result<RecordBatch, Stop> {
        let texts = strings(&batch, columns::TEXT, self.name())?;
        let mut encoding = Encoding::default();
        let (mut ids, mut starts, mut ends) = (Vec::new(), Vec::new(), Vec::new());
        let mut lengths = Vec::with_capacity(texts.len());
        for text in texts {
            let (text, before) = (text.unwrap_or_default(), ids.len());
            if self.offsets {
                self.tokenizer.encode(text, &mut encoding);
                ids.extend_from_slice(&encoding.ids);
                starts.extend(encoding.offsets.iter().map(|offset| offset.0));
                ends.extend(encoding.offsets.iter().map(|offset| offset.1));
            } else {
                self.tokenizer.extend(text, &mut ids);
            }
            if let Some(end) = self.end {
                ids.push(end);
                // It stands behind the text and has no characters.
                starts.extend(self.offsets.then_some(text.len() as u32));
                ends.extend(self.offsets.then_some(text.len() as u32));
            }
            lengths.push(ids.len() - before);
        }
        let list =
            |values| Ok::<_, Stop>(Arc::new(list_array(values, lengths.iter().copied())?) as _);
        let mut columns = vec![(columns::IDS, list(ids)?)];
        if self.offsets {
            columns.push((columns::STARTS, list(starts)?));
            columns.push((columns::ENDS, list(ends)?));
        }
        Ok(with_columns(&batch, columns)?)
    }
}
