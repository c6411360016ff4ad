//! Samples as floats, by table: 256 values for each channel.
//!
//! A table gives the very bits of `(value / 255 - mean) / std` in `f32`, and takes no longer than
//! writing the bytes themselves in the same order: there is nothing left for SIMD to win.

use crate::error::Error;

/// The means that models trained on `ImageNet` expect.
pub const IMAGENET_MEAN: [f32; 3] = [0.485, 0.456, 0.406];

/// The standard deviations that models trained on `ImageNet` expect.
pub const IMAGENET_STD: [f32; 3] = [0.229, 0.224, 0.225];

/// In which order a tensor holds channels, rows and columns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    /// Channels, rows, columns: `PyTorch`'s order.
    #[default]
    Chw,
    /// Rows, columns, channels: the order of `TensorFlow` and JAX.
    Hwc,
}

/// What each value of each channel becomes.
#[derive(Clone, Debug)]
pub(crate) struct Table([[f32; 256]; 3]);

impl Table {
    pub(crate) fn new(mean: [f32; 3], std: [f32; 3]) -> Result<Self, Error> {
        let sound = |&std: &f32| std.is_finite() && std != 0.0;
        if !std.iter().all(sound) || !mean.iter().all(|mean| mean.is_finite()) {
            return Err(Error::invalid(format!(
                "cannot normalise by mean {mean:?} and standard deviation {std:?}: \
                 both are finite, and no deviation is 0"
            )));
        }
        let value =
            |channel: usize, value: usize| (value as f32 / 255.0 - mean[channel]) / std[channel];
        Ok(Self(std::array::from_fn(|channel| {
            std::array::from_fn(|at| value(channel, at))
        })))
    }

    /// Writes a row of pixels into a tensor of `height` rows, from column `left` on, of `width`.
    pub(crate) fn write(&self, place: &Place, pixels: &[u8], tensor: &mut [f32]) {
        let pixels = pixels.as_chunks::<3>().0;
        match place.layout {
            Layout::Hwc => {
                let row = &mut tensor[place.start * 3..][..pixels.len() * 3];
                let row = row.as_chunks_mut::<3>().0.iter_mut();
                in_order(place.flip, pixels, row, |out, pixel| {
                    *out = std::array::from_fn(|channel| self.value(channel, *pixel));
                });
            }
            Layout::Chw => {
                let planes = tensor.chunks_exact_mut(place.plane).enumerate();
                for (channel, plane) in planes.take(3) {
                    let row = plane[place.start..][..pixels.len()].iter_mut();
                    in_order(place.flip, pixels, row, |out, pixel| {
                        *out = self.value(channel, *pixel);
                    });
                }
            }
        }
    }

    fn value(&self, channel: usize, pixel: [u8; 3]) -> f32 {
        self.0[channel][usize::from(pixel[channel])]
    }
}

/// Where a row of pixels goes in a tensor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) layout: Layout,
    /// The number of the first pixel.
    pub(crate) start: usize,
    /// How many pixels there are in all.
    pub(crate) plane: usize,
    /// Whether pixels go from right to left.
    pub(crate) flip: bool,
}

impl Place {
    /// Writes a row of pixels as they are.
    pub(crate) fn write_bytes(&self, pixels: &[u8], tensor: &mut [u8]) {
        let pixels = pixels.as_chunks::<3>().0;
        match self.layout {
            Layout::Hwc => {
                let row = &mut tensor[self.start * 3..][..pixels.len() * 3];
                let row = row.as_chunks_mut::<3>().0.iter_mut();
                in_order(self.flip, pixels, row, |out, pixel| *out = *pixel);
            }
            Layout::Chw => {
                let planes = tensor.chunks_exact_mut(self.plane).enumerate();
                for (channel, plane) in planes.take(3) {
                    let row = plane[self.start..][..pixels.len()].iter_mut();
                    in_order(self.flip, pixels, row, |out, pixel| *out = pixel[channel]);
                }
            }
        }
    }
}

fn in_order<'a, T: 'a>(
    flip: bool,
    pixels: &[[u8; 3]],
    row: impl DoubleEndedIterator<Item = &'a mut T>,
    write: impl Fn(&mut T, &[u8; 3]),
) {
    if flip {
        pixels
            .iter()
            .zip(row.rev())
            .for_each(|(p, out)| write(out, p));
    } else {
        pixels.iter().zip(row).for_each(|(p, out)| write(out, p));
    }
}
