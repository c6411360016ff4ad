//! From batches to files: what can run on any thread makes bytes of a batch, what must run in order
//! puts them into shards.

mod arrow;
mod encode;
mod file;
mod jsonl;
mod mds;
mod measure;
mod megatron;
mod pack;
mod parquet;
mod safetensors;
mod schema;
mod tar;

use crate::Error;
use crate::limits::SHARDS_MAX;
use crate::output::{Format, Target};
use crate::source::MANIFEST;
use crate::storage::{NewFolder, Storage};
use arrow_schema::SchemaRef;
use serde::Serialize;
use std::path::PathBuf;
use std::sync::Arc;

pub(crate) use encode::{Encoded, Encoder};
pub(crate) use file::OutFile;
pub(crate) use measure::Measure;

/// Most bytes of rows that a writer holds before they are in the file.
pub(crate) const HELD_SIZE: usize = parquet::ROW_GROUP_SIZE;

/// A file, or a few that belong together, under construction.
trait Shard: Send {
    /// Takes the rows from number `from` on until the shard reaches `limit` bytes, and gives the
    /// number of the first row that it has not taken. Takes at least one.
    fn write(&mut self, rows: &Encoded, from: usize, limit: u64) -> Result<usize, Error>;

    /// Bytes so far, as exactly as is known.
    fn size(&self) -> u64;

    /// Writes what comes last. The files have no names yet; the last one is the one that is opened
    /// by readers.
    fn finish(self: Box<Self>) -> Result<Vec<OutFile>, Error>;
}

/// The output of a run.
pub(crate) struct Writer {
    target: Target,
    storage: Arc<dyn Storage>,
    /// `None` when the output is one file.
    folder: Option<Box<dyn NewFolder>>,
    /// The columns, as soon as they are known.
    schema: Option<SchemaRef>,
    shard: Option<Box<dyn Shard>>,
    shard_rows: u64,
    finished: Vec<Finished>,
    rows: u64,
}

/// A shard that is complete, as the manifest names it.
#[derive(Serialize)]
struct Finished {
    files: Vec<Named>,
    rows: u64,
}

#[derive(Serialize)]
pub(crate) struct Named {
    name: String,
    bytes: u64,
    /// XXH3-128 of the file, as hexadecimal digits.
    xxh3: String,
}

#[derive(Serialize)]
struct Manifest<'a> {
    version: u32,
    format: &'static str,
    rows: u64,
    shards: &'a [Finished],
}

impl Writer {
    /// Nothing is at the output's path yet, but that something can be there is known.
    pub(crate) fn create(
        target: Target,
        storage: &Arc<dyn Storage>,
        schema: Option<&SchemaRef>,
    ) -> Result<Self, Error> {
        let folder = match target.shard_size_bytes {
            Some(_) => Some(storage.create_folder(&target.path, MANIFEST)?),
            None => None,
        };
        let mut writer = Self {
            target,
            storage: storage.clone(),
            folder,
            schema: schema.map(schema::nullable),
            shard: None,
            shard_rows: 0,
            finished: Vec::new(),
            rows: 0,
        };
        if writer.schema.is_some() {
            writer.shard()?;
        } else {
            // The first shard is made when the columns are known; a wrong path is known now.
            writer.file(&writer.name()?)?;
        }
        Ok(writer)
    }

    /// What makes bytes of batches, on any thread.
    pub(crate) fn encoder(&self) -> Encoder {
        Encoder::new(&self.target)
    }

    pub(crate) fn step(&self) -> &'static str {
        self.target.format.step()
    }

    /// Takes the next rows, in order.
    pub(crate) fn write(&mut self, rows: &Encoded) -> Result<(), Error> {
        let nullable = || schema::nullable(rows.schema());
        let schema = self.schema.get_or_insert_with(nullable);
        if self.target.format == Format::Mds {
            schema::check(rows.schema(), schema)?;
        }
        let limit = self.target.shard_size_bytes.unwrap_or(u64::MAX);
        let (mut from, count) = (0, rows.rows());
        while from < count {
            let shard = self.shard()?;
            let next = shard.write(rows, from, limit)?;
            let is_full = shard.size() >= limit;
            self.shard_rows += (next - from) as u64;
            from = next;
            if is_full {
                self.finish_shard()?;
            }
        }
        self.rows += count as u64;
        Ok(())
    }

    /// Gives the files their names, the manifest last.
    pub(crate) fn commit(mut self) -> Result<(), Error> {
        if self.finished.is_empty() {
            // An output without rows is a shard without rows: readers find their columns.
            self.shard()?;
        }
        if self.shard.is_some() {
            self.finish_shard()?;
        }
        if self.folder.is_none() {
            return Ok(());
        }
        let manifest = Manifest {
            version: 1,
            format: self.target.format.name(),
            rows: self.rows,
            shards: &self.finished,
        };
        let mut text = serde_json::to_vec_pretty(&manifest).expect("plain values have a form");
        text.push(b'\n');
        let mut file = self.file(MANIFEST)?;
        file.append(&text)?;
        file.commit()?;
        if let (Format::Mds, Some(schema)) = (self.target.format, &self.schema) {
            mds::write_index(self.file("index.json")?, schema, &self.finished)?;
        }
        self.folder.map_or(Ok(()), NewFolder::commit)
    }

    /// The name of the shard under construction; that of the output when it is one file.
    fn name(&self) -> Result<String, Error> {
        if self.folder.is_none() {
            let name = self.target.path.file_name().unwrap_or_default();
            return Ok(name.to_string_lossy().into_owned());
        }
        let number = self.finished.len();
        if number == SHARDS_MAX {
            return Err(Error::limit(format!(
                "the output has more shards than SHARDS_MAX = {SHARDS_MAX}"
            ))
            .with_hint("ask for larger shards"));
        }
        let ending = self.target.format.ending();
        Ok(format!("part-{number:05}.{ending}"))
    }

    /// A new file of the output.
    fn file(&self, name: &str) -> Result<OutFile, Error> {
        let (path, file) = if let Some(folder) = &self.folder {
            (self.target.path.join(name), folder.create(name)?)
        } else {
            let path = self.beside(name);
            let file = self.storage.create(&path)?;
            (path, file)
        };
        Ok(OutFile::new(path, file))
    }

    /// The path of the output when it is one file, or of one beside it.
    fn beside(&self, name: &str) -> PathBuf {
        let path = &self.target.path;
        match path.file_name() {
            Some(own) if own.to_string_lossy() != name => path.with_file_name(name),
            _ => path.clone(),
        }
    }

    fn shard(&mut self) -> Result<&mut dyn Shard, Error> {
        if self.shard.is_none() {
            self.shard = Some(self.create_shard()?);
        }
        Ok(self.shard.as_deref_mut().expect("made above"))
    }

    fn create_shard(&self) -> Result<Box<dyn Shard>, Error> {
        let name = self.name()?;
        let file = self.file(&name)?;
        let schema = || {
            let unknown = || Error::invalid("there are no rows, and the columns are not known");
            self.schema.clone().ok_or_else(unknown)
        };
        Ok(match self.target.format {
            Format::Jsonl => Box::new(jsonl::Plain::new(file, false)),
            Format::JsonlGz => Box::new(jsonl::Plain::new(file, true)),
            Format::JsonlZst => Box::new(jsonl::Zstd::new(file)?),
            Format::Parquet => Box::new(parquet::Table::new(file, schema()?)?),
            Format::Arrow => Box::new(arrow::Table::file(file, schema()?)?),
            Format::ArrowStream => Box::new(arrow::Table::stream(file, schema()?)?),
            Format::Mds => Box::new(mds::Samples::new(file, &schema()?)?),
            Format::WebDataset => Box::new(tar::Archive::new(file, self.rows_before())),
            Format::Megatron => {
                let index = std::path::Path::new(&name).with_extension("idx");
                let index = self.file(&index.to_string_lossy())?;
                Box::new(megatron::Tokens::new(file, index, self.target.token_type))
            }
            Format::Safetensors => {
                Box::new(safetensors::Tokens::new(file, self.target.token_type)?)
            }
        })
    }

    /// Rows in the shards that are complete.
    fn rows_before(&self) -> u64 {
        self.finished.iter().map(|shard| shard.rows).sum()
    }

    fn finish_shard(&mut self) -> Result<(), Error> {
        let Some(shard) = self.shard.take() else {
            return Ok(());
        };
        let mut files = Vec::new();
        for file in shard.finish()? {
            files.push(file.commit()?);
        }
        let rows = std::mem::take(&mut self.shard_rows);
        self.finished.push(Finished { files, rows });
        Ok(())
    }
}
