//! Files of bytes that can be told apart, for the tests of loading.

mod sys;

use std::fmt::Write;
use std::fs;
use std::path::Path;

use nexus_safetensors::Region;
#[cfg(target_os = "linux")]
pub(crate) use sys::{has_anything_new, in_child, refuse_everything_new, resident_kib};

/// A folder that goes with its value.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn on_disk() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// One on a disk and, where there is a file system in memory, one there, which has no direct
    /// reads.
    pub(crate) fn both() -> Vec<Self> {
        let in_memory = tempfile::tempdir_in("/dev/shm").ok().map(Self);
        [Self::on_disk()].into_iter().chain(in_memory).collect()
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}

/// The bytes of the tensor of this number.
pub(crate) fn bytes_of(tensor: usize, size: usize) -> Vec<u8> {
    let word = |at: usize| {
        (tensor * 0x9E37 + at)
            .wrapping_mul(0x9E37_79B9_7F4A_7C15)
            .to_be_bytes()
    };
    (0..size.div_ceil(8)).flat_map(word).take(size).collect()
}

/// Writes tensors `t0`, `t1`, ... of bytes, with so many blanks behind the header.
pub(crate) fn write(path: &Path, padding: usize, sizes: &[usize]) {
    let mut header = String::from("{");
    let mut data = Vec::new();
    for (at, &size) in sizes.iter().enumerate() {
        let (start, comma) = (data.len(), if at > 0 { "," } else { "" });
        data.extend(bytes_of(at, size));
        write!(
            header,
            r#"{comma}"t{at}":{{"dtype":"U8","shape":[{size}],"data_offsets":[{start},{}]}}"#,
            start + size
        )
        .unwrap();
    }
    header.push('}');
    header.push_str(&" ".repeat(padding));
    let length = (header.len() as u64).to_le_bytes();
    fs::write(path, [&length[..], header.as_bytes(), &data].concat()).unwrap();
}

/// Writes to a region, as bindings let others do.
pub(crate) fn fill(region: &Region, byte: u8) {
    sys::fill(region.as_mut_ptr(), region.len(), byte);
}
