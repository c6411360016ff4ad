//! Batches of images.

use std::fmt;
use std::sync::Arc;

use super::Pixels;
use crate::batch::Pool;
use crate::raw::Buffer;

/// Images of one size, side by side in memory, and their labels. The memory goes back to the loader
/// when the batch goes.
pub struct ImageBatch {
    shape: [usize; 3],
    pixels: Pixels,
    pub(super) rows: Vec<u64>,
    pub(super) skipped: Vec<u64>,
    pub(super) labels: Option<Vec<i64>>,
    pub(super) epoch: u64,
    buffer: Option<Buffer>,
    pool: Arc<Pool>,
}

impl ImageBatch {
    pub(super) fn new(count: usize, shape: [usize; 3], pixels: Pixels, pool: &Arc<Pool>) -> Self {
        Self {
            shape,
            pixels,
            rows: Vec::with_capacity(count),
            skipped: Vec::new(),
            labels: None,
            epoch: 0,
            buffer: Some(pool.take()),
            pool: pool.clone(),
        }
    }

    fn buffer(&self) -> &Buffer {
        let buffer = self.buffer.as_ref();
        buffer.expect("a batch has its buffer until it goes")
    }

    fn buffer_mut(&mut self) -> &mut Buffer {
        let buffer = self.buffer.as_mut();
        buffer.expect("a batch has its buffer until it goes")
    }

    /// The numbers of the image at a place, to be written.
    pub(super) fn floats(&mut self, place: usize) -> &mut [f32] {
        let len: usize = self.shape.iter().product();
        &mut self.buffer_mut().floats_mut()[place * len..][..len]
    }

    /// As [`floats`](Self::floats), of bytes.
    pub(super) fn bytes(&mut self, place: usize) -> &mut [u8] {
        let len: usize = self.shape.iter().product();
        &mut self.buffer_mut().bytes_mut()[place * len..][..len]
    }

    /// How many images there are: the batch size, or fewer at the end of an epoch or where broken ones
    /// are left out.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no image. Loaders give no such batch.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The shape of one image, in the order of its layout.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// What the numbers are.
    pub fn pixels(&self) -> Pixels {
        self.pixels
    }

    /// The size of the images in bytes.
    pub fn size(&self) -> usize {
        self.len() * self.shape.iter().product::<usize>() * self.pixels.size()
    }

    /// The numbers of all images, in the order of the machine.
    pub fn images(&self) -> &[u8] {
        &self.buffer().bytes()[..self.size()]
    }

    /// The address of the images, for those who share the memory. They may read and write there while
    /// the batch lives, and nobody borrows from it meanwhile.
    pub fn start(&self) -> *mut u8 {
        self.buffer().start()
    }

    /// The label of each image, where there are labels.
    pub fn labels(&self) -> Option<&[i64]> {
        self.labels.as_deref()
    }

    /// The numbers of the images.
    pub fn rows(&self) -> &[u64] {
        &self.rows
    }

    /// The numbers of those that were to be here and could not be decoded.
    pub fn skipped(&self) -> &[u64] {
        &self.skipped
    }

    /// The epoch that the batch is of.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }
}

impl Drop for ImageBatch {
    fn drop(&mut self) {
        if let Some(buffer) = self.buffer.take() {
            self.pool.give_back(buffer);
        }
    }
}

impl fmt::Debug for ImageBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImageBatch")
            .field("rows", &self.rows)
            .field("shape", &self.shape)
            .field("pixels", &self.pixels)
            .field("epoch", &self.epoch)
            .finish_non_exhaustive()
    }
}
