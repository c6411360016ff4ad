//! Objects as streams of bytes, read ahead of who reads them, and in parts.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use nexus_data::storage::Ranges;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinHandle;

use super::Live;
use crate::connect::Patience;
use crate::limits::{SEGMENT_SIZE, SEGMENTS_MAX};
use crate::request::{Chunks, Request, next};
use crate::{Error, ErrorKind};

/// How much of an answer is handed over at once.
const PIECE_SIZE: usize = 256 << 10;

/// An object that is read from its start to its end. Dropped, it asks for no more.
pub(super) struct Stream {
    live: Arc<Live>,
    pieces: Receiver<Result<Bytes, Error>>,
    piece: Bytes,
    reading: JoinHandle<()>,
}

impl Stream {
    /// `in_parts` asks for ranges, several at once; else there is one request for all.
    pub(super) fn start(live: &Arc<Live>, request: Request, size: u64, in_parts: bool) -> Self {
        let (sender, pieces) = channel(1);
        let patience = live.patience();
        let reading = live.runtime().spawn(async move {
            let read = async {
                if in_parts {
                    by_segments(&request, size, &sender).await
                } else {
                    at_once(&request, size, patience, &sender).await
                }
            };
            if let Err(error) = read.await {
                // Nobody may listen any more.
                let _ = sender.send(Err(error)).await;
            }
        });
        Self {
            live: live.clone(),
            pieces,
            piece: Bytes::new(),
            reading,
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.piece.is_empty() && !buffer.is_empty() {
            let pieces = &mut self.pieces;
            let next = self.live.wait(async { Ok(pieces.recv().await) });
            match next.map_err(super::into_io)? {
                None => return Ok(0),
                Some(piece) => self.piece = piece.map_err(super::into_io)?,
            }
        }
        let piece = self.piece.split_to(buffer.len().min(self.piece.len()));
        buffer[..piece.len()].copy_from_slice(&piece);
        Ok(piece.len())
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

/// Requests that are aborted when they are not waited for.
#[derive(Default)]
struct UnderWay(VecDeque<JoinHandle<Result<Vec<u8>, Error>>>);

impl UnderWay {
    fn ask(&mut self, request: &Request, range: Range<u64>) {
        let request = request.clone();
        self.0.push_back(tokio::spawn(async move {
            let (bytes, _) = request.send(range).await?;
            Ok(bytes)
        }));
    }

    /// The answer to the first one; `None` when there is none.
    async fn first(&mut self, request: &Request) -> Result<Option<Vec<u8>>, Error> {
        let Some(first) = self.0.front_mut() else {
            return Ok(None);
        };
        let answer = first.await;
        self.0.pop_front();
        let answer = answer.map_err(|error| request.error(ErrorKind::Unavailable, error))?;
        answer.map(Some)
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        for request in &self.0 {
            request.abort();
        }
    }
}

async fn by_segments(
    request: &Request,
    size: u64,
    sender: &Sender<Result<Bytes, Error>>,
) -> Result<(), Error> {
    let mut under_way = UnderWay::default();
    let mut start = 0;
    loop {
        while under_way.0.len() < SEGMENTS_MAX && start < size {
            let end = size.min(start + SEGMENT_SIZE);
            under_way.ask(request, start..end);
            start = end;
        }
        let Some(bytes) = under_way.first(request).await? else {
            return Ok(());
        };
        if sender.send(Ok(bytes.into())).await.is_err() {
            return Ok(());
        }
    }
}

/// Reads the whole answer; when it breaks off, asks for the rest.
async fn at_once(
    request: &Request,
    size: u64,
    patience: Patience,
    sender: &Sender<Result<Bytes, Error>>,
) -> Result<(), Error> {
    let (mut start, mut failures) = (0, 0);
    loop {
        let before = start;
        let range = (start > 0).then_some(start..size);
        let answer = request.begin(range).await.map_err(|error| {
            if start > 0 && error.kind() == ErrorKind::Unsupported {
                let what = format!(
                    "the connection was cut at byte {start} of {size}, and the server does not \
                     answer range requests"
                );
                return request.error(ErrorKind::Unavailable, what);
            }
            error
        })?;
        let mut chunks = answer.into_stream();
        match forward(request, &mut chunks, &mut start, size, sender).await {
            Ok(true) => return Ok(()),
            Ok(false) if start == size => return Ok(()),
            Err(error) if error.kind() == ErrorKind::Corrupt => return Err(error),
            Ok(false) | Err(_) => failures += 1,
        }
        if start > before {
            failures = 1;
        }
        if failures >= patience.attempts.get() {
            let what = format!("the connection was cut at byte {start} of {size}, again and again");
            return Err(request.error(ErrorKind::Unavailable, what));
        }
    }
}

/// Hands over what comes. True when nobody listens any more, false at the end of the answer.
async fn forward(
    request: &Request,
    chunks: &mut Chunks,
    start: &mut u64,
    size: u64,
    sender: &Sender<Result<Bytes, Error>>,
) -> Result<bool, Error> {
    let mut piece = Vec::new();
    loop {
        let chunk = next(chunks).await;
        let is_end = !matches!(chunk, Some(Ok(_)));
        if let Some(Ok(chunk)) = &chunk {
            piece.extend_from_slice(chunk);
        }
        if *start + piece.len() as u64 > size {
            return Err(request.too_long(size));
        }
        if piece.len() >= PIECE_SIZE || is_end && !piece.is_empty() {
            *start += piece.len() as u64;
            let piece = Bytes::from(std::mem::take(&mut piece));
            if sender.send(Ok(piece)).await.is_err() {
                return Ok(true);
            }
        }
        match chunk {
            None => return Ok(false),
            Some(Err(error)) => return Err(request.refused(&error)),
            Some(Ok(_)) => {}
        }
    }
}

/// An object whose parts are read.
pub(super) struct Parts {
    pub(super) live: Arc<Live>,
    pub(super) request: Request,
    pub(super) size: u64,
}

impl Ranges for Parts {
    fn read_at(&self, start: u64, buffer: &mut [u8]) -> io::Result<()> {
        let end = start.checked_add(buffer.len() as u64);
        let end = end
            .filter(|&end| end <= self.size)
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        if buffer.is_empty() {
            return Ok(());
        }
        let read = self.live.wait(async {
            let (mut under_way, mut from, mut at) = (UnderWay::default(), start, 0);
            loop {
                while under_way.0.len() < SEGMENTS_MAX && from < end {
                    let range = from..end.min(from + SEGMENT_SIZE);
                    under_way.ask(&self.request, range.clone());
                    from = range.end;
                }
                let Some(bytes) = under_way.first(&self.request).await? else {
                    return Ok(());
                };
                buffer[at..at + bytes.len()].copy_from_slice(&bytes);
                at += bytes.len();
            }
        });
        read.map_err(super::into_io)
    }

    fn read_size(&self) -> usize {
        SEGMENT_SIZE as usize
    }
}
