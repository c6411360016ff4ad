//! The values of a column, put together to rows by their levels.
//!
//! A repetition level of 0 begins a row. A definition level below the highest says that there is no
//! value: the list is empty or missing, or the value in it is.

use ::parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use ::parquet::data_type::{ByteArray, ByteArrayType, DataType, Int32Type, Int64Type};
use ::parquet::schema::types::ColumnDescriptor;

use super::broken;
use crate::limits::UNIT_SIZE_MAX;
use crate::{Error, Stored};

/// How many rows are read at a time; bounds what the levels take.
const ROWS: usize = 1024;

/// Rows that are gathered.
pub(super) struct Values {
    /// How many there shall be.
    pub(super) rows: usize,
    /// Those of their column.
    pub(super) levels: Levels,
    /// The bytes of all, behind what was there before.
    pub(super) bytes: Vec<u8>,
    /// Where each row ends in `bytes`.
    pub(super) ends: Vec<u64>,
}

impl Values {
    /// Reads lists of integers, and stores them as `stored`.
    pub(super) fn lists(&mut self, column: ColumnReader, stored: Stored) -> Result<(), Error> {
        match column {
            ColumnReader::Int32ColumnReader(column) => match stored {
                Stored::U8 => self.integers::<Int32Type, 1>(column, |value| {
                    u8::try_from(value).ok().map(|value| [value])
                }),
                Stored::I8 => self.integers::<Int32Type, 1>(column, |value| {
                    i8::try_from(value).ok().map(i8::to_le_bytes)
                }),
                Stored::U16 => self.integers::<Int32Type, 2>(column, |value| {
                    u16::try_from(value).ok().map(u16::to_le_bytes)
                }),
                Stored::I16 => self.integers::<Int32Type, 2>(column, |value| {
                    i16::try_from(value).ok().map(i16::to_le_bytes)
                }),
                _ => self.integers::<Int32Type, 4>(column, |value| Some(value.to_le_bytes())),
            },
            ColumnReader::Int64ColumnReader(column) => {
                self.integers::<Int64Type, 8>(column, |value| Some(value.to_le_bytes()))
            }
            _ => Err(Error::corrupt("the column holds no integers")),
        }
    }

    fn integers<T: DataType, const N: usize>(
        &mut self,
        mut column: ColumnReaderImpl<T>,
        write: impl Fn(T::T) -> Option<[u8; N]>,
    ) -> Result<(), Error>
    where
        T::T: Copy,
    {
        let levels = self.levels;
        let (mut definitions, mut repetitions, mut values) = (Vec::new(), Vec::new(), Vec::new());
        while self.ends.len() < self.rows {
            definitions.clear();
            repetitions.clear();
            values.clear();
            let wanted = ROWS.min(self.rows - self.ends.len());
            let (rows, _, _) = column
                .read_records(
                    wanted,
                    Some(&mut definitions),
                    Some(&mut repetitions),
                    &mut values,
                )
                .map_err(|error| broken(&error))?;
            if rows == 0 {
                return Err(missing(self.rows, self.ends.len()));
            }
            let before = self.bytes.len();
            let mut outside = false;
            for &value in &values {
                let bytes = write(value);
                outside |= bytes.is_none();
                self.bytes.extend_from_slice(&bytes.unwrap_or([0; N]));
            }
            if outside {
                return Err(Error::corrupt(
                    "a token does not fit the type of its column",
                ));
            }
            self.bound::<N>(before, rows, levels, &definitions, &repetitions)?;
            self.check_size()?;
        }
        Ok(())
    }

    /// Finds the ends of rows.
    fn bound<const N: usize>(
        &mut self,
        before: usize,
        rows: usize,
        levels: Levels,
        definitions: &[i16],
        repetitions: &[i16],
    ) -> Result<(), Error> {
        let (mut end, first) = (before, self.ends.len());
        for (at, &repetition) in repetitions.iter().enumerate() {
            if repetition == 0 && at > 0 {
                self.ends.push(end as u64);
            }
            let definition = definitions.get(at).copied().unwrap_or(levels.most);
            if definition == levels.most {
                end += N;
            } else if definition >= levels.listed {
                let row = self.ends.len();
                let message = format!("a token of row {row} is missing");
                return Err(Error::unsupported(message).with_hint("write lists without nulls"));
            }
        }
        self.ends.push(end as u64);
        if self.ends.len() - first == rows && end == self.bytes.len() {
            return Ok(());
        }
        Err(Error::corrupt("its levels do not fit its values"))
    }

    /// Reads bytes, one value a row.
    pub(super) fn texts(&mut self, column: ColumnReader) -> Result<(), Error> {
        let ColumnReader::ByteArrayColumnReader(column) = column else {
            return Err(Error::corrupt("the column holds no bytes"));
        };
        let (rows, levels) = (self.rows, self.levels);
        each::<ByteArrayType>(column, levels, rows, |value: Option<&ByteArray>| {
            // A row without bytes is empty, which whoever wants an image says.
            if let Some(value) = value {
                self.bytes.extend_from_slice(value.data());
            }
            self.ends.push(self.bytes.len() as u64);
            self.check_size()
        })
    }

    fn check_size(&self) -> Result<(), Error> {
        if self.bytes.len() as u64 <= UNIT_SIZE_MAX {
            return Ok(());
        }
        let what = "it unpacks to more bytes";
        Err(Error::limit(what, "UNIT_SIZE_MAX", UNIT_SIZE_MAX))
    }
}

/// Integers, one a row.
pub(super) fn numbers(
    column: ColumnReader,
    levels: Levels,
    rows: usize,
) -> Result<Vec<i64>, Error> {
    let mut numbers = Vec::with_capacity(rows);
    let missing = || {
        let message = "a label is missing";
        Error::unsupported(message).with_hint("give each image a label, or name no column of them")
    };
    match column {
        ColumnReader::Int32ColumnReader(column) => {
            each::<Int32Type>(column, levels, rows, |value| {
                numbers.push(i64::from(*value.ok_or_else(missing)?));
                Ok(())
            })
        }
        ColumnReader::Int64ColumnReader(column) => {
            each::<Int64Type>(column, levels, rows, |value| {
                numbers.push(*value.ok_or_else(missing)?);
                Ok(())
            })
        }
        _ => Err(Error::corrupt("the column holds no integers")),
    }?;
    Ok(numbers)
}

/// Each row of a column without lists.
fn each<T: DataType>(
    mut column: ColumnReaderImpl<T>,
    levels: Levels,
    rows: usize,
    mut take: impl FnMut(Option<&T::T>) -> Result<(), Error>,
) -> Result<(), Error> {
    let (mut definitions, mut values) = (Vec::new(), Vec::new());
    let mut done = 0;
    while done < rows {
        definitions.clear();
        values.clear();
        // Values are copied out, so few at a time.
        let (count, _, _) = column
            .read_records(
                (rows - done).min(64),
                Some(&mut definitions),
                None,
                &mut values,
            )
            .map_err(|error| broken(&error))?;
        if count == 0 {
            return Err(missing(rows, done));
        }
        let mut present = values.iter();
        for at in 0..count {
            let definition = definitions.get(at).copied().unwrap_or(levels.most);
            let value = if definition == levels.most {
                let value = present.next();
                Some(value.ok_or_else(|| Error::corrupt("its levels do not fit its values"))?)
            } else {
                None
            };
            take(value)?;
        }
        done += count;
    }
    Ok(())
}

fn missing(wanted: usize, found: usize) -> Error {
    Error::corrupt(format!("it has {found} rows, and {wanted} by the footer"))
        .with_hint("the file is damaged: fetch it again")
}

/// What definition levels mean.
#[derive(Clone, Copy)]
pub(super) struct Levels {
    /// A value.
    most: i16,
    /// Something in a list, be it a value or none.
    listed: i16,
}

impl Levels {
    pub(super) fn of(column: &ColumnDescriptor) -> Self {
        let most = column.max_def_level();
        let is_optional = column.self_type().is_optional();
        Self {
            most,
            listed: most - i16::from(is_optional),
        }
    }
}
