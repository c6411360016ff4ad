//! Tar archives of samples (POSIX.1-2001 `ustar` and `pax`, GNU long names), as `webdataset` has them:
//! members that follow each other and differ only behind the first dot are one sample.

use super::listing::Input;
use super::{BatchLimit, Chunk, Records, sample};
use crate::Reject;
use crate::limits::{DOCUMENT_SIZE_MAX, SAMPLE_MEMBERS_MAX, TAR_NAME_SIZE_MAX};
use std::io::{self, Read};

const BLOCK_SIZE: usize = 512;

/// The samples of a file that are still to be read.
pub(super) struct Samples {
    input: Input,
    reader: Box<dyn Read + Send>,
    /// The sample whose members are being read.
    current: Option<sample::Sample>,
    /// The number of the sample that is being read, from 1.
    number: u64,
    is_done: bool,
}

/// A member whose data comes next.
#[derive(Debug, PartialEq, Eq)]
struct Member {
    name: String,
    size: u64,
}

impl Samples {
    pub(super) fn new(input: Input, reader: Box<dyn Read + Send>) -> Self {
        Self {
            input,
            reader,
            current: None,
            number: 0,
            is_done: false,
        }
    }

    /// The next sample that is whole; `None` at the end.
    fn next_sample(&mut self, rejects: &mut Vec<Reject>) -> Result<Option<sample::Sample>, String> {
        while let Some(member) = read_member(&mut self.reader)? {
            let Some((key, ending)) = split_name(&member.name) else {
                skip_data(&mut self.reader, member.size)?;
                continue;
            };
            let is_new = self
                .current
                .as_ref()
                .is_none_or(|current| current.key != key);
            let finished = if is_new {
                self.number += 1;
                self.current.replace(sample::Sample::new(key, self.number))
            } else {
                None
            };
            self.read_data(ending, member.size, rejects)?;
            if finished.is_some() {
                return Ok(finished);
            }
        }
        self.is_done = true;
        // What follows is padding, but the end of a compressed file says whether it is whole.
        io::copy(&mut self.reader, &mut io::sink()).map_err(|error| error.to_string())?;
        Ok(self.current.take())
    }

    fn read_data(
        &mut self,
        ending: &str,
        size: u64,
        rejects: &mut Vec<Reject>,
    ) -> Result<(), String> {
        let Some(current) = &mut self.current else {
            return Ok(());
        };
        if current.len() == SAMPLE_MEMBERS_MAX {
            return Err(format!(
                "a sample has more members than SAMPLE_MEMBERS_MAX = {SAMPLE_MEMBERS_MAX}"
            ));
        }
        let is_image =
            self.input.reads_images() && sample::is_image(ending) && !current.has_image();
        if !is_image && !sample::is_text(ending) {
            current.leave_out(ending);
            return skip_data(&mut self.reader, size);
        }
        if size > DOCUMENT_SIZE_MAX as u64 - current.size().min(DOCUMENT_SIZE_MAX) as u64 {
            let reason = format!(
                "the member `.{ending}` makes the sample larger than DOCUMENT_SIZE_MAX = \
                 {DOCUMENT_SIZE_MAX} bytes"
            );
            rejects.push(self.input.reject(Some(self.number), reason));
            current.leave_out(ending);
            return skip_data(&mut self.reader, size);
        }
        let bytes = read_data(&mut self.reader, size)?;
        if is_image {
            current.add_image(ending, bytes);
        } else {
            current.add(ending, bytes);
        }
        Ok(())
    }
}

impl Records for Samples {
    fn next(&mut self, limit: BatchLimit, rejects: &mut Vec<Reject>) -> Option<Chunk> {
        let (mut samples, mut size) = (Vec::new(), 0);
        while !self.is_done && samples.len() < limit.rows && size < limit.size_bytes {
            match self.next_sample(rejects) {
                Ok(Some(sample)) => {
                    size += sample.held();
                    samples.push(sample);
                }
                Ok(None) => self.is_done = true,
                Err(reason) => {
                    self.is_done = true;
                    // The sample whose members are not all there is lost.
                    self.current = None;
                    let reason = format!("the rest of the file cannot be read: {reason}");
                    rejects.push(self.input.reject(Some(self.number.max(1)), reason));
                }
            }
        }
        let input = self.input.clone();
        (!samples.is_empty()).then(|| Chunk::Samples(sample::SampleChunk { input, samples }))
    }
}

/// The name before the first dot of the last part, and what is behind it. `None` for members that
/// are no part of a sample: those without a dot, hidden ones, and `__names__` of metadata.
fn split_name(name: &str) -> Option<(&str, &str)> {
    let base = name.rfind('/').map_or(0, |at| at + 1);
    let dot = base + name[base..].find('.')?;
    let is_meta = name
        .split('/')
        .any(|part| part.len() > 4 && part.starts_with("__") && part.ends_with("__"));
    (dot > base && !is_meta).then(|| (&name[..dot], &name[dot + 1..]))
}

/// Reads headers up to that of a regular file; `None` at the end of the archive.
fn read_member(reader: &mut impl Read) -> Result<Option<Member>, String> {
    let (mut long_name, mut long_size) = (None, None);
    loop {
        let Some(block) = read_block(reader)? else {
            return Ok(None);
        };
        let size = number(&block[124..136]).ok_or("a header has no size")?;
        match block[156] {
            b'L' => long_name = Some(read_name(reader, size)?),
            b'x' => {
                let records = read_limited(reader, size)?;
                for (key, value) in pax(&records)? {
                    match key {
                        "path" => long_name = Some(value.to_owned()),
                        "size" => long_size = value.parse().ok(),
                        _ => {}
                    }
                }
            }
            b'0' | 0 | b'7' => {
                let name = long_name.unwrap_or_else(|| name(&block));
                let size = long_size.unwrap_or(size);
                return Ok(Some(Member { name, size }));
            }
            // Folders, links and devices have no data, whatever their size says.
            b'1'..=b'6' => (long_name, long_size) = (None, None),
            _ => skip_data(reader, size)?,
        }
    }
}

/// The next block that is a header; `None` at the end of the archive.
fn read_block(reader: &mut impl Read) -> Result<Option<[u8; BLOCK_SIZE]>, String> {
    let mut block = [0; BLOCK_SIZE];
    let mut size = 0;
    while size < BLOCK_SIZE {
        match reader.read(&mut block[size..]) {
            Ok(0) if size == 0 => return Err("the archive has no end".to_owned()),
            Ok(0) => return Err("the data ends within a header".to_owned()),
            Ok(count) => size += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.to_string()),
        }
    }
    if block == [0; BLOCK_SIZE] {
        return Ok(None);
    }
    let sum: u64 = block.iter().map(|&byte| u64::from(byte)).sum();
    let own: u64 = block[148..156].iter().map(|&byte| u64::from(byte)).sum();
    if number(&block[148..156]) != Some(sum - own + 8 * u64::from(b' ')) {
        return Err("the checksum of a header is wrong".to_owned());
    }
    Ok(Some(block))
}

/// A number in octal digits, or in the binary form of GNU and `star`.
fn number(field: &[u8]) -> Option<u64> {
    if field.first()? & 0x80 != 0 {
        let (high, low) = field.split_at(field.len() - 8);
        let is_small = high[0] == 0x80 && high[1..].iter().all(|&byte| byte == 0);
        return is_small.then(|| low.iter().fold(0, |sum, &byte| sum << 8 | u64::from(byte)));
    }
    let end = field
        .iter()
        .rposition(|byte| !matches!(byte, 0 | b' '))
        .map_or(0, |at| at + 1);
    let text = std::str::from_utf8(&field[..end]).ok()?.trim_start();
    if text.is_empty() {
        return Some(0);
    }
    u64::from_str_radix(text, 8).ok()
}

fn name(block: &[u8; BLOCK_SIZE]) -> String {
    let text = |field: &[u8]| {
        let end = field
            .iter()
            .position(|&byte| byte == 0)
            .unwrap_or(field.len());
        String::from_utf8_lossy(&field[..end]).into_owned()
    };
    let name = text(&block[..100]);
    let prefix = if &block[257..263] == b"ustar\0" {
        text(&block[345..500])
    } else {
        String::new()
    };
    if prefix.is_empty() {
        name
    } else {
        format!("{prefix}/{name}")
    }
}

fn read_name(reader: &mut impl Read, size: u64) -> Result<String, String> {
    let bytes = read_limited(reader, size)?;
    let end = bytes
        .iter()
        .position(|&byte| byte == 0)
        .unwrap_or(bytes.len());
    Ok(String::from_utf8_lossy(&bytes[..end]).into_owned())
}

fn read_limited(reader: &mut impl Read, size: u64) -> Result<Vec<u8>, String> {
    if size > TAR_NAME_SIZE_MAX {
        return Err(format!(
            "a header of {size} bytes, TAR_NAME_SIZE_MAX is {TAR_NAME_SIZE_MAX}"
        ));
    }
    read_data(reader, size)
}

/// The records of a pax header: `SIZE KEY=VALUE` and a line end, where the size is that of all.
fn pax(mut records: &[u8]) -> Result<Vec<(&str, &str)>, String> {
    let mut found = Vec::new();
    while !records.is_empty() {
        let record = (|| {
            let blank = records.iter().position(|&byte| byte == b' ')?;
            let size: usize = std::str::from_utf8(&records[..blank]).ok()?.parse().ok()?;
            let record = records.get(blank + 1..size)?.strip_suffix(b"\n")?;
            records = &records[size..];
            Some(record)
        })();
        let record = record.ok_or("a pax header is broken")?;
        // Values of other keys may be no text.
        if let Some(pair) = std::str::from_utf8(record)
            .ok()
            .and_then(|text| text.split_once('='))
        {
            found.push(pair);
        }
    }
    Ok(found)
}

/// The data of a member, and the padding behind it.
fn read_data(reader: &mut impl Read, size: u64) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let count = reader
        .take(size)
        .read_to_end(&mut bytes)
        .map_err(|error| error.to_string())?;
    if (count as u64) < size {
        return Err(format!(
            "the data ends at byte {count} of a member of {size}"
        ));
    }
    skip(reader, padding(size))?;
    Ok(bytes)
}

fn padding(size: u64) -> u64 {
    (BLOCK_SIZE as u64 - size % BLOCK_SIZE as u64) % BLOCK_SIZE as u64
}

/// Skips the data of a member, and the padding behind it.
fn skip_data(reader: &mut impl Read, size: u64) -> Result<(), String> {
    skip(
        reader,
        size.checked_add(padding(size))
            .ok_or("a member has no possible size")?,
    )
}

fn skip(reader: &mut impl Read, size: u64) -> Result<(), String> {
    let count = io::copy(&mut reader.take(size), &mut io::sink());
    match count.map_err(|error| error.to_string())? {
        count if count == size => Ok(()),
        count => Err(format!("the data ends at byte {count} of {size}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_split_at_the_first_dot_of_their_last_part() {
        for (name, expected) in [
            ("a.txt", Some(("a", "txt"))),
            ("x.y/a.b.txt", Some(("x.y/a", "b.txt"))),
            ("a", None),
            ("x.y/a", None),
            (".hidden", None),
            ("__index__.txt", Some(("__index__", "txt"))),
            ("__meta__/a.txt", None),
        ] {
            assert_eq!(split_name(name), expected, "{name}");
        }
    }

    #[test]
    fn numbers_are_octal_or_binary() {
        for (field, expected) in [
            (b"0000644\0".as_slice(), Some(0o644)),
            (b"  12 \0\0", Some(0o12)),
            (b"\0\0\0\0", Some(0)),
            (b"\x80\0\0\0\0\0\0\0\0\0\x01\x02", Some(258)),
            (b"\x80\0\0\x01\0\0\0\0\0\0\x01\x02", None),
            (b"9", None),
            (b"-1", None),
        ] {
            assert_eq!(number(field), expected, "{field:?}");
        }
    }

    #[test]
    fn broken_pax_headers_are_refused() {
        assert_eq!(pax(b"12 path=a/b\n").unwrap(), [("path", "a/b")]);
        for records in [
            b"x".as_slice(),
            b"5 a=b",
            b"99 a=b\n",
            b"0 a=b\n",
            b"18446744073709551615 a\n",
        ] {
            assert!(pax(records).is_err(), "{records:?}");
        }
    }
}
