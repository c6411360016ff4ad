//! Steps about images that follow each other: each image is decoded once for all of them.

mod copies;
mod tensors;

use super::{Operator, Stop, filter};
use crate::audit::Lines;
use crate::batch::{Row, binaries, columns, with_columns};
use crate::engine::StepMeter;
use crate::images::{ImageCopies, ImageRules, ImageTensors};
use crate::report::{Dropped, StepReport};
use crate::source::call_foreign;
use crate::stages::HASHES;
use crate::turnstile::{Closed, Turn, Turnstile};
use crate::{Error, ErrorKind, Reject};
use arrow_array::{Array, Int64Array, RecordBatch, UInt64Array};
use copies::{Copies, Seen};
use nexus_image::{Decoder, Hasher, Image, Resizer};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tensors::{Pixels, Tensors};

/// Names of the steps.
const NAME: &str = "images";
const DEDUP: &str = "dedup_images";
/// What is done of the latter before all images are known.
const HASH: &str = "hash_images";
const TENSORS: &str = "image_tensors";

/// What is kept for the next image has at most so many bytes.
const KEPT_SIZE_MAX: usize = 64 << 20;

/// `images`, `dedup_images` and `image_tensors`, as many of them as follow each other in this order.
#[derive(Default)]
pub(crate) struct Pictures {
    rules: Option<ImageRules>,
    copies: Option<Copies>,
    tensors: Option<Tensors>,
    /// By the step's name.
    meters: BTreeMap<&'static str, StepMeter>,
    /// By the step's name and the reason.
    dropped: Mutex<BTreeMap<(&'static str, &'static str), u64>>,
    scratch: Mutex<Vec<Scratch>>,
}

/// What one thread needs.
struct Scratch {
    decoder: Decoder,
    image: Image,
    hasher: Hasher,
    resizer: Resizer,
}

/// What is known of the images of a batch.
#[derive(Default)]
struct Found {
    /// Whether the row stays.
    keep: Vec<bool>,
    /// The hashes of the rows that stay; none for a row without an image.
    hashes: Vec<Option<u64>>,
    /// The labels of the rows that stay, where they are asked for.
    labels: Vec<i64>,
    /// Whether the rows that stay have an image.
    has_image: Vec<bool>,
    /// Rows whose image is too long for a tensor.
    too_long: usize,
    times: HashMap<&'static str, Duration>,
}

impl Pictures {
    pub(crate) fn check(&mut self, rules: &ImageRules) -> Result<(), Error> {
        rules.check()?;
        self.rules = Some(rules.clone());
        self.meters.insert(NAME, StepMeter::default());
        Ok(())
    }

    pub(crate) fn dedup(&mut self, settings: ImageCopies) -> Result<(), Error> {
        self.copies = Some(Copies::new(settings)?);
        self.meters.insert(DEDUP, StepMeter::default());
        Ok(())
    }

    /// As [`dedup`](Self::dedup), where it is decided later which images are copies: their hashes go along
    /// in a column.
    pub(crate) fn hash(&mut self, settings: ImageCopies) -> Result<(), Error> {
        self.copies = Some(Copies::late(settings)?);
        self.meters.insert(HASH, StepMeter::default());
        Ok(())
    }

    pub(crate) fn transform(&mut self, settings: &ImageTensors) -> Result<(), Error> {
        self.tensors = Some(Tensors::new(settings)?);
        self.meters.insert(TENSORS, StepMeter::default());
        Ok(())
    }

    /// The first of its steps.
    fn first(&self) -> &'static str {
        match (&self.rules, &self.copies) {
            (Some(_), _) => NAME,
            (None, Some(_)) => DEDUP,
            (None, None) => TENSORS,
        }
    }

    /// What it does first, as it is reported.
    fn first_reported(&self) -> &'static str {
        match (&self.rules, &self.copies) {
            (None, Some(copies)) => copies.step(),
            _ => self.first(),
        }
    }

    /// Decodes, judges, hashes and transforms the images of a batch, one by one.
    fn examine(
        &self,
        batch: &RecordBatch,
        pixels: &mut Pixels,
        turn: &mut Turn,
    ) -> Result<Found, Stop> {
        let images = binaries(batch, columns::IMAGE, self.first())?;
        let mut scratch = self.lock_scratch().pop().unwrap_or_else(|| self.scratch());
        let mut found = Found::default();
        for row in 0..batch.num_rows() {
            let start = Instant::now();
            let image = images.is_valid(row).then(|| images.value(row));
            let label = self.label(batch, row);
            let mut stays = match image {
                _ if label.is_err() => {
                    self.drop_row((batch, row), (NAME, "no_label"), turn);
                    false
                }
                None if self.rules.as_ref().is_some_and(|rules| rules.required) => {
                    self.drop_row((batch, row), (NAME, "no_image"), turn);
                    false
                }
                None => true,
                Some(bytes) => self.decode(bytes, batch, row, &mut scratch, turn)?,
            };
            *found.times.entry(self.first_reported()).or_default() += start.elapsed();
            if stays && !self.use_image(image.is_some(), &mut scratch, &mut found, pixels) {
                self.drop_row((batch, row), (TENSORS, "too_long"), turn);
                found.too_long += 1;
                stays = false;
            }
            if stays {
                found.labels.extend(label.ok().flatten());
            }
            found.keep.push(stays);
        }
        if scratch.image.pixels().len() <= KEPT_SIZE_MAX {
            self.lock_scratch().push(scratch);
        }
        Ok(found)
    }

    /// The label of a row, where one is asked for; an error where it is not there.
    fn label(&self, batch: &RecordBatch, row: usize) -> Result<Option<i64>, ()> {
        let key = self.rules.as_ref().and_then(|rules| rules.label.as_deref());
        let Some(key) = key else {
            return Ok(None);
        };
        let fields = Row::new(batch, row)
            .get(columns::FIELDS)
            .unwrap_or_default();
        let fields: serde_json::Value = serde_json::from_str(fields).map_err(drop)?;
        let label = match &fields[key] {
            serde_json::Value::String(digits) => digits.trim().parse().ok(),
            other => other.as_i64(),
        };
        label.map(Some).ok_or(())
    }

    /// Decodes an image into the scratch, and says whether its row stays.
    fn decode(
        &self,
        bytes: &[u8],
        batch: &RecordBatch,
        row: usize,
        scratch: &mut Scratch,
        turn: &mut Turn,
    ) -> Result<bool, Stop> {
        let Scratch { decoder, image, .. } = &mut *scratch;
        if let Err(reason) = call_foreign(|| decoder.decode(bytes, image)) {
            // Nobody knows what a panic has left there.
            *scratch = self.scratch();
            if self.rules.is_none() {
                let message = format!("{}: {reason}", place(batch, row));
                let error = Error::new(ErrorKind::Corrupt, message);
                return Err(error.with_hint("put the step `images` before").into());
            }
            turn.rejects.push(reject(batch, row, &reason));
            return Ok(false);
        }
        let rules = self.rules.as_ref();
        let reason = rules.and_then(|rules| rules.reason(image.width(), image.height()));
        if let Some(reason) = reason {
            self.drop_row((batch, row), (NAME, reason), turn);
        }
        Ok(reason.is_none())
    }

    /// Transforms and hashes the image in the scratch, where the row has one, and says whether the row
    /// stays: a very long image may become too long.
    fn use_image(
        &self,
        has_image: bool,
        scratch: &mut Scratch,
        found: &mut Found,
        pixels: &mut Pixels,
    ) -> bool {
        let Scratch {
            image,
            hasher,
            resizer,
            ..
        } = scratch;
        if let Some(tensors) = &self.tensors {
            let start = Instant::now();
            let pushed = tensors.push(pixels, has_image.then_some(&*image), resizer);
            *found.times.entry(TENSORS).or_default() += start.elapsed();
            if pushed.is_err() {
                return false;
            }
        }
        if let Some(copies) = &self.copies {
            let start = Instant::now();
            let hash = has_image.then(|| copies.hash(hasher, image));
            found.hashes.push(hash);
            *found.times.entry(copies.step()).or_default() += start.elapsed();
        }
        found.has_image.push(has_image);
        true
    }

    fn drop_row(
        &self,
        (batch, row): (&RecordBatch, usize),
        (step, reason): (&'static str, &'static str),
        turn: &mut Turn,
    ) {
        Lines::of(turn, batch).dropped(row, step, reason);
        let mut dropped = self.dropped.lock().unwrap_or_else(PoisonError::into_inner);
        *dropped.entry((step, reason)).or_default() += 1;
    }

    fn scratch(&self) -> Scratch {
        let limits = self.rules.as_ref().map(ImageRules::limits);
        Scratch {
            decoder: Decoder::new(limits.unwrap_or_default()),
            image: Image::new(),
            hasher: Hasher::new(),
            resizer: Resizer::new(),
        }
    }

    fn seen(&self) -> Option<&Turnstile<Seen>> {
        self.copies.as_ref()?.seen.as_ref()
    }

    fn lock_scratch(&self) -> std::sync::MutexGuard<'_, Vec<Scratch>> {
        self.scratch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn measure(&self, step: &str, rows_in: usize, rows_out: usize, found: &Found) {
        if let Some(meter) = self.meters.get(step) {
            let time = found.times.get(step).copied().unwrap_or_default();
            meter.add(rows_in, rows_out, 0, time);
        }
    }
}

impl Operator for Pictures {
    fn name(&self) -> &'static str {
        self.first()
    }

    fn apply(&self, batch: RecordBatch, turn: &mut Turn) -> Result<RecordBatch, Stop> {
        let no_pixels = || Pixels::U8(Vec::new());
        let mut pixels = self
            .tensors
            .as_ref()
            .map_or_else(no_pixels, Tensors::pixels);
        let mut found = self.examine(&batch, &mut pixels, turn)?;
        let rows = batch.num_rows();
        let mut batch = filter(batch, std::mem::take(&mut found.keep))?;
        self.measure(NAME, rows, batch.num_rows() + found.too_long, &found);
        if self
            .rules
            .as_ref()
            .is_some_and(|rules| rules.label.is_some())
        {
            let labels = Int64Array::from(std::mem::take(&mut found.labels));
            batch = with_columns(&batch, [(columns::LABEL, Arc::new(labels) as _)])?;
        }
        let rows = batch.num_rows();
        let stays = match &self.copies {
            Some(copies) => copies.pass(&batch, &found.hashes, turn)?,
            None => vec![true; rows],
        };
        let count = stays.iter().filter(|stays| **stays).count();
        self.measure(DEDUP, rows, count, &found);
        self.measure(HASH, rows, count, &found);
        self.measure(TENSORS, count + found.too_long, count, &found);
        if self.meters.contains_key(HASH) {
            let hashes = UInt64Array::from(std::mem::take(&mut found.hashes));
            batch = with_columns(&batch, [(HASHES, Arc::new(hashes) as _)])?;
        }
        if let Some(tensors) = &self.tensors {
            batch = tensors.attach(&batch, pixels, found.has_image)?;
        }
        Ok(filter(batch, stays)?)
    }

    fn skip(&self, turn: &mut Turn) -> Result<(), Closed> {
        self.seen().map_or(Ok(()), |seen| seen.skip(turn))
    }

    fn close(&self) {
        if let Some(seen) = self.seen() {
            seen.close();
        }
    }

    fn reports(&self) -> Vec<StepReport> {
        [NAME, DEDUP, HASH, TENSORS]
            .iter()
            .filter_map(|name| Some(self.meters.get(name)?.report(name)))
            .collect()
    }

    fn dropped(&self) -> Vec<Dropped> {
        let dropped = self.dropped.lock().unwrap_or_else(PoisonError::into_inner);
        let dropped = dropped.iter().map(|((step, reason), &count)| Dropped {
            step: (*step).to_owned(),
            reason: (*reason).to_owned(),
            count,
        });
        dropped.collect()
    }
}

/// The name of a row's image, where its record tells one.
fn name(batch: &RecordBatch, row: usize) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Fields {
        image: Option<String>,
    }
    let fields = Row::new(batch, row).get(columns::FIELDS)?;
    serde_json::from_str::<Fields>(fields).ok()?.image
}

fn place(batch: &RecordBatch, row: usize) -> String {
    let id = Row::new(batch, row).get(columns::ID).unwrap_or_default();
    format!("the image of `{id}`")
}

fn reject(batch: &RecordBatch, row: usize, reason: &str) -> Reject {
    let document = Row::new(batch, row);
    Reject {
        file: document.get(columns::SOURCE).unwrap_or_default().to_owned(),
        line: document.line(),
        reason: match name(batch, row) {
            Some(name) => format!("the image `{name}`: {reason}"),
            None => reason.to_owned(),
        },
    }
}
