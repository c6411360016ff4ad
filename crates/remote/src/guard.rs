//! HTTP without the bodies of errors.
//!
//! `object_store` reads the body of an error whole and believes its declared size, to put it into a
//! message. A server could end the program so; nobody needs the body.

use std::pin::Pin;

use bytes::Bytes;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpRequest, HttpResponse, HttpService, ReqwestConnector,
};

/// Makes clients of `reqwest` whose errors are empty.
#[derive(Debug)]
pub(crate) struct Guard;

impl HttpConnector for Guard {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let client = ReqwestConnector::default().connect(options)?;
        Ok(HttpClient::new(Guarded(client)))
    }
}

#[derive(Debug)]
struct Guarded(HttpClient);

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
            let answer = self.0.execute(request).await?;
            if answer.status().is_success() {
                return Ok(answer);
            }
            Ok(answer.map(|_| Bytes::new().into()))
        })
    }
}
