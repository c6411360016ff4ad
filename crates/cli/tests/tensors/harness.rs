//! Running the command on small files.

use std::path::Path;
use std::process::{Command, Output};

use nexus_safetensors::{Dtype, TensorView, serialize_to_file};
use serde_json::Value;
use tempfile::TempDir;

/// Arguments: a line of words, or words that may have blanks.
pub(crate) trait Arguments<'a> {
    fn words(self) -> Vec<&'a str>;
}

impl<'a> Arguments<'a> for &'a str {
    fn words(self) -> Vec<&'a str> {
        self.split_whitespace().collect()
    }
}

impl<'a, const N: usize> Arguments<'a> for [&'a str; N] {
    fn words(self) -> Vec<&'a str> {
        self.to_vec()
    }
}

impl<'a> Arguments<'a> for Vec<&'a str> {
    fn words(self) -> Vec<&'a str> {
        self
    }
}

pub(crate) fn nexus<'a>(folder: &TempDir, arguments: impl Arguments<'a>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nexus"));
    command.arg("tensors").args(arguments.words());
    command.current_dir(folder).output().unwrap()
}

#[track_caller]
pub(crate) fn json<'a>(folder: &TempDir, status: i32, arguments: impl Arguments<'a>) -> Value {
    let mut words = arguments.words();
    words.push("--json");
    let output = nexus(folder, words);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{errors}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A command that must fail: status, parts of the message, parts of the hint.
#[track_caller]
pub(crate) fn fails<'a>(
    folder: &TempDir,
    arguments: impl Arguments<'a>,
    expected: (i32, &str, &str),
) {
    let output = nexus(folder, arguments);
    let errors = String::from_utf8(output.stderr).unwrap();
    let (status, message, hint) = expected;
    assert_eq!(output.status.code(), Some(status), "{errors}");
    let (error, hints) = errors.trim_end().rsplit_once("\nhint: ").unwrap();
    assert!(
        error.starts_with("error: ") && error.contains(message),
        "{errors}"
    );
    assert!(hints.contains(hint), "{errors}");
}

pub(crate) type Spec<'a> = (&'a str, Dtype, Vec<usize>, Vec<u8>);

pub(crate) fn save(path: &Path, tensors: &[Spec<'_>], text: Option<(&str, &str)>) {
    let views = tensors.iter().map(|(name, dtype, shape, bytes)| {
        (
            *name,
            TensorView::new(*dtype, shape.clone(), bytes).unwrap(),
        )
    });
    let text = text.map(|(key, value)| [(key.to_owned(), value.to_owned())].into());
    serialize_to_file(views, text, path).unwrap();
}

pub(crate) fn floats(values: &[f32]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect()
}

pub(crate) fn model() -> Vec<Spec<'static>> {
    vec![
        (
            "head.weight",
            Dtype::F32,
            vec![2, 2],
            floats(&[1.0, 2.0, 3.0, 4.0]),
        ),
        ("body.0.weight", Dtype::F32, vec![2], floats(&[5.0, 6.0])),
        ("body.0.bias", Dtype::U8, vec![3], vec![1, 2, 3]),
        ("empty", Dtype::U8, vec![0], vec![]),
    ]
}

pub(crate) fn folder_with_model() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    save(
        &folder.path().join("model.safetensors"),
        &model(),
        Some(("format", "pt")),
    );
    folder
}
