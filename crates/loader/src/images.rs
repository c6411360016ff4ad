//! Batches of images: decoded, resized, cropped and normalised.

mod batch;
mod folder;
mod samples;
mod set;
mod tar;

use std::fmt;
use std::sync::Arc;

use nexus_image::{Limits, SampleKey, Transform};

use crate::batch::Pool;
use crate::limits::BATCH_SIZE_MAX;
use crate::loader::Loader;
use crate::maker::{Maker, Ordered, sealed::Sealed};
use crate::units::Starts;
use crate::unpack::Cache;
use crate::{Error, ErrorKind, LoaderOptions, foreign};

pub use batch::ImageBatch;
pub(crate) use samples::{Fields, Number, Pictures, Table};
pub use set::{ImageOptions, ImageSet};

/// What the numbers of a batch of images are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pixels {
    /// `f32`, normalised.
    #[default]
    Floats,
    /// `u8` from 0 to 255, as decoded and resized.
    Bytes,
}

/// What becomes of an image that cannot be decoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Broken {
    /// The batch is an error that names it.
    #[default]
    Fail,
    /// It is left out of its batch, and counted.
    Skip,
}

/// Makes batches of images of an [`ImageSet`].
pub struct Images {
    set: ImageSet,
    transform: Transform,
    pixels: Pixels,
    broken: Broken,
    batch: usize,
    pool: Arc<Pool>,
}

impl Loader<Images> {
    /// A loader of images at the start of epoch 0. Of the options, those about tokens do not matter.
    ///
    /// What `transform` draws at random depends on the seed, the epoch and the number of the image
    /// alone: not on threads, ranks and workers.
    ///
    /// # Errors
    /// `InvalidInput` where options contradict each other or give no batch, `LimitReached`.
    pub fn images(
        set: ImageSet,
        transform: Transform,
        pixels: Pixels,
        broken: Broken,
        options: &LoaderOptions,
    ) -> Result<Self, Error> {
        options.split.check()?;
        let batch = options.split.batch;
        let size = batch.checked_mul(transform.len() * pixels.size());
        let Some(size) = size.filter(|&size| size <= BATCH_SIZE_MAX) else {
            let what = format!("cannot make batches of {batch} images");
            return Err(Error::limit(what, "BATCH_SIZE_MAX", BATCH_SIZE_MAX));
        };
        let images = Images {
            set,
            transform,
            pixels,
            broken,
            batch,
            pool: Pool::new(size, options.kept()),
        };
        Self::of(images, options)
    }

    /// The images.
    pub fn set(&self) -> &ImageSet {
        &self.maker().set
    }

    /// The shape of one image in a batch.
    pub fn shape(&self) -> [usize; 3] {
        self.maker().transform.shape()
    }

    /// What the numbers of batches are.
    pub fn pixels(&self) -> Pixels {
        self.maker().pixels
    }
}

impl Pixels {
    /// Bytes of a number.
    pub const fn size(self) -> usize {
        match self {
            Self::Floats => 4,
            Self::Bytes => 1,
        }
    }
}

impl Sealed for Images {}

impl Maker for Images {
    type Batch = ImageBatch;
    type Scratch = Scratch;

    fn count(&self) -> u64 {
        self.set.len()
    }

    fn fingerprint(&self) -> u64 {
        self.set.fingerprint()
    }

    fn starts(&self) -> Starts {
        self.set.starts().into()
    }

    fn unpacked_size(&self, number: usize) -> Option<u64> {
        self.set.all()[number].source.unpacked_size()
    }

    fn unpack(&self, number: usize, cache: &Cache) {
        // What fails now fails again for the batch that needs it, and is told then.
        drop(self.set.all()[number].source.reach(number, cache));
    }

    fn make(&self, order: Ordered<'_>, scratch: &mut Scratch) -> Result<ImageBatch, Error> {
        let mut batch =
            ImageBatch::new(self.batch, self.transform.shape(), self.pixels, &self.pool);
        batch.epoch = order.epoch;
        let mut labels = Vec::with_capacity(order.rows.len());
        for &row in &order.rows {
            order.check()?;
            let place = batch.rows.len();
            match self.decode(row, &order, &mut batch, place, scratch) {
                Ok(label) => {
                    batch.rows.push(row);
                    labels.push(label);
                }
                Err(error) if self.broken == Broken::Skip && is_broken(&error) => {
                    batch.skipped.push(row);
                }
                Err(error) => return Err(error),
            }
        }
        batch.labels = self.set.is_labelled().then_some(labels);
        Ok(batch)
    }

    fn left_out(batch: &ImageBatch) -> usize {
        batch.skipped.len()
    }

    fn is_empty(batch: &ImageBatch) -> bool {
        batch.rows.is_empty()
    }
}

/// Whether this is about the image, and not about the file that it is in.
fn is_broken(error: &Error) -> bool {
    error.is_of_one()
}

impl Images {
    /// Writes the image `row` to a place of the batch, and gives its label.
    fn decode(
        &self,
        row: u64,
        order: &Ordered<'_>,
        batch: &mut ImageBatch,
        place: usize,
        scratch: &mut Scratch,
    ) -> Result<i64, Error> {
        let (number, at) = self.set.find(row);
        let pictures = &self.set.all()[number];
        let store = pictures.source.reach(number, order.cache)?;
        let named = |error: Error| {
            let (name, path) = (pictures.samples.name(at), store.path().display());
            error.within(format!("cannot load {name} of `{path}`"))
        };
        let read = pictures.samples.read(&store, at, &mut scratch.bytes);
        let label = read.map_err(named)?;
        let key = SampleKey {
            seed: order.seed,
            epoch: order.epoch,
            sample: row,
        };
        let (bytes, image) = (&scratch.bytes, &mut scratch.image);
        let decode = || match self.pixels {
            Pixels::Floats => self
                .transform
                .decode(bytes, key, image, batch.floats(place)),
            Pixels::Bytes => {
                let target = batch.bytes(place);
                self.transform.decode_bytes(bytes, key, image, target)
            }
        };
        let Err(error) = foreign::call(decode, failed) else {
            return Ok(label);
        };
        // What a decoder leaves that gave up is not used again.
        scratch.image = nexus_image::Scratch::new(Limits::default());
        Err(named(error).of_one())
    }
}

fn failed(error: &nexus_image::Error) -> Error {
    use nexus_image::ErrorKind as Kind;
    let kind = match error.kind() {
        Kind::InvalidInput => ErrorKind::InvalidInput,
        Kind::Unsupported => ErrorKind::Unsupported,
        Kind::LimitReached => ErrorKind::LimitReached,
        _ => ErrorKind::Corrupt,
    };
    let message = Error::new(kind, error.to_string());
    match error.hint() {
        Some(hint) => message.with_hint(hint),
        None => message,
    }
}

/// Memory of a thread that is used again.
pub struct Scratch {
    bytes: Vec<u8>,
    image: nexus_image::Scratch,
}

impl Default for Scratch {
    fn default() -> Self {
        Self {
            bytes: Vec::new(),
            image: nexus_image::Scratch::new(Limits::default()),
        }
    }
}

impl fmt::Debug for Images {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Images")
            .field("set", &self.set)
            .field("transform", self.transform.options())
            .finish_non_exhaustive()
    }
}
