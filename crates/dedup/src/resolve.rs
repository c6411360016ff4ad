//! Decides within one component of candidates which documents stay.

use crate::error::Error;
use crate::limits;
use crate::part::Part;
use crate::record::Member;
use crate::removals::Ordinals;
use crate::set::ShingleSet;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasherDefault, Hasher};
use std::rc::Rc;

/// What a thread needs to decide components.
pub(crate) struct Resolver<'a> {
    parts: &'a [Part],
    ordinals: &'a Ordinals,
    /// Documents below this ordinal come from indexes and stay.
    fixed: u64,
    threshold: f64,
    has_ranks: bool,
    sets: HashMap<u64, Rc<ShingleSet>, Plain>,
    sets_size: usize,
    sets_size_max: usize,
    /// For each band key the places in `kept` of documents that have it.
    holders: HashMap<u64, Vec<u32>, Plain>,
    kept: Vec<u64>,
}

impl<'a> Resolver<'a> {
    pub(crate) fn new(
        parts: &'a [Part],
        ordinals: &'a Ordinals,
        fixed: u64,
        threshold: f64,
        memory_size: usize,
    ) -> Self {
        Self {
            parts,
            ordinals,
            fixed,
            threshold,
            has_ranks: parts.iter().any(|part| part.has_ranks),
            sets: HashMap::default(),
            sets_size: 0,
            sets_size_max: memory_size,
            holders: HashMap::default(),
            kept: Vec::new(),
        }
    }

    /// Takes the members of one component, sorted by document, and appends (document, duplicate of,
    /// similarity) for those that go.
    pub(crate) fn component(
        &mut self,
        members: &[Member],
        out: &mut Vec<(u64, u64, f64)>,
    ) -> Result<(), Error> {
        self.holders.clear();
        self.kept.clear();
        self.forget();
        let mut documents: Vec<&[Member]> =
            members.chunk_by(|a, b| a.document == b.document).collect();
        if self.has_ranks {
            let mut ranked = Vec::with_capacity(documents.len());
            for document in documents {
                ranked.push((self.rank(document[0].document)?, document));
            }
            ranked.sort_by_key(|&(rank, document)| (rank, document[0].document));
            documents = ranked.into_iter().map(|(_, document)| document).collect();
        }
        for keys in documents {
            let document = keys[0].document;
            match self.original(keys)? {
                Some((original, jaccard)) => out.push((document, original, jaccard)),
                None => self.keep(keys),
            }
        }
        Ok(())
    }

    /// Documents of indexes come first; they have been decided.
    fn rank(&self, document: u64) -> Result<(bool, u64), Error> {
        if document < self.fixed {
            return Ok((false, 0));
        }
        let (part, row) = self.ordinals.locate(document);
        Ok((true, self.parts[part].rank(row)?))
    }

    /// The first kept document that shares a band key and is similar enough.
    fn original(&mut self, keys: &[Member]) -> Result<Option<(u64, f64)>, Error> {
        let document = keys[0].document;
        if document < self.fixed {
            return Ok(None);
        }
        let held = keys
            .iter()
            .filter_map(|member| self.holders.get(&member.band_key));
        let mut candidates: Vec<u32> = held.flatten().copied().collect();
        candidates.sort_unstable();
        candidates.dedup();
        if candidates.is_empty() {
            return Ok(None);
        }
        let set = self.set(document)?;
        for candidate in candidates {
            let original = self.kept[candidate as usize];
            let other = self.set(original)?;
            if let Some(jaccard) = set.jaccard_at_least(&other, self.threshold) {
                return Ok(Some((original, jaccard)));
            }
        }
        Ok(None)
    }

    fn keep(&mut self, keys: &[Member]) {
        let place = self.kept.len() as u32;
        self.kept.push(keys[0].document);
        for member in keys {
            let holders = self.holders.entry(member.band_key).or_default();
            if holders.len() < limits::REPRESENTATIVES_MAX {
                holders.push(place);
            }
        }
    }

    fn set(&mut self, document: u64) -> Result<Rc<ShingleSet>, Error> {
        if self.sets_size > self.sets_size_max {
            self.forget();
        }
        match self.sets.entry(document) {
            Entry::Occupied(entry) => Ok(Rc::clone(entry.get())),
            Entry::Vacant(entry) => {
                let (part, row) = self.ordinals.locate(document);
                let set = Rc::new(self.parts[part].set(row)?);
                self.sets_size += set.size();
                Ok(Rc::clone(entry.insert(set)))
            }
        }
    }

    fn forget(&mut self) {
        self.sets.clear();
        self.sets_size = 0;
    }
}

/// Band keys are hashes and ordinals are spread by a multiplication.
type Plain = BuildHasherDefault<PlainHasher>;

#[derive(Default)]
struct PlainHasher(u64);

impl Hasher for PlainHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("keys are u64");
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(32);
    }
}
