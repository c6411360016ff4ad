//! `nexus tensors ls`: what is in a file, a folder, or a file on a server.

use super::glob;
use super::set::{Set, shown};
use crate::failure::Failure;
use crate::output::{Output, human_size};
use clap::Args;
use nexus_safetensors::{Metadata, TensorInfo};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::ops::Range;
use std::path::Path;

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
    if file.starts_with("https://") || file.starts_with("http://") {
        listing.add_remote(file, patterns)?;
    } else {
        let set = Set::open(Path::new(file))?;
        for part in set.parts() {
            listing.size_bytes += part.size_bytes() as u64;
            let range = |info: &TensorInfo| {
                let range = part.byte_range(info);
                range.start as u64..range.end as u64
            };
            let name = (set.parts().len() > 1).then(|| shown(part));
            listing.add(part.header(), range, name.as_deref(), patterns);
        }
    }
    listing.tensors.sort_by(|a, b| a.name.cmp(&b.name));
    output.print(&listing, table)
}

impl Listing {
    #[cfg(feature = "remote")]
    fn add_remote(&mut self, url: &str, patterns: &[String]) -> Result<(), Failure> {
        let file = nexus_remote::RemoteFile::open(url)?;
        self.size_bytes = file.size_bytes();
        self.add(file.header(), |info| file.byte_range(info), None, patterns);
        Ok(())
    }

    #[cfg(not(feature = "remote"))]
    #[expect(clippy::unused_self, reason = "the signature of its twin")]
    fn add_remote(&mut self, url: &str, _patterns: &[String]) -> Result<(), Failure> {
        Err(Failure::new(
            format!("cannot open `{url}`: this program was built without the feature `remote`"),
            "cargo install nexus-cli builds it with the feature; or download the file",
        ))
    }

    fn add(
        &mut self,
        header: &Metadata,
        range: impl Fn(&TensorInfo) -> Range<u64>,
        file: Option<&str>,
        patterns: &[String],
    ) {
        self.metadata
            .extend(header.metadata().clone().unwrap_or_default());
        for (name, info) in header.iter() {
            let wanted =
                patterns.is_empty() || patterns.iter().any(|pattern| glob::matches(pattern, name));
            if !wanted {
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
        let _ = writeln!(text, "{key}: {value}");
    }
    for (dtype, total) in &listing.types {
        let Total {
            tensors,
            elements,
            size_bytes,
        } = total;
        let size = human_size(*size_bytes);
        let _ = writeln!(
            text,
            "{dtype}: {tensors} tensors, {elements} elements, {size}"
        );
    }
    let (count, size) = (listing.tensors.len(), human_size(listing.size_bytes));
    let _ = write!(text, "{count} tensors, {size}");
    text
}
