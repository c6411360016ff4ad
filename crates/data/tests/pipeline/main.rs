//! Pipelines from files to rows.

mod arrow;
mod broken;
mod harness;
mod images;
mod passages;
mod peers;
mod plan;
mod read;
mod run;
mod stages;
mod write;
