//! Where a run writes: that it may, that nothing takes the place of something else, and its work folder.

use super::{Pipeline, RunOptions, Step};
use crate::atomic::file_beside;
use crate::output::Target;
use crate::source::Reader;
use crate::stages::{Stage, Use, Work};
use crate::storage::Storage;
use crate::{Error, ErrorKind};
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Runs of this process that had no place for a work folder.
static RUNS: AtomicU64 = AtomicU64::new(0);

impl Pipeline {
    /// Lists of what is left out, and what waits for all documents, are written to this machine, and nothing
    /// takes the place of something else.
    pub(super) fn check_places(
        &self,
        options: &RunOptions,
        target: Option<&Target>,
        storage: &Arc<dyn Storage>,
    ) -> Result<(), Error> {
        for (what, path) in [("rejects", &self.rejects), ("the audit", &self.audit)] {
            check_local(storage, what, path.as_deref())?;
        }
        if let Some(work) = options.work.as_ref().filter(|work| !storage.is_local(work)) {
            let message = format!("`{}` cannot be a work folder", work.display());
            return Err(Error::new(ErrorKind::Unsupported, message)
                .with_hint("give a folder of a file system, which nodes may share"));
        }
        self.check_apart(
            target
                .map(|target| &*target.path)
                .filter(|path| storage.is_local(path)),
        )
    }

    /// Each of these takes the place of what is there, so that of two at one place one would be lost.
    fn check_apart(&self, output: Option<&Path>) -> Result<(), Error> {
        let indexes = self.steps.iter().filter_map(|step| match step {
            Step::DedupExact(settings) => settings.write_index.as_deref(),
            Step::DedupNear(settings) => settings.write_index.as_deref(),
            _ => None,
        });
        let mut places: Vec<_> = output
            .map(|path| ("the output", path))
            .into_iter()
            .collect();
        places.extend(self.rejects.as_deref().map(|path| ("rejects", path)));
        places.extend(self.audit.as_deref().map(|path| ("the audit", path)));
        places.extend(indexes.map(|path| ("an index", path)));
        let resolved: Vec<_> = places.iter().map(|(_, path)| resolved(path)).collect();
        for (at, (what, path)) in places.iter().enumerate() {
            for (before, (other, other_path)) in places[..at].iter().enumerate() {
                let (one, two) = (&resolved[at], &resolved[before]);
                if one.starts_with(two) || two.starts_with(one) {
                    let message = format!(
                        "cannot write {what} to `{}`: {other} takes the place `{}`",
                        path.display(),
                        other_path.display()
                    );
                    return Err(Error::invalid(message).with_hint("give each a place of its own"));
                }
            }
        }
        Ok(())
    }

    /// The folder of this run.
    pub(super) fn work(
        &self,
        options: &RunOptions,
        reader: &Reader,
        target: Option<&Target>,
        stages: &[Stage],
    ) -> Result<Work, Error> {
        let plan = if options.goes_on() {
            self.fingerprint(options, reader, stages)?
        } else {
            String::new()
        };
        if options.node.is_some() && options.work.is_none() {
            let message = "a run of several nodes has no work folder that they share";
            return Err(Error::invalid(message).with_hint("give the work folder a path"));
        }
        if options.resume && options.work.is_none() && target.is_none() {
            return Err(Error::invalid(
                "a run without an output has no work folder to resume from",
            )
            .with_hint("give the work folder a path"));
        }
        let how = match options.node {
            Some(node) => Use::Share(node),
            None if options.resume => Use::Resume,
            None => Use::Alone,
        };
        match (&options.work, target) {
            (Some(work), _) => Work::open(work, &plan, how),
            (None, Some(target)) if self.storage.is_local(&target.path) => {
                let name = target.path.file_name().unwrap_or_default();
                let name = format!(".{}.work", name.to_string_lossy());
                Work::open(&target.path.with_file_name(name), &plan, how)
            }
            (None, target) => {
                let work = std::env::temp_dir().join(temporary_name(target));
                make_private(&work)?;
                Work::open(&work, &plan, how)
            }
        }
    }
}

/// Lists of what is left out are written to this machine.
pub(crate) fn check_local(
    storage: &Arc<dyn Storage>,
    what: &str,
    path: Option<&Path>,
) -> Result<(), Error> {
    let Some(path) = path.filter(|path| !storage.is_local(path)) else {
        return Ok(());
    };
    let message = format!("cannot write {what} to `{}`", path.display());
    Err(Error::new(ErrorKind::Unsupported, message)
        .with_hint("give a path of this machine, and copy the file when the run is over"))
}

/// The name of a work folder below the system's folder for temporary files: the same for the same output.
fn temporary_name(target: Option<&Target>) -> String {
    let Some(target) = target else {
        let number = RUNS.fetch_add(1, Ordering::Relaxed);
        return format!("nexus-data-{}-{number}.work", std::process::id());
    };
    let name = target.path.file_name().unwrap_or_default();
    let hash = xxhash_rust::xxh3::xxh3_64(target.path.as_os_str().as_encoded_bytes());
    format!("nexus-data-{}-{hash:016x}.work", name.to_string_lossy())
}

/// Makes a folder into which nobody else may look, or finds one that this user has made: others may write
/// where it lies.
fn make_private(path: &Path) -> Result<(), Error> {
    let failed = |error| Error::io("use the work folder", path, error);
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        made => return made.map_err(failed),
    }
    let (probe, file) = file_beside(path).map_err(failed)?;
    let me = file.metadata().map(|metadata| metadata.uid());
    let _ = std::fs::remove_file(probe);
    let found = std::fs::symlink_metadata(path).map_err(failed)?;
    if found.is_dir() && found.uid() == me.map_err(failed)? {
        return Ok(());
    }
    let message = format!("`{}` is no folder of this user", path.display());
    Err(Error::new(ErrorKind::Denied, message).with_hint("give the work folder a path"))
}

/// The same place by the same name, as far as it is there.
fn resolved(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    if let Ok(path) = path.canonicalize() {
        return path;
    }
    match (path.parent().map(Path::canonicalize), path.file_name()) {
        (Some(Ok(parent)), Some(name)) => parent.join(name),
        _ => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_folder_among_those_of_others_is_private_and_ones_own() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("work");
        make_private(&path).unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        std::fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        make_private(&path).unwrap();
        // A link may lead to a folder of somebody who wants to read along.
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        for taken in [link, folder.path().join("file")] {
            if !taken.is_symlink() {
                std::fs::write(&taken, "").unwrap();
            }
            let error = make_private(&taken).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
        }
    }
}
