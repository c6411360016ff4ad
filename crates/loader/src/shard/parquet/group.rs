//! A row group, unpacked into a table of places, labels and bytes.

use std::io::Read;
use std::sync::Arc;

use ::parquet::errors::{ParquetError, Result as Parsed};
use ::parquet::file::metadata::ParquetMetaData;
use ::parquet::file::properties::ReaderProperties;
use ::parquet::file::reader::{ChunkReader, Length, RowGroupReader};
use ::parquet::file::serialized_reader::SerializedRowGroupReader;
use bytes::Bytes;

use super::Kind;
use super::levels::{self, Levels, Values};
use crate::limits::UNIT_SIZE_MAX;
use crate::store::Store;
use crate::unpack::Unpack;
use crate::{Error, foreign};

/// A row group of one column, and of one of labels.
pub(super) struct Group {
    pub(super) store: Store,
    pub(super) footer: Arc<ParquetMetaData>,
    pub(super) number: usize,
    pub(super) leaf: usize,
    pub(super) kind: Kind,
    pub(super) label: Option<usize>,
}

impl Unpack for Group {
    fn size(&self) -> u64 {
        let group = self.footer.row_group(self.number);
        let column = group.column(self.leaf);
        let values = column.num_values().cast_unsigned();
        let table = (group.num_rows().cast_unsigned() + 1) * 8;
        let labels = if self.label.is_some() { table } else { 0 };
        let bytes = match self.kind {
            Kind::Integers(stored) => values.saturating_mul(stored.size() as u64),
            Kind::Bytes(_) => u64::try_from(column.uncompressed_size()).unwrap_or(0),
        };
        table.saturating_add(labels).saturating_add(bytes)
    }

    fn unpack(&self) -> Result<Store, Error> {
        let size = self.size();
        let (path, group) = (self.store.path().display(), self.number);
        let within =
            |error: Error| error.within(format!("cannot unpack row group {group} of `{path}`"));
        if size > UNIT_SIZE_MAX {
            let what = format!("it unpacks to {size} bytes");
            let error = Error::limit(what, "UNIT_SIZE_MAX", UNIT_SIZE_MAX);
            return Err(within(error.with_hint("write smaller row groups")));
        }
        let bytes = fenced(|| Ok(self.bytes()))
            .and_then(|bytes| bytes)
            .map_err(within)?;
        Ok(Store::from_bytes(&path.to_string(), bytes))
    }
}

impl Group {
    fn levels(&self, leaf: usize) -> Levels {
        Levels::of(&self.footer.file_metadata().schema_descr().column(leaf))
    }

    /// The table, the labels and the bytes.
    fn bytes(&self) -> Result<Vec<u8>, Error> {
        let metadata = self.footer.row_group(self.number);
        let rows = metadata.num_rows() as usize;
        let reader = SerializedRowGroupReader::new(
            Arc::new(self.store.clone()),
            metadata,
            self.footer.page_index_for_row_group(self.number),
            Arc::new(ReaderProperties::builder().build()),
        )
        .map_err(|error| broken(&error))?;
        let table = (rows + 1) * 8;
        let labels = if self.label.is_some() { rows * 8 } else { 0 };
        let mut values = Values {
            rows,
            levels: self.levels(self.leaf),
            bytes: vec![0; table + labels],
            ends: Vec::with_capacity(rows),
        };
        // More than the packed bytes usually hold is not taken on the footer's word.
        let packed = metadata.column(self.leaf).compressed_size().cast_unsigned();
        let likely = (self.size() - table as u64).min(packed.saturating_mul(8));
        values.bytes.reserve(likely as usize);
        let column = reader
            .get_column_reader(self.leaf)
            .map_err(|error| broken(&error))?;
        match self.kind {
            Kind::Integers(stored) => values.lists(column, stored)?,
            Kind::Bytes(_) => values.texts(column)?,
        }
        if let Some(label) = self.label {
            let column = reader
                .get_column_reader(label)
                .map_err(|error| broken(&error))?;
            let numbers = levels::numbers(column, self.levels(label), rows)?;
            let places = values.bytes[table..table + labels].as_chunks_mut::<8>().0;
            for (place, number) in places.iter_mut().zip(numbers) {
                *place = number.to_le_bytes();
            }
        }
        let starts = std::iter::once((table + labels) as u64).chain(values.ends.iter().copied());
        let places = values.bytes[..table].as_chunks_mut::<8>().0;
        for (place, start) in places.iter_mut().zip(starts) {
            *place = start.to_le_bytes();
        }
        Ok(values.bytes)
    }
}

pub(super) fn broken(error: &ParquetError) -> Error {
    Error::corrupt(error.to_string()).with_hint("the file is damaged: fetch it again")
}

/// Calls the library's reader.
pub(super) fn fenced<T>(read: impl FnOnce() -> Parsed<T>) -> Result<T, Error> {
    foreign::call(read, broken)
}

impl Length for Store {
    fn len(&self) -> u64 {
        self.size()
    }
}

impl ChunkReader for Store {
    type T = Cursor;

    fn get_read(&self, start: u64) -> Parsed<Cursor> {
        let store = self.clone();
        Ok(Cursor { store, at: start })
    }

    fn get_bytes(&self, start: u64, length: usize) -> Parsed<Bytes> {
        let bytes = self.bytes(start, length as u64, "a column");
        let bytes = bytes.map_err(|error| ParquetError::External(Box::new(error)))?;
        Ok(bytes.into_owned().into())
    }
}

/// Reads on from a place.
pub(crate) struct Cursor {
    store: Store,
    at: u64,
}

impl Read for Cursor {
    fn read(&mut self, target: &mut [u8]) -> std::io::Result<usize> {
        let rest = self.store.size().saturating_sub(self.at);
        let len = rest.min(target.len() as u64) as usize;
        let read = self.store.read(self.at, &mut target[..len], "a column");
        read.map_err(std::io::Error::other)?;
        self.at += len as u64;
        Ok(len)
    }
}
