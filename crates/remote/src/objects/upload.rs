//! Objects under construction: parts are sent while they are made, and nobody sees them before all are
//! there. What is smaller than a part is sent at the end, in one request.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use nexus_data::storage::NewFile;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt, PutPayload};
use tokio::task::JoinSet;

use super::address::Address;
use super::{Live, into_io};
use crate::limits::{ABORT_TIME_MAX, HELD_SIZE_MAX, PART_SIZE, PARTS_MAX, PARTS_UNDER_WAY_MAX};
use crate::request::refused;
use crate::{Error, ErrorKind};

/// An object that is whole, but that nobody sees yet.
pub(super) struct Whole {
    pub(super) address: Address,
    content: Content,
}

enum Content {
    /// The parts are all there.
    Parts(Box<dyn MultipartUpload>),
    /// It is small, and nothing is sent.
    Held(Arc<dyn ObjectStore>, Bytes),
}

impl Whole {
    /// Lets it appear.
    pub(super) async fn complete(self) -> Result<(), Error> {
        let done = match self.content {
            Content::Parts(mut upload) => upload.complete().await,
            Content::Held(store, bytes) => {
                let path = self.address.path()?;
                store.put(&path, PutPayload::from_bytes(bytes)).await
            }
        };
        done.map(drop)
            .map_err(|error| failed(&self.address, &error))
    }

    /// Takes it away. What cannot be taken away is left to the rules of the bucket.
    pub(super) async fn abort(self) {
        if let Content::Parts(mut upload) = self.content {
            let _ = upload.abort().await;
        }
    }
}

/// The objects of a folder that wait to appear.
#[derive(Default)]
pub(super) struct Waiting {
    pub(super) whole: Vec<Whole>,
    /// Bytes that are held.
    held: usize,
}

impl Waiting {
    /// Takes a small object, if it may be held too.
    fn hold(&mut self, upload: &mut Upload) -> bool {
        if self.held + upload.buffer.len() > HELD_SIZE_MAX {
            return false;
        }
        self.held += upload.buffer.len();
        let whole = upload.held();
        self.whole.push(whole);
        true
    }
}

pub(super) struct Upload {
    live: Arc<Live>,
    store: Arc<dyn ObjectStore>,
    address: Address,
    /// There from the first part on, until it is completed, handed to the folder or aborted.
    sent: Option<Box<dyn MultipartUpload>>,
    buffer: Vec<u8>,
    parts: usize,
    under_way: JoinSet<Result<(), object_store::Error>>,
    folder: Option<Arc<Mutex<Waiting>>>,
}

/// The size of a part: it doubles with every fifth of the parts that there can be.
fn part_size(part: usize) -> usize {
    PART_SIZE << (part * 5 / PARTS_MAX).min(4)
}

impl Upload {
    pub(super) fn begin(
        live: &Arc<Live>,
        address: &Address,
        folder: Option<Arc<Mutex<Waiting>>>,
    ) -> Result<Self, Error> {
        let path = address.path()?;
        if path.as_ref().is_empty() || address.key.ends_with('/') {
            let message = format!("cannot write `{}`: it names no object", address.name);
            return Err(Error::new(ErrorKind::InvalidInput, message));
        }
        live.check_write(address)?;
        Ok(Self {
            live: live.clone(),
            store: live.store(address)?,
            address: address.clone(),
            sent: None,
            buffer: Vec::new(),
            parts: 0,
            under_way: JoinSet::new(),
            folder,
        })
    }

    /// Sends what is at hand as a part.
    fn send(&mut self) -> Result<(), Error> {
        self.wait_for_parts(PARTS_UNDER_WAY_MAX - 1)?;
        if self.parts == PARTS_MAX {
            let message = format!(
                "cannot write `{}`: it has more parts than PARTS_MAX = {PARTS_MAX}",
                self.address.name
            );
            return Err(
                Error::new(ErrorKind::LimitReached, message).with_hint("write a folder of shards")
            );
        }
        let bytes = Bytes::from(std::mem::take(&mut self.buffer));
        let upload = match &mut self.sent {
            Some(upload) => upload,
            none => {
                let path = self.address.path()?;
                let upload = self.live.wait(async {
                    let upload = self.store.put_multipart(&path).await;
                    upload.map_err(|error| failed(&self.address, &error))
                })?;
                none.insert(upload)
            }
        };
        let part = upload.put_part(bytes.into());
        self.under_way.spawn_on(part, self.live.runtime().handle());
        self.parts += 1;
        Ok(())
    }

    /// Waits until no more than so many parts are under way.
    fn wait_for_parts(&mut self, most: usize) -> Result<(), Error> {
        let (under_way, address) = (&mut self.under_way, &self.address);
        self.live.wait(async {
            while under_way.len() > most {
                match under_way.join_next().await {
                    None | Some(Ok(Ok(()))) => {}
                    Some(Ok(Err(error))) => return Err(failed(address, &error)),
                    Some(Err(error)) => {
                        let message = format!("cannot write `{}`: {error}", address.name);
                        return Err(Error::new(ErrorKind::Unavailable, message));
                    }
                }
            }
            Ok(())
        })
    }

    /// What is at hand as an object.
    fn held(&mut self) -> Whole {
        let mut bytes = std::mem::take(&mut self.buffer);
        bytes.shrink_to_fit();
        Whole {
            address: self.address.clone(),
            content: Content::Held(self.store.clone(), bytes.into()),
        }
    }

    fn finish(mut self) -> Result<(), Error> {
        let folder = self.folder.take();
        if self.parts == 0 {
            match &folder {
                None => {
                    let whole = self.held();
                    return self.live.wait_to_the_end(whole.complete());
                }
                Some(folder) if lock(folder).hold(&mut self) => return Ok(()),
                Some(_) => {}
            }
        }
        if !self.buffer.is_empty() {
            self.send()?;
        }
        self.wait_for_parts(0)?;
        let Some(folder) = folder else {
            return self.complete();
        };
        if let Some(upload) = self.sent.take() {
            let address = self.address.clone();
            let content = Content::Parts(upload);
            lock(&folder).whole.push(Whole { address, content });
        }
        Ok(())
    }

    /// Lets it appear; when that fails, it is aborted. Who cancels the run now comes too late.
    fn complete(mut self) -> Result<(), Error> {
        if let Some(upload) = &mut self.sent {
            self.live.wait_to_the_end(async {
                let done = upload.complete().await;
                done.map(drop)
                    .map_err(|error| failed(&self.address, &error))
            })?;
            self.sent = None;
        }
        Ok(())
    }
}

fn lock(folder: &Mutex<Waiting>) -> MutexGuard<'_, Waiting> {
    folder.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The error of a write.
pub(super) fn failed(address: &Address, error: &object_store::Error) -> Error {
    refused("write", &address.name, "there is no such bucket", error)
}

impl Write for Upload {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let size = part_size(self.parts);
        if self.buffer.capacity() == 0 {
            self.buffer.reserve(size.min(PART_SIZE));
        }
        let room = size - self.buffer.len();
        let taken = &bytes[..room.min(bytes.len())];
        self.buffer.extend_from_slice(taken);
        if self.buffer.len() == size {
            self.send().map_err(into_io)?;
        }
        Ok(taken.len())
    }

    /// Does nothing: parts have their size.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl NewFile for Upload {
    fn commit(self: Box<Self>) -> Result<(), nexus_data::Error> {
        Ok(self.finish()?)
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let Some(mut upload) = self.sent.take() else {
            return;
        };
        self.under_way.abort_all();
        self.live.wait_at_most(ABORT_TIME_MAX, async {
            while self.under_way.join_next().await.is_some() {}
            // The error that led here is the one to report.
            let _ = upload.abort().await;
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_grow_so_that_large_objects_fit() {
        let sizes = [0, 1999, 2000, 4000, 6000, 8000, 9999].map(part_size);
        assert_eq!(sizes.map(|size| size >> 20), [8, 8, 16, 32, 64, 128, 128]);
        let all: u64 = (0..PARTS_MAX).map(|part| part_size(part) as u64).sum();
        assert_eq!(all >> 30, 484);
    }
}
