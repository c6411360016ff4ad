//! Any bytes as a model of fastText: reading gives a model or an error, and a model has an answer for
//! any text.

use nexus_text::FastText;

/// Reads `data` as a model and asks it for the labels of a few texts.
///
/// # Panics
/// When a label is not one of the model's, or the answers are not sorted.
pub fn run(data: &[u8]) {
    let Ok(model) = FastText::from_bytes(data) else {
        return;
    };
    let bytes = String::from_utf8_lossy(&data[..data.len().min(256)]);
    for text in ["", "the cat </s> the dog", "кот и собака\nété", &bytes] {
        let found = model.predict(text);
        for prediction in &found {
            assert!(model.labels().any(|label| label == prediction.label));
        }
        let is_sorted = |a: f32, b: f32| a.total_cmp(&b).is_ge();
        assert!(
            found
                .windows(2)
                .all(|pair| is_sorted(pair[0].probability, pair[1].probability))
        );
    }
}
