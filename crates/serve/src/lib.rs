//! Serve inference handlers over HTTP with the SageMaker contracts.
//!
//! One server answers three kinds of client:
//!
//! | who asks | how | contract |
//! |---|---|---|
//! | a platform that runs the program as a container | `GET /ping`, `POST /invocations` | [SageMaker container] |
//! | an unmodified AWS client with `endpoint_url` | `POST /endpoints/{name}/invocations` | [`InvokeEndpoint`] |
//! | a browser | `GET` of any other path | the program's own [`Site`] |
//!
//! ```
//! use std::time::Duration;
//! use nexus_serve::{Server, echo::Echo};
//!
//! let server = Server::builder()
//!     .bind("127.0.0.1:0".parse()?)
//!     .endpoint("default", || Ok(Box::new(Echo)))
//!     .start()?;
//! server.wait_ready(Duration::from_secs(10))?;
//! println!("POST {}/invocations", server.url());
//! server.shutdown();
//! server.wait()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The socket is bound first and the models load in the background; until all of them are loaded
//! `/ping` answers 503. A model that fails to load ends the server with the reason. Every queue,
//! buffer and wait that a client can drive has a bound in [`Limits`].
//!
//! It is not a reverse proxy: no TLS, no HTTP/2, no routing to other machines.
//!
//! [SageMaker container]: https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html
//! [`InvokeEndpoint`]: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html

#![forbid(unsafe_code)]

mod body;
mod connection;
pub mod echo;
mod endpoint;
mod error;
pub mod fault;
mod limits;
mod queue;
mod request_id;
pub mod route;
mod server;
mod service;
mod signals;
mod site;
mod state;

pub use error::{Error, ErrorKind, Result};
pub use limits::Limits;
pub use server::{Builder, DEFAULT_PORT, MODEL_DIR, Server, port_from_env};
pub use site::{Page, Site};

#[cfg(doctest)]
#[doc = include_str!("../../../docs/serve.md")]
struct Docs;
