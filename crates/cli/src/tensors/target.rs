//! How the commands that write treat what they write.

use crate::failure::Failure;
use clap::Args;
use nexus_safetensors::WriteOptions;
use std::path::Path;

#[derive(Args)]
pub(super) struct Writing {
    /// Replace what exists.
    #[arg(long)]
    force: bool,
    /// Return when what is written is safe on the disk.
    #[arg(long)]
    pub(super) fsync: bool,
}

impl Writing {
    /// Refuses to replace a file, unless that is wanted, and to replace a folder ever.
    pub(super) fn check(&self, target: &Path) -> Result<(), Failure> {
        let shown = target.display();
        if target.is_dir() {
            return Err(Failure::new(
                format!("`{shown}` is a folder"),
                "give the path of a file in it",
            ));
        }
        if !self.force && target.symlink_metadata().is_ok() {
            return Err(Failure::new(
                format!("`{shown}` exists already"),
                "--force replaces it",
            ));
        }
        Ok(())
    }

    pub(super) fn options(&self) -> WriteOptions {
        WriteOptions::default().fsync(self.fsync)
    }
}
