//! What the author of an inference handler writes against.
//!
//! A handler turns a [`Request`] into a [`Response`]. It knows nothing of sockets, threads or
//! HTTP: a host (`nexus-serve`) loads it, feeds it and shapes its answers.
//!
//! ```
//! use nexus_handler::{Error, Handler, Request, Response, Result};
//!
//! struct Shout;
//!
//! impl Handler for Shout {
//!     fn load(_model_dir: &str) -> Result<Self> {
//!         Ok(Shout)
//!     }
//!
//!     fn handle(&self, request: Request) -> Result<Response> {
//!         request.expect_content_type("text/plain")?;
//!         let text = core::str::from_utf8(request.body())
//!             .map_err(|error| Error::invalid_input("the body is not UTF-8").with_source(error))?;
//!         Ok(Response::text(text.to_uppercase()))
//!     }
//! }
//!
//! let shout = Shout::load("/opt/ml/model")?;
//! let answer = shout.handle(Request::new("hello").with_content_type("text/plain"))?;
//! assert_eq!(&answer.body()[..], b"HELLO");
//! # Ok::<(), Error>(())
//! ```
//!
//! The crate is `no_std` with `alloc` and depends on `bytes` alone, so that the same source builds
//! for a server, a function and a Wasm guest. There is no `Path` without `std`: the model folder is
//! a string, and a host refuses a folder whose name is not UTF-8.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod error;
mod handler;
mod request;
mod response;

pub use bytes::Bytes;
pub use error::{Error, ErrorKind, Result};
pub use handler::{Dispatch, FromFn, Handler, from_fn};
pub use request::Request;
pub use response::Response;
