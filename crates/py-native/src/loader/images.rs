//! The loader of images.

use std::sync::Arc;

use nexus_image::{
    Filter, Frame, IMAGENET_MEAN, IMAGENET_STD, Layout, Transform, TransformOptions,
};
use nexus_loader::{
    Broken, ImageOptions, ImageSet, Images, Loader as Inner, LoaderOptions, Pixels,
};
use nexus_tensor::DType;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;

use super::any::{AnyLoader, Given};
use super::options::{self, ShuffleArgument, unknown};
use super::shared::Shared;
use super::{Paths, opened};
use crate::data::Size;
use crate::raw::{Memory, Tensor};

/// Height and width, or one number for both.
#[derive(Clone, Copy)]
struct Sides([usize; 2]);

impl<'py> FromPyObject<'_, 'py> for Sides {
    type Error = PyErr;

    fn extract(value: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let square = value.extract().map(|side| [side; 2]);
        square.or_else(|_| value.extract()).map(Self).map_err(|_| {
            let shown = value.repr().map(|shown| shown.to_string());
            let shown = shown.unwrap_or_default();
            let message = format!("a size is a number of pixels, or height and width, not {shown}");
            PyTypeError::new_err(message)
        })
    }
}

/// Batches of shuffled images and their labels, from archives, tables and folders.
///
/// Threads of its own decode, resize, crop and normalise ahead, without the interpreter.
#[pyclass(frozen, extends = AnyLoader, module = "nexus.data")]
pub(crate) struct ImageLoader {
    inner: Arc<Shared<Images>>,
}

#[pymethods]
impl ImageLoader {
    /// Opens files: a file, a folder, or several.
    #[new]
    #[pyo3(signature = (
        source, /, *, batch_size = 1, size = Sides([224; 2]), crop = "center", resize = None,
        scale = (0.08, 1.0), ratio = (3.0 / 4.0, 4.0 / 3.0), flip = 0.0, interpolation = "bilinear",
        mean = IMAGENET_MEAN, std = IMAGENET_STD, dtype = "float32", layout = "NCHW",
        on_error = "raise", image_field = None, label_field = None, shuffle = ShuffleArgument::AUTO,
        block = None, window = None, seed = 0, rank = 0, world_size = 1, worker = 0, workers = 1,
        tail = "drop", format = None, access = "map", threads = 2, prefetch = 4, cache = None,
    ))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of Python")]
    fn new(
        py: Python<'_>,
        source: Paths,
        batch_size: usize,
        size: Sides,
        crop: &str,
        resize: Option<usize>,
        scale: (f64, f64),
        ratio: (f64, f64),
        flip: f64,
        interpolation: &str,
        mean: [f32; 3],
        std: [f32; 3],
        dtype: &str,
        layout: &str,
        on_error: &str,
        image_field: Option<String>,
        label_field: Option<String>,
        shuffle: ShuffleArgument,
        block: Option<u64>,
        window: Option<u64>,
        seed: u64,
        rank: u64,
        world_size: u64,
        worker: u64,
        workers: u64,
        tail: &str,
        format: Option<&str>,
        access: &str,
        threads: usize,
        prefetch: usize,
        cache: Option<Size>,
    ) -> PyResult<PyClassInitializer<Self>> {
        let Sides([height, width]) = size;
        let shape = TransformOptions {
            frame: frame(crop, resize, (height, width), scale, ratio)?,
            filter: filter(interpolation)?,
            flip,
            mean,
            std,
            layout: self::layout(layout)?,
            ..TransformOptions::new(width, height)
        };
        let transform =
            Transform::new(shape).map_err(|error| PyValueError::new_err(error.to_string()))?;
        let pixels = match dtype {
            "float32" => Pixels::Floats,
            "uint8" => Pixels::Bytes,
            _ => return Err(unknown("dtype", dtype, "float32 or uint8")),
        };
        let broken = match on_error {
            "raise" => Broken::Fail,
            "skip" => Broken::Skip,
            _ => return Err(unknown("on_error", on_error, "raise or skip")),
        };
        let defaults = LoaderOptions::default();
        let loader = LoaderOptions {
            split: options::split(batch_size, (rank, world_size), (worker, workers), tail)?,
            shuffle: options::shuffle(shuffle, block, window)?,
            seed,
            threads,
            ahead: prefetch,
            cache_size: cache.map_or(defaults.cache_size, |size| size.0),
            ..defaults
        };
        let open = ImageOptions {
            format: format.map(options::image_format).transpose()?,
            image: image_field,
            label: label_field,
            access: options::access(access)?,
            ..ImageOptions::default()
        };
        let Paths(paths) = source;
        let inner = opened(py, &open.cancel, || {
            let set = ImageSet::open(&paths, &open)?;
            Inner::images(set, transform, pixels, broken, &loader)
        })?;
        let base = AnyLoader::new(inner.clone());
        Ok(PyClassInitializer::from(base).add_subclass(Self { inner }))
    }

    /// The names of classes by their labels, where folders name them.
    #[getter]
    fn classes(&self, py: Python<'_>) -> Vec<String> {
        self.inner
            .with(py, |loader| loader.set().classes().to_vec())
    }

    /// How many images were left out of the batches so far because they could not be decoded.
    #[getter]
    fn skipped(&self, py: Python<'_>) -> u64 {
        self.inner.with(py, |loader| loader.left_out())
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        self.inner.with(py, |loader| {
            let state = loader.state();
            format!(
                "<nexus.data.ImageLoader {} images as {:?} {}, epoch {}, at {}>",
                state.rows,
                loader.shape(),
                name(loader.pixels()),
                state.epoch,
                state.cursor
            )
        })
    }
}

impl Given for Images {
    fn give(py: Python<'_>, batch: nexus_loader::ImageBatch) -> PyResult<Py<PyAny>> {
        let inner = Arc::new(batch);
        Ok(Py::new(py, ImageBatch { inner })?.into_any())
    }
}

fn frame(
    crop: &str,
    resize: Option<usize>,
    (height, width): (usize, usize),
    area: (f64, f64),
    aspect: (f64, f64),
) -> PyResult<Frame> {
    // The recipe that most models are evaluated by: 256 for 224.
    let usual = || height.max(width).saturating_mul(8) / 7;
    let shorter = resize.unwrap_or_else(usual);
    Ok(match crop {
        "center" => Frame::Center { shorter },
        "random" => Frame::Random { shorter },
        "random_resized" => Frame::RandomResized { area, aspect },
        "none" => Frame::Squeeze,
        _ => {
            let known = "center, random, random_resized or none";
            return Err(unknown("crop", crop, known));
        }
    })
}

fn filter(name: &str) -> PyResult<Filter> {
    Ok(match name {
        "bilinear" => Filter::Bilinear,
        "bicubic" => Filter::Bicubic,
        "lanczos" => Filter::Lanczos,
        _ => {
            let known = "bilinear, bicubic or lanczos";
            return Err(unknown("interpolation", name, known));
        }
    })
}

fn layout(name: &str) -> PyResult<Layout> {
    match name {
        "NCHW" => Ok(Layout::Chw),
        "NHWC" => Ok(Layout::Hwc),
        _ => Err(unknown("layout", name, "NCHW or NHWC")),
    }
}

fn name(pixels: Pixels) -> &'static str {
    match pixels {
        Pixels::Floats => "float32",
        Pixels::Bytes => "uint8",
    }
}

/// Images of one size and their labels. Arrays made of its tensors share its memory, which goes back
/// to the loader when the last of them is gone.
#[pyclass(frozen, module = "nexus.data")]
pub(crate) struct ImageBatch {
    inner: Arc<nexus_loader::ImageBatch>,
}

#[pymethods]
impl ImageBatch {
    /// The images: (N, C, H, W), or (N, H, W, C) where the layout is `NHWC`.
    #[getter]
    fn images(&self) -> PyResult<Tensor> {
        let dtype = match self.inner.pixels() {
            Pixels::Floats => DType::F32,
            Pixels::Bytes => DType::U8,
        };
        let shape = std::iter::once(self.inner.len()).chain(self.inner.shape());
        let memory = Memory::of_images(self.inner.clone());
        Tensor::new(dtype, shape.collect(), memory)
    }

    /// The label of each image as `int64`, where there are labels.
    #[getter]
    fn labels(&self) -> PyResult<Option<Tensor>> {
        let labels = self.inner.labels().map(<[i64]>::to_vec);
        let tensor = labels
            .map(|labels| Tensor::new(DType::I64, vec![labels.len()], Memory::of_longs(labels)));
        tensor.transpose()
    }

    /// The numbers of the images.
    #[getter]
    fn rows(&self) -> Vec<u64> {
        self.inner.rows().to_vec()
    }

    /// The numbers of those that were to be here and could not be decoded.
    #[getter]
    fn skipped(&self) -> Vec<u64> {
        self.inner.skipped().to_vec()
    }

    /// The epoch that the batch is of.
    #[getter]
    fn epoch(&self) -> u64 {
        self.inner.epoch()
    }

    /// How many images there are.
    fn __len__(&self) -> usize {
        self.inner.len()
    }

    fn __repr__(&self) -> String {
        format!(
            "<nexus.data.ImageBatch {} × {:?} {}, epoch {}>",
            self.inner.len(),
            self.inner.shape(),
            name(self.inner.pixels()),
            self.inner.epoch()
        )
    }
}
