//! A safetensors file on a server.

use std::iter::once;
use std::num::NonZero;
use std::ops::Range;
use std::time::Duration;

use nexus_safetensors::{Metadata, SafeTensorError, TensorInfo};

use crate::client::Client;
use crate::limits::READ_SIZE_MAX;
use crate::request::Version;
use crate::{Error, ErrorKind};

/// How [`RemoteFile::open_with`] asks.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RemoteOptions {
    /// How many bytes the first request asks for, in the hope that the header is among them.
    pub head_size: NonZero<u64>,
    /// How many requests wait for an answer at once.
    pub concurrency: NonZero<usize>,
    /// How often a request is sent, the first time included, before its error counts.
    pub attempts: NonZero<usize>,
    /// How long to wait for a connection, and for the next bytes of an answer.
    pub timeout: Duration,
}

impl Default for RemoteOptions {
    /// 512 KiB, 8 requests, 4 attempts, 30 seconds.
    fn default() -> Self {
        Self {
            head_size: const { NonZero::new(512 << 10).unwrap() },
            concurrency: const { NonZero::new(8).unwrap() },
            attempts: const { NonZero::new(4).unwrap() },
            timeout: Duration::from_secs(30),
        }
    }
}

/// An open file. Threads may read side by side; their requests take turns.
pub struct RemoteFile {
    client: Client,
    version: Version,
    data_start: u64,
    metadata: Metadata,
}

impl RemoteFile {
    /// Reads and checks the header. Costs one request, and a second one for a header that is larger
    /// than the first brings.
    ///
    /// # Errors
    /// `InvalidInput` for what is no address, `NotFound`, `Denied`, `Unavailable`, `Unsupported` when
    /// the server does not answer range requests, `Corrupt` and `LimitReached` as
    /// [`SafeTensors::deserialize`](nexus_safetensors::SafeTensors::deserialize) of the whole file.
    pub fn open(url: &str) -> Result<Self, Error> {
        Self::open_with(url, &RemoteOptions::default())
    }

    /// [`open`](Self::open) with options.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_with(url: &str, options: &RemoteOptions) -> Result<Self, Error> {
        let client = Client::new(url, options)?;
        let refused = |error| Error::format(client.url(), error);
        let (mut head, version) = client.first(options.head_size.get())?;
        if version.size < size_of::<u64>() as u64 {
            return Err(refused(SafeTensorError::HeaderTooSmall));
        }
        if head.len() < size_of::<u64>() {
            head = client.read(&version, once(0..8), vec![0; 8])?;
        }
        let size = Metadata::head_size(&head, version.size).map_err(refused)?;
        if size > head.len() {
            let rest = client.read(
                &version,
                once(head.len() as u64..size as u64),
                vec![0; size - head.len()],
            )?;
            head.extend(rest);
        }
        let (data_start, metadata) = Metadata::parse_head(&head, version.size).map_err(refused)?;
        Ok(Self {
            client,
            version,
            data_start: data_start as u64,
            metadata,
        })
    }

    /// The address.
    pub fn url(&self) -> &str {
        self.client.url()
    }

    /// The size of the whole file.
    pub fn size_bytes(&self) -> u64 {
        self.version.size
    }

    /// The content of the header.
    pub fn header(&self) -> &Metadata {
        &self.metadata
    }

    /// What the header says of one tensor.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn info(&self, name: &str) -> Result<&TensorInfo, Error> {
        let missing = || {
            let error = SafeTensorError::TensorNotFound(name.to_owned());
            Error::format(self.url(), error)
        };
        self.metadata.info(name).ok_or_else(missing)
    }

    /// Where the bytes of one of this file's tensors lie, counted from the start of the file.
    pub fn byte_range(&self, info: &TensorInfo) -> Range<u64> {
        let (start, end) = info.data_offsets;
        self.data_start + start as u64..self.data_start + end as u64
    }

    /// The bytes of a tensor. Costs a request for each 8 MiB, several at once.
    ///
    /// # Errors
    /// `NotFound`, `Changed` when the file is another one than it was, and as [`open`](Self::open).
    pub fn tensor(&self, name: &str) -> Result<Vec<u8>, Error> {
        let (start, end) = self.info(name)?.data_offsets;
        self.ranges(name, once(0..end - start))
    }

    /// The bytes of `runs`, counted from the first byte of a tensor, one after the other. Runs that
    /// lie close together and in ascending order are one request.
    ///
    /// # Errors
    /// `InvalidInput` for a run that is not inside of the tensor, and as [`tensor`](Self::tensor).
    pub fn ranges(
        &self,
        name: &str,
        runs: impl IntoIterator<Item = Range<usize>>,
    ) -> Result<Vec<u8>, Error> {
        let Range { start, end } = self.byte_range(self.info(name)?);
        let mut total = 0_u64;
        let mut checked = Vec::new();
        for run in runs {
            if run.start > run.end || run.end as u64 > end - start {
                let (size, url) = (end - start, self.url());
                let message = format!(
                    "cannot read bytes {run:?} of tensor `{name}` of `{url}`, which has {size}"
                );
                return Err(Error::new(ErrorKind::InvalidInput, message));
            }
            total = total.saturating_add(run.len() as u64);
            checked.push(start + run.start as u64..start + run.end as u64);
        }
        let out = self.buffer(total, name)?;
        self.client.read(&self.version, checked, out)
    }

    /// Zeroed memory for `size` bytes.
    fn buffer(&self, size: u64, name: &str) -> Result<Vec<u8>, Error> {
        let mut out = Vec::new();
        let fits = size <= READ_SIZE_MAX && out.try_reserve_exact(size as usize).is_ok();
        if !fits {
            let url = self.url();
            let message =
                format!("cannot read tensor `{name}` of `{url}`: no memory for {size} bytes");
            return Err(Error::new(ErrorKind::LimitReached, message));
        }
        out.resize(size as usize, 0);
        Ok(out)
    }
}

impl std::fmt::Debug for RemoteFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RemoteFile")
            .field("url", &self.url())
            .field("len", &self.metadata.len())
            .field("size_bytes", &self.size_bytes())
            .finish_non_exhaustive()
    }
}
