//! How long the bytes of a tensor live: with threads, after a fork, and when they are dropped.

use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::files::{
    Folder, bytes_of, fill, has_anything_new, in_child, refuse_everything_new, resident_kib, write,
};
use nexus_safetensors::{Backend, Checkpoint, Plan, Region, SafeTensorsFile};

const SIZE: usize = 8 << 20;

fn touch(region: &Region) {
    let pages = region.as_ref().iter().step_by(4096);
    black_box(pages.fold(0, |sum, byte| sum ^ byte));
}

#[test]
fn a_tensor_of_a_map_gives_its_pages_back_while_the_file_is_open() {
    let folder = Folder::on_disk();
    let path = folder.path().join("file");
    write(&path, 0, &[SIZE, SIZE, SIZE]);
    let file = SafeTensorsFile::open(&path).unwrap();
    let regions: Vec<_> = file
        .names()
        .into_iter()
        .map(|name| file.region(name).unwrap())
        .collect();
    regions.iter().for_each(touch);
    let address = regions[0].as_mut_ptr();
    let [first, second, third] = regions.try_into().unwrap();
    let full = resident_kib(address);
    assert!(full >= 3 * SIZE / 1024, "{full}");
    let clone = second.clone();
    drop(second);
    assert_eq!(resident_kib(address), full, "a clone holds the pages");
    drop(clone);
    let less = resident_kib(address);
    assert!(less <= full - SIZE / 1024 + 8, "{less} of {full}");
    assert!(first.as_ref() == bytes_of(0, SIZE) && third.as_ref() == bytes_of(2, SIZE));
    assert!(
        file.region("t1").unwrap().as_ref() == bytes_of(1, SIZE),
        "read again"
    );
}

#[test]
fn a_borrowed_tensor_keeps_its_pages() {
    let folder = Folder::on_disk();
    let path = folder.path().join("file");
    write(&path, 0, &[SIZE]);
    let file = SafeTensorsFile::open(&path).unwrap();
    let region = file.region("t0").unwrap();
    fill(&region, 3);
    let borrowed = file.tensor("t0").unwrap();
    drop(region);
    drop(file.region("t0"));
    assert!(borrowed.data().iter().all(|&byte| byte == 3));
}

#[test]
fn tensors_of_a_loaded_file_give_their_pages_back_when_it_is_closed() {
    let folder = Folder::on_disk();
    let path = folder.path().join("file");
    write(&path, 0, &[SIZE, SIZE, 100, SIZE]);
    for backend in Backend::ALL
        .into_iter()
        .filter(|&backend| backend != Backend::Map)
    {
        let file = SafeTensorsFile::load(&path, &backend.into()).unwrap();
        let first = file.region("t0").unwrap();
        let address = first.as_mut_ptr();
        let full = resident_kib(address);
        assert!(full >= 3 * SIZE / 1024, "{backend}: {full}");
        drop(file.region("t1"));
        assert_eq!(
            resident_kib(address),
            full,
            "{backend}: the file holds its tensors"
        );
        let last = file.region("t3").unwrap();
        drop(file);
        let less = resident_kib(address);
        assert!(
            less <= full - SIZE / 1024 + 16,
            "{backend}: {less} of {full}"
        );
        drop(first);
        let least = resident_kib(address);
        assert!(
            least <= less - SIZE / 1024 + 16,
            "{backend}: {least} of {less}"
        );
        assert!(last.as_ref() == bytes_of(3, SIZE), "{backend}");
    }
}

#[test]
fn neighbours_do_not_lose_what_was_written_to_them() {
    let folder = Folder::on_disk();
    let path = folder.path().join("file");
    let sizes = [5000, 9000, 4096, 12_000, 1, 300_000];
    write(&path, 3, &sizes);
    for backend in Backend::ALL {
        let file = SafeTensorsFile::load(&path, &backend.into()).unwrap();
        let mut regions: Vec<_> = (0..sizes.len())
            .map(|at| file.region(&format!("t{at}")).unwrap())
            .collect();
        drop(file);
        for (at, region) in regions.iter().enumerate() {
            fill(region, at as u8);
        }
        for at in [1, 3, 0] {
            regions.remove(at);
            let intact = |region: &Region| {
                let bytes = region.as_ref();
                bytes.iter().all(|&byte| byte == bytes[0])
            };
            assert!(regions.iter().all(intact), "{backend}");
        }
    }
}

#[test]
fn threads_may_take_and_drop_the_same_tensor() {
    let folder = Folder::on_disk();
    let path = folder.path().join("file");
    write(&path, 0, &[20_000]);
    for backend in [Backend::Map, Backend::Read] {
        let file = SafeTensorsFile::open_with(&path, &backend.into()).unwrap();
        let wrong = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for thread in 0..4_u8 {
                let (file, wrong) = (&file, &wrong);
                scope.spawn(move || {
                    for _ in 0..3000 {
                        let region = file.region("t0").unwrap();
                        let at = 8192 + usize::from(thread);
                        let mine = region.window(at..at + 1);
                        drop(region);
                        // A write must last as long as the region does, whoever else comes and goes.
                        fill(&mine, thread);
                        std::thread::yield_now();
                        if mine.as_ref() != [thread] {
                            wrong.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        assert_eq!(wrong.into_inner(), 0, "{backend}");
    }
}

#[test]
fn a_forked_process_reads_loads_and_drops() {
    let folder = Folder::on_disk();
    let path = folder.path().join("file");
    write(&path, 0, &[SIZE, SIZE]);
    let checkpoint = Checkpoint::open(&path).unwrap();
    for backend in Backend::ALL {
        let file = SafeTensorsFile::open_with(&path, &backend.into()).unwrap();
        let before = file.region("t0").unwrap();
        let mut stream = checkpoint.stream(&Plan::all(), 1 << 20).unwrap();
        let work = || {
            let whole = bytes_of(0, SIZE);
            let same = before.as_ref() == whole && file.region("t0").unwrap().as_ref() == whole;
            drop(before.clone());
            let loaded = SafeTensorsFile::load(&path, &backend.into()).unwrap();
            let stopped = matches!(stream.next(), Some(Err(_)));
            let again = checkpoint.load(&Plan::all()).unwrap();
            same && stopped
                && loaded.region("t0").unwrap().as_ref() == whole
                && again[0].region.as_ref() == whole
        };
        assert_eq!(in_child(work), 0, "{backend}");
        assert_eq!(stream.by_ref().flatten().count(), 2);
        assert!(before.as_ref() == bytes_of(0, SIZE), "{backend}");
    }
}

#[test]
fn what_is_refused_is_read_in_a_simpler_way() {
    let folder = Folder::on_disk();
    let path = folder.path().join("file");
    write(&path, 1, &[SIZE, 5, SIZE]);
    let work = || {
        refuse_everything_new();
        let equal = |file: &SafeTensorsFile| {
            [0, 2].into_iter().all(|at| {
                let region = file.region(&format!("t{at}")).unwrap();
                region.as_ref() == bytes_of(at, SIZE)
            })
        };
        let read = |backend: Backend| {
            let options = backend.into();
            equal(&SafeTensorsFile::load(&path, &options).unwrap())
                && equal(&SafeTensorsFile::open_with(&path, &options).unwrap())
        };
        !has_anything_new(&path) && Backend::ALL.into_iter().all(read)
    };
    assert_eq!(in_child(work), 0);
}
