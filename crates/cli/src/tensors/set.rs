//! Tensors of one file or of several: a file, a folder, or an index as transformers writes it.

use crate::failure::Failure;
use nexus_safetensors::{SafeTensorsFile, TensorView};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

/// How the name of an index ends.
pub(super) const INDEX_SUFFIX: &str = ".safetensors.index.json";
/// The largest index in bytes.
const INDEX_SIZE_MAX: u64 = 100_000_000;

/// Open files and the names of their tensors.
pub(super) struct Set {
    parts: Vec<SafeTensorsFile>,
    /// Which part has the tensor.
    names: BTreeMap<String, usize>,
}

#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

impl Set {
    /// Opens a file, all files that an index names, or the index or all files of a folder.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        if path.is_dir() {
            return match folder(path)? {
                Folder::Index(index) => Self::of_index(&index),
                Folder::Files(files) => Self::of_files(&files),
            };
        }
        if path
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            return Self::of_index(path);
        }
        Self::of_files(&[path.to_owned()])
    }

    /// The open files.
    pub(super) fn parts(&self) -> &[SafeTensorsFile] {
        &self.parts
    }

    /// The names of all tensors, sorted.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.keys().map(String::as_str)
    }

    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    /// One tensor, if there is one of that name.
    pub(super) fn tensor(&self, name: &str) -> Option<TensorView<'_>> {
        self.parts[*self.names.get(name)?].tensor(name).ok()
    }

    /// The bytes of all tensors.
    pub(super) fn data_size(&self) -> u64 {
        self.parts
            .iter()
            .map(|part| part.header().data_len() as u64)
            .sum()
    }

    fn of_files(paths: &[PathBuf]) -> Result<Self, Failure> {
        let mut set = Self {
            parts: Vec::new(),
            names: BTreeMap::new(),
        };
        for path in paths {
            let part = open(path)?;
            for name in part.names() {
                let other = set.names.insert(name.to_owned(), set.parts.len());
                if let Some(other) = other {
                    let other = shown(&set.parts[other]);
                    return Err(Failure::new(
                        format!("tensor `{name}` is in {} and in {other}", path.display()),
                        "name one file, or an index that says which one counts",
                    ));
                }
            }
            set.parts.push(part);
        }
        Ok(set)
    }

    fn of_index(path: &Path) -> Result<Self, Failure> {
        let index = read_index(path)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let files: BTreeSet<&str> = index.weight_map.values().map(String::as_str).collect();
        let (mut parts, mut places) = (Vec::new(), BTreeMap::new());
        for name in files {
            // An index from elsewhere must not lead to other folders.
            let plain = Path::new(name).file_name().is_some_and(|file| file == name);
            if !plain {
                return Err(refused(
                    path,
                    &format!("`{name}` is not the name of a file beside it"),
                ));
            }
            places.insert(name.to_owned(), parts.len());
            parts.push(open(&folder.join(name))?);
        }
        let mut names = BTreeMap::new();
        for (name, file) in &index.weight_map {
            let part = places[file];
            if parts[part].info(name).is_err() {
                return Err(refused(path, &format!("`{file}` has no tensor `{name}`")));
            }
            names.insert(name.clone(), part);
        }
        for (name, part) in parts
            .iter()
            .flat_map(|part| part.names().into_iter().map(move |name| (name, part)))
        {
            if !names.contains_key(name) {
                return Err(refused(
                    path,
                    &format!("it does not name `{name}` of {}", shown(part)),
                ));
            }
        }
        Ok(Self { parts, names })
    }
}

/// Opens a file; the failure names it.
pub(super) fn open(path: &Path) -> Result<SafeTensorsFile, Failure> {
    SafeTensorsFile::open(path).map_err(|error| {
        use nexus_safetensors::SafeTensorError::File;
        let named = matches!(error, File { .. });
        let failure = Failure::from(error);
        if named {
            failure
        } else {
            failure.within(format_args!("cannot read `{}`", path.display()))
        }
    })
}

/// The path of an open file, for people.
pub(super) fn shown(file: &SafeTensorsFile) -> String {
    file.path().unwrap_or(Path::new("")).display().to_string()
}

enum Folder {
    Index(PathBuf),
    Files(Vec<PathBuf>),
}

fn folder(path: &Path) -> Result<Folder, Failure> {
    let failed = |error| {
        Failure::new(
            format!("cannot list `{}`: {error}", path.display()),
            "check the path and the permissions",
        )
    };
    let (mut indexes, mut files) = (Vec::new(), Vec::new());
    for entry in fs::read_dir(path).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.ends_with(INDEX_SUFFIX) {
            indexes.push(path);
        } else if name.ends_with(".safetensors") {
            files.push(path);
        }
    }
    files.sort();
    match (indexes.pop(), indexes.is_empty(), files.is_empty()) {
        (Some(index), true, _) => Ok(Folder::Index(index)),
        (None, _, false) => Ok(Folder::Files(files)),
        (Some(_), ..) => Err(Failure::new(
            format!("there are several indexes in `{}`", path.display()),
            "name one of them",
        )),
        (None, ..) => Err(Failure::new(
            format!("there is no safetensors file in `{}`", path.display()),
            "name a file, an index, or a folder that holds one",
        )),
    }
}

fn read_index(path: &Path) -> Result<Index, Failure> {
    let failed = |error| {
        Failure::new(
            format!("cannot read `{}`: {error}", path.display()),
            "check the path and the permissions",
        )
    };
    let file = File::open(path).map_err(failed)?;
    let mut text = Vec::new();
    file.take(INDEX_SIZE_MAX + 1)
        .read_to_end(&mut text)
        .map_err(failed)?;
    if text.len() as u64 > INDEX_SIZE_MAX {
        return Err(refused(
            path,
            &format!("it is larger than {INDEX_SIZE_MAX} bytes"),
        ));
    }
    serde_json::from_slice(&text).map_err(|error| refused(path, &error.to_string()))
}

fn refused(path: &Path, why: &str) -> Failure {
    Failure::new(
        format!("cannot use the index `{}`: {why}", path.display()),
        "an index has an object `weight_map` from tensor to file name; name the folder without it, or the files",
    )
}
