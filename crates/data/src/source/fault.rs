//! Errors of a storage that end the run. They travel through decompressors and parsers as errors of
//! reading, so they are noted where they come in.

use crate::Error;
use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};

/// The first error that was noted.
#[derive(Debug, Default)]
pub(crate) struct Fault(Mutex<Option<Error>>);

impl Fault {
    /// Notes an error that is to end the run; any other is left alone.
    pub(crate) fn note(&self, error: &io::Error) {
        if let Some(error) = Error::taken_from(error) {
            self.lock().get_or_insert(error);
        }
    }

    pub(crate) fn take(&self) -> Option<Error> {
        self.lock().take()
    }

    /// Notes the errors of a reader.
    pub(crate) fn watch<R: Read>(self: &Arc<Self>, reader: R) -> Watched<R> {
        Watched {
            reader,
            fault: self.clone(),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Error>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) struct Watched<R> {
    reader: R,
    fault: Arc<Fault>,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reader
            .read(buffer)
            .inspect_err(|error| self.fault.note(error))
    }
}
