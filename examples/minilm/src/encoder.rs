//! The transformer: token ids in, one unit vector per sequence out.
//!
//! Sequences of different lengths are packed one after the other into one tall matrix, so that no
//! work is spent on padding; only attention looks at one sequence at a time. The model is BERT
//! (Devlin et al. 2019) with mean pooling (Reimers and Gurevych 2019).

use crate::weights::{Dense, Layer, LayerNorm, Weight, Weights};
use nexus_linalg::engine::Engine;
use nexus_linalg::kernels::{
    add_bias, add_bias_layer_norm, bias_gelu, l2_normalize, layer_norm, mean_pool, quantize_row,
    scale_sums, softmax,
};
use nexus_linalg::{Context, Gemm, Isa, MatMut, MatRef};

/// Tokens that one pass takes together: tall enough for GEMM to run at its peak, small enough for
/// the activations to stay in the cache.
const PASS_TOKENS_MAX: usize = 512;

/// Below this many tokens a pass spends its time on reading and packing the weights.
const PASS_TOKENS_MIN: usize = 96;

/// Passes for each thread of a call with few tokens: one that is held up leaves some of its own to the others.
const PASSES_PER_THREAD: usize = 4;

/// The buffers of one pass, grown once and reused.
#[derive(Default)]
pub(crate) struct Workspace {
    /// The residual stream, `[tokens, hidden]`.
    hidden: Vec<f32>,
    /// Queries, keys and values side by side, `[tokens, 3 * hidden]`.
    qkv: Vec<f32>,
    /// What attention gathered, `[tokens, hidden]`.
    context: Vec<f32>,
    /// The output of a projection before bias and residual, `[tokens, hidden]`.
    projected: Vec<f32>,
    /// The wide layer, `[tokens, intermediate]`.
    wide: Vec<f32>,
    /// Attention scores of one head, `[length, length]`.
    scores: Vec<f32>,
    quantized: Quantized,
}

/// The buffers of a product of numbers of 8 bits.
#[derive(Default)]
struct Quantized {
    /// The left operand, `[tokens, inputs]`.
    numbers: Vec<i8>,
    /// The product, `[tokens, outputs]`.
    sums: Vec<i32>,
}

/// Cuts sequences into passes: of up to [`PASS_TOKENS_MAX`] tokens, and of fewer where threads would be idle.
pub(crate) fn passes(sequences: &[Vec<u32>], threads: usize) -> Vec<&[Vec<u32>]> {
    let tokens: usize = sequences.iter().map(Vec::len).sum();
    let share = tokens.div_ceil(threads * PASSES_PER_THREAD);
    let most = if threads == 1 {
        PASS_TOKENS_MAX
    } else {
        share.clamp(PASS_TOKENS_MIN, PASS_TOKENS_MAX)
    };
    let mut passes = Vec::new();
    let mut rest = sequences;
    while !rest.is_empty() {
        let (pass, next) = rest.split_at(pass_len(rest, most));
        passes.push(pass);
        rest = next;
    }
    passes
}

/// How many of the first sequences have at most so many tokens; at least one.
fn pass_len(sequences: &[Vec<u32>], most: usize) -> usize {
    let mut tokens = 0;
    let fits = |sequence: &&Vec<u32>| {
        tokens += sequence.len();
        tokens <= most
    };
    sequences.iter().take_while(fits).count().max(1)
}

/// Writes the unit vector of each sequence of a pass (special tokens included) to the rows of `out`.
///
/// # Panics
/// When an id or a length is out of range: the caller checks both.
pub(crate) fn encode(weights: &Weights, pass: &[Vec<u32>], work: &mut Workspace, out: &mut [f32]) {
    let (isa, hidden) = (Isa::detect(), weights.config.hidden_size);
    forward(weights, isa, pass, work);
    let mut rest = &*work.hidden;
    for (sequence, row) in pass.iter().zip(out.chunks_exact_mut(hidden)) {
        let (tokens, next) = rest.split_at(sequence.len() * hidden);
        mean_pool(isa, tokens, row);
        l2_normalize(isa, row);
        rest = next;
    }
}

/// Runs all layers; the result stands in `work.hidden`.
fn forward(weights: &Weights, isa: Isa, pass: &[Vec<u32>], work: &mut Workspace) {
    embed_tokens(weights, isa, pass, work);
    let tokens: usize = pass.iter().map(Vec::len).sum();
    let hidden = weights.config.hidden_size;
    work.qkv.resize(tokens * 3 * hidden, 0.0);
    work.context.resize(tokens * hidden, 0.0);
    work.projected.resize(tokens * hidden, 0.0);
    work.wide
        .resize(tokens * weights.config.intermediate_size, 0.0);
    for layer in &weights.layers {
        attend(weights, layer, isa, pass, work);
        let quantized = &mut work.quantized;
        project(
            isa,
            (&work.context, tokens),
            &layer.attention_output,
            &mut work.projected,
            quantized,
        );
        normalize(
            isa,
            &work.projected,
            &layer.attention_output,
            &layer.attention_norm,
            &mut work.hidden,
        );
        project(
            isa,
            (&work.hidden, tokens),
            &layer.intermediate,
            &mut work.wide,
            quantized,
        );
        bias_gelu(isa, &mut work.wide, &layer.intermediate.bias);
        project(
            isa,
            (&work.wide, tokens),
            &layer.output,
            &mut work.projected,
            quantized,
        );
        normalize(
            isa,
            &work.projected,
            &layer.output,
            &layer.output_norm,
            &mut work.hidden,
        );
    }
}

/// `hidden = norm(word + position + type)`.
fn embed_tokens(weights: &Weights, isa: Isa, pass: &[Vec<u32>], work: &mut Workspace) {
    let hidden = weights.config.hidden_size;
    let (words, positions) = (weights.words.values(), weights.positions.values());
    let kind = &weights.types.values()[..hidden];
    let (scale, shift) = (
        weights.embedding_norm.weight.values(),
        weights.embedding_norm.bias.values(),
    );
    work.hidden.clear();
    for sequence in pass {
        for (place, &id) in sequence.iter().enumerate() {
            let word = &words[id as usize * hidden..][..hidden];
            let position = &positions[place * hidden..][..hidden];
            let start = work.hidden.len();
            let sum = word
                .iter()
                .zip(position)
                .zip(kind)
                .map(|((word, place), kind)| word + place + kind);
            work.hidden.extend(sum);
            layer_norm(
                isa,
                &mut work.hidden[start..],
                scale,
                shift,
                weights.config.layer_norm_eps,
            );
        }
    }
}

/// Self-attention of every sequence and head: `context = softmax(q k^T / sqrt d) v`.
fn attend(weights: &Weights, layer: &Layer, isa: Isa, pass: &[Vec<u32>], work: &mut Workspace) {
    let hidden = weights.config.hidden_size;
    let (wide, depth) = (3 * hidden, hidden / weights.config.num_attention_heads);
    let tokens = work.hidden.len() / hidden;
    project(
        isa,
        (&work.hidden, tokens),
        &layer.qkv,
        &mut work.qkv,
        &mut work.quantized,
    );
    add_bias(isa, &mut work.qkv, &layer.qkv.bias);
    let scale = 1.0 / (depth as f32).sqrt();
    let mut start = 0;
    for length in pass.iter().map(Vec::len) {
        work.scores.resize(length * length, 0.0);
        for head in 0..weights.config.num_attention_heads {
            let part = |which: usize| {
                let from = &work.qkv[start * wide + which * hidden + head * depth..];
                MatRef::with_strides(from, (length, depth), (wide, 1))
                    .expect("a head of a sequence")
            };
            let scores = &mut work.scores;
            let square = MatMut::new(scores, length, length).expect("a square of scores");
            Engine.gemm(1.0, part(0), part(1).transpose(), 0.0, square);
            scores
                .chunks_exact_mut(length)
                .for_each(|row| softmax(isa, row, scale));
            let scores = MatRef::new(scores, length, length).expect("a square of scores");
            let to = &mut work.context[start * hidden + head * depth..];
            let to = MatMut::with_strides(to, (length, depth), (hidden, 1))
                .expect("a head of the context");
            Engine.gemm(1.0, scores, part(2), 0.0, to);
        }
        start += length;
    }
}

/// `to = from * weight^T`; the bias is added by what follows, in the same pass over memory.
fn project(
    isa: Isa,
    (from, tokens): (&[f32], usize),
    dense: &Dense,
    to: &mut [f32],
    quantized: &mut Quantized,
) {
    let (inputs, outputs) = (dense.inputs, dense.outputs);
    match &dense.weight {
        Weight::F32(weight) => {
            let from = MatRef::new(from, tokens, inputs).expect("one row a token");
            let weight = MatRef::new(weight, inputs, outputs).expect("one row an input");
            let to = MatMut::new(to, tokens, outputs).expect("one row a token");
            Engine.gemm(1.0, from, weight, 0.0, to);
        }
        Weight::Int8 { numbers, scales } => {
            let rows = from.chunks_exact(inputs);
            quantized.numbers.resize(tokens * inputs, 0);
            quantized.sums.resize(tokens * outputs, 0);
            let row_scales: Vec<f32> = rows
                .zip(quantized.numbers.chunks_exact_mut(inputs))
                .map(|(row, numbers)| quantize_row(isa, row, numbers))
                .collect();
            let from = MatRef::new(&quantized.numbers, tokens, inputs).expect("one row a token");
            let weight = MatRef::new(numbers, outputs, inputs).expect("one row an output");
            let sums = MatMut::new(&mut quantized.sums, tokens, outputs).expect("one row a token");
            Context::default()
                .matmul_wide(from, weight.transpose(), sums)
                .expect("shapes that fit");
            let sums = quantized.sums.chunks_exact(outputs);
            for ((to, sums), scale) in to.chunks_exact_mut(outputs).zip(sums).zip(row_scales) {
                scale_sums(isa, sums, scale, scales, to);
            }
        }
    }
}

/// `hidden = norm(hidden + projected + bias)`.
fn normalize(isa: Isa, projected: &[f32], dense: &Dense, norm: &LayerNorm, hidden: &mut [f32]) {
    let norm = (norm.weight.values(), norm.bias.values(), norm.epsilon);
    add_bias_layer_norm(isa, projected, &dense.bias, hidden, norm);
}
