//! `nexus tensors ls`: what is in a file, a folder, or a file on a server.

use super::checkpoint::{open, shown};
use super::glob;
use super::remote::{RemoteFile, is_address};
use crate::failure::Failure;
use crate::output::{Output, counted, human_size};
use clap::Args;
use nexus_safetensors::{Backend, Metadata, TensorInfo};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::ops::Range;
use std::path::Path;

/// Longer free text is cut for people.
const TEXT_LEN_MAX: usize = 200;

#[derive(Args)]
pub(crate) struct Arguments {
    /// A safetensors file, a folder, an index, or the address of a file: https://...
    file: String,
    /// Only tensors of these names; `*` stands for any characters, `?` for one.
    #[arg(value_name = "PATTERN")]
    patterns: Vec<String>,
}

#[derive(Serialize)]
struct Listing {
    file: String,
    size_bytes: u64,
    metadata: BTreeMap<String, String>,
    tensors: Vec<Row>,
    types: BTreeMap<String, Total>,
}

#[derive(Serialize)]
struct Row {
    name: String,
    dtype: String,
    shape: Vec<usize>,
    /// First byte and the byte after the last, counted from the start of the file.
    bytes: (u64, u64),
    /// Where there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
}

#[derive(Default, Serialize)]
struct Total {
    tensors: u64,
    elements: u64,
    size_bytes: u64,
}

pub(super) fn run(arguments: &Arguments, output: Output) -> Result<(), Failure> {
    let Arguments { file, patterns } = arguments;
    let mut listing = Listing {
        file: file.clone(),
        size_bytes: 0,
        metadata: BTreeMap::new(),
        tensors: Vec::new(),
        types: BTreeMap::new(),
    };
    let wanted =
        |name: &str| patterns.is_empty() || patterns.iter().any(|p| glob::matches(p, name));
    if is_address(file) {
        let remote = RemoteFile::open(file)?;
        listing.size_bytes = remote.size_bytes();
        let range = |info: &TensorInfo| remote.byte_range(info);
        listing.add(remote.header(), range, None, wanted);
    } else {
        let checkpoint = open(Path::new(file), Backend::Read)?;
        for part in checkpoint.files() {
            listing.size_bytes += part.size_bytes() as u64;
            let range = |info: &TensorInfo| {
                let range = part.byte_range(info);
                range.start as u64..range.end as u64
            };
            // A file may have more than the index places in it.
            let counts = |name: &str| {
                let of = checkpoint.file_of(name);
                of.is_ok_and(|of| std::ptr::eq(of, part)) && wanted(name)
            };
            let name = (checkpoint.files().len() > 1).then(|| shown(part));
            listing.add(part.header(), range, name.as_deref(), counts);
        }
    }
    listing.tensors.sort_by(|a, b| a.name.cmp(&b.name));
    output.print(&listing, table)
}

impl Listing {
    fn add(
        &mut self,
        header: &Metadata,
        range: impl Fn(&TensorInfo) -> Range<u64>,
        file: Option<&str>,
        wanted: impl Fn(&str) -> bool,
    ) {
        self.metadata
            .extend(header.metadata().clone().unwrap_or_default());
        for (name, info) in header.iter() {
            if !wanted(name) {
                continue;
            }
            let Range { start, end } = range(info);
            let total = self.types.entry(info.dtype.to_string()).or_default();
            total.tensors += 1;
            total.elements += info.shape.iter().product::<usize>() as u64;
            total.size_bytes += end - start;
            self.tensors.push(Row {
                name: name.to_owned(),
                dtype: info.dtype.to_string(),
                shape: info.shape.clone(),
                bytes: (start, end),
                file: file.map(str::to_owned),
            });
        }
    }
}

fn table(listing: &Listing) -> String {
    let width = |column: fn(&Row) -> String| {
        let lengths = listing
            .tensors
            .iter()
            .map(|row| column(row).chars().count());
        lengths.max().unwrap_or(0)
    };
    let shape = |row: &Row| format!("{:?}", row.shape);
    let (names, types, shapes) = (
        width(|row| row.name.clone()),
        width(|row| row.dtype.clone()),
        width(shape),
    );
    let mut text = String::new();
    for row in &listing.tensors {
        let size = human_size(row.bytes.1 - row.bytes.0);
        let (name, dtype, shape) = (&row.name, &row.dtype, shape(row));
        let file = row
            .file
            .as_ref()
            .map_or_else(String::new, |file| format!("  {file}"));
        let _ = writeln!(
            text,
            "{name:<names$}  {dtype:<types$}  {shape:<shapes$}  {size:>9}{file}"
        );
    }
    for (key, value) in &listing.metadata {
        let _ = match value.char_indices().nth(TEXT_LEN_MAX) {
            Some((end, _)) => writeln!(text, "{key}: {}...", &value[..end]),
            None => writeln!(text, "{key}: {value}"),
        };
    }
    for (dtype, total) in &listing.types {
        let Total {
            tensors,
            elements,
            size_bytes,
        } = total;
        let size = human_size(*size_bytes);
        let (tensors, elements) = (counted(*tensors, "tensor"), counted(*elements, "element"));
        let _ = writeln!(text, "{dtype}: {tensors}, {elements}, {size}");
    }
    let count = counted(listing.tensors.len() as u64, "tensor");
    let _ = write!(text, "{count}, {}", human_size(listing.size_bytes));
    text
}
