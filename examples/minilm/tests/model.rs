//! The encoder on a small model with made-up weights. That the numbers of the real one are right is
//! shown against sentence-transformers in `tests/search/test_embeddings.py`.

use nexus_handler::{Handler, Request};
use nexus_minilm::{CONTENT_TOKENS_MAX, ErrorKind, MiniLm, MiniLmHandler, Precision};
use nexus_safetensors::{Dtype, TensorView, serialize_to_file};
use std::fs;
use std::num::NonZero;
use std::path::Path;

const HIDDEN: usize = 8;
const WIDE: usize = 16;
const POSITIONS: usize = 300;
const WORDS: [&str; 9] = [
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", "tea", "bread", "river", "gold", "clock",
];

fn config() -> String {
    format!(
        r#"{{"hidden_size": {HIDDEN}, "num_hidden_layers": 2, "num_attention_heads": 2,
            "intermediate_size": {WIDE}, "max_position_embeddings": {POSITIONS}, "type_vocab_size": 2,
            "vocab_size": {}, "layer_norm_eps": 1e-12, "hidden_act": "gelu"}}"#,
        WORDS.len()
    )
}

fn tokenizer() -> String {
    let vocabulary: Vec<String> = WORDS
        .iter()
        .enumerate()
        .map(|(id, word)| format!("\"{word}\": {id}"))
        .collect();
    format!(
        r###"{{"version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
            "normalizer": {{"type": "BertNormalizer", "clean_text": true,
                "handle_chinese_chars": true, "strip_accents": null, "lowercase": true}},
            "pre_tokenizer": {{"type": "BertPreTokenizer"}},
            "post_processor": {{"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]}},
            "decoder": null,
            "model": {{"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                "max_input_chars_per_word": 100, "vocab": {{{}}}}}}}"###,
        vocabulary.join(", ")
    )
}

/// Every tensor of the model, with numbers that repeat and mean nothing.
fn write_weights(path: &Path) {
    let mut shapes = vec![
        (
            "embeddings.word_embeddings.weight".to_owned(),
            vec![WORDS.len(), HIDDEN],
        ),
        (
            "embeddings.position_embeddings.weight".to_owned(),
            vec![POSITIONS, HIDDEN],
        ),
        (
            "embeddings.token_type_embeddings.weight".to_owned(),
            vec![2, HIDDEN],
        ),
        ("embeddings.LayerNorm.weight".to_owned(), vec![HIDDEN]),
        ("embeddings.LayerNorm.bias".to_owned(), vec![HIDDEN]),
    ];
    let parts = [
        ("attention.self.query", HIDDEN, Some(HIDDEN)),
        ("attention.self.key", HIDDEN, Some(HIDDEN)),
        ("attention.self.value", HIDDEN, Some(HIDDEN)),
        ("attention.output.dense", HIDDEN, Some(HIDDEN)),
        ("attention.output.LayerNorm", HIDDEN, None),
        ("intermediate.dense", WIDE, Some(HIDDEN)),
        ("output.dense", HIDDEN, Some(WIDE)),
        ("output.LayerNorm", HIDDEN, None),
    ];
    for layer in 0..2 {
        for (part, rows, columns) in parts {
            let name = format!("encoder.layer.{layer}.{part}");
            let shape = [Some(rows), columns].into_iter().flatten().collect();
            shapes.push((format!("{name}.weight"), shape));
            shapes.push((format!("{name}.bias"), vec![rows]));
        }
    }
    let data: Vec<Vec<u8>> = shapes
        .iter()
        .enumerate()
        .map(|(seed, (_, shape))| {
            let value = |i| (((i * 37 + seed * 11) % 23) as f32 - 11.0) / 13.0;
            (0..shape.iter().product())
                .flat_map(|i: usize| f32::to_le_bytes(value(i)))
                .collect()
        })
        .collect();
    let tensors = shapes.iter().zip(&data).map(|((name, shape), data)| {
        (
            name,
            TensorView::new(Dtype::F32, shape.clone(), data).unwrap(),
        )
    });
    serialize_to_file(tensors, None, path).unwrap();
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("config.json"), config()).unwrap();
    fs::write(folder.path().join("tokenizer.json"), tokenizer()).unwrap();
    write_weights(&folder.path().join("model.safetensors"));
    folder
}

fn threads(count: usize) -> NonZero<usize> {
    NonZero::new(count).unwrap()
}

#[test]
fn a_text_gets_the_same_unit_vector_in_any_company_and_with_any_threads() {
    let folder = folder();
    let model = MiniLm::open(folder.path()).unwrap();
    let long = "tea bread river gold clock ".repeat(60);
    let texts: Vec<&str> = ["tea", "bread river", "", &long]
        .into_iter()
        .cycle()
        .take(150)
        .collect();
    let together = model.embed(&texts, threads(1));
    assert_eq!(together, model.embed(&texts, threads(3)));
    for (text, vector) in texts.iter().zip(together.chunks_exact(HIDDEN)) {
        let alone = model.embed(&[text], threads(1));
        for (a, b) in alone.iter().zip(vector) {
            assert!((a - b).abs() < 1e-5, "{alone:?} against {vector:?}");
        }
        let norm: f32 = vector.iter().map(|x| x * x).sum();
        assert!((norm - 1.0).abs() < 1e-5);
    }
    assert_ne!(together[..HIDDEN], together[HIDDEN..2 * HIDDEN]);
}

#[test]
fn int8_vectors_are_near_those_of_f32_and_the_same_in_any_company() {
    let folder = folder();
    let model = MiniLm::open(folder.path()).unwrap();
    let rounded = MiniLm::open_with(folder.path(), Precision::Int8).unwrap();
    assert_eq!(
        (model.precision(), rounded.precision()),
        (Precision::F32, Precision::Int8)
    );
    let long = "tea bread river gold clock ".repeat(60);
    let texts: Vec<&str> = ["tea", "bread river", "", &long]
        .into_iter()
        .cycle()
        .take(70)
        .collect();
    let exact = model.embed(&texts, threads(1));
    let together = rounded.embed(&texts, threads(1));
    assert_eq!(together, rounded.embed(&texts, threads(3)));
    let vectors = together
        .chunks_exact(HIDDEN)
        .zip(exact.chunks_exact(HIDDEN));
    for (text, (vector, exact)) in texts.iter().zip(vectors) {
        let cosine: f32 = vector.iter().zip(exact).map(|(a, b)| a * b).sum();
        assert!(cosine > 0.99, "{cosine} of {text:?}");
        let alone = rounded.embed(&[text], threads(1));
        for (a, b) in alone.iter().zip(vector) {
            assert!((a - b).abs() < 2e-2, "{alone:?} against {vector:?}");
        }
    }
    assert_ne!(exact, together);
}

#[test]
fn a_precision_has_a_name_and_another_name_is_refused() {
    for precision in [Precision::F32, Precision::Int8] {
        assert_eq!(precision.name().parse::<Precision>().unwrap(), precision);
    }
    let error = "int4".parse::<Precision>().unwrap_err();
    assert_eq!(
        error.to_string(),
        "no precision is called `int4`: there are `f32` and `int8`"
    );
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}

#[test]
fn a_long_text_is_cut_at_the_limit_and_long_ids_are_refused() {
    let folder = folder();
    let model = MiniLm::open(folder.path()).unwrap();
    let words = |count| "tea ".repeat(count);
    let at_limit = model.embed(&[words(CONTENT_TOKENS_MAX)], threads(1));
    assert_eq!(
        at_limit,
        model.embed(&[words(CONTENT_TOKENS_MAX + 50)], threads(1))
    );
    let error = model
        .embed_ids(&[vec![4; CONTENT_TOKENS_MAX + 1]], threads(1))
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert_eq!(
        error.to_string(),
        "cannot embed sequence 0: 255 tokens, at most 254"
    );
    let error = model
        .embed_ids(&[vec![4], vec![9]], threads(1))
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot embed sequence 1: no token has the id 9"
    );
}

#[test]
fn what_is_wrong_with_a_model_folder_is_said() {
    let check = |spoil: &dyn Fn(&Path), kind: ErrorKind, message: &str| {
        let folder = folder();
        spoil(folder.path());
        let error = MiniLm::open(folder.path())
            .err()
            .expect("the model is spoiled");
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(message), "{error}");
    };
    let replace = |folder: &Path, from: &str, to: &str| {
        let path = folder.join("config.json");
        fs::write(&path, fs::read_to_string(&path).unwrap().replace(from, to)).unwrap();
    };
    check(
        &|f| fs::remove_file(f.join("config.json")).unwrap(),
        ErrorKind::NotFound,
        "config.json",
    );
    check(
        &|f| fs::remove_file(f.join("model.safetensors")).unwrap(),
        ErrorKind::NotFound,
        "model.safetensors",
    );
    check(
        &|f| fs::write(f.join("model.safetensors"), "no").unwrap(),
        ErrorKind::Corrupt,
        "model.safetensors",
    );
    check(
        &|f| fs::write(f.join("tokenizer.json"), "{}").unwrap(),
        ErrorKind::Corrupt,
        "tokenizer.json",
    );
    check(
        &|f| replace(f, "\"gelu\"", "\"relu\""),
        ErrorKind::Corrupt,
        "hidden_act is `relu`, not `gelu`",
    );
    check(
        &|f| replace(f, "\"hidden_size\": 8", "\"hidden_size\": 0"),
        ErrorKind::Corrupt,
        "hidden_size is 0",
    );
    check(
        &|f| replace(f, "heads\": 2", "heads\": 3"),
        ErrorKind::Corrupt,
        "no multiple",
    );
    check(
        &|f| replace(f, "layers\": 2", "layers\": 3"),
        ErrorKind::Corrupt,
        "encoder.layer.2",
    );
    check(
        &|f| replace(f, "size\": 16", "size\": 17"),
        ErrorKind::Corrupt,
        "is F32 [16, 8], not F32 [17, 8]",
    );
}

#[test]
fn the_handler_answers_a_batch_and_refuses_each_bad_request_alone() {
    let folder = folder();
    let handler = MiniLmHandler::load(folder.path().to_str().unwrap()).unwrap();
    let json = |body: &str| Request::new(body.to_owned()).with_content_type("application/json");
    let many = format!("{{\"texts\": [{}]}}", vec!["\"tea\""; 65].join(","));
    let answers = handler.handle_batch(vec![
        json(r#"{"texts": ["tea", "gold"]}"#),
        json(r#"{"texts": "tea"}"#),
        Request::new("tea").with_content_type("text/plain"),
        json(&many),
        json(r#"{"texts": []}"#),
        json(r#"{"texts": ["gold"]}"#),
    ]);
    let status: Vec<u16> = answers
        .iter()
        .map(|answer| {
            answer.as_ref().map_or_else(
                nexus_handler::Error::status,
                nexus_handler::Response::status,
            )
        })
        .collect();
    assert_eq!(status, [200, 400, 415, 413, 200, 200]);
    let vectors = |index: usize| {
        let body = answers[index].as_ref().unwrap().body();
        let value: serde_json::Value = serde_json::from_slice(body).unwrap();
        value["vectors"].as_array().unwrap().clone()
    };
    assert_eq!((vectors(0).len(), vectors(4).len()), (2, 0));
    assert_eq!(vectors(0)[1], vectors(5)[0]);
}
