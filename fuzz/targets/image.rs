//! Any bytes as an image file: decoding gives an image or an error, a header that is read agrees, and
//! what was decoded before shows in nothing.

use nexus_image::{Decoder, Format, Image, Info, Limits};

/// Decodes `data` where it starts as a file of the format does, over pixels of two values.
///
/// # Panics
/// When the image has another size than its header says, or when pixels from before are left.
fn decode(data: &[u8], format: Format) {
    if Format::of(data) != Some(format) {
        return;
    }
    let limits = Limits {
        pixels_max: 1 << 16,
        decoded_size_max: 1 << 20,
        ..Limits::default()
    };
    let over = |value: u8| {
        let mut image = Image::from_rgb(256, 256, vec![value; 256 * 256 * 3]).expect("fits");
        let info = Decoder::new(limits).decode(data, &mut image);
        info.map(|info| (info, image))
    };
    match (over(0), over(0xFF)) {
        (Ok((info, image)), Ok((_, other))) => {
            assert_eq!(info, Info::of(data).expect("the header was read"));
            assert_eq!(image.pixels().len(), info.width * info.height * 3);
            assert!(image == other, "pixels of an earlier image are left");
        }
        (Err(_), Err(_)) => {}
        _ => panic!("an earlier image decides whether this one is read"),
    }
}

/// Decodes `data` where it starts as a JPEG does.
pub fn jpeg(data: &[u8]) {
    decode(data, Format::Jpeg);
}

/// Decodes `data` where it starts as a PNG does.
pub fn png(data: &[u8]) {
    decode(data, Format::Png);
}

/// Decodes `data` where it starts as a WebP does.
pub fn webp(data: &[u8]) {
    decode(data, Format::WebP);
}
