//! The rules of the format, as a table, each line judged by the published crate too.

mod oracle;

use nexus_safetensors::limits::HEADER_SIZE_MAX;
use nexus_safetensors::{ErrorKind, SafeTensorError, SafeTensors};

fn file(header: &str, data_size: usize) -> Vec<u8> {
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.as_bytes());
    file.extend((0..data_size).map(|at| at as u8));
    file
}

fn accepted(why: &str, header: &str, data_size: usize) {
    let file = file(header, data_size);
    oracle::compare(&file);
    assert!(SafeTensors::deserialize(&file).is_ok(), "{why}: {header}");
}

fn refused(why: &str, header: &str, data_size: usize, words: &str) {
    let file = file(header, data_size);
    oracle::compare(&file);
    let error = SafeTensors::deserialize(&file).expect_err(why);
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{why}: {error}");
    assert!(error.to_string().contains(words), "{why}: {error}");
}

#[test]
fn lenient_where_the_published_crate_is() {
    accepted("no tensors", "{}", 0);
    accepted("blanks around", "\n\t {} \r\n", 0);
    accepted(
        "odd header length",
        r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#,
        4,
    );
    accepted(
        "unaligned tensors",
        r#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"F64","shape":[1],"data_offsets":[1,9]}}"#,
        9,
    );
    accepted(
        "unknown fields",
        r#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"x":{"y":[1.5]}}}"#,
        1,
    );
    accepted("info as an array", r#"{"a":["F32",[2],[0,8]]}"#, 8);
    accepted(
        "type as an object",
        r#"{"a":{"dtype":{"U8":null},"shape":[1],"data_offsets":[0,1]}}"#,
        1,
    );
    accepted("null metadata", r#"{"__metadata__":null}"#, 0);
    accepted("empty metadata", r#"{"__metadata__":{}}"#, 0);
    accepted(
        "duplicate metadata key",
        r#"{"__metadata__":{"k":"1","k":"2"}}"#,
        0,
    );
    accepted(
        "empty name",
        r#"{"":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#,
        1,
    );
    accepted(
        "scalar",
        r#"{"a":{"dtype":"U64","shape":[],"data_offsets":[0,8]}}"#,
        8,
    );
    accepted(
        "zero-size tensors share a place",
        r#"{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"b":{"dtype":"I64","shape":[3,0],"data_offsets":[0,0]},"c":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#,
        1,
    );
    accepted(
        "NUL in a name",
        r#"{"a\u0000":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#,
        1,
    );
    accepted(
        "surrogate pair",
        r#"{"\ud83d\ude00":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#,
        1,
    );
    accepted(
        "the last of two equal names wins",
        r#"{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"a":{"dtype":"I16","shape":[1],"data_offsets":[0,2]}}"#,
        2,
    );
    accepted(
        "listed in another order than stored",
        r#"{"b":{"dtype":"U8","shape":[1],"data_offsets":[1,2]},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#,
        2,
    );
    let rank_201 = vec!["1"; 201].join(",");
    accepted(
        "rank 201",
        &format!(r#"{{"a":{{"dtype":"U8","shape":[{rank_201}],"data_offsets":[0,1]}}}}"#),
        1,
    );
    accepted(
        "huge but empty",
        r#"{"a":{"dtype":"U8","shape":[0,4294967296,4294967296],"data_offsets":[0,0]}}"#,
        0,
    );
    for dtype in nexus_safetensors::Dtype::ALL {
        let size = dtype.bits();
        let header =
            format!(r#"{{"a":{{"dtype":"{dtype}","shape":[8],"data_offsets":[0,{size}]}}}}"#);
        accepted("every type", &header, size);
    }
}

#[test]
fn what_is_not_the_right_json_is_refused() {
    let json = "invalid JSON in header";
    refused("empty header", "", 0, json);
    refused("NUL padding", "{}\0\0", 0, json);
    refused("no object", "[]", 0, json);
    refused("cut off", r#"{"a":{"dtype""#, 0, json);
    refused("bytes behind", "{}{}", 0, json);
    refused(
        "duplicate metadata",
        r#"{"__metadata__":{},"__metadata__":{}}"#,
        0,
        "duplicate field `__metadata__`",
    );
    refused(
        "metadata of another type",
        r#"{"__metadata__":{"a":1}}"#,
        0,
        "expected a string",
    );
    refused(
        "duplicate field",
        r#"{"a":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#,
        1,
        "duplicate field `dtype`",
    );
    refused(
        "missing field",
        r#"{"a":{"dtype":"U8","shape":[1]}}"#,
        1,
        "missing field `data_offsets`",
    );
    refused(
        "lower-case type",
        r#"{"a":{"dtype":"f32","shape":[1],"data_offsets":[0,4]}}"#,
        4,
        "unknown variant `f32`",
    );
    refused(
        "unknown type",
        r#"{"a":{"dtype":"F128","shape":[1],"data_offsets":[0,16]}}"#,
        16,
        json,
    );
    refused("tensor without info", r#"{"a":null}"#, 0, json);
}

#[test]
fn what_json_cannot_carry_here_is_refused() {
    let json = "invalid JSON in header";
    refused(
        "negative number",
        r#"{"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,1]}}"#,
        1,
        json,
    );
    refused(
        "float",
        r#"{"a":{"dtype":"U8","shape":[1.0],"data_offsets":[0,1]}}"#,
        1,
        json,
    );
    refused(
        "number too large",
        r#"{"a":{"dtype":"U8","shape":[18446744073709551616],"data_offsets":[0,1]}}"#,
        1,
        json,
    );
    refused(
        "three offsets",
        r#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1,1]}}"#,
        1,
        json,
    );
    refused(
        "lone surrogate",
        r#"{"\ud800":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#,
        1,
        json,
    );
    let nested = format!(r#"{{"a":{}{}}}"#, "[".repeat(200), "]".repeat(200));
    refused("nested too deep", &nested, 0, "recursion limit exceeded");
}

#[test]
fn what_does_not_tile_the_data_is_refused() {
    let at = "invalid offset for tensor `a`";
    refused(
        "not from 0",
        r#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}"#,
        2,
        at,
    );
    refused(
        "backwards",
        r#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[0],"data_offsets":[1,0]}}"#,
        1,
        "`b`",
    );
    refused(
        "hole",
        r#"{"b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}}"#,
        3,
        at,
    );
    refused(
        "overlap",
        r#"{"b":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"a":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}"#,
        3,
        at,
    );
    refused(
        "alias",
        r#"{"b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#,
        1,
        "invalid offset",
    );
}

#[test]
fn sizes_that_contradict_or_overflow_are_refused() {
    refused(
        "size mismatch",
        r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,8]}}"#,
        8,
        "invalid shape, data type, or offset",
    );
    refused(
        "overflow",
        r#"{"a":{"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,0]}}"#,
        0,
        "overflow",
    );
    refused(
        "overflow before a zero",
        r#"{"a":{"dtype":"U8","shape":[4294967296,4294967296,0],"data_offsets":[0,0]}}"#,
        0,
        "overflow",
    );
    refused(
        "overflow of bits",
        r#"{"a":{"dtype":"F64","shape":[288230376151711744],"data_offsets":[0,0]}}"#,
        0,
        "overflow",
    );
    refused(
        "half a byte",
        r#"{"a":{"dtype":"F4","shape":[3],"data_offsets":[0,1]}}"#,
        1,
        "does not end up at a byte boundary",
    );
    let covered = "incomplete metadata, file not fully covered";
    refused(
        "bytes behind the data",
        r#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#,
        2,
        covered,
    );
    refused(
        "data cut off",
        r#"{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}"#,
        1,
        covered,
    );
    refused(
        "no data",
        r#"{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}"#,
        0,
        covered,
    );
}

#[test]
fn broken_lengths_are_refused() {
    let check = |bytes: &[u8], kind: ErrorKind, text: &str| {
        oracle::compare(bytes);
        let error = SafeTensors::deserialize(bytes).unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (kind, text));
    };
    check(b"", ErrorKind::Corrupt, "header too small");
    check(b"1234567", ErrorKind::Corrupt, "header too small");
    check(
        &file("{}", 0)[..9],
        ErrorKind::Corrupt,
        "invalid header length",
    );
    check(
        &[&100_000_000_u64.to_le_bytes()[..], b"{}"].concat(),
        ErrorKind::Corrupt,
        "invalid header length",
    );
    check(
        &[&100_000_001_u64.to_le_bytes()[..], b"{}"].concat(),
        ErrorKind::LimitReached,
        "header too large",
    );
    check(
        &[&u64::MAX.to_le_bytes()[..], b"{}"].concat(),
        ErrorKind::LimitReached,
        "header too large",
    );
    assert_eq!(HEADER_SIZE_MAX, 100_000_000);
    let latin = [&3_u64.to_le_bytes()[..], b"{\xE9}"].concat();
    oracle::compare(&latin);
    assert!(matches!(
        SafeTensors::deserialize(&latin),
        Err(SafeTensorError::InvalidHeader(_))
    ));
}

#[test]
fn offsets_at_the_end_of_the_address_space_are_refused() {
    let step = 1_u64 << 60;
    let part = |at: u64| {
        let (start, end) = (at * step, (at + 1).saturating_mul(step));
        let shape = end - start;
        format!(r#""{at:02}":{{"dtype":"U8","shape":[{shape}],"data_offsets":[{start},{end}]}}"#)
    };
    let header = format!("{{{}}}", (0..16).map(part).collect::<Vec<_>>().join(","));
    let file = file(&header, 0);
    assert_eq!(
        SafeTensors::deserialize(&file).unwrap_err().kind(),
        ErrorKind::Corrupt
    );
}
