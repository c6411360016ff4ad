//! Which way up a camera was held: tag 0x0112 of the EXIF block (CIPA DC-008, a TIFF directory).

use crate::image::Image;

const ORIENTATION: u16 = 0x0112;
const SHORT: u16 = 3;

/// Directories beyond this many entries are not searched.
const ENTRIES_MAX: usize = 4096;

/// How the stored pixels lie, by the numbers of the standard: 1 is upright.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Orientation(u8);

impl Orientation {
    pub(super) const UPRIGHT: Self = Self(1);

    /// Reads an EXIF block; what cannot be read is upright, as for Pillow.
    pub(super) fn of(block: &[u8]) -> Self {
        let tiff = block.strip_prefix(b"Exif\0\0").unwrap_or(block);
        match find(tiff) {
            Some(number @ 2..=8) => Self(number as u8),
            _ => Self::UPRIGHT,
        }
    }

    /// Turns an image upright; `spare` gives and gets memory.
    pub(super) fn apply(self, image: &mut Image, spare: &mut Image) {
        if self == Self::UPRIGHT {
            return;
        }
        let (width, height) = (image.width(), image.height());
        // Where columns and rows of the upright image begin in the stored one, and how they go on.
        let (last_column, last_row) = (width - 1, (height - 1) * width);
        let (right, down) = (1_isize, width as isize);
        let (start, across, along) = match self.0 {
            2 => (last_column, -right, down),
            3 => (last_row + last_column, -right, -down),
            4 => (last_row, right, -down),
            5 => (0, down, right),
            6 => (last_row, -down, right),
            7 => (last_row + last_column, -down, -right),
            _ => (last_column, down, -right),
        };
        let (new_width, new_height) = if self.0 >= 5 {
            (height, width)
        } else {
            (width, height)
        };
        let target = spare.reset(new_width, new_height).as_chunks_mut::<3>().0;
        let source = image.pixels().as_chunks::<3>().0;
        for (row, target) in target.chunks_exact_mut(new_width).enumerate() {
            let first = start as isize + row as isize * along;
            for (column, pixel) in target.iter_mut().enumerate() {
                *pixel = source[(first + column as isize * across) as usize];
            }
        }
        std::mem::swap(image, spare);
    }
}

fn find(tiff: &[u8]) -> Option<u16> {
    let big = match tiff.get(..4)? {
        b"II*\0" => false,
        b"MM\0*" => true,
        _ => return None,
    };
    let short = |at: usize| {
        let bytes = *tiff.get(at..)?.first_chunk::<2>()?;
        Some(if big {
            u16::from_be_bytes(bytes)
        } else {
            u16::from_le_bytes(bytes)
        })
    };
    let bytes = *tiff.get(4..)?.first_chunk::<4>()?;
    let directory = if big {
        u32::from_be_bytes(bytes)
    } else {
        u32::from_le_bytes(bytes)
    } as usize;
    let entries = usize::from(short(directory)?).min(ENTRIES_MAX);
    // An entry is a tag, a type, a count of 4 bytes and a value of 4.
    (0..entries)
        .map_while(|entry| directory.checked_add(2 + entry * 12))
        .find(|&at| short(at) == Some(ORIENTATION) && short(at + 2) == Some(SHORT))
        .and_then(|at| short(at + 8))
}
