//! Cuts a file of lines into chunks of whole lines.

use super::listing::{Compression, Input};
use super::{BatchLimit, Chunk, Records};
use crate::Reject;
use crate::limits::LINE_SIZE_MAX;
use std::io::{self, Read};

/// Whole lines of a file; the last line of the file may lack its end.
pub(crate) struct LineChunk {
    pub(crate) input: Input,
    /// The number of the first line, from 1.
    pub(crate) first_line: u64,
    pub(crate) bytes: Vec<u8>,
}

/// The lines of one file that are still to be read.
pub(crate) struct Lines {
    input: Input,
    reader: Box<dyn Read + Send>,
    /// Bytes read and not handed out: `buffer[start..]`.
    buffer: Vec<u8>,
    start: usize,
    /// The number of the line at `start`, from 1.
    line: u64,
    end: Option<io::Result<()>>,
}

impl Records for Lines {
    fn ahead(&self) -> u64 {
        match self.input.compression {
            Compression::None => (self.buffer.len() - self.start) as u64,
            _ => 0,
        }
    }

    fn next(&mut self, limit: BatchLimit, rejects: &mut Vec<Reject>) -> Option<Chunk> {
        self.next_lines(limit, rejects).map(Chunk::Lines)
    }
}

impl Lines {
    /// The lines of what `reader` gives.
    pub(crate) fn new(input: Input, reader: Box<dyn Read + Send>) -> Self {
        Self {
            input,
            reader,
            buffer: Vec::new(),
            start: 0,
            line: 1,
            end: None,
        }
    }

    /// The next lines, as many as the limit allows but at least one; `None` at the end.
    fn next_lines(&mut self, limit: BatchLimit, rejects: &mut Vec<Reject>) -> Option<LineChunk> {
        let mut target = limit.size_bytes.min(LINE_SIZE_MAX);
        loop {
            self.fill(target);
            if let Some((size, lines)) = self.whole_lines(limit) {
                return Some(self.take(size, lines));
            }
            let rest = self.buffer.len() - self.start;
            match self.end.take() {
                None if rest > LINE_SIZE_MAX => {
                    self.skip_line(rejects);
                    target = limit.size_bytes.min(LINE_SIZE_MAX);
                }
                None => target = (target * 2).min(LINE_SIZE_MAX + 1),
                Some(Err(error)) => {
                    let reason = format!("the rest of the file cannot be read: {error}");
                    rejects.push(self.input.reject(Some(self.line), reason));
                    (self.start, self.end) = (self.buffer.len(), Some(Ok(())));
                    return None;
                }
                Some(Ok(())) => {
                    self.end = Some(Ok(()));
                    return (rest > 0).then(|| self.take(rest, 1));
                }
            }
        }
    }

    /// Reads until `target` bytes are at hand, or all that there are.
    fn fill(&mut self, target: usize) {
        let at_hand = self.buffer.len() - self.start;
        if self.end.is_some() || at_hand >= target {
            return;
        }
        self.buffer.drain(..self.start);
        self.start = 0;
        let missing = (target - at_hand) as u64;
        match self
            .reader
            .by_ref()
            .take(missing)
            .read_to_end(&mut self.buffer)
        {
            Ok(count) if (count as u64) < missing => self.end = Some(Ok(())),
            Ok(_) => {}
            Err(error) => self.end = Some(Err(error)),
        }
    }

    /// The size and number of the whole lines at hand, up to the limit.
    fn whole_lines(&self, limit: BatchLimit) -> Option<(usize, u64)> {
        let mut found = None;
        let ends = memchr::memchr_iter(b'\n', &self.buffer[self.start..]);
        for (at, lines) in ends.zip(1..=limit.rows as u64) {
            if lines > 1 && at >= limit.size_bytes {
                break;
            }
            found = Some((at + 1, lines));
        }
        found
    }

    fn take(&mut self, size: usize, lines: u64) -> LineChunk {
        let first_line = self.line;
        let end = self.start + size;
        let bytes = if self.start == 0 && size * 2 > self.buffer.len() {
            // What is left is less than what goes.
            let rest = self.buffer.split_off(end);
            std::mem::replace(&mut self.buffer, rest)
        } else {
            let bytes = self.buffer[self.start..end].to_vec();
            self.start = end;
            bytes
        };
        self.line += lines;
        LineChunk {
            input: self.input.clone(),
            first_line,
            bytes,
        }
    }

    /// Drops the line at hand, which is too long, and what is left of it in the file.
    fn skip_line(&mut self, rejects: &mut Vec<Reject>) {
        let reason = format!("the line is longer than LINE_SIZE_MAX = {LINE_SIZE_MAX} bytes");
        rejects.push(self.input.reject(Some(self.line), reason));
        self.line += 1;
        loop {
            self.buffer.clear();
            self.start = 0;
            self.fill(1 << 20);
            if let Some(at) = memchr::memchr(b'\n', &self.buffer) {
                self.start = at + 1;
                return;
            }
            if self.end.is_some() {
                self.start = self.buffer.len();
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::listing::Format;
    use super::*;

    fn chunks(bytes: Vec<u8>, limit: BatchLimit) -> (Vec<(u64, String)>, Vec<Reject>) {
        let input = Input {
            path: "a.jsonl".into(),
            source: "a.jsonl".into(),
            id: "a.jsonl".to_owned(),
            format: Format::JsonLines,
            compression: Compression::None,
            size: 0,
            version: String::new(),
            storage: std::sync::Arc::new(crate::storage::LocalStorage),
            images: None,
            keys: crate::files::Keys::default(),
        };
        let mut lines = Lines::new(input, Box::new(io::Cursor::new(bytes)));
        let (mut found, mut rejects) = (Vec::new(), Vec::new());
        while let Some(chunk) = lines.next_lines(limit, &mut rejects) {
            found.push((chunk.first_line, String::from_utf8(chunk.bytes).unwrap()));
        }
        (found, rejects)
    }

    #[test]
    fn chunks_hold_whole_lines_within_the_limits() {
        for (text, rows, size_bytes, expected) in [
            ("", 9, 9, vec![]),
            ("a", 9, 9, vec![(1, "a")]),
            ("a\nb\nc\n", 9, 99, vec![(1, "a\nb\nc\n")]),
            ("a\nb\nc", 2, 99, vec![(1, "a\nb\n"), (3, "c")]),
            (
                "aa\nbb\ncc\n",
                9,
                5,
                vec![(1, "aa\n"), (2, "bb\n"), (3, "cc\n")],
            ),
            (
                "\n\nlonger than the limit\nc\n",
                9,
                4,
                vec![(1, "\n\n"), (3, "longer than the limit\n"), (4, "c\n")],
            ),
        ] {
            let (found, rejects) = chunks(text.into(), BatchLimit { rows, size_bytes });
            let found: Vec<_> = found
                .iter()
                .map(|(line, text)| (*line, text.as_str()))
                .collect();
            assert_eq!(
                found, expected,
                "{text:?} by {rows} rows and {size_bytes} bytes"
            );
            assert_eq!(rejects, []);
        }
    }

    #[test]
    fn a_line_over_the_limit_is_rejected_and_the_next_one_read() {
        let mut bytes = b"first\n".to_vec();
        bytes.resize(bytes.len() + LINE_SIZE_MAX + 1, b'x');
        bytes.extend_from_slice(b"\nthird\n");
        let (found, rejects) = chunks(
            bytes,
            BatchLimit {
                rows: 100,
                size_bytes: 1 << 20,
            },
        );
        assert_eq!(
            found,
            [(1, "first\n".to_owned()), (3, "third\n".to_owned())]
        );
        assert_eq!((rejects.len(), rejects[0].line), (1, Some(2)));
    }
}
