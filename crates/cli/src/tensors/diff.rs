//! `nexus tensors diff`: what is in one file and not in the other, and how far values are apart.

use super::checkpoint::{data_size, open, tensor};
use super::watch::Watch;
use crate::failure::Failure;
use crate::output::Output;
use crate::progress::ProgressMode;
use clap::Args;
use nexus_convert::{Difference, compare};
use nexus_safetensors::{Backend, TensorView};
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
        let Some(ours) = tensor(&a, name) else {
            continue;
        };
        match tensor(&b, name) {
            None => found.only_a.push(name.to_owned()),
            Some(theirs) if (ours.dtype(), ours.shape()) != (theirs.dtype(), theirs.shape()) => {
                let (name, a, b) = (name.to_owned(), Kind::of(&ours), Kind::of(&theirs));
                found.kinds.push(Kinds { name, a, b });
            }
            Some(theirs) => found.add(name, &ours, difference(&ours, &theirs, &watch)?),
        }
    }
    let missing = b.names().filter(|name| tensor(&a, name).is_none());
    found.only_b.extend(missing.map(str::to_owned));
    drop(watch);
    output.print(&found, list)?;
    Ok(ExitCode::from(u8::from(!found.is_empty())))
}

impl Kind {
    fn of(view: &TensorView<'_>) -> Self {
        Self {
            dtype: view.dtype().to_string(),
            shape: view.shape().to_vec(),
        }
    }
}

/// Compares tensors of one type and shape piece by piece.
fn difference(
    a: &TensorView<'_>,
    b: &TensorView<'_>,
    watch: &Watch,
) -> Result<Difference, Failure> {
    let mut found = Difference::default();
    for (ours, theirs) in a.data().chunks(PIECE_SIZE).zip(b.data().chunks(PIECE_SIZE)) {
        if watch.is_interrupted() {
            return Err(Failure::interrupted());
        }
        found = found.and(compare(a.dtype(), ours, theirs));
        watch.add(ours.len() as u64);
    }
    Ok(found)
}

impl Differences {
    fn add(&mut self, name: &str, view: &TensorView<'_>, difference: Difference) {
        if difference.count == 0 {
            self.equal += 1;
            return;
        }
        self.values.push(Values {
            name: name.to_owned(),
            dtype: view.dtype().to_string(),
            different: difference.count,
            elements: view.shape().iter().product(),
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
