//! Where records have their images: files, members of archives, columns of tables.

use super::table::is_string;
use super::{Chunk, listing::Input};
use crate::batch::{binary_array, columns};
use crate::limits::DOCUMENT_SIZE_MAX;
use crate::{Error, ErrorKind};
use arrow_array::cast::AsArray;
use arrow_array::types::{BinaryType, LargeBinaryType};
use arrow_array::{Array, ArrayRef, BinaryArray, GenericByteArray, RecordBatch};
use arrow_schema::DataType;

/// The columns of bytes in an image of Hugging Face `datasets`: a struct of both.
const BYTES: &str = "bytes";
const PATH: &str = "path";

/// Whether a file or member with this ending, in lower case, is an image that can be read.
pub(super) fn is_image(ending: &str) -> bool {
    matches!(ending, "jpg" | "jpeg" | "png" | "webp")
}

impl Chunk {
    /// Whether its rows have a column of images.
    pub(super) fn reads_images(&self) -> bool {
        let input = match self {
            Self::Lines(chunk) => Some(&chunk.input),
            Self::Cells(chunk) => Some(&chunk.input),
            Self::Table(chunk) => Some(&chunk.input),
            Self::Captures(chunk) => Some(&chunk.input),
            Self::Samples(chunk) => Some(&chunk.input),
            Self::Documents(inputs) => inputs.first(),
            Self::Aside(_) | Self::Batch(_) | Self::Failed(_) => None,
        };
        input.is_some_and(Input::reads_images)
    }
}

/// Whether a column of a table may hold images, and what is said if not.
pub(super) fn check(data_type: &DataType, name: &str) -> Result<(), String> {
    let is_bytes = |data_type: &DataType| {
        matches!(
            data_type,
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView
        )
    };
    let is_image = match data_type {
        DataType::Struct(fields) => fields
            .find(BYTES)
            .is_some_and(|(_, field)| is_bytes(field.data_type())),
        other => is_bytes(other),
    };
    if is_image {
        return Ok(());
    }
    Err(format!(
        "the column `{name}` holds no images: it is {data_type}, neither bytes nor a struct with `{BYTES}`"
    ))
}

/// The images of a table, and their names where it has them.
pub(super) struct Images<'a> {
    column: &'a ArrayRef,
    bytes: &'a ArrayRef,
    /// Their paths.
    pub(super) names: Option<&'a ArrayRef>,
}

impl<'a> Images<'a> {
    /// The images of a column that was [checked](check); none where there is no such column.
    pub(super) fn of(batch: &'a RecordBatch, name: &str) -> Option<Self> {
        let column = batch.column_by_name(name)?;
        let Some(parts) = column.as_struct_opt() else {
            return Some(Self {
                column,
                bytes: column,
                names: None,
            });
        };
        let names = parts.column_by_name(PATH);
        Some(Self {
            column,
            bytes: parts.column_by_name(BYTES)?,
            names: names.filter(|names| is_string(names.data_type())),
        })
    }

    /// The bytes of a row's image.
    pub(super) fn size(&self, row: usize) -> usize {
        self.get(row).map_or(0, <[u8]>::len)
    }

    fn get(&self, row: usize) -> Option<&'a [u8]> {
        if self.column.is_null(row) || self.bytes.is_null(row) {
            return None;
        }
        Some(match self.bytes.data_type() {
            DataType::Binary => self.bytes.as_bytes::<BinaryType>().value(row),
            DataType::LargeBinary => self.bytes.as_bytes::<LargeBinaryType>().value(row),
            _ => self.bytes.as_binary_view_opt()?.value(row),
        })
    }

    /// Why a row's image is set aside before anybody decodes it, if it is.
    pub(super) fn reason(&self, row: usize) -> Option<String> {
        let is_large = self.size(row) > DOCUMENT_SIZE_MAX;
        is_large.then(|| {
            format!("the image is larger than DOCUMENT_SIZE_MAX = {DOCUMENT_SIZE_MAX} bytes")
        })
    }

    /// All of them as `Binary`; none in place of those that are too large.
    pub(super) fn to_binary(&self) -> Result<BinaryArray, Error> {
        let own: Option<&GenericByteArray<BinaryType>> = self.column.as_bytes_opt();
        if let Some(bytes) = own {
            return Ok(bytes.clone());
        }
        let get = |row| {
            let image = self.get(row);
            image.filter(|image| image.len() <= DOCUMENT_SIZE_MAX)
        };
        binary_array((0..self.column.len()).map(get).collect())
    }
}

/// A column without an image in any of so many rows.
pub(super) fn none(rows: usize) -> BinaryArray {
    BinaryArray::new_null(rows)
}

/// The source has neither texts nor images.
pub(super) fn missing(name: &str, others: &str) -> String {
    format!(
        "there is neither a column `{}` nor `{name}` among {others}",
        columns::TEXT
    )
}

/// A setting of the step `images` that no table can have.
pub(crate) fn check_name(name: &str) -> Result<(), Error> {
    if [columns::ID, columns::TEXT, columns::FIELDS].contains(&name) {
        let message = format!("step `images`: the column `{name}` is no column of images");
        return Err(Error::new(ErrorKind::InvalidInput, message));
    }
    Ok(())
}
