//! Files that are written piece by piece, and what is left when that is cut short.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use nexus_safetensors::{
    Dtype, ErrorKind, SafeAppender, SafeTensorError, SafeTensorsFile, SafeWriter, TensorView,
    WriteOptions, serialize,
};
use proptest::prelude::*;

fn options() -> WriteOptions {
    WriteOptions::default()
}

fn names_in(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn specs() -> [(&'static str, Dtype, Vec<usize>); 3] {
    [
        ("b", Dtype::U8, vec![5]),
        ("none", Dtype::F32, vec![0]),
        ("a", Dtype::I16, vec![2, 2]),
    ]
}

proptest! {
    #[test]
    fn pieces_in_any_order_make_the_file_that_serialize_makes(
        order in Just((0..13_usize).collect::<Vec<_>>()).prop_shuffle(),
        fsync in any::<bool>(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let data = [0, 1, 2, 3, 4, 5, 6, 7, 8];
        let text = Some(HashMap::from([("k".to_owned(), "v".to_owned())]));
        let writer = SafeWriter::create(&path, specs(), text.clone(), options().fsync(fsync)).unwrap();
        for at in order {
            match at {
                0..5 => writer.write_at("b", at, &data[at..=at]).unwrap(),
                5..9 => writer.write_at("a", at - 5, &data[at - 5..5.min(at)]).unwrap(),
                9 => writer.write("none", &[]).unwrap(),
                _ => writer.write("a", &data[..8]).unwrap(),
            }
            prop_assert!(names_in(folder.path()).iter().all(|name| name != "a"));
        }
        prop_assert_eq!(writer.missing_bytes(), 0);
        writer.finish().unwrap();
        let bytes: [&[u8]; 3] = [&data[..5], &[], &data[..8]];
        let views = specs().into_iter().zip(bytes).map(|((name, dtype, shape), bytes)| {
            (name, TensorView::new(dtype, shape, bytes).unwrap())
        });
        prop_assert_eq!(fs::read(&path).unwrap(), serialize(views, text).unwrap());
    }

    #[test]
    fn an_appender_never_takes_what_is_not_whole(cut in 0..600_usize, at in 0..600_usize, bit in 0..8) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let sound = interrupted(&path);
        let mut bytes = fs::read(&path).unwrap();
        let at = at % bytes.len();
        bytes[at] ^= 1_u8 << bit;
        bytes.truncate(bytes.len() - cut.min(bytes.len()) * usize::from(cut % 2 == 0));
        fs::write(&path, &bytes).unwrap();
        if let Ok(appender) = SafeAppender::open(&path, options()) {
            appender.finish().unwrap();
            let file = SafeTensorsFile::open(&path).unwrap();
            // Data has no checksum, headers have their rules: names may change, sizes fit.
            prop_assert!(file.len() <= 2 && file.size_bytes() <= sound);
        }
    }
}

/// A file whose second appender was killed between the copy of the header and the header.
fn interrupted(path: &Path) -> usize {
    let mut first = SafeAppender::create(path, 256, None, options()).unwrap();
    first.push("a", Dtype::U8, &[4], &[1, 2, 3, 4]).unwrap();
    first.finish().unwrap();
    let old = fs::read(path).unwrap();
    let mut second = SafeAppender::open(path, options()).unwrap();
    second.push("b", Dtype::U8, &[2], &[5, 6]).unwrap();
    second.finish().unwrap();
    let new = fs::read(path).unwrap();
    let head = &new[..264];
    let checksum = xxhash_rust::xxh3::xxh3_64(head).to_le_bytes();
    let data = &new[264..];
    fs::write(
        path,
        [&old[..264], data, head, b"nexus appended 1", &checksum].concat(),
    )
    .unwrap();
    new.len()
}

#[test]
fn a_finish_that_was_cut_short_is_completed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    let size = interrupted(&path);
    let readers = SafeTensorsFile::open(&path).unwrap_err();
    assert!(matches!(readers, SafeTensorError::MetadataIncompleteBuffer));
    // The header itself may be half written.
    let mut torn = fs::read(&path).unwrap();
    torn[40..80].fill(0);
    for bytes in [fs::read(&path).unwrap(), torn] {
        fs::write(&path, bytes).unwrap();
        drop(SafeAppender::open(&path, options()).unwrap());
        let file = SafeTensorsFile::open(&path).unwrap();
        assert_eq!((file.names(), file.size_bytes()), (vec!["a", "b"], size));
        assert_eq!(file.tensor("b").unwrap().data(), [5, 6]);
        interrupted(&path);
    }
}

#[test]
fn what_a_killed_appender_wrote_is_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    let mut file = SafeAppender::create(&path, 100, None, options()).unwrap();
    file.push("a", Dtype::U8, &[1], &[1]).unwrap();
    file.finish().unwrap();
    let sound = fs::read(&path).unwrap();
    fs::write(&path, [&sound[..], b"tensor without a name"].concat()).unwrap();
    drop(SafeAppender::open(&path, options()).unwrap());
    assert_eq!(fs::read(&path).unwrap(), sound);
}

#[test]
fn a_dropped_writer_leaves_what_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    let writer = SafeWriter::create(&path, specs(), None, options()).unwrap();
    writer.write("b", &[0; 5]).unwrap();
    drop(writer);
    let mut appender = SafeAppender::create(&path, 100, None, options()).unwrap();
    appender.push("a", Dtype::U8, &[1], &[1]).unwrap();
    drop(appender);
    assert!(names_in(folder.path()).is_empty());

    let mut appender = SafeAppender::create(&path, 200, None, options()).unwrap();
    appender.push("a", Dtype::U8, &[1], &[1]).unwrap();
    appender.finish().unwrap();
    let before = fs::read(&path).unwrap();
    let mut appender = SafeAppender::open(&path, options()).unwrap();
    appender.push("b", Dtype::U8, &[1], &[1]).unwrap();
    drop(appender);
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn a_writer_says_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    let writer = SafeWriter::create(&path, specs(), None, options()).unwrap();
    let cases = [
        (
            writer.write("x", &[]),
            ErrorKind::NotFound,
            "tensor `x` not found",
        ),
        (
            writer.write("b", &[1]),
            ErrorKind::InvalidInput,
            "tensor of type U8 and shape (5) can't be created from 1 bytes",
        ),
        (
            writer.write_at("b", 4, &[1, 2]),
            ErrorKind::InvalidInput,
            "cannot write tensor `b`: 2 bytes from byte 4 on do not fit its 5 bytes",
        ),
        (
            writer.write_at("b", usize::MAX, &[1]),
            ErrorKind::InvalidInput,
            "cannot write tensor `b`: 1 bytes from byte 18446744073709551615 on do not fit its 5 bytes",
        ),
    ];
    for (outcome, kind, text) in cases {
        let error = outcome.unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (kind, text));
    }
    writer.write("a", &[0; 8]).unwrap();
    writer.write_at("b", 0, &[1, 2]).unwrap();
    assert_eq!(writer.missing_bytes(), 3);
    assert!(format!("{writer:?}").contains("missing_bytes: 3"));
    let error = writer.finish().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert_eq!(
        error.to_string(),
        format!(
            "cannot finish `{}`: tensor `b` lacks byte 2",
            path.display()
        )
    );
    assert!(names_in(folder.path()).is_empty());
    let twice = [("a", Dtype::U8, vec![1]), ("a", Dtype::U8, vec![1])];
    let error = SafeWriter::create(&path, twice, None, options()).unwrap_err();
    assert!(matches!(error, SafeTensorError::DuplicateName(_)));
    let half = [("a", Dtype::F4, vec![1])];
    let error = SafeWriter::create(&path, half, None, options()).unwrap_err();
    assert!(matches!(error, SafeTensorError::MisalignedSlice));
    let huge = [("a", Dtype::U8, vec![1 << 60])];
    let error = SafeWriter::create(&path, huge, None, options()).unwrap_err();
    assert_eq!(
        error.kind(),
        ErrorKind::Io,
        "no disk is that large: {error}"
    );
    assert!(names_in(folder.path()).is_empty());
}

#[test]
fn threads_write_to_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    let specs = (0..8).map(|at| (at.to_string(), Dtype::U8, vec![10_000]));
    let writer = SafeWriter::create(&path, specs, None, options().fsync(true)).unwrap();
    std::thread::scope(|scope| {
        for at in 0..8_u8 {
            let writer = &writer;
            scope.spawn(move || writer.write(&at.to_string(), &[at; 10_000]).unwrap());
        }
    });
    writer.finish().unwrap();
    let file = SafeTensorsFile::open(&path).unwrap();
    for at in 0..8_u8 {
        assert_eq!(file.tensor(&at.to_string()).unwrap().data(), [at; 10_000]);
    }
}

#[test]
fn a_file_grows_until_its_header_is_full() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    let text = HashMap::from([("made".to_owned(), "here".to_owned())]);
    SafeAppender::create(&path, 500, Some(text.clone()), options())
        .unwrap()
        .finish()
        .unwrap();
    let mut pushed = 0_u8;
    let full = loop {
        let mut file = SafeAppender::open(&path, options().fsync(pushed == 1)).unwrap();
        let room = file.header_room();
        let name = format!("t\"{pushed}");
        match file.push(&name, Dtype::U8, &[3], &[pushed; 3]) {
            Ok(()) => assert!(file.header_room() < room),
            Err(error) => break error,
        }
        file.finish().unwrap();
        pushed += 1;
        let bytes = fs::read(&path).unwrap();
        let theirs = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        assert_eq!(theirs.len(), usize::from(pushed));
        for at in 0..pushed {
            let tensor = theirs.tensor(&format!("t\"{at}")).unwrap();
            assert_eq!(tensor.data(), [at; 3]);
        }
    };
    assert!(pushed > 5);
    assert_eq!(full.kind(), ErrorKind::LimitReached);
    assert!(full.to_string().contains("and has 504"), "{full}");
    assert!(full.hint().is_some());
    let file = SafeTensorsFile::open(&path).unwrap();
    assert_eq!(file.metadata(), Some(&text));
}

#[test]
fn an_appender_says_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    let mut file = SafeAppender::create(&path, 200, None, options()).unwrap();
    file.push("a", Dtype::U8, &[1], &[1]).unwrap();
    let cases = [
        (
            file.push("a", Dtype::U8, &[1], &[1]),
            "there are two of that name",
        ),
        (file.push("__metadata__", Dtype::U8, &[1], &[1]), "reserved"),
        (
            file.push("b", Dtype::U8, &[2], &[1]),
            "can't be created from 1 bytes",
        ),
        (file.push("b", Dtype::U8, &[usize::MAX, 2], &[]), "overflow"),
    ];
    for (outcome, words) in cases {
        let error = outcome.unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    }
    file.finish().unwrap();
    let opened = SafeAppender::open(&path, options()).unwrap();
    let locked = SafeAppender::open(&path, options()).unwrap_err();
    assert_eq!(locked.kind(), ErrorKind::Io);
    assert!(locked.to_string().starts_with("cannot lock `"), "{locked}");
    drop(opened);
    let missing = SafeAppender::open(folder.path().join("none"), options()).unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
    fs::write(&path, [0xFF; 100]).unwrap();
    let foreign = SafeAppender::open(&path, options()).unwrap_err();
    assert_eq!(foreign.kind(), ErrorKind::LimitReached);
    assert_eq!(fs::read(&path).unwrap(), [0xFF; 100]);
    for (capacity, kind) in [
        (1, ErrorKind::LimitReached),
        (200_000_000, ErrorKind::LimitReached),
    ] {
        let text = Some(HashMap::from([("key".to_owned(), "value".to_owned())]));
        let error = SafeAppender::create(&path, capacity, text, options()).unwrap_err();
        assert_eq!(error.kind(), kind);
    }
}

/// A header of another writer, of odd length and shorter than ours would be.
#[test]
fn a_header_that_says_more_than_any_file_holds_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    // Together with their header they have more bytes than 64 bits count.
    let size = u64::MAX / 8;
    let entries = (0..8_u64).map(|at| {
        let (start, end) = (at * size, (at + 1) * size);
        format!(r#""t{at}":{{"dtype":"U8","shape":[{size}],"data_offsets":[{start},{end}]}}"#)
    });
    let header = format!("{{{}}}", entries.collect::<Vec<_>>().join(","));
    let file = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes()].concat();
    fs::write(&path, &file).unwrap();
    let error = SafeAppender::open(&path, options()).unwrap_err();
    assert!(
        matches!(error, SafeTensorError::MetadataIncompleteBuffer),
        "{error}"
    );
    assert!(fs::read(&path).unwrap() == file);
}

#[test]
fn a_foreign_file_without_room_is_refused_and_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    for (header, fits) in [
        (r#"{"a":["U8",[1],[0,1]]}"#.to_owned(), false),
        (
            format!(r#"{{"a":["U8",[1],[0,1]]}}{}"#, " ".repeat(101)),
            true,
        ),
    ] {
        let bytes = [
            &(header.len() as u64).to_le_bytes(),
            header.as_bytes(),
            &[7],
        ]
        .concat();
        fs::write(&path, &bytes).unwrap();
        match SafeAppender::open(&path, options()) {
            Ok(mut file) => {
                assert!(fits);
                file.push("b", Dtype::U8, &[1], &[8]).unwrap();
                file.finish().unwrap();
                let file = SafeTensorsFile::open(&path).unwrap();
                assert_eq!(file.tensor("a").unwrap().data(), [7]);
                assert_eq!(file.tensor("b").unwrap().data(), [8]);
            }
            Err(error) => {
                assert!(!fits, "{error}");
                assert_eq!(fs::read(&path).unwrap(), bytes);
            }
        }
    }
}
