//! Any bytes as a JPEG file: decoding gives an image or an error, and a header that is read agrees.

use nexus_image::{Decoder, Format, Image, Info, Limits};

/// Decodes `data` where it starts as a JPEG does.
///
/// # Panics
/// When the image has another size than its header says.
pub fn run(data: &[u8]) {
    if Format::of(data) != Some(Format::Jpeg) {
        return;
    }
    let limits = Limits {
        pixels_max: 1 << 16,
        decoded_size_max: 1 << 20,
        ..Limits::default()
    };
    let mut image = Image::new();
    if let Ok(info) = Decoder::new(limits).decode(data, &mut image) {
        assert_eq!(info, Info::of(data).expect("the header was read"));
        assert_eq!(image.pixels().len(), info.width * info.height * 3);
    }
}
