//! Tensors of one file or of several, with failures that name the file.

use super::remote::is_address;
use crate::failure::Failure;
use nexus_safetensors::checksum::{CHECKSUM_KEY, Checksums};
use nexus_safetensors::limits::INDEX_SIZE_MAX;
use nexus_safetensors::packed::is_packed;
use nexus_safetensors::{Backend, Checkpoint, SafeTensorError, SafeTensorsFile, TensorView};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{self, File};
use std::io::Read;
use std::path::{Component, Path, PathBuf};

/// How the name of an index ends.
pub(super) const INDEX_SUFFIX: &str = ".safetensors.index.json";

/// Opens a file, an index or a folder; see [`Checkpoint::open`].
pub(super) fn open(path: &Path, backend: Backend) -> Result<Checkpoint, Failure> {
    if is_address(&path.to_string_lossy()) {
        return Err(Failure::new(
            format!(
                "cannot read `{}`: only ls and slice read addresses",
                path.display()
            ),
            "download the file",
        ));
    }
    Checkpoint::open_with(path, &backend.into()).map_err(|error| {
        if names_a_file(&error) {
            return error.into();
        }
        Failure::from(error).within(format_args!("cannot read `{}`", path.display()))
    })
}

/// Opens what is not packed, which other commands would take for what it is not.
pub(super) fn open_plain(path: &Path, backend: Backend) -> Result<Checkpoint, Failure> {
    let checkpoint = open(path, backend)?;
    match checkpoint
        .files()
        .iter()
        .find(|file| is_packed(file.header()))
    {
        Some(file) => Err(Failure::new(
            format!("`{}` is packed", shown(file)),
            "turn it back first: nexus tensors unpack",
        )),
        None => Ok(checkpoint),
    }
}

fn names_a_file(error: &SafeTensorError) -> bool {
    use SafeTensorError::{Checkpoint, File, InFile, SizeChanged, UnexpectedEnd};
    matches!(
        error,
        File { .. } | InFile { .. } | Checkpoint { .. } | UnexpectedEnd { .. } | SizeChanged { .. }
    )
}

/// The files that a path stands for, as far as that can be told without opening them.
pub(super) fn files_of(path: &Path) -> Vec<PathBuf> {
    if path.is_dir() {
        let (file, index) = (
            path.join("model.safetensors"),
            path.join("model.safetensors.index.json"),
        );
        return if file.is_file() {
            vec![file]
        } else if index.is_file() {
            files_of(&index)
        } else {
            let entries = fs::read_dir(path).into_iter().flatten().flatten();
            let paths = entries.map(|entry| entry.path());
            let sorted: BTreeSet<_> = paths
                .filter(|path| path.extension().is_some_and(|end| end == "safetensors"))
                .collect();
            sorted.into_iter().collect()
        };
    }
    if path.extension().is_none_or(|extension| extension != "json") {
        return vec![path.to_owned()];
    }
    let folder = path.parent().unwrap_or(Path::new(""));
    let entries: BTreeSet<_> = read_index(path)
        .map(|index| index.weight_map.into_values().collect())
        .unwrap_or_default();
    let plain = |entry: &String| {
        let mut parts = Path::new(entry).components();
        parts.all(|part| matches!(part, Component::Normal(_)))
    };
    let entries = entries.into_iter().filter(plain);
    entries.map(|entry| folder.join(entry)).collect()
}

#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

fn read_index(path: &Path) -> Option<Index> {
    let mut text = Vec::new();
    let file = File::open(path).ok()?;
    file.take(INDEX_SIZE_MAX).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}

/// One tensor of a mapped checkpoint, if there is one of that name.
pub(super) fn tensor<'a>(checkpoint: &'a Checkpoint, name: &str) -> Option<TensorView<'a>> {
    checkpoint.file_of(name).ok()?.tensor(name).ok()
}

/// The bytes of all tensors.
pub(super) fn data_size(checkpoint: &Checkpoint) -> u64 {
    let infos = checkpoint
        .names()
        .filter_map(|name| checkpoint.info(name).ok());
    infos
        .map(|info| (info.data_offsets.1 - info.data_offsets.0) as u64)
        .sum()
}

/// The path of an open file, for people.
pub(super) fn shown(file: &SafeTensorsFile) -> String {
    file.path().unwrap_or(Path::new("")).display().to_string()
}

/// The checksums of some tensors as the text of [`CHECKSUM_KEY`]; `None` where one has none, or one
/// of another algorithm. `text_of` gives the free text of the file that a tensor comes from.
pub(super) fn checksums_of<'a>(
    names: impl IntoIterator<Item = &'a str>,
    files: &[SafeTensorsFile],
) -> Option<String> {
    let known: Vec<_> = files
        .iter()
        .filter_map(|file| Some((file, Checksums::from_metadata(file.metadata()).ok()??)))
        .collect();
    let algorithm = known.first()?.1.algorithm();
    let mut tensors = BTreeMap::new();
    for name in names {
        let (_, sums) = known
            .iter()
            .find(|(file, sums)| file.info(name).is_ok() && sums.get(name).is_some())?;
        if sums.algorithm() != algorithm {
            return None;
        }
        tensors.insert(name, sums.get(name)?);
    }
    let text = serde_json::json!({"algorithm": algorithm.name(), "tensors": tensors});
    Some(text.to_string())
}

/// The free text of a file without what is true of that file alone.
pub(super) fn plain_text(file: &SafeTensorsFile) -> HashMap<String, String> {
    let mut text = file.metadata().cloned().unwrap_or_default();
    text.remove(CHECKSUM_KEY);
    text
}
