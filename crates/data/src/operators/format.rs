//! Texts in another form.

use super::{Operator, Stop};
use crate::batch::{Strings, columns, strings, with_columns};
use crate::turnstile::Turn;
use arrow_array::RecordBatch;
use nexus_text::Formatter;
use std::sync::Arc;

pub(crate) struct Format(pub(crate) Box<dyn Formatter>);

impl Operator for Format {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn apply(&self, batch: RecordBatch, _turn: &mut Turn) -> Result<RecordBatch, Stop> {
        let mut formatted = Strings::default();
        for text in strings(&batch, columns::TEXT, self.name())? {
            formatted.push(&self.0.apply(text.unwrap_or_default()));
        }
        let formatted = Arc::new(formatted.finish()?);
        Ok(with_columns(&batch, [(columns::TEXT, formatted as _)])?)
    }
}
