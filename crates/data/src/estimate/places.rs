//! Where a sample is read.

use super::tally::Tally;
use crate::Reject;
use crate::source::{BatchLimit, Chunk, Input, Meter, Reader};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// Most places of a sample.
const PLACES: u64 = 64;

/// Files that follow each other, of which the first records are read.
pub(super) struct Place(Vec<Input>);

/// A place that is being read.
pub(super) struct Reading {
    reader: Reader,
    pub(super) meter: Arc<Meter>,
    size: u64,
}

/// Divides the files into places, one for each where they are few, else of about the same number of
/// bytes, in an order in which any number of the first ones is spread over all.
pub(super) fn choose(inputs: Vec<Input>) -> Vec<Place> {
    let total: u64 = inputs.iter().map(|input| input.size).sum();
    let is_few = inputs.len() as u64 <= PLACES;
    let mut places: Vec<Place> = Vec::new();
    let (mut before, mut last) = (0_u64, None);
    for (number, input) in (0..).zip(inputs) {
        // The part of the bytes in which the file ends begins a place, once.
        let end = before + input.size;
        let part =
            u128::from(PLACES) * u128::from(end.saturating_sub(1)) / u128::from(total.max(1));
        let part = if is_few { number } else { part };
        if last != Some(part) {
            places.push(Place(Vec::new()));
            last = Some(part);
        }
        before = end;
        places.last_mut().expect("there is one").0.push(input);
    }
    let mut order: Vec<(u32, Place)> = (0..).zip(places).collect();
    order.sort_by_key(|(at, _)| at.reverse_bits());
    order.into_iter().map(|(_, place)| place).collect()
}

impl Place {
    pub(super) fn read(self, limit: BatchLimit) -> Reading {
        let size = self.0.iter().map(|input| input.size).sum();
        let reader = Reader::some(self.0, limit);
        let meter = reader.meter();
        Reading {
            reader,
            meter,
            size,
        }
    }
}

impl Reading {
    pub(super) fn next(&mut self) -> Option<(Chunk, Vec<Reject>)> {
        self.reader.next()
    }

    pub(super) fn is_done(&self) -> bool {
        self.reader.is_done()
    }

    /// Whether all bytes of a packed file are read, and wait before the decompressor.
    pub(super) fn is_buffered(&self) -> bool {
        let opened = self.size - self.reader.unopened();
        self.reader.buffered() > 0 && self.meter.bytes.load(Relaxed) >= opened
    }

    /// Decompressed bytes of what was handed out.
    pub(super) fn plain(&self) -> u64 {
        let read = self.meter.bytes.load(Relaxed);
        let out = read.saturating_sub(self.reader.ahead());
        let plain = u128::from(self.meter.plain.load(Relaxed));
        (plain * u128::from(out) / u128::from(read.max(1))) as u64
    }

    /// Writes down how much was read.
    pub(super) fn measure(&self, tally: &mut Tally) {
        let read = self.meter.bytes.load(Relaxed);
        tally.size = self.size;
        tally.disk = if tally.is_whole {
            self.size
        } else {
            read.saturating_sub(self.reader.ahead() + self.reader.buffered())
                .clamp(1, self.size.max(1))
        };
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::source::list;
    use super::*;
    use crate::storage::{LocalStorage, Storage};

    #[test]
    fn places_are_spread_over_the_bytes() {
        let folder = tempfile::tempdir().unwrap();
        for number in 0..400 {
            let size = if number == 7 { 9000 } else { 100 };
            std::fs::write(
                folder.path().join(format!("{number:03}.txt")),
                vec![b'x'; size],
            )
            .unwrap();
        }
        let storage: Arc<dyn Storage> = Arc::new(LocalStorage);
        let places = choose(
            list(
                folder.path(),
                &storage,
                None,
                &crate::files::Keys::default(),
            )
            .unwrap()
            .inputs,
        );
        let first = |place: &Place| place.0[0].id.clone();
        let files: usize = places.iter().map(|place| place.0.len()).sum();
        assert_eq!(files, 400);
        assert!((40..=64).contains(&places.len()), "{}", places.len());
        assert_eq!(first(&places[0]), "000.txt");
        assert!(
            first(&places[1]).as_str() > "100.txt",
            "{}",
            first(&places[1])
        );
        assert_eq!(choose(Vec::new()).len(), 0);
    }
}
