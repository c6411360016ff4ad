//! Folders of image files, a class each folder below: the layout of torchvision's `ImageFolder`.

use std::fs;
use std::path::{Path, PathBuf};

use super::samples::{Pictures, Samples, fill};
use crate::limits::{CLASSES_MAX, DOCUMENTS_MAX, FOLDER_DEPTH_MAX};
use crate::store::{Access, Store};
use crate::unpack::Source;
use crate::{Cancel, Error};

const EXTENSIONS: [&str; 4] = ["jpg", "jpeg", "png", "webp"];

/// The classes of a folder: the names of the folders in it, sorted.
pub(super) fn classes(root: &Path) -> Result<Vec<String>, Error> {
    let (folders, _) = list(root)?;
    let names = folders.iter().map(|folder| name(folder));
    let names: Vec<String> = names.collect::<Result<_, _>>()?;
    if names.len() > CLASSES_MAX {
        let what = format!("`{}` has {} classes", root.display(), names.len());
        return Err(Error::limit(what, "CLASSES_MAX", CLASSES_MAX));
    }
    Ok(names)
}

/// All images below a folder, sorted by class, folder and name. Without classes, those in the folder
/// itself, without labels.
pub(super) fn open(root: &Path, classes: &[String], cancel: &Cancel) -> Result<Pictures, Error> {
    let mut files = Files::default();
    if classes.is_empty() {
        files.walk(root, None, 0, cancel)?;
    }
    for (label, class) in classes.iter().enumerate() {
        let folder = root.join(class);
        if folder.is_dir() {
            files.walk(&folder, Some(label as i64), 0, cancel)?;
        }
    }
    if files.paths.is_empty() {
        let message = format!("cannot find images in the folder `{}`", root.display());
        return Err(Error::not_found(message)
            .with_hint("images are .jpg, .jpeg, .png and .webp, in a folder each class"));
    }
    let source = Source::plain(Store::from_bytes(&root.display().to_string(), Vec::new()));
    Ok(Pictures::new(source, files))
}

fn name(path: &Path) -> Result<String, Error> {
    let name = path.file_name().and_then(|name| name.to_str());
    let refused = || {
        let message = format!("the name of the folder `{}` is no UTF-8", path.display());
        Error::unsupported(message)
    };
    Ok(name.ok_or_else(refused)?.to_owned())
}

/// The folders and the files in a folder, each sorted. Links are followed.
fn list(folder: &Path) -> Result<(Vec<PathBuf>, Vec<PathBuf>), Error> {
    let failed = |error| Error::io("list", folder, error);
    let (mut folders, mut files) = (Vec::new(), Vec::new());
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let found = fs::metadata(&path).map_err(|error| Error::io("open", &path, error))?;
        if found.is_dir() {
            folders.push(path);
        } else if found.is_file() {
            files.push(path);
        }
    }
    folders.sort();
    files.sort();
    Ok((folders, files))
}

/// Files, opened one by one as they are read.
#[derive(Default)]
struct Files {
    paths: Vec<PathBuf>,
    /// As many, or none.
    labels: Vec<i64>,
}

impl Files {
    fn walk(
        &mut self,
        folder: &Path,
        label: Option<i64>,
        depth: usize,
        cancel: &Cancel,
    ) -> Result<(), Error> {
        cancel.check()?;
        if depth > FOLDER_DEPTH_MAX {
            let what = format!("cannot list `{}`, which lies too deep", folder.display());
            return Err(Error::limit(what, "FOLDER_DEPTH_MAX", FOLDER_DEPTH_MAX));
        }
        let (folders, files) = list(folder)?;
        let is_image = |path: &PathBuf| {
            let extension = path.extension().and_then(|extension| extension.to_str());
            extension.is_some_and(|name| EXTENSIONS.iter().any(|e| name.eq_ignore_ascii_case(e)))
        };
        for path in files.into_iter().filter(is_image) {
            self.paths.push(path);
            self.labels.extend(label);
        }
        if self.paths.len() as u64 > DOCUMENTS_MAX {
            let what = format!("`{}` has more images", folder.display());
            return Err(Error::limit(what, "DOCUMENTS_MAX", DOCUMENTS_MAX));
        }
        folders
            .iter()
            .try_for_each(|folder| self.walk(folder, label, depth + 1, cancel))
    }
}

impl Samples for Files {
    fn count(&self) -> u64 {
        self.paths.len() as u64
    }

    fn is_labelled(&self) -> bool {
        !self.labels.is_empty()
    }

    fn read(&self, _: &Store, at: u64, target: &mut Vec<u8>) -> Result<i64, Error> {
        let store = Store::open(&self.paths[at as usize], Access::Read)?;
        fill(&store, 0, store.size(), target)?;
        Ok(self.labels.get(at as usize).copied().unwrap_or(0))
    }

    fn name(&self, at: u64) -> String {
        format!("the file `{}`", self.paths[at as usize].display())
    }
}
