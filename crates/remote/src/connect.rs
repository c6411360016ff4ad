//! How servers are reached: TLS, the patience with them, and the runtime that waits for them.

use std::num::NonZero;
use std::time::Duration;

use object_store::{BackoffConfig, ClientOptions, RetryConfig};
use tokio::runtime::{Builder, Handle, Runtime};

use crate::{Error, ErrorKind};

/// How long is waited, and how often asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    pub(crate) timeout: Duration,
    pub(crate) attempts: NonZero<usize>,
}

impl Patience {
    pub(crate) fn client(self) -> ClientOptions {
        ClientOptions::new()
            .with_connect_timeout(self.timeout)
            .with_read_timeout(self.timeout)
            // A large answer on a slow line may take long, as long as something comes.
            .with_timeout_disabled()
    }

    pub(crate) fn retry(self) -> RetryConfig {
        RetryConfig {
            backoff: BackoffConfig::default(),
            max_retries: self.attempts.get() - 1,
            retry_timeout: self.timeout.saturating_mul(self.attempts.get() as u32),
        }
    }
}

/// Chooses `ring` for TLS, unless the program has chosen.
pub(crate) fn install_tls() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Somebody else may have been faster, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
}

/// Refuses to block another runtime.
pub(crate) fn check_outside(name: &str) -> Result<(), Error> {
    match Handle::try_current() {
        Ok(_) => {
            let message = format!("cannot reach `{name}` inside of an asynchronous runtime");
            Err(Error::new(ErrorKind::InvalidInput, message))
        }
        Err(_) => Ok(()),
    }
}

/// A runtime that is dropped without waiting, so that it may be dropped inside of another.
#[derive(Debug)]
pub(crate) struct Waiting(Option<Runtime>);

impl Waiting {
    pub(crate) fn start(builder: &mut Builder) -> std::io::Result<Self> {
        builder
            .enable_all()
            .build()
            .map(|runtime| Self(Some(runtime)))
    }

    pub(crate) fn runtime(&self) -> &Runtime {
        self.0.as_ref().expect("it is there until the drop")
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
