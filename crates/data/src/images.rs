//! Which images a pipeline keeps, how it finds copies of them, and what tensors it makes of them.

use crate::{Error, source};
use nexus_image::{
    Filter, Frame, IMAGENET_MEAN, IMAGENET_STD, Layout, Limits, NearIndex, Transform,
    TransformOptions, limits,
};

/// How [`images`](crate::Pipeline::images) reads and judges images.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageRules {
    /// The column of Parquet and Arrow files that holds images: bytes, or a struct of `bytes` and
    /// `path` as Hugging Face `datasets` writes it.
    pub column: String,
    /// A key of `fields` whose whole numbers become a column [`label`](crate::columns::LABEL), such as
    /// `cls` of samples in archives; records without one are dropped.
    pub label: Option<String>,
    /// Whether records without an image are dropped.
    pub required: bool,
    /// The least length of the shorter side, in pixels.
    pub min_size: usize,
    /// The greatest ratio of the longer side to the shorter one.
    pub max_aspect: Option<f64>,
    /// The most pixels: a file that declares more is rejected before it is decoded.
    pub max_pixels: usize,
}

impl Default for ImageRules {
    fn default() -> Self {
        Self {
            column: "image".to_owned(),
            label: None,
            required: true,
            min_size: 1,
            max_aspect: None,
            max_pixels: limits::PIXELS_MAX,
        }
    }
}

impl ImageRules {
    pub(crate) fn check(&self) -> Result<(), Error> {
        source::check_name(&self.column)?;
        match self.max_aspect {
            Some(aspect) if aspect.is_nan() || aspect < 1.0 => Err(Error::invalid(format!(
                "step `images`: max_aspect is {aspect:?}, the longer side by the shorter one is at \
                 least 1"
            ))),
            _ => Ok(()),
        }
    }

    /// What a file may ask of the decoder.
    pub(crate) fn limits(&self) -> Limits {
        Limits {
            pixels_max: self.max_pixels,
            ..Limits::default()
        }
    }

    /// Why an image of this size is dropped, if it is.
    pub(crate) fn reason(&self, width: usize, height: usize) -> Option<&'static str> {
        let (short, long) = (width.min(height), width.max(height));
        if short < self.min_size {
            return Some("small");
        }
        let aspect = long as f64 / short.max(1) as f64;
        self.max_aspect
            .is_some_and(|max| aspect > max)
            .then_some("aspect")
    }
}

/// Which perceptual hash tells images apart: 64 bits, those of the `PyPI` package `imagehash`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ImageHash {
    /// By low frequencies: the same for other sizes and qualities.
    #[default]
    Phash,
    /// By differences of neighbours: quicker, and cruder.
    Dhash,
}

/// How [`dedup_images`](crate::Pipeline::dedup_images) finds copies of images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageCopies {
    /// What is compared.
    pub hash: ImageHash,
    /// In how many of the 64 bits copies differ at most.
    pub distance: usize,
}

impl Default for ImageCopies {
    fn default() -> Self {
        Self {
            hash: ImageHash::default(),
            distance: 6,
        }
    }
}

impl ImageCopies {
    /// Where hashes are kept.
    pub(crate) fn index(self) -> Result<NearIndex, Error> {
        let distance = u32::try_from(self.distance).unwrap_or(u32::MAX);
        NearIndex::new(distance).map_err(|error| Error::image("step `dedup_images`", error))
    }
}

/// The numbers of which tensors are made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum PixelType {
    /// Values from 0 to 255.
    #[default]
    U8,
    /// Values from 0 to 1, less the mean, by the standard deviation.
    F32,
}

/// What [`image_tensors`](crate::Pipeline::image_tensors) makes of images.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ImageTensors {
    /// The tensors' width, in pixels.
    pub width: usize,
    /// The tensors' height, in pixels.
    pub height: usize,
    /// The shorter side after resizing, in pixels, before the middle is cut out; none squeezes the
    /// whole image into the tensor.
    pub resize: Option<usize>,
    /// How images are resized.
    pub filter: Filter,
    /// The order of channels, rows and columns.
    pub layout: Layout,
    /// The numbers.
    pub dtype: PixelType,
    /// What is taken off each channel of [`PixelType::F32`].
    pub mean: [f32; 3],
    /// What each channel of [`PixelType::F32`] is divided by then.
    pub std: [f32; 3],
}

impl Default for ImageTensors {
    /// 224x224 pixels in the middle of 256, bytes, channels first.
    fn default() -> Self {
        Self {
            width: 224,
            height: 224,
            resize: Some(256),
            filter: Filter::default(),
            layout: Layout::default(),
            dtype: PixelType::default(),
            mean: IMAGENET_MEAN,
            std: IMAGENET_STD,
        }
    }
}

impl ImageTensors {
    pub(crate) fn transform(&self) -> Result<Transform, Error> {
        let options = TransformOptions {
            frame: self
                .resize
                .map_or(Frame::Squeeze, |shorter| Frame::Center { shorter }),
            filter: self.filter,
            mean: self.mean,
            std: self.std,
            layout: self.layout,
            ..TransformOptions::new(self.width, self.height)
        };
        Transform::new(options).map_err(|error| Error::image("step `image_tensors`", error))
    }

    /// How many rows a batch may have, so that its tensors have a bound.
    pub(crate) fn batch_rows_max(&self) -> usize {
        let width = match self.dtype {
            PixelType::U8 => 1,
            PixelType::F32 => 4,
        };
        let size = [self.width, self.height, 3 * width].into_iter();
        let size = size.fold(1, usize::saturating_mul).max(1);
        (crate::limits::TENSORS_SIZE_MAX / size).max(1)
    }
}
