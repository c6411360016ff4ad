//! Every way to read gives the same bytes, and says what is wrong in the same words.

use std::fs::{self, OpenOptions};
use std::path::Path;

use crate::files::{Folder, bytes_of, write};
use nexus_safetensors::{
    Backend, ErrorKind, ReadOptions, Rules, SafeTensorError, SafeTensorsFile, UnknownBackend,
};
use proptest::prelude::*;

/// Files by what is special about them: the length of the header's padding, the tensors' sizes.
const TABLE: [(&str, usize, &[usize]); 8] = [
    ("no tensors", 0, &[]),
    ("empty tensors", 0, &[0, 0]),
    ("one byte", 0, &[1]),
    ("unaligned header", 3, &[4, 5, 0, 6]),
    ("more than a page", 1, &[4095, 4096, 4097, 12_289]),
    ("3 MiB", 0, &[3 << 20]),
    ("3 MiB between others", 5, &[100, 3 << 20, 1, 5 << 20, 7]),
    ("a header of 2 MiB", 2 << 20, &[1 << 20, 17]),
];

fn check(path: &Path, sizes: &[usize], file: &SafeTensorsFile, why: &str) {
    let whole = fs::read(path).unwrap();
    assert_eq!(file.len(), sizes.len(), "{why}");
    for (at, &size) in sizes.iter().enumerate() {
        let name = format!("t{at}");
        let region = file.region(&name).unwrap();
        let range = file.byte_range(file.info(&name).unwrap());
        assert_eq!((region.len(), range.len()), (size, size), "{why} {name}");
        assert!(region.as_ref() == &whole[range], "{why} {name}");
        let mut copy = vec![1; size];
        file.read_into(&name, &mut copy).unwrap();
        assert!(copy == region.as_ref(), "{why} {name}");
        let shared = file.shared_tensor(&name).unwrap();
        assert!(shared.as_slice::<u8>().unwrap() == copy, "{why} {name}");
    }
    let mut copies: Vec<_> = sizes.iter().map(|&size| vec![1; size]).collect();
    let names: Vec<_> = (0..sizes.len()).map(|at| format!("t{at}")).collect();
    let targets = names.iter().map(String::as_str);
    // In another order than that of the file.
    let targets = targets.zip(copies.iter_mut().map(Vec::as_mut_slice)).rev();
    file.load_into(targets).unwrap();
    let start = whole.len() - sizes.iter().sum::<usize>();
    assert!(copies.concat() == whole[start..], "{why}");
}

/// What is got by groups is the whole file, in order.
fn check_groups(path: &Path, file: &SafeTensorsFile, why: &str) {
    let whole = fs::read(path).unwrap();
    let mut end = file.size_bytes() - file.header().data_len();
    let mut seen = 0;
    for group in file.groups() {
        let region = group.region().unwrap();
        for (name, info, range) in group.tensors() {
            let place = file.byte_range(info);
            assert_eq!(
                (place.start, file.info(name).unwrap()),
                (end, info),
                "{why} {name}"
            );
            assert!(
                region.as_ref()[range] == whole[place.clone()],
                "{why} {name}"
            );
            end = place.end;
            seen += 1;
        }
    }
    assert_eq!((seen, end), (file.len(), whole.len()), "{why}");
}

#[test]
fn groups_and_bulk_loads_of_open_files_give_the_same_bytes() {
    let folder = Folder::on_disk();
    for (why, padding, sizes) in TABLE {
        let path = folder.path().join("file");
        write(&path, padding, sizes);
        for backend in Backend::ALL {
            let opened = SafeTensorsFile::open_with(&path, &backend.into()).unwrap();
            let loaded = opened.loaded().unwrap();
            assert!(loaded.is_in_memory());
            check_groups(&path, &opened, &format!("{why}, open {backend}"));
            check_groups(&path, &loaded, &format!("{why}, load {backend}"));
            drop(opened);
            check(&path, sizes, &loaded, &format!("{why}, loaded {backend}"));
        }
    }
}

#[test]
fn tensors_of_a_group_outlive_their_file_and_its_other_tensors() {
    let folder = Folder::on_disk();
    let path = folder.path().join("file");
    write(&path, 0, &[10, 1 << 20, 20, 30, 1 << 20, 40]);
    let file = SafeTensorsFile::load(&path, &Backend::Read.into()).unwrap();
    let groups: Vec<_> = file.groups().map(|group| group.tensors().count()).collect();
    assert_eq!(groups, [1, 1, 2, 1, 1], "small ones share a region");
    let middle = file.groups().nth(2).unwrap().region().unwrap();
    let wanted = middle.as_ref().to_vec();
    drop(file);
    assert_eq!(middle.as_ref(), wanted);
}

#[test]
fn strict_rules_hold_for_every_backend_and_for_copies() {
    let folder = Folder::on_disk();
    let path = folder.path().join("file");
    let header = r#"{"a\u0000":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}"#;
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.as_bytes());
    fs::write(&path, &file).unwrap();
    for backend in Backend::ALL {
        let compatible = ReadOptions::from(backend);
        let strict = compatible.clone().rules(Rules::Strict);
        for read in [SafeTensorsFile::open_with, SafeTensorsFile::load] {
            assert_eq!(read(&path, &compatible).unwrap().len(), 1, "{backend}");
            let error = read(&path, &strict).unwrap_err();
            assert!(
                matches!(error, SafeTensorError::NulInHeader(_)),
                "{backend}: {error}"
            );
        }
    }
    assert_eq!(SafeTensorsFile::copy_of(&file).unwrap().len(), 1);
    let error = SafeTensorsFile::copy_of_with(&file, Rules::Strict).unwrap_err();
    assert!(matches!(error, SafeTensorError::NulInHeader(_)), "{error}");
}

#[test]
fn every_backend_gives_the_same_bytes() {
    for folder in Folder::both() {
        for (why, padding, sizes) in TABLE {
            let path = folder.path().join("file");
            write(&path, padding, sizes);
            for backend in Backend::ALL {
                for threads in [None, Some(3)] {
                    let threads = threads.map(|count: usize| count.try_into().unwrap());
                    let options = ReadOptions::from(backend).threads(threads);
                    let opened = SafeTensorsFile::open_with(&path, &options).unwrap();
                    check(&path, sizes, &opened, &format!("{why}, open {backend}"));
                    let loaded = SafeTensorsFile::load(&path, &options).unwrap();
                    check(&path, sizes, &loaded, &format!("{why}, load {backend}"));
                }
            }
            let copied = SafeTensorsFile::copy_of(&fs::read(&path).unwrap()).unwrap();
            check(&path, sizes, &copied, why);
        }
    }
}

#[test]
fn many_small_tensors_are_read_by_every_backend() {
    let folder = Folder::on_disk();
    let path = folder.path().join("file");
    let sizes: Vec<_> = (0..20_000).map(|at| at % 40).collect();
    write(&path, 0, &sizes);
    for backend in Backend::ALL {
        let file = SafeTensorsFile::open_with(&path, &backend.into()).unwrap();
        let kept: Vec<_> = (0..sizes.len())
            .map(|at| file.region(&format!("t{at}")).unwrap())
            .collect();
        drop(file);
        let equal = |(at, region): (usize, &nexus_safetensors::Region)| {
            region.as_ref() == bytes_of(at, sizes[at])
        };
        assert!(kept.iter().enumerate().all(equal), "{backend}");
    }
}

#[test]
fn what_is_loaded_can_be_written_to_and_the_file_stays() {
    let folder = Folder::on_disk();
    let path = folder.path().join("file");
    write(&path, 0, &[3 << 20]);
    let before = fs::read(&path).unwrap();
    for backend in Backend::ALL {
        let file = SafeTensorsFile::load(&path, &backend.into()).unwrap();
        let region = file.region("t0").unwrap();
        crate::files::fill(&region, 7);
        let other = file.region("t0").unwrap();
        assert!(other.as_ref().iter().all(|&byte| byte == 7), "{backend}");
        assert!(fs::read(&path).unwrap() == before, "{backend}");
    }
}

#[test]
fn a_file_that_is_cut_is_an_error_that_names_tensor_and_byte() {
    let folder = Folder::on_disk();
    let path = folder.path().join("file");
    for backend in [Backend::Read, Backend::Direct, Backend::Uring] {
        write(&path, 0, &[5000, 4 << 20, 100]);
        let file = SafeTensorsFile::open_with(&path, &backend.into()).unwrap();
        let start = file.byte_range(file.info("t1").unwrap()).start;
        let cut = start + 2_000_001;
        let writer = OpenOptions::new().write(true).open(&path).unwrap();
        writer.set_len(cut as u64).unwrap();
        assert!(file.region("t0").is_ok(), "{backend}");
        let check = |result: Result<(), SafeTensorError>| {
            let error = result.expect_err("the bytes are gone");
            let SafeTensorError::UnexpectedEnd {
                tensor, at, size, ..
            } = &error
            else {
                panic!("{backend}: {error}");
            };
            assert_eq!(tensor.as_deref(), Some("t1"), "{backend}");
            assert_eq!((*at, *size), (cut as u64, file.size_bytes() as u64));
            assert_eq!(error.kind(), ErrorKind::Corrupt);
            assert!(
                error
                    .to_string()
                    .contains(&format!("ends at byte {cut} of")),
                "{error}"
            );
            assert!(error.hint().is_some());
        };
        check(file.region("t1").map(drop));
        check(file.read_into("t1", &mut vec![0; 4 << 20]));
        check(
            file.read_ranges("t1", [0..1, 4_000_000..4_000_001])
                .map(drop),
        );
    }
}

/// Whatever happens when, the file is read as it was at some moment or is an error; no signal.
#[test]
fn a_file_that_is_cut_while_it_is_loaded_is_an_error_or_whole() {
    let folder = Folder::on_disk();
    let path = folder.path().join("file");
    write(&path, 0, &[16 << 20]);
    let size = fs::metadata(&path).unwrap().len();
    let writer = OpenOptions::new().write(true).open(&path).unwrap();
    for backend in [
        Backend::Auto,
        Backend::Read,
        Backend::Direct,
        Backend::Uring,
    ] {
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..20 {
                    writer.set_len(size / 2).unwrap();
                    writer.set_len(size).unwrap();
                }
            });
            for _ in 0..10 {
                match SafeTensorsFile::load(&path, &backend.into()) {
                    Ok(file) => assert_eq!(file.region("t0").unwrap().len(), 16 << 20),
                    Err(error) => assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}"),
                }
            }
        });
    }
}

#[test]
fn what_is_no_sound_file_is_refused_in_the_same_words_by_every_backend() {
    let folder = Folder::on_disk();
    let path = folder.path().join("file");
    let long = [&1000_u64.to_le_bytes()[..], b"{}"].concat();
    let huge = [&u64::MAX.to_le_bytes()[..], b"{}"].concat();
    let trailing = [&2_u64.to_le_bytes()[..], b"{}x"].concat();
    let bad = [&2_u64.to_le_bytes()[..], b"[]"].concat();
    for bytes in [&b""[..], b"1234567", &long, &huge, &trailing, &bad] {
        fs::write(&path, bytes).unwrap();
        let expected = SafeTensorsFile::copy_of(bytes).unwrap_err();
        for backend in Backend::ALL {
            let options = backend.into();
            for result in [
                SafeTensorsFile::open_with(&path, &options),
                SafeTensorsFile::load(&path, &options),
            ] {
                let error = result.expect_err("not sound");
                assert_eq!(error.to_string(), expected.to_string(), "{backend}");
                assert_eq!(error.kind(), expected.kind(), "{backend}");
            }
        }
    }
    for backend in Backend::ALL {
        let error = SafeTensorsFile::load(folder.path().join("none"), &backend.into());
        assert_eq!(error.unwrap_err().kind(), ErrorKind::NotFound);
        let error = SafeTensorsFile::load(folder.path(), &backend.into());
        assert_eq!(
            error.unwrap_err().kind(),
            ErrorKind::Io,
            "{backend}: a folder"
        );
    }
}

#[test]
fn wrong_arguments_are_invalid_input() {
    let folder = Folder::on_disk();
    let path = folder.path().join("file");
    write(&path, 0, &[10]);
    for backend in Backend::ALL {
        let file = SafeTensorsFile::open_with(&path, &backend.into()).unwrap();
        for error in [
            file.read_into("t0", &mut [0; 9]).unwrap_err(),
            file.read_ranges("t0", [0..1, 4..11]).map(drop).unwrap_err(),
            file.read_ranges("t0", [0..1, 11..11])
                .map(drop)
                .unwrap_err(),
            #[expect(clippy::reversed_empty_ranges, reason = "that is the mistake")]
            file.read_ranges("t0", [0..1, 6..5]).map(drop).unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
        }
        assert_eq!(file.region("x").unwrap_err().kind(), ErrorKind::NotFound);
    }
    let lazy = SafeTensorsFile::open_with(&path, &Backend::Read.into()).unwrap();
    let error = lazy.tensor("t0").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert_eq!(
        error.to_string(),
        "cannot borrow tensor `t0`: its file is read on demand"
    );
}

#[test]
fn backends_have_names() {
    for backend in Backend::ALL {
        assert_eq!(backend.name().parse(), Ok(backend));
    }
    let error: UnknownBackend = "magic".parse::<Backend>().unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot read with backend `magic`: there are auto, mmap, populate, pread, direct, uring"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Against a loop over slices.
    #[test]
    fn runs_are_gathered_in_their_order(
        runs in prop::collection::vec((0_usize..300_000, 0_usize..3000), 0..200),
        sorted in any::<bool>(),
        backend in prop::sample::select(Backend::ALL.to_vec()),
    ) {
        let folder = Folder::on_disk();
        let path = folder.path().join("file");
        let size = 303_000;
        write(&path, 1, &[5, size]);
        let mut runs: Vec<_> = runs.into_iter().map(|(at, len)| at..at + len).collect();
        if sorted {
            runs.sort_by_key(|run| run.start);
        }
        let whole = bytes_of(1, size);
        let expected: Vec<_> = runs.iter().flat_map(|run| &whole[run.clone()]).copied().collect();
        let file = SafeTensorsFile::open_with(&path, &backend.into()).unwrap();
        let region = file.read_ranges("t1", runs).unwrap();
        prop_assert!(region.as_ref() == expected);
    }
}

#[test]
fn many_and_large_runs_are_gathered_in_parallel() {
    let folder = Folder::on_disk();
    let path = folder.path().join("file");
    let size = 24 << 20;
    write(&path, 0, &[size]);
    let whole = bytes_of(0, size);
    for backend in Backend::ALL {
        let file = SafeTensorsFile::open_with(&path, &backend.into()).unwrap();
        for (step, len) in [
            (8, 4),
            (4096, 1024),
            (100_000, 99_000),
            (12 << 20, 11 << 20),
        ] {
            let runs = (0..size / step).map(move |at| at * step..at * step + len);
            let region = file.read_ranges("t0", runs.clone()).unwrap();
            let pieces = region.as_ref().chunks(len);
            assert!(
                pieces.zip(runs).all(|(piece, run)| piece == &whole[run]),
                "{backend} {step}"
            );
        }
    }
}

/// A quarter of each row costs a quarter of the reads.
#[test]
#[cfg(target_os = "linux")]
fn a_slice_reads_little_more_than_its_bytes() {
    let read_so_far = || {
        let text = fs::read_to_string("/proc/thread-self/io").unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("rchar: "));
        line.unwrap().parse::<usize>().unwrap()
    };
    let folder = Folder::on_disk();
    let path = folder.path().join("file");
    write(&path, 0, &[8 << 20]);
    let options = ReadOptions::from(Backend::Read).threads(Some(1.try_into().unwrap()));
    let file = SafeTensorsFile::open_with(&path, &options).unwrap();
    for (step, len) in [
        (4096, 1024),
        (12_288, 3072),
        (4096, 4000),
        (1 << 20, 1 << 18),
    ] {
        let runs = (0..(8 << 20) / step).map(move |at| at * step..at * step + len);
        let before = read_so_far();
        let region = file.read_ranges("t0", runs).unwrap();
        let read = read_so_far() - before;
        assert!(
            read < region.len() * 11 / 10 + 4096,
            "{step} {len}: {read} for {}",
            region.len()
        );
    }
}
