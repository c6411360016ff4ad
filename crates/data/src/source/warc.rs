//! WARC and WET files (ISO 28500, <https://iipc.github.io/warc-specifications/>): the pages of a crawl.

use super::http::{self, Page};
use super::listing::Input;
use super::{BatchLimit, Chunk, Records};
use crate::Reject;
use crate::batch::Rows;
use crate::limits::{DOCUMENT_SIZE_MAX, WARC_HEADER_SIZE_MAX};
use std::io::{self, BufRead, BufReader, Read};

/// The records of a file that are still to be read.
pub(super) struct Captures {
    input: Input,
    reader: BufReader<Box<dyn Read + Send>>,
    /// The number of the record that is being read, from 1.
    number: u64,
    is_done: bool,
}

/// Some records of a file.
pub(crate) struct CaptureChunk {
    pub(super) input: Input,
    captures: Vec<Capture>,
}

/// A record that may hold a document.
struct Capture {
    number: u64,
    head: Head,
    block: Vec<u8>,
}

/// What is used of the named fields of a record.
#[derive(Debug, Default)]
struct Head {
    kind: String,
    id: Option<String>,
    url: Option<String>,
    date: Option<String>,
    media_type: Option<String>,
    languages: Option<String>,
    size: Option<u64>,
}

impl Captures {
    pub(super) fn new(input: Input, reader: Box<dyn Read + Send>) -> Self {
        let reader = BufReader::with_capacity(1 << 16, reader);
        Self {
            input,
            reader,
            number: 0,
            is_done: false,
        }
    }

    /// The next record that may hold a document; `None` at the end.
    fn next_capture(&mut self, rejects: &mut Vec<Reject>) -> Result<Option<Capture>, String> {
        loop {
            self.number += 1;
            let Some(head) = self.read_head()? else {
                return Ok(None);
            };
            let size = head.size.ok_or("the record has no `Content-Length`")?;
            let is_document = matches!(head.kind.as_str(), "response" | "resource" | "conversion");
            if is_document && size <= DOCUMENT_SIZE_MAX as u64 {
                let mut block = Vec::new();
                let count = self.reader.by_ref().take(size).read_to_end(&mut block);
                check_size(count.map(|count| count as u64), size)?;
                let number = self.number;
                return Ok(Some(Capture {
                    number,
                    head,
                    block,
                }));
            }
            let skipped = io::copy(&mut self.reader.by_ref().take(size), &mut io::sink());
            check_size(skipped, size)?;
            if is_document {
                let reason = format!(
                    "the record is larger than DOCUMENT_SIZE_MAX = {DOCUMENT_SIZE_MAX} bytes"
                );
                rejects.push(self.input.reject(Some(self.number), reason));
            }
        }
    }

    /// Reads the lines before a record's block; `None` at the end of the file.
    fn read_head(&mut self) -> Result<Option<Head>, String> {
        let mut room = WARC_HEADER_SIZE_MAX;
        // Records are parted by blank lines.
        let first = loop {
            match self.read_line(&mut room)? {
                None => return Ok(None),
                Some(line) if line.is_empty() => {}
                Some(line) => break line,
            }
        };
        if !first.starts_with(b"WARC/") {
            let start = String::from_utf8_lossy(&first[..first.len().min(20)]).into_owned();
            return Err(format!("no record begins with `{}`", start.escape_debug()));
        }
        let mut head = Head::default();
        loop {
            let line = self
                .read_line(&mut room)?
                .ok_or("the data ends within a record")?;
            if line.is_empty() {
                return Ok(Some(head));
            }
            head.add(&String::from_utf8_lossy(&line));
        }
    }

    /// A line without its end; `None` at the end of the file.
    fn read_line(&mut self, room: &mut usize) -> Result<Option<Vec<u8>>, String> {
        let mut line = Vec::new();
        let limit = *room as u64 + 1;
        let size = self
            .reader
            .by_ref()
            .take(limit)
            .read_until(b'\n', &mut line)
            .map_err(|error| error.to_string())?;
        if size > *room {
            return Err(format!(
                "the fields of a record are longer than WARC_HEADER_SIZE_MAX = \
                 {WARC_HEADER_SIZE_MAX} bytes"
            ));
        }
        *room -= size;
        if size == 0 {
            return Ok(None);
        }
        let line = line.strip_suffix(b"\n").unwrap_or(&line);
        Ok(Some(line.strip_suffix(b"\r").unwrap_or(line).to_vec()))
    }
}

fn check_size(count: io::Result<u64>, size: u64) -> Result<(), String> {
    match count {
        Ok(count) if count == size => Ok(()),
        Ok(count) => Err(format!(
            "the data ends at byte {count} of a block of {size}"
        )),
        Err(error) => Err(error.to_string()),
    }
}

impl Head {
    /// Bytes that it takes in memory.
    fn held(&self) -> usize {
        let Self {
            kind,
            id,
            url,
            date,
            media_type,
            languages,
            size: _,
        } = self;
        let fields = [id, url, date, media_type, languages];
        kind.len() + fields.into_iter().flatten().map(String::len).sum::<usize>()
    }

    fn add(&mut self, line: &str) {
        let Some((name, value)) = line.split_once(':') else {
            return;
        };
        let value = value.trim().to_owned();
        let unquoted = |value: String| {
            let inner = value
                .strip_prefix('<')
                .and_then(|value| value.strip_suffix('>'));
            inner.map(str::to_owned).unwrap_or(value)
        };
        match name.trim().to_ascii_lowercase().as_str() {
            "warc-type" => self.kind = value.to_ascii_lowercase(),
            "warc-record-id" => self.id = Some(unquoted(value)),
            "warc-target-uri" => self.url = Some(unquoted(value)),
            "warc-date" => self.date = Some(value),
            "warc-identified-content-language" => self.languages = Some(value),
            "content-type" => self.media_type = Some(value),
            "content-length" => self.size = value.parse().ok(),
            _ => {}
        }
    }
}

impl Records for Captures {
    fn next(&mut self, limit: BatchLimit, rejects: &mut Vec<Reject>) -> Option<Chunk> {
        let (mut captures, mut size) = (Vec::new(), 0);
        while !self.is_done && captures.len() < limit.rows && size < limit.size_bytes {
            match self.next_capture(rejects) {
                Ok(Some(capture)) => {
                    size += capture.block.len() + capture.head.held();
                    captures.push(capture);
                }
                Ok(None) => self.is_done = true,
                Err(reason) => {
                    self.is_done = true;
                    let reason = format!("the rest of the file cannot be read: {reason}");
                    rejects.push(self.input.reject(Some(self.number), reason));
                }
            }
        }
        let input = self.input.clone();
        (!captures.is_empty()).then(|| Chunk::Captures(CaptureChunk { input, captures }))
    }
}

impl CaptureChunk {
    /// Appends a row for each record that holds a text.
    pub(super) fn decode(self, rows: &mut Rows, rejects: &mut Vec<Reject>) {
        let Self { input, captures } = self;
        for Capture {
            number,
            head,
            block,
        } in captures
        {
            match page(&head, &block) {
                Ok(page) => {
                    let place = || format!("{}:{number}", input.id);
                    rows.fields.push(fields(&head, &page));
                    rows.ids.push(head.id.unwrap_or_else(place));
                    rows.texts.push(&page.document.text);
                    rows.sources.push(input.source.clone());
                    rows.lines.push(Some(number));
                }
                Err(reason) => rejects.push(input.reject(Some(number), reason)),
            }
        }
    }
}

fn page(head: &Head, block: &[u8]) -> Result<Page, String> {
    let media_type = head.media_type.as_deref();
    if head.kind == "response" && media_type.is_none_or(|name| name.starts_with("application/http"))
    {
        http::response(block)
    } else {
        http::document(block, media_type, None)
    }
}

fn fields(head: &Head, page: &Page) -> String {
    let mut fields = serde_json::Map::new();
    let mut add = |name: &str, value: Option<&str>| {
        if let Some(value) = value {
            fields.insert(name.to_owned(), value.into());
        }
    };
    add("url", head.url.as_deref());
    add("date", head.date.as_deref());
    add("languages", head.languages.as_deref());
    add("media_type", page.media_type.as_deref());
    add("title", page.document.title.as_deref());
    if let Some(status) = page.status {
        fields.insert("status".to_owned(), status.into());
    }
    serde_json::Value::Object(fields).to_string()
}
