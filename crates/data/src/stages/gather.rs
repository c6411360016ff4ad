//! The end of a stage: rows are put aside in order, and what says which of them are copies goes to
//! `nexus-dedup`, until all rows are known.

use super::decision::Decision;
use super::gatherer::{Gathered, Gatherer};
use super::index::{self, Inner, NamesWriter};
use super::parts::{self, Part, PartWriter};
use super::pictures::{self, HashesWriter};
use super::removed::Removed;
use super::repeats::{Store, StorePart};
use crate::limits::PART_SIZE;
use crate::{Error, ErrorKind};
use nexus_dedup::limits::MEMORY_SIZE_MIN;
use nexus_dedup::{Clusterer, ExactDedup, ExactShard, Options, Shard};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Rows that are put aside, in parts.
pub(crate) struct Gather {
    folder: PathBuf,
    gatherer: Arc<Gatherer>,
    exact: Option<ExactDedup>,
    near: Option<Clusterer>,
    repeats: Option<Store>,
    /// The group of files that the rows are of.
    group: usize,
    part: Option<Open>,
    /// Rows in each complete part.
    rows: Vec<u32>,
}

/// A part under construction.
struct Open {
    rows: u32,
    frames: PartWriter,
    exact: Option<ExactShard>,
    near: Option<Shard>,
    repeats: Option<StorePart>,
    names: Option<NamesWriter>,
    images: Option<HashesWriter>,
}

impl Gather {
    /// Puts rows into `folder`, which is there and empty.
    pub(crate) fn create(
        folder: &Path,
        decision: Decision,
        memory_size: u64,
        threads: usize,
    ) -> Result<Self, Error> {
        let mut label = index::LABEL_FIRST;
        let exact = if decision.exact.is_some() {
            Some(open_exact(folder, &decision, memory_size, &mut label)?)
        } else {
            None
        };
        let near = match &decision.near {
            None => None,
            Some(near) => {
                let options = Options {
                    params: near.params(),
                    threshold: near.threshold,
                    memory_size: memory_size / 2,
                    // The result does not depend on it.
                    threads: threads
                        .min((memory_size / 2 / MEMORY_SIZE_MIN) as usize)
                        .max(1),
                };
                Some(open_near(folder, &decision, options, &mut label)?)
            }
        };
        let repeats = decision.repeats.clone();
        let open = |repeats| Store::open(folder, repeats, memory_size);
        Ok(Self {
            repeats: repeats.map(open).transpose()?,
            folder: folder.to_owned(),
            gatherer: Arc::new(Gatherer::new(decision, memory_size)),
            exact,
            near,
            group: 0,
            part: None,
            rows: Vec::new(),
        })
    }

    /// Begins with a group of files. What a killed run has left of it is removed.
    pub(super) fn of_group(self, group: usize) -> Result<Self, Error> {
        let numbers = parts::numbers(group);
        if let Some(exact) = &self.exact {
            exact
                .discard(numbers.clone())
                .map_err(|error| failed("dedup_exact", error))?;
        }
        if let Some(near) = &self.near {
            near.discard(numbers.clone())
                .map_err(|error| failed("dedup_near", error))?;
        }
        if let Some(repeats) = &self.repeats {
            repeats.discard(numbers)?;
        }
        parts::discard(&self.folder, group)?;
        Ok(Self { group, ..self })
    }

    /// Rows in each complete part.
    pub(super) fn rows(&self) -> &[u32] {
        &self.rows
    }

    pub(crate) fn gatherer(&self) -> Arc<Gatherer> {
        self.gatherer.clone()
    }

    /// Takes the next rows, in order.
    pub(crate) fn write(&mut self, gathered: Gathered) -> Result<(), Error> {
        // Where nothing is decided, a batch without rows says of a group without rows what its columns are.
        let is_needed =
            self.gatherer.decision.step().is_none() && self.rows.is_empty() && self.part.is_none();
        if gathered.rows == 0 && !is_needed {
            return Ok(());
        }
        let mut part = match self.part.take() {
            Some(part) => part,
            None => self.begin()?,
        };
        let first = part.rows;
        let next = u32::try_from(gathered.rows)
            .ok()
            .and_then(|rows| first.checked_add(rows))
            .ok_or_else(|| {
                Error::limit("a part of the rows that are put aside has 2^32 rows or more")
            })?;
        for (row, hash) in (first..).zip(gathered.hashes) {
            if let Some(exact) = &mut part.exact {
                exact
                    .add_hash(row, hash)
                    .map_err(|error| failed("dedup_exact", error))?;
            }
        }
        for (row, signature) in (first..).zip(gathered.signatures) {
            if let (Some(near), Some((signature, set))) = (&mut part.near, signature) {
                near.add(row, &signature, set.as_ref())
                    .map_err(|error| failed("dedup_near", error))?;
            }
        }
        if let (Some(repeats), Some(known)) = (&mut part.repeats, gathered.known) {
            repeats.write(known)?;
        }
        if let Some(images) = &mut part.images {
            images.write(&gathered.images)?;
        }
        if let Some(names) = &mut part.names {
            names.write(&gathered.names)?;
        }
        part.frames.write(&gathered.frame)?;
        part.rows = next;
        if part.frames.size() >= PART_SIZE {
            self.end(part)
        } else {
            self.part = Some(part);
            Ok(())
        }
    }

    /// Completes the last part.
    pub(crate) fn finish(&mut self) -> Result<(), Error> {
        self.part.take().map_or(Ok(()), |part| self.end(part))
    }

    /// Decides on what is here, all of it of one group of files.
    pub(crate) fn decide_all(&self, is_audited: bool) -> Result<Removed, Error> {
        let parts = self.rows.iter().enumerate();
        let parts = parts.map(|(at, &rows)| Part::new(self.group, at, rows));
        self.decide(parts.collect(), is_audited)
    }

    /// Decides which rows of all parts go.
    pub(super) fn decide(&self, parts: Vec<Part>, is_audited: bool) -> Result<Removed, Error> {
        let decision = &self.gatherer.decision;
        let Decision { exact, near, .. } = decision;
        for Part { number: part, .. } in parts.iter().copied() {
            let lacks = |step: &str| {
                let folder = self.folder.display();
                let message =
                    format!("cannot decide `{step}`: `{folder}` lacks a file of part {part}");
                Error::new(ErrorKind::Corrupt, message).with_hint("run again without resume")
            };
            if let Some(exact) = &self.exact
                && exact
                    .shard(part)
                    .map_err(|error| failed("dedup_exact", error))?
                    .is_some()
            {
                return Err(lacks("dedup_exact"));
            }
            if let Some(near) = &self.near
                && near
                    .shard(part)
                    .map_err(|error| failed("dedup_near", error))?
                    .is_some()
            {
                return Err(lacks("dedup_near"));
            }
        }
        let mut removed = Removed::new(&self.folder, parts, is_audited);
        if let (Some(dedup), Some(settings)) = (&self.exact, exact) {
            let found = dedup
                .finish()
                .map_err(|error| failed("dedup_exact", error))?;
            removed.add("dedup_exact", &found, settings.keep)?;
            if let Some(path) = &settings.write_index {
                let params = index::exact_params(settings.ignore_space);
                let write = |folder: &Path| dedup.write_index(folder, &params).map(drop);
                let (stage, parts) = (&self.folder, &removed.parts);
                let index = index::write(path, "dedup_exact", stage, parts, write)?;
                removed.write_later(index);
            }
        }
        if let (Some(clusterer), Some(settings)) = (&self.near, near) {
            let found = clusterer
                .finish()
                .map_err(|error| failed("dedup_near", error))?;
            removed.add("dedup_near", &found, settings.keep)?;
            if let Some(path) = &settings.write_index {
                let write = |folder: &Path| clusterer.write_index(folder).map(drop);
                let (stage, parts) = (&self.folder, &removed.parts);
                let index = index::write(path, "dedup_near", stage, parts, write)?;
                removed.write_later(index);
            }
        }
        if let Some(repeats) = &self.repeats {
            repeats.decide(&removed.parts)?;
            removed.have_cuts();
        }
        if let Some(images) = decision.images {
            pictures::decide(&self.folder, images, &mut removed)?;
        }
        let indexes = decision.exact_indexes.iter().chain(&decision.near_indexes);
        removed.name_originals(indexes)?;
        Ok(removed)
    }

    fn begin(&self) -> Result<Open, Error> {
        let number = parts::number(self.group, self.rows.len())?;
        let exact = match &self.exact {
            None => None,
            Some(exact) => exact
                .shard(number)
                .map_err(|error| failed("dedup_exact", error))?,
        };
        let near = match &self.near {
            None => None,
            Some(near) => near
                .shard(number)
                .map_err(|error| failed("dedup_near", error))?,
        };
        Ok(Open {
            rows: 0,
            frames: PartWriter::create(&self.folder, number)?,
            exact,
            near,
            names: self
                .gatherer
                .decision
                .writes_index()
                .then(|| NamesWriter::create(&self.folder, number))
                .transpose()?,
            images: (self.gatherer.decision.images)
                .map(|_| HashesWriter::create(&self.folder, number))
                .transpose()?,
            repeats: self
                .repeats
                .as_ref()
                .map(|repeats| repeats.begin(number))
                .transpose()?,
        })
    }

    fn end(&mut self, part: Open) -> Result<(), Error> {
        if let Some(exact) = part.exact {
            exact
                .commit()
                .map_err(|error| failed("dedup_exact", error))?;
        }
        if let Some(near) = part.near {
            near.commit().map_err(|error| failed("dedup_near", error))?;
        }
        part.repeats.map_or(Ok(()), StorePart::commit)?;
        part.images.map_or(Ok(()), HashesWriter::commit)?;
        part.names.map_or(Ok(()), NamesWriter::commit)?;
        part.frames.commit()?;
        self.rows.push(part.rows);
        Ok(())
    }
}

/// `label` is the number of the next shard of an index.
fn open_exact(
    folder: &Path,
    decision: &Decision,
    memory_size: u64,
    label: &mut u32,
) -> Result<ExactDedup, Error> {
    let failed = |error| failed("dedup_exact", error);
    let path = folder.join("exact");
    // Shards are written one at a time.
    let mut exact = ExactDedup::open(&path, memory_size / 4, 1).map_err(failed)?;
    for stored in &decision.exact_indexes {
        if let Inner::Exact(index) = stored.inner() {
            *label = exact.mount(index, *label).map_err(failed)?;
        }
    }
    Ok(exact)
}

/// As [`open_exact`].
fn open_near(
    folder: &Path,
    decision: &Decision,
    options: Options,
    label: &mut u32,
) -> Result<Clusterer, Error> {
    let failed = |error| failed("dedup_near", error);
    let mut near = Clusterer::open(&folder.join("near"), options).map_err(failed)?;
    for stored in &decision.near_indexes {
        if let Inner::Near(index) = stored.inner() {
            *label = near.mount_as(index, *label).map_err(failed)?;
        }
    }
    Ok(near)
}

pub(super) fn failed(step: &str, error: nexus_dedup::Error) -> Error {
    Error::dedup(step, error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::duplicates::{ExactCopies, Keep, NearCopies};
    use crate::turnstile::Turn;
    use arrow_array::{ArrayRef, RecordBatch, StringArray};

    /// The rows that stay of documents with these ids and texts.
    fn stay(documents: &[(&str, &str)], exact: Keep, near: &NearCopies, room: usize) -> Vec<usize> {
        let folder = tempfile::tempdir().unwrap();
        let decision = Decision {
            exact: Some(ExactCopies {
                keep: exact,
                ..ExactCopies::default()
            }),
            near: Some(near.clone()),
            ..Decision::default()
        };
        let mut gather = Gather::create(folder.path(), decision.clone(), 64 << 20, 1).unwrap();
        let gatherer = Gatherer::new(decision, 0);
        gatherer
            .seen
            .pass(&mut Turn::new(1), |seen| seen.room = room)
            .unwrap();
        let column = |values: Vec<&str>| Arc::new(StringArray::from(values)) as ArrayRef;
        let (ids, texts): (Vec<_>, Vec<_>) = documents.iter().copied().unzip();
        let batch =
            RecordBatch::try_from_iter([("id", column(ids)), ("text", column(texts))]).unwrap();
        let gathered = gatherer.apply(&batch, &mut Turn::new(2)).unwrap();
        gather.write(gathered).unwrap();
        gather.finish().unwrap();
        let parts = gather.rows().iter().map(|&rows| Part::new(0, 0, rows));
        let removed = gather.decide(parts.collect(), false).unwrap();
        let turn = &mut Turn::new(3);
        let stay = removed.stay(0, 0, &batch, &mut crate::audit::Lines::of(turn, &batch));
        (0..stay.len()).filter(|&row| stay[row]).collect()
    }

    #[test]
    fn copies_with_signatures_of_their_own_are_decided_as_those_without() {
        let (a, b) = (
            "one two three four five six seven",
            "quite another text of seven words here",
        );
        let like_a = "one two three four five six seven eight";
        let documents = [
            ("m", a),
            ("b", a),
            ("z", like_a),
            ("c", b),
            ("a", b),
            ("d", a),
        ];
        let clusters = NearCopies {
            threshold: None,
            keep: Keep::LeastId,
            bands: 56,
            rows: 1,
            ..NearCopies::default()
        };
        let verified = NearCopies {
            threshold: Some(0.5),
            bands: 56,
            rows: 1,
            ..NearCopies::default()
        };
        for (exact, near, expected) in [
            (Keep::LeastId, &verified, [1, 4]),
            (Keep::First, &verified, [0, 3]),
            (Keep::LeastId, &clusters, [1, 4]),
            // Of the copies the first stays, of these and what is like them the one of least id.
            (Keep::First, &clusters, [0, 3]),
        ] {
            for room in [0, 1, 2, 100] {
                let found = stay(&documents, exact, near, room);
                assert_eq!(found, expected, "{exact:?} {near:?} {room}");
            }
        }
    }
}
