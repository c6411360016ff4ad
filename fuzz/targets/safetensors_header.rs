//! Any bytes as a safetensors file: refused, or read without a gap and written back equal.

use nexus_safetensors::{SafeTensors, SafeTensorsFile, serialize};

/// Reads `data` as a file.
///
/// # Panics
/// When what was read breaks a promise of the reader or cannot be written and read again.
pub fn run(data: &[u8]) {
    let Ok(tensors) = SafeTensors::deserialize(data) else {
        return;
    };
    let covered: usize = tensors.iter().map(|(_, view)| view.data().len()).sum();
    let (header_size, metadata) = SafeTensors::read_metadata(data).unwrap();
    assert_eq!(8 + header_size + covered, data.len());
    assert!(tensors.names().is_sorted());
    for (name, view) in tensors.iter() {
        assert_eq!(tensors.tensor(name).unwrap(), view);
        if let Ok(strided) = view.to_tensor_ref() {
            assert_eq!(strided.as_bytes(), Some(view.data()));
        }
    }
    let text = metadata.metadata().clone();
    let written = serialize(tensors.tensors(), text.clone()).unwrap();
    let again = SafeTensorsFile::copy_of(&written).unwrap();
    assert_eq!(again.metadata(), text.as_ref());
    assert_eq!(again.names(), tensors.names());
    for (name, view) in tensors.iter() {
        assert_eq!(again.tensor(name).unwrap(), view);
    }
}
