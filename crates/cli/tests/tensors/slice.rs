//! `nexus tensors slice`.

use std::fs;

use nexus_safetensors::{Dtype, SafeTensorsFile};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{Spec, fails, floats, folder_with_model, json, nexus, save};

fn folder_with_grid() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let numbers: Vec<f32> = (0..5000_u16).map(f32::from).collect();
    let tensors: [Spec<'_>; 3] = [
        ("grid", Dtype::F32, vec![50, 100], floats(&numbers)),
        ("half", Dtype::BF16, vec![2], vec![0xCD, 0x3D, 0x80, 0x7F]),
        ("scale", Dtype::F8_E8M0, vec![1], vec![127]),
    ];
    let path = folder.path().join("grid.safetensors");
    save(&path, &tensors, Some(("format", "pt")));
    folder
}

#[track_caller]
fn values(folder: &TempDir, index: &str) -> Value {
    json(folder, 0, ["slice", "grid.safetensors", "grid", index])["values"].clone()
}

#[test]
fn indices_take_what_numpy_takes() {
    let folder = folder_with_grid();
    assert_eq!(
        values(&folder, "0:2, ::50"),
        json!([[0.0, 50.0], [100.0, 150.0]])
    );
    assert_eq!(values(&folder, "[-1, -1]"), json!(4999.0));
    assert_eq!(
        values(&folder, "-1, :-4:-1"),
        json!([4999.0, 4998.0, 4997.0])
    );
    assert_eq!(values(&folder, "None, 7, 3:4"), json!([[703.0]]));
    assert_eq!(values(&folder, "60:, 0"), json!([]));
    assert_eq!(values(&folder, "..."), Value::Null);
    let half = json(&folder, 0, "slice grid.safetensors half");
    assert_eq!(half["values"], json!([0.1, "inf"]));
}

#[test]
fn large_parts_are_shown_by_their_edges() {
    let folder = folder_with_grid();
    let text = nexus(&folder, "slice grid.safetensors grid").stdout;
    let expected = "\
[[   0.0    1.0    2.0 ...   97.0   98.0   99.0]
 [ 100.0  101.0  102.0 ...  197.0  198.0  199.0]
 [ 200.0  201.0  202.0 ...  297.0  298.0  299.0]
 ...
 [4700.0 4701.0 4702.0 ... 4797.0 4798.0 4799.0]
 [4800.0 4801.0 4802.0 ... 4897.0 4898.0 4899.0]
 [4900.0 4901.0 4902.0 ... 4997.0 4998.0 4999.0]]
F32 [50, 100], 20.0 kB
";
    assert_eq!(String::from_utf8(text).unwrap(), expected);
}

#[test]
fn a_part_becomes_a_file_of_its_own() {
    let folder = folder_with_grid();
    let arguments = [
        "slice",
        "grid.safetensors",
        "grid",
        "-2:, 10::-5",
        "-o",
        "part",
    ];
    let told = json(&folder, 0, arguments);
    assert_eq!(
        (&told["shape"], &told["target"]),
        (&json!([2, 3]), &json!("part"))
    );
    let part = SafeTensorsFile::open(folder.path().join("part")).unwrap();
    let expected = floats(&[4810.0, 4805.0, 4800.0, 4910.0, 4905.0, 4900.0]);
    assert_eq!(part.tensor("grid").unwrap().data(), expected);
    assert_eq!(part.metadata().unwrap()["format"], "pt");
    fails(&folder, arguments, (1, "`part` exists already", "--force"));
    let empty = "slice grid.safetensors grid 0:0 -o part --force";
    assert_eq!(json(&folder, 0, empty)["shape"], json!([0, 100]));
    // What cannot be printed can be written.
    let scale = "slice grid.safetensors scale";
    json(&folder, 0, format!("{scale} -o scale").as_str());
    fails(
        &folder,
        scale,
        (1, "type F8_E8M0 cannot be printed", "--out"),
    );
}

#[test]
fn what_is_not_there_is_told() {
    let folder = folder_with_grid();
    let slice = |name, index| ["slice", "grid.safetensors", name, index];
    fails(
        &folder,
        slice("gird", "0"),
        (1, "tensor `gird` not found", "tensors ls"),
    );
    fails(
        &folder,
        slice("grid", "50"),
        (
            1,
            "tensor `grid`: index 50 is out of bounds for axis 0 with size 50",
            "",
        ),
    );
    fails(
        &folder,
        slice("grid", "a"),
        (1, "cannot parse `a`", "as in NumPy"),
    );
    fails(&folder, "slice grid.safetensors", (2, "NAME", "--help"));
}

#[test]
fn shards_are_read_by_their_index() {
    let folder = folder_with_model();
    let split = "split model.safetensors --max-size 20 --out .";
    json(&folder, 0, split);
    fs::remove_file(folder.path().join("model.safetensors")).unwrap();
    for file in [".", "model.safetensors.index.json"] {
        let found = json(&folder, 0, ["slice", file, "head.weight", ":, 1"]);
        assert_eq!(found["values"], json!([2.0, 4.0]));
    }
}

#[test]
fn of_a_file_on_a_server_only_what_is_needed_is_asked_for() {
    use crate::serve::{Behaviour, Server};
    use nexus_safetensors::SafeTensors;

    let folder = folder_with_grid();
    let bytes = fs::read(folder.path().join("grid.safetensors")).unwrap();
    let start = bytes.len()
        - SafeTensors::deserialize(&bytes)
            .unwrap()
            .metadata()
            .data_len();
    let server = Server::start(bytes, Behaviour::default());
    let url = server.url();
    let found = json(&folder, 0, ["slice", &url, "grid", "3, :2"]);
    assert_eq!(found["values"], json!([300.0, 301.0]));
    let row = format!("bytes={}-{}", start + 1200, start + 1207);
    assert_eq!(server.requests()[1..], [row]);
    json(&folder, 0, ["slice", &url, "grid", ":, 1", "-o", "column"]);
    let column = SafeTensorsFile::open(folder.path().join("column")).unwrap();
    assert_eq!(
        column.tensor("grid").unwrap().data()[4..8],
        101_f32.to_le_bytes()
    );
    fails(
        &folder,
        ["slice", &url, "no"],
        (1, "tensor `no` not found", "tensors ls"),
    );
}
