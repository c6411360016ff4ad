//! `nexus tensors pack` and `unpack`.

use std::fs;

use nexus_safetensors::Dtype;
use serde_json::json;

use crate::harness::{Spec, fails, folder_with_model, json, nexus, save};

#[test]
fn a_packed_file_is_smaller_and_comes_back_byte_for_byte() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name| folder.path().join(name);
    let weights: Vec<u8> = (0..8192_u16)
        .flat_map(|n| (0x3C00 | (n % 512)).to_le_bytes())
        .collect();
    let tensors: [Spec<'_>; 2] = [
        ("w", Dtype::BF16, vec![64, 128], weights),
        ("n", Dtype::U8, vec![2], vec![1, 2]),
    ];
    save(&path("raw"), &tensors, Some(("format", "pt")));
    let told = json(&folder, 0, "pack raw packed");
    let ratio = told["ratio"].as_f64().unwrap();
    assert!(ratio < 0.7, "{ratio}");
    assert_eq!(told["types"]["BF16"]["packed"], json!(1));
    assert_eq!(told["types"]["U8"]["ratio"], json!(1.0));
    json(&folder, 0, "verify packed");
    fails(
        &folder,
        "pack raw packed",
        (1, "`packed` exists already", "--force"),
    );
    fails(&folder, "pack packed twice", (1, "packed", ""));
    for arguments in ["slice packed w", "split packed --max-size 9"] {
        fails(
            &folder,
            arguments,
            (1, "`packed` is packed", "tensors unpack"),
        );
    }

    let told = json(&folder, 0, "unpack packed again");
    assert_eq!(
        told["raw_bytes"],
        json!(fs::read(path("raw")).unwrap().len())
    );
    assert_eq!(
        fs::read(path("again")).unwrap(),
        fs::read(path("raw")).unwrap()
    );
    let text = nexus(&folder, "pack raw packed --force --fsync").stdout;
    let text = String::from_utf8(text).unwrap();
    assert!(
        text.contains("BF16: 1 of 1 tensor packed, 16.4 kB to"),
        "{text}"
    );
}

#[test]
fn a_damaged_packed_tensor_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("packed");
    let weights: Vec<u8> = (0..8192_u16)
        .flat_map(|n| (0x3C00 | (n % 512)).to_le_bytes())
        .collect();
    save(
        &folder.path().join("raw"),
        &[("w", Dtype::BF16, vec![8192], weights)],
        None,
    );
    json(&folder, 0, "pack raw packed");
    let mut bytes = fs::read(&path).unwrap();
    let size = bytes.len();
    let payload = 8 + u64::from_le_bytes(*bytes.first_chunk().unwrap()) as usize;
    assert!(payload < size);
    // The directory says that the block is larger.
    bytes[payload] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let found = json(&folder, 1, "verify packed");
    assert_eq!(found["files"][0]["problems"][0]["tensor"], json!("w"));
    fails(
        &folder,
        "unpack packed again",
        (1, "cannot unpack `packed`", "fetch the file again"),
    );
    assert!(!folder.path().join("again").exists());
}

#[test]
fn what_is_not_packed_is_not_unpacked() {
    let folder = folder_with_model();
    fails(
        &folder,
        "unpack model.safetensors x",
        (
            1,
            "cannot unpack `model.safetensors`",
            "as any safetensors file",
        ),
    );
    fails(
        &folder,
        "pack no x",
        (1, "cannot open `no`", "check the path"),
    );
}
