//! Text, Markdown, HTML and image files to rows: one file is one document.

use super::fault::Fault;
use super::listing::{Compression, Format, Input};
use super::{Meter, open};
use crate::batch::Rows;
use crate::limits::DOCUMENT_SIZE_MAX;
use crate::{Document, html, markdown};
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Appends the row of a file, or says why it cannot.
///
/// `fault` has an error after that which is to end the run, if there is one.
pub(crate) fn decode(
    input: &Input,
    meter: &Meter,
    fault: &Arc<Fault>,
    rows: &mut Rows,
) -> Result<(), String> {
    let bytes = read(input, meter, fault);
    meter.bytes.fetch_add(input.size, Ordering::Relaxed);
    let mut bytes = bytes?;
    if input.format == Format::Image {
        rows.push_image(std::mem::take(&mut bytes));
    }
    let text = String::from_utf8(bytes)
        .map_err(|error| format!("invalid UTF-8: {}", error.utf8_error()))?;
    let text = text
        .strip_prefix('\u{FEFF}')
        .map(str::to_owned)
        .unwrap_or(text);
    let document = match input.format {
        Format::Markdown => markdown::to_text(&text),
        Format::Html => html::to_text(&text),
        _ => Document { text, title: None },
    };
    rows.ids.push(input.id.clone());
    rows.texts.push(&document.text);
    rows.sources.push(input.source.clone());
    rows.lines.push(None);
    rows.fields.push(match document.title {
        Some(title) => serde_json::json!({ "title": title }).to_string(),
        None => "{}".to_owned(),
    });
    Ok(())
}

fn read(input: &Input, meter: &Meter, fault: &Arc<Fault>) -> Result<Vec<u8>, String> {
    let file = input.storage.open(&input.stored()).map_err(|error| {
        fault.note(&error);
        format!("cannot open: {error}")
    })?;
    meter.files.fetch_add(1, Ordering::Relaxed);
    let mut bytes = Vec::new();
    // A plain file counted for its size when the batch was made up, so it must not be longer now.
    let size_max = match input.compression {
        Compression::None => input.size,
        _ => DOCUMENT_SIZE_MAX as u64,
    };
    let result = if input.size > DOCUMENT_SIZE_MAX as u64 {
        Ok(usize::MAX)
    } else {
        open::decompress(fault.watch(file), input.compression)
            .and_then(|reader| reader.take(size_max + 1).read_to_end(&mut bytes))
    };
    match result {
        Err(error) => Err(format!("cannot read: {error}")),
        Ok(size) if size > DOCUMENT_SIZE_MAX => Err(format!(
            "the file is larger than DOCUMENT_SIZE_MAX = {DOCUMENT_SIZE_MAX} bytes"
        )),
        Ok(size) if size as u64 > size_max => Err("the file grew while it was read".to_owned()),
        Ok(size) => {
            meter.plain.fetch_add(size as u64, Ordering::Relaxed);
            Ok(bytes)
        }
    }
}
