//! [GGUF] files, version 2 and 3: metadata, then infos of tensors, then their data.
//!
//! Dimensions stand in reverse there: the first one varies fastest.
//!
//! [GGUF]: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md

mod blocks;
mod decode;
mod scan;

use std::collections::BTreeMap;

use nexus_tensor::DType;

use self::blocks::{Block, Elements, dequantize};
use self::decode::Decode;
use self::scan::{Scanner, Text};
use crate::input::Input;
use crate::limits::{GGUF_KEYS_MAX, GGUF_RANK_MAX, TENSORS_MAX};
use crate::source::{Content, Notes, Quantized, Read};
use crate::{Entry, Error};

/// Where tensors start, if the metadata does not say.
const ALIGNMENT: u64 = 32;

/// Reads the description of all tensors.
pub(crate) fn open(input: &Input, quantized: Quantized) -> Result<Content, Error> {
    let mut scanner = Scanner::new(input);
    let (tensor_count, key_count) = counts(&mut scanner)?;
    let (mut metadata, mut notes) = (BTreeMap::new(), Notes::default());
    let mut alignment = ALIGNMENT;
    let mut arrays = 0;
    for _ in 0..key_count {
        let key = scanner.text()?;
        let value = scanner.value();
        match value.map_err(|error| error.within(format_args!("metadata `{key}`")))? {
            Text::Array => arrays += 1,
            Text::Is(value) => {
                if key == "general.alignment" {
                    alignment = parse_alignment(&value)?;
                }
                if metadata.insert(key.clone(), value).is_some() {
                    return Err(Error::corrupt(format!("metadata `{key}` is given twice")));
                }
            }
        }
    }
    if arrays > 0 {
        notes.push(|| format!("left out {arrays} arrays of the metadata"));
    }
    let mut infos = Vec::new();
    for _ in 0..tensor_count {
        infos.push(Info::scan(&mut scanner)?);
    }
    let start = scanner.position().next_multiple_of(alignment);
    metadata.insert("format".to_owned(), "pt".to_owned());
    let (mut entries, mut plans) = (Vec::new(), Vec::new());
    for info in infos {
        let name = info.name.clone();
        let (entry, plan) = info
            .plan(input.size(), start, alignment, quantized)
            .map_err(|error| error.within(format_args!("tensor `{name}`")))?;
        if matches!(plan.becomes, Becomes::Blocks) {
            metadata.insert(format!("gguf.type.{name}"), plan.block.name.to_owned());
        }
        entries.push(entry);
        plans.push(plan);
    }
    let input = input.clone();
    Ok(Content {
        entries,
        metadata,
        notes,
        reader: Box::new(Tensors { input, plans }),
    })
}

/// Reads the head: how many tensors and how many keys there are.
fn counts(scanner: &mut Scanner) -> Result<(u64, u64), Error> {
    let [_, _, _, _] = scanner.array()?;
    let version = scanner.u32()?;
    match version {
        2 | 3 => {}
        _ if matches!(version.swap_bytes(), 1..=3) => {
            return Err(Error::unsupported("it is a big-endian GGUF file")
                .with_hint("convert it on the machine that made it"));
        }
        version => {
            return Err(Error::unsupported(format!(
                "it is GGUF version {version}; 2 and 3 are read"
            ))
            .with_hint("convert it with a current llama.cpp"));
        }
    }
    let (tensors, keys) = (scanner.u64()?, scanner.u64()?);
    if tensors > TENSORS_MAX as u64 {
        let what = format!("the file has {tensors} tensors");
        return Err(Error::limit(what, "TENSORS_MAX", TENSORS_MAX));
    }
    if keys > GGUF_KEYS_MAX {
        let what = format!("the metadata has {keys} keys");
        return Err(Error::limit(what, "GGUF_KEYS_MAX", GGUF_KEYS_MAX));
    }
    Ok((tensors, keys))
}

fn parse_alignment(text: &str) -> Result<u64, Error> {
    let parsed = text.parse::<u32>().ok();
    parsed
        .filter(|value| value.is_power_of_two())
        .map(u64::from)
        .ok_or_else(|| Error::corrupt(format!("the alignment is {text}, no power of two")))
}

/// What the file says of one tensor.
struct Info {
    name: String,
    /// The first dimension varies fastest.
    dimensions: Vec<u64>,
    kind: u32,
    offset: u64,
}

impl Info {
    fn scan(scanner: &mut Scanner) -> Result<Self, Error> {
        let name = scanner.text()?;
        let rank = scanner.u32()?;
        if rank > GGUF_RANK_MAX {
            let what = format!("tensor `{name}` has {rank} axes");
            return Err(Error::limit(what, "GGUF_RANK_MAX", GGUF_RANK_MAX));
        }
        let dimensions = (0..rank).map(|_| scanner.u64()).collect::<Result<_, _>>()?;
        Ok(Self {
            name,
            dimensions,
            kind: scanner.u32()?,
            offset: scanner.u64()?,
        })
    }

    /// Where the tensor lies and what becomes of it.
    fn plan(
        self,
        file_size: u64,
        start: u64,
        alignment: u64,
        quantized: Quantized,
    ) -> Result<(Entry, Plan), Error> {
        let overflow = || Error::corrupt("its shape overflows");
        let block = Block::of(self.kind).ok_or_else(|| {
            Error::unsupported(format!("its type is {}, which is not known", self.kind))
        })?;
        let mut shape = Vec::new();
        for &dimension in self.dimensions.iter().rev() {
            shape.push(usize::try_from(dimension).map_err(|_| overflow())?);
        }
        let row = shape.last().copied().unwrap_or(1);
        if !row.is_multiple_of(block.len) {
            let (name, len) = (block.name, block.len);
            return Err(Error::corrupt(format!(
                "rows of {row} elements are no blocks of {len}, which {name} has"
            )));
        }
        let count = nexus_tensor::element_count(&shape)?;
        let size = (count / block.len)
            .checked_mul(block.size)
            .ok_or_else(overflow)? as u64;
        let begin = start.checked_add(self.offset).ok_or_else(overflow)?;
        let end = begin.checked_add(size).ok_or_else(overflow)?;
        if !self.offset.is_multiple_of(alignment) || end > file_size {
            return Err(Error::corrupt(format!(
                "its bytes {begin} to {end} are not aligned to {alignment} or not in the file of {file_size} bytes"
            ))
            .with_hint("the file may be cut off: fetch it again"));
        }
        let becomes = block.becomes(quantized)?;
        let dtype = match becomes {
            Becomes::Same(dtype) | Becomes::Floats(_, dtype) => dtype,
            Becomes::Blocks => DType::U8,
        };
        if let (Becomes::Blocks, Some(last)) = (&becomes, shape.last_mut()) {
            // A row is counted in bytes. Beside an axis of length 0, it may be of any length.
            let size = (row / block.len).checked_mul(block.size);
            *last = size.ok_or_else(overflow)?;
        }
        let entry = Entry::new(self.name, dtype, shape)?;
        let plan = Plan {
            block,
            becomes,
            range: (begin, end),
        };
        Ok((entry, plan))
    }
}

struct Plan {
    block: Block,
    becomes: Becomes,
    range: (u64, u64),
}

/// What becomes of a tensor.
enum Becomes {
    /// What it is: numbers of this type.
    Same(DType),
    /// Its blocks, as bytes.
    Blocks,
    /// Floats of this type.
    Floats(Decode, DType),
}

struct Tensors {
    input: Input,
    plans: Vec<Plan>,
}

impl Read for Tensors {
    fn read(&self, index: usize) -> Result<Vec<u8>, Error> {
        let Plan {
            block,
            becomes,
            range: (start, end),
        } = &self.plans[index];
        let bytes = self.input.read(*start..*end, "the data")?;
        match becomes {
            Becomes::Same(_) | Becomes::Blocks => Ok(bytes),
            Becomes::Floats(decode, dtype) => dequantize(block, *decode, &bytes, *dtype),
        }
    }
}

impl Block {
    /// What becomes of tensors of this type.
    fn becomes(&self, quantized: Quantized) -> Result<Becomes, Error> {
        let decode = match self.elements {
            Elements::Plain(dtype) => return Ok(Becomes::Same(dtype)),
            Elements::Quantized(decode) => decode,
        };
        let hint = match (quantized, decode) {
            (Quantized::Keep, _) => return Ok(Becomes::Blocks),
            (Quantized::ToF32, Some(decode)) => return Ok(Becomes::Floats(decode, DType::F32)),
            (Quantized::ToF16, Some(decode)) => return Ok(Becomes::Floats(decode, DType::F16)),
            (_, Some(_)) => {
                "ask for floats (--dequantize f32) or for the raw blocks (--keep-quantized)"
            }
            (_, None) => {
                "this type is not turned into floats; raw blocks are kept by --keep-quantized"
            }
        };
        let message = format!("it is quantised as {}", self.name);
        Err(Error::unsupported(message).with_hint(hint))
    }
}
