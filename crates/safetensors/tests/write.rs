//! Files written here against the published crate's, and what a save leaves on disk.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs;
use std::path::Path;

use nexus_safetensors::{
    Dtype, ErrorKind, SafeTensorError, SafeTensorsFile, TensorView, View, WriteOptions, serialize,
    serialize_to_file, serialize_to_file_with,
};
use nexus_tensor::Tensor;
use proptest::prelude::*;

fn twin(dtype: Dtype) -> safetensors::Dtype {
    serde_json::from_str(&format!("\"{dtype}\"")).unwrap()
}

fn dtype() -> impl Strategy<Value = Dtype> {
    prop::sample::select(Dtype::ALL.to_vec())
}

proptest! {
    #[test]
    fn bytes_equal_those_of_the_published_crate(
        tensors in prop::collection::btree_map(
            "\\PC{0,8}", (dtype(), prop::collection::vec(0..4_usize, 0..3)), 0..6),
        metadata in prop::option::of(prop::collection::hash_map("\\PC{0,4}", "\\PC{0,4}", 0..2)),
    ) {
        let data = vec![0xA5; 1024];
        let size = |dtype: Dtype, shape: &[usize]| nexus_tensor::size_bytes(dtype, shape).ok();
        let tensors: Vec<_> = tensors
            .iter()
            .filter_map(|(name, (dtype, shape))| Some((name, *dtype, shape, size(*dtype, shape)?)))
            .collect();
        // The published crate writes a header that is no JSON for empty metadata without tensors.
        prop_assume!(!tensors.is_empty() || metadata.as_ref().is_none_or(|metadata| !metadata.is_empty()));
        let ours = tensors.iter().map(|(name, dtype, shape, size)| {
            (name, TensorView::new(*dtype, (*shape).clone(), &data[..*size]).unwrap())
        });
        let theirs = tensors.iter().map(|(name, dtype, shape, size)| {
            (name, safetensors::tensor::TensorView::new(twin(*dtype), (*shape).clone(), &data[..*size]).unwrap())
        });
        let ours = serialize(ours, metadata.clone()).unwrap();
        prop_assert_eq!(ours.escape_ascii().to_string(), safetensors::serialize(theirs, metadata).unwrap().escape_ascii().to_string());
    }
}

#[test]
fn metadata_is_written_in_sorted_order() {
    let keys = ["d", "b", "a", "e", "c"];
    let metadata: HashMap<_, _> = keys
        .iter()
        .map(|key| ((*key).to_owned(), String::new()))
        .collect();
    let bytes = serialize(Vec::<(&str, TensorView<'_>)>::new(), Some(metadata)).unwrap();
    let header = std::str::from_utf8(&bytes[8..]).unwrap();
    assert_eq!(
        header.trim_end(),
        r#"{"__metadata__":{"a":"","b":"","c":"","d":"","e":""}}"#
    );
    assert_eq!(bytes.len() % 8, 0);
}

/// A view whose data may be other than it says.
struct Odd(Dtype, Vec<usize>, usize, Vec<u8>);

impl View for Odd {
    fn dtype(&self) -> Dtype {
        self.0
    }
    fn shape(&self) -> &[usize] {
        &self.1
    }
    fn data(&self) -> Cow<'_, [u8]> {
        self.3.as_slice().into()
    }
    fn data_len(&self) -> usize {
        self.2
    }
}

fn save(path: &Path, value: u8) -> Result<(), SafeTensorError> {
    serialize_to_file([("a", Odd(Dtype::U8, vec![1], 1, vec![value]))], None, path)
}

fn value(path: &Path) -> u8 {
    SafeTensorsFile::open(path)
        .unwrap()
        .tensor("a")
        .unwrap()
        .data()[0]
}

fn names_in(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_save_that_fails_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    save(&path, 1).unwrap();
    let check = |tensors: Vec<(&str, Odd)>, kind: ErrorKind, words: &str| {
        let error = serialize_to_file(tensors, None, &path).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(words), "{error}");
        assert_eq!(value(&path), 1);
        assert_eq!(names_in(folder.path()), ["a.safetensors"]);
    };
    let odd = |size, data: &[u8]| Odd(Dtype::U8, vec![2], size, data.to_vec());
    check(
        vec![("b", odd(2, &[1]))],
        ErrorKind::InvalidInput,
        "can't be created from 1 bytes",
    );
    check(
        vec![("b", odd(3, &[1, 2, 3]))],
        ErrorKind::Corrupt,
        "invalid shape",
    );
    check(
        vec![("b", odd(2, &[1, 2])), ("b", odd(2, &[1, 2]))],
        ErrorKind::InvalidInput,
        "two of that name",
    );
    check(
        vec![("__metadata__", odd(2, &[1, 2]))],
        ErrorKind::InvalidInput,
        "reserved",
    );
    check(
        vec![("b", odd(usize::MAX, &[])), ("c", odd(2, &[]))],
        ErrorKind::Corrupt,
        "overflow",
    );
}

#[test]
fn a_panic_in_a_view_leaves_no_temporary_file() {
    struct Panics;
    impl View for Panics {
        fn dtype(&self) -> Dtype {
            Dtype::U8
        }
        fn shape(&self) -> &[usize] {
            &[]
        }
        fn data(&self) -> Cow<'_, [u8]> {
            panic!("no data")
        }
        fn data_len(&self) -> usize {
            1
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    std::panic::catch_unwind(|| serialize_to_file([("a", Panics)], None, &path)).unwrap_err();
    assert!(names_in(folder.path()).is_empty());
}

#[test]
fn a_missing_folder_is_not_found_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("none/a.safetensors");
    let error = save(&path, 1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("none/a.safetensors"), "{error}");
    assert!(std::error::Error::source(&error).is_some());
    assert_eq!(
        SafeTensorsFile::open(&path).unwrap_err().kind(),
        ErrorKind::NotFound
    );
}

#[test]
fn an_open_reader_keeps_the_old_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    save(&path, 1).unwrap();
    let old = SafeTensorsFile::open(&path).unwrap();
    let options = WriteOptions::default().fsync(true);
    serialize_to_file_with(
        [("a", Odd(Dtype::U8, vec![1], 1, vec![2]))],
        None,
        &path,
        options,
    )
    .unwrap();
    assert_eq!(old.tensor("a").unwrap().data(), [1]);
    assert_eq!(value(&path), 2);
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn a_new_file_has_the_mode_of_any_new_file_and_an_old_one_keeps_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let (plain, path) = (folder.path().join("plain"), folder.path().join("a"));
        fs::write(&plain, "").unwrap();
        save(&path, 1).unwrap();
        assert_eq!(mode(&path), mode(&plain));
        for kept in [0o600, 0o640, 0o664] {
            fs::set_permissions(&path, fs::Permissions::from_mode(kept)).unwrap();
            save(&path, 2).unwrap();
            assert_eq!((mode(&path), value(&path)), (kept, 2));
        }
    }

    #[test]
    fn symbolic_links_are_followed_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let other = tempfile::tempdir_in(folder.path()).unwrap();
        let (file, link, chain) = (
            other.path().join("file"),
            folder.path().join("link"),
            folder.path().join("chain"),
        );
        symlink(&file, &link).unwrap();
        symlink("link", &chain).unwrap();
        for value_written in [1, 2] {
            // The first save finds a link that leads nowhere yet.
            save(&chain, value_written).unwrap();
            assert_eq!(value(&file), value_written);
        }
        assert!(link.is_symlink() && chain.is_symlink() && !file.is_symlink());
        let ring = folder.path().join("ring");
        symlink("ring", &ring).unwrap();
        assert_eq!(save(&ring, 1).unwrap_err().kind(), ErrorKind::Io);
    }

    #[test]
    fn what_is_no_regular_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        for path in [folder.path(), socket.as_path()] {
            let error = save(path, 1).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert!(
                error.to_string().ends_with("it is not a regular file"),
                "{error}"
            );
        }
        assert_eq!(names_in(folder.path()), ["socket"]);
    }
}

#[test]
fn a_shared_tensor_outlives_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    let matrix = Tensor::from_vec([2, 3], vec![1_i16, 2, 3, 4, 5, 6]).unwrap();
    let turned = matrix.view().transpose();
    serialize_to_file([("m", &matrix.view()), ("t", &turned)], None, &path).unwrap();
    let file = SafeTensorsFile::open(&path).unwrap();
    assert_eq!(file.offset_keys(), ["m", "t"]);
    let info = file.info("t").unwrap();
    assert_eq!(
        (info.dtype, info.shape.as_slice()),
        (Dtype::I16, &[3, 2][..])
    );
    assert_eq!(file.byte_range(info).end, file.size_bytes());
    assert_eq!(file.size_bytes() as u64, fs::metadata(&path).unwrap().len());
    let (clone, kept) = (file.clone(), file.shared_tensor("t").unwrap());
    assert_eq!(clone.tensor_ref("m").unwrap().get::<i16>(&[1, 2]), Some(6));
    drop((file, clone));
    let read = std::thread::spawn(move || kept.as_slice::<i16>().unwrap().to_vec())
        .join()
        .unwrap();
    assert_eq!(read, [1, 4, 2, 5, 3, 6]);
}

#[test]
fn a_name_that_is_not_there_is_not_found() {
    let bytes = serialize(Vec::<(&str, TensorView<'_>)>::new(), None).unwrap();
    let error = SafeTensorsFile::copy_of(&bytes)
        .unwrap()
        .tensor("x")
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (ErrorKind::NotFound, "tensor `x` not found")
    );
}
