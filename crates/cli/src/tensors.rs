//! `nexus tensors`: look into safetensors files.

use crate::failure::Failure;
use crate::output::{Output, human_size};
use clap::Subcommand;
use nexus_safetensors::SafeTensorsFile;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// List the tensors of a file: name, type, shape, bytes.
    Ls {
        /// A safetensors file.
        file: PathBuf,
    },
}

#[derive(Serialize)]
struct Listing {
    file: PathBuf,
    size_bytes: u64,
    metadata: BTreeMap<String, String>,
    tensors: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    name: String,
    dtype: String,
    shape: Vec<usize>,
    /// First byte and the byte after the last, counted from the start of the file.
    bytes: (u64, u64),
}

pub(crate) fn run(command: Command, output: Output) -> Result<(), Failure> {
    let Command::Ls { file } = command;
    let open = SafeTensorsFile::open(&file)?;
    let mut tensors: Vec<Row> = open
        .infos()
        .map(|(name, info)| {
            let range = open.byte_range(info);
            let (dtype, shape) = (info.dtype.to_string(), info.shape.clone());
            Row {
                name: name.to_owned(),
                dtype,
                shape,
                bytes: (range.start as u64, range.end as u64),
            }
        })
        .collect();
    tensors.sort_by(|a, b| a.name.cmp(&b.name));
    let metadata = open
        .metadata()
        .cloned()
        .unwrap_or_default()
        .into_iter()
        .collect();
    let listing = Listing {
        file,
        size_bytes: open.size_bytes() as u64,
        metadata,
        tensors,
    };
    output.print(&listing, table)
}

fn table(listing: &Listing) -> String {
    let width = |column: fn(&Row) -> String| {
        listing
            .tensors
            .iter()
            .map(|row| column(row).chars().count())
            .max()
            .unwrap_or(0)
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
        let _ = writeln!(
            text,
            "{name:<names$}  {dtype:<types$}  {shape:<shapes$}  {size:>9}"
        );
    }
    for (key, value) in &listing.metadata {
        let _ = writeln!(text, "{key}: {value}");
    }
    let _ = write!(
        text,
        "{} tensors, {}",
        listing.tensors.len(),
        human_size(listing.size_bytes)
    );
    text
}
