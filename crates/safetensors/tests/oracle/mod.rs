//! The published crate's judgement of a file against ours.

use std::panic::catch_unwind;

use nexus_safetensors::SafeTensors;

/// How often the published crate is asked again.
const ATTEMPTS: usize = 200;

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
            let (ours, mut theirs) = (ours.to_string(), theirs.to_string());
            // Which of several tensors with the same offsets comes first is up to a random hash
            // there: one of its answers must be ours.
            for _ in 0..ATTEMPTS {
                if ours == theirs {
                    return;
                }
                theirs = safetensors::SafeTensors::deserialize(file).map_or_else(
                    |error| error.to_string(),
                    |_| String::from("accepted at another attempt"),
                );
            }
            panic!(
                "ours: {ours}\ntheirs: {theirs}\nfile: {}",
                file.escape_ascii()
            );
        }
        (ours, theirs) => panic!(
            "ours: {ours:?}\ntheirs: {theirs:?}\nfile: {}",
            file.escape_ascii()
        ),
    }
}
