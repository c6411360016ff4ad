//! Any bytes as a document: every filter has a verdict, and the words are the text less white space.

use nexus_text::{
    Basic, C4BadWords, C4Paragraphs, C4Quality, Filter, FineWebQuality, GopherQuality,
    GopherRepetition, Profiler,
};

/// Judges `data` with all filters.
///
/// # Panics
/// When the words or the sentences are not the text.
pub fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut profiler = Profiler::new();
    let mut profile = profiler.profile(&text).expect("the text is small");
    let quality = GopherQuality {
        min_doc_words: None,
        ..GopherQuality::default()
    };
    let sentences = C4Quality {
        split_paragraph: false,
        ..C4Quality::default()
    };
    let words = C4BadWords::new(["a", "的"], true);
    let filters: [&dyn Filter; 9] = [
        &GopherRepetition::default(),
        &quality,
        &GopherQuality::default(),
        &C4Quality::default(),
        &sentences,
        &C4Paragraphs::default(),
        &words,
        &FineWebQuality::default(),
        &Basic::default(),
    ];
    for filter in filters {
        let _ = filter.judge(&mut profile);
    }
    assert_eq!(profile.sentences().concat(), text);
    if !text.contains("IS_ALPHA") {
        let words = profile.words().to_vec();
        let words: String = words.iter().map(|word| profile.word(word)).collect();
        let is_space = |c: char| c.is_whitespace() || ('\u{1C}'..='\u{1F}').contains(&c);
        assert_eq!(words, text.replace(is_space, ""));
    }
}
