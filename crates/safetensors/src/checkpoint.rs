//! Models of several files.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use serde::Deserialize;

use crate::io::ReadOptions;
use crate::limits::INDEX_SIZE_MAX;
use crate::stream::Task;
use crate::{
    ErrorKind, Loaded, Plan, Region, SafeTensorError, SafeTensorsFile, Stream, TensorInfo,
};

const FILE_NAME: &str = "model.safetensors";
const INDEX_NAME: &str = "model.safetensors.index.json";

/// The files of one model and the tensors in them. Clones are cheap.
///
/// ```no_run
/// use nexus_safetensors::{Checkpoint, Dtype, Plan};
///
/// let checkpoint = Checkpoint::open("model")?; // a folder, an index or a single file
/// for loaded in checkpoint.stream(&Plan::all().dtype(Dtype::F32), 256 << 20)? {
///     let loaded = loaded?;
///     println!("{}: {} {:?}", loaded.name, loaded.dtype, loaded.shape);
/// }
/// # Ok::<(), nexus_safetensors::SafeTensorError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Checkpoint {
    files: Vec<SafeTensorsFile>,
    /// The number of the file that a tensor is in.
    tensors: BTreeMap<String, usize>,
}

/// Why files are no checkpoint.
#[derive(Debug)]
#[non_exhaustive]
pub enum CheckpointProblem {
    /// The folder has no file of tensors.
    NoFiles,
    /// The index is not the JSON it should be.
    InvalidIndex(serde_json::Error),
    /// The index is larger than [`INDEX_SIZE_MAX`].
    IndexTooLarge,
    /// The index names a file outside its folder.
    OutsideFolder(String),
    /// The index names a file that is not there.
    MissingFile(String),
    /// The index places a tensor in a file that has none of that name.
    MissingTensor {
        /// The tensor's name.
        name: String,
        /// The file's name in the index.
        file: String,
    },
    /// Two files have a tensor of this name and no index says which counts.
    TensorTwice {
        /// The tensor's name.
        name: String,
        /// One file.
        first: PathBuf,
        /// Another file.
        second: PathBuf,
    },
}

impl CheckpointProblem {
    pub(crate) fn kind(&self) -> ErrorKind {
        match self {
            Self::NoFiles | Self::MissingFile(_) => ErrorKind::NotFound,
            Self::IndexTooLarge => ErrorKind::LimitReached,
            _ => ErrorKind::Corrupt,
        }
    }

    pub(crate) fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NoFiles => Some("give a file, an index or a folder with *.safetensors files"),
            Self::MissingFile(_) => Some("fetch the files that the index names"),
            Self::TensorTwice { .. } => Some("give the file or the index of one model"),
            _ => None,
        }
    }

    pub(crate) fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::InvalidIndex(error) => Some(error),
            _ => None,
        }
    }
}

impl fmt::Display for CheckpointProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoFiles => f.write_str("there is no *.safetensors file"),
            Self::InvalidIndex(error) => write!(f, "invalid JSON in index: {error}"),
            Self::IndexTooLarge => write!(f, "the index has more than {INDEX_SIZE_MAX} bytes"),
            Self::OutsideFolder(file) => {
                write!(
                    f,
                    "the index names `{file}`, which is not inside its folder"
                )
            }
            Self::MissingFile(file) => write!(f, "the index names `{file}`, which is not there"),
            Self::MissingTensor { name, file } => {
                write!(
                    f,
                    "the index places tensor `{name}` in `{file}`, which does not have it"
                )
            }
            Self::TensorTwice {
                name,
                first,
                second,
            } => {
                let (first, second) = (first.display(), second.display());
                write!(f, "tensor `{name}` is in `{first}` and in `{second}`")
            }
        }
    }
}

/// The part of an index that counts.
#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

impl Checkpoint {
    /// Opens a file; a folder with `model.safetensors`, `model.safetensors.index.json` or else any
    /// `*.safetensors` files; or an index. Costs as much as opening each file.
    ///
    /// # Errors
    /// `Checkpoint` when files and index do not fit together, and as
    /// [`SafeTensorsFile::open_with`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, SafeTensorError> {
        Self::open_with(path, &ReadOptions::default())
    }

    /// [`open`](Self::open) with options. `Auto` chooses as for
    /// [`SafeTensorsFile::load`], but reads when tensors are asked for.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_with(
        path: impl AsRef<Path>,
        options: &ReadOptions,
    ) -> Result<Self, SafeTensorError> {
        let path = path.as_ref();
        if !path.is_dir() {
            return match path.extension() {
                Some(extension) if extension == "json" => Self::open_index(path, options),
                _ => Self::open_files(path, &[path.to_owned()], options),
            };
        }
        let (file, index) = (path.join(FILE_NAME), path.join(INDEX_NAME));
        if file.is_file() {
            Self::open_files(path, &[file], options)
        } else if index.is_file() {
            Self::open_index(&index, options)
        } else {
            Self::open_files(path, &files_in(path)?, options)
        }
    }

    fn open_files(
        path: &Path,
        paths: &[PathBuf],
        options: &ReadOptions,
    ) -> Result<Self, SafeTensorError> {
        let open = |file: &PathBuf| {
            let opened = SafeTensorsFile::open_to_load(file, options);
            opened.map_err(|error| {
                if file == path {
                    error
                } else {
                    error.in_file(file)
                }
            })
        };
        let files = paths.iter().map(open).collect::<Result<Vec<_>, _>>()?;
        let mut tensors = BTreeMap::new();
        for (at, file) in files.iter().enumerate() {
            for (name, _) in file.infos() {
                if let Some(first) = tensors.insert(name.to_owned(), at) {
                    let problem = CheckpointProblem::TensorTwice {
                        name: name.to_owned(),
                        first: paths[first].clone(),
                        second: paths[at].clone(),
                    };
                    return Err(refused(path)(problem));
                }
            }
        }
        Ok(Self { files, tensors })
    }

    fn open_index(path: &Path, options: &ReadOptions) -> Result<Self, SafeTensorError> {
        let index = read_index(path)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let mut files = Vec::new();
        let mut numbers = BTreeMap::new();
        let mut tensors = BTreeMap::new();
        for (name, entry) in index.weight_map {
            let at = if let Some(&at) = numbers.get(&entry) {
                at
            } else {
                files.push(open_entry(path, folder, &entry, options)?);
                numbers.insert(entry.clone(), files.len() - 1);
                files.len() - 1
            };
            if files[at].info(&name).is_err() {
                let problem = CheckpointProblem::MissingTensor { name, file: entry };
                return Err(refused(path)(problem));
            }
            tensors.insert(name, at);
        }
        Ok(Self { files, tensors })
    }

    /// The files.
    pub fn files(&self) -> &[SafeTensorsFile] {
        &self.files
    }

    /// The names, sorted.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// The number of tensors.
    pub fn len(&self) -> usize {
        self.tensors.len()
    }

    /// Whether there is no tensor.
    pub fn is_empty(&self) -> bool {
        self.tensors.is_empty()
    }

    /// The file that a tensor is in.
    ///
    /// # Errors
    /// `TensorNotFound`.
    pub fn file_of(&self, name: &str) -> Result<&SafeTensorsFile, SafeTensorError> {
        let missing = || SafeTensorError::TensorNotFound(name.to_owned());
        self.tensors
            .get(name)
            .map(|&at| &self.files[at])
            .ok_or_else(missing)
    }

    /// What the header says of one tensor.
    ///
    /// # Errors
    /// `TensorNotFound`.
    pub fn info(&self, name: &str) -> Result<&TensorInfo, SafeTensorError> {
        self.file_of(name)?.info(name)
    }

    /// The bytes of one tensor: see [`SafeTensorsFile::region`].
    ///
    /// # Errors
    /// As [`SafeTensorsFile::region`].
    pub fn region(&self, name: &str) -> Result<Region, SafeTensorError> {
        self.file_of(name)?.region(name)
    }

    /// Loads what the plan says, in the order of the files. Neighbours that are loaded whole and
    /// as they are share memory, and are read at once.
    ///
    /// # Errors
    /// `TensorNotFound`, `Cast`, `RunOutside`, `InvalidShard` for a plan that does not fit;
    /// `Cancelled`; and as [`SafeTensorsFile::region`].
    pub fn load(&self, plan: &Plan) -> Result<Vec<Loaded>, SafeTensorError> {
        let task = Task::new(plan, self.chosen(plan)?, usize::MAX)?;
        let mut loaded = Vec::with_capacity(task.len());
        task.run(|_| true, |item| loaded.push(item))?;
        Ok(loaded)
    }

    /// Loads what the plan says, in the order of the files, one tensor after the other. A thread
    /// reads ahead, at most `budget_bytes` that have not been taken yet; a single tensor that is
    /// larger is read alone. What is being converted takes 32 MiB or its one tensor more.
    ///
    /// # Errors
    /// As [`load`](Self::load): what is wrong with the plan here, the rest from the iterator, which
    /// ends then.
    pub fn stream(&self, plan: &Plan, budget_bytes: usize) -> Result<Stream, SafeTensorError> {
        let task = Task::new(plan, self.chosen(plan)?, budget_bytes)?;
        Stream::start(task, budget_bytes)
    }

    /// The tensors of a plan: files in their order, tensors by the place of their data.
    fn chosen(&self, plan: &Plan) -> Result<Vec<(&SafeTensorsFile, &str)>, SafeTensorError> {
        let mut chosen = Vec::new();
        let mut add = |name: &str| {
            let missing = || SafeTensorError::TensorNotFound(name.to_owned());
            let (name, &at) = self.tensors.get_key_value(name).ok_or_else(missing)?;
            let start = self.files[at].info(name)?.data_offsets;
            chosen.push((at, start, name.as_str()));
            Ok::<_, SafeTensorError>(())
        };
        match &plan.names {
            Some(names) => names.iter().try_for_each(|name| add(name))?,
            None => self.names().try_for_each(&mut add)?,
        }
        chosen.sort_unstable();
        chosen.dedup();
        let named = chosen
            .into_iter()
            .map(|(at, _, name)| (&self.files[at], name));
        Ok(named.collect())
    }
}

fn open_entry(
    index: &Path,
    folder: &Path,
    entry: &str,
    options: &ReadOptions,
) -> Result<SafeTensorsFile, SafeTensorError> {
    let mut parts = Path::new(entry).components();
    let inside = !entry.is_empty() && parts.all(|part| matches!(part, Component::Normal(_)));
    // On Unix a backslash is a part of the name; elsewhere it leads out. Nobody writes one.
    if !inside || entry.contains(['\\', '\0']) {
        return Err(refused(index)(CheckpointProblem::OutsideFolder(
            entry.to_owned(),
        )));
    }
    let path = folder.join(entry);
    SafeTensorsFile::open_to_load(&path, options).map_err(|error| match error {
        SafeTensorError::File { source, .. } if source.kind() == io::ErrorKind::NotFound => {
            refused(index)(CheckpointProblem::MissingFile(entry.to_owned()))
        }
        error => error.in_file(&path),
    })
}

fn read_index(path: &Path) -> Result<Index, SafeTensorError> {
    let file = File::open(path).map_err(SafeTensorError::file("open", path))?;
    let size = file
        .metadata()
        .map_err(SafeTensorError::file("examine", path))?;
    if size.len() > INDEX_SIZE_MAX {
        return Err(refused(path)(CheckpointProblem::IndexTooLarge));
    }
    let mut text = Vec::new();
    let read = file.take(INDEX_SIZE_MAX).read_to_end(&mut text);
    read.map_err(SafeTensorError::file("read", path))?;
    serde_json::from_slice(&text)
        .map_err(|error| refused(path)(CheckpointProblem::InvalidIndex(error)))
}

/// The `*.safetensors` files of a folder, sorted.
fn files_in(folder: &Path) -> Result<Vec<PathBuf>, SafeTensorError> {
    let failed = || SafeTensorError::file("list", folder);
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed())? {
        let path = entry.map_err(failed())?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "safetensors")
        {
            paths.push(path);
        }
    }
    if paths.is_empty() {
        return Err(refused(folder)(CheckpointProblem::NoFiles));
    }
    paths.sort_unstable();
    Ok(paths)
}

fn refused(path: &Path) -> impl FnOnce(CheckpointProblem) -> SafeTensorError {
    move |problem| SafeTensorError::Checkpoint {
        path: path.to_owned(),
        problem,
    }
}
