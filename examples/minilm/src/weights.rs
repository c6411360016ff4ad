//! The weights: views of the memory-mapped safetensors file, their shapes checked once.

use crate::Precision;
use crate::error::Error;
use nexus_linalg::Isa;
use nexus_linalg::kernels::quantize_row;
use nexus_safetensors::SafeTensorsFile;
use nexus_tensor::Tensor;
use serde::Deserialize;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The sizes of the model, as `config.json` of Hugging Face transformers names them.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Config {
    pub(crate) hidden_size: usize,
    pub(crate) num_hidden_layers: usize,
    pub(crate) num_attention_heads: usize,
    pub(crate) intermediate_size: usize,
    pub(crate) max_position_embeddings: usize,
    pub(crate) type_vocab_size: usize,
    pub(crate) vocab_size: usize,
    pub(crate) layer_norm_eps: f32,
    hidden_act: String,
}

/// A longer `config.json` is read no further and so is no JSON.
const CONFIG_SIZE_MAX: u64 = 1 << 20;

/// Sizes above this are no MiniLM: a wrong file is refused before memory is asked for.
const DIMENSION_MAX: usize = 1 << 20;

impl Config {
    /// Reads `config.json` and checks that this crate can run what it describes.
    pub(crate) fn read(path: &Path) -> Result<Self, Error> {
        let mut bytes = Vec::new();
        File::open(path)
            .and_then(|file| file.take(CONFIG_SIZE_MAX).read_to_end(&mut bytes))
            .map_err(|source| Error::read(path, source))?;
        let config: Self =
            serde_json::from_slice(&bytes).map_err(|e| Error::config(path, &e.to_string()))?;
        let sizes = [
            ("hidden_size", config.hidden_size),
            ("num_hidden_layers", config.num_hidden_layers),
            ("num_attention_heads", config.num_attention_heads),
            ("intermediate_size", config.intermediate_size),
            ("max_position_embeddings", config.max_position_embeddings),
            ("type_vocab_size", config.type_vocab_size),
            ("vocab_size", config.vocab_size),
        ];
        if let Some((name, size)) = sizes
            .into_iter()
            .find(|&(_, size)| size == 0 || size > DIMENSION_MAX)
        {
            return Err(Error::config(
                path,
                &format!("{name} is {size}, not in 1..={DIMENSION_MAX}"),
            ));
        }
        if !config
            .hidden_size
            .is_multiple_of(config.num_attention_heads)
        {
            return Err(Error::config(
                path,
                "hidden_size is no multiple of num_attention_heads",
            ));
        }
        if config.hidden_act != "gelu" {
            return Err(Error::config(
                path,
                &format!("hidden_act is `{}`, not `gelu`", config.hidden_act),
            ));
        }
        Ok(config)
    }
}

/// An f32 tensor of a checked shape in the mapped file.
pub(crate) struct Values(Tensor);

impl Values {
    /// All values in row-major order.
    pub(crate) fn values(&self) -> &[f32] {
        self.0
            .as_slice()
            .expect("checked when the model was loaded")
    }
}

/// A linear layer: `x * weight^T + bias` with `weight` of shape `[outputs, inputs]`.
pub(crate) struct Dense {
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    pub(crate) weight: Weight,
    pub(crate) bias: Vec<f32>,
}

/// A weight in the numbers that it is multiplied by.
pub(crate) enum Weight {
    /// The transposed weight, `[inputs, outputs]`: so a product reads it where it is, or packs it by rows.
    F32(Vec<f32>),
    /// Rows of whole numbers, `[outputs, inputs]`, each with the scale that it is to be multiplied by.
    Int8 { numbers: Vec<i8>, scales: Vec<f32> },
}

/// Rows that are transposed at a time: their items lie side by side then.
const ROWS: usize = 16;

impl Weight {
    /// The transposed rows of all parts, one after the other.
    fn transposed(parts: &[Values], outputs: usize, inputs: usize) -> Self {
        let mut all = vec![0.0; inputs * outputs];
        let blocks = parts
            .iter()
            .flat_map(|part| part.values().chunks(ROWS * inputs));
        let mut first = 0;
        for rows in blocks {
            for (input, to) in all.chunks_exact_mut(outputs).enumerate() {
                let items = rows.iter().skip(input).step_by(inputs);
                to[first..]
                    .iter_mut()
                    .zip(items)
                    .for_each(|(to, &item)| *to = item);
            }
            first += rows.len() / inputs;
        }
        Self::F32(all)
    }

    /// The rows of all parts, each rounded to numbers of 8 bits with a scale.
    fn quantized(parts: &[Values], outputs: usize, inputs: usize) -> Self {
        let mut numbers = vec![0; outputs * inputs];
        let rows = parts
            .iter()
            .flat_map(|part| part.values().chunks_exact(inputs));
        let scales = rows
            .zip(numbers.chunks_exact_mut(inputs))
            .map(|(row, numbers)| quantize_row(Isa::detect(), row, numbers))
            .collect();
        Self::Int8 { numbers, scales }
    }
}

/// The parameters of a layer norm.
pub(crate) struct LayerNorm {
    pub(crate) weight: Values,
    pub(crate) bias: Values,
    pub(crate) epsilon: f32,
}

/// One transformer layer.
pub(crate) struct Layer {
    /// Query, key and value one after the other.
    pub(crate) qkv: Dense,
    pub(crate) attention_output: Dense,
    pub(crate) attention_norm: LayerNorm,
    pub(crate) intermediate: Dense,
    pub(crate) output: Dense,
    pub(crate) output_norm: LayerNorm,
}

/// The whole model.
pub(crate) struct Weights {
    pub(crate) config: Config,
    pub(crate) words: Values,
    pub(crate) positions: Values,
    pub(crate) types: Values,
    pub(crate) embedding_norm: LayerNorm,
    pub(crate) layers: Vec<Layer>,
}

impl Weights {
    /// Maps `model.safetensors` in `folder` and checks every tensor against `config.json`.
    pub(crate) fn open(folder: &Path, precision: Precision) -> Result<Self, Error> {
        let config = Config::read(&folder.join("config.json"))?;
        let path = folder.join("model.safetensors");
        let file = SafeTensorsFile::open(&path).map_err(|source| Error::weights(&path, source))?;
        let source = Source {
            path: &path,
            file: &file,
            epsilon: config.layer_norm_eps,
            precision,
        };
        let hidden = config.hidden_size;
        Ok(Self {
            words: source.values(
                "embeddings.word_embeddings.weight",
                &[config.vocab_size, hidden],
            )?,
            positions: source.values(
                "embeddings.position_embeddings.weight",
                &[config.max_position_embeddings, hidden],
            )?,
            types: source.values(
                "embeddings.token_type_embeddings.weight",
                &[config.type_vocab_size, hidden],
            )?,
            embedding_norm: source.layer_norm("embeddings.LayerNorm", hidden)?,
            layers: (0..config.num_hidden_layers)
                .map(|index| source.layer(index, hidden, config.intermediate_size))
                .collect::<Result<_, _>>()?,
            config,
        })
    }
}

/// Where tensors are taken from, by name.
struct Source<'a> {
    path: &'a Path,
    file: &'a SafeTensorsFile,
    epsilon: f32,
    precision: Precision,
}

impl Source<'_> {
    fn values(&self, name: &str, shape: &[usize]) -> Result<Values, Error> {
        let tensor = self
            .file
            .shared_tensor(name)
            .map_err(|source| Error::weights(self.path, source))?;
        let values = tensor.as_slice::<f32>();
        if tensor.shape() != shape || values.is_err() {
            let found = format!("{} {:?}", tensor.dtype(), tensor.shape());
            return Err(Error::shape(self.path, name, &found, shape));
        }
        Ok(Values(tensor))
    }

    /// The layers of these names as one: their outputs one after the other.
    fn dense(&self, names: &[&str], outputs: usize, inputs: usize) -> Result<Dense, Error> {
        let (mut parts, mut bias) = (Vec::new(), Vec::new());
        for name in names {
            parts.push(self.values(&format!("{name}.weight"), &[outputs, inputs])?);
            bias.extend_from_slice(self.values(&format!("{name}.bias"), &[outputs])?.values());
        }
        let outputs = outputs * names.len();
        let weight = match self.precision {
            Precision::F32 => Weight::transposed(&parts, outputs, inputs),
            Precision::Int8 => Weight::quantized(&parts, outputs, inputs),
        };
        Ok(Dense {
            inputs,
            outputs,
            weight,
            bias,
        })
    }

    fn layer_norm(&self, name: &str, size: usize) -> Result<LayerNorm, Error> {
        let weight = self.values(&format!("{name}.weight"), &[size])?;
        let bias = self.values(&format!("{name}.bias"), &[size])?;
        Ok(LayerNorm {
            weight,
            bias,
            epsilon: self.epsilon,
        })
    }

    fn layer(&self, index: usize, hidden: usize, wide: usize) -> Result<Layer, Error> {
        let name = |part: &str| format!("encoder.layer.{index}.{part}");
        let qkv = ["query", "key", "value"].map(|part| name(&format!("attention.self.{part}")));
        let qkv = [&*qkv[0], &*qkv[1], &*qkv[2]];
        let attention_output = name("attention.output.dense");
        let (intermediate, output) = (name("intermediate.dense"), name("output.dense"));
        Ok(Layer {
            qkv: self.dense(&qkv, hidden, hidden)?,
            attention_output: self.dense(&[&attention_output], hidden, hidden)?,
            attention_norm: self.layer_norm(&name("attention.output.LayerNorm"), hidden)?,
            intermediate: self.dense(&[&intermediate], wide, hidden)?,
            output: self.dense(&[&output], hidden, wide)?,
            output_norm: self.layer_norm(&name("output.LayerNorm"), hidden)?,
        })
    }
}
