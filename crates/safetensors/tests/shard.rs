//! Several files and an index.

use std::fs;
use std::path::Path;

use nexus_safetensors::checksum::{Checksum, add_checksums, verify};
use nexus_safetensors::{
    Dtype, ErrorKind, SHARD_PATTERN, SafeTensorError, SafeTensorsFile, TensorView, WriteOptions,
    serialize_sharded,
};

type Sizes = &'static [(&'static str, usize)];
type Shards = &'static [&'static [&'static str]];

const DATA: [u8; 64] = [7; 64];

fn tensors<'a>(sizes: &[(&'a str, usize)]) -> Vec<(&'a str, TensorView<'static>)> {
    sizes
        .iter()
        .map(|&(name, size)| {
            let view = TensorView::new(Dtype::U8, vec![size], &DATA[..size]).unwrap();
            (name, view)
        })
        .collect()
}

fn names_in(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn save(
    sizes: &[(&str, usize)],
    folder: &Path,
    size_max: usize,
    options: WriteOptions,
) -> Result<nexus_safetensors::Sharded, SafeTensorError> {
    serialize_sharded(
        tensors(sizes),
        folder,
        SHARD_PATTERN,
        size_max,
        None,
        options,
    )
}

/// The cases come from `split_torch_state_dict_into_shards` of `huggingface_hub`.
#[test]
fn tensors_are_shared_out_as_huggingface_hub_does() {
    let cases: [(Sizes, Shards); 6] = [
        (&[], &[&[]]),
        (&[("a", 6), ("b", 4)], &[&["a", "b"]]),
        (
            &[("a", 6), ("b", 6), ("c", 2), ("d", 6), ("e", 2), ("f", 2)],
            &[&["a"], &["b", "c"], &["d", "e", "f"]],
        ),
        (
            &[("a", 2), ("large", 11), ("b", 2)],
            &[&["large"], &["a", "b"]],
        ),
        (&[("large", 11), ("larger", 12)], &[&["large"], &["larger"]]),
        (
            &[("b", 10), ("none", 0), ("a", 1)],
            &[&["b", "none"], &["a"]],
        ),
    ];
    for (sizes, expected) in cases {
        for options in [WriteOptions::default(), WriteOptions::default().fsync(true)] {
            let folder = tempfile::tempdir().unwrap();
            let sharded = save(sizes, folder.path(), 10, options).unwrap();
            assert_eq!(sharded.files.len(), expected.len());
            assert_eq!(sharded.index.is_some(), expected.len() > 1);
            assert_eq!(
                sharded.total_size,
                sizes.iter().map(|(_, size)| size).sum::<usize>()
            );
            for (file, names) in sharded.files.iter().zip(expected) {
                let file = SafeTensorsFile::open(file).unwrap();
                let mut names = names.to_vec();
                names.sort_unstable();
                assert_eq!(file.names(), names);
            }
            let count = sharded.files.len() + usize::from(sharded.index.is_some());
            assert_eq!(names_in(folder.path()).len(), count);
        }
    }
}

/// The text is what Python 3.11 prints for
/// `json.dumps({"metadata": {"total_size": 30}, "weight_map": {...}}, indent=2, sort_keys=True) + "\n"`.
#[test]
fn the_index_is_that_of_transformers() {
    let folder = tempfile::tempdir().unwrap();
    let sizes = [("z", 10), ("ä\u{7f}\u{1f600}\"\n", 10), ("A", 10)];
    let sharded = save(&sizes, folder.path(), 10, WriteOptions::default()).unwrap();
    let index = fs::read_to_string(sharded.index.unwrap()).unwrap();
    let expected = r#"{
  "metadata": {
    "total_size": 30
  },
  "weight_map": {
    "A": "model-00003-of-00003.safetensors",
    "z": "model-00001-of-00003.safetensors",
    "\u00e4\u007f\ud83d\ude00\"\n": "model-00002-of-00003.safetensors"
  }
}
"#;
    assert_eq!(index, expected);
    assert_eq!(
        names_in(folder.path()),
        [
            "model-00001-of-00003.safetensors",
            "model-00002-of-00003.safetensors",
            "model-00003-of-00003.safetensors",
            "model.safetensors.index.json",
        ]
    );
}

#[test]
fn what_an_earlier_save_left_is_removed_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let others = [
        "model-00001-of-2.safetensors",
        "model-x.safetensors",
        "notes.txt",
    ];
    for other in others {
        fs::write(folder.path().join(other), "").unwrap();
    }
    let sizes = [("a", 10), ("b", 10), ("c", 10)];
    let kept = |ours: &[&'static str]| {
        let mut names: Vec<_> = others.iter().chain(ours).copied().collect();
        names.sort_unstable();
        names
    };
    let options = WriteOptions::default();
    save(&sizes, folder.path(), 10, options).unwrap();
    save(&sizes, folder.path(), 100, options).unwrap();
    assert_eq!(names_in(folder.path()), kept(&["model.safetensors"]));
    save(&sizes[..2], folder.path(), 10, options).unwrap();
    assert_eq!(
        names_in(folder.path()),
        kept(&[
            "model-00001-of-00002.safetensors",
            "model-00002-of-00002.safetensors",
            "model.safetensors.index.json"
        ])
    );
}

#[test]
fn each_shard_gets_the_checksums_of_its_tensors() {
    let folder = tempfile::tempdir().unwrap();
    let data = tensors(&[("a", 6), ("b", 6), ("c", 2)]);
    let info = add_checksums(&data, None, Checksum::Xxh3, None).unwrap();
    let options = WriteOptions::default();
    let sharded =
        serialize_sharded(data, folder.path(), SHARD_PATTERN, 10, Some(&info), options).unwrap();
    assert_eq!(sharded.files.len(), 2);
    for file in sharded.files {
        let report = verify(&SafeTensorsFile::open(file).unwrap(), None).unwrap();
        assert!(report.is_sound() && report.verified > 0, "{report:?}");
    }
}

#[test]
fn a_sharded_save_that_fails_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let options = WriteOptions::default();
    save(&[("a", 10), ("b", 10)], folder.path(), 10, options).unwrap();
    let read = || -> Vec<_> {
        let names = names_in(folder.path());
        names
            .into_iter()
            .map(|name| (name.clone(), fs::read(folder.path().join(name)).unwrap()))
            .collect()
    };
    let before = read();
    let error = save(&[("a", 9), ("b", 9), ("a", 9)], folder.path(), 10, options).unwrap_err();
    assert!(matches!(error, SafeTensorError::DuplicateName(name) if name == "a"));
    assert_eq!(read(), before);

    // The last shard's place is taken by a folder.
    let taken = folder.path().join("model-00003-of-00003.safetensors");
    fs::create_dir(&taken).unwrap();
    let error = save(&[("a", 9), ("b", 9), ("c", 9)], folder.path(), 10, options).unwrap_err();
    assert!(matches!(error, SafeTensorError::NotRegularFile(path) if path == taken));
    fs::remove_dir(taken).unwrap();
    assert_eq!(read(), before);
    let error = save(&[("a", 1)], &folder.path().join("none"), 10, options).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[test]
fn patterns_are_file_names_with_a_suffix() {
    let folder = tempfile::tempdir().unwrap();
    for pattern in ["model.safetensors", "../m{suffix}", "a/m{suffix}", ""] {
        let none = tensors(&[]);
        let error = serialize_sharded(
            none,
            folder.path(),
            pattern,
            1,
            None,
            WriteOptions::default(),
        );
        let error = error.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(
            error.to_string().contains(&format!("`{pattern}`")),
            "{error}"
        );
        assert!(error.hint().is_some());
    }
    let sharded = serialize_sharded(
        tensors(&[("a", 1), ("b", 1)]),
        folder.path(),
        "diffusion{suffix}.fp16.safetensors",
        1,
        None,
        WriteOptions::default(),
    )
    .unwrap();
    assert!(sharded.files[1].ends_with("diffusion-00002-of-00002.fp16.safetensors"));
    assert!(
        sharded
            .index
            .unwrap()
            .ends_with("diffusion.fp16.safetensors.index.json")
    );
}
