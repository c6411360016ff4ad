//! Near duplicates on disk: band keys to candidates, candidates to components, components to removals.

use crate::error::{Error, ErrorKind};
use crate::file::{SealedReader, SealedWriter, read_sealed, write_sealed};
use crate::index::Index;
use crate::limits;
use crate::minhash::Params;
use crate::part::{self, Part, Shard};
use crate::record::{BandKey, Member, spread};
use crate::removals::{Ordinals, Removals, RemovalsSpill, RemovalsWriter};
use crate::resolve::Resolver;
use crate::spill::{Hot, Record, Sources, SpillReader, SpillWriter, partitions};
use crate::union::UnionFind;
use crate::workers;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::xxh3_64;

const MANIFEST_KIND: [u8; 8] = *b"cluster1";
const GROUPS_KIND: [u8; 8] = *b"groups02";

/// Band keys that are worth a file of their own.
const KEYS_PER_GROUP: u64 = 1 << 20;

/// How near duplicates are found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// How signatures are made.
    pub params: Params,
    /// A document goes only if its true Jaccard similarity to a document that stays is at least
    /// this. None: all but the first of each component of candidates go, unseen.
    pub threshold: Option<f64>,
    /// Memory for buffers and tables, in bytes. Code and stacks come on top, some 10 MiB.
    pub memory_size: u64,
    /// Threads, and shards that are written at once. The result does not depend on it.
    pub threads: usize,
}

impl Default for Options {
    /// Verified at 0.8, 256 MiB, one thread.
    fn default() -> Self {
        Self {
            params: Params::default(),
            threshold: Some(0.8),
            memory_size: 256 << 20,
            threads: 1,
        }
    }
}

/// A deduplication in a folder. All state is in files that appear whole, so a run that was killed
/// goes on where it was: open the folder again, add the shards that are not done, finish.
///
/// What is promised, with a threshold `t`: every removed document has a similarity of at least `t`
/// to the document that stays in its place, and shares a band key with it. Every document that
/// stays has a similarity below `t` to each document that stays, comes before it (by index, rank,
/// shard, row) and shares a band key with it, as far as the first
/// [64](crate::limits::REPRESENTATIVES_MAX) of these for each key. The result depends on the
/// documents, their numbers and ranks alone.
///
/// ```
/// use nexus_dedup::{Clusterer, MinHasher, Options};
/// let folder = tempfile::tempdir().unwrap();
/// let options = Options::default();
/// let clusterer = Clusterer::open(folder.path(), options)?;
/// let mut hasher = MinHasher::new(options.params)?;
/// if let Some(mut shard) = clusterer.shard(0)? {
///     let texts = ["one two three four five six", "One, two, three, four, five, six!"];
///     for (row, text) in (0..).zip(texts) {
///         let (signature, set) = hasher.document(text);
///         shard.add(row, &signature, Some(&set))?;
///     }
///     shard.commit()?;
/// }
/// let removals = clusterer.finish()?.to_vec()?;
/// assert_eq!(removals[0].document.row, 1);
/// assert_eq!(removals[0].jaccard, Some(1.0));
/// # Ok::<(), nexus_dedup::Error>(())
/// ```
pub struct Clusterer {
    folder: PathBuf,
    options: Options,
    indexed: Vec<Part>,
}

impl Clusterer {
    /// Opens a folder, which is made if it is not there.
    ///
    /// # Errors
    /// `InvalidInput` or `LimitReached` for options that make no sense, `Unsupported` for a folder
    /// with other parameters, `Corrupt`, `Io`.
    pub fn open(folder: &Path, options: Options) -> Result<Self, Error> {
        options.params.check()?;
        check_memory(options.memory_size, options.threads)?;
        if let Some(threshold) = options.threshold
            && !(threshold > 0.0 && threshold <= 1.0)
        {
            return Err(Error::invalid(format!(
                "cannot verify near duplicates: the threshold {threshold} is not above 0 and at most 1"
            )));
        }
        let parts = folder.join("parts");
        std::fs::create_dir_all(&parts).map_err(|error| Error::io("create", &parts, error))?;
        let manifest = folder.join("cluster.manifest");
        let text = options.params.to_string();
        if manifest.exists() {
            let is = read_sealed(&manifest, MANIFEST_KIND, limits::MANIFEST_SIZE_MAX)?;
            if is != text.as_bytes() {
                let is = String::from_utf8_lossy(&is);
                let folder = folder.display();
                let message = format!("cannot open `{folder}`: it has {is}, not {text}");
                return Err(Error::new(ErrorKind::Unsupported, message)
                    .with_hint("use another folder, or the parameters it was made with"));
            }
        } else {
            write_sealed(&manifest, MANIFEST_KIND, text.as_bytes())?;
        }
        Ok(Self {
            folder: folder.to_owned(),
            options,
            indexed: Vec::new(),
        })
    }

    /// Puts the documents of an index before those of the shards: they stay, and what is like one
    /// of them goes.
    ///
    /// # Errors
    /// `Unsupported` for an index of other parameters, `Corrupt`, `Io`.
    pub fn mount(&mut self, index: &Index) -> Result<(), Error> {
        let parts = self.parts_of(index)?;
        self.indexed.extend(parts);
        Ok(())
    }

    /// The same, where documents of the index are known by other shards, numbered from `first` on in the
    /// order of their own: so indexes may be mounted whose shards have the same numbers. Gives the number
    /// after the last one.
    ///
    /// # Errors
    /// As [`mount`](Self::mount); `LimitReached` where numbers come to an end.
    pub fn mount_as(&mut self, index: &Index, first: u32) -> Result<u32, Error> {
        let mut label = first;
        for mut part in self.parts_of(index)? {
            part.label = label;
            self.indexed.push(part);
            label = label
                .checked_add(1)
                .ok_or_else(|| Error::limit("cannot number the shards of an index above 2^32"))?;
        }
        Ok(label)
    }

    fn parts_of(&self, index: &Index) -> Result<Vec<Part>, Error> {
        if index.params() != &self.options.params {
            let (is, wanted) = (index.params(), self.options.params);
            let message = format!("cannot use an index of {is} with {wanted}");
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
        index.parts()
    }

    /// Begins a shard, whose number says where its documents stand in the order; none if it is
    /// already done. At most [`threads`](Options::threads) are written at once.
    ///
    /// # Errors
    /// `Io`.
    pub fn shard(&self, shard: u32) -> Result<Option<Shard>, Error> {
        let folder = self.parts_folder();
        if part::is_done(&folder, shard) {
            return Ok(None);
        }
        let memory_size = self.options.memory_size as usize / self.options.threads;
        Shard::create(&folder, shard, self.options.params, memory_size).map(Some)
    }

    /// Removes what was added as one of these shards, so that it can be added anew.
    ///
    /// # Errors
    /// `Io`.
    pub fn discard(&self, shards: RangeInclusive<u32>) -> Result<(), Error> {
        let folder = self.parts_folder();
        for shard in part::list(&folder)? {
            if shards.contains(&shard) {
                part::remove(&folder, shard)?;
            }
        }
        Ok(())
    }

    /// Does node `node`'s part of `nodes` of the grouping, for machines that share the folder. All
    /// shards must be done. [`finish`](Self::finish) does what no node has done.
    ///
    /// # Errors
    /// `InvalidInput` for a node beyond `nodes`, else as [`finish`](Self::finish).
    pub fn group(&self, node: usize, nodes: usize) -> Result<(), Error> {
        if node >= nodes {
            return Err(Error::invalid(format!(
                "cannot group as node {node} of {nodes}: nodes count from 0"
            )));
        }
        let run = Run::new(self)?;
        run.group(
            (0..run.group_count())
                .filter(|group| group % nodes == node)
                .collect(),
        )
    }

    /// Finds what goes. Done once, it is read from its file.
    ///
    /// # Errors
    /// `LimitReached` where the tables of so many documents do not fit into the memory,
    /// `InvalidInput` for a shard number that is also in an index, `Corrupt`, `Io`.
    pub fn finish(&self) -> Result<Removals, Error> {
        let run = Run::new(self)?;
        let name = match self.options.threshold {
            None => format!("removals-{:016x}", run.plan),
            Some(threshold) => format!("removals-{:016x}-{threshold}", run.plan),
        };
        let path = self.folder.join(name);
        if path.exists() {
            return Removals::open(&path);
        }
        run.group((0..run.group_count()).collect())?;
        match self.options.threshold {
            None => run.remove_all(&path)?,
            Some(threshold) => run.verify(threshold, &path)?,
        }
        Removals::open(&path)
    }

    /// Writes the documents that stay, those of mounted indexes not among them, as an index.
    ///
    /// # Errors
    /// As [`finish`](Self::finish); `InvalidInput` where the folder holds another index.
    pub fn write_index(&self, folder: &Path) -> Result<Index, Error> {
        let removals = self.finish()?;
        let run = Run::new(self)?;
        Index::write(
            folder,
            &self.options.params,
            &run.parts[self.indexed.len()..],
            &removals,
        )
    }

    fn parts_folder(&self) -> PathBuf {
        self.folder.join("parts")
    }
}

pub(crate) fn check_memory(memory_size: u64, threads: usize) -> Result<(), Error> {
    if threads == 0 {
        return Err(Error::invalid("cannot deduplicate with 0 threads"));
    }
    if memory_size / (threads as u64) < limits::MEMORY_SIZE_MIN {
        let least = limits::MEMORY_SIZE_MIN;
        return Err(Error::limit(format!(
            "cannot deduplicate in {memory_size} bytes with {threads} threads: each needs {least}"
        )));
    }
    Ok(())
}

/// The shards as they are when the grouping begins.
struct Run<'a> {
    clusterer: &'a Clusterer,
    parts: Vec<Part>,
    ordinals: Ordinals,
    /// Documents below this ordinal come from indexes.
    fixed: u64,
    /// The hash of the checksums of all parts: names the folder of what is made from them.
    plan: u64,
}

impl<'a> Run<'a> {
    fn new(clusterer: &'a Clusterer) -> Result<Self, Error> {
        let folder = clusterer.parts_folder();
        let params = &clusterer.options.params;
        let mut parts = Vec::new();
        for part in &clusterer.indexed {
            parts.push(part.reopen(params)?);
        }
        let indexed = parts.len();
        for shard in part::list(&folder)? {
            if clusterer.indexed.iter().any(|part| part.label == shard) {
                return Err(Error::invalid(format!(
                    "cannot deduplicate `{}`: shard {shard} is also in an index",
                    clusterer.folder.display()
                ))
                .with_hint("give the shards of each dump numbers of their own"));
            }
            parts.push(Part::open(&folder, shard, params)?);
        }
        let ordinals = Ordinals::new(parts.iter().map(|part| (part.label, part.rows)));
        if ordinals.total() > limits::DOCUMENTS_MAX {
            let (total, most) = (ordinals.total(), limits::DOCUMENTS_MAX);
            return Err(Error::limit(format!(
                "cannot deduplicate {total} documents at once, the most is {most}"
            )));
        }
        let fixed = parts[..indexed].iter().map(|part| part.rows).sum();
        let mut plan = u64::from(indexed as u32).to_le_bytes().to_vec();
        for part in &parts {
            plan.extend(u64::from(part.label).to_le_bytes());
            plan.extend(part.sum.to_le_bytes());
        }
        Ok(Self {
            clusterer,
            parts,
            ordinals,
            fixed,
            plan: xxh3_64(&plan),
        })
    }

    fn memory_size(&self) -> usize {
        self.clusterer.options.memory_size as usize
    }

    fn threads(&self) -> usize {
        self.clusterer.options.threads
    }

    fn stage(&self) -> PathBuf {
        self.clusterer
            .folder
            .join(format!("groups-{:016x}", self.plan))
    }

    /// In how many files the partitions are grouped: few documents need not be in many.
    fn group_count(&self) -> usize {
        let keys = self.ordinals.total() * self.clusterer.options.params.bands as u64;
        let count = usize::try_from(keys / KEYS_PER_GROUP).unwrap_or(usize::MAX);
        count.clamp(1, partitions()).next_power_of_two()
    }

    fn group_file(&self, group: usize) -> PathBuf {
        self.stage().join(format!("{group:03}.groups"))
    }

    /// Finds in each group of partitions the band keys that several documents have.
    fn group(&self, groups: Vec<usize>) -> Result<(), Error> {
        let todo: Vec<usize> = groups
            .into_iter()
            .filter(|&group| !self.group_file(group).exists())
            .collect();
        if todo.is_empty() {
            return Ok(());
        }
        let stage = self.stage();
        std::fs::create_dir_all(&stage).map_err(|error| Error::io("create", &stage, error))?;
        let mut files = Vec::new();
        for (at, part) in self.parts.iter().enumerate() {
            files.push((part.keys()?, self.ordinals.base(at)));
        }
        let sources = Sources {
            files: &files,
            // The rest is for the bytes of a slice.
            budget: self.memory_size() / self.threads() / 2 / size_of::<BandKey>(),
            hot: Hot::Stream,
        };
        workers::for_each(self.threads(), &todo, |&group| {
            self.group_one(&sources, group)
        })
    }

    fn group_one(&self, sources: &Sources<'_>, group: usize) -> Result<(), Error> {
        let mut out = SealedWriter::create_passing(&self.group_file(group), GROUPS_KIND)?;
        let mut write = |record: BandKey| {
            let mut bytes = [0; 16];
            bytes[..8].copy_from_slice(&record.key.to_le_bytes());
            bytes[8..].copy_from_slice(&record.document.to_le_bytes());
            out.write(&bytes)
        };
        let mut first: Option<BandKey> = None;
        let mut is_written = false;
        let mut take = |records: &[BandKey]| {
            for &record in records {
                match first {
                    Some(before) if before.key == record.key => {
                        if !is_written {
                            write(before)?;
                            is_written = true;
                        }
                        write(record)?;
                    }
                    _ => (first, is_written) = (Some(record), false),
                }
            }
            Ok(())
        };
        let size = partitions() / self.group_count();
        for partition in group * size..(group + 1) * size {
            sources.sorted(partition, &mut take)?;
        }
        out.commit().map(drop)
    }

    /// Gives all shared band keys to `visit`, the documents of one key in a row.
    fn groups(&self, mut visit: impl FnMut(BandKey) -> Result<(), Error>) -> Result<(), Error> {
        for group in 0..self.group_count() {
            let reader = SealedReader::open(&self.group_file(group), GROUPS_KIND)?;
            reader.records(|bytes: [u8; 16]| {
                let [key, document] =
                    [0, 1].map(|at| u64::from_le_bytes(bytes.as_chunks::<8>().0[at]));
                if document < self.ordinals.total() {
                    return visit(BandKey { key, document });
                }
                let what = format!("it names document {document}, which is not there");
                Err(Error::corrupt(&self.group_file(group), what))
            })?;
        }
        Ok(())
    }

    fn components(&self, per_document: usize) -> Result<UnionFind, Error> {
        let total = self.ordinals.total();
        let needed = total * per_document as u64;
        if needed > self.memory_size() as u64 / 4 * 3 {
            let memory_size = self.memory_size();
            return Err(Error::limit(format!(
                "cannot join the candidates of {total} documents: that takes {needed} bytes, more than three quarters of {memory_size}"
            ))
            .with_hint("raise the memory, or deduplicate in several dumps with an index"));
        }
        let mut sets = UnionFind::new(total as u32);
        let mut first: Option<BandKey> = None;
        self.groups(|record| {
            match first {
                Some(first) if first.key == record.key => {
                    sets.union(first.document as u32, record.document as u32);
                }
                _ => first = Some(record),
            }
            Ok(())
        })?;
        Ok(sets)
    }

    /// Removes all but the first of each component.
    fn remove_all(&self, path: &Path) -> Result<(), Error> {
        let has_ranks = self.parts.iter().any(|part| part.has_ranks);
        let mut sets = self.components(if has_ranks { 8 } else { 4 })?;
        let total = self.ordinals.total() as u32;
        let winners = if has_ranks {
            Some(self.winners(&mut sets)?)
        } else {
            None
        };
        let mut out = RemovalsWriter::create(path, &self.ordinals)?;
        for document in self.fixed as u32..total {
            let root = sets.root(document);
            let winner = winners
                .as_ref()
                .map_or(root, |winners| winners[root as usize]);
            if winner != document {
                out.write(document.into(), winner.into(), f64::NAN)?;
            }
        }
        out.commit()
    }

    /// For each root the member that stays.
    fn winners(&self, sets: &mut UnionFind) -> Result<Vec<u32>, Error> {
        let total = self.ordinals.total() as u32;
        let mut winners: Vec<u32> = (0..total).collect();
        for document in 0..total {
            let root = sets.root(document);
            let winner = winners[root as usize];
            // A root stands first among its members, so the winner is never unset.
            if document != root
                && u64::from(winner) >= self.fixed
                && self.rank(document)? < self.rank(winner)?
            {
                winners[root as usize] = document;
            }
        }
        Ok(winners)
    }

    fn rank(&self, document: u32) -> Result<u64, Error> {
        let (part, row) = self.ordinals.locate(document.into());
        self.parts[part].rank(row)
    }

    /// Removes what is similar enough to what stays.
    fn verify(&self, threshold: f64, path: &Path) -> Result<(), Error> {
        let members = self.members()?;
        let files = [(SpillReader::open_last(&members, Member::SIZE)?, 0)];
        let memory_size = self.memory_size() / self.threads();
        let sources = Sources {
            files: &files,
            budget: memory_size / 4 / size_of::<Member>(),
            hot: Hot::Load,
        };
        let total = self.ordinals.total();
        let spill = self.stage().join("removals.spill");
        let spill = RemovalsSpill::create(spill, memory_size / 4, total)?;
        let todo: Vec<usize> = (0..partitions()).collect();
        workers::for_each(self.threads(), &todo, |&partition| {
            let (parts, ordinals) = (&self.parts, &self.ordinals);
            let mut resolver =
                Resolver::new(parts, ordinals, self.fixed, threshold, memory_size / 4);
            sources.sorted(partition, &mut |members: &[Member]| {
                let mut removals = Vec::new();
                for component in members.chunk_by(|a, b| a.root == b.root) {
                    resolver.component(component, &mut removals)?;
                    if removals.len() >= REMOVALS_AT_ONCE {
                        spill.push(&removals)?;
                        removals.clear();
                    }
                }
                spill.push(&removals)
            })
        })?;
        spill
            .finish(path, &self.ordinals, self.memory_size() / 2)
            .map(drop)
    }

    /// Spills the shared band keys by component.
    fn members(&self) -> Result<PathBuf, Error> {
        let mut sets = self.components(4)?;
        let total = self.ordinals.total();
        let left = self.memory_size() - 4 * total as usize;
        let path = self.stage().join("members.spill");
        let mut out = SpillWriter::create_passing(&path, left)?;
        let shift = spread(total);
        self.groups(|BandKey { key, document }| {
            out.push(Member {
                root: u64::from(sets.root(document as u32)) << shift,
                document,
                band_key: key,
            })
        })?;
        out.commit(0)?;
        Ok(path)
    }
}

/// Removals that a thread holds back before it takes the lock of the spill.
const REMOVALS_AT_ONCE: usize = 4096;
