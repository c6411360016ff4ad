//! Every way of saving against the published crate's bytes, and what the system's refusals leave.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs;
use std::path::Path;

use nexus_safetensors::{
    Dtype, ErrorKind, PendingSave, Prepared, SafeTensorError, SafeTensorsFile, Snapshot,
    TensorView, View, WriteMode, WriteOptions, save_async, serialize, serialize_into,
    serialize_to_file, serialize_to_file_with, serialize_to_writer, serialized_size,
};

/// Names, and sizes in bytes.
type Case = Vec<(String, usize)>;

fn one(size: usize) -> Case {
    vec![("one".to_owned(), size)]
}

/// Sizes around those at which writers change their ways.
fn cases() -> Vec<Case> {
    let mut cases: Vec<_> = [0, 1, 4095, 4096, 4097].into_iter().map(one).collect();
    cases.extend([(1 << 20) - 1, 1 << 20, (1 << 20) + 1, (64 << 20) + 5].map(one));
    cases.push(Vec::new());
    cases.push((0..10_000).map(|at| (format!("t{at}"), at % 7)).collect());
    let mixed = [3 << 20, 0, 1, 4096, 300 << 10, 5 << 20, 77];
    cases.push(
        mixed
            .iter()
            .enumerate()
            .map(|(at, size)| (at.to_string(), *size))
            .collect(),
    );
    cases
}

/// Bytes that tell where they are; mostly noughts, as in sparse tensors.
fn data(size: usize) -> Vec<u8> {
    let mut data = vec![0; size];
    for (at, byte) in data.iter_mut().enumerate().step_by(509) {
        *byte = (at / 509) as u8 | 1;
    }
    data
}

fn views<'a>(case: &'a Case, data: &'a [u8]) -> Vec<(&'a str, TensorView<'a>)> {
    case.iter()
        .map(|(name, size)| {
            let view = TensorView::new(Dtype::U8, vec![*size], &data[..*size]).unwrap();
            (name.as_str(), view)
        })
        .collect()
}

fn expected(case: &Case, data: &[u8]) -> Vec<u8> {
    let views = case.iter().map(|(name, size)| {
        let view = safetensors::tensor::TensorView::new(
            safetensors::Dtype::U8,
            vec![*size],
            &data[..*size],
        );
        (name, view.unwrap())
    });
    safetensors::serialize(views, None).unwrap()
}

/// `assert_eq!` would print megabytes.
fn assert_same(ours: &[u8], theirs: &[u8], what: &str) {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    let differs = ours.iter().zip(theirs).position(|(a, b)| a != b);
    assert_eq!(differs, None, "{what}");
}

#[test]
fn every_way_of_saving_writes_the_bytes_of_the_published_crate() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    for case in cases() {
        let size = case.iter().map(|(_, size)| *size).max().unwrap_or(0);
        let data = data(size);
        let theirs = expected(&case, &data);
        let views = || views(&case, &data);
        let head = format!("{} tensors, {} bytes", case.len(), theirs.len());
        for mode in WriteMode::ALL {
            for fsync in [false, true] {
                let options = WriteOptions::default().mode(mode).fsync(fsync);
                serialize_to_file_with(views(), None, &path, options).unwrap();
                let what = format!("{head}, {options:?}");
                assert_same(&fs::read(&path).unwrap(), &theirs, &what);
            }
            let snapshot = Snapshot::of(views(), None).unwrap();
            snapshot
                .save(&path, WriteOptions::default().mode(mode))
                .unwrap();
            let what = format!("{head}, snapshot, {mode:?}");
            assert_same(&fs::read(&path).unwrap(), &theirs, &what);
        }
        assert_same(&serialize(views(), None).unwrap(), &theirs, &head);
        let mut memory = vec![1; serialized_size(views(), None).unwrap()];
        serialize_into(views(), None, &mut memory).unwrap();
        assert_same(&memory, &theirs, &head);
        let mut stream = Vec::new();
        serialize_to_writer(views(), None, &mut stream).unwrap();
        assert_same(&stream, &theirs, &head);
    }
}

/// A tensor whose bytes are made when they are asked for.
struct Made(usize);

impl View for Made {
    fn dtype(&self) -> Dtype {
        Dtype::U8
    }
    fn shape(&self) -> &[usize] {
        std::slice::from_ref(&self.0)
    }
    fn data(&self) -> Cow<'_, [u8]> {
        data(self.0).into()
    }
    fn data_len(&self) -> usize {
        self.0
    }
}

#[test]
fn tensors_that_are_made_for_the_save_are_written_like_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    let sizes = [9 << 20, 3, (1 << 20) + 1, 9 << 20];
    let case: Case = sizes
        .iter()
        .enumerate()
        .map(|(at, size)| (at.to_string(), *size))
        .collect();
    let theirs = expected(&case, &data(9 << 20));
    let made = || case.iter().map(|(name, size)| (name.as_str(), Made(*size)));
    for mode in WriteMode::ALL {
        let options = WriteOptions::default().mode(mode).fsync(true);
        serialize_to_file_with(made(), None, &path, options).unwrap();
        assert_same(&fs::read(&path).unwrap(), &theirs, mode.name());
    }
    assert_same(&serialize(made(), None).unwrap(), &theirs, "bytes");
}

#[test]
fn modes_are_taken_where_the_system_has_them() {
    let folder = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
    let path = folder.path().join("a");
    let large = data(9 << 20);
    let save = |bytes: &[u8], options| {
        let view = TensorView::new(Dtype::U8, vec![bytes.len()], bytes).unwrap();
        Prepared::new([("a", view)], None)
            .unwrap()
            .save(&path, options)
            .unwrap()
    };
    let (plain, durable) = (WriteOptions::default(), WriteOptions::default().fsync(true));
    assert_eq!(save(&large, plain), WriteMode::Buffered);
    assert_eq!(save(&large[..9], durable), WriteMode::Buffered);
    let direct = save(&large, plain.mode(WriteMode::Direct));
    let ring = save(&large, plain.mode(WriteMode::Uring));
    assert_eq!(save(&large, durable), direct, "a large durable save");
    eprintln!(
        "this system gives {} for direct and {} for uring",
        direct.name(),
        ring.name()
    );
    for mode in WriteMode::ALL {
        assert_eq!(WriteMode::from_name(mode.name()), Some(mode));
    }
    assert_eq!(WriteMode::from_name("fast"), None);
}

#[test]
fn data_begins_where_the_alignment_asks() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    let text = HashMap::from([("k".to_owned(), "v".repeat(5000))]);
    for align in [8, 64, 4096, 2 << 20] {
        for mode in WriteMode::ALL {
            let options = WriteOptions::default().align(align).mode(mode);
            let view = TensorView::new(Dtype::U8, vec![3], &[1, 2, 3]).unwrap();
            serialize_to_file_with([("a", view)], Some(text.clone()), &path, options).unwrap();
            let bytes = fs::read(&path).unwrap();
            assert_eq!((bytes.len() - 3) % align, 0, "{options:?}");
            let theirs = safetensors::SafeTensors::deserialize(&bytes).unwrap();
            assert_eq!(theirs.tensor("a").unwrap().data(), [1, 2, 3]);
        }
    }
    for align in [0, 1, 7, 4, 12, 4 << 20] {
        let options = WriteOptions::default().align(align);
        let none = Vec::<(&str, TensorView<'_>)>::new();
        let error = serialize_to_file_with(none, None, &path, options).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(
            error.to_string().contains(&format!("to {align} bytes")),
            "{error}"
        );
    }
}

#[test]
fn memory_of_another_size_is_refused() {
    let prepared = Prepared::new(
        [("a", TensorView::new(Dtype::U8, vec![1], &[7]).unwrap())],
        None,
    )
    .unwrap();
    let size = prepared.size_bytes();
    let error = prepared.overwrite(&mut vec![0; size + 1]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert_eq!(
        error.to_string(),
        format!("cannot write {size} bytes to memory of {}", size + 1)
    );
}

#[test]
fn a_stream_that_fails_is_reported() {
    let tensor = TensorView::new(Dtype::U8, vec![1], &[7]).unwrap();
    let error = serialize_to_writer([("a", tensor)], None, &mut [0; 4][..]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
}

fn names_in(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_pending_save_reports_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    let mut bytes = data(3 << 20);
    let kept = bytes.clone();
    let view = TensorView::new(Dtype::U8, vec![bytes.len()], &bytes).unwrap();
    let pending = save_async([("a", view)], None, &path, WriteOptions::default()).unwrap();
    bytes.fill(9);
    assert_eq!(pending.path(), path);
    pending.wait().unwrap();
    let read = |path: &Path| {
        let file = SafeTensorsFile::open(path).unwrap();
        file.tensor("a").unwrap().data().to_vec()
    };
    assert_same(&read(&path), &kept, "as it was");

    let prepared = Prepared::new([("a", Made(5000))], None).unwrap();
    let owned = PendingSave::of(prepared, &path, WriteOptions::default().fsync(true)).unwrap();
    drop(owned);
    assert_same(&read(&path), &data(5000), "dropping waits");

    let lost = folder.path().join("none/a");
    let prepared = Prepared::new([("a", Made(1))], None).unwrap();
    let failing = PendingSave::of(prepared, &lost, WriteOptions::default()).unwrap();
    assert_eq!(failing.wait().unwrap_err().kind(), ErrorKind::NotFound);
    let refused = save_async(
        [("__metadata__", Made(1))],
        None,
        &path,
        WriteOptions::default(),
    );
    assert!(matches!(refused, Err(SafeTensorError::ReservedName)));
}

#[test]
fn a_panic_in_a_view_of_a_pending_save_is_an_error() {
    struct Panics;
    impl View for Panics {
        fn dtype(&self) -> Dtype {
            Dtype::U8
        }
        fn shape(&self) -> &[usize] {
            &[]
        }
        fn data(&self) -> Cow<'_, [u8]> {
            panic!("no data")
        }
        fn data_len(&self) -> usize {
            1
        }
    }
    let folder = tempfile::tempdir().unwrap();
    for mode in WriteMode::ALL {
        // The panic comes while blocks before it are being written.
        let tensors: [(&str, Box<dyn View + Send>); 2] =
            [("a", Box::new(Made(17 << 20))), ("b", Box::new(Panics))];
        let tensors = tensors.map(|(name, tensor)| (name, Any(tensor)));
        let prepared = Prepared::new(tensors, None).unwrap();
        let options = WriteOptions::default().mode(mode);
        let pending = PendingSave::of(prepared, &folder.path().join("a"), options).unwrap();
        let error = pending.wait().unwrap_err();
        assert!(error.to_string().contains("panicked"), "{error}");
        assert!(names_in(folder.path()).is_empty());
    }
}

struct Any(Box<dyn View + Send>);

impl View for Any {
    fn dtype(&self) -> Dtype {
        self.0.dtype()
    }
    fn shape(&self) -> &[usize] {
        self.0.shape()
    }
    fn data(&self) -> Cow<'_, [u8]> {
        self.0.data()
    }
    fn data_len(&self) -> usize {
        self.0.data_len()
    }
}

#[test]
fn saves_at_once_do_not_meet() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    std::thread::scope(|scope| {
        for value in 0..8_u8 {
            let path = &path;
            scope.spawn(move || {
                for _ in 0..20 {
                    let bytes = [value; 3000];
                    let view = TensorView::new(Dtype::U8, vec![3000], &bytes).unwrap();
                    serialize_to_file([("a", view)], None, path).unwrap();
                    let file = SafeTensorsFile::open(path).unwrap();
                    let data = file.tensor("a").unwrap().data().to_vec();
                    assert!(data.iter().all(|byte| *byte == data[0]));
                }
            });
        }
    });
    assert_eq!(names_in(folder.path()), ["a"]);
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::MetadataExt;
    use std::process::Command;

    use super::*;

    /// Run by [`a_full_disk_leaves_the_old_file`] in a process whose files cannot grow far.
    #[test]
    fn child_that_saves_too_much() {
        let Some(folder) = std::env::var_os("NEXUS_SAVE_INTO") else {
            return;
        };
        let path = Path::new(&folder).join("a");
        for mode in WriteMode::ALL {
            let options = WriteOptions::default().mode(mode);
            let error = serialize_to_file_with([("a", Made(9 << 20))], None, &path, options);
            let error = error.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Io, "{error}");
            assert!(error.to_string().starts_with("cannot write `"), "{error}");
            assert_eq!(names_in(Path::new(&folder)), ["a"]);
        }
    }

    #[test]
    fn a_full_disk_leaves_the_old_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::write(&path, "old").unwrap();
        // The limit is a stand-in for a full disk; the signal that comes with it is ignored.
        let script =
            "trap '' XFSZ; ulimit -f 2048; exec \"$0\" --exact unix::child_that_saves_too_much";
        let output = Command::new("sh")
            .args(["-c", script])
            .arg(std::env::current_exe().unwrap())
            .env("NEXUS_SAVE_INTO", folder.path())
            .output()
            .unwrap();
        let printed = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && printed.contains("1 passed"),
            "{printed}"
        );
        assert_eq!(fs::read(&path).unwrap(), b"old");
    }

    /// Run by [`a_killed_save_leaves_the_old_file`] in a process of its own.
    #[test]
    fn child_that_dies_amid_a_save() {
        struct Dies;
        impl View for Dies {
            fn dtype(&self) -> Dtype {
                Dtype::U8
            }
            fn shape(&self) -> &[usize] {
                &[1]
            }
            fn data(&self) -> Cow<'_, [u8]> {
                std::process::abort()
            }
            fn data_len(&self) -> usize {
                1
            }
        }
        let Some((folder, mode)) = std::env::var_os("NEXUS_DIE_IN").zip(std::env::var("MODE").ok())
        else {
            return;
        };
        let tensors = [
            ("a", Any(Box::new(Made(17 << 20)))),
            ("b", Any(Box::new(Dies))),
        ];
        let options = WriteOptions::default().mode(WriteMode::from_name(&mode).unwrap());
        let _ = serialize_to_file_with(tensors, None, &Path::new(&folder).join("a"), options);
    }

    /// Where files can be without a name, a killed save leaves not even a temporary one.
    fn has_nameless_files(folder: &Path) -> bool {
        #[cfg(target_os = "linux")]
        {
            use std::os::unix::fs::OpenOptionsExt;
            fs::OpenOptions::new()
                .write(true)
                .custom_flags(libc::O_TMPFILE)
                .open(folder)
                .is_ok_and(|_| Path::new("/proc/self/fd").exists())
        }
        #[cfg(not(target_os = "linux"))]
        {
            let _ = folder;
            false
        }
    }

    #[test]
    fn a_killed_save_leaves_the_old_file() {
        for mode in WriteMode::ALL {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("a");
            fs::write(&path, "old").unwrap();
            let output = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "unix::child_that_dies_amid_a_save"])
                .env("NEXUS_DIE_IN", folder.path())
                .env("MODE", mode.name())
                .output()
                .unwrap();
            assert!(!output.status.success());
            assert_eq!(fs::read(&path).unwrap(), b"old");
            let left = names_in(folder.path());
            assert_eq!(
                left.len(),
                1 + usize::from(!has_nameless_files(folder.path()))
            );
        }
    }

    #[test]
    fn a_device_is_refused_and_stays() {
        let error = serialize_to_file([("a", Made(1))], None, Path::new("/dev/full")).unwrap_err();
        assert!(matches!(error, SafeTensorError::NotRegularFile(_)));
        assert!(!fs::metadata("/dev/full").unwrap().is_file());
    }

    #[test]
    fn owner_and_group_are_kept_where_the_system_permits() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        serialize_to_file([("a", Made(1))], None, &path).unwrap();
        // Only root may give files away; others keep what they have, which is tested too.
        let _ = std::os::unix::fs::chown(&path, Some(12_345), Some(23_456));
        let old = fs::metadata(&path).unwrap();
        for options in [WriteOptions::default(), WriteOptions::default().fsync(true)] {
            serialize_to_file_with([("a", Made(2))], None, &path, options).unwrap();
            let new = fs::metadata(&path).unwrap();
            assert_eq!(
                (new.uid(), new.gid(), new.mode()),
                (old.uid(), old.gid(), old.mode())
            );
        }
    }
}
