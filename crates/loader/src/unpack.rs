//! Units of packed shards, unpacked as a whole and kept while there is room.

mod hashes;
mod zstd;

use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::Error;
use crate::store::Store;

pub(crate) use hashes::{Digests, Hashes};

/// What can be unpacked.
pub(crate) trait Unpack: Send + Sync {
    /// About how many bytes it unpacks to, as the file says.
    fn size(&self) -> u64;

    /// The bytes, checked.
    fn unpack(&self) -> Result<Store, Error>;
}

/// The bytes of a shard: a file as it is, or a part of one that must be unpacked.
pub(crate) struct Source {
    /// The file.
    pub(crate) store: Store,
    pub(crate) packed: Option<Arc<dyn Unpack>>,
}

impl Source {
    /// A file whose bytes lie in it as they are.
    pub(crate) fn plain(store: Store) -> Self {
        let packed = None;
        Self { store, packed }
    }

    /// A file, or a part of it, that must be unpacked.
    pub(crate) fn packed(store: Store, packed: impl Unpack + 'static) -> Self {
        let packed = Some(Arc::new(packed) as Arc<dyn Unpack>);
        Self { store, packed }
    }

    /// About how many bytes it unpacks to, if it is packed.
    pub(crate) fn unpacked_size(&self) -> Option<u64> {
        Some(self.packed.as_ref()?.size())
    }

    /// The bytes; those of unit `number` are kept.
    pub(crate) fn reach(&self, number: usize, cache: &Cache) -> Result<Reached<'_>, Error> {
        Ok(match &self.packed {
            None => Reached::Plain(&self.store),
            Some(packed) => Reached::Unpacked(cache.get(number, packed.as_ref())?),
        })
    }

    /// The bytes, kept nowhere.
    pub(crate) fn look(&self) -> Result<Reached<'_>, Error> {
        Ok(match &self.packed {
            None => Reached::Plain(&self.store),
            Some(packed) => Reached::Unpacked(Arc::new(packed.unpack()?)),
        })
    }
}

/// Bytes that are there.
pub(crate) enum Reached<'a> {
    Plain(&'a Store),
    Unpacked(Arc<Store>),
}

impl Deref for Reached<'_> {
    type Target = Store;

    fn deref(&self) -> &Store {
        match self {
            Self::Plain(store) => store,
            Self::Unpacked(store) => store,
        }
    }
}

/// Unpacked units. The one that was not asked for longest goes first when there are too many bytes.
pub struct Cache {
    slots: Vec<Slot>,
    limit: u64,
    clock: AtomicU64,
    /// The units that are there, and their bytes in all.
    held: Mutex<(Vec<usize>, u64)>,
}

#[derive(Default)]
struct Slot {
    store: Mutex<Option<Arc<Store>>>,
    asked: AtomicU64,
}

impl Cache {
    pub(crate) fn new(units: usize, limit: u64) -> Self {
        Self {
            slots: (0..units).map(|_| Slot::default()).collect(),
            limit,
            clock: AtomicU64::new(0),
            held: Mutex::default(),
        }
    }

    /// As empty as a new one, for the child of a fork.
    pub(crate) fn renewed(&self) -> Self {
        Self::new(self.slots.len(), self.limit)
    }

    /// The bytes of a unit. Of several threads that ask, one unpacks and the others wait.
    pub(crate) fn get(&self, number: usize, packed: &dyn Unpack) -> Result<Arc<Store>, Error> {
        let slot = &self.slots[number];
        let now = self.clock.fetch_add(1, Ordering::Relaxed);
        slot.asked.store(now, Ordering::Relaxed);
        let mut place = lock(&slot.store);
        if let Some(store) = &*place {
            return Ok(store.clone());
        }
        let store = Arc::new(packed.unpack()?);
        *place = Some(store.clone());
        drop(place);
        self.hold(number, store.size());
        Ok(store)
    }

    /// Notes a unit, and lets others go.
    fn hold(&self, number: usize, size: u64) {
        let mut held = lock(&self.held);
        held.0.push(number);
        held.1 += size;
        while held.1 > self.limit && held.0.len() > 1 {
            let asked = |at: usize| self.slots[at].asked.load(Ordering::Relaxed);
            let others = held.0.iter().enumerate().filter(|(_, at)| **at != number);
            let Some((place, _)) = others.min_by_key(|(_, at)| asked(**at)) else {
                return;
            };
            let oldest = held.0.swap_remove(place);
            // Nobody unpacks it: it is there.
            if let Some(store) = lock(&self.slots[oldest].store).take() {
                held.1 -= store.size();
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Zeros(AtomicU64);

    impl Unpack for Zeros {
        fn size(&self) -> u64 {
            10
        }

        fn unpack(&self) -> Result<Store, Error> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Ok(Store::from_bytes("zeros", vec![0; 10]))
        }
    }

    #[test]
    fn the_unit_not_asked_for_longest_goes_first() {
        let units: Vec<Zeros> = (0..3).map(|_| Zeros(AtomicU64::new(0))).collect();
        let cache = Cache::new(3, 20);
        for (number, want) in [
            (0, [1, 0, 0]),
            (1, [1, 1, 0]),
            (0, [1, 1, 0]),
            (2, [1, 1, 1]),
            (0, [1, 1, 1]),
            (1, [1, 2, 1]),
            (2, [1, 2, 2]),
        ] {
            cache.get(number, &units[number]).unwrap();
            let unpacked = units.iter().map(|unit| unit.0.load(Ordering::Relaxed));
            assert!(unpacked.eq(want), "after unit {number}");
        }
    }

    #[test]
    fn a_unit_larger_than_the_room_is_held_alone() {
        let unit = Zeros(AtomicU64::new(0));
        let cache = Cache::new(2, 5);
        cache.get(0, &unit).unwrap();
        cache.get(0, &unit).unwrap();
        assert_eq!(unit.0.load(Ordering::Relaxed), 1);
        cache.get(1, &unit).unwrap();
        cache.get(0, &unit).unwrap();
        assert_eq!(unit.0.load(Ordering::Relaxed), 3);
    }
}
