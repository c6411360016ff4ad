//! Files of numpy, torch and gguf are converted to what safetensors 0.8.0 wrote of the same tensors
//! (`make_files.py`), and what is unsafe or broken is refused in words that help.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use nexus_convert::ErrorKind::{self, Corrupt, Unsupported};
use nexus_convert::{Format, OpenOptions, Quantized, Source, write};
use nexus_safetensors::{SafeTensorsFile, WriteOptions};

fn files() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/files")
}

fn convert(source: &Source, target: &Path) -> Result<(), nexus_convert::Error> {
    let go_on = |_| ControlFlow::Continue(());
    write(source, target, WriteOptions::default(), &go_on)
}

/// Converts `name` and compares with the file `expected`.
fn check(name: &str, expected: &str, options: OpenOptions) -> Source {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("out.safetensors");
    let source = Source::open(files().join(name), options).unwrap();
    convert(&source, &target).unwrap();
    let ours = SafeTensorsFile::open(&target).unwrap();
    let theirs = SafeTensorsFile::open(files().join(expected)).unwrap();
    assert_eq!(ours.names(), theirs.names(), "{name}");
    for tensor in theirs.names() {
        let (ours, theirs) = (ours.tensor(tensor).unwrap(), theirs.tensor(tensor).unwrap());
        assert_eq!(ours, theirs, "{name}: {tensor}");
    }
    source
}

#[test]
fn every_file_becomes_what_its_own_library_says() {
    let mut count = 0;
    for entry in fs::read_dir(files()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let expected = format!("{name}.safetensors");
        if files().join(&expected).exists() {
            check(&name, &expected, OpenOptions::default());
            count += 1;
        }
    }
    assert_eq!(count, 18);
}

#[test]
fn quantised_tensors_become_floats_or_stay_blocks_on_request() {
    let cases = [
        (Quantized::ToF32, "quantized.f32.safetensors"),
        (Quantized::ToF16, "quantized.f16.safetensors"),
        (Quantized::Keep, "quantized.keep.safetensors"),
    ];
    for (quantized, expected) in cases {
        let options = OpenOptions::default().quantized(quantized);
        let source = check("quantized.gguf", expected, options);
        let kept = source.metadata().get("gguf.type.q4").map(String::as_str);
        assert_eq!(kept, (quantized == Quantized::Keep).then_some("Q4_0"));
    }
}

#[test]
fn blocks_of_every_common_type_become_the_floats_that_the_gguf_package_gives() {
    let options = OpenOptions::default().quantized(Quantized::ToF32);
    let source = check("blocks.gguf", "blocks.f32.safetensors", options);
    assert_eq!(source.entries().len(), 13);
    let other = Source::from_bytes(gguf(&[256], 15, &[0; 292]), options);
    refused(
        other,
        (Unsupported, "quantised as Q8_K", "kept by --keep-quantized"),
    );
}

#[test]
fn metadata_of_gguf_is_carried_over_as_text() {
    let source = Source::open(files().join("model.gguf"), OpenOptions::default()).unwrap();
    assert_eq!(source.format(), Format::Gguf);
    let expected = [
        ("format", "pt"),
        ("general.architecture", "llama"),
        ("general.name", "tiny"),
        ("test.f32", "0.5"),
        ("test.flag", "true"),
        ("test.i64", "-9"),
        ("test.u32", "7"),
    ];
    for (key, value) in expected {
        assert_eq!(
            source.metadata().get(key).map(String::as_str),
            Some(value),
            "{key}"
        );
    }
    assert_eq!(source.metadata().len(), expected.len());
    assert_eq!(source.notes(), ["left out 2 arrays of the metadata"]);
}

#[test]
fn what_is_no_tensor_is_noted() {
    let source = Source::open(files().join("nested.2.pt"), OpenOptions::default()).unwrap();
    let expected = [
        "skipped `optimizer.lr`: it is a float",
        "skipped `optimizer.betas.0`: it is a float",
        "skipped `optimizer.betas.1`: it is a float",
        "skipped `epoch`: it is an integer",
        "skipped `big`: it is an integer",
        "skipped `name`: it is text",
        "skipped `none`: it is None",
        "skipped `done`: it is a boolean",
    ];
    assert_eq!(source.notes(), expected);
}

#[test]
fn tensors_that_share_memory_are_copied_and_noted() {
    let source = Source::open(files().join("strided.2.pt"), OpenOptions::default()).unwrap();
    let expected = [
        "`columns` shares memory with `turned`: copied",
        "`rows` shares memory with `turned`: copied",
        "`steps` shares memory with `turned`: copied",
    ];
    assert_eq!(source.notes(), expected);
}

/// Opens a file that must be refused: kind, part of the message, part of the hint.
#[track_caller]
fn refused(result: Result<Source, nexus_convert::Error>, expected: (ErrorKind, &str, &str)) {
    let error = result.expect_err("refused");
    let (kind, message, hint) = expected;
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().contains(message), "{error}");
    assert!(
        error.hint().unwrap_or_default().contains(hint),
        "{:?}",
        error.hint()
    );
}

#[test]
fn what_is_not_safe_or_not_a_tensor_is_refused_with_a_hint() {
    let cases = [
        ("evil.pt", "asks for `posix.system`", "no code is run"),
        ("evil.pt", "the pickle at byte", ""),
        (
            "module.pt",
            "asks for `torch.nn.modules.linear.Linear`",
            "state_dict()",
        ),
        (
            "sparse.pt",
            "asks for `torch._utils._rebuild_sparse_tensor`",
            "plain tensors",
        ),
        ("script.pt", "TorchScript", "torch.jit.load"),
        ("legacy.pt", "before 1.6", "weights_only=True"),
        ("objects.npy", "type `|O`", "can run code"),
        ("structured.npy", "type `[...]`", "each field"),
        ("text.npy", "type `<U2`", "text"),
        (
            "quantized.gguf",
            "tensor `q8`: it is quantised as Q8_0",
            "--dequantize",
        ),
        (
            "model.gguf.safetensors",
            "no npy, npz, torch or GGUF file",
            "needs no conversion",
        ),
    ];
    for (name, message, hint) in cases {
        let result = Source::open(files().join(name), OpenOptions::default());
        refused(result, (Unsupported, message, hint));
    }
}

#[test]
fn a_missing_file_is_not_found() {
    let result = Source::open(files().join("no.npz"), OpenOptions::default());
    refused(result, (ErrorKind::NotFound, "cannot open", ""));
}

#[test]
fn cut_files_are_corrupt() {
    for name in ["version1.npy", "model.gguf", "stored.npz", "types.2.pt"] {
        let bytes = fs::read(files().join(name)).unwrap();
        let cut = bytes[..bytes.len() - 2].to_vec();
        refused(
            Source::from_bytes(cut, OpenOptions::default()),
            (ErrorKind::Corrupt, "", "fetch it again"),
        );
    }
}

#[test]
fn a_damaged_storage_is_found_by_its_checksum_and_leaves_the_target_alone() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("out.safetensors");
    fs::write(&target, "old").unwrap();
    let mut bytes = fs::read(files().join("state_dict.2.pt")).unwrap();
    let weights = SafeTensorsFile::open(files().join("state_dict.2.pt.safetensors")).unwrap();
    let weights = weights.tensor("weight").unwrap().data().to_vec();
    let at = bytes
        .windows(weights.len())
        .position(|window| window == weights);
    bytes[at.unwrap()] ^= 1;
    let source = Source::from_bytes(bytes, OpenOptions::default()).unwrap();
    let error = convert(&source, &target).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    assert!(
        error
            .to_string()
            .starts_with("tensor `weight`: cannot read"),
        "{error}"
    );
    assert_eq!(fs::read(&target).unwrap(), b"old");
}

#[test]
fn a_cancelled_conversion_leaves_the_target_alone() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("out.safetensors");
    let source = Source::open(files().join("stored.npz"), OpenOptions::default()).unwrap();
    let stop = |done| {
        if done > 100 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    let error = write(&source, &target, WriteOptions::default(), &stop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_header_of_numpy_is_read_as_the_format_page_says() {
    let npy = |header: &str| {
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.bytes());
        bytes.extend([0; 64]);
        Source::from_bytes(bytes, OpenOptions::default())
    };
    let accepted = [
        (
            "{'descr': '<i2', 'fortran_order': False, 'shape': (2, 3), }",
            &[2, 3][..],
        ),
        (
            "{\"shape\":(4L,),\"descr\":\"|u1\",\"fortran_order\":True}\n",
            &[4],
        ),
        (
            "{'descr': 'u1', 'fortran_order': False, 'shape': ()}   ",
            &[],
        ),
    ];
    for (header, shape) in accepted {
        assert_eq!(npy(header).unwrap().entries()[0].shape, shape, "{header}");
    }
    let refusals = [
        (
            "{'descr': '<i2', 'fortran_order': False, 'shape': (99, 99)}",
            Corrupt,
            "takes 19602 bytes",
        ),
        (
            "{'descr': '<i2', 'fortran_order': False}",
            Corrupt,
            "does not give `shape`",
        ),
        ("{'descr': '<i2', 'descr': '<i2'}", Corrupt, "no second"),
        (
            "{'descr': '<i2', 'fortran_order': 1, 'shape': ()}",
            Corrupt,
            "True or False at byte 35",
        ),
        (
            "{'descr': '<i2', 'fortran_order': False, 'shape': (-1,)}",
            Corrupt,
            "a length",
        ),
        (
            "{'descr': '<i2', 'fortran_order': False, 'shape': (1,)} x",
            Corrupt,
            "its end",
        ),
        ("[]", Corrupt, "`{` at byte 0"),
        (
            "{'descr': '<c16', 'fortran_order': False, 'shape': ()}",
            Unsupported,
            "type `<c16`",
        ),
        (
            "{'descr': '<i2', 'fortran_order': False, 'shape': (9223372036854775807, 9)}",
            Corrupt,
            "overflow",
        ),
    ];
    for (header, kind, message) in refusals {
        refused(npy(header), (kind, message, ""));
    }
}

/// A GGUF file of one tensor without metadata.
fn gguf(dimensions: &[u64], kind: u32, data: &[u8]) -> Vec<u8> {
    let mut bytes = b"GGUF\x03\x00\x00\x00".to_vec();
    bytes.extend([1_u64, 0, 1].map(u64::to_le_bytes).as_flattened());
    bytes.push(b't');
    bytes.extend((dimensions.len() as u32).to_le_bytes());
    bytes.extend(
        dimensions
            .iter()
            .flat_map(|dimension| dimension.to_le_bytes()),
    );
    bytes.extend(kind.to_le_bytes());
    bytes.extend(0_u64.to_le_bytes());
    bytes.resize(bytes.len().next_multiple_of(32), 0);
    bytes.extend(data);
    bytes
}

#[test]
fn a_row_too_long_for_its_blocks_is_corrupt_beside_an_empty_axis_too() {
    let keep = OpenOptions::default().quantized(Quantized::Keep);
    // Q8_K: 292 bytes for 256 elements.
    let longest = u64::MAX - 255;
    let result = Source::from_bytes(gguf(&[longest, 0], 15, &[]), keep);
    refused(result, (Corrupt, "tensor `t`: its shape overflows", ""));
    let source = Source::from_bytes(gguf(&[256, 0], 15, &[]), keep).unwrap();
    assert_eq!(source.entries()[0].shape, [0, 292]);
    assert!(source.read(0).unwrap().is_empty());
}

/// A zip archive whose files all lie at the same place, and declare `size` bytes each.
fn overlapping_zip(count: u16, packed: &[u8], size: u32) -> Vec<u8> {
    let fields = |name: &str| {
        let mut fields = vec![20, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        fields.extend((packed.len() as u32).to_le_bytes());
        fields.extend(size.to_le_bytes());
        fields.extend((name.len() as u32).to_le_bytes());
        fields
    };
    let mut bytes = [
        b"PK\x03\x04",
        fields("0000.npy").as_slice(),
        b"0000.npy",
        packed,
    ]
    .concat();
    let start = bytes.len() as u32;
    for at in 0..count {
        let name = format!("{at:04}.npy");
        bytes.extend(b"PK\x01\x02\x14\x00");
        bytes.extend(fields(&name));
        bytes.extend([0; 14]);
        bytes.extend(name.bytes());
    }
    let directory = bytes.len() as u32 - start;
    bytes.extend(b"PK\x05\x06\x00\x00\x00\x00");
    bytes.extend([count, count].map(u16::to_le_bytes).as_flattened());
    bytes.extend([directory, start].map(u32::to_le_bytes).as_flattened());
    bytes.extend([0, 0]);
    bytes
}

#[test]
fn files_of_an_archive_that_overlap_are_limited_together() {
    let packed = vec![0; 100_000];
    let size = 103_000_000;
    let result = Source::from_bytes(overlapping_zip(9, &packed, size), OpenOptions::default());
    // Few are read, and found broken.
    refused(result, (Corrupt, "array `0000`", ""));
    let result = Source::from_bytes(overlapping_zip(99, &packed, size), OpenOptions::default());
    refused(result, (ErrorKind::LimitReached, "OUTPUT_FACTOR_MAX", ""));
}

#[test]
fn limits_are_named() {
    let mut gguf = b"GGUF\x03\x00\x00\x00".to_vec();
    gguf.extend(u64::MAX.to_le_bytes());
    gguf.extend(0_u64.to_le_bytes());
    let many_tensors = Source::from_bytes(gguf, OpenOptions::default());
    refused(
        many_tensors,
        (ErrorKind::LimitReached, "TENSORS_MAX is 1000000", ""),
    );

    let mut npy = b"\x93NUMPY\x02\x00".to_vec();
    npy.extend(u32::MAX.to_le_bytes());
    let long_header = Source::from_bytes(npy, OpenOptions::default());
    refused(
        long_header,
        (ErrorKind::LimitReached, "NPY_HEADER_SIZE_MAX", ""),
    );

    let axes = "0,".repeat(65);
    let header = format!("{{'descr': '<i2', 'fortran_order': False, 'shape': ({axes})}}");
    let mut npy = b"\x93NUMPY\x01\x00".to_vec();
    npy.extend((header.len() as u16).to_le_bytes());
    npy.extend(header.bytes());
    let many_axes = Source::from_bytes(npy, OpenOptions::default());
    refused(many_axes, (ErrorKind::LimitReached, "RANK_MAX is 64", ""));
}
