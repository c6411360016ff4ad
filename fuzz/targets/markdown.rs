//! Any bytes as Markdown: there is a text, and no title without a heading's mark.

/// Turns `data` into text.
///
/// # Panics
/// When a title comes from nowhere.
pub fn run(data: &[u8]) {
    let markdown = String::from_utf8_lossy(data);
    let document = nexus_data::markdown::to_text(&markdown);
    assert!(document.title.is_none() || markdown.contains(['#', '=']));
}
