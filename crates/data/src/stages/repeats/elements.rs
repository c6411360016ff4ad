//! The texts of all documents, or their tokens, behind each other in files.

use super::store::{Failure, changed, elements};
use crate::Error;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::Xxh3Default;

/// Whether a file has so many bytes, and then their XXH3-64.
fn is_whole(file: &mut File, size: u64) -> std::io::Result<bool> {
    if file.metadata()?.len() != size + 8 {
        return Ok(false);
    }
    let (mut hash, mut buffer, mut left) = (Xxh3Default::new(), vec![0; 1 << 18], size);
    while left > 0 {
        let most = left.min(buffer.len() as u64) as usize;
        file.read_exact(&mut buffer[..most])?;
        hash.update(&buffer[..most]);
        left -= most as u64;
    }
    let mut sum = [0; 8];
    file.read_exact(&mut sum)?;
    Ok(u64::from_le_bytes(sum) == hash.digest())
}

/// The elements of all parts behind each other, on disk.
pub(super) struct Elements {
    /// Bytes of an element.
    size: usize,
    /// For each part the element with which it ends.
    parts: Vec<(usize, PathBuf, File)>,
}

impl Elements {
    pub(super) fn open(
        folder: &Path,
        size: usize,
        counts: &[(u32, Vec<u32>)],
    ) -> Result<Self, Error> {
        let mut end = 0;
        let open = |(part, counts): &(u32, Vec<u32>)| {
            let path = elements(folder, *part);
            let count: usize = counts.iter().map(|&count| count as usize).sum();
            end += count;
            let io = |error| Error::io("open", &path, error);
            let mut file = File::open(&path).map_err(io)?;
            if is_whole(&mut file, (count * size) as u64).map_err(io)? {
                Ok((end, path, file))
            } else {
                Err(changed(&path))
            }
        };
        let parts = counts.iter().map(open).collect::<Result<_, _>>()?;
        Ok(Self { size, parts })
    }

    /// Appends the bytes of the elements from one to another.
    pub(super) fn read(
        &self,
        mut from: usize,
        to: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), Failure> {
        let mut start = 0;
        for (end, path, file) in &self.parts {
            if from < *end && from < to {
                let stop = to.min(*end);
                let at = out.len();
                out.resize(at + (stop - from) * self.size, 0);
                let offset = (from - start) * self.size;
                file.read_exact_at(&mut out[at..], offset as u64)
                    .map_err(|error| Failure::Other(Error::io("read", path, error)))?;
                from = stop;
            }
            start = *end;
        }
        Ok(())
    }
}
