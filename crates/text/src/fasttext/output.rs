//! From the vector of a text to the probabilities of labels.

use super::matrix::Matrix;
use crate::error::Error;

/// How a model was trained, which says how its output is read.
pub(super) enum Loss {
    /// A binary tree of decisions, one for each row of the output matrix (Goodman 2001).
    Tree(Vec<Node>),
    Softmax,
    /// A decision for each label on its own.
    Independent,
}

/// Where a decision of the tree leads. Numbers below that of labels are labels.
pub(super) struct Node {
    no: u32,
    yes: u32,
}

impl Loss {
    /// The loss of this number in files.
    pub(super) fn new(number: i32, labels: &[(String, i64)]) -> Result<Self, Error> {
        match number {
            1 => Ok(Self::Tree(tree(labels)?)),
            3 => Ok(Self::Softmax),
            2 | 4 => Ok(Self::Independent),
            _ => Err(Error::unsupported(format!(
                "cannot read a fastText model: its loss {number} is none of 1 to 4"
            ))),
        }
    }

    /// Gives `found` the number of each label and the logarithm of its probability. A label of the
    /// tree that is less likely than 0.00001 is left out.
    pub(super) fn predict(
        &self,
        output: &Matrix,
        hidden: &[f32],
        mut found: impl FnMut(usize, f32),
    ) {
        match self {
            Self::Tree(nodes) => walk(nodes, output, hidden, found),
            Self::Softmax => {
                let scores = (0..output.rows()).map(|row| output.dot_row(row, hidden));
                let mut scores: Vec<f32> = scores.collect();
                let top = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                for score in &mut scores {
                    *score = (*score - top).exp();
                }
                let sum: f32 = scores.iter().sum();
                for (label, score) in scores.iter().enumerate() {
                    found(label, log(score / sum));
                }
            }
            Self::Independent => {
                for label in 0..output.rows() {
                    found(label, log(sigmoid_step(output.dot_row(label, hidden))));
                }
            }
        }
    }
}

/// The Huffman tree of the labels: the two rarest are joined until one is left. Labels are sorted
/// from the most frequent, and ties go to joined ones, as in the format.
fn tree(labels: &[(String, i64)]) -> Result<Vec<Node>, Error> {
    let mut counts: Vec<i64> = labels.iter().map(|label| label.1).collect();
    if counts.iter().any(|&count| count < 0) {
        return Err(Error::corrupt(
            "cannot read a fastText model: a label occurs less than 0 times",
        ));
    }
    let (mut leaf, mut node) = (counts.len(), counts.len());
    let mut nodes = Vec::new();
    for _ in 1..labels.len() {
        let mut next = || {
            let is_leaf = leaf > 0
                && counts
                    .get(node)
                    .is_none_or(|&joined| counts[leaf - 1] < joined);
            if is_leaf {
                leaf -= 1;
                leaf
            } else {
                node += 1;
                node - 1
            }
        };
        let (no, yes) = (next(), next());
        counts.push(counts[no].saturating_add(counts[yes]));
        nodes.push(Node {
            no: no as u32,
            yes: yes as u32,
        });
    }
    Ok(nodes)
}

/// Walks the tree from its root with a stack of its own, since foreign counts may make it deep.
fn walk(nodes: &[Node], output: &Matrix, hidden: &[f32], mut found: impl FnMut(usize, f32)) {
    let labels = nodes.len() + 1;
    let least = log(0.0);
    let mut open = vec![(labels + nodes.len() - 1, 0.0)];
    while let Some((at, score)) = open.pop() {
        if score < least {
            continue;
        }
        let Some(decision) = at.checked_sub(labels) else {
            found(at, score);
            continue;
        };
        let node = &nodes[decision];
        let yes = sigmoid(output.dot_row(decision, hidden));
        open.push((node.yes as usize, score + log(yes)));
        open.push((node.no as usize, score + log((1.0 - f64::from(yes)) as f32)));
    }
}

/// The logarithm of a probability, kept finite.
fn log(probability: f32) -> f32 {
    (f64::from(probability) + 1e-5).ln() as f32
}

fn sigmoid(x: f32) -> f32 {
    (1.0 / f64::from(1.0 + (-x).exp())) as f32
}

/// The sigmoid of fastText's table of 512 steps between -8 and 8.
fn sigmoid_step(x: f32) -> f32 {
    if x < -8.0 {
        0.0
    } else if x > 8.0 {
        1.0
    } else {
        let step = ((x + 8.0) * 512.0 / 8.0 / 2.0) as i32 as f32;
        sigmoid((step * 16.0) / 512.0 - 8.0)
    }
}
