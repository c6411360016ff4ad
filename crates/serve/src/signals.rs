//! The signals that end a server.

use std::future::pending;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::{Error, Result};

/// SIGTERM (what container platforms send) and SIGINT (Ctrl-C), if they are listened to.
pub(crate) struct Signals(Option<[Signal; 2]>);

impl Signals {
    /// Leaves the signals to the rest of the program.
    pub(crate) fn ignored() -> Self {
        Self(None)
    }

    /// Catches the signals from now on. To be called inside of a runtime.
    pub(crate) fn catch() -> Result<Self> {
        let catch = |kind| signal(kind).map_err(|error| Error::io("cannot catch signals", error));
        Ok(Self(Some([
            catch(SignalKind::terminate())?,
            catch(SignalKind::interrupt())?,
        ])))
    }

    /// Waits for the next signal; for ever if they are not caught.
    pub(crate) async fn next(&mut self) {
        match &mut self.0 {
            None => pending().await,
            Some([terminate, interrupt]) => tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            },
        }
    }
}
