//! Token ids, and where each token stands in the text.

use super::{Operator, Stop};
use crate::batch::{columns, list_array, strings, with_columns};
use crate::turnstile::Turn;
use arrow_array::{Array, RecordBatch};
use nexus_tokenizer::{Encoding, WordPiece};
use std::sync::Arc;

pub(crate) struct Tokenize(pub(crate) Arc<WordPiece>);

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
            self.0.encode_into(text.unwrap_or_default(), &mut encoding);
            ids.extend_from_slice(&encoding.ids);
            starts.extend(encoding.offsets.iter().map(|offset| offset.0));
            ends.extend(encoding.offsets.iter().map(|offset| offset.1));
            lengths.push(encoding.len());
        }
        let list =
            |values| Ok::<_, Stop>(Arc::new(list_array(values, lengths.iter().copied())?) as _);
        let columns = [
            (columns::IDS, list(ids)?),
            (columns::STARTS, list(starts)?),
            (columns::ENDS, list(ends)?),
        ];
        Ok(with_columns(&batch, columns)?)
    }
}
