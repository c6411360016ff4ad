//! Files that zstd packs as a whole.

use std::io::Read;

use super::hashes::Hashes;
use super::{Source, Unpack};
use crate::Error;
use crate::limits::UNIT_SIZE_MAX;
use crate::store::Store;

/// The longest distance back that a frame may ask for, as a power of two; zstd's own limit.
const WINDOW_LOG_MAX: u32 = 27;

/// A packed file and what its index says of it.
struct Zstd {
    store: Store,
    size: u64,
    hashes: Hashes,
}

impl Source {
    /// A file that zstd packs, which has `size` bytes when it is unpacked.
    pub(crate) fn zstd(store: Store, size: u64, hashes: Hashes) -> Result<Self, Error> {
        if size > UNIT_SIZE_MAX {
            let what = format!("it unpacks to {size} bytes");
            return Err(Error::limit(what, "UNIT_SIZE_MAX", UNIT_SIZE_MAX));
        }
        let packed = Zstd {
            store: store.clone(),
            size,
            hashes,
        };
        Ok(Self::packed(store, packed))
    }
}

impl Unpack for Zstd {
    fn size(&self) -> u64 {
        self.size
    }

    fn unpack(&self) -> Result<Store, Error> {
        let path = self.store.path().display();
        let within = |error: Error| error.within(format!("cannot unpack `{path}`"));
        let packed = self.store.bytes(0, self.store.size(), "the packed bytes")?;
        self.hashes.packed.check(&packed).map_err(within)?;
        let bytes = unpack(&packed, self.size).map_err(within)?;
        self.hashes.plain.check(&bytes).map_err(within)?;
        Ok(Store::from_bytes(&path.to_string(), bytes))
    }
}

fn unpack(packed: &[u8], size: u64) -> Result<Vec<u8>, Error> {
    let failed = |error: std::io::Error| {
        Error::corrupt(error.to_string()).with_hint("the file is damaged: fetch it again")
    };
    let mut decoder = zstd::Decoder::with_buffer(packed).map_err(failed)?;
    decoder.window_log_max(WINDOW_LOG_MAX).map_err(failed)?;
    let mut bytes = Vec::new();
    // More than the packed bytes can hold is not taken on the index's word.
    bytes.reserve_exact(size.min(packed.len() as u64 * 64) as usize);
    decoder
        .take(size + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() as u64 != size {
        let more = if bytes.len() as u64 > size {
            "more"
        } else {
            "fewer"
        };
        let message = format!("it has {more} bytes than the {size} of the index");
        return Err(Error::corrupt(message)
            .with_hint("index and shard are not of one run: fetch both again"));
    }
    Ok(bytes)
}
