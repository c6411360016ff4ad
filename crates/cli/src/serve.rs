//! `nexus serve`: a built-in handler behind the SageMaker container contract.

use crate::failure::Failure;
use crate::output::Output;
use clap::{Args, ValueEnum};
use nexus_minilm::MiniLmHandler;
use nexus_serve::echo::Echo;
use nexus_serve::{Builder, MODEL_DIR, Server, port_from_env};
use serde::Serialize;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

#[derive(Args)]
pub(crate) struct Arguments {
    /// The handler.
    #[arg(long, value_enum, default_value_t = BuiltIn::Minilm)]
    handler: BuiltIn,
    /// The folder that holds the model.
    #[arg(long, value_name = "DIR", default_value = MODEL_DIR)]
    model_dir: PathBuf,
    /// The endpoint's name in `/endpoints/NAME/invocations`; the handler's name by default.
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    place: Place,
}

/// Where to listen.
#[derive(Args)]
pub(crate) struct Place {
    /// The address to listen at; a container listens at 0.0.0.0.
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST), value_name = "ADDRESS")]
    host: IpAddr,
    /// The port, 0 for any free one [default: that of the variable `SAGEMAKER_BIND_TO_PORT`, else 8080].
    #[arg(long)]
    port: Option<u16>,
}

#[derive(Clone, Copy, ValueEnum)]
enum BuiltIn {
    /// Answers with the request's body.
    Echo,
    /// Sentence embeddings: `{"texts": [...]}`.
    Minilm,
}

/// What is printed when the server answers.
#[derive(Serialize)]
struct Started {
    url: String,
}

pub(crate) fn run(arguments: Arguments, output: Output) -> Result<(), Failure> {
    let (default, model_dir) = (arguments.handler.to_possible_value(), arguments.model_dir);
    let default = default.map_or_else(String::new, |value| value.get_name().to_owned());
    let name = arguments.name.unwrap_or(default);
    let builder = match arguments.handler {
        BuiltIn::Echo => Server::builder().endpoint(name, || Ok(Box::new(Echo))),
        BuiltIn::Minilm => Server::builder().handler::<MiniLmHandler>(name, model_dir),
    };
    serve(builder, &arguments.place, output)
}

/// Starts the server, says where it listens once it is ready, and stays until a signal.
pub(crate) fn serve(builder: Builder, place: &Place, output: Output) -> Result<(), Failure> {
    let port = place.port.map_or_else(port_from_env, Ok)?;
    let server = builder
        .bind(SocketAddr::new(place.host, port))
        .drain_on_signals()
        .start()?;
    server.wait_ready(LOAD_TIMEOUT)?;
    let started = Started { url: server.url() };
    output.print(&started, |started| {
        format!("serving at {} (Ctrl-C ends it)", started.url)
    })?;
    Ok(server.wait()?)
}

/// How long a model may take to load.
const LOAD_TIMEOUT: Duration = Duration::from_mins(10);
