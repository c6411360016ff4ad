//! The kept documents of earlier dumps: a folder of parts and a manifest, which is written last.

use crate::error::{Error, ErrorKind};
use crate::exact::hashes;
use crate::file::{read_sealed, write_sealed};
use crate::limits;
use crate::minhash::Params;
use crate::part::Part;
use crate::record::Content;
use crate::removals::Removals;
use crate::spill::{Record, SpillReader};
use std::fmt::Write;
use std::path::{Path, PathBuf};

const KIND: [u8; 8] = *b"index001";
const EXACT_KIND: [u8; 8] = *b"exactidx";

/// The file that names the others of an index, with their checksums.
pub const MANIFEST: &str = "index.manifest";

/// Band keys and shingle sets of documents that stayed, to [mount](crate::Clusterer::mount) when a
/// new dump is deduplicated.
///
/// The manifest is text under a seal: the parameters, then a line `part SHARD CHECKSUM` each.
#[derive(Clone, Debug)]
pub struct Index {
    folder: PathBuf,
    params: Params,
    /// Shard and checksum of each part, by shard.
    parts: Vec<(u32, u64)>,
}

impl Index {
    /// Opens an index and checks that all its files are there, belong together and, but for the
    /// band keys and sets, have their checksums. Those are checked where they are read.
    ///
    /// # Errors
    /// `NotFound`, `Unsupported` for other parameters or another version, `Corrupt`, `Io`.
    pub fn open(folder: &Path, params: &Params) -> Result<Self, Error> {
        let path = folder.join(MANIFEST);
        let text = read_sealed(&path, KIND, limits::MANIFEST_SIZE_MAX)?;
        let (line, parts) = parse(&text).map_err(|what| Error::corrupt(&path, what))?;
        if line != params.to_string() {
            let folder = folder.display();
            let message = format!("cannot open the index `{folder}`: it has {line}, not {params}");
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
        let index = Self {
            folder: folder.to_owned(),
            params: *params,
            parts,
        };
        index.parts()?;
        Ok(index)
    }

    /// Checks the text of a manifest, without its seal.
    ///
    /// # Errors
    /// `Corrupt`, with the line that is wrong.
    pub fn check_manifest(text: &[u8]) -> Result<(), Error> {
        parse(text).map(drop).map_err(|what| {
            Error::new(
                ErrorKind::Corrupt,
                format!("cannot read a manifest: {what}"),
            )
        })
    }

    /// The parameters of its signatures.
    pub fn params(&self) -> &Params {
        &self.params
    }

    /// The numbers of its shards, in order.
    pub fn shards(&self) -> impl Iterator<Item = u32> + '_ {
        self.parts.iter().map(|&(shard, _)| shard)
    }

    /// Writes an index that holds what the given ones hold. Duplicates between them stay.
    ///
    /// # Errors
    /// `InvalidInput` where two have a shard of the same number or `folder` holds an index,
    /// `Unsupported` where their parameters differ, `Corrupt`, `Io`.
    pub fn merge(indexes: &[Self], folder: &Path) -> Result<Self, Error> {
        let Some(first) = indexes.first() else {
            return Err(Error::invalid("cannot merge no indexes"));
        };
        let mut parts = Vec::new();
        for index in indexes {
            if index.params != first.params {
                let message = format!(
                    "cannot merge `{}` with `{}`: it has {}, not {}",
                    index.folder.display(),
                    first.folder.display(),
                    index.params,
                    first.params
                );
                return Err(Error::new(ErrorKind::Unsupported, message));
            }
            parts.extend(index.parts()?);
        }
        parts.sort_by_key(|part| part.shard);
        if let Some(twice) = parts.windows(2).find(|pair| pair[0].shard == pair[1].shard) {
            let shard = twice[0].shard;
            return Err(Error::invalid(format!(
                "cannot merge indexes: shard {shard} is in two of them"
            )));
        }
        create(folder)?;
        parts.iter().try_for_each(|part| part.copy(folder))?;
        Self::seal(folder, &first.params, &parts)
    }

    /// Writes what stays of `parts`.
    pub(crate) fn write(
        folder: &Path,
        params: &Params,
        parts: &[Part],
        removals: &Removals,
    ) -> Result<Self, Error> {
        create(folder)?;
        for part in parts {
            let removed = removed(removals, part.shard, part.rows)?;
            let keep = |row: u64| removed[row as usize / 64] >> (row % 64) & 1 == 0;
            part.filtered(folder, params, keep)?;
        }
        Self::seal(folder, params, parts)
    }

    /// Writes the manifest for the parts of these shards in `folder`.
    fn seal(folder: &Path, params: &Params, parts: &[Part]) -> Result<Self, Error> {
        let mut text = format!("{params}\n");
        for part in parts {
            let sum = Part::open(folder, part.shard, params)?.sum;
            writeln!(text, "part {} {sum:016x}", part.shard).expect("writing to a string");
        }
        write_sealed(&folder.join(MANIFEST), KIND, text.as_bytes())?;
        Self::open(folder, params)
    }

    pub(crate) fn parts(&self) -> Result<Vec<Part>, Error> {
        let open = |&(shard, sum): &(u32, u64)| {
            let part = Part::open(&self.folder, shard, &self.params)?;
            if part.sum == sum {
                return Ok(part);
            }
            let path = self.folder.join(MANIFEST);
            let what = format!("shard {shard} is not the part with the checksum {sum:016x}");
            Err(Error::corrupt(&path, what))
        };
        self.parts.iter().map(open).collect()
    }
}

/// One bit for each row of a shard: whether it goes.
fn removed(removals: &Removals, shard: u32, rows: u64) -> Result<Vec<u64>, Error> {
    let mut removed = vec![0u64; rows.div_ceil(64) as usize];
    removals.for_each(|removal| {
        if removal.document.shard == shard {
            let row = removal.document.row as usize;
            let word = removed.get_mut(row / 64).ok_or_else(|| {
                let what = format!("it names row {}, which is not there", removal.document);
                Error::corrupt(removals.path(), what)
            })?;
            *word |= 1 << (row % 64);
        }
        Ok::<_, Error>(())
    })?;
    Ok(removed)
}

/// The hashes of documents of earlier dumps, to [mount](crate::ExactDedup::mount) when a new dump is
/// deduplicated. A folder as that of an [`Index`].
#[derive(Clone, Debug)]
pub struct ExactIndex {
    folder: PathBuf,
    /// Shard and checksum of each part, by shard.
    parts: Vec<(u32, u64)>,
}

impl ExactIndex {
    /// Opens an index and checks that all its files are there and belong together. `params` says, in a
    /// line, what was hashed.
    ///
    /// # Errors
    /// `NotFound`, `Unsupported` for an index that was written with other `params`, `Corrupt`, `Io`.
    pub fn open(folder: &Path, params: &str) -> Result<Self, Error> {
        let path = folder.join(MANIFEST);
        let text = read_sealed(&path, EXACT_KIND, limits::MANIFEST_SIZE_MAX)?;
        let (line, parts) = parse(&text).map_err(|what| Error::corrupt(&path, what))?;
        if line != params {
            let folder = folder.display();
            let message = format!("cannot open the index `{folder}`: it has {line}, not {params}");
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
        let folder = folder.to_owned();
        let index = Self { folder, parts };
        index.files()?;
        Ok(index)
    }

    /// Writes what stays of the files of hashes in `source`, by shard.
    pub(crate) fn write(
        source: &Path,
        shards: &[u32],
        removals: &Removals,
        folder: &Path,
        params: &str,
    ) -> Result<Self, Error> {
        create(folder)?;
        let mut text = format!("{params}\n");
        for &shard in shards {
            let file = SpillReader::open(&hashes(source, shard), Content::SIZE)?;
            let removed = removed(removals, shard, file.rows())?;
            let keep = |record: Content| {
                let row = record.document as usize;
                removed[row / 64] >> (row % 64) & 1 == 0
            };
            let sum = file.filtered(&hashes(folder, shard), keep)?;
            writeln!(text, "part {shard} {sum:016x}").expect("writing to a string");
        }
        write_sealed(&folder.join(MANIFEST), EXACT_KIND, text.as_bytes())?;
        Self::open(folder, params)
    }

    /// The files of hashes, by shard.
    pub(crate) fn files(&self) -> Result<Vec<SpillReader>, Error> {
        let open = |&(shard, sum): &(u32, u64)| {
            let path = hashes(&self.folder, shard);
            let file = SpillReader::open(&path, Content::SIZE)?;
            if file.sum() == sum {
                return Ok(file);
            }
            let what = "it is not the one that the manifest names";
            Err(Error::corrupt(&path, what))
        };
        self.parts.iter().map(open).collect()
    }
}

fn create(folder: &Path) -> Result<(), Error> {
    if folder.join(MANIFEST).exists() {
        let folder = folder.display();
        return Err(
            Error::invalid(format!("cannot write an index to `{folder}`: it holds one"))
                .with_hint("give a new folder"),
        );
    }
    std::fs::create_dir_all(folder).map_err(|error| Error::io("create", folder, error))
}

/// The parameters' line and the parts of a manifest.
pub(crate) fn parse(text: &[u8]) -> Result<(String, Vec<(u32, u64)>), String> {
    let text = std::str::from_utf8(text).map_err(|error| error.to_string())?;
    let mut lines = text.lines().zip(1..);
    let (params, _) = lines.next().ok_or("it has no line")?;
    let mut parts: Vec<(u32, u64)> = Vec::new();
    for (line, number) in lines {
        let part = line.strip_prefix("part ").and_then(|rest| {
            let (shard, sum) = rest.split_once(' ')?;
            Some((shard.parse().ok()?, u64::from_str_radix(sum, 16).ok()?))
        });
        let part = part.ok_or_else(|| format!("line {number} is not a part: `{line}`"))?;
        if parts.last().is_some_and(|&(before, _)| before >= part.0) {
            return Err(format!("line {number} is not in order of the shards"));
        }
        parts.push(part);
    }
    Ok((params.to_owned(), parts))
}
