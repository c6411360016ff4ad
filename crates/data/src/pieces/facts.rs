//! What documents are compared by, and who is to be compared with whom.
//!
//! A document has a record for each band of its signature, and one for its text where equal texts are
//! looked for. Records of equal keys belong together: whoever brings them to one place
//! ([`Records`], to be shuffled by `key`) learns from [`shared`] which documents are candidates.

use super::corrupt;
use crate::batch::{assemble, columns, strings, with_columns};
use crate::settings::Settings;
use crate::stages::{Decision, decode, encode_behind};
use crate::{Error, NearCopies, copies};
use arrow_array::builder::{BinaryBuilder, ListBuilder, UInt64Builder};
use arrow_array::cast::AsArray;
use arrow_array::types::{UInt32Type, UInt64Type};
use arrow_array::{Array, ArrayRef, RecordBatch, UInt32Array, UInt64Array};
use arrow_schema::{DataType, Field, Schema};
use arrow_select::take::take_record_batch;
use nexus_dedup::{MinHasher, ShingleSet, Signature};
use std::collections::HashSet;
use std::sync::Arc;

/// Keeps equal keys of different bands apart: an odd number with bits all over.
const BAND: u64 = 0x9e37_79b9_7f4a_7c15;

/// Hashes of one unit that are remembered, 36 bytes each. A copy that is not recognised gets a signature
/// that it does not need, and is found at the end all the same.
const SEEN_MAX: usize = 1 << 20;

const HIGH: &str = "high";
const LOW: &str = "low";
const KEYS: &str = "keys";
const SET: &str = "set";
const ROW: &str = "row";

/// Hashes of texts that came before in the unit.
#[derive(Debug, Default)]
pub(super) struct Seen(HashSet<u128>);

impl Seen {
    fn is_new(&mut self, hash: u128) -> bool {
        if self.0.len() < SEEN_MAX {
            self.0.insert(hash)
        } else {
            !self.0.contains(&hash)
        }
    }
}

/// Finds out what there is to know of rows for a decision.
pub(super) struct Facts<'a> {
    decision: &'a Decision,
    hasher: Option<MinHasher>,
}

impl<'a> Facts<'a> {
    /// Uses a hasher that is there, for it is made with some effort.
    pub(super) fn new(decision: &'a Decision, hasher: Option<MinHasher>) -> Result<Self, Error> {
        let make = |near: &NearCopies| {
            MinHasher::new(near.params()).map_err(|error| Error::dedup(NearCopies::OP, error))
        };
        let hasher = match (hasher, &decision.near) {
            (None, Some(near)) => Some(make(near)?),
            (hasher, _) => hasher,
        };
        Ok(Self { decision, hasher })
    }

    pub(super) fn into_hasher(self) -> Option<MinHasher> {
        self.hasher
    }

    /// A row for each row of the batch: its id, the halves of the text's hash, its band keys (none for a copy of
    /// what was seen), its set of shingles.
    pub(super) fn of(
        &mut self,
        batch: &RecordBatch,
        mut seen: Option<&mut Seen>,
    ) -> Result<Vec<u8>, Error> {
        let step = self.decision.step().unwrap_or(NearCopies::OP);
        let texts = strings(batch, columns::TEXT, step)?;
        let ids = strings(batch, columns::ID, step)?;
        let mut fields = vec![Field::new(columns::ID, DataType::Utf8, true)];
        let mut arrays = vec![Arc::new(ids.clone()) as ArrayRef];
        let mut is_copy = vec![false; texts.len()];
        if let Some(exact) = &self.decision.exact {
            let hashes = copies::hashes(texts, exact.ignore_space);
            for (name, shift) in [(HIGH, 64), (LOW, 0)] {
                let half = hashes.iter().map(|hash| (hash >> shift) as u64);
                fields.push(Field::new(name, DataType::UInt64, false));
                arrays.push(Arc::new(UInt64Array::from_iter_values(half)));
            }
            if let (Some(_), Some(seen)) = (&self.decision.near, &mut seen) {
                is_copy = hashes.iter().map(|&hash| !seen.is_new(hash)).collect();
            }
        }
        if let (Some(near), Some(hasher)) = (&self.decision.near, &mut self.hasher) {
            let mut keys = ListBuilder::new(UInt64Builder::new());
            let mut sets = BinaryBuilder::new();
            for (text, is_copy) in texts.iter().zip(is_copy) {
                let text = text.unwrap_or_default();
                if is_copy {
                    keys.append_null();
                    sets.append_null();
                    continue;
                }
                let signature = if near.threshold.is_some() {
                    let (signature, set) = hasher.document(text);
                    sets.append_value(set.to_bytes());
                    signature
                } else {
                    sets.append_null();
                    hasher.signature(text)
                };
                keys.append_value(signature.band_keys().map(Some));
            }
            let (keys, sets) = (keys.finish(), sets.finish());
            fields.push(Field::new(KEYS, keys.data_type().clone(), true));
            fields.push(Field::new(SET, DataType::Binary, true));
            arrays.extend([Arc::new(keys) as ArrayRef, Arc::new(sets)]);
        }
        encode_behind(0, &assemble(Arc::new(Schema::new(fields)), arrays)?)
    }
}

/// The records of documents, a column each. `place` and `row` say whose they are.
///
/// A key is what is left of a band, or of a text's hash: two that differ may have one key, and then their
/// documents are candidates for nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Records {
    /// The key to be joined by.
    pub keys: Vec<u64>,
    /// The piece of the document.
    pub places: Vec<u64>,
    /// Its row in the piece.
    pub rows: Vec<u32>,
}

impl Records {
    /// Adds the records of a piece.
    ///
    /// # Errors
    /// [`Corrupt`](crate::ErrorKind::Corrupt) for bytes that are no facts.
    pub fn append(&mut self, place: u64, facts: Option<&[u8]>) -> Result<(), Error> {
        let Some(facts) = facts else {
            return Ok(());
        };
        let batch = decode(facts.to_vec())?;
        if let Some((highs, _)) = hashes(&batch) {
            for (row, &high) in (0..).zip(highs) {
                self.push(high, (place, row));
            }
        }
        if let Some(keys) = batch
            .column_by_name(KEYS)
            .and_then(|keys| keys.as_list_opt::<i32>())
        {
            let values = keys.values().as_primitive_opt::<UInt64Type>();
            let values = values.ok_or_else(|| corrupt("its keys are no numbers"))?;
            for (row, ends) in (0..).zip(keys.value_offsets().windows(2)) {
                let keys = &values.values()[ends[0] as usize..ends[1] as usize];
                for (band, key) in (1..).zip(keys) {
                    self.push(key ^ BAND.wrapping_mul(band), (place, row));
                }
            }
        }
        Ok(())
    }

    fn push(&mut self, key: u64, (place, row): (u64, u32)) {
        self.keys.push(key);
        self.places.push(place);
        self.rows.push(row);
    }
}

fn hashes(batch: &RecordBatch) -> Option<(&[u64], &[u64])> {
    let half = |name| {
        let column = batch.column_by_name(name)?;
        Some(&column.as_primitive_opt::<UInt64Type>()?.values()[..])
    };
    Some((half(HIGH)?, half(LOW)?))
}

/// The documents that share a key with another one. All records of a key must be here; those of several
/// keys may be. They come in any order, and sorting them takes 12 bytes each.
///
/// # Errors
/// [`InvalidInput`](crate::ErrorKind::InvalidInput) for columns of different lengths, or of more than
/// `u32::MAX` records.
pub fn shared(records: &Records) -> Result<Wanted, Error> {
    let Records { keys, places, rows } = records;
    let count = u32::try_from(keys.len()).ok();
    let Some(count) = count.filter(|_| [places.len(), rows.len()] == [keys.len(); 2]) else {
        let message = "cannot join records: the columns have different lengths, or are too long";
        return Err(Error::invalid(message));
    };
    let mut order: Vec<(u64, u32)> = keys.iter().copied().zip(0..count).collect();
    order.sort_unstable();
    let groups = order.chunk_by(|a, b| a.0 == b.0);
    let members = groups.filter(|group| group.len() > 1).flatten();
    let members = members.map(|&(_, at)| (places[at as usize], rows[at as usize]));
    Ok(Wanted(members.collect()))
}

/// Documents of which more must be known: place of the piece, and row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted(Vec<(u64, u32)>);

impl Wanted {
    /// Sorts them, each once. [`details`] needs that.
    pub fn sort(&mut self) {
        self.0.sort_unstable();
        self.0.dedup();
    }

    /// Adds others.
    pub fn extend(&mut self, others: &[(u64, u32)]) {
        self.0.extend(others);
    }

    /// All of them.
    pub fn documents(&self) -> &[(u64, u32)] {
        &self.0
    }

    pub(super) fn rows(&self, place: u64) -> &[(u64, u32)] {
        let start = self.0.partition_point(|document| document.0 < place);
        let count = self.0[start..].partition_point(|document| document.0 == place);
        &self.0[start..start + count]
    }
}

/// What must be known of those rows of a piece that are candidates, with their numbers: none if it has
/// none of them.
///
/// # Errors
/// [`Corrupt`](crate::ErrorKind::Corrupt) for bytes that are no facts.
pub fn details(
    place: u64,
    facts: Option<&[u8]>,
    wanted: &Wanted,
) -> Result<Option<Vec<u8>>, Error> {
    let wanted = wanted.rows(place);
    let Some(facts) = facts.filter(|_| !wanted.is_empty()) else {
        return Ok(None);
    };
    let facts = decode(facts.to_vec())?;
    let rows = UInt32Array::from_iter_values(wanted.iter().map(|document| document.1));
    if rows
        .values()
        .iter()
        .any(|&row| row as usize >= facts.num_rows())
    {
        return Err(corrupt("it has fewer rows than are wanted"));
    }
    let taken = take_record_batch(&facts, &rows)
        .map_err(|error| Error::arrow("take the facts of candidates", error))?;
    let numbered = with_columns(&taken, [(ROW, Arc::new(rows) as ArrayRef)])?;
    encode_behind(0, &numbered).map(Some)
}

/// A candidate's hash, and its band keys and set of shingles unless it is known to be a copy.
pub(super) type Known = (Option<u128>, Option<(Signature, Option<ShingleSet>)>);

/// The rows of details, what is known of each, and a batch of their ids.
pub(super) fn known(details: &[u8]) -> Result<(Vec<u32>, Vec<Known>, RecordBatch), Error> {
    let batch = decode(details.to_vec())?;
    let broken = || corrupt("its details are none");
    let rows = batch.column_by_name(ROW).ok_or_else(broken)?;
    let rows = rows
        .as_primitive_opt::<UInt32Type>()
        .ok_or_else(broken)?
        .values()
        .to_vec();
    let ids = strings(&batch, columns::ID, NearCopies::OP)?.clone();
    let hashes = hashes(&batch);
    let keys = batch
        .column_by_name(KEYS)
        .and_then(AsArray::as_list_opt::<i32>);
    let sets = batch
        .column_by_name(SET)
        .and_then(AsArray::as_binary_opt::<i32>);
    let failed = |error| Error::dedup(NearCopies::OP, error);
    let mut all = Vec::with_capacity(rows.len());
    for at in 0..rows.len() {
        let hash = hashes.map(|(high, low)| u128::from(high[at]) << 64 | u128::from(low[at]));
        let mut signature = None;
        if let (Some(keys), Some(sets)) = (keys, sets)
            && keys.is_valid(at)
        {
            let keys = keys
                .value(at)
                .as_primitive::<UInt64Type>()
                .values()
                .to_vec();
            let set = sets
                .is_valid(at)
                .then(|| ShingleSet::from_bytes(sets.value(at)));
            let made = Signature::from_values(keys, 1).map_err(failed)?;
            signature = Some((made, set.transpose().map_err(failed)?));
        }
        all.push((hash, signature));
    }
    let ids = RecordBatch::try_from_iter([(columns::ID, Arc::new(ids) as ArrayRef)]);
    Ok((
        rows,
        all,
        ids.map_err(|error| Error::arrow("name candidates", error))?,
    ))
}
