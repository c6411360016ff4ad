//! The notation of Einstein's summation: `ij,jk->ik`.
//!
//! What is allowed is what `numpy.einsum` says: letters, spaces anywhere between them, at most one ellipsis an
//! operand, and without `->` the letters that occur once, sorted, after the axes of the ellipses.

use super::order::Labels;
use crate::Error;

/// The axes of each operand and of the result, by label.
#[derive(Debug)]
pub(super) struct Subscripts {
    pub(super) operands: Vec<Vec<u8>>,
    pub(super) output: Vec<u8>,
}

/// Labels of letters; those of the axes behind an ellipsis follow.
const LETTERS: u8 = 52;

/// How many labels there are: as many as bits in [`Labels`].
pub(super) const LABELS: usize = Labels::BITS as usize;

/// Operands of one expression.
pub(super) const OPERANDS_MAX: usize = 64;

impl Subscripts {
    /// Reads subscripts for operands with these numbers of axes.
    pub(super) fn parse(text: &str, ranks: &[usize]) -> Result<Self, Error> {
        let fail = |why: String| Err(invalid(text, &why));
        let (inputs, output) = match text.split_once("->") {
            Some((inputs, output)) => (inputs, Some(output)),
            None => (text, None),
        };
        let named = inputs.split(',').count();
        if named != ranks.len() {
            let given = ranks.len();
            return fail(format!("they name {named} operands, and there are {given}"));
        }
        if named > OPERANDS_MAX {
            return fail(format!(
                "they name {named} operands, more than {OPERANDS_MAX}"
            ));
        }
        let mut operands = Vec::with_capacity(named);
        let mut hidden_max = 0;
        for (at, (part, &rank)) in inputs.split(',').zip(ranks).enumerate() {
            let part = Part::parse(text, part)?;
            let letters = part.before.len() + part.after.len();
            let hidden = match (part.ellipsis, rank.checked_sub(letters)) {
                (true, Some(hidden)) => hidden,
                (false, Some(0)) => 0,
                _ => {
                    return fail(format!(
                        "operand {at} has {rank} axes, and its subscripts name {letters}"
                    ));
                }
            };
            if hidden > LABELS - LETTERS as usize {
                return fail(format!("operand {at} has too many axes"));
            }
            hidden_max = hidden_max.max(hidden);
            operands.push(part.expand(hidden));
        }
        let output = match output {
            None => implied(&operands, hidden_max),
            Some(part) => {
                let part = Part::parse(text, part)?;
                if hidden_max > 0 && !part.ellipsis {
                    return fail("the result has no ellipsis for the axes behind one".to_owned());
                }
                let hidden = if part.ellipsis { hidden_max } else { 0 };
                part.expand(hidden)
            }
        };
        let known = operands
            .iter()
            .flatten()
            .fold(0, |all, &label| all | bit(label));
        for (at, &label) in output.iter().enumerate() {
            if output[..at].contains(&label) {
                return fail(format!("the result names {} twice", name(label)));
            }
            if known & bit(label) == 0 {
                return fail(format!(
                    "the result names {}, which no operand has",
                    name(label)
                ));
            }
        }
        Ok(Self { operands, output })
    }
}

/// A label as a bit.
pub(super) fn bit(label: u8) -> Labels {
    1 << label
}

/// How a message calls a label.
pub(super) fn name(label: u8) -> String {
    match label {
        0..26 => format!("`{}`", (b'A' + label) as char),
        26..LETTERS => format!("`{}`", (b'a' + label - 26) as char),
        _ => format!("axis -{} of an ellipsis", LABELS - label as usize),
    }
}

pub(super) fn invalid(text: &str, why: &str) -> Error {
    Error::invalid(format!("cannot follow the subscripts `{text}`: {why}"))
}

/// The axes that occur once, those behind an ellipsis first.
fn implied(operands: &[Vec<u8>], hidden: usize) -> Vec<u8> {
    let times = |label: u8| {
        let all = operands.iter().flatten();
        all.filter(|&&other| other == label).count()
    };
    hidden_labels(hidden)
        .chain((0..LETTERS).filter(|&label| times(label) == 1))
        .collect()
}

/// The labels of the last axes of an ellipsis, in order.
fn hidden_labels(count: usize) -> impl Iterator<Item = u8> {
    (LABELS - count..LABELS).map(|label| label as u8)
}

/// The subscripts of one operand.
struct Part {
    before: Vec<u8>,
    ellipsis: bool,
    after: Vec<u8>,
}

impl Part {
    fn parse(text: &str, part: &str) -> Result<Self, Error> {
        let (before, after, ellipsis) = match part.split_once("...") {
            Some((before, after)) => (before, after, true),
            None => (part, "", false),
        };
        Ok(Self {
            before: letters(text, before)?,
            ellipsis,
            after: letters(text, after)?,
        })
    }

    fn expand(mut self, hidden: usize) -> Vec<u8> {
        self.before.extend(hidden_labels(hidden));
        self.before.append(&mut self.after);
        self.before
    }
}

fn letters(text: &str, part: &str) -> Result<Vec<u8>, Error> {
    let label = |letter: char| match letter {
        'A'..='Z' => Ok(letter as u8 - b'A'),
        'a'..='z' => Ok(letter as u8 - b'a' + 26),
        '.' => Err(invalid(
            text,
            "a `.` is no part of the one ellipsis that an operand may have",
        )),
        '-' | '>' => Err(invalid(text, "there is no single `->`")),
        _ => Err(invalid(text, &format!("`{letter}` is no letter"))),
    };
    part.chars()
        .filter(|letter| !letter.is_whitespace())
        .map(label)
        .collect()
}
