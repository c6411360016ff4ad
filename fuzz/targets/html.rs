//! Any bytes as HTML: the text is never longer than the page.

/// Turns `data` into text.
///
/// # Panics
/// When the text is longer than the page could make it.
pub fn run(data: &[u8]) {
    let html = String::from_utf8_lossy(data);
    let document = nexus_data::html::to_text(&html);
    // A character reference makes at most two characters of four bytes of its shortest form `&gt`,
    // and a tag makes at most two line ends.
    assert!(document.text.len() <= 3 * html.len());
    assert!(
        document
            .title
            .is_none_or(|title| title.len() <= 3 * html.len())
    );
}
