//! Parquet, by the [format's pages]: lists of integers, or bytes, of a column; a row group is a unit.
//!
//! Pages are packed, and rows cannot be reached in them, so a row group is unpacked as a whole, into
//! a table of places, labels where they are asked for, and the bytes of all rows behind each other.
//! The crate `parquet` reads pages, without its Arrow part. It should not panic on a broken file, but
//! nobody can promise that for it; a panic becomes an error.
//!
//! [format's pages]: https://parquet.apache.org/docs/file-format/

mod group;
mod levels;

use std::sync::Arc;

use ::parquet::basic::{LogicalType, Type};
use ::parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use ::parquet::schema::types::ColumnDescriptor;

use super::{Documents, Shard, Span};
use crate::images::{Fields, Number, Pictures, Table};
use crate::limits::{COLUMNS_MAX, FOOTER_SIZE_MAX};
use crate::store::Store;
use crate::unpack::Source;
use crate::{Error, Stored};
use group::{Group, broken, fenced};

/// All row groups of a file as shards. `field` is the column, `stored` the type of tokens in bytes.
pub(crate) fn open(
    store: Store,
    field: Option<&str>,
    stored: Option<Stored>,
) -> Result<Vec<Shard>, Error> {
    let path = store.path().display().to_string();
    let within = |error: Error| error.within(format!("cannot read `{path}`"));
    let file = File::open(store).map_err(within)?;
    let leaf = file.tokens(field).map_err(within)?;
    let kind = file.kind(leaf, stored).map_err(within)?;
    let shard = |group| {
        let documents = Listing {
            count: file.rows(group),
            stored: kind.stored(),
        };
        Shard {
            source: file.unit(group, leaf, kind, None),
            stored: kind.stored(),
            documents: Box::new(documents),
        }
    };
    Ok((0..file.groups()).map(shard).collect())
}

/// All row groups of a file as images and labels.
pub(crate) fn open_images(store: Store, fields: Fields<'_>) -> Result<Vec<Pictures>, Error> {
    let path = store.path().display().to_string();
    let within = |error: Error| error.within(format!("cannot read `{path}`"));
    let file = File::open(store).map_err(within)?;
    let image = file.images(fields.image).map_err(within)?;
    let label = file.label(fields.label).map_err(within)?;
    let group = |group| {
        let source = file.unit(group, image, Kind::Bytes(Stored::U8), label);
        let samples = Table::new(file.rows(group), label.is_some(), file.first(group));
        Pictures::new(source, samples)
    };
    Ok((0..file.groups()).map(group).collect())
}

/// Where rows lie in an unpacked row group: the table is `u64`s from the first byte on.
struct Listing {
    count: u64,
    stored: Stored,
}

impl Documents for Listing {
    fn count(&self) -> u64 {
        self.count
    }

    fn span(&self, store: &Store, at: u64) -> Result<Span, Error> {
        let start = store.u64(at * 8, "a place")?;
        let end = store.u64(at * 8 + 8, "a place")?;
        let item = self.stored.size() as u64;
        let size = end.saturating_sub(start);
        if !size.is_multiple_of(item) {
            let path = store.path().display();
            let message = format!("row {at} of `{path}` has {size} bytes, no tokens of {item}");
            return Err(Error::corrupt(message).with_hint("the stored type may be another"));
        }
        Ok(Span {
            start,
            len: size / item,
        })
    }
}

/// What the values of a column are.
#[derive(Clone, Copy, Debug)]
enum Kind {
    /// Lists of integers.
    Integers(Stored),
    /// Bytes, which are tokens or an image.
    Bytes(Stored),
}

impl Kind {
    fn stored(self) -> Stored {
        match self {
            Self::Integers(stored) | Self::Bytes(stored) => stored,
        }
    }
}

/// A file and what its footer says.
struct File {
    store: Store,
    footer: Arc<ParquetMetaData>,
}

impl File {
    fn open(store: Store) -> Result<Self, Error> {
        let size = store.size();
        let tail = store.bytes(size.saturating_sub(8), 8.min(size), "the end of the footer")?;
        let Some((len, b"PAR1")) = tail.split_first_chunk::<4>() else {
            return Err(Error::corrupt("it has no Parquet footer")
                .with_hint("the file is cut off, or no Parquet: fetch it again"));
        };
        let len = u64::from(u32::from_le_bytes(*len));
        if len > FOOTER_SIZE_MAX {
            let what = format!("the footer has {len} bytes");
            return Err(Error::limit(what, "FOOTER_SIZE_MAX", FOOTER_SIZE_MAX));
        }
        drop(tail);
        let footer = fenced(|| ParquetMetaDataReader::new().parse_and_finish(&store))?;
        let file = Self {
            store,
            footer: Arc::new(footer),
        };
        file.check()?;
        Ok(file)
    }

    /// Columns lie in the file, and row groups are not too large to be unpacked.
    fn check(&self) -> Result<(), Error> {
        let columns = self.footer.file_metadata().schema_descr().num_columns();
        if columns > COLUMNS_MAX {
            let what = format!("it has {columns} columns");
            return Err(Error::limit(what, "COLUMNS_MAX", COLUMNS_MAX));
        }
        for group in self.footer.row_groups() {
            let is_inside = group.num_columns() == columns
                && u32::try_from(group.num_rows()).is_ok()
                && group.columns().iter().all(|column| {
                    let start = column
                        .dictionary_page_offset()
                        .unwrap_or(column.data_page_offset());
                    let end = start.checked_add(column.compressed_size());
                    start >= 0
                        && column.compressed_size() >= 0
                        && column.num_values() >= 0
                        && end.is_some_and(|end| end.cast_unsigned() <= self.store.size())
                });
            if !is_inside {
                return Err(Error::corrupt("a column lies outside of the file")
                    .with_hint("the file is damaged: fetch it again"));
            }
        }
        Ok(())
    }

    fn groups(&self) -> usize {
        self.footer.num_row_groups()
    }

    fn rows(&self, group: usize) -> u64 {
        self.footer.row_group(group).num_rows().cast_unsigned()
    }

    /// The number of the first row of a row group in the file.
    fn first(&self, group: usize) -> u64 {
        (0..group).map(|before| self.rows(before)).sum()
    }

    fn columns(&self) -> impl Iterator<Item = (usize, &ColumnDescriptor)> {
        let schema = self.footer.file_metadata().schema_descr();
        let columns = schema.columns().iter().map(AsRef::as_ref);
        columns.enumerate()
    }

    /// The column of tokens: the one of the name, the one that is usually called so, or the only one
    /// that may be it.
    fn tokens(&self, field: Option<&str>) -> Result<usize, Error> {
        let is_list =
            |column: &ColumnDescriptor| column.max_rep_level() == 1 && integer(column).is_some();
        let given = one_or(field.as_slice(), &["tokens", "input_ids"]);
        let named = given.iter().find_map(|name| self.named(name));
        let only = || {
            let mut lists = self.columns().filter(|(_, column)| is_list(column));
            let first = lists
                .next()
                .filter(|_| lists.next().is_none() && field.is_none());
            first.map(|(leaf, _)| leaf)
        };
        named.or_else(only).ok_or_else(|| self.missing(given[0]))
    }

    /// The column of images: bytes, or the member `bytes` of a struct, as Hugging Face writes it.
    fn images(&self, field: Option<&str>) -> Result<usize, Error> {
        let given = one_or(field.as_slice(), &["image", "img", "jpg", "bytes"]);
        let leaf = given.iter().find_map(|name| {
            let of_struct = self.named(&format!("{name}.bytes"));
            of_struct.or_else(|| self.named(name))
        });
        let leaf = leaf.ok_or_else(|| self.missing(given[0]))?;
        let (_, column) = self.columns().nth(leaf).expect("it was found");
        if column.max_rep_level() > 0 || column.physical_type() != Type::BYTE_ARRAY {
            let name = column.path().string();
            let message = format!("the column `{name}` holds no bytes of images");
            return Err(Error::unsupported(message));
        }
        Ok(leaf)
    }

    fn label(&self, field: Option<&str>) -> Result<Option<(usize, Number)>, Error> {
        let usual = ["label", "labels", "fine_label", "class", "cls"];
        let given = one_or(field.as_slice(), &usual);
        let Some(leaf) = given.iter().find_map(|name| self.named(name)) else {
            return field.map_or(Ok(None), |name| Err(self.missing(name)));
        };
        let (_, column) = self.columns().nth(leaf).expect("it was found");
        match integer(column) {
            Some(stored) if column.max_rep_level() == 0 => {
                Ok(Some((leaf, Number::Integer(stored))))
            }
            _ => {
                let name = column.path().string();
                let message = format!("the column `{name}` holds no integers as labels");
                Err(Error::unsupported(message).with_hint("number the classes"))
            }
        }
    }

    /// The leaf that a path of names leads to, or the only one below it.
    fn named(&self, name: &str) -> Option<usize> {
        let below = format!("{name}.");
        let mut found = self.columns().filter(|(_, column)| {
            let path = column.path().string();
            path == name || path.starts_with(&below)
        });
        let (leaf, _) = found.next()?;
        found.next().is_none().then_some(leaf)
    }

    fn missing(&self, name: &str) -> Error {
        let names: Vec<String> = self
            .columns()
            .map(|(_, column)| column.path().string())
            .take(20)
            .collect();
        Error::not_found(format!("there is no column {name:?} among {names:?}"))
            .with_hint("name the column as the field")
    }

    /// What a column of tokens holds.
    fn kind(&self, leaf: usize, stored: Option<Stored>) -> Result<Kind, Error> {
        let (_, column) = self.columns().nth(leaf).expect("it was found");
        match (column.physical_type(), column.max_rep_level(), stored) {
            (Type::INT32 | Type::INT64, 1, _) => integer(column)
                .map(Kind::Integers)
                .ok_or_else(|| refused(column)),
            (Type::BYTE_ARRAY, 0, Some(stored)) => Ok(Kind::Bytes(stored)),
            (Type::BYTE_ARRAY, 0, None) => {
                let message = "cannot know the type of the tokens in a column of bytes";
                Err(Error::invalid(message).with_hint("name the stored type, such as uint16"))
            }
            _ => Err(refused(column)),
        }
    }

    fn unit(
        &self,
        number: usize,
        leaf: usize,
        kind: Kind,
        label: Option<(usize, Number)>,
    ) -> Source {
        let group = Group {
            store: self.store.clone(),
            footer: self.footer.clone(),
            number,
            leaf,
            kind,
            label: label.map(|(leaf, _)| leaf),
        };
        Source::packed(self.store.clone(), group)
    }
}

fn refused(column: &ColumnDescriptor) -> Error {
    let name = column.path().string();
    let message = format!("the column `{name}` holds no lists of integers");
    Error::unsupported(message).with_hint("write tokens as lists of integers, or as bytes")
}

/// The name that is given, or the usual ones.
fn one_or<'a>(given: &'a [&'a str], usual: &'a [&'a str]) -> &'a [&'a str] {
    if given.is_empty() { usual } else { given }
}

/// The type of a column of integers.
fn integer(column: &ColumnDescriptor) -> Option<Stored> {
    let physical = column.physical_type();
    let (width, signed) = match column.logical_type_ref() {
        Some(LogicalType::Integer(integer)) => (integer.bit_width, integer.is_signed),
        None => (if physical == Type::INT32 { 32 } else { 64 }, true),
        _ => return None,
    };
    Some(match (physical, width, signed) {
        (Type::INT32, 8, false) => Stored::U8,
        (Type::INT32, 8, true) => Stored::I8,
        (Type::INT32, 16, false) => Stored::U16,
        (Type::INT32, 16, true) => Stored::I16,
        (Type::INT32, 32, false) => Stored::U32,
        (Type::INT32, 32, true) => Stored::I32,
        (Type::INT64, 64, false) => Stored::U64,
        (Type::INT64, 64, true) => Stored::I64,
        _ => return None,
    })
}
