//! Pipelines from files to rows.

mod harness;
mod passages;
mod plan;
mod read;
mod run;
