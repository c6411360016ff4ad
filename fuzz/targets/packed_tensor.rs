//! Any bytes as a packed tensor, and as a packed file: refused, or read alike by every
//! instruction set.

use std::collections::HashMap;

use nexus_safetensors::packed::{Isa, PACKED_KEY, PackedFile};
use nexus_safetensors::{Dtype, SafeTensorsFile, TensorView, serialize};

/// Reads `data` as a whole file, then as the type, the number of values and the bytes of a tensor.
///
/// # Panics
/// When a promise of the reader is broken.
pub fn run(data: &[u8]) {
    unpack(data);
    let Some((&[f16, low, high], payload)) = data.split_first_chunk() else {
        return;
    };
    let dtype = if f16 & 1 == 1 { "F16" } else { "BF16" };
    let len = usize::from(u16::from_le_bytes([low, high]));
    let manifest = format!(
        r#"{{"version":1,"about":"","size":{},"xxh3":"","tensors":{{"t":{{"codec":"cascade","dtype":"{dtype}","shape":[{len}]}}}}}}"#,
        2 * len + head_size(dtype, len),
    );
    let text = HashMap::from([(PACKED_KEY.to_owned(), manifest)]);
    let view = TensorView::new(Dtype::U8, vec![payload.len()], payload).unwrap();
    let file = serialize([("t", view)], Some(text)).unwrap();
    assert!(unpack(&file), "the header is sound");
}

/// The size of the original's head, as any writer would make it.
fn head_size(dtype: &str, len: usize) -> usize {
    let dtype = dtype.parse().unwrap();
    let bytes = vec![0; 2 * len];
    let view = TensorView::new(dtype, vec![len], &bytes).unwrap();
    serialize([("t", view)], None).unwrap().len() - bytes.len()
}

/// Whether the file could be opened as a packed one.
fn unpack(file: &[u8]) -> bool {
    let isas = ["portable", "avx2"].into_iter().filter_map(Isa::named);
    let open = |isa| {
        Some(
            PackedFile::new(SafeTensorsFile::copy_of(file).ok()?)
                .ok()?
                .with_isa(isa),
        )
    };
    let Some(files) = isas.map(open).collect::<Option<Vec<_>>>() else {
        return false;
    };
    for (name, info) in files[0].header().iter() {
        let mut results = files
            .iter()
            .map(|file| file.unpack(name).map_err(|error| error.to_string()));
        let first = results.next().unwrap();
        assert!(results.all(|result| result == first));
        let Ok(bytes) = first else { continue };
        assert_eq!(bytes.len(), info.data_offsets.1 - info.data_offsets.0);
        // Half of the tensor, cut between values.
        let half = bytes.len() / 4 * 2;
        let mut part = vec![0; bytes.len() - half];
        if files[0]
            .unpack_range_into(name, half..bytes.len(), &mut part)
            .is_ok()
        {
            assert!(part == bytes[half..]);
        }
    }
    true
}
