//! Any bytes as a safetensors file: refused, or read without a gap and written back equal; with the
//! same outcome by the fast scanner and by serde.

use nexus_safetensors::{
    Metadata, Rules, SafeTensorError, SafeTensors, SafeTensorsFile, locate, serialize,
};

/// Reads `data` as a file.
///
/// # Panics
/// When what was read breaks a promise of the reader or cannot be written and read again.
pub fn run(data: &[u8]) {
    let tensors = match SafeTensors::deserialize(data) {
        Ok(tensors) => tensors,
        Err(error) => return refused(data, &error),
    };
    let (header_size, metadata) = SafeTensors::read_metadata(data).unwrap();
    read_whole(data, header_size, &tensors);
    let by_serde = by_serde(data).expect("what the scanner accepts, serde accepts");
    assert_same(&metadata, &by_serde);
    if let Err(error) = SafeTensors::deserialize_with(data, Rules::Strict) {
        let offset = locate(data, &error)
            .offset
            .expect("strict rules refuse at a place");
        assert!(offset as usize <= 8 + header_size);
    }
    written_again(&tensors, &metadata);
}

/// What is refused is refused by both routes, and the place of the error lies in the file.
fn refused(data: &[u8], error: &SafeTensorError) {
    if let Ok(metadata) = by_serde(data) {
        let mismatch = matches!(error, SafeTensorError::MetadataIncompleteBuffer);
        assert!(
            mismatch,
            "serde accepts {} tensors: {error}",
            metadata.len()
        );
    }
    let offset = locate(data, error)
        .offset
        .expect("a file is refused at a place");
    assert!(
        offset <= data.len() as u64,
        "{error} at {offset} of {}",
        data.len()
    );
    assert!(SafeTensors::deserialize_with(data, Rules::Strict).is_err());
}

/// `Deserialize` never takes the fast route.
fn by_serde(data: &[u8]) -> Result<Metadata, ()> {
    let (size, rest) = data.split_first_chunk().ok_or(())?;
    let size = usize::try_from(u64::from_le_bytes(*size)).map_err(drop)?;
    let json = std::str::from_utf8(rest.get(..size).ok_or(())?).map_err(drop)?;
    serde_json::from_str(json).map_err(drop)
}

fn assert_same(ours: &Metadata, theirs: &Metadata) {
    assert_eq!(ours.metadata(), theirs.metadata());
    assert!(ours.iter_by_offset().eq(theirs.iter_by_offset()));
    assert!(ours.iter().eq(theirs.iter()));
}

fn read_whole(data: &[u8], header_size: usize, tensors: &SafeTensors<'_>) {
    let covered: usize = tensors.iter().map(|(_, view)| view.data().len()).sum();
    assert_eq!(8 + header_size + covered, data.len());
    assert!(tensors.names().is_sorted());
    for (name, view) in tensors.iter() {
        assert_eq!(tensors.tensor(name).unwrap(), view);
        if let Ok(strided) = view.to_tensor_ref() {
            assert_eq!(strided.as_bytes(), Some(view.data()));
        }
    }
}

fn written_again(tensors: &SafeTensors<'_>, metadata: &Metadata) {
    let text = metadata.metadata().clone();
    let written = serialize(tensors.tensors(), text.clone()).unwrap();
    let again = SafeTensorsFile::copy_of(&written).unwrap();
    assert_eq!(again.metadata(), text.as_ref());
    assert_eq!(again.names(), tensors.names());
    for (name, view) in tensors.iter() {
        assert_eq!(again.tensor(name).unwrap(), view);
    }
}
