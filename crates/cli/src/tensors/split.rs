//! `nexus tensors split`: a file becomes shards and an index, laid out as transformers lays them out.

use super::checkpoint::{INDEX_SUFFIX, checksums_of, open_plain, plain_text};
use super::target::Writing;
use super::watch::Watch;
use crate::failure::Failure;
use crate::output::{Output, counted, human_size};
use crate::progress::ProgressMode;
use clap::Args;
use nexus_safetensors::checksum::CHECKSUM_KEY;
use nexus_safetensors::{Backend, SafeTensorsFile, SafeWriter};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs::{self, File};
use std::io;
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
    #[command(flatten)]
    writing: Writing,
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
        arguments.writing.check(target)?;
    }
    let total_size = file.header().data_len() as u64;
    let watch = Watch::new(mode, "split", total_size)?;
    let written = shards.iter().zip(&targets).map(|(shard, target)| {
        let writer = writer(file, shard, target, &arguments.writing)?;
        fill(&writer, file, shard, &watch)?;
        Ok(writer)
    });
    let written: Vec<_> = written.collect::<Result<_, Failure>>()?;
    let pending = index.as_ref().map(|path| {
        let shards = shards.iter().zip(&names);
        let places =
            shards.flat_map(|(shard, name)| shard.iter().map(|tensor| (&**tensor, &**name)));
        let content = Index {
            metadata: Total { total_size },
            weight_map: places.collect(),
        };
        NewIndex::write(&content, path, arguments.writing.fsync)
    });
    let pending = pending.transpose()?;
    // Only when all are whole do they take their names, and the index after them.
    for writer in written {
        writer.finish()?;
    }
    if let Some(index) = pending {
        index.publish()?;
    }
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

/// A shard that has no name yet.
fn writer(
    file: &SafeTensorsFile,
    names: &[String],
    target: &Path,
    writing: &Writing,
) -> Result<SafeWriter, Failure> {
    let specs = names.iter().map(|name| {
        let info = file.info(name)?;
        Ok((name.as_str(), info.dtype, info.shape.clone()))
    });
    let specs: Vec<_> = specs.collect::<Result<_, Failure>>()?;
    let mut text = plain_text(file);
    let checksums = checksums_of(names.iter().map(String::as_str), slice::from_ref(file));
    text.extend(checksums.map(|checksums| (CHECKSUM_KEY.to_owned(), checksums)));
    // A file without text has none, as it was read.
    let text = Some(text).filter(|text| !text.is_empty());
    Ok(SafeWriter::create(target, specs, text, writing.options())?)
}

fn fill(
    writer: &SafeWriter,
    file: &SafeTensorsFile,
    names: &[String],
    watch: &Watch,
) -> Result<(), Failure> {
    for name in names {
        if watch.is_interrupted() {
            return Err(Failure::interrupted());
        }
        let bytes = file.tensor(name)?.data();
        writer.write(name, bytes)?;
        watch.add(bytes.len() as u64);
    }
    Ok(())
}

/// An index beside its place. Dropped, it leaves no trace.
struct NewIndex {
    temporary: PathBuf,
    target: PathBuf,
    fsync: bool,
}

impl NewIndex {
    fn write(index: &Index<'_>, target: &Path, fsync: bool) -> Result<Self, Failure> {
        // A link stays, and leads to the new index.
        let target = target.canonicalize().unwrap_or_else(|_| target.to_owned());
        let mut text = serde_json::to_string_pretty(index).expect("an index is JSON");
        text.push('\n');
        let new = Self {
            temporary: target.with_extension(format!("{}.tmp", std::process::id())),
            target,
            fsync,
        };
        let written = fs::write(&new.temporary, text).and_then(|()| new.sync(&new.temporary));
        written.map_err(|error| new.failure(&error))?;
        Ok(new)
    }

    fn publish(self) -> Result<(), Failure> {
        let folder = self.target.parent().filter(|path| *path != Path::new(""));
        fs::rename(&self.temporary, &self.target)
            .and_then(|()| self.sync(folder.unwrap_or(Path::new("."))))
            .map_err(|error| self.failure(&error))
    }

    fn sync(&self, path: &Path) -> io::Result<()> {
        if self.fsync {
            File::open(path)?.sync_all()?;
        }
        Ok(())
    }

    fn failure(&self, error: &io::Error) -> Failure {
        Failure::new(
            format!("cannot write `{}`: {error}", self.target.display()),
            "check permissions and free space",
        )
    }
}

impl Drop for NewIndex {
    fn drop(&mut self) {
        // Gone when it has its name; what cannot be removed after a failure is not the news.
        let _ = fs::remove_file(&self.temporary);
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
        counted(summary.tensors as u64, "tensor"),
        counted(summary.shards.len() as u64, "file"),
        human_size(summary.size_bytes),
    );
    let _ = write!(text, "{tensors}, {size}, in {shards}");
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
