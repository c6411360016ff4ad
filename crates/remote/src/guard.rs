//! HTTP with bounded bodies of errors.
//!
//! `object_store` reads the body of an error whole and believes its declared size, to put it into a
//! message. A server could end the program so. The clouds say in the first bytes what is wrong; of other
//! servers nobody needs the body.

use std::pin::Pin;

use bytes::Bytes;
use futures_core::Stream;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpRequest, HttpResponse, HttpService, ReqwestConnector,
};

use crate::limits::{ERROR_BODY_SIZE_MAX, ERROR_BODY_TIME_MAX};
use crate::request::next;

/// Makes clients of `reqwest` whose errors are empty or short.
#[derive(Debug)]
pub(crate) struct Guard {
    body_size_max: usize,
}

impl Guard {
    /// Errors have no bodies.
    pub(crate) fn silent() -> Self {
        Self { body_size_max: 0 }
    }

    /// The first bytes of errors are read.
    pub(crate) fn brief() -> Self {
        Self {
            body_size_max: ERROR_BODY_SIZE_MAX,
        }
    }
}

impl HttpConnector for Guard {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let client = ReqwestConnector::default().connect(options)?;
        Ok(HttpClient::new(Guarded {
            client,
            body_size_max: self.body_size_max,
        }))
    }
}

#[derive(Debug)]
struct Guarded {
    client: HttpClient,
    body_size_max: usize,
}

impl HttpService for Guarded {
    fn call<'a, 'b>(
        &'a self,
        request: HttpRequest,
    ) -> Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(async move {
            let answer = self.client.execute(request).await?;
            if answer.status().is_success() {
                return Ok(answer);
            }
            let (parts, body) = answer.into_parts();
            let mut text = Vec::new();
            if self.body_size_max > 0 {
                let read = read(body.bytes_stream(), self.body_size_max, &mut text);
                // What has come by then is what is said.
                let _ = tokio::time::timeout(ERROR_BODY_TIME_MAX, read).await;
            }
            Ok(HttpResponse::from_parts(parts, Bytes::from(text).into()))
        })
    }
}

/// Reads at most `size_max` bytes.
async fn read(
    mut body: Pin<Box<dyn Stream<Item = Result<Bytes, HttpError>> + Send>>,
    size_max: usize,
    text: &mut Vec<u8>,
) {
    while let Some(Ok(chunk)) = next(&mut body).await {
        let rest = size_max - text.len();
        text.extend_from_slice(&chunk[..rest.min(chunk.len())]);
        if text.len() == size_max {
            return;
        }
    }
}
