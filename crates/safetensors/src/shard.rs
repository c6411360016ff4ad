//! One model in several files, with an index that says which tensor is where.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use crate::atomic::{Closed, Replacement, sync_folder};
use crate::checksum::{CHECKSUM_KEY, Checksums};
use crate::io::{each, processors};
use crate::sink::{choose, write_all_at};
use crate::{Prepared, SafeTensorError, View, WriteMode, WriteOptions};

/// The usual pattern of shard names.
pub const SHARD_PATTERN: &str = "model{suffix}.safetensors";

/// What `huggingface_hub` takes for the largest size of a shard: 5 GB.
pub const SHARD_SIZE_MAX_DEFAULT: usize = 5_000_000_000;

/// What stands for the number of a shard in a pattern.
const SUFFIX: &str = "{suffix}";

/// How many shards are written through the page cache at a time. Direct writes keep a disk busy with
/// one, and each more would take its own memory.
const THREADS_MAX: usize = 4;

/// The files that [`serialize_sharded`] has written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sharded {
    /// The shards in order; one file without a number when one sufficed.
    pub files: Vec<PathBuf>,
    /// The index, when there is more than one shard.
    pub index: Option<PathBuf>,
    /// The number of bytes of all tensors.
    pub total_size: usize,
}

/// Writes tensors to files of at most `max_shard_size` bytes of data each, and an index.
///
/// Tensors are shared out in the order given, as `huggingface_hub` does: a shard is closed when the
/// next tensor would not fit; a tensor that is larger than a shard has one of its own, which does
/// not close the one before. Names follow `pattern`, for example [`SHARD_PATTERN`]:
/// `model-00001-of-00003.safetensors` with `model.safetensors.index.json`, or `model.safetensors`
/// alone when one file suffices. The index is that of `transformers`: sorted keys, indented by two.
///
/// Up to 4 shards are written at a time where they go through the page cache, each as
/// [`serialize_to_file_with`] does. Only when all are
/// whole do they take their names, and the index after them. When anything fails before, no file of
/// the folder has changed. A crash amid the renaming, which takes microseconds, can leave some new
/// shards and no new index. Shards and index of an earlier save under the same pattern that are not
/// part of this one are removed at the end.
///
/// `data_info` goes into every file. [Checksums](crate::checksum) in it are shared out: each file gets
/// those of its own tensors.
///
/// [`serialize_to_file_with`]: crate::serialize_to_file_with
///
/// # Errors
/// As [`serialize_to_file_with`]; `InvalidPattern`; `DuplicateName` also across shards; `Checksums`
/// for an entry that is none.
#[expect(
    clippy::implicit_hasher,
    reason = "as the signatures of the `safetensors` crate"
)]
pub fn serialize_sharded<S, V, I>(
    data: I,
    folder: &Path,
    pattern: &str,
    max_shard_size: usize,
    data_info: Option<&HashMap<String, String>>,
    options: WriteOptions,
) -> Result<Sharded, SafeTensorError>
where
    S: AsRef<str> + Ord + Display,
    V: View + Sync,
    I: IntoIterator<Item = (S, V)>,
{
    let names = Names::new(pattern)?;
    let shards = share_out(data.into_iter().collect(), max_shard_size);
    let file_names: Vec<_> = (0..shards.len())
        .map(|shard| names.shard(shard, shards.len()))
        .collect();
    let index = Index::new(&shards, &file_names)?;
    let (index, total_size) = (index.to_json()?, index.metadata.total_size);
    let files: Vec<_> = file_names.iter().map(|name| folder.join(name)).collect();
    let checksums = Checksums::from_metadata(data_info)?;
    let prepared: Result<Vec<_>, _> = shards
        .into_iter()
        .map(|shard| {
            let mut info = data_info.cloned();
            if let (Some(info), Some(checksums)) = (&mut info, &checksums) {
                let names = shard.iter().map(|(name, _)| name.as_ref());
                let text = checksums.of_tensors(names).to_text()?;
                info.insert(CHECKSUM_KEY.to_owned(), text);
            }
            Prepared::aligned(shard, info, options.align)
        })
        .collect();
    let mut closed = write_all(&prepared?, &files, options)?;
    let index_path = (files.len() > 1).then(|| folder.join(names.index()));
    if let Some(path) = &index_path {
        closed.push(write_index(&index, path, options)?);
    }
    for file in closed {
        file.rename()?;
    }
    names.remove_stale(folder, &file_names, index_path.is_some())?;
    if options.fsync
        && let Some(file) = files.first()
    {
        sync_folder(file)?;
    }
    Ok(Sharded {
        files,
        index: index_path,
        total_size,
    })
}

/// Fills shards in the order of the tensors. There is one shard at least.
fn share_out<S, V: View>(data: Vec<(S, V)>, max_shard_size: usize) -> Vec<Vec<(S, V)>> {
    let mut shards = Vec::new();
    let (mut open, mut open_size) = (Vec::new(), 0_usize);
    for (name, tensor) in data {
        let size = tensor.data_len();
        if size > max_shard_size {
            shards.push(vec![(name, tensor)]);
            continue;
        }
        if open_size.saturating_add(size) > max_shard_size {
            shards.push(std::mem::take(&mut open));
            open_size = 0;
        }
        open.push((name, tensor));
        open_size += size;
    }
    if !open.is_empty() || shards.is_empty() {
        shards.push(open);
    }
    shards
}

/// Writes files in parallel; they are whole then, but have not taken their names.
fn write_all<V: View + Sync>(
    shards: &[Prepared<V>],
    files: &[PathBuf],
    options: WriteOptions,
) -> Result<Vec<Closed>, SafeTensorError> {
    let buffered =
        |shard: &Prepared<V>| choose(shard.size_bytes() as u64, options) == WriteMode::Buffered;
    let threads = if shards.iter().all(buffered) {
        processors().min(THREADS_MAX).min(shards.len())
    } else {
        1
    };
    let written = Mutex::new(Vec::new());
    let numbered = shards.iter().zip(files).enumerate();
    each(numbered, threads, |(at, (shard, path))| {
        let file = write_closed(shard, path, options)?;
        let mut written = written.lock().unwrap_or_else(PoisonError::into_inner);
        written.push((at, file));
        Ok::<(), SafeTensorError>(())
    })?;
    let mut written = written.into_inner().unwrap_or_else(PoisonError::into_inner);
    written.sort_by_key(|&(at, _)| at);
    Ok(written.into_iter().map(|(_, file)| file).collect())
}

fn write_closed<V: View>(
    shard: &Prepared<V>,
    path: &Path,
    options: WriteOptions,
) -> Result<Closed, SafeTensorError> {
    let replacement = Replacement::create(path)?;
    shard.write_replacement(&replacement, path, options)?;
    replacement.close(options.fsync)
}

fn write_index(text: &str, path: &Path, options: WriteOptions) -> Result<Closed, SafeTensorError> {
    let replacement = Replacement::create(path)?;
    write_all_at(replacement.file(), text.as_bytes(), 0)
        .map_err(SafeTensorError::file("write", path))?;
    replacement.close(options.fsync)
}

/// The index file. Fields are in the order of their names.
#[derive(Serialize)]
struct Index<'a> {
    metadata: IndexMetadata,
    weight_map: BTreeMap<&'a str, &'a str>,
}

#[derive(Serialize)]
struct IndexMetadata {
    total_size: usize,
}

impl<'a> Index<'a> {
    fn new<S: AsRef<str>, V: View>(
        shards: &'a [Vec<(S, V)>],
        file_names: &'a [String],
    ) -> Result<Self, SafeTensorError> {
        let mut weight_map = BTreeMap::new();
        let mut total_size = 0_usize;
        for (shard, file) in shards.iter().zip(file_names) {
            for (name, tensor) in shard {
                let name = name.as_ref();
                if weight_map.insert(name, file.as_str()).is_some() {
                    return Err(SafeTensorError::DuplicateName(name.to_owned()));
                }
                total_size = total_size
                    .checked_add(tensor.data_len())
                    .ok_or(SafeTensorError::ValidationOverflow)?;
            }
        }
        let metadata = IndexMetadata { total_size };
        Ok(Self {
            metadata,
            weight_map,
        })
    }

    /// The text that Python's `json.dumps(index, indent=2, sort_keys=True) + "\n"` gives.
    fn to_json(&self) -> Result<String, SafeTensorError> {
        let mut text = String::new();
        for character in serde_json::to_string_pretty(self)?.chars() {
            match character {
                ' '..='~' | '\n' => text.push(character),
                _ => text.extend(
                    character
                        .encode_utf16(&mut [0; 2])
                        .iter()
                        .copied()
                        .flat_map(escape),
                ),
            }
        }
        text.push('\n');
        Ok(text)
    }
}

/// The characters of JSON's escape for a UTF-16 unit: `\u` and four hexadecimal digits.
fn escape(unit: u16) -> impl Iterator<Item = char> {
    let unit = u32::from(unit);
    let digits = [12, 8, 4, 0].map(|shift| char::from_digit(unit >> shift & 0xF, 16));
    "\\u".chars().chain(digits.into_iter().flatten())
}

/// The names that follow a pattern.
struct Names<'a> {
    before: &'a str,
    after: &'a str,
}

impl<'a> Names<'a> {
    fn new(pattern: &'a str) -> Result<Self, SafeTensorError> {
        let is_name = Path::new(pattern).file_name() == Some(pattern.as_ref());
        match pattern.split_once(SUFFIX) {
            Some((before, after)) if is_name => Ok(Self { before, after }),
            _ => Err(SafeTensorError::InvalidPattern(pattern.to_owned())),
        }
    }

    fn with(&self, suffix: &str) -> String {
        [self.before, suffix, self.after].concat()
    }

    fn shard(&self, at: usize, count: usize) -> String {
        match count {
            1 => self.with(""),
            _ => self.with(&format!("-{:05}-of-{count:05}", at + 1)),
        }
    }

    fn index(&self) -> String {
        self.with("") + ".index.json"
    }

    /// Whether a file is a shard under this pattern, of a save of any number of shards.
    fn is_shard(&self, name: &str) -> bool {
        let suffix = name
            .strip_prefix(self.before)
            .and_then(|rest| rest.strip_suffix(self.after));
        let numbers = suffix
            .and_then(|suffix| suffix.strip_prefix('-'))
            .and_then(|suffix| suffix.split_once("-of-"));
        let is_number =
            |text: &str| text.len() >= 5 && text.bytes().all(|byte| byte.is_ascii_digit());
        match numbers {
            Some((at, count)) => is_number(at) && is_number(count),
            None => suffix == Some(""),
        }
    }

    /// Removes what an earlier save under this pattern has left and no reader should find.
    fn remove_stale(
        &self,
        folder: &Path,
        kept: &[String],
        has_index: bool,
    ) -> Result<(), SafeTensorError> {
        let in_folder = || SafeTensorError::file("clear", folder);
        for entry in fs::read_dir(folder).map_err(in_folder())? {
            let entry = entry.map_err(in_folder())?;
            let name = entry.file_name();
            let Some(name) = name.to_str() else { continue };
            let is_stale = (self.is_shard(name) && !kept.iter().any(|file| file == name))
                || (name == self.index() && !has_index);
            if is_stale && entry.file_type().is_ok_and(|kind| !kind.is_dir()) {
                fs::remove_file(entry.path()).map_err(in_folder())?;
            }
        }
        Ok(())
    }
}
