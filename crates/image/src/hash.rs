//! Perceptual hashes of 64 bits, those of `phash` and `dhash` in the `PyPI` package `imagehash`.
//!
//! Written as 16 hexadecimal digits, a hash reads as `str()` of `imagehash`'s.

use crate::image::{Image, View};
use crate::kernel::Filter;
use crate::resize::{Resizer, Window};

/// The side of the image that the cosine transform is taken of.
const SIDE: usize = 32;

/// Frequencies below it are 0 but for rounding: those of flat and of symmetric images, where the
/// transform of `SciPy` gives 0. Others are far greater.
const NOISE: f64 = 1e-6;

/// The low frequencies that are kept, along each axis.
const LOW: usize = 8;

/// Hashes images, and keeps its memory for the next one. One for each thread.
///
/// ```
/// use nexus_image::{Hasher, Image};
///
/// let ramp = Image::from_rgb(9, 8, (0..216).map(|at| (at / 3 % 9 * 28) as u8).collect())?;
/// assert_eq!(Hasher::new().dhash(&ramp), u64::MAX);
/// # Ok::<(), nexus_image::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Hasher {
    grey: Vec<u8>,
    resizer: Resizer,
    cosines: [[f64; SIDE]; LOW],
}

impl Default for Hasher {
    fn default() -> Self {
        Self::new()
    }
}

impl Hasher {
    /// A hasher.
    pub fn new() -> Self {
        // Of the transform's table only the rows of low frequencies are ever used.
        let angle = |k: usize, n: usize| (k * (2 * n + 1)) as f64 / (2 * SIDE) as f64;
        Self {
            grey: Vec::new(),
            resizer: Resizer::new(),
            cosines: std::array::from_fn(|k| {
                std::array::from_fn(|n| (angle(k, n) * std::f64::consts::PI).cos())
            }),
        }
    }

    /// The hash by cosine transform: whether each low frequency is above their median.
    ///
    /// Equals `imagehash.phash` of the same pixels with Pillow 13; earlier ones shrink images that are much
    /// higher than wide in another order, which may change a bit. An empty image has the hash 0.
    pub fn phash(&mut self, image: &Image) -> u64 {
        let Some(pixels) = self.shrink::<{ SIDE * SIDE }>(image, SIDE) else {
            return 0;
        };
        let pixels = pixels.as_chunks::<SIDE>().0;
        let mut columns = [[0.0; SIDE]; LOW];
        for (column, cosines) in columns.iter_mut().zip(&self.cosines) {
            for (row, cosine) in pixels.iter().zip(cosines) {
                for (sum, &value) in column.iter_mut().zip(row) {
                    *sum += cosine * f64::from(value);
                }
            }
        }
        let mut low = [0.0; LOW * LOW];
        for (at, value) in low.iter_mut().enumerate() {
            let pairs = columns[at / LOW].iter().zip(&self.cosines[at % LOW]);
            let sum: f64 = pairs.map(|(value, cosine)| value * cosine).sum();
            *value = if sum.abs() < NOISE { 0.0 } else { sum };
        }
        let mut sorted = low;
        sorted.sort_by(f64::total_cmp);
        let median = f64::midpoint(sorted[LOW * LOW / 2 - 1], sorted[LOW * LOW / 2]);
        bits(low.iter().map(|&value| value > median))
    }

    /// The hash by differences: whether the image gets lighter from each pixel of 9x8 to the next.
    ///
    /// Equals `imagehash.dhash`. An empty image has the hash 0.
    pub fn dhash(&mut self, image: &Image) -> u64 {
        let Some(pixels) = self.shrink::<{ (LOW + 1) * LOW }>(image, LOW + 1) else {
            return 0;
        };
        let rows = pixels.as_chunks::<{ LOW + 1 }>().0;
        bits(
            rows.iter()
                .flat_map(|row| row.windows(2))
                .map(|pair| pair[1] > pair[0]),
        )
    }

    /// A grey image of `N` pixels.
    fn shrink<const N: usize>(&mut self, image: &Image, width: usize) -> Option<[u8; N]> {
        if image.pixels().is_empty() {
            return None;
        }
        let mut small = [0; N];
        self.grey.clear();
        let pixels = image.pixels().as_chunks::<3>().0;
        self.grey.extend(pixels.iter().copied().map(luma));
        let view = View::grey(&self.grey, image.width());
        let window = Window::whole(Filter::Lanczos, width, N / width);
        self.resizer.run::<1>(view, &window, |row, pixels| {
            small[row * width..][..width].copy_from_slice(pixels);
        });
        Some(small)
    }
}

/// ITU-R 601 luma, rounded as Pillow's `convert("L")` does.
fn luma([r, g, b]: [u8; 3]) -> u8 {
    let sum = u32::from(r) * 19_595 + u32::from(g) * 38_470 + u32::from(b) * 7_471;
    ((sum + 0x8000) >> 16) as u8
}

/// The first bit is the highest.
fn bits(all: impl Iterator<Item = bool>) -> u64 {
    all.fold(0, |hash, bit| hash << 1 | u64::from(bit))
}
