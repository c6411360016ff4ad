//! Which of the candidates go.

use super::{Pieces, corrupt, facts};
use crate::batch::assemble;
use crate::stages::{Decision, Gather, Gathered, decode, encode_behind};
use crate::{Error, NearCopies};
use arrow_array::builder::StringBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, UInt32Type, UInt64Type};
use arrow_array::{Array, ArrayRef, Float64Array, RecordBatch, UInt32Array, UInt64Array};
use arrow_schema::{DataType, Field, Schema};
use std::path::Path;
use std::sync::Arc;

/// Decides among the candidates of one phase, as a run of one process decides among all documents:
/// who is no candidate shares no key with anybody and stays in either.
///
/// Holds 16 bytes for each candidate, and 4 for union-find; band keys and sets of shingles are in its
/// folder, within the memory of the run.
pub struct Decider {
    gather: Gather,
    /// Place and row of each candidate, in order.
    documents: Vec<(u64, u32)>,
}

impl Decider {
    /// Begins the decision after phase `number`. `folder` is made, or empty.
    ///
    /// # Errors
    /// [`Io`](crate::ErrorKind::Io); [`InvalidInput`](crate::ErrorKind::InvalidInput) for the last phase,
    /// after which nothing is decided.
    pub fn new(pieces: &Pieces, number: usize, folder: &Path) -> Result<Self, Error> {
        let barrier = pieces
            .phases
            .get(number)
            .and_then(|phase| phase.barrier.as_ref());
        let barrier = barrier
            .ok_or_else(|| Error::invalid(format!("nothing is decided after phase {number}")))?;
        std::fs::create_dir_all(folder).map_err(|error| Error::io("create", folder, error))?;
        let decision = Decision {
            // A band key says the same as the values that it was made of.
            near: barrier
                .decision
                .near
                .clone()
                .map(|near| NearCopies { rows: 1, ..near }),
            ..barrier.decision.clone()
        };
        Ok(Self {
            gather: Gather::create(folder, decision, pieces.memory_size, 1)?,
            documents: Vec::new(),
        })
    }

    /// Takes the details of a piece. Pieces come in order.
    ///
    /// # Errors
    /// [`Corrupt`](crate::ErrorKind::Corrupt) for bytes that are no details, or out of order.
    pub fn add(&mut self, place: u64, details: Option<&[u8]>) -> Result<(), Error> {
        let Some(details) = details else {
            return Ok(());
        };
        if self
            .documents
            .last()
            .is_some_and(|&(last, _)| last >= place)
        {
            return Err(corrupt("candidates are out of order"));
        }
        let (rows, known, ids) = facts::known(details)?;
        self.documents
            .extend(rows.into_iter().map(|row| (place, row)));
        let (hashes, signatures): (Vec<_>, Vec<_>) = known.into_iter().unzip();
        let hashes = hashes.into_iter().flatten().collect();
        self.gather.write(Gathered::new(&ids, hashes, signatures)?)
    }

    /// Decides, and gives what goes as bytes for [`Removals::decode`].
    ///
    /// # Errors
    /// [`LimitReached`](crate::ErrorKind::LimitReached) where the tables do not fit into the memory;
    /// [`Io`](crate::ErrorKind::Io).
    pub fn finish(mut self) -> Result<Vec<u8>, Error> {
        self.gather.finish()?;
        let removed = self.gather.decide_all(true)?;
        let mut bases = vec![0];
        for part in removed.parts() {
            bases.push(bases[bases.len() - 1] + part.rows as usize);
        }
        let (mut places, mut rows, mut similarities) = (Vec::new(), Vec::new(), Vec::new());
        let (mut steps, mut originals) = (StringBuilder::new(), StringBuilder::new());
        for (document, step, original, similarity) in removed.found() {
            let at = bases[document.shard as usize] + document.row as usize;
            let (place, row) = self.documents[at];
            places.push(place);
            rows.push(row);
            steps.append_value(step);
            originals.append_option(original);
            similarities.push(similarity);
        }
        let columns: [(_, ArrayRef); 5] = [
            (PLACE, Arc::new(UInt64Array::from(places))),
            (ROW, Arc::new(UInt32Array::from(rows))),
            (STEP, Arc::new(steps.finish())),
            (ORIGINAL, Arc::new(originals.finish())),
            (SIMILARITY, Arc::new(Float64Array::from(similarities))),
        ];
        let (fields, arrays): (Vec<_>, Vec<_>) = columns
            .into_iter()
            .map(|(name, array)| (Field::new(name, array.data_type().clone(), true), array))
            .unzip();
        encode_behind(0, &assemble(Arc::new(Schema::new(fields)), arrays)?)
    }
}

const PLACE: &str = "place";
const ROW: &str = "row";
const STEP: &str = "step";
const ORIGINAL: &str = "duplicate_of";
const SIMILARITY: &str = "similarity";

/// What goes, in order. Held in memory: some 30 bytes for each, and the id of what stays in its place.
#[derive(Clone, Debug)]
pub struct Removals(RecordBatch);

/// A row of a piece that goes.
pub(super) struct Removal<'a> {
    pub(super) row: u32,
    pub(super) step: &'a str,
    pub(super) duplicate_of: Option<&'a str>,
    pub(super) similarity: Option<f64>,
}

impl Removals {
    /// What [`Decider::finish`] gave.
    ///
    /// # Errors
    /// [`Corrupt`](crate::ErrorKind::Corrupt) for bytes that are no removals.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let batch = decode(bytes.to_vec())?;
        let types = [
            (PLACE, DataType::UInt64),
            (ROW, DataType::UInt32),
            (STEP, DataType::Utf8),
            (ORIGINAL, DataType::Utf8),
            (SIMILARITY, DataType::Float64),
        ];
        let schema = batch.schema();
        let found = schema
            .fields()
            .iter()
            .map(|field| (field.name().as_str(), field.data_type()));
        if !found.eq(types.iter().map(|(name, kind)| (*name, kind))) {
            return Err(corrupt("these are no removals"));
        }
        Ok(Self(batch))
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.num_rows()
    }

    /// Those of a piece.
    pub(super) fn of(&self, place: u64) -> impl Iterator<Item = Removal<'_>> {
        let column = |at: usize| self.0.column(at);
        let places = column(0).as_primitive::<UInt64Type>().values();
        let start = places.partition_point(|&other| other < place);
        let end = places.partition_point(|&other| other <= place);
        let rows = column(1).as_primitive::<UInt32Type>();
        let (steps, originals) = (column(2).as_string::<i32>(), column(3).as_string::<i32>());
        let similarities = column(4).as_primitive::<Float64Type>();
        (start..end).map(move |at| Removal {
            row: rows.value(at),
            step: steps.value(at),
            duplicate_of: originals.is_valid(at).then(|| originals.value(at)),
            similarity: similarities.is_valid(at).then(|| similarities.value(at)),
        })
    }
}
