//! From an image to a tensor: resize, crop, flip, normalise.
//!
//! The places are those of torchvision's transforms on a Pillow image. Only what a crop keeps is
//! resized.

use crate::decode::{Decoder, Info};
use crate::error::Error;
use crate::image::{Image, View};
use crate::kernel::Filter;
use crate::limits::Limits;
use crate::normalize::{IMAGENET_MEAN, IMAGENET_STD, Layout, Place, Table};
use crate::random::{Draws, SampleKey};
use crate::resize::{Resizer, Window, check_sides, check_source};
use std::ops::Range;

/// How often [`Frame::RandomResized`] draws a rectangle before it takes one in the middle.
const DRAWS_MAX: usize = 10;

/// Which part of an image a tensor shows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Frame {
    /// All of it, squeezed: `Resize((height, width))`.
    Squeeze,
    /// `Resize(shorter)`, then `CenterCrop((height, width))`, with black where the image is smaller.
    Center {
        /// The shorter side after resizing, in pixels.
        shorter: usize,
    },
    /// `Resize(shorter)`, then a crop from a random place.
    Random {
        /// The shorter side after resizing, in pixels; not less than the tensor's sides.
        shorter: usize,
    },
    /// `RandomResizedCrop((height, width), scale=area, ratio=aspect)`.
    RandomResized {
        /// The least and the greatest part of the image's area; torchvision takes 0.08 and 1.
        area: (f64, f64),
        /// The least and the greatest width by height; torchvision takes 3/4 and 4/3.
        aspect: (f64, f64),
    },
}

/// What a [`Transform`] does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TransformOptions {
    /// The tensor's width, in pixels.
    pub width: usize,
    /// The tensor's height, in pixels.
    pub height: usize,
    /// Which part of the image it shows.
    pub frame: Frame,
    /// How the image is resized.
    pub filter: Filter,
    /// How likely an image is mirrored, from 0 to 1.
    pub flip: f64,
    /// What is taken off each channel, of values from 0 to 1.
    pub mean: [f32; 3],
    /// What each channel is divided by then.
    pub std: [f32; 3],
    /// The order of the tensor.
    pub layout: Layout,
}

impl TransformOptions {
    /// A squeezed bilinear image, normalised as models trained on `ImageNet` expect.
    pub fn new(width: usize, height: usize) -> Self {
        Self {
            width,
            height,
            frame: Frame::Squeeze,
            filter: Filter::Bilinear,
            flip: 0.0,
            mean: IMAGENET_MEAN,
            std: IMAGENET_STD,
            layout: Layout::Chw,
        }
    }
}

/// What one thread needs to transform images, used again for each.
#[derive(Clone, Debug)]
pub struct Scratch {
    decoder: Decoder,
    image: Image,
    resizer: Resizer,
}

impl Scratch {
    /// Scratch for files that keep to the limits.
    pub fn new(limits: Limits) -> Self {
        Self {
            decoder: Decoder::new(limits),
            image: Image::new(),
            resizer: Resizer::new(),
        }
    }
}

/// Makes tensors of one size from images of any. Shared by threads; each has a [`Scratch`].
#[derive(Clone, Debug)]
pub struct Transform {
    options: TransformOptions,
    table: Box<Table>,
}

/// The part of an image that is resized, to what, and where that lies in the tensor.
struct Plan {
    /// Left, top, width, height in the source.
    part: [usize; 4],
    window: Window,
    left: usize,
    top: usize,
    flip: bool,
}

impl Transform {
    /// A transform that does as the options say.
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) when a side is empty, a deviation is 0, a
    /// probability or a range is none; [`LimitReached`](crate::ErrorKind::LimitReached) when a side
    /// is longer than [`TARGET_SIDE_MAX`](crate::limits::TARGET_SIDE_MAX).
    pub fn new(options: TransformOptions) -> Result<Self, Error> {
        check_sides(options.width, options.height)?;
        if !(0.0..=1.0).contains(&options.flip) {
            return Err(Error::invalid(format!(
                "cannot mirror images with probability {}: it is from 0 to 1",
                options.flip
            )));
        }
        options.frame.check(options.width, options.height)?;
        let table = Table::new(options.mean, options.std)?;
        Ok(Self {
            options,
            table: Box::new(table),
        })
    }

    /// The options it was made with.
    pub fn options(&self) -> &TransformOptions {
        &self.options
    }

    /// How many numbers one tensor has.
    #[expect(clippy::len_without_is_empty, reason = "a tensor is never empty")]
    pub fn len(&self) -> usize {
        self.options.width * self.options.height * 3
    }

    /// The tensor's shape, in the order of its layout.
    pub fn shape(&self) -> [usize; 3] {
        let (width, height) = (self.options.width, self.options.height);
        match self.options.layout {
            Layout::Chw => [3, height, width],
            Layout::Hwc => [height, width, 3],
        }
    }

    /// Decodes a file and applies the transform; takes no memory once `scratch` has grown.
    ///
    /// # Errors
    /// As [`Decoder::decode`] and [`Transform::apply`].
    pub fn decode(
        &self,
        bytes: &[u8],
        key: SampleKey,
        scratch: &mut Scratch,
        tensor: &mut [f32],
    ) -> Result<Info, Error> {
        let info = scratch.decoder.decode(bytes, &mut scratch.image)?;
        self.apply(&scratch.image, key, &mut scratch.resizer, tensor)?;
        Ok(info)
    }

    /// As [`Transform::decode`], without normalising: values from 0 to 255.
    ///
    /// # Errors
    /// As [`Transform::decode`].
    pub fn decode_bytes(
        &self,
        bytes: &[u8],
        key: SampleKey,
        scratch: &mut Scratch,
        tensor: &mut [u8],
    ) -> Result<Info, Error> {
        let info = scratch.decoder.decode(bytes, &mut scratch.image)?;
        self.apply_bytes(&scratch.image, key, &mut scratch.resizer, tensor)?;
        Ok(info)
    }

    /// Writes the tensor of an image; what is random depends on `key` alone.
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) when `tensor` has not [`len`](Self::len)
    /// numbers or the image is empty; [`LimitReached`](crate::ErrorKind::LimitReached) when a very
    /// long image becomes too long.
    pub fn apply(
        &self,
        image: &Image,
        key: SampleKey,
        resizer: &mut Resizer,
        tensor: &mut [f32],
    ) -> Result<(), Error> {
        let plan = self.plan(image, key, tensor.len())?;
        if !self.is_covered(&plan.window) {
            let black = [0; 3].repeat(self.options.width);
            for row in 0..self.options.height {
                let place = self.place(row, 0, false);
                self.table.write(&place, &black, tensor);
            }
        }
        resizer.run::<3>(plan.source(image), &plan.window, |row, pixels| {
            let place = self.place(plan.top + row, plan.column(self), plan.flip);
            self.table.write(&place, pixels, tensor);
        });
        Ok(())
    }

    /// As [`Transform::apply`], without normalising: values from 0 to 255.
    ///
    /// # Errors
    /// As [`Transform::apply`].
    pub fn apply_bytes(
        &self,
        image: &Image,
        key: SampleKey,
        resizer: &mut Resizer,
        tensor: &mut [u8],
    ) -> Result<(), Error> {
        let plan = self.plan(image, key, tensor.len())?;
        if !self.is_covered(&plan.window) {
            tensor.fill(0);
        }
        resizer.run::<3>(plan.source(image), &plan.window, |row, pixels| {
            let place = self.place(plan.top + row, plan.column(self), plan.flip);
            place.write_bytes(pixels, tensor);
        });
        Ok(())
    }

    fn is_covered(&self, window: &Window) -> bool {
        window.columns.len() == self.options.width && window.rows.len() == self.options.height
    }

    fn place(&self, row: usize, column: usize, flip: bool) -> Place {
        let (width, height) = (self.options.width, self.options.height);
        Place {
            layout: self.options.layout,
            start: row * width + column,
            plane: width * height,
            flip,
        }
    }

    fn plan(&self, image: &Image, key: SampleKey, len: usize) -> Result<Plan, Error> {
        if len != self.len() {
            return Err(Error::invalid(format!(
                "cannot write a tensor of {:?} into {len} numbers: it has {}",
                self.shape(),
                self.len()
            )));
        }
        check_source(image)?;
        let mut draws = Draws::new(key);
        let mut plan = self.frame(image.width(), image.height(), &mut draws)?;
        plan.flip = draws.between(0.0, 1.0) < self.options.flip;
        Ok(plan)
    }

    fn frame(&self, width: usize, height: usize, draws: &mut Draws) -> Result<Plan, Error> {
        let options = &self.options;
        let (shorter, random) = match options.frame {
            Frame::Squeeze => return Ok(self.squeeze([0, 0, width, height])),
            Frame::RandomResized { area, aspect } => {
                return Ok(self.squeeze(rectangle(width, height, area, aspect, draws)));
            }
            Frame::Center { shorter } => (shorter, false),
            Frame::Random { shorter } => (shorter, true),
        };
        let (full_width, full_height) = if width <= height {
            (shorter, shorter * height / width)
        } else {
            (shorter * width / height, shorter)
        };
        check_sides(full_width, full_height)?;
        let (left, columns) = if random {
            (0, random_span(full_width, options.width, draws))
        } else {
            central_span(full_width, options.width)
        };
        let (top, rows) = if random {
            (0, random_span(full_height, options.height, draws))
        } else {
            central_span(full_height, options.height)
        };
        Ok(Plan {
            part: [0, 0, width, height],
            window: Window {
                filter: options.filter,
                width: full_width,
                height: full_height,
                columns,
                rows,
            },
            left,
            top,
            flip: false,
        })
    }

    fn squeeze(&self, part: [usize; 4]) -> Plan {
        let options = &self.options;
        Plan {
            part,
            window: Window::whole(options.filter, options.width, options.height),
            left: 0,
            top: 0,
            flip: false,
        }
    }
}

impl Plan {
    fn source<'a>(&self, image: &'a Image) -> View<'a> {
        let [left, top, width, height] = self.part;
        image.view().crop(left, top, width, height)
    }

    /// The column of the tensor that rows begin at.
    fn column(&self, transform: &Transform) -> usize {
        if self.flip {
            transform.options.width - self.left - self.window.columns.len()
        } else {
            self.left
        }
    }
}

impl Frame {
    fn check(&self, width: usize, height: usize) -> Result<(), Error> {
        let rising = |(low, high): (f64, f64)| low > 0.0 && low <= high && high.is_finite();
        match *self {
            Self::Squeeze => Ok(()),
            Self::Random { shorter } if shorter < width.max(height) => {
                Err(Error::invalid(format!(
                    "cannot crop {width}x{height} pixels from an image whose shorter side is {shorter}"
                ))
                .with_hint("resize to a shorter side that is not shorter than the crop"))
            }
            Self::Center { shorter } | Self::Random { shorter } => check_sides(shorter, shorter),
            Self::RandomResized { area, aspect } => {
                if rising(area) && area.1 <= 1.0 && rising(aspect) {
                    return Ok(());
                }
                Err(Error::invalid(format!(
                    "cannot draw rectangles of areas {area:?} and aspects {aspect:?}: \
                     both rise and are positive, areas are at most 1"
                )))
            }
        }
    }
}

/// The place in the tensor and the target places of a crop in the middle; where the image is too
/// small, all of it, in the middle of the tensor.
fn central_span(full: usize, crop: usize) -> (usize, Range<usize>) {
    if full <= crop {
        return ((crop - full) / 2, 0..full);
    }
    let twice = full - crop;
    // Python rounds halves to even numbers.
    let start = twice / 2 + usize::from(twice % 4 == 3);
    (0, start..start + crop)
}

fn random_span(full: usize, crop: usize, draws: &mut Draws) -> Range<usize> {
    let start = draws.below(full - crop + 1);
    start..start + crop
}

/// Draws the part of the image that is kept: left, top, width, height.
fn rectangle(
    width: usize,
    height: usize,
    area: (f64, f64),
    aspect: (f64, f64),
    draws: &mut Draws,
) -> [usize; 4] {
    let whole = width as f64 * height as f64;
    for _ in 0..DRAWS_MAX {
        let wanted = whole * draws.between(area.0, area.1);
        // `libm` gives the same bits on every machine.
        let ratio = libm::exp(draws.between(libm::log(aspect.0), libm::log(aspect.1)));
        let w = (wanted * ratio).sqrt().round_ties_even() as usize;
        let h = (wanted / ratio).sqrt().round_ties_even() as usize;
        if (1..=width).contains(&w) && (1..=height).contains(&h) {
            let top = draws.below(height - h + 1);
            return [draws.below(width - w + 1), top, w, h];
        }
    }
    let shape = width as f64 / height as f64;
    let (w, h) = if shape < aspect.0 {
        (width, (width as f64 / aspect.0).round_ties_even() as usize)
    } else if shape > aspect.1 {
        (
            (height as f64 * aspect.1).round_ties_even() as usize,
            height,
        )
    } else {
        (width, height)
    };
    let (w, h) = (w.clamp(1, width), h.clamp(1, height));
    [(width - w) / 2, (height - h) / 2, w, h]
}
