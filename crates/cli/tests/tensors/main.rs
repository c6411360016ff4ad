//! `nexus tensors` from the outside: output, files and exit status.

mod harness;
mod pack;
#[expect(dead_code, reason = "a server for the tests of another crate")]
#[path = "../../../remote/tests/serve/mod.rs"]
mod serve;
mod slice;
mod verify;

use std::fs;
use std::path::{Path, PathBuf};

use harness::{fails, floats, folder_with_model, json, model, nexus, save};
use nexus_safetensors::{Dtype, SafeTensorsFile};
use serde_json::{Value, json};

#[test]
fn ls_lists_totals_by_type_and_filters_by_pattern() {
    let folder = folder_with_model();
    let all = json(&folder, 0, "ls model.safetensors");
    assert_eq!(all["tensors"].as_array().unwrap().len(), 4);
    assert_eq!(all["metadata"], json!({"format": "pt"}));
    assert_eq!(
        all["types"]["F32"],
        json!({"tensors": 2, "elements": 6, "size_bytes": 24})
    );
    assert_eq!(
        all["types"]["U8"],
        json!({"tensors": 2, "elements": 3, "size_bytes": 3})
    );
    let some = json(&folder, 0, "ls model.safetensors *.0.* em?ty");
    let names: Vec<_> = some["tensors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| &row["name"])
        .collect();
    assert_eq!(names, ["body.0.bias", "body.0.weight", "empty"]);
    let text = String::from_utf8(nexus(&folder, "ls model.safetensors").stdout).unwrap();
    assert!(
        text.contains("F32: 2 tensors, 6 elements, 24 B\n"),
        "{text}"
    );
}

#[test]
fn split_writes_what_transformers_writes_and_merge_undoes_it() {
    let folder = folder_with_model();
    let split = json(&folder, 0, "split model.safetensors --max-size 20B --out .");
    let shards = [
        "./model-00001-of-00002.safetensors",
        "./model-00002-of-00002.safetensors",
    ];
    assert_eq!(split["shards"], json!(shards));
    assert_eq!(split["index"], json!("./model.safetensors.index.json"));
    let index = fs::read_to_string(folder.path().join("model.safetensors.index.json")).unwrap();
    let expected = r#"{
  "metadata": {
    "total_size": 27
  },
  "weight_map": {
    "body.0.bias": "model-00002-of-00002.safetensors",
    "body.0.weight": "model-00001-of-00002.safetensors",
    "empty": "model-00002-of-00002.safetensors",
    "head.weight": "model-00002-of-00002.safetensors"
  }
}
"#;
    let first = SafeTensorsFile::open(folder.path().join(shards[0])).unwrap();
    assert_eq!(first.metadata().unwrap()["format"], "pt");
    assert_eq!(index, expected);

    json(
        &folder,
        0,
        "merge model.safetensors.index.json merged.safetensors",
    );
    let read = |name| fs::read(folder.path().join(name)).unwrap();
    assert_eq!(read("merged.safetensors"), read("model.safetensors"));
    json(
        &folder,
        0,
        "diff model.safetensors model.safetensors.index.json",
    );
    let listed = json(&folder, 0, "ls model.safetensors.index.json");
    assert_eq!(
        listed["tensors"][0]["file"],
        json!("model-00002-of-00002.safetensors")
    );
}

#[test]
fn a_file_that_fits_is_one_shard_without_an_index() {
    let folder = folder_with_model();
    fs::create_dir(folder.path().join("out")).unwrap();
    let split = json(
        &folder,
        0,
        "split model.safetensors --max-size 1GB --out out",
    );
    assert_eq!(split["shards"], json!(["out/model.safetensors"]));
    assert_eq!(split["index"], Value::Null);
}

#[test]
fn diff_tells_names_types_and_values_apart_and_exits_with_1() {
    let folder = folder_with_model();
    let mut other = model();
    other[0].3 = floats(&[1.0, 2.5, 3.0, 4.25]);
    other[1] = ("body.0.weight", Dtype::F32, vec![1, 2], floats(&[5.0, 6.0]));
    other[2].0 = "body.1.bias";
    save(&folder.path().join("other.safetensors"), &other, None);
    let found = json(&folder, 1, "diff model.safetensors other.safetensors");
    let expected = json!({
        "only_a": ["body.0.bias"],
        "only_b": ["body.1.bias"],
        "kinds": [{
            "name": "body.0.weight",
            "a": {"dtype": "F32", "shape": [2]},
            "b": {"dtype": "F32", "shape": [1, 2]},
        }],
        "values": [{
            "name": "head.weight", "dtype": "F32",
            "different": 2, "elements": 4, "max_abs_difference": 0.5,
        }],
        "equal": 1,
    });
    assert_eq!(found, expected);
    let same = json(&folder, 0, "diff model.safetensors model.safetensors");
    assert_eq!(same["equal"], json!(4));
    fails(
        &folder,
        "diff model.safetensors no",
        (2, "cannot open `no`", "check the path"),
    );
}

#[test]
fn convert_knows_files_by_their_content() {
    let folder = folder_with_model();
    let files: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../convert/tests/files");
    let source = folder.path().join("no_extension");
    fs::copy(files.join("nested.2.pt"), &source).unwrap();
    let told = json(&folder, 0, "convert no_extension out.safetensors");
    assert_eq!(
        (&told["format"], &told["tensors"]),
        (&json!("torch"), &json!(4))
    );
    assert_eq!(told["notes"].as_array().unwrap().len(), 8);
    let expected = files.join("nested.2.pt.safetensors");
    json(
        &folder,
        0,
        ["diff", "out.safetensors", expected.to_str().unwrap()],
    );

    let again = "convert no_extension out.safetensors";
    fails(&folder, again, (1, "exists already", "--force"));
    json(
        &folder,
        0,
        "convert no_extension out.safetensors --force --fsync",
    );

    let gguf = files.join("quantized.gguf");
    let gguf = gguf.to_str().unwrap();
    fails(
        &folder,
        ["convert", gguf, "q"],
        (1, "tensor `q8`", "--dequantize f32"),
    );
    json(&folder, 0, ["convert", gguf, "q", "--dequantize", "f16"]);
    let expected = files.join("quantized.f16.safetensors");
    json(&folder, 0, ["diff", "q", expected.to_str().unwrap()]);
    let evil = files.join("evil.pt");
    fails(
        &folder,
        ["convert", evil.to_str().unwrap(), "e"],
        (1, "`posix.system`", "no code is run"),
    );
    assert!(!folder.path().join("e").exists());
}

#[test]
fn an_index_must_say_what_is_there_and_stay_in_its_folder() {
    let folder = folder_with_model();
    let cases = [
        (
            r#"{"weight_map": {"x": "model.safetensors"}}"#,
            "places tensor `x` in `model.safetensors`, which does not have it",
        ),
        (
            r#"{"weight_map": {"x": "../model.safetensors"}}"#,
            "which is not inside its folder",
        ),
        (
            r#"{"weight_map": {"x": "gone.safetensors"}}"#,
            "names `gone.safetensors`, which is not there",
        ),
        (r#"{"map": {}}"#, "missing field `weight_map`"),
    ];
    for (index, message) in cases {
        fs::write(folder.path().join("i.safetensors.index.json"), index).unwrap();
        fails(&folder, "ls i.safetensors.index.json", (1, message, ""));
    }
}

#[test]
fn a_folder_is_its_model_its_index_or_all_of_its_files() {
    let folder = folder_with_model();
    let path = |name| folder.path().join(name);
    let tail = ("tail", Dtype::U8, vec![1], vec![9]);
    save(&path("tail.safetensors"), &[tail], Some(("format", "np")));
    let count = |expected: usize| {
        let listed = json(&folder, 0, "ls .");
        assert_eq!(listed["tensors"].as_array().unwrap().len(), expected);
    };
    count(4);
    fs::rename(path("model.safetensors"), path("head.safetensors")).unwrap();
    count(5);
    let index = r#"{"weight_map": {"tail": "tail.safetensors", "empty": "head.safetensors"}}"#;
    fs::write(path("model.safetensors.index.json"), index).unwrap();
    count(2);
    fs::remove_file(path("model.safetensors.index.json")).unwrap();

    let merged = json(&folder, 0, "merge . all.safetensors");
    let note = "files disagree on `format`: `pt` is kept, `np` is not";
    assert_eq!(
        (&merged["files"], &merged["notes"]),
        (&json!(2), &json!([note]))
    );
    fails(
        &folder,
        "ls .",
        (1, "tensor `body.0.bias` is in", "index of one model"),
    );
}

#[test]
fn a_broken_shard_is_named() {
    let folder = folder_with_model();
    let split = "split model.safetensors --max-size 20 --out .";
    json(&folder, 0, split);
    let shard = folder.path().join("model-00002-of-00002.safetensors");
    let bytes = fs::read(&shard).unwrap();
    fs::write(&shard, &bytes[..bytes.len() - 1]).unwrap();
    fails(
        &folder,
        "ls model.safetensors.index.json",
        (
            1,
            "cannot read `model-00002-of-00002.safetensors`: incomplete",
            "cut off",
        ),
    );
}

#[test]
fn an_address_that_nobody_serves_is_an_error_with_a_hint() {
    let folder = folder_with_model();
    fails(
        &folder,
        "ls http://",
        (1, "cannot open `http://`", "check the address"),
    );
}

#[test]
fn names_do_not_command_the_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let name = "\u{1b}[2J";
    let tensor = (name, Dtype::U8, vec![1], vec![0]);
    save(&folder.path().join("loud"), &[tensor], None);
    let listed = String::from_utf8(nexus(&folder, "ls loud").stdout).unwrap();
    assert!(listed.starts_with("\\u{1b}[2J  U8"), "{listed}");
    let found = json(&folder, 0, "ls loud");
    assert_eq!(found["tensors"][0]["name"], json!(name));
    fails(
        &folder,
        ["slice", "loud", "\u{1b}c"],
        (1, "tensor `\\u{1b}c` not found", "ls"),
    );
}

#[test]
fn a_tensor_larger_than_a_shard_has_its_own_and_leaves_the_others_together() {
    let folder = folder_with_model();
    let split = "split model.safetensors --max-size 12 --name s";
    let told = json(&folder, 0, split);
    assert_eq!(told["shards"].as_array().unwrap().len(), 2);
    let index = fs::read(folder.path().join("s.safetensors.index.json")).unwrap();
    let index: Value = serde_json::from_slice(&index).unwrap();
    let large = "s-00001-of-00002.safetensors";
    let files = index["weight_map"].as_object().unwrap();
    let in_large: Vec<_> = files.iter().filter(|(_, file)| **file == large).collect();
    assert_eq!(in_large, [(&"head.weight".to_owned(), &json!(large))]);
}

#[test]
fn a_split_that_fails_leaves_what_was_there() {
    let folder = folder_with_model();
    let first = folder.path().join("part-00001-of-00002.safetensors");
    fs::write(&first, "old").unwrap();
    // No file that could be replaced.
    let second = folder.path().join("part-00002-of-00002.safetensors");
    let _socket = std::os::unix::net::UnixListener::bind(second).unwrap();
    let split = "split model.safetensors --max-size 20 --name part";
    fails(&folder, split, (1, "exists already", "--force"));
    let forced = format!("{split} --force");
    fails(&folder, forced.as_str(), (1, "not a regular file", ""));
    assert_eq!(fs::read(&first).unwrap(), b"old");
    let files = fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(files, 3, "nothing else is left");
}

#[test]
fn a_folder_is_never_replaced() {
    let folder = folder_with_model();
    fs::create_dir(folder.path().join("sub")).unwrap();
    for command in ["merge model.safetensors", "pack model.safetensors"] {
        let line = format!("{command} sub --force");
        fails(&folder, line.as_str(), (1, "`sub` is a folder", "in it"));
    }
}

#[test]
fn one_of_a_thing_is_told_in_the_singular() {
    let folder = tempfile::tempdir().unwrap();
    let tensor = ("x", Dtype::I16, vec![1], vec![0, 0]);
    save(&folder.path().join("one"), &[tensor], None);
    let cases = [
        ("ls one", "I16: 1 tensor, 1 element, 2 B\n1 tensor, 66 B\n"),
        ("merge one two", "1 tensor, 2 B, from 1 file to two\n"),
        (
            "split one --max-size 9 --name s",
            "1 tensor, 2 B, in 1 file\n",
        ),
        ("checksum two", "xxh3 checksums of 1 tensor, 2 B, in two\n"),
        ("verify one", "one: 1 tensor, 66 B, no checksums\n"),
        (
            "pack one packed",
            "I16: 0 of 1 tensor packed, 2 B to 2 B, 100.0 %\n",
        ),
    ];
    for (line, expected) in cases {
        let text = String::from_utf8(nexus(&folder, line).stdout).unwrap();
        assert!(text.contains(expected), "{line}: {text}");
    }
}

#[test]
fn large_tensors_are_compared_piece_by_piece() {
    let folder = tempfile::tempdir().unwrap();
    let mut bytes = vec![0; (16 << 20) + 8];
    let save = |name, bytes: &[u8]| {
        let tensor = ("x", Dtype::F32, vec![bytes.len() / 4], bytes.to_vec());
        save(&folder.path().join(name), &[tensor], None);
    };
    save("a", &bytes);
    for (at, value) in [(4, 1.0_f32), (16 << 20, 3.0), ((16 << 20) + 4, 2.0)] {
        bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
    }
    save("b", &bytes);
    let found = json(&folder, 1, "diff a b");
    let values = &found["values"][0];
    assert_eq!(values["different"], json!(3));
    assert_eq!(values["max_abs_difference"], json!(3.0));
}

#[test]
fn addresses_are_read_by_ls_and_slice_alone() {
    let folder = folder_with_model();
    for line in ["diff https://a/b model.safetensors", "merge http://a/b c"] {
        let output = String::from_utf8(nexus(&folder, line).stderr).unwrap();
        assert!(
            output.contains("only ls and slice read addresses"),
            "{output}"
        );
    }
}
