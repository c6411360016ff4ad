//! Files of other formats, made by hand as their pages describe them.

use crate::files::u16s;

/// A Megatron index of sequences of `u16`, and its tokens.
pub(crate) fn megatron(docs: &[Vec<u16>]) -> (Vec<u8>, Vec<u8>) {
    let mut index = b"MMIDIDX\0\0".to_vec();
    index.extend(1_u64.to_le_bytes());
    index.push(8);
    index.extend((docs.len() as u64).to_le_bytes());
    index.extend((docs.len() as u64 + 1).to_le_bytes());
    for doc in docs {
        index.extend((doc.len() as i32).to_le_bytes());
    }
    let mut place = 0_i64;
    for doc in docs {
        index.extend(place.to_le_bytes());
        place += doc.len() as i64 * 2;
    }
    (0..=docs.len() as i64).for_each(|bound| index.extend(bound.to_le_bytes()));
    (index, u16s(docs.concat()))
}

/// A safetensors file of `u16` tokens with bounds.
pub(crate) fn safetensors(docs: &[Vec<u16>]) -> Vec<u8> {
    let tokens = u16s(docs.concat());
    let mut bounds = vec![0_i64];
    for doc in docs {
        bounds.push(bounds[bounds.len() - 1] + doc.len() as i64);
    }
    let size = bounds.len() * 8;
    let json = format!(
        r#"{{"tokens.bounds":{{"dtype":"I64","shape":[{}],"data_offsets":[0,{size}]}},"tokens":{{"dtype":"U16","shape":[{}],"data_offsets":[{size},{}]}}}}"#,
        bounds.len(),
        tokens.len() / 2,
        size + tokens.len()
    );
    let json = format!("{json:<width$}", width = json.len().next_multiple_of(8));
    let mut file = (json.len() as u64).to_le_bytes().to_vec();
    file.extend(json.bytes());
    for bound in bounds {
        file.extend(bound.to_le_bytes());
    }
    file.extend(tokens);
    file
}
