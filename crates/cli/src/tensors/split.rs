//! `nexus tensors split`: a file becomes shards and an index, laid out as transformers lays them out.

use super::checkpoint::{INDEX_SUFFIX, checksums_of, open_plain, plain_text};
use super::watch::{Watch, check_target};
use crate::failure::Failure;
use crate::output::{Output, human_size};
use crate::progress::ProgressMode;
use clap::Args;
use nexus_safetensors::checksum::CHECKSUM_KEY;
use nexus_safetensors::{Backend, SafeTensorsFile, WriteOptions};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::mem;
use std::path::{Path, PathBuf};
use std::slice;

#[derive(Args)]
pub(crate) struct Arguments {
    /// A safetensors file.
    file: PathBuf,
    /// The most bytes of tensors in a shard, as in 2GB or 500MiB; a larger tensor has its own.
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    max_size: u64,
    /// The folder to write to [default: the folder of the file].
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// What the names of shards and index start with [default: the name of the file].
    #[arg(long)]
    name: Option<String>,
    /// Replace files that exist.
    #[arg(long)]
    force: bool,
}

/// The index, in the order that transformers writes.
#[derive(Serialize)]
struct Index<'a> {
    metadata: Total,
    weight_map: BTreeMap<&'a str, &'a str>,
}

#[derive(Serialize)]
struct Total {
    total_size: u64,
}

#[derive(Serialize)]
struct Summary {
    index: Option<PathBuf>,
    shards: Vec<PathBuf>,
    tensors: usize,
    size_bytes: u64,
}

pub(super) fn run(
    arguments: &Arguments,
    output: Output,
    mode: ProgressMode,
) -> Result<(), Failure> {
    let checkpoint = open_plain(&arguments.file, Backend::Map)?;
    let [file] = checkpoint.files() else {
        return Err(Failure::new(
            "cannot split a file that is split",
            "merge it first: nexus tensors merge",
        ));
    };
    let beside = arguments.file.parent().unwrap_or(Path::new(""));
    let folder = arguments.out.as_deref().unwrap_or(beside);
    let stem = arguments
        .file
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy();
    let name = arguments.name.as_deref().unwrap_or(&stem);
    let shards = plan(file, arguments.max_size);
    let names = file_names(name, shards.len());
    let index = (shards.len() > 1).then(|| folder.join(format!("{name}{INDEX_SUFFIX}")));
    let targets: Vec<PathBuf> = names.iter().map(|name| folder.join(name)).collect();
    for target in targets.iter().chain(&index) {
        check_target(target, arguments.force)?;
    }
    let total_size = file.header().data_len() as u64;
    let watch = Watch::new(mode, "split", total_size)?;
    let mut new = NewFiles::default();
    for (shard, target) in shards.iter().zip(&targets) {
        write_shard(file, shard, target, &watch)?;
        new.0.push(target.clone());
    }
    if let Some(index) = &index {
        let mut weight_map = BTreeMap::new();
        for (shard, name) in shards.iter().zip(&names) {
            weight_map.extend(shard.iter().map(|tensor| (tensor.as_str(), name.as_str())));
        }
        let content = Index {
            metadata: Total { total_size },
            weight_map,
        };
        write_index(&content, index)?;
    }
    new.keep();
    drop(watch);
    let summary = Summary {
        index,
        shards: targets,
        tensors: file.len(),
        size_bytes: total_size,
    };
    output.print(&summary, show)
}

/// Which tensors go together, in the order of the file, each shard as full as it can be. A tensor
/// that is larger than a shard has its own, and the one before goes on, as in `serialize_sharded`.
fn plan(file: &SafeTensorsFile, max_size: u64) -> Vec<Vec<String>> {
    let (mut shards, mut open, mut filled) = (Vec::new(), Vec::new(), 0);
    for name in file.offset_keys() {
        let size = file
            .info(&name)
            .map_or(0, |info| (info.data_offsets.1 - info.data_offsets.0) as u64);
        if size > max_size {
            shards.push(vec![name]);
            continue;
        }
        if filled + size > max_size {
            shards.push(mem::take(&mut open));
            filled = 0;
        }
        filled += size;
        open.push(name);
    }
    if !open.is_empty() || shards.is_empty() {
        shards.push(open);
    }
    shards
}

/// `model-00001-of-00003.safetensors` and so on; one shard alone is `model.safetensors`.
fn file_names(name: &str, count: usize) -> Vec<String> {
    if count == 1 {
        return vec![format!("{name}.safetensors")];
    }
    let shard = |number| format!("{name}-{number:05}-of-{count:05}.safetensors");
    (1..=count).map(shard).collect()
}

fn write_shard(
    file: &SafeTensorsFile,
    names: &[String],
    target: &Path,
    watch: &Watch,
) -> Result<(), Failure> {
    let tensors = names
        .iter()
        .map(|name| Ok((name.as_str(), file.tensor(name)?)));
    let tensors: Vec<_> = tensors.collect::<Result<_, Failure>>()?;
    let mut text = plain_text(file);
    let checksums = checksums_of(names.iter().map(String::as_str), slice::from_ref(file));
    text.extend(checksums.map(|checksums| (CHECKSUM_KEY.to_owned(), checksums)));
    watch.write(tensors, text, target, WriteOptions::default())
}

fn write_index(index: &Index<'_>, target: &Path) -> Result<(), Failure> {
    let mut text = serde_json::to_string_pretty(index).expect("an index is JSON");
    text.push('\n');
    let temporary = target.with_extension(format!("{}.tmp", std::process::id()));
    let written = fs::write(&temporary, text).and_then(|()| fs::rename(&temporary, target));
    written.map_err(|error| {
        // What is left of the attempt is not the news.
        let _ = fs::remove_file(&temporary);
        Failure::new(
            format!("cannot write `{}`: {error}", target.display()),
            "check permissions and free space",
        )
    })
}

/// Files that are removed again, unless all goes well.
#[derive(Default)]
struct NewFiles(Vec<PathBuf>);

impl NewFiles {
    fn keep(mut self) {
        self.0.clear();
    }
}

impl Drop for NewFiles {
    fn drop(&mut self) {
        for path in &self.0 {
            // The split has failed already; a file that cannot be removed either is not the news.
            let _ = fs::remove_file(path);
        }
    }
}

/// `2GB` is 2 000 000 000 bytes, `2GiB` is 2^31, `2` is 2.
fn parse_size(text: &str) -> Result<u64, String> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor = match unit.trim().to_ascii_uppercase().as_str() {
        "" | "B" => 1,
        "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "TB" => 1_000_000_000_000,
        "KIB" => 1 << 10,
        "MIB" => 1 << 20,
        "GIB" => 1 << 30,
        "TIB" => 1 << 40,
        _ => {
            return Err(format!(
                "`{unit}` is no unit: B, kB, MB, GB, TB, KiB, MiB, GiB, TiB"
            ));
        }
    };
    let size = number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(factor));
    size.filter(|&size| size > 0)
        .ok_or_else(|| format!("`{text}` is no size such as 2GB"))
}

fn show(summary: &Summary) -> String {
    let mut text = String::new();
    for path in summary.shards.iter().chain(&summary.index) {
        let _ = writeln!(text, "{}", path.display());
    }
    let (tensors, shards, size) = (
        summary.tensors,
        summary.shards.len(),
        human_size(summary.size_bytes),
    );
    let _ = write!(text, "{tensors} tensors, {size}, in {shards} files");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_decimal_and_binary_units() {
        let cases = [
            ("2GB", Ok(2_000_000_000)),
            ("500 MiB", Ok(500 << 20)),
            ("7", Ok(7)),
            ("1kB", Ok(1000)),
            ("0", Err(())),
            ("GB", Err(())),
            ("2XB", Err(())),
            ("-1", Err(())),
            ("99999999999999999999", Err(())),
            ("20000000TB", Err(())),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_size(text).map_err(drop), expected, "{text}");
        }
    }

    #[test]
    fn shards_are_numbered_with_five_digits() {
        assert_eq!(file_names("m", 1), ["m.safetensors"]);
        assert_eq!(
            file_names("m", 2),
            [
                "m-00001-of-00002.safetensors",
                "m-00002-of-00002.safetensors"
            ]
        );
    }
}
