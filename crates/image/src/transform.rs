//! From an image to a tensor: resize, crop, flip, normalise.
//!
//! Only what a crop keeps is resized.

use crate::decode::{Decoder, Info};
use crate::error::Error;
use crate::frame::{Frame, Plan};
use crate::image::Image;
use crate::kernel::Filter;
use crate::limits::Limits;
use crate::normalize::{IMAGENET_MEAN, IMAGENET_STD, Layout, Place, Table};
use crate::random::{Draws, SampleKey};
use crate::resize::{Resizer, Window, check_sides, check_source};

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

    /// Decodes a file and applies the transform; `scratch` keeps what is large from file to file.
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
        let (plan, flip) = self.plan(image, key, tensor.len())?;
        if !self.is_covered(&plan.window) {
            let black = [0; 3].repeat(self.options.width);
            for row in 0..self.options.height {
                let place = self.place(row, 0, false);
                self.table.write(&place, &black, tensor);
            }
        }
        let column = self.column(&plan, flip);
        resizer.run::<3>(plan.source(image), &plan.window, |row, pixels| {
            let place = self.place(plan.top + row, column, flip);
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
        let (plan, flip) = self.plan(image, key, tensor.len())?;
        if !self.is_covered(&plan.window) {
            tensor.fill(0);
        }
        let column = self.column(&plan, flip);
        resizer.run::<3>(plan.source(image), &plan.window, |row, pixels| {
            let place = self.place(plan.top + row, column, flip);
            place.write_bytes(pixels, tensor);
        });
        Ok(())
    }

    fn is_covered(&self, window: &Window) -> bool {
        window.columns.len() == self.options.width && window.rows.len() == self.options.height
    }

    /// The column of the tensor that rows begin at.
    fn column(&self, plan: &Plan, flip: bool) -> usize {
        if flip {
            self.options.width - plan.left - plan.window.columns.len()
        } else {
            plan.left
        }
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

    /// What becomes of an image, and whether it is mirrored.
    fn plan(&self, image: &Image, key: SampleKey, len: usize) -> Result<(Plan, bool), Error> {
        if len != self.len() {
            return Err(Error::invalid(format!(
                "cannot write a tensor of {:?} into {len} numbers: it has {}",
                self.shape(),
                self.len()
            )));
        }
        check_source(image)?;
        let mut draws = Draws::new(key);
        let (options, size) = (&self.options, (image.width(), image.height()));
        let target = (options.width, options.height);
        let plan = options
            .frame
            .plan(size, target, options.filter, &mut draws)?;
        Ok((plan, draws.between(0.0, 1.0) < options.flip))
    }
}
