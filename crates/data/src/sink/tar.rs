//! Tar archives as `webdataset` reads them: the members of a row have one name and different endings
//! (POSIX.1-1988, the `ustar` format).

use super::encode::{Encoded, Form, Rows};
use super::{OutFile, Shard};
use crate::batch::columns;
use crate::cells::Cells;
use crate::{Error, jsonl};
use arrow_array::cast::AsArray;
use arrow_array::types::UInt32Type;
use arrow_array::{Array, BinaryArray, RecordBatch};
use arrow_schema::DataType;
use nexus_image::Format;

const BLOCK_SIZE: usize = 512;
/// The largest size that eleven octal digits can say.
const MEMBER_SIZE_MAX: usize = (8 << 30) - 1;

/// The members of rows.
pub(crate) type Members = Vec<Member>;

/// A member of each row, or of each row that has one.
pub(crate) struct Member {
    endings: Endings,
    rows: Rows,
}

enum Endings {
    /// The same for all rows.
    Same(String),
    /// Of each row; none where the row has no such member.
    Each(Vec<Option<&'static str>>),
}

impl Member {
    fn new(ending: impl Into<String>, rows: Rows) -> Self {
        let endings = Endings::Same(ending.into());
        Self { endings, rows }
    }

    /// The bytes of a row; none where it has no such member.
    pub(super) fn size(&self, row: usize) -> Option<usize> {
        self.ending(row).map(|_| self.rows.get(row).len())
    }

    fn ending(&self, row: usize) -> Option<&str> {
        match &self.endings {
            Endings::Same(ending) => Some(ending),
            Endings::Each(endings) => endings[row],
        }
    }
}

/// The text as `.txt`, the image by what it is, its label as `.cls`, lists of token ids as
/// `.NAME.npy`, and all other columns as `.json`.
pub(super) fn encode(batch: &RecordBatch) -> Result<Members, Error> {
    let schema = batch.schema();
    let (mut members, mut others) = (Members::new(), Vec::new());
    let has_text = batch.column_by_name(columns::TEXT).is_some();
    let text = if has_text {
        columns::TEXT
    } else {
        columns::PASSAGE
    };
    for (at, field) in schema.fields().iter().enumerate() {
        let column = batch.column(at);
        match field.data_type() {
            DataType::Utf8 if field.name() == text => {
                let cells = Cells::new(column, text)?;
                members.push(Member::new(
                    "txt",
                    rows(batch, |row, out| {
                        out.extend_from_slice(cells.text(row).unwrap_or_default().as_bytes());
                    }),
                ));
            }
            DataType::List(item) if item.data_type() == &DataType::UInt32 => {
                let list = column.as_list::<i32>();
                members.push(Member::new(
                    format!("{}.npy", field.name()),
                    rows(batch, |row, out| {
                        let ids = list.value(row);
                        npy(ids.as_primitive::<UInt32Type>().values(), out);
                    }),
                ));
            }
            DataType::Binary if field.name() == columns::IMAGE => {
                members.push(images(batch, column.as_binary()));
            }
            DataType::Int64 if field.name() == columns::LABEL => {
                let cells = Cells::new(column, columns::LABEL)?;
                let rows = rows(batch, |row, out| cells.write(row, out));
                members.push(Member::new("cls", rows));
            }
            _ => others.push(at),
        }
    }
    if !others.is_empty() {
        let others = batch
            .project(&others)
            .map_err(|error| Error::arrow("choose columns", error))?;
        let (bytes, ends) = jsonl::encode(&others, None)?;
        members.push(Member::new("json", Rows { bytes, ends }));
    }
    Ok(members)
}

/// Images as their files have them.
fn images(batch: &RecordBatch, column: &BinaryArray) -> Member {
    let ending = |image: &[u8]| match Format::of(image) {
        Some(Format::Jpeg) => "jpg",
        Some(Format::Png) => "png",
        Some(Format::WebP) => "webp",
        _ => "bin",
    };
    let rows = rows(batch, |row, out| {
        if column.is_valid(row) {
            out.extend_from_slice(column.value(row));
        }
    });
    let endings = Endings::Each(column.iter().map(|image| image.map(ending)).collect());
    Member { endings, rows }
}

fn rows(batch: &RecordBatch, mut write: impl FnMut(usize, &mut Vec<u8>)) -> Rows {
    let mut rows = Rows::default();
    for row in 0..batch.num_rows() {
        write(row, &mut rows.bytes);
        rows.ends.push(rows.bytes.len());
    }
    rows
}

/// An array of NumPy's format 1.0 (<https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>).
fn npy(values: &[u32], out: &mut Vec<u8>) {
    let header = format!(
        "{{'descr': '<u4', 'fortran_order': False, 'shape': ({},), }}",
        values.len()
    );
    // The data begins at a multiple of 64 bytes.
    let size = (10 + header.len() + 1).next_multiple_of(64) - 10;
    out.extend_from_slice(b"\x93NUMPY\x01\x00");
    out.extend_from_slice(&(size as u16).to_le_bytes());
    out.extend_from_slice(format!("{header:<width$}\n", width = size - 1).as_bytes());
    out.extend(values.iter().flat_map(|value| value.to_le_bytes()));
}

pub(super) struct Archive {
    file: OutFile,
    /// The number of the next row in the whole output, from 0: its name.
    row: u64,
}

impl Archive {
    pub(super) fn new(file: OutFile, row: u64) -> Self {
        Self { file, row }
    }
}

impl Shard for Archive {
    fn write(&mut self, rows: &Encoded, from: usize, limit: u64) -> Result<usize, Error> {
        let Form::Members(members) = &rows.form else {
            unreachable!("archives take members");
        };
        let mut next = from;
        while next < rows.rows() && (next == from || self.file.size() < limit) {
            for member in members {
                let bytes = member.rows.get(next);
                let Some(ending) = member.ending(next) else {
                    continue;
                };
                self.file
                    .append(&header(&format!("{:09}.{ending}", self.row), bytes.len())?)?;
                self.file.append(bytes)?;
                let padding = bytes.len().next_multiple_of(BLOCK_SIZE) - bytes.len();
                self.file.append(&[0; BLOCK_SIZE][..padding])?;
            }
            self.row += 1;
            next += 1;
        }
        Ok(next)
    }

    fn size(&self) -> u64 {
        self.file.size()
    }

    fn finish(mut self: Box<Self>) -> Result<Vec<OutFile>, Error> {
        self.file.append(&[0; 2 * BLOCK_SIZE])?;
        Ok(vec![self.file])
    }
}

/// The block before a member. Owners and times are left at zero: the same rows give the same bytes.
fn header(name: &str, size: usize) -> Result<[u8; BLOCK_SIZE], Error> {
    if name.len() > 100 || size > MEMBER_SIZE_MAX {
        return Err(Error::limit(format!(
            "cannot put `{name}` of {size} bytes into a tar archive: names have at most 100 bytes \
             and members {MEMBER_SIZE_MAX}"
        )));
    }
    let mut block = [0; BLOCK_SIZE];
    let mut put = |at: usize, text: &[u8]| block[at..at + text.len()].copy_from_slice(text);
    put(0, name.as_bytes());
    put(100, b"0000644\x000000000\x000000000\0");
    put(124, format!("{size:011o}\x0000000000000\0").as_bytes());
    // The sum of all bytes, for which its own place counts as blanks.
    put(148, b"        ");
    put(156, b"0");
    put(257, b"ustar\x0000");
    let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    Ok(block)
}
