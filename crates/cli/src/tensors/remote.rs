//! Files on servers, where the program was built to read them.

/// Whether a file is named by its address.
pub(super) fn is_address(file: &str) -> bool {
    file.starts_with("https://") || file.starts_with("http://")
}

#[cfg(feature = "remote")]
pub(super) use nexus_remote::RemoteFile;

#[cfg(not(feature = "remote"))]
pub(super) use absent::RemoteFile;

/// What stands in for remote files: there are none.
#[cfg(not(feature = "remote"))]
mod absent {
    use crate::failure::Failure;
    use nexus_safetensors::{Metadata, TensorInfo};
    use std::ops::Range;

    pub(crate) enum RemoteFile {}

    impl RemoteFile {
        pub(crate) fn open(url: &str) -> Result<Self, Failure> {
            Err(Failure::new(
                format!("cannot open `{url}`: this program was built without the feature `remote`"),
                "cargo install nexus-cli builds it with the feature; or download the file",
            ))
        }

        pub(crate) fn size_bytes(&self) -> u64 {
            match *self {}
        }

        pub(crate) fn header(&self) -> &Metadata {
            match *self {}
        }

        pub(crate) fn byte_range(&self, _info: &TensorInfo) -> Range<u64> {
            match *self {}
        }

        pub(crate) fn ranges(
            &self,
            _name: &str,
            _runs: Vec<Range<usize>>,
        ) -> Result<Vec<u8>, Failure> {
            match *self {}
        }
    }
}
