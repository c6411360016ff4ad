//! Work on a whole file, piece by piece: a file that is cut meanwhile, and a caller who stops it.

use std::fs::{self, OpenOptions};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use nexus_safetensors::checksum::{Checksum, VerifyOptions, add_checksums, verify, verify_with};
use nexus_safetensors::packed::{PackOptions, PackedFile, pack_file, unpack_file};
use nexus_safetensors::{
    Backend, Dtype, ErrorKind, SafeTensorError, SafeTensorsFile, TensorView, serialize_to_file,
};

use crate::files::{Folder, bytes_of};

/// Larger than what BLAKE3 gives to one thread.
const LARGE: usize = (33 << 20) + 7;

/// A file with checksums.
fn summed(path: &Path, algorithm: Checksum, sizes: &[usize]) {
    let data: Vec<_> = (0..)
        .zip(sizes)
        .map(|(at, &size)| bytes_of(at, size))
        .collect();
    let views: Vec<_> = data
        .iter()
        .enumerate()
        .map(|(at, bytes)| {
            let view = TensorView::new(Dtype::U8, vec![bytes.len()], bytes).unwrap();
            (format!("t{at}"), view)
        })
        .collect();
    let text = add_checksums(&views, None, algorithm, None).unwrap();
    serialize_to_file(views, Some(text), path).unwrap();
}

fn cut(path: &Path, size: usize) {
    let file = OpenOptions::new().write(true).open(path).unwrap();
    file.set_len(size as u64).unwrap();
}

fn is_cut<T: std::fmt::Debug>(result: Result<T, SafeTensorError>, name: &str, size: usize) {
    match result.expect_err("the bytes are gone") {
        SafeTensorError::UnexpectedEnd { tensor, at, .. } => {
            assert_eq!((tensor.as_deref(), at), (Some(name), size as u64));
        }
        error => panic!("{error}"),
    }
}

#[test]
fn every_way_to_open_a_file_verifies_it_alike() {
    let folder = Folder::on_disk();
    let path = folder.path().join("file");
    for algorithm in [Checksum::Xxh3, Checksum::Blake3] {
        summed(&path, algorithm, &[LARGE, 0, 1, 256 << 10, 3 << 20]);
        for (backend, threads) in [(Backend::Map, 1), (Backend::Read, 1), (Backend::Read, 3)] {
            let file = SafeTensorsFile::open_with(&path, &backend.into()).unwrap();
            let report = verify(&file, NonZeroUsize::new(threads)).unwrap();
            assert!(report.is_sound(), "{algorithm:?} {backend} {threads}");
            assert_eq!(report.verified, 5);
        }
    }
}

#[test]
fn a_file_that_is_cut_while_it_is_verified_is_an_error_that_names_the_tensor() {
    let folder = Folder::on_disk();
    let path = folder.path().join("file");
    for algorithm in [Checksum::Xxh3, Checksum::Blake3] {
        summed(&path, algorithm, &[1000, LARGE]);
        let file = SafeTensorsFile::open_with(&path, &Backend::Read.into()).unwrap();
        let size = file.size_bytes() - 1;
        cut(&path, size);
        is_cut(verify(&file, None), "t1", size);
    }
}

/// A packed file of one tensor, and what it was made of.
fn packed(folder: &Folder) -> (PathBuf, PathBuf) {
    let [raw, packed] = ["raw", "packed"].map(|name| folder.path().join(name));
    let values = (0..1_u32 << 20).map(|at| 0x3C00 | (at.wrapping_mul(2_654_435_761) >> 23) as u16);
    let bytes: Vec<u8> = values.flat_map(u16::to_le_bytes).collect();
    let view = TensorView::new(Dtype::BF16, vec![1 << 20], &bytes).unwrap();
    serialize_to_file([("w", view)], None, &raw).unwrap();
    let report = pack_file(&raw, &packed, &PackOptions::default()).unwrap();
    assert!(report.packed_bytes < report.raw_bytes);
    (raw, packed)
}

#[test]
fn a_packed_file_that_is_cut_is_an_error_that_names_the_tensor() {
    let folder = Folder::on_disk();
    let (_, path) = packed(&folder);
    let file = PackedFile::open(&path).unwrap();
    let size = file.file().size_bytes() - 1000;
    cut(&path, size);
    is_cut(file.unpack("w"), "w", size);
    is_cut(file.region("w"), "w", size);
    // Blocks that are there are read.
    file.unpack_range_into("w", 0..2, &mut [0; 2]).unwrap();
    // Not even the directory of the blocks.
    let start = file.file().byte_range(file.file().info("w").unwrap()).start;
    cut(&path, start + 3);
    is_cut(file.unpack("w"), "w", start + 3);
}

#[test]
fn what_is_cancelled_stops_and_leaves_nothing() {
    let folder = Folder::on_disk();
    let (raw, packed) = packed(&folder);
    let target = folder.path().join("target");
    let flag = Arc::new(AtomicBool::new(true));
    let options = PackOptions::default().cancelled_by(flag.clone());
    let summed_path = folder.path().join("summed");
    summed(&summed_path, Checksum::Xxh3, &[10]);
    let file = SafeTensorsFile::open(&summed_path).unwrap();
    let stopped = [
        pack_file(&raw, &target, &options).map(drop),
        unpack_file(&packed, &target, &options),
        verify_with(&file, &VerifyOptions::default().cancelled_by(flag)).map(drop),
    ];
    for outcome in stopped {
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Cancelled);
    }
    assert!(!target.exists());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
}
