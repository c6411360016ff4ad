//! Files on servers.

pub(super) use nexus_remote::RemoteFile;

/// Whether a file is named by its address.
pub(super) fn is_address(file: &str) -> bool {
    file.starts_with("https://") || file.starts_with("http://")
}
