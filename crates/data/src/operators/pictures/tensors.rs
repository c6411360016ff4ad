//! Images as tensors of one size: the numbers of a batch, and their column.

use crate::Error;
use crate::batch::{assemble, columns};
use crate::images::{ImageTensors, PixelType};
use arrow_array::{ArrayRef, FixedSizeListArray, Float32Array, RecordBatch, UInt8Array};
use arrow_buffer::NullBuffer;
use arrow_schema::{DataType, Field, Schema};
use nexus_image::{Image, Resizer, SampleKey, Transform};
use std::sync::Arc;

pub(super) struct Tensors {
    transform: Transform,
    dtype: PixelType,
}

/// The numbers of a batch's tensors.
pub(super) enum Pixels {
    U8(Vec<u8>),
    F32(Vec<f32>),
}

impl Tensors {
    pub(super) fn new(settings: &ImageTensors) -> Result<Self, Error> {
        Ok(Self {
            transform: settings.transform()?,
            dtype: settings.dtype,
        })
    }

    /// Adds the tensor of an image, zeros where there is none; nothing after an error.
    pub(super) fn push(
        &self,
        pixels: &mut Pixels,
        image: Option<&Image>,
        resizer: &mut Resizer,
    ) -> Result<(), nexus_image::Error> {
        let (transform, key) = (&self.transform, SampleKey::default());
        match pixels {
            Pixels::U8(values) => add(values, transform.len(), 0, |tensor| match image {
                Some(image) => transform.apply_bytes(image, key, resizer, tensor),
                None => Ok(()),
            }),
            Pixels::F32(values) => add(values, transform.len(), 0.0, |tensor| match image {
                Some(image) => transform.apply(image, key, resizer, tensor),
                None => Ok(()),
            }),
        }
    }

    pub(super) fn pixels(&self) -> Pixels {
        match self.dtype {
            PixelType::U8 => Pixels::U8(Vec::new()),
            PixelType::F32 => Pixels::F32(Vec::new()),
        }
    }

    /// The batch with tensors in place of images.
    pub(super) fn attach(
        &self,
        batch: &RecordBatch,
        pixels: Pixels,
        has_image: Vec<bool>,
    ) -> Result<RecordBatch, Error> {
        let (data_type, values): (_, ArrayRef) = match pixels {
            Pixels::U8(values) => (DataType::UInt8, Arc::new(UInt8Array::from(values))),
            Pixels::F32(values) => (DataType::Float32, Arc::new(Float32Array::from(values))),
        };
        // As pyarrow declares it, which knows the type by that.
        let item = Arc::new(Field::new_list_field(data_type, true));
        let len = i32::try_from(self.transform.len()).map_err(|_| {
            Error::limit("step `image_tensors`: a tensor has more numbers than 31 bits can count")
        })?;
        let nulls = NullBuffer::from(has_image);
        let tensors = FixedSizeListArray::new(item.clone(), len, values, Some(nulls));
        let shape = format!("{{\"shape\":{:?}}}", self.transform.shape());
        let metadata = [
            ("ARROW:extension:name", "arrow.fixed_shape_tensor"),
            ("ARROW:extension:metadata", shape.as_str()),
        ];
        let field = Field::new(columns::PIXELS, DataType::FixedSizeList(item, len), true);
        let field = Arc::new(field.with_metadata(metadata));
        let schema = batch.schema();
        let (mut fields, mut columns): (Vec<_>, Vec<_>) = schema
            .fields()
            .iter()
            .cloned()
            .zip(batch.columns().iter().cloned())
            .filter(|(field, _)| ![columns::IMAGE, columns::PIXELS].contains(&&**field.name()))
            .unzip();
        fields.push(field);
        columns.push(Arc::new(tensors));
        assemble(Arc::new(Schema::new(fields)), columns)
    }
}

/// Adds a tensor behind the others, unless `write` fails.
fn add<T: Clone>(
    values: &mut Vec<T>,
    len: usize,
    zero: T,
    write: impl FnOnce(&mut [T]) -> Result<(), nexus_image::Error>,
) -> Result<(), nexus_image::Error> {
    let start = values.len();
    values.resize(start + len, zero);
    let written = write(&mut values[start..]);
    if written.is_err() {
        values.truncate(start);
    }
    written
}
