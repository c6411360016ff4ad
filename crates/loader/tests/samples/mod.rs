//! Files of samples, made by hand.

/// A file of samples behind their offsets.
pub(crate) fn samples(config: &str, samples: &[Vec<u8>]) -> Vec<u8> {
    let mut file = (samples.len() as u32).to_le_bytes().to_vec();
    let mut place = (4 * (samples.len() + 2) + config.len()) as u32;
    file.extend(place.to_le_bytes());
    for sample in samples {
        place += sample.len() as u32;
        file.extend(place.to_le_bytes());
    }
    file.extend(config.bytes());
    file.extend(samples.concat());
    file
}
