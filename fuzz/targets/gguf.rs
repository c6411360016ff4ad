//! Any bytes as a GGUF file, with each way of treating quantised tensors: refused, or tensors of the
//! declared size.

use nexus_convert::{OpenOptions, Quantized, Source};

/// Reads `data` as a file.
///
/// # Panics
/// When a tensor has another size than its shape asks for.
pub fn run(data: &[u8]) {
    for quantized in [Quantized::Keep, Quantized::ToF32, Quantized::ToF16] {
        let options = OpenOptions::default().quantized(quantized);
        let Ok(source) = Source::from_bytes(data.to_vec(), options) else {
            continue;
        };
        for (index, entry) in source.entries().iter().enumerate() {
            // Tensors may overlap, but none is larger than the file; Q2_K packs best, 1024 into 84.
            assert!(entry.size_bytes <= 1024 * data.len() / 84);
            if let Ok(bytes) = source.read(index) {
                assert_eq!(bytes.len(), entry.size_bytes, "{}", entry.name);
            }
        }
    }
}
