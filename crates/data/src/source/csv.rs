//! CSV and TSV files (RFC 4180), whose first record names the columns.

use super::listing::Input;
use super::{BatchLimit, Chunk, Records};
use crate::Reject;
use crate::batch::Rows;
use crate::cells::write_json;
use crate::files::Keys;
use crate::limits::{COLUMNS_MAX, LINE_SIZE_MAX};
use csv::ByteRecord;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The records of a file that are still to be read.
pub(super) struct Cells {
    input: Input,
    header: Arc<Header>,
    reader: csv::Reader<Budget>,
    /// Bytes that may be read before the next record begins.
    budget: Arc<AtomicUsize>,
    /// Whether records end with `\r\n`, of which the reader leaves the `\n` to the next record.
    ends_with_crlf: bool,
    is_done: bool,
}

/// Some records of a file, with the lines on which they begin.
pub(crate) struct CellChunk {
    pub(super) input: Input,
    header: Arc<Header>,
    records: Vec<(u64, ByteRecord)>,
}

struct Header {
    names: Vec<String>,
    text: usize,
    id: Option<usize>,
}

impl Cells {
    /// Reads the header.
    pub(super) fn open(
        input: &Input,
        reader: Box<dyn Read + Send>,
        delimiter: u8,
    ) -> Result<Self, String> {
        let budget = Arc::new(AtomicUsize::new(LINE_SIZE_MAX));
        let reader = Budget {
            reader,
            left: budget.clone(),
        };
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(delimiter)
            .has_headers(false)
            .flexible(true)
            .buffer_capacity(1 << 16)
            .from_reader(reader);
        let mut record = ByteRecord::new();
        reader
            .read_byte_record(&mut record)
            .map_err(|error| format!("cannot read the header: {error}"))?;
        Ok(Self {
            input: input.clone(),
            header: Arc::new(Header::parse(&record, &input.keys)?),
            ends_with_crlf: reader.position().line() == 1 + line_ends(&record),
            reader,
            budget,
            is_done: false,
        })
    }

    /// The line on which a record begins that has just been read, from 1. Blank lines before it are
    /// none of its own.
    fn line(&self, record: &ByteRecord) -> u64 {
        let before = record.position().map_or(0, csv::Position::line);
        let after = self
            .reader
            .position()
            .line()
            .saturating_sub(line_ends(record));
        if self.ends_with_crlf {
            after.max(before + 1)
        } else {
            after.saturating_sub(1).max(before)
        }
    }
}

/// Line ends within a record.
fn line_ends(record: &ByteRecord) -> u64 {
    (record.as_slice().split(|&byte| byte == b'\n').count() - 1) as u64
}

impl Records for Cells {
    fn next(&mut self, limit: BatchLimit, rejects: &mut Vec<Reject>) -> Option<Chunk> {
        let (mut records, mut size) = (Vec::new(), 0);
        while !self.is_done && records.len() < limit.rows && size < limit.size_bytes {
            self.budget.store(LINE_SIZE_MAX, Ordering::Relaxed);
            let mut record = ByteRecord::new();
            match self.reader.read_byte_record(&mut record) {
                Ok(true) => {
                    let line = self.line(&record);
                    if record.as_slice().len() > LINE_SIZE_MAX {
                        rejects.push(self.input.reject(Some(line), too_long()));
                        continue;
                    }
                    size += record.as_slice().len();
                    records.push((line, record));
                }
                Ok(false) => self.is_done = true,
                Err(error) => {
                    self.is_done = true;
                    let line = self.reader.position().line();
                    let reason = format!("the rest of the file cannot be read: {error}");
                    rejects.push(self.input.reject(Some(line), reason));
                }
            }
        }
        (!records.is_empty()).then(|| {
            Chunk::Cells(CellChunk {
                input: self.input.clone(),
                header: self.header.clone(),
                records,
            })
        })
    }
}

impl Header {
    fn parse(record: &ByteRecord, keys: &Keys) -> Result<Self, String> {
        if record.len() > COLUMNS_MAX {
            return Err(format!(
                "the file has more columns than COLUMNS_MAX = {COLUMNS_MAX}"
            ));
        }
        let names: Vec<_> = record
            .iter()
            .map(|name| std::str::from_utf8(name).map(str::to_owned))
            .collect::<Result<_, _>>()
            .map_err(|error| format!("invalid UTF-8 in the header: {error}"))?;
        let find = |wanted: &str| names.iter().position(|name| name == wanted);
        let missing = || {
            let (text, names) = (&keys.text, names.join(", "));
            format!("there is no column `{text}` among {names}")
        };
        let text = find(&keys.text).ok_or_else(missing)?;
        let id = find(&keys.id);
        Ok(Self { names, text, id })
    }
}

impl CellChunk {
    /// Appends a row for each record that has a cell for each column.
    pub(super) fn decode(self, rows: &mut Rows, rejects: &mut Vec<Reject>) {
        let Self {
            input,
            header,
            records,
        } = self;
        for (line, record) in records {
            match header.row(&record) {
                Ok((id, text, fields)) => {
                    rows.ids
                        .push(id.unwrap_or_else(|| format!("{}:{line}", input.id)));
                    rows.texts.push(&text);
                    rows.sources.push(input.source.clone());
                    rows.lines.push(Some(line));
                    rows.fields.push(fields);
                }
                Err(reason) => rejects.push(input.reject(Some(line), reason)),
            }
        }
    }
}

impl Header {
    fn row(&self, record: &ByteRecord) -> Result<(Option<String>, String, String), String> {
        if record.len() != self.names.len() {
            return Err(format!(
                "the record has {} cells, the header {}",
                record.len(),
                self.names.len()
            ));
        }
        // Each by itself: two halves of a character are none.
        let cells: Vec<&str> = record
            .iter()
            .map(std::str::from_utf8)
            .collect::<Result<_, _>>()
            .map_err(|error| format!("invalid UTF-8: {error}"))?;
        let mut fields = Vec::from(*b"{");
        for (at, name) in self.names.iter().enumerate() {
            if at == self.text || Some(at) == self.id {
                continue;
            }
            if fields.len() > 1 {
                fields.push(b',');
            }
            write_json(name, &mut fields);
            fields.push(b':');
            write_json(cells[at], &mut fields);
        }
        fields.push(b'}');
        let id = self.id.map(|at| cells[at]).filter(|id| !id.is_empty());
        let fields = String::from_utf8(fields).map_err(|error| error.to_string())?;
        Ok((id.map(str::to_owned), cells[self.text].to_owned(), fields))
    }
}

fn too_long() -> String {
    format!("the record is longer than LINE_SIZE_MAX = {LINE_SIZE_MAX} bytes")
}

/// Stops a record that does not end: a lone quote would make one of the whole file.
struct Budget {
    reader: Box<dyn Read + Send>,
    left: Arc<AtomicUsize>,
}

impl Read for Budget {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.left.load(Ordering::Relaxed);
        if left == 0 {
            return Err(io::Error::new(io::ErrorKind::InvalidData, too_long()));
        }
        let size = buffer.len().min(left);
        let count = self.reader.read(&mut buffer[..size])?;
        self.left.fetch_sub(count, Ordering::Relaxed);
        Ok(count)
    }
}
