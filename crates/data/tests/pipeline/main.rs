//! Pipelines from files to rows.

mod broken;
mod groups;
mod harness;
mod passages;
mod peers;
mod plan;
mod read;
mod run;
mod stages;
mod write;
