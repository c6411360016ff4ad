//! Which of the rows that were put aside go.

use super::gather::failed;
use super::parts::{self, PartReader};
use crate::batch::{columns, strings};
use crate::duplicates::Keep;
use crate::{Error, audit};
use arrow_array::RecordBatch;
use nexus_dedup::{DocumentId, Removals};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

/// The rows that go: a bit for each row, and more only where somebody wants to know.
pub(crate) struct Removed {
    folder: PathBuf,
    /// Rows of each part.
    rows: Vec<u32>,
    bits: Vec<Vec<u64>>,
    counts: Vec<(&'static str, u64)>,
    /// Where the first of several equal documents goes: the one that stays in its place.
    instead: HashMap<DocumentId, DocumentId>,
    details: Option<HashMap<DocumentId, Detail>>,
    names: HashMap<DocumentId, String>,
}

struct Detail {
    step: &'static str,
    duplicate_of: DocumentId,
    similarity: Option<f64>,
}

impl Removed {
    pub(super) fn new(folder: &Path, rows: &[u32], is_audited: bool) -> Self {
        let bits = rows
            .iter()
            .map(|&rows| vec![0; (rows as usize).div_ceil(64)]);
        Self {
            folder: folder.to_owned(),
            bits: bits.collect(),
            rows: rows.to_vec(),
            counts: Vec::new(),
            instead: HashMap::new(),
            details: is_audited.then(HashMap::new),
            names: HashMap::new(),
        }
    }

    /// Takes what a step has found.
    pub(super) fn add(
        &mut self,
        step: &'static str,
        found: &Removals,
        keep: Keep,
    ) -> Result<(), Error> {
        self.counts.push((step, 0));
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
    pub(super) fn name_originals(&mut self) -> Result<(), Error> {
        if let Some(details) = &self.details {
            let originals = details.values().map(|detail| detail.duplicate_of);
            self.names = self.read_names(&originals.collect())?;
        }
        Ok(())
    }

    /// Rows that each step has removed.
    pub(crate) fn counts(&self) -> &[(&'static str, u64)] {
        &self.counts
    }

    /// The rows that go, in order: by which step, and for an audit for which other one and how like it
    /// they are.
    pub(crate) fn found(
        &self,
    ) -> impl Iterator<Item = (DocumentId, &'static str, Option<&str>, Option<f64>)> {
        let mut details: Vec<_> = self.details.iter().flatten().collect();
        details.sort_by_key(|(document, _)| **document);
        details.into_iter().map(|(&document, detail)| {
            let original = self.names.get(&detail.duplicate_of).map(String::as_str);
            (document, detail.step, original, detail.similarity)
        })
    }

    /// Rows in each part.
    pub(crate) fn parts(&self) -> &[u32] {
        &self.rows
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
        let bits = &self.bits[part as usize];
        let rows = 0..batch.num_rows();
        rows.map(|at| {
            let row = first + at as u32;
            let goes = bits[row as usize / 64] >> (row % 64) & 1 == 1;
            let document = DocumentId { shard: part, row };
            let details = self.details.as_ref().filter(|_| goes);
            if let Some(detail) = details.and_then(|details| details.get(&document)) {
                let original = self.names.get(&detail.duplicate_of).map(String::as_str);
                audit.duplicate(at, detail.step, original, detail.similarity);
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
        self.bits[shard as usize][row as usize / 64] >> (row % 64) & 1 == 1
    }

    fn remove(&mut self, document: DocumentId, duplicate_of: DocumentId, similarity: Option<f64>) {
        let DocumentId { shard, row } = document;
        let word = &mut self.bits[shard as usize][row as usize / 64];
        let bit = 1 << (row % 64);
        let (step, count) = self.counts.last_mut().expect("a step removes");
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
        for part in (0..self.rows.len() as u32).filter(|part| shards.contains(part)) {
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
            if first != self.rows[part as usize] {
                return Err(reader.changed());
            }
        }
        Ok(names)
    }
}
