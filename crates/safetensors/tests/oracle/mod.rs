//! The published crate's judgement of a file against ours.

use std::panic::catch_unwind;

use nexus_safetensors::{SafeTensorError, SafeTensors};

/// Compares acceptance, error texts and content.
///
/// # Panics
/// When they differ.
pub(crate) fn compare(file: &[u8]) {
    // The published crate overflows on offsets near the end of the address space.
    let Ok(theirs) = catch_unwind(|| safetensors::SafeTensors::deserialize(file)) else {
        assert!(SafeTensors::deserialize(file).is_err());
        return;
    };
    match (SafeTensors::deserialize(file), theirs) {
        (Ok(ours), Ok(theirs)) => {
            let mut names = theirs.names();
            names.sort_unstable();
            assert_eq!(ours.names(), names);
            for (name, view) in ours.iter() {
                let twin = theirs.tensor(name).unwrap();
                assert_eq!(view.dtype().name(), twin.dtype().to_string());
                assert_eq!(view.shape(), twin.shape());
                assert_eq!(view.data(), twin.data());
            }
            let (ours, theirs) = (
                SafeTensors::read_metadata(file).unwrap(),
                safetensors::SafeTensors::read_metadata(file).unwrap(),
            );
            assert_eq!(ours.0, theirs.0);
            assert_eq!(ours.1.metadata(), theirs.1.metadata());
        }
        (Err(ours), Err(theirs)) => {
            // Which of several tensors with the same offsets is named is up to a random hash there.
            let ambiguous = matches!(ours, SafeTensorError::InvalidOffset(_));
            let (ours, theirs) = (ours.to_string(), theirs.to_string());
            let ours_part = if ambiguous {
                "invalid offset for tensor `"
            } else {
                ours.as_str()
            };
            assert!(
                theirs.starts_with(ours_part),
                "ours: {ours}\ntheirs: {theirs}"
            );
        }
        (ours, theirs) => panic!(
            "ours: {ours:?}\ntheirs: {theirs:?}\nfile: {}",
            file.escape_ascii()
        ),
    }
}
