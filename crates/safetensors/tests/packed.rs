//! Packed files: read by the published crate, turned back byte for byte, refused when broken.

use std::collections::HashMap;
use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use nexus_safetensors::packed::{
    PACKED_HEADER_KEY, PACKED_KEY, PackOptions, PackedFile, is_packed, pack_file, unpack_file,
};
use nexus_safetensors::{
    Dtype, ErrorKind, SafeTensorError, SafeTensorsFile, TensorView, WriteOptions, serialize,
    serialize_to_file,
};

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

/// Values whose exponents are few, as those of weights.
fn weights(len: usize) -> Vec<u8> {
    let values = (0..len).map(|at| {
        let noise = (at as u32).wrapping_mul(2_654_435_761) >> 7;
        let exponent = 121 - (noise >> 16).trailing_zeros().min(20) as u16;
        exponent << 7 | noise as u16 & 0x807F
    });
    values.flat_map(u16::to_le_bytes).collect()
}

fn model() -> Vec<u8> {
    let (big, small, floats) = (weights(20_000), weights(10), [0; 12]);
    let tensors = [
        ("big", Dtype::BF16, vec![100, 200], &big[..]),
        ("half", Dtype::F16, vec![20_000], &big[..]),
        ("small", Dtype::BF16, vec![10], &small[..]),
        ("none", Dtype::BF16, vec![0, 5], &[][..]),
        ("one", Dtype::BF16, vec![], &small[..2]),
        ("floats", Dtype::F32, vec![3], &floats[..]),
    ];
    let views = tensors
        .map(|(name, dtype, shape, data)| (name, TensorView::new(dtype, shape, data).unwrap()));
    let text = [("format", "pt"), ("a", "b")];
    let text = text.map(|(key, value)| (key.to_owned(), value.to_owned()));
    serialize(views, Some(text.into())).unwrap()
}

/// A file with a header that no writer of ours makes.
fn odd(header: &str, data: &[u8]) -> Vec<u8> {
    let size = header.len() as u64;
    [&size.to_le_bytes(), header.as_bytes(), data].concat()
}

#[test]
fn the_original_comes_back_byte_for_byte() {
    let big = weights(3000);
    let files = [
        ("a model", model(), false),
        ("no tensor", odd("{}", &[]), true),
        ("empty text", odd(r#"{"__metadata__":{}}"#, &[]), true),
        (
            "any order, unknown field, blanks",
            odd(
                r#" {"b":{"dtype":"U8","shape":[1],"data_offsets":[6000,6001]}, "a":{"dtype":"BF16","shape":[3000],"data_offsets":[0,6000],"x":1},"__metadata__":{"z":"ü\u0000","nexus.checksums":"?"}}  "#,
                &[&big[..], &[7]].concat(),
            ),
            true,
        ),
        (
            "a name twice",
            odd(
                r#"{"a":{"dtype":"BF16","shape":[3000],"data_offsets":[0,6000]},"a":{"dtype":"BF16","shape":[3000],"data_offsets":[0,6000]}}"#,
                &big,
            ),
            true,
        ),
    ];
    let folder = Folder::new();
    let [raw, packed, again] = ["raw", "packed", "again"].map(|name| folder.path(name));
    for (what, bytes, keeps_header) in files {
        fs::write(&raw, &bytes).unwrap();
        for threads in [1, 3] {
            let options = PackOptions::default()
                .threads(NonZeroUsize::new(threads).unwrap())
                .write(WriteOptions::default().fsync(true));
            pack_file(&raw, &packed, &options).unwrap();
            unpack_file(&packed, &again, &options).unwrap();
            assert!(fs::read(&again).unwrap() == bytes, "{what}");
        }
        let file = SafeTensorsFile::open(&packed).unwrap();
        assert!(is_packed(file.header()));
        let text = file.metadata().unwrap();
        assert_eq!(text.contains_key(PACKED_HEADER_KEY), keeps_header, "{what}");
    }
}

#[test]
fn the_published_crate_reads_a_packed_file_and_sees_what_it_is() {
    let folder = Folder::new();
    let [raw, packed] = ["raw", "packed"].map(|name| folder.path(name));
    fs::write(&raw, model()).unwrap();
    let report = pack_file(&raw, &packed, &PackOptions::default()).unwrap();
    let bytes = fs::read(&packed).unwrap();
    let theirs = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(
        theirs.tensor("big").unwrap().dtype(),
        safetensors::Dtype::U8
    );
    assert_eq!(
        theirs.tensor("small").unwrap().dtype(),
        safetensors::Dtype::BF16
    );
    let (_, metadata) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
    let text = metadata.metadata().as_ref().unwrap();
    assert_eq!(text["format"], "pt");
    let manifest: serde_json::Value = serde_json::from_str(&text[PACKED_KEY]).unwrap();
    assert_eq!(manifest["version"], 1);
    assert_eq!(
        manifest["tensors"]["big"],
        serde_json::json!({"codec": "cascade", "dtype": "BF16", "shape": [100, 200]})
    );
    let packed_names: Vec<_> = report
        .tensors
        .iter()
        .filter(|tensor| tensor.codec.is_some())
        .map(|tensor| tensor.name.as_str())
        .collect();
    assert_eq!(packed_names, ["big", "half"]);
    let sizes = theirs
        .tensors()
        .iter()
        .map(|(_, view)| view.data().len())
        .sum::<usize>();
    assert_eq!(report.packed_bytes, sizes);
    assert!(report.packed_bytes < report.raw_bytes);
}

#[test]
fn tensors_and_parts_of_them_are_read_alone() {
    let folder = Folder::new();
    let [raw, packed] = ["raw", "packed"].map(|name| folder.path(name));
    fs::write(&raw, model()).unwrap();
    pack_file(&raw, &packed, &PackOptions::default()).unwrap();
    let (original, file) = (
        SafeTensorsFile::open(&raw).unwrap(),
        PackedFile::open(&packed).unwrap(),
    );
    assert_eq!(file.header().offset_keys(), original.offset_keys());
    for (name, info) in original.infos() {
        assert_eq!(file.info(name).unwrap(), info);
        assert_eq!(file.is_tensor_packed(name), matches!(name, "big" | "half"));
        let bytes = original.tensor(name).unwrap().data();
        assert!(file.unpack(name).unwrap() == bytes, "{name}");
        let mut target = vec![0; bytes.len()];
        file.unpack_into(name, &mut target).unwrap();
        assert!(target == bytes);
    }
    let bytes = original.tensor("big").unwrap().data();
    for range in [0..0, 0..2, 16_382..16_386, 30_000..40_000, 40_000..40_000] {
        let mut part = vec![0; range.len()];
        file.unpack_range_into("big", range.clone(), &mut part)
            .unwrap();
        assert!(part == bytes[range]);
    }
    for (range, size) in [(0..2, 4), (1..3, 2), (0..40_002, 40_002), (0..3, 3)] {
        let error = file
            .unpack_range_into("big", range, &mut vec![0; size])
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
        assert!(error.to_string().contains("of tensor `big` to"), "{error}");
    }
    assert_eq!(file.unpack("x").unwrap_err().kind(), ErrorKind::NotFound);
    assert!(format!("{file:?}").contains("isa"));
}

/// The error of a packed file whose free text was changed.
fn refused(change: impl Fn(&mut HashMap<String, String>)) -> SafeTensorError {
    let folder = Folder::new();
    let [raw, packed, broken] = ["raw", "packed", "broken"].map(|name| folder.path(name));
    fs::write(&raw, model()).unwrap();
    pack_file(&raw, &packed, &PackOptions::default()).unwrap();
    let file = SafeTensorsFile::open(&packed).unwrap();
    let mut text = file.metadata().unwrap().clone();
    change(&mut text);
    let views = file
        .names()
        .into_iter()
        .map(|name| (name, file.tensor(name).unwrap()));
    serialize_to_file(views.collect::<Vec<_>>(), Some(text), &broken).unwrap();
    let target = folder.path("target");
    let error = unpack_file(&broken, &target, &PackOptions::default()).unwrap_err();
    assert!(!target.exists(), "a failed run leaves nothing");
    error
}

type Change<'a> = &'a dyn Fn(&mut HashMap<String, String>);

#[test]
fn what_a_manifest_may_not_say_is_refused() {
    let replace = |from: &'static str, to: &'static str| {
        move |text: &mut HashMap<String, String>| {
            let manifest = text.get_mut(PACKED_KEY).unwrap();
            assert!(manifest.contains(from), "{manifest}");
            *manifest = manifest.replacen(from, to, 1);
        }
    };
    let corrupt: [(Change<'_>, &str); 9] = [
        (
            &replace("{", ""),
            "cannot unpack the file: `nexus.packed`: ",
        ),
        (
            &replace("cascade", "zip"),
            "tensor `big`: unknown codec `zip`",
        ),
        (
            &replace("BF16", "F32"),
            "tensor `big`: type F32 is never packed",
        ),
        (
            &replace("\"half\"", "\"x\""),
            "tensor `x`: it is not in the file",
        ),
        (
            &replace("\"half\"", "\"small\""),
            "tensor `small`: it is not a list of U8",
        ),
        (&replace("[100,200]", "[100,201]"), "the original has"),
        (&replace("\"size\":", "\"size\":1"), "the original has"),
        (&replace("\"xxh3\":\"", "\"xxh3\":\"x"), "checksum"),
        (
            &|text| drop(text.insert(PACKED_HEADER_KEY.to_owned(), "{}".to_owned())),
            "there are 6 tensors, the original has 0",
        ),
    ];
    for (change, words) in corrupt {
        let error = refused(change);
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        assert!(error.to_string().contains(words), "{error}");
        assert!(error.hint().is_some());
    }
    let later = refused(replace("\"version\":1", "\"version\":2"));
    assert_eq!(later.kind(), ErrorKind::Unsupported);
    assert!(later.to_string().contains("version 2"), "{later}");
}

#[test]
fn an_original_larger_than_any_file_is_refused() {
    let names: Vec<_> = (0..8).map(|at| format!("t{at}")).collect();
    let entry = |name: &String| {
        let len = usize::MAX / 16;
        format!(r#""{name}":{{"codec":"cascade","dtype":"BF16","shape":[{len}]}}"#)
    };
    let entries: Vec<_> = names.iter().map(entry).collect();
    let manifest = format!(
        r#"{{"version":1,"about":"","size":1,"xxh3":"","tensors":{{{}}}}}"#,
        entries.join(",")
    );
    let empty = |name: &String| {
        (
            name.clone(),
            TensorView::new(Dtype::U8, vec![0], &[]).unwrap(),
        )
    };
    let text = HashMap::from([(PACKED_KEY.to_owned(), manifest)]);
    let bytes = serialize(names.iter().map(empty), Some(text)).unwrap();
    let error = PackedFile::new(SafeTensorsFile::copy_of(&bytes).unwrap()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
}

#[test]
fn what_is_packed_is_not_packed_again_and_what_is_not_is_not_unpacked() {
    let folder = Folder::new();
    let [raw, packed] = ["raw", "packed"].map(|name| folder.path(name));
    fs::write(&raw, model()).unwrap();
    pack_file(&raw, &packed, &PackOptions::default()).unwrap();
    let check = |error: SafeTensorError, words: &str| {
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains(words), "{error}");
    };
    let again = |path: &Path| pack_file(path, path, &PackOptions::default()).unwrap_err();
    check(again(&packed), "it is packed already");
    check(PackedFile::open(&raw).unwrap_err(), "it is not packed");
}

#[test]
fn a_file_can_be_packed_in_place() {
    let folder = Folder::new();
    let path = folder.path("model");
    fs::write(&path, model()).unwrap();
    pack_file(&path, &path, &PackOptions::default()).unwrap();
    assert!(is_packed(SafeTensorsFile::open(&path).unwrap().header()));
    unpack_file(&path, &path, &PackOptions::default()).unwrap();
    assert!(fs::read(&path).unwrap() == model());
}

#[test]
fn a_changed_block_is_found_and_its_tensor_named() {
    let folder = Folder::new();
    let [raw, packed, target] = ["raw", "packed", "target"].map(|name| folder.path(name));
    fs::write(&raw, model()).unwrap();
    pack_file(&raw, &packed, &PackOptions::default()).unwrap();
    let file = SafeTensorsFile::open(&packed).unwrap();
    let range = file.byte_range(file.info("big").unwrap());
    let mut bytes = fs::read(&packed).unwrap();
    drop(file);
    bytes[range.start + 6 + 20] ^= 0x40; // a lower byte, stored as it is: only the checksum tells
    fs::write(&packed, &bytes).unwrap();
    let error = unpack_file(&packed, &target, &PackOptions::default()).unwrap_err();
    assert!(error.to_string().contains("checksum"), "{error}");
    bytes[range.start + 6 + 12] ^= 0xFF; // how many values go to the second level
    fs::write(&packed, &bytes).unwrap();
    let error = unpack_file(&packed, &target, &PackOptions::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(
        error
            .to_string()
            .starts_with("cannot unpack tensor `big`: block 0: "),
        "{error}"
    );
    assert!(!target.exists());
}
