//! Pipelines from files to rows.

mod arrow;
mod broken;
mod cut_runs;
mod groups;
mod groups_repeats;
mod harness;
mod images;
mod images_late;
mod index;
mod keys;
mod passages;
mod peers;
mod plan;
mod read;
mod repeats;
mod resume;
mod run;
mod stages;
mod write;
