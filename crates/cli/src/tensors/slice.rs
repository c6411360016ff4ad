//! `nexus tensors slice`: a part of a tensor, printed or written to a file.

use super::checkpoint::{open_plain, plain_text};
use super::remote::{RemoteFile, is_address};
use super::target::Writing;
use super::values::{PRINTED_MAX, Scalar, Table};
use super::watch::Watch;
use crate::failure::Failure;
use crate::output::{Output, human_size};
use crate::progress::ProgressMode;
use clap::Args;
use nexus_safetensors::checksum::CHECKSUM_KEY;
use nexus_safetensors::packed::is_packed;
use nexus_safetensors::{
    Backend, Dtype, Index, Metadata, SafeTensorError, SafeTensorsFile, SafeWriter, Selection,
};
use serde::Serialize;
use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// How many bytes are in memory at a time while a part is written.
const BATCH_SIZE: usize = 64 << 20;
/// How many runs of bytes are asked for at a time.
const BATCH_RUNS: usize = 1 << 16;

#[derive(Args)]
#[command(mut_args(|arg| match arg.get_id().as_str() {
    "force" | "fsync" => arg.requires("out"),
    _ => arg,
}))]
pub(crate) struct Arguments {
    /// A safetensors file, a folder, an index, or the address of a file: https://...
    file: String,
    /// The name of the tensor.
    name: String,
    /// What to take, as in the brackets of NumPy: `0:10, ::2`, `-1`, `..., None`.
    #[arg(default_value = "...", allow_hyphen_values = true)]
    index: String,
    /// Write the part to a safetensors file of this name, as a tensor of the same name. Without it,
    /// values are printed: all up to 1000, else the first and last 3 of each axis.
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    writing: Writing,
}

#[derive(Serialize)]
struct Slice {
    name: String,
    dtype: &'static str,
    shape: Vec<usize>,
    size_bytes: usize,
    /// Where it was written to.
    target: Option<PathBuf>,
    /// Nested lists of at most 1000 values in all; not there for larger parts and for written ones.
    values: Option<serde_json::Value>,
    #[serde(skip)]
    text: String,
}

pub(super) fn run(
    arguments: &Arguments,
    output: Output,
    mode: ProgressMode,
) -> Result<(), Failure> {
    let Arguments { name, out, .. } = arguments;
    if let Some(target) = out {
        arguments.writing.check(target)?;
    }
    let index = Index::parse_list(&arguments.index)?;
    let place = Place::open(&arguments.file, name)?;
    let info = place.header().info(name).ok_or_else(|| missing(name))?;
    let selection = Selection::new(info.dtype, &info.shape, &index)
        .map_err(|error| Failure::from(error).within(format_args!("tensor `{name}`")))?;
    let mut slice = Slice {
        name: name.clone(),
        dtype: info.dtype.name(),
        shape: selection.shape().to_vec(),
        size_bytes: selection.size_bytes(),
        target: out.clone(),
        values: None,
        text: String::new(),
    };
    if let Some(target) = out {
        let writer = arguments.writer(&place, &selection, target)?;
        fill(&writer, &place, name, &selection, mode)?;
        writer.finish()?;
    } else {
        (slice.text, slice.values) = values(&place, name, &selection)?;
    }
    output.print(&slice, show)
}

impl Arguments {
    /// A file for the part, as a tensor of the same name.
    fn writer(
        &self,
        place: &Place,
        part: &Selection,
        target: &Path,
    ) -> Result<SafeWriter, Failure> {
        let spec = (self.name.as_str(), part.dtype(), part.shape().to_vec());
        let options = self.writing.options();
        Ok(SafeWriter::create(target, [spec], place.text(), options)?)
    }
}

/// A file that has the tensor.
enum Place {
    Local(SafeTensorsFile),
    Remote(Box<RemoteFile>),
}

impl Place {
    fn open(file: &str, name: &str) -> Result<Self, Failure> {
        let place = if is_address(file) {
            Self::Remote(Box::new(RemoteFile::open(file)?))
        } else {
            // Reads by position: only what is needed, and no signal when the file is cut.
            let checkpoint = open_plain(Path::new(file), Backend::Read)?;
            let file = checkpoint.file_of(name).map_err(|_| missing(name))?;
            Self::Local(file.clone())
        };
        if is_packed(place.header()) {
            return Err(Failure::new(
                format!("`{file}` is packed"),
                "fetch it and turn it back first: nexus tensors unpack",
            ));
        }
        Ok(place)
    }

    fn header(&self) -> &Metadata {
        match self {
            Self::Local(file) => file.header(),
            Self::Remote(file) => file.header(),
        }
    }

    /// Reads runs of the bytes of a tensor, and hands them on one behind the other.
    fn read<T>(
        &self,
        name: &str,
        runs: Vec<Range<usize>>,
        then: impl FnOnce(&[u8]) -> T,
    ) -> Result<T, Failure> {
        match self {
            Self::Local(file) => Ok(then(file.read_ranges(name, runs)?.as_ref())),
            Self::Remote(file) => Ok(then(&file.ranges(name, runs)?)),
        }
    }

    /// The free text for a file with a part of one tensor.
    fn text(&self) -> Option<HashMap<String, String>> {
        let text = match self {
            Self::Local(file) => plain_text(file),
            Self::Remote(file) => {
                let mut text = file.header().metadata().clone().unwrap_or_default();
                text.remove(CHECKSUM_KEY);
                text
            }
        };
        Some(text).filter(|text| !text.is_empty())
    }
}

fn missing(name: &str) -> Failure {
    let error = SafeTensorError::TensorNotFound(name.to_owned());
    Failure::new(error.to_string(), "`nexus tensors ls FILE` lists the names")
}

/// Writes the part piece by piece.
fn fill(
    writer: &SafeWriter,
    place: &Place,
    name: &str,
    selection: &Selection,
    mode: ProgressMode,
) -> Result<(), Failure> {
    let watch = Watch::new(mode, "slice", selection.size_bytes() as u64)?;
    let mut offset = 0;
    for batch in batches(selection.runs()) {
        if watch.is_interrupted() {
            return Err(Failure::interrupted());
        }
        let size = batch.iter().map(Range::len).sum::<usize>();
        place.read(name, batch, |bytes| writer.write_at(name, offset, bytes))??;
        offset += size;
        watch.set(offset as u64);
    }
    Ok(())
}

/// Runs in groups of at most [`BATCH_SIZE`] bytes and [`BATCH_RUNS`] runs. Long runs are cut.
fn batches(runs: impl Iterator<Item = Range<usize>>) -> impl Iterator<Item = Vec<Range<usize>>> {
    let mut pieces = runs
        .flat_map(|run| {
            let starts = run.clone().step_by(BATCH_SIZE);
            starts.map(move |start| start..run.end.min(start.saturating_add(BATCH_SIZE)))
        })
        .peekable();
    std::iter::from_fn(move || {
        let mut batch = vec![pieces.next()?];
        let mut size = batch[0].len();
        while let Some(piece) = pieces.next_if(|next| size + next.len() <= BATCH_SIZE) {
            size += piece.len();
            batch.push(piece);
            if batch.len() == BATCH_RUNS {
                break;
            }
        }
        Some(batch)
    })
}

/// The values as text and, where they are few, as JSON.
fn values(
    place: &Place,
    name: &str,
    selection: &Selection,
) -> Result<(String, Option<serde_json::Value>), Failure> {
    let unprintable = |what: String| Failure::new(what, "--out writes the part to a file");
    let dtype = selection.dtype();
    let Some(size) = dtype.size_bytes().filter(|_| Scalar::is_known(dtype)) else {
        return Err(unprintable(format!(
            "values of type {dtype} cannot be printed"
        )));
    };
    let table = Table::new(selection.shape());
    if table.len() > PRINTED_MAX {
        let count = table.len();
        return Err(unprintable(format!("{count} values cannot be printed")));
    }
    let places = table.indices().filter_map(|index| {
        let at = selection.layout().place(&index)? * size;
        Some(at..at + size)
    });
    let scalars = place.read(name, places.collect(), |bytes| scalars(dtype, size, bytes))?;
    let json = table.is_complete().then(|| table.json(&scalars));
    Ok((table.text(&scalars), json))
}

fn scalars(dtype: Dtype, size: usize, bytes: &[u8]) -> Vec<Scalar> {
    let elements = bytes.chunks_exact(size);
    elements
        .filter_map(|element| Scalar::parse(dtype, element))
        .collect()
}

fn show(slice: &Slice) -> String {
    let Slice { dtype, shape, .. } = slice;
    let size = human_size(slice.size_bytes as u64);
    match &slice.target {
        Some(target) => format!("{dtype} {shape:?}, {size}, to {}", target.display()),
        None => format!("{}\n{dtype} {shape:?}, {size}", slice.text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_hold_all_bytes_in_order_and_not_too_many() {
        let runs = [0..3, 10..10 + 2 * BATCH_SIZE, 5..6];
        let all: Vec<_> = batches(runs.clone().into_iter()).collect();
        let sizes: Vec<usize> = all
            .iter()
            .map(|batch| batch.iter().map(Range::len).sum())
            .collect();
        assert_eq!(sizes, [3, BATCH_SIZE, BATCH_SIZE, 1]);
        let ends = [&all[1][0], &all[2][0]];
        assert_eq!(ends[0].end, ends[1].start);
        let many = batches((0..=BATCH_RUNS).map(|at| 2 * at..2 * at + 1));
        assert_eq!(
            many.map(|batch| batch.len()).collect::<Vec<_>>(),
            [BATCH_RUNS, 1]
        );
        assert_eq!(batches(std::iter::empty()).count(), 0);
    }
}
