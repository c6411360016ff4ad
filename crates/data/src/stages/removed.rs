//! Which of the rows that were put aside go.

use super::cuts::CutsReader;
use super::gather::failed;
use super::index::{LABEL_FIRST, Stored};
use super::parts::{self, Part, PartReader};
use crate::atomic::AtomicFolder;
use crate::audit::Original;
use crate::batch::{columns, strings};
use crate::duplicates::Keep;
use crate::{Error, audit};
use arrow_array::RecordBatch;
use nexus_dedup::{DocumentId, Removals};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

/// The rows that go: a bit for each row, and more only where somebody wants to know.
pub(crate) struct Removed {
    folder: PathBuf,
    pub(super) parts: Vec<Part>,
    /// By the number of the part.
    pub(super) bits: HashMap<u32, Vec<u64>>,
    pub(super) counts: Vec<(Cow<'static, str>, u64)>,
    /// Where the first of several equal documents goes: the one that stays in its place.
    instead: HashMap<DocumentId, DocumentId>,
    pub(super) details: Option<HashMap<DocumentId, Detail>>,
    pub(super) names: HashMap<DocumentId, String>,
    /// The names of indexes, for people, by the shards of theirs that stand for documents that stay.
    pub(super) indexes: BTreeMap<u32, String>,
    /// Whether there are ranges of rows that go.
    pub(super) has_cuts: bool,
    written: Vec<AtomicFolder>,
}

#[derive(Debug)]
pub(super) struct Detail {
    /// Its place in `counts`.
    pub(super) step: usize,
    pub(super) duplicate_of: DocumentId,
    pub(super) similarity: Option<f64>,
}

impl Removed {
    pub(super) fn new(folder: &Path, parts: Vec<Part>, is_audited: bool) -> Self {
        let bits = parts
            .iter()
            .map(|part| (part.number, vec![0; (part.rows as usize).div_ceil(64)]));
        Self {
            folder: folder.to_owned(),
            bits: bits.collect(),
            parts,
            counts: Vec::new(),
            instead: HashMap::new(),
            details: is_audited.then(HashMap::new),
            names: HashMap::new(),
            indexes: BTreeMap::new(),
            has_cuts: false,
            written: Vec::new(),
        }
    }

    /// What is removed from now on counts as this step's.
    pub(super) fn begin(&mut self, step: &'static str) {
        self.counts.push((step.into(), 0));
    }

    /// Takes what a step has found.
    pub(super) fn add(
        &mut self,
        step: &'static str,
        found: &Removals,
        keep: Keep,
    ) -> Result<(), Error> {
        self.begin(step);
        match keep {
            Keep::First => found
                .for_each(|removal| {
                    let document = self.instead(removal.document);
                    let original = self.instead(removal.duplicate_of);
                    // A copy may have a signature too, and be found like the one that stays for it.
                    if document != original {
                        self.remove(document, original, removal.jaccard);
                    }
                    Ok::<_, nexus_dedup::Error>(())
                })
                .map_err(|error| failed(step, error)),
            Keep::LeastId => self.add_by_id(step, found),
        }
    }

    fn add_by_id(&mut self, step: &'static str, found: &Removals) -> Result<(), Error> {
        let mut groups: BTreeMap<DocumentId, Vec<(DocumentId, Option<f64>)>> = BTreeMap::new();
        found
            .for_each(|removal| {
                let group = groups.entry(removal.duplicate_of).or_default();
                group.push((self.instead(removal.document), removal.jaccard));
                Ok::<_, nexus_dedup::Error>(())
            })
            .map_err(|error| failed(step, error))?;
        for (&first, group) in &mut groups {
            group.push((self.instead(first), None));
            // What an earlier step has removed stays for nobody.
            group.retain(|(document, _)| !self.is_removed(*document));
            group.sort_by_key(|(document, _)| *document);
            group.dedup_by_key(|(document, _)| *document);
        }
        let members = groups.values().flatten().map(|(document, _)| *document);
        let names = self.read_names(&members.collect())?;
        for (first, group) in groups {
            let members = group.iter().map(|(document, _)| *document);
            let Some(least) = members.min_by_key(|document| (names.get(document), *document))
            else {
                continue;
            };
            for (document, similarity) in group {
                if document != least {
                    self.remove(document, least, similarity);
                }
            }
            if least != first {
                self.instead.insert(first, least);
            }
        }
        Ok(())
    }

    /// Looks up the ids of the documents that stay in the place of others, for the audit.
    /// Shards of the indexes are numbered from [`LABEL_FIRST`] on, one index behind the other.
    pub(super) fn name_originals<'a>(
        &mut self,
        indexes: impl Iterator<Item = &'a Stored>,
    ) -> Result<(), Error> {
        if let Some(details) = &self.details {
            let originals = details.values().map(|detail| detail.duplicate_of);
            let originals = originals.collect();
            self.names = self.read_names(&originals)?;
            self.read_index_names(&originals, indexes)?;
        }
        Ok(())
    }

    /// Looks up the ids of documents of earlier dumps.
    fn read_index_names<'a>(
        &mut self,
        wanted: &HashSet<DocumentId>,
        indexes: impl Iterator<Item = &'a Stored>,
    ) -> Result<(), Error> {
        let mut rows: HashMap<u32, HashSet<u32>> = HashMap::new();
        for document in wanted {
            rows.entry(document.shard).or_default().insert(document.row);
        }
        let parts = indexes.flat_map(|index| (0..index.parts()).map(move |part| (index, part)));
        for (label, (index, part)) in (LABEL_FIRST..).zip(parts) {
            if let Some(rows) = rows.get(&label) {
                let names = index.names(part, rows)?;
                let id = |row| DocumentId { shard: label, row };
                self.names
                    .extend(names.into_iter().map(|(row, name)| (id(row), name)));
                self.indexes.insert(label, index.name());
            }
        }
        Ok(())
    }

    /// An index of what stays gets its name when the run is over.
    pub(super) fn write_later(&mut self, index: AtomicFolder) {
        self.written.push(index);
    }

    /// The indexes that are to get their names.
    pub(super) fn take_written(&mut self) -> Vec<AtomicFolder> {
        std::mem::take(&mut self.written)
    }

    /// Ranges of rows go, which lie beside the parts.
    pub(super) fn have_cuts(&mut self) {
        self.has_cuts = true;
    }

    /// The ranges of a part that go; none where the step is not about ranges.
    pub(crate) fn cuts(&self, part: u32) -> Result<Option<CutsReader>, Error> {
        let open = || CutsReader::open(&self.folder, part);
        self.has_cuts.then(open).transpose()
    }

    /// The rows were read for the last time: only the counts are kept.
    pub(super) fn forget(&mut self) {
        (self.bits, self.names) = (HashMap::new(), HashMap::new());
        self.instead = HashMap::new();
        self.details = None;
    }

    /// Rows that each step has removed.
    pub(crate) fn counts(&self) -> &[(Cow<'static, str>, u64)] {
        &self.counts
    }

    /// Rows of some parts that stay.
    pub(crate) fn stays<'a>(&self, parts: impl IntoIterator<Item = &'a Part>) -> u64 {
        let stays = |part: &Part| {
            let words = self.bits.get(&part.number).into_iter().flatten();
            let gone: u64 = words.map(|word| u64::from(word.count_ones())).sum();
            u64::from(part.rows) - gone
        };
        parts.into_iter().map(stays).sum()
    }

    /// The rows that go, in order: by which step, and for an audit for which other one and how like it
    /// they are.
    pub(crate) fn found(
        &self,
    ) -> impl Iterator<Item = (DocumentId, &str, Option<&str>, Option<f64>)> {
        let mut details: Vec<_> = self.details.iter().flatten().collect();
        details.sort_by_key(|(document, _)| **document);
        details.into_iter().map(|(&document, detail)| {
            let original = self.names.get(&detail.duplicate_of).map(String::as_str);
            let (step, _) = &self.counts[detail.step];
            (document, &**step, original, detail.similarity)
        })
    }

    /// All parts.
    pub(crate) fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Where the parts are.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Says for each row of a batch whether it stays. `first` is the row's number in its part.
    pub(crate) fn stay(
        &self,
        part: u32,
        first: u32,
        batch: &RecordBatch,
        audit: &mut audit::Lines<'_>,
    ) -> Vec<bool> {
        let bits = &self.bits[&part];
        let rows = 0..batch.num_rows();
        rows.map(|at| {
            let row = first + at as u32;
            let goes = bits[row as usize / 64] >> (row % 64) & 1 == 1;
            let document = DocumentId { shard: part, row };
            let details = self.details.as_ref().filter(|_| goes);
            if let Some(detail) = details.and_then(|details| details.get(&document)) {
                let DocumentId { shard, .. } = detail.duplicate_of;
                let original = Original {
                    id: self.names.get(&detail.duplicate_of).map(String::as_str),
                    index: self.indexes.get(&shard).cloned(),
                };
                let (step, _) = &self.counts[detail.step];
                audit.duplicate(at, step, &original, detail.similarity);
            }
            !goes
        })
        .collect()
    }

    fn instead(&self, document: DocumentId) -> DocumentId {
        *self.instead.get(&document).unwrap_or(&document)
    }

    fn is_removed(&self, document: DocumentId) -> bool {
        let DocumentId { shard, row } = document;
        self.bits[&shard][row as usize / 64] >> (row % 64) & 1 == 1
    }

    pub(super) fn remove(
        &mut self,
        document: DocumentId,
        duplicate_of: DocumentId,
        similarity: Option<f64>,
    ) {
        let DocumentId { shard, row } = document;
        let bits = self.bits.get_mut(&shard).expect("it is a part of these");
        let word = &mut bits[row as usize / 64];
        let bit = 1 << (row % 64);
        let step = self.counts.len() - 1;
        let (_, count) = &mut self.counts[step];
        if *word & bit == 0 {
            *word |= bit;
            *count += 1;
            if let Some(details) = &mut self.details {
                let detail = Detail {
                    step,
                    duplicate_of,
                    similarity,
                };
                details.insert(document, detail);
            }
        }
    }

    /// The ids of documents. Reads all parts that have one of them.
    fn read_names(
        &self,
        wanted: &HashSet<DocumentId>,
    ) -> Result<HashMap<DocumentId, String>, Error> {
        let mut names = HashMap::with_capacity(wanted.len());
        let shards: HashSet<u32> = wanted.iter().map(|document| document.shard).collect();
        for &Part { number: part, rows } in &self.parts {
            if !shards.contains(&part) {
                continue;
            }
            let mut reader = PartReader::open(&self.folder, part)?;
            let mut first = 0;
            while let Some(frame) = reader.next()? {
                let batch = parts::decode(frame.bytes)?;
                let ids = strings(&batch, columns::ID, "dedup_near")?;
                for (row, id) in (first..).zip(ids) {
                    let document = DocumentId { shard: part, row };
                    if wanted.contains(&document) {
                        names.insert(document, id.unwrap_or_default().to_owned());
                    }
                }
                first += batch.num_rows() as u32;
            }
            if first != rows {
                return Err(reader.changed());
            }
        }
        Ok(names)
    }
}
