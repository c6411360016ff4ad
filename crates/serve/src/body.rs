//! Reading a request's body within its limits.

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use hyper::header::{EXPECT, HeaderMap};
use tokio::time::timeout;

use crate::Limits;
use crate::fault::Fault;
use crate::limits::{DISCARD_SIZE_MAX, DISCARD_TIMEOUT};

/// Reads the whole body. A body that arrived in one piece is not copied.
///
/// A body that is too large is refused as soon as that is known: before the first byte if its
/// length was announced.
pub(crate) async fn read(
    mut body: Incoming,
    headers: &HeaderMap,
    limits: &Limits,
) -> Result<Bytes, Fault> {
    let whole = collect(&mut body, limits.body_size_max);
    match timeout(limits.body_timeout, whole).await {
        Err(_elapsed) => Err(Fault::BodyTimedOut),
        Ok(Err(fault @ Fault::BodyTooLarge { .. })) => {
            skip(body, headers);
            Err(fault)
        }
        Ok(result) => result,
    }
}

/// Has what is left of a refused request's body read and dropped in the background.
///
/// Closing a socket with unread bytes resets the connection, and a client that writes before it
/// reads would see the reset instead of the refusal.
pub(crate) fn skip(body: Incoming, headers: &HeaderMap) {
    // A client that waits for `100 Continue` has not sent the body and will not.
    if !body.is_end_stream() && !headers.contains_key(EXPECT) {
        tokio::spawn(discard(body));
    }
}

async fn collect(body: &mut Incoming, size_max: usize) -> Result<Bytes, Fault> {
    if body.size_hint().lower() > size_max as u64 {
        return Err(Fault::BodyTooLarge { size_max });
    }
    let mut first = Bytes::new();
    let mut joined = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Fault::BodyBroken)?.into_data() else {
            continue; // Trailers say nothing that a handler is told.
        };
        if first.len() + joined.len() + data.len() > size_max {
            return Err(Fault::BodyTooLarge { size_max });
        }
        if first.is_empty() && joined.is_empty() {
            first = data;
        } else {
            joined.extend_from_slice(&std::mem::take(&mut first));
            joined.extend_from_slice(&data);
        }
    }
    Ok(if joined.is_empty() {
        first
    } else {
        joined.freeze()
    })
}

async fn discard(mut body: Incoming) {
    let reading = async {
        let mut size = 0;
        while let Some(Ok(frame)) = body.frame().await {
            size += frame.data_ref().map_or(0, Bytes::len);
            if size > DISCARD_SIZE_MAX {
                break;
            }
        }
    };
    // Out of time or not, the connection is closed after this.
    let _ = timeout(DISCARD_TIMEOUT, reading).await;
}
