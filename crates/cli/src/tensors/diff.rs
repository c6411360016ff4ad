//! `nexus tensors diff`: what is in one file and not in the other, and how far values are apart.

use super::checkpoint::{data_size, open};
use super::watch::Watch;
use crate::failure::Failure;
use crate::output::Output;
use crate::progress::ProgressMode;
use clap::Args;
use nexus_convert::{Difference, compare};
use nexus_safetensors::{Backend, Checkpoint, TensorInfo};
use serde::Serialize;
use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// How many bytes are compared between two looks at Ctrl-C; elements of any type end there.
const PIECE_SIZE: usize = 16 << 20;

#[derive(Args)]
pub(crate) struct Arguments {
    /// A safetensors file, a folder, or an index.
    a: PathBuf,
    /// The other one.
    b: PathBuf,
}

#[derive(Default, Serialize)]
struct Differences {
    only_a: Vec<String>,
    only_b: Vec<String>,
    /// Type or shape differ.
    kinds: Vec<Kinds>,
    /// Type and shape are equal, values are not.
    values: Vec<Values>,
    equal: usize,
}

#[derive(Serialize)]
struct Kinds {
    name: String,
    a: Kind,
    b: Kind,
}

#[derive(Serialize)]
struct Kind {
    dtype: String,
    shape: Vec<usize>,
}

#[derive(Serialize)]
struct Values {
    name: String,
    dtype: String,
    /// How many elements differ.
    different: usize,
    elements: usize,
    /// For floats; not there where it is infinite or no number.
    max_abs_difference: Option<f64>,
}

pub(super) fn run(
    arguments: &Arguments,
    output: Output,
    mode: ProgressMode,
) -> Result<ExitCode, Failure> {
    let (a, b) = (
        open(&arguments.a, Backend::Map)?,
        open(&arguments.b, Backend::Map)?,
    );
    let watch = Watch::new(mode, "compare", data_size(&a))?;
    let mut found = Differences::default();
    for name in a.names() {
        let ours = a.info(name)?;
        match b.info(name) {
            Err(_) => found.only_a.push(name.to_owned()),
            Ok(theirs) if (ours.dtype, &ours.shape) != (theirs.dtype, &theirs.shape) => {
                let (name, a, b) = (name.to_owned(), Kind::of(ours), Kind::of(theirs));
                found.kinds.push(Kinds { name, a, b });
            }
            Ok(_) => found.add(name, ours, difference(&a, &b, name, &watch)?),
        }
    }
    let missing = b.names().filter(|name| a.info(name).is_err());
    found.only_b.extend(missing.map(str::to_owned));
    drop(watch);
    output.print(&found, list)?;
    Ok(ExitCode::from(u8::from(!found.is_empty())))
}

impl Kind {
    fn of(info: &TensorInfo) -> Self {
        Self {
            dtype: info.dtype.to_string(),
            shape: info.shape.clone(),
        }
    }
}

/// Compares tensors of one type and shape piece by piece.
fn difference(
    a: &Checkpoint,
    b: &Checkpoint,
    name: &str,
    watch: &Watch,
) -> Result<Difference, Failure> {
    let TensorInfo {
        dtype,
        data_offsets: (start, end),
        ..
    } = a.info(name)?;
    let size = end - start;
    let mut found = Difference::default();
    for start in (0..size).step_by(PIECE_SIZE) {
        if watch.is_interrupted() {
            return Err(Failure::interrupted());
        }
        let piece = start..size.min(start + PIECE_SIZE);
        let read = |of: &Checkpoint| of.file_of(name)?.read_ranges(name, [piece.clone()]);
        found = found.and(compare(*dtype, read(a)?.as_ref(), read(b)?.as_ref()));
        watch.add(piece.len() as u64);
    }
    Ok(found)
}

impl Differences {
    fn add(&mut self, name: &str, info: &TensorInfo, difference: Difference) {
        if difference.count == 0 {
            self.equal += 1;
            return;
        }
        self.values.push(Values {
            name: name.to_owned(),
            dtype: info.dtype.to_string(),
            different: difference.count,
            elements: info.shape.iter().product(),
            max_abs_difference: difference.max_abs.filter(|max| max.is_finite()),
        });
    }

    fn is_empty(&self) -> bool {
        self.only_a.is_empty()
            && self.only_b.is_empty()
            && self.kinds.is_empty()
            && self.values.is_empty()
    }
}

fn list(found: &Differences) -> String {
    let mut text = String::new();
    for name in &found.only_a {
        let _ = writeln!(text, "- {name}");
    }
    for name in &found.only_b {
        let _ = writeln!(text, "+ {name}");
    }
    for Kinds { name, a, b } in &found.kinds {
        let (a_dtype, a_shape, b_dtype, b_shape) = (&a.dtype, &a.shape, &b.dtype, &b.shape);
        let _ = writeln!(
            text,
            "! {name}: {a_dtype} {a_shape:?} against {b_dtype} {b_shape:?}"
        );
    }
    for row in &found.values {
        let Values {
            name,
            different,
            elements,
            ..
        } = row;
        let _ = write!(text, "~ {name}: {different} of {elements} elements differ");
        match row.max_abs_difference {
            Some(max) => writeln!(text, ", by {max:e} at most"),
            None => writeln!(text),
        }
        .expect("text grows");
    }
    let Differences {
        only_a,
        only_b,
        kinds,
        values,
        equal,
    } = found;
    let _ = write!(
        text,
        "{equal} equal, {} with other values, {} of another type or shape, {} only in the first, {} only in the second",
        values.len(),
        kinds.len(),
        only_a.len(),
        only_b.len()
    );
    text
}
