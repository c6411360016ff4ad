//! Hashes of images until all images are known: `part-GROUP-N.images` beside the rows of part N.
//!
//! A file has for each row a byte, 1 where it has an image, and its hash (8 bytes, little-endian), then the
//! XXH3-64 of all that (8 bytes).

use super::parts::{self, Part};
use super::removed::Removed;
use crate::atomic::AtomicFile;
use crate::settings::Settings;
use crate::{Error, ErrorKind, ImageCopies};
use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::UInt64Type;
use nexus_dedup::DocumentId;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::Xxh3Default;

/// The column of the hashes, on their way here.
pub(crate) const HASHES: &str = "\0hashes";

const ROW_SIZE: usize = 9;

/// The batch without the hashes of its images, and these as they are put aside.
pub(crate) fn take_hashes(batch: &RecordBatch) -> Result<(RecordBatch, Vec<u8>), Error> {
    let lacks = || Error::invalid(format!("step `{}` has no hashes", ImageCopies::OP));
    let mut batch = batch.clone();
    let at = batch.schema().index_of(HASHES).map_err(|_| lacks())?;
    let column = batch.remove_column(at);
    let hashes = column.as_primitive_opt::<UInt64Type>().ok_or_else(lacks)?;
    let mut bytes = Vec::with_capacity(ROW_SIZE * hashes.len());
    for hash in hashes {
        bytes.push(u8::from(hash.is_some()));
        bytes.extend(hash.unwrap_or_default().to_le_bytes());
    }
    Ok((batch, bytes))
}

fn path(folder: &Path, part: u32) -> PathBuf {
    parts::beside(folder, part, "images")
}

/// The hashes of a part under construction.
pub(super) struct HashesWriter {
    file: AtomicFile,
    sum: Xxh3Default,
}

impl HashesWriter {
    pub(super) fn create(folder: &Path, part: u32) -> Result<Self, Error> {
        let file = AtomicFile::create(&path(folder, part))?;
        let sum = Xxh3Default::new();
        Ok(Self { file, sum })
    }

    pub(super) fn write(&mut self, hashes: &[u8]) -> Result<(), Error> {
        self.sum.update(hashes);
        self.file.append(hashes)
    }

    pub(super) fn commit(mut self) -> Result<(), Error> {
        self.file.append(&self.sum.digest().to_le_bytes())?;
        self.file.commit_unsynced()
    }
}

/// Decides which images are copies, in the order of documents. Holds 32 bytes for each that stays.
pub(super) fn decide(
    folder: &Path,
    settings: ImageCopies,
    removed: &mut Removed,
) -> Result<(), Error> {
    let (mut index, mut kept) = (settings.index()?, Vec::new());
    removed.begin(ImageCopies::OP);
    for part in removed.parts.clone() {
        let path = path(folder, part.number);
        let each = |row: u32, hash: u64| {
            let document = DocumentId {
                shard: part.number,
                row,
            };
            let near = index.insert(hash);
            match near.map_err(|error| Error::image("step `dedup_images`", error))? {
                None => kept.push(document),
                Some(near) => {
                    let similarity = 1.0 - f64::from(near.distance) / 64.0;
                    removed.remove(document, kept[near.number], Some(similarity));
                }
            }
            Ok(())
        };
        read(&path, part, each)?;
    }
    Ok(())
}

fn read(
    path: &Path,
    part: Part,
    mut each: impl FnMut(u32, u64) -> Result<(), Error>,
) -> Result<(), Error> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::UnexpectedEof => changed(path),
        _ => Error::io("read", path, error),
    };
    let file = File::open(path).map_err(|error| Error::io("open", path, error))?;
    let size = file.metadata().map_err(failed)?.len();
    if size != u64::from(part.rows) * ROW_SIZE as u64 + 8 {
        return Err(changed(path));
    }
    let mut file = BufReader::with_capacity(1 << 16, file);
    let mut sum = Xxh3Default::new();
    for row in 0..part.rows {
        let mut bytes = [0; ROW_SIZE];
        file.read_exact(&mut bytes).map_err(failed)?;
        sum.update(&bytes);
        let (has_image, hash) = bytes.split_first_chunk::<1>().expect("there are nine");
        if *has_image == [1] {
            let hash = hash.try_into().expect("there are eight");
            each(row, u64::from_le_bytes(hash))?;
        }
    }
    let mut own = [0; 8];
    file.read_exact(&mut own).map_err(failed)?;
    if u64::from_le_bytes(own) == sum.digest() {
        Ok(())
    } else {
        Err(changed(path))
    }
}

fn changed(path: &Path) -> Error {
    let path = path.display();
    let message = format!("cannot read `{path}`: what was put aside has changed");
    Error::new(ErrorKind::Corrupt, message).with_hint("run again without resume")
}
