//! Models of several files: what is found, what is refused, and loading by a plan.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crate::files::{Folder, bytes_of, write};
use nexus_safetensors::limits::INDEX_SIZE_MAX;
use nexus_safetensors::{
    Backend, Checkpoint, Dtype, ErrorKind, Plan, TensorView, locate, serialize_to_file,
};

fn index(folder: &Path, map: &str) {
    let text = format!(r#"{{"metadata":{{"total_size":1}},"weight_map":{{{map}}}}}"#);
    fs::write(folder.join("model.safetensors.index.json"), text).unwrap();
}

fn floats(path: &Path, tensors: &[(&str, &[usize])]) {
    let data: Vec<Vec<u8>> = tensors
        .iter()
        .map(|(_, shape)| {
            let count: usize = shape.iter().product();
            (0..count)
                .flat_map(|at| (at as f32).to_le_bytes())
                .collect()
        })
        .collect();
    let views = tensors.iter().zip(&data).map(|((name, shape), data)| {
        (
            *name,
            TensorView::new(Dtype::F32, shape.to_vec(), data).unwrap(),
        )
    });
    serialize_to_file(views, None, path).unwrap();
}

#[test]
fn files_folders_and_indices_are_found() {
    let folder = Folder::on_disk();
    let at = |name: &str| folder.path().join(name);
    let check = |path: &Path, names: &[&str]| {
        let checkpoint = Checkpoint::open(path).unwrap();
        assert_eq!(checkpoint.names().collect::<Vec<_>>(), names);
        assert_eq!(checkpoint.len(), names.len());
        let loaded = checkpoint.load(&Plan::all()).unwrap();
        assert_eq!(loaded.len(), names.len());
    };
    floats(&at("b.safetensors"), &[("b", &[2]), ("c", &[3])]);
    floats(&at("a.safetensors"), &[("a", &[4])]);
    check(folder.path(), &["a", "b", "c"]);
    check(&at("b.safetensors"), &["b", "c"]);
    index(folder.path(), r#""a":"a.safetensors","c":"b.safetensors""#);
    check(folder.path(), &["a", "c"]);
    check(&at("model.safetensors.index.json"), &["a", "c"]);
    floats(&at("model.safetensors"), &[("whole", &[1])]);
    check(folder.path(), &["whole"]);
}

#[test]
fn files_that_do_not_fit_together_are_refused() {
    let folder = Folder::on_disk();
    let refused = |kind: ErrorKind, words: &str| {
        let error = Checkpoint::open(folder.path()).unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
        assert_eq!(error.kind(), kind, "{error}");
        let text = error.to_string();
        assert!(text.starts_with("cannot open checkpoint `"), "{text}");
    };
    refused(ErrorKind::NotFound, "there is no *.safetensors file");
    floats(&folder.path().join("1.safetensors"), &[("a", &[1])]);
    floats(&folder.path().join("2.safetensors"), &[("a", &[1])]);
    refused(ErrorKind::Corrupt, "tensor `a` is in");
    index(folder.path(), r#""a":"3.safetensors""#);
    refused(
        ErrorKind::NotFound,
        "the index names `3.safetensors`, which is not there",
    );
    index(folder.path(), r#""b":"1.safetensors""#);
    refused(
        ErrorKind::Corrupt,
        "places tensor `b` in `1.safetensors`, which does not have it",
    );
    for entry in [
        "../1.safetensors",
        "/etc/passwd",
        "a/../1",
        "",
        ".",
        "a\\\\b",
        "a\\u0000",
    ] {
        index(folder.path(), &format!(r#""a":"{entry}""#));
        refused(ErrorKind::Corrupt, "is not inside its folder");
    }
    index(folder.path(), r#""a":7"#);
    refused(ErrorKind::Corrupt, "invalid JSON in index");
    let large = fs::File::create(folder.path().join("model.safetensors.index.json")).unwrap();
    large.set_len(INDEX_SIZE_MAX + 1).unwrap();
    refused(
        ErrorKind::LimitReached,
        "the index has more than 100000000 bytes",
    );
    let none = Checkpoint::open(folder.path().join("none")).unwrap_err();
    assert_eq!(none.kind(), ErrorKind::NotFound);
}

#[test]
fn an_error_names_the_file_that_is_not_sound() {
    let folder = Folder::on_disk();
    let [sound, broken] =
        ["1", "2"].map(|name| folder.path().join(name).with_extension("safetensors"));
    floats(&sound, &[("a", &[1])]);
    fs::write(&broken, [9; 20]).unwrap();
    let check = |path: &Path| {
        let error = Checkpoint::open(path).unwrap_err();
        let expected = format!("cannot read `{}`: header too large", broken.display());
        assert_eq!(error.to_string(), expected);
        assert_eq!(error.kind(), ErrorKind::LimitReached);
        assert!(error.hint().unwrap().contains("Git LFS"));
        assert_eq!(locate(&[], &error).offset, Some(0));
    };
    check(folder.path());
    index(folder.path(), r#""a":"1.safetensors","b":"2.safetensors""#);
    check(folder.path());
    // Whoever gives the file knows its name.
    let error = Checkpoint::open(&broken).unwrap_err();
    assert_eq!(error.to_string(), "header too large");
}

#[test]
fn an_index_may_name_files_in_folders_below_and_links() {
    let folder = Folder::on_disk();
    fs::create_dir(folder.path().join("parts")).unwrap();
    floats(&folder.path().join("parts/1.safetensors"), &[("a", &[5])]);
    index(folder.path(), r#""a":"parts/1.safetensors""#);
    assert_eq!(
        Checkpoint::open(folder.path())
            .unwrap()
            .info("a")
            .unwrap()
            .shape,
        [5]
    );
}

#[test]
fn tensors_come_in_the_order_of_the_files_within_the_budget() {
    let folder = Folder::on_disk();
    let sizes = [100, 3 << 20, 0, 700_000, 5, 1 << 20, 6 << 20, 1];
    write(&folder.path().join("m.safetensors"), 2, &sizes);
    for backend in Backend::ALL {
        for budget in [0, 1 << 20, 4 << 20, usize::MAX] {
            let checkpoint = Checkpoint::open_with(folder.path(), &backend.into()).unwrap();
            let seen = Arc::new(Mutex::new(Vec::new()));
            let ours = seen.clone();
            let plan =
                Plan::all().on_progress(move |done, of| ours.lock().unwrap().push((done, of)));
            let stream = checkpoint.stream(&plan, budget).unwrap();
            let loaded: Vec<_> = stream.map(Result::unwrap).collect();
            // Empty tensors lie before others at the same place.
            let order = ["t0", "t1", "t2", "t3", "t4", "t5", "t6", "t7"];
            assert!(loaded.iter().map(|item| item.name.as_str()).eq(order));
            for (at, item) in loaded.iter().enumerate() {
                assert!(
                    item.region.as_ref() == bytes_of(at, sizes[at]),
                    "{backend} {budget} {at}"
                );
            }
            let total = sizes.iter().sum::<usize>() as u64;
            let seen = seen.lock().unwrap();
            assert!(
                seen.is_sorted() && seen.last() == Some(&(total, total)),
                "{seen:?}"
            );
        }
    }
}

#[test]
fn a_reader_stays_within_its_budget() {
    let folder = Folder::on_disk();
    write(&folder.path().join("m.safetensors"), 0, &[1 << 20; 16]);
    let checkpoint = Checkpoint::open(folder.path()).unwrap();
    let read = Arc::new(AtomicU64::new(0));
    let ours = read.clone();
    let plan = Plan::all().on_progress(move |done, _| ours.store(done, Ordering::SeqCst));
    let budget = 3 << 20;
    let mut taken = 0;
    for item in checkpoint.stream(&plan, budget).unwrap() {
        taken += item.unwrap().region.len() as u64;
        let ahead = read.load(Ordering::SeqCst).saturating_sub(taken);
        assert!(ahead <= budget as u64, "{ahead}");
    }
    assert_eq!(taken, 16 << 20);
}

#[test]
fn a_stream_can_be_left_and_cancelled() {
    let folder = Folder::on_disk();
    write(&folder.path().join("m.safetensors"), 0, &[1 << 20; 8]);
    let checkpoint = Checkpoint::open(folder.path()).unwrap();
    let mut left = checkpoint.stream(&Plan::all(), 1 << 20).unwrap();
    assert!(left.next().unwrap().is_ok());
    drop(left);
    let flag = Arc::new(AtomicBool::new(true));
    let plan = Plan::all().cancelled_by(flag);
    let items: Vec<_> = checkpoint.stream(&plan, 1 << 20).unwrap().collect();
    assert_eq!(items.len(), 1);
    let error = items.into_iter().next().unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    assert_eq!(
        checkpoint.load(&plan).unwrap_err().kind(),
        ErrorKind::Cancelled
    );
}

#[test]
fn a_file_that_is_cut_ends_the_stream_with_an_error() {
    let folder = Folder::on_disk();
    let path = folder.path().join("m.safetensors");
    write(&path, 0, &[1 << 20; 8]);
    let checkpoint = Checkpoint::open(folder.path()).unwrap();
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(5 << 20).unwrap();
    let items: Vec<_> = checkpoint.stream(&Plan::all(), 1 << 20).unwrap().collect();
    let (last, whole) = items.split_last().unwrap();
    assert!(whole.iter().all(Result::is_ok));
    assert_eq!(last.as_ref().unwrap_err().kind(), ErrorKind::Corrupt);
}

#[test]
fn a_plan_picks_cuts_and_converts() {
    let folder = Folder::on_disk();
    let path = folder.path().join("m.safetensors");
    floats(
        &path,
        &[("a.up", &[4, 6]), ("a.down", &[6, 5]), ("bias", &[6])],
    );
    for backend in Backend::ALL {
        let checkpoint = Checkpoint::open_with(&path, &backend.into()).unwrap();
        let values = |plan: &Plan| -> Vec<(String, Vec<usize>, Vec<f32>)> {
            let loaded = checkpoint.load(plan).unwrap();
            let floats = |bytes: &[u8]| {
                bytes
                    .as_chunks()
                    .0
                    .iter()
                    .map(|&bytes| f32::from_le_bytes(bytes))
                    .collect()
            };
            let each = loaded.into_iter();
            each.map(|item| (item.name, item.shape, floats(item.region.as_ref())))
                .collect()
        };
        let plan = Plan::names(["bias", "a.up"])
            .shard("*.up", 1, 1, 4)
            .shard("bias", 0, 3, 4);
        // 6 columns for 4: two have 2, two have 1.
        assert_eq!(
            values(&plan),
            [
                (
                    "a.up".into(),
                    vec![4, 2],
                    vec![2., 3., 8., 9., 14., 15., 20., 21.]
                ),
                ("bias".into(), vec![1], vec![5.]),
            ]
        );
        let all: usize = (0..4)
            .map(|rank| {
                values(&Plan::names(["a.down"]).shard("*", 0, rank, 4))[0]
                    .2
                    .len()
            })
            .sum();
        assert_eq!(all, 30);
        let plan = Plan::names(["bias"])
            .dtype(Dtype::BF16)
            .dtype_of("bias", Dtype::F64);
        let loaded = checkpoint.load(&plan).unwrap();
        assert_eq!((loaded[0].dtype, loaded[0].region.len()), (Dtype::F64, 48));
        let last = *loaded[0].region.as_ref().last_chunk().unwrap();
        assert_eq!(f64::from_le_bytes(last), 5.0);
    }
}

#[test]
fn a_plan_that_does_not_fit_is_refused() {
    let folder = Folder::on_disk();
    let path = folder.path().join("m.safetensors");
    floats(&path, &[("a", &[4, 6])]);
    let checkpoint = Checkpoint::open(&path).unwrap();
    for (plan, kind, words) in [
        (
            Plan::names(["b"]),
            ErrorKind::NotFound,
            "tensor `b` not found",
        ),
        (
            Plan::all().shard("a", 2, 0, 2),
            ErrorKind::InvalidInput,
            "along axis 2",
        ),
        (
            Plan::all().shard("a", 0, 2, 2),
            ErrorKind::InvalidInput,
            "for process 2 of 2",
        ),
        (
            Plan::all().shard("a", 0, 0, 0),
            ErrorKind::InvalidInput,
            "for process 0 of 0",
        ),
        (
            Plan::all().dtype_of("a", Dtype::I64),
            ErrorKind::InvalidInput,
            "cannot convert tensor `a` from F32 to I64",
        ),
    ] {
        let error = checkpoint.load(&plan).unwrap_err();
        assert_eq!(error.kind(), kind);
        assert!(error.to_string().contains(words), "{error}");
        assert!(checkpoint.stream(&plan, 1).is_err());
    }
}
