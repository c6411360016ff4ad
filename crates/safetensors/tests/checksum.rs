//! Checksums: equal to those of the reference, in a file that others read, and telling.

use std::collections::HashMap;
use std::num::NonZeroUsize;

use nexus_safetensors::checksum::{CHECKSUM_KEY, Checksum, Checksums, add_checksums, verify};
use nexus_safetensors::{Dtype, ErrorKind, SafeTensorsFile, TensorView, serialize};

const BOTH: [Checksum; 2] = [Checksum::Xxh3, Checksum::Blake3];

fn views(data: &[u8]) -> [(&'static str, TensorView<'_>); 3] {
    let view = |from: usize, to: usize| {
        TensorView::new(Dtype::U8, vec![to - from], &data[from..to]).unwrap()
    };
    [("b", view(0, 5)), ("a", view(5, 30)), ("none", view(3, 3))]
}

fn file(data: &[u8], text: HashMap<String, String>) -> SafeTensorsFile {
    SafeTensorsFile::copy_of(&serialize(views(data), Some(text)).unwrap()).unwrap()
}

#[test]
fn checksums_are_those_that_others_compute() {
    // `printf abc | xxhsum -H3` and `printf abc | b3sum`; the empty ones are in the specifications.
    let cases = [
        (Checksum::Xxh3, &b"abc"[..], "78af5f94892f3950"),
        (Checksum::Xxh3, b"", "2d06800538d394c2"),
        (
            Checksum::Blake3,
            b"abc",
            "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85",
        ),
        (
            Checksum::Blake3,
            b"",
            "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262",
        ),
    ];
    for (algorithm, bytes, expected) in cases {
        assert_eq!(algorithm.of(bytes), expected);
        assert_eq!(Checksum::named(algorithm.name()), Some(algorithm));
    }
    assert_eq!(Checksum::named("crc32"), None);
}

#[test]
fn the_entry_is_sorted_and_the_published_crate_reads_the_file() {
    let data = [7; 30];
    let old = HashMap::from([
        ("format".to_owned(), "pt".to_owned()),
        (CHECKSUM_KEY.to_owned(), "old".to_owned()),
    ]);
    let text = add_checksums(&views(&data), Some(old), Checksum::Xxh3, None).unwrap();
    assert_eq!(text["format"], "pt");
    let [a, b, none] = [25, 5, 0].map(|len| Checksum::Xxh3.of(&data[..len]));
    assert_eq!(
        text[CHECKSUM_KEY],
        format!(r#"{{"algorithm":"xxh3","tensors":{{"a":"{a}","b":"{b}","none":"{none}"}}}}"#)
    );
    let bytes = serialize(views(&data), Some(text)).unwrap();
    assert_eq!(
        safetensors::SafeTensors::deserialize(&bytes).unwrap().len(),
        3
    );
}

#[test]
fn what_was_not_changed_is_sound_for_any_number_of_threads() {
    let data: Vec<u8> = (0..30).collect();
    for algorithm in BOTH {
        for threads in [None, NonZeroUsize::new(1), NonZeroUsize::new(7)] {
            let text = add_checksums(&views(&data), None, algorithm, threads).unwrap();
            let report = verify(&file(&data, text), threads).unwrap();
            assert!(report.is_sound());
            assert_eq!((report.algorithm, report.verified), (Some(algorithm), 3));
        }
    }
}

#[test]
fn a_changed_tensor_is_named_with_its_place() {
    for algorithm in BOTH {
        let mut data = [7; 30];
        let text = add_checksums(&views(&data), None, algorithm, None).unwrap();
        data[2] = 8;
        let changed = file(&data, text);
        let report = verify(&changed, None).unwrap();
        assert!(!report.is_sound());
        assert_eq!(report.verified, 2);
        let [mismatch] = &report.mismatches[..] else {
            panic!("one tensor was changed")
        };
        assert_eq!(mismatch.name, "b");
        assert_eq!(
            mismatch.range,
            changed.byte_range(changed.info("b").unwrap())
        );
        assert_eq!(mismatch.expected, algorithm.of(&[7; 5]));
        assert_eq!(mismatch.found, algorithm.of(&data[..5]));
    }
}

#[test]
fn missing_and_unknown_checksums_are_reported() {
    let data = [7; 30];
    let report = verify(&file(&data, HashMap::new()), None).unwrap();
    assert_eq!((report.algorithm, report.missing.len()), (None, 3));
    assert!(!report.is_sound());
    let text = format!(
        r#"{{"algorithm":"xxh3","tensors":{{"b":"{}","c":""}}}}"#,
        Checksum::Xxh3.of(&[7; 5])
    );
    let report = verify(&file(&data, [(CHECKSUM_KEY.to_owned(), text)].into()), None).unwrap();
    assert_eq!(report.verified, 1);
    assert_eq!(report.missing, ["a", "none"]);
    assert_eq!(report.unknown, ["c"]);
    assert!(report.mismatches.is_empty() && !report.is_sound());
}

#[test]
fn an_entry_that_is_not_of_the_format_is_corrupt() {
    for text in [
        "",
        "{}",
        r#"{"algorithm":"md5","tensors":{}}"#,
        r#"{"algorithm":"xxh3","tensors":[1]}"#,
    ] {
        let text = HashMap::from([(CHECKSUM_KEY.to_owned(), text.to_owned())]);
        let error = Checksums::from_metadata(Some(&text)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(
            error
                .to_string()
                .starts_with("cannot read the checksums of the file: `nexus.checksums`: ")
        );
    }
    assert_eq!(Checksums::from_metadata(None).unwrap(), None);
}

#[test]
fn two_tensors_of_one_name_are_refused() {
    let view = TensorView::new(Dtype::U8, vec![0], &[]).unwrap();
    let error =
        Checksums::compute(&[("a", &view), ("a", &view)], Checksum::Xxh3, None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}

#[test]
fn a_large_tensor_is_shared_among_threads_and_has_the_same_checksum() {
    for size in [(16 << 20) - 1, 16 << 20, (40 << 20) + 12_345] {
        let data: Vec<u8> = (0..size)
            .map(|at: u32| (at.wrapping_mul(2_654_435_761) >> 13) as u8)
            .collect();
        let view = TensorView::new(Dtype::U8, vec![data.len()], &data).unwrap();
        for threads in 1..5 {
            let sums = Checksums::compute(
                &[("a", &view)],
                Checksum::Blake3,
                NonZeroUsize::new(threads),
            )
            .unwrap();
            assert_eq!(sums.get("a"), Some(Checksum::Blake3.of(&data).as_str()));
        }
    }
}
