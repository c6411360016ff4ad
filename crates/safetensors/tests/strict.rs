//! What strict rules refuse beyond the compatible ones, and where every error is found.

use nexus_safetensors::{ErrorKind, Rules, SafeTensorError, SafeTensors, locate, locate_in};

fn file(header: &str, data_size: usize) -> Vec<u8> {
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.as_bytes());
    file.extend((0..data_size).map(|at| at as u8));
    file
}

const INFO: &str = r#"{"dtype":"U8","shape":[1],"data_offsets":[0,1]}"#;

#[test]
fn strict_rules_accept_what_writers_write() {
    let sound = [
        (String::from("{}"), 0),
        (format!(r#"{{"a":{INFO}}}"#), 1),
        (format!(r#"{{"a":{INFO}}}     "#), 1),
        (
            format!(r#"{{ "__metadata__" : {{"k": "\"v\""}},  "é": {INFO} }}"#),
            1,
        ),
        (String::from(r#"{"__metadata__":null}"#), 0),
    ];
    for (header, size) in sound {
        let pad = if header.ends_with(' ') {
            header.len().next_multiple_of(8)
        } else {
            0
        };
        let file = file(&format!("{header:pad$}"), size);
        SafeTensors::deserialize_with(&file, Rules::Strict).unwrap();
    }
}

#[test]
fn strict_rules_refuse_what_readers_may_read_in_two_ways() {
    // The marked byte is the place; the mark is taken out.
    let cases = [
        ("{\"a\":INFO,^\"a\":INFO}", "key `a` is there twice"),
        (r#"{"a":INFO,^"\u0061":INFO}"#, "key `a` is there twice"),
        (
            r#"{"__metadata__":{"k":"1",^"k":"2"},"a":INFO}"#,
            "key `k` is there twice",
        ),
        (r#"{^"a\u0000":INFO}"#, r"NUL in `a\0`"),
        (r#"{"__metadata__":{"k":^"\u0000"},"a":INFO}"#, "NUL in `k`"),
        (
            r#"{"__metadata__":{^"\u0000":""},"a":INFO}"#,
            r"NUL in `\0`",
        ),
        ("^ {\"a\":INFO}", "blanks around the JSON"),
        ("{\"a\":INFO}^\n", "blanks around the JSON"),
        ("{\"a\":INFO}^\n  ", "blanks around the JSON"),
        ("{\"a\":INFO}^  ", "blanks around the JSON"),
        (
            r#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1],^"x":{}}}"#,
            "unknown field `x` in the info of tensor `a`",
        ),
        (
            r#"{"a":^["U8",[1],[0,1]]}"#,
            "the info of tensor `a` is not a plain object",
        ),
        (
            r#"{"a":{"dtype":^{"U8":null},"shape":[1],"data_offsets":[0,1]}}"#,
            "the info of tensor `a` is not a plain object",
        ),
    ];
    for (marked, words) in cases {
        let marked = marked.replace("INFO", INFO);
        let file = file(&marked.replace('^', ""), 1);
        SafeTensors::deserialize(&file).unwrap();
        let error = SafeTensors::deserialize_with(&file, Rules::Strict).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{marked}");
        assert_eq!(error.to_string(), format!("cannot accept header: {words}"));
        assert!(error.hint().is_some());
        let place = marked.find('^').map(|at| at as u64 + 8);
        assert_eq!(locate(&file, &error).offset, place, "{marked}");
    }
}

fn place(file: &[u8]) -> (Option<String>, Option<u64>) {
    let error = SafeTensors::deserialize(file).unwrap_err();
    let location = locate(file, &error);
    (location.tensor, location.offset)
}

#[test]
fn refused_infos_are_found_with_their_tensor() {
    // The marked byte is the place; the mark is taken out.
    let cases = [
        (
            r#"{"a":{"dtype":"U8","shape":[1],"data_offsets":^[1,2]}}"#,
            2,
            "a",
        ),
        (
            r#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[1],"data_offsets":^[0,1]}}"#,
            1,
            "b",
        ),
        (
            r#"{"a":{"dtype":"U8","shape":[2],"data_offsets":^[0,1]}}"#,
            1,
            "a",
        ),
        (r#"{"a":["U8",[1],[0,1]],"b":^["U8",[2],[1,2]]}"#, 2, "b"),
        (
            r#"{"a":{"dtype":"F4","shape":^[3],"data_offsets":[0,1]}}"#,
            1,
            "a",
        ),
        (
            r#"{"b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":^[4294967296,4294967296],"data_offsets":[1,1]}}"#,
            1,
            "a",
        ),
        (r#"{"a":{"dtype":"U8","shape":[1]^}}"#, 1, "a"),
        (
            r#"{"a":{"dtype":"f32^","shape":[1],"data_offsets":[0,1]}}"#,
            1,
            "a",
        ),
        (
            r#"{"a":{"dtype":"U8","shape":[-1^],"data_offsets":[0,1]}}"#,
            1,
            "a",
        ),
        (
            r#"{"__metadata__":{},"a":{"dtype":"U8","dtype^":"U8","shape":[1],"data_offsets":[0,1]}}"#,
            1,
            "a",
        ),
        (r#"{"a":nul^}"#, 1, "a"),
        ("{\n\"a\":{},\n\"b\":{\"dtype\":tru^}}", 1, "b"),
    ];
    for (marked, size, tensor) in cases {
        let at = marked.find('^').unwrap();
        let (found, offset) = place(&file(&marked.replace('^', ""), size));
        assert_eq!(found.as_deref(), Some(tensor), "{marked}");
        // Serde points at the last byte it has read, or at the one behind.
        let distance = offset.unwrap() as usize - 8;
        assert!(
            (at.saturating_sub(1)..=at).contains(&distance),
            "{marked}: {distance} for {at}"
        );
    }
}

#[test]
fn errors_outside_of_infos_are_found() {
    assert_eq!(place(b"1234567"), (None, Some(7)));
    assert_eq!(place(&file("{}", 0)[..9]), (None, Some(9)));
    assert_eq!(place(&[0xFF; 20]), (None, Some(0)));
    assert_eq!(
        place(&[&3_u64.to_le_bytes()[..], b"{\xE9}"].concat()),
        (None, Some(9))
    );
    assert_eq!(place(&file("[]", 0)), (None, Some(8)));
    let metadata = r#"{"__metadata__":{"a":1},"b":{}}"#;
    let (tensor, offset) = place(&file(metadata, 0));
    assert_eq!(tensor, None);
    assert!((29..=30).contains(&offset.unwrap()), "{offset:?}");
}

#[test]
fn cut_and_long_files_are_found_by_their_size() {
    let header = r#"{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}}"#;
    let whole = file(header, 4);
    let start = 8 + header.len() as u64;
    let name = |name: &str| Some(name.to_owned());
    assert_eq!(
        place(&whole[..whole.len() - 1]),
        (name("b"), Some(start + 3))
    );
    assert_eq!(
        place(&whole[..whole.len() - 3]),
        (name("a"), Some(start + 1))
    );
    assert_eq!(
        place(&[&whole[..], b"more"].concat()),
        (None, Some(start + 4))
    );
    let head = &whole[..whole.len() - 4];
    let location = locate_in(head, start + 3, &SafeTensorError::MetadataIncompleteBuffer);
    assert_eq!(
        location.to_string(),
        format!("tensor `b`, byte {}", start + 3)
    );
}

#[test]
fn errors_that_are_not_about_bytes_have_no_offset() {
    let file = file("{}", 0);
    let missing = SafeTensors::deserialize(&file)
        .unwrap()
        .tensor("x")
        .unwrap_err();
    assert_eq!(locate(&file, &missing).to_string(), "tensor `x`");
    let system = SafeTensorError::IoError(std::io::Error::other("x"));
    assert_eq!(locate(&file, &system).to_string(), "");
}
