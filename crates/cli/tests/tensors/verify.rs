//! `nexus tensors verify` and `checksum`.

use std::fs;

use serde_json::{Value, json};

use crate::harness::{fails, folder_with_model, json, nexus};

#[test]
fn every_broken_file_is_told_with_tensor_and_byte_and_the_status_is_1() {
    let folder = folder_with_model();
    let sound = json(&folder, 0, "verify model.safetensors .");
    assert_eq!(sound["files"][1]["tensors"], json!(4));
    let path = folder.path().join("model.safetensors");
    let bytes = fs::read(&path).unwrap();
    let cut = folder.path().join("cut.safetensors");
    fs::write(&cut, &bytes[..bytes.len() - 1]).unwrap();
    fs::write(folder.path().join("page"), "<!doctype html>").unwrap();
    let found = json(
        &folder,
        1,
        "verify model.safetensors cut.safetensors page no",
    );
    assert_eq!(found["files"][0]["problems"], json!([]));
    let problem = &found["files"][1]["problems"][0];
    let message = "incomplete metadata, file not fully covered";
    assert_eq!(problem["message"], json!(message));
    assert_eq!(problem["tensor"], json!("body.0.bias"));
    assert_eq!(problem["byte"], json!(bytes.len() - 1));
    assert_eq!(found["files"][2]["problems"][0]["byte"], json!(0));
    let missing = found["files"][3]["problems"][0]["message"]
        .as_str()
        .unwrap();
    assert!(
        missing.starts_with("cannot read it: No such file"),
        "{missing}"
    );
    let text = String::from_utf8(nexus(&folder, "verify cut.safetensors").stdout).unwrap();
    let expected = format!("tensor `body.0.bias`: byte {}: incomplete", bytes.len() - 1);
    assert!(
        text.contains(&expected) && text.contains("hint: "),
        "{text}"
    );
}

#[test]
fn checksums_are_added_in_place_and_tell_a_changed_byte() {
    let folder = folder_with_model();
    let path = folder.path().join("model.safetensors");
    let before = json(&folder, 0, "verify model.safetensors");
    assert_eq!(before["files"][0]["checksums"], Value::Null);
    for algorithm in ["xxh3", "blake3"] {
        let arguments = ["checksum", "model.safetensors", "--algorithm", algorithm];
        assert_eq!(json(&folder, 0, arguments)["tensors"], json!(4));
        let found = json(&folder, 0, "verify model.safetensors");
        assert_eq!(found["files"][0]["checksums"], json!(algorithm));
        assert_eq!(found["files"][0]["verified"], json!(4));
    }
    let text = String::from_utf8(nexus(&folder, "verify .").stdout).unwrap();
    assert!(text.contains("blake3 checksums agree"), "{text}");
    json(&folder, 0, "checksum model.safetensors -o other");
    let again = "checksum model.safetensors -o other";
    fails(&folder, again, (1, "`other` exists already", "--force"));
    fails(&folder, "checksum .", (1, "is not one file", "one by one"));

    let mut bytes = fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&path, &bytes).unwrap();
    let found = json(&folder, 1, "verify model.safetensors");
    let problem = &found["files"][0]["problems"][0];
    assert_eq!(problem["tensor"], json!("body.0.bias"));
    assert_eq!(problem["byte"], json!(bytes.len() - 3));
}

#[test]
fn checksums_go_along_with_their_tensors() {
    let folder = folder_with_model();
    json(&folder, 0, "checksum model.safetensors");
    let split = "split model.safetensors --max-size 20 --name part";
    json(&folder, 0, split);
    let index = "part.safetensors.index.json";
    let shards = json(&folder, 0, ["verify", index]);
    let shards = shards["files"].as_array().unwrap();
    assert_eq!(shards.len(), 2);
    let verified: u64 = shards
        .iter()
        .map(|file| file["verified"].as_u64().unwrap())
        .sum();
    assert_eq!(verified, 4);

    let merged = json(&folder, 0, ["merge", index, "all"]);
    assert_eq!(merged["notes"], json!([]));
    let found = json(&folder, 0, "verify all");
    assert_eq!(found["files"][0]["verified"], json!(4));
    assert_eq!(
        fs::read(folder.path().join("all")).unwrap(),
        fs::read(folder.path().join("model.safetensors")).unwrap()
    );
    let other = "checksum part-00001-of-00002.safetensors --algorithm blake3";
    json(&folder, 0, other);
    let merged = json(&folder, 0, ["merge", index, "all", "--force"]);
    let note = "checksums are left out: files disagree on them";
    assert_eq!(merged["notes"], json!([note]));
    json(&folder, 0, "slice model.safetensors body.0.bias 1: -o tail");
    let found = json(&folder, 0, "verify tail");
    assert_eq!(found["files"][0]["checksums"], Value::Null);
}

#[test]
fn checksums_that_do_not_fit_the_tensors_are_problems() {
    let folder = folder_with_model();
    let path = folder.path().join("model.safetensors");
    json(&folder, 0, "checksum model.safetensors");
    let bytes = fs::read(&path).unwrap();
    let place = bytes.windows(7).position(|bytes| bytes == b"empty\\\"");
    let mut renamed = bytes.clone();
    renamed[place.expect("the name stands in the checksums")] = b'E';
    fs::write(&path, &renamed).unwrap();
    let found = json(&folder, 1, "verify model.safetensors");
    let problems = found["files"][0]["problems"].as_array().unwrap();
    let told: Vec<_> = problems
        .iter()
        .map(|problem| {
            (
                problem["tensor"].as_str().unwrap(),
                problem["message"].as_str().unwrap(),
            )
        })
        .collect();
    let expected = [
        ("empty", "it has no checksum"),
        ("Empty", "it has a checksum, and is not in the file"),
    ];
    assert_eq!(told, expected);
}

#[test]
fn strict_refuses_what_can_be_read_in_two_ways() {
    let folder = tempfile::tempdir().unwrap();
    let json_text = r#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#;
    let mut bytes = (json_text.len() as u64).to_le_bytes().to_vec();
    bytes.extend(json_text.bytes());
    bytes.push(7);
    fs::write(folder.path().join("twice"), bytes).unwrap();
    json(&folder, 0, "verify twice");
    let found = json(&folder, 1, "verify --strict twice");
    let problem = &found["files"][0]["problems"][0];
    assert_eq!(problem["tensor"], json!("a"));
    let byte = 8 + json_text.rfind("\"a\"").unwrap();
    assert_eq!(problem["byte"], json!(byte));

    let folder = folder_with_model();
    let index = r#"{"weight_map": {"empty": "model.safetensors"}}"#;
    fs::write(folder.path().join("some.json"), index).unwrap();
    json(&folder, 0, "verify some.json");
    let found = json(&folder, 1, "verify --strict some.json");
    let problems = found["files"][1]["problems"].as_array().unwrap();
    assert_eq!(problems.len(), 3);
    assert_eq!(problems[0]["tensor"], json!("body.0.bias"));
}

#[test]
fn what_an_index_says_wrong_is_a_problem_of_the_index() {
    let folder = folder_with_model();
    let path = folder.path().join("i.json");
    for (index, message) in [
        (
            r#"{"weight_map": {"x": "model.safetensors"}}"#,
            "places tensor `x`",
        ),
        (
            r#"{"weight_map": {"x": "../model.safetensors"}}"#,
            "not inside its folder",
        ),
        ("{", "invalid JSON in index"),
    ] {
        fs::write(&path, index).unwrap();
        let found = json(&folder, 1, "verify i.json");
        let last = found["files"].as_array().unwrap().last().unwrap().clone();
        assert_eq!(last["file"], json!("i.json"));
        let told = last["problems"][0]["message"].as_str().unwrap();
        assert!(told.contains(message), "{told}");
    }
}
