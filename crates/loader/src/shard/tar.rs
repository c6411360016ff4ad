//! `WebDataset`: tar archives whose members are grouped by the name before the first dot.
//!
//! Members are found once, when the archive is opened (POSIX.1-2001 ustar and pax, GNU long names
//! and sizes). The member of each sample with the chosen extension is a document: an `.npy` array,
//! or tokens of a type that the caller names.

use super::npy;
use super::{Listed, Shard, Span};
use crate::limits::{TAR_HEADER_SIZE_MAX, TAR_HEADERS_MAX, TAR_MEMBERS_MAX};
use crate::store::Store;
use crate::{Error, OpenOptions, Stored};

const BLOCK: u64 = 512;

/// Finds the members. Reads each header once.
pub(crate) fn open(store: Store, options: &OpenOptions) -> Result<Shard, Error> {
    let stored = options.stored;
    let mut samples = Samples {
        field: options.field.as_deref().unwrap_or("npy"),
        key: None,
        found: true,
        given: stored,
        stored: None,
        spans: Vec::new(),
    };
    let path = store.path().display().to_string();
    let failed = |error: Error| error.within(format!("cannot read the archive `{path}`"));
    let mut members = Members::new(&store);
    while let Some(member) = members.next().map_err(failed)? {
        options.cancel.check()?;
        samples.add(&store, &member).map_err(failed)?;
    }
    samples.close().map_err(failed)?;
    let Some(stored) = samples.stored.or(stored) else {
        let message = format!("cannot find tokens in the archive `{path}`: it has no file");
        return Err(Error::corrupt(message));
    };
    let documents = Listed(samples.spans);
    Ok(Shard::plain(store, stored, documents))
}

/// Samples as they are gathered from members.
struct Samples<'a> {
    field: &'a str,
    key: Option<String>,
    /// Whether the sample of `key` has the chosen member.
    found: bool,
    given: Option<Stored>,
    stored: Option<Stored>,
    spans: Vec<Span>,
}

impl Samples<'_> {
    fn add(&mut self, store: &Store, member: &Member) -> Result<(), Error> {
        let Some((key, extension)) = member.sample() else {
            return Ok(());
        };
        if self.key.as_deref() != Some(key) {
            self.close()?;
            self.key = Some(key.to_owned());
            self.found = false;
        }
        if !extension.eq_ignore_ascii_case(self.field) {
            return Ok(());
        }
        if self.found {
            let message = format!("the sample {key:?} has two members .{}", self.field);
            return Err(Error::corrupt(message));
        }
        self.found = true;
        let (span, stored) = self
            .tokens(store, member)
            .map_err(|error| error.within(format!("member {:?}", member.name)))?;
        if *self.stored.get_or_insert(stored) != stored {
            let message = format!("the member {:?} has tokens of another type", member.name);
            return Err(Error::unsupported(message).with_hint("write all arrays with one type"));
        }
        self.spans.push(span);
        Ok(())
    }

    /// Every sample has its tokens: what is left out would not be noticed.
    fn close(&mut self) -> Result<(), Error> {
        match &self.key {
            Some(key) if !self.found => {
                let field = self.field;
                let message = format!("the sample {key:?} has no member .{field}");
                Err(Error::not_found(message)
                    .with_hint("name the extension of the members that hold the tokens"))
            }
            _ => Ok(()),
        }
    }

    fn tokens(&self, store: &Store, member: &Member) -> Result<(Span, Stored), Error> {
        let end = member.start + member.size;
        if self
            .field
            .rsplit('.')
            .next()
            .is_some_and(|last| last.eq_ignore_ascii_case("npy"))
        {
            let array = npy::parse(store, member.start, end)?;
            let span = Span {
                start: array.start,
                len: array.shape.iter().product(),
            };
            return Ok((span, array.stored));
        }
        let Some(stored) = self.given else {
            return Err(Error::invalid("cannot know the type of its tokens")
                .with_hint("name the stored type, such as uint16"));
        };
        let item = stored.size() as u64;
        if !member.size.is_multiple_of(item) {
            let message = format!("{} bytes are not tokens of {item} bytes", member.size);
            return Err(Error::corrupt(message));
        }
        let span = Span {
            start: member.start,
            len: member.size / item,
        };
        Ok((span, stored))
    }
}

/// A file in an archive.
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) start: u64,
    pub(crate) size: u64,
}

impl Member {
    /// The sample that it belongs to, and its extension. Hidden files and files without an extension
    /// belong to none.
    pub(crate) fn sample(&self) -> Option<(&str, &str)> {
        let file_at = self.name.rfind('/').map_or(0, |slash| slash + 1);
        let dot = self.name[file_at..].find('.').filter(|&dot| dot > 0)?;
        let (key, extension) = self.name.split_at(file_at + dot);
        Some((key, &extension[1..]))
    }
}

/// The files of an archive, in order.
pub(crate) struct Members<'a> {
    store: &'a Store,
    at: u64,
    count: u64,
}

/// What extended headers say of the next member.
#[derive(Default)]
struct Extended {
    name: Option<String>,
    size: Option<u64>,
}

impl<'a> Members<'a> {
    pub(crate) fn new(store: &'a Store) -> Self {
        Self {
            store,
            at: 0,
            count: 0,
        }
    }

    pub(crate) fn next(&mut self) -> Result<Option<Member>, Error> {
        let mut extended = Extended::default();
        let mut headers = 0;
        loop {
            // Archives end by zeroed blocks; some writers leave them out.
            if self.at >= self.store.size() {
                return self.end(headers);
            }
            let block = self.store.bytes(self.at, BLOCK, "a header")?;
            if block.iter().all(|&byte| byte == 0) {
                return self.end(headers);
            }
            let header = Header::parse(&block)
                .map_err(|error| error.within(format!("the header at byte {}", self.at)))?;
            let start = self.at + BLOCK;
            let size = match header.kind {
                b'x' | b'g' | b'L' | b'K' => header.size,
                _ => extended.size.unwrap_or(header.size),
            };
            let end = start
                .checked_add(size)
                .filter(|&end| end <= self.store.size());
            let Some(end) = end else {
                let name = &header.name;
                let message = format!("{name:?} has {size} bytes at {start}, beyond the end");
                return Err(
                    Error::corrupt(message).with_hint("the archive is cut off: fetch it again")
                );
            };
            self.at = end.next_multiple_of(BLOCK);
            match header.kind {
                b'x' | b'L' => {
                    let text = self.extension(start, size)?;
                    extended.take(header.kind, &text)?;
                }
                b'0' | b'7' | 0 if !header.name.ends_with('/') => {
                    self.count += 1;
                    if self.count > TAR_MEMBERS_MAX {
                        let what = "the archive has more members";
                        return Err(Error::limit(what, "TAR_MEMBERS_MAX", TAR_MEMBERS_MAX));
                    }
                    let name = extended.name.unwrap_or(header.name);
                    return Ok(Some(Member { name, start, size }));
                }
                // Global headers, folders and links hold no tokens.
                b'g' | b'K' => {}
                _ => extended = Extended::default(),
            }
            headers = if matches!(header.kind, b'x' | b'L' | b'g' | b'K') {
                headers + 1
            } else {
                0
            };
            if headers > TAR_HEADERS_MAX {
                let what = "headers without a member";
                return Err(Error::limit(what, "TAR_HEADERS_MAX", TAR_HEADERS_MAX));
            }
        }
    }

    fn end(&self, headers: usize) -> Result<Option<Member>, Error> {
        if headers == 0 {
            return Ok(None);
        }
        let message = format!(
            "it ends at byte {} behind a header without a member",
            self.at
        );
        Err(Error::corrupt(message).with_hint("the archive is cut off: fetch it again"))
    }

    fn extension(&self, start: u64, size: u64) -> Result<Vec<u8>, Error> {
        if size > TAR_HEADER_SIZE_MAX {
            let what = format!("an extended header has {size} bytes");
            return Err(Error::limit(
                what,
                "TAR_HEADER_SIZE_MAX",
                TAR_HEADER_SIZE_MAX,
            ));
        }
        Ok(self
            .store
            .bytes(start, size, "an extended header")?
            .into_owned())
    }
}

impl Extended {
    fn take(&mut self, kind: u8, text: &[u8]) -> Result<(), Error> {
        if kind == b'L' {
            self.name = Some(text_of(text));
            return Ok(());
        }
        let mut rest = text;
        while !rest.is_empty() {
            let (key, value, after) =
                record(rest).ok_or_else(|| Error::corrupt("an extended header is damaged"))?;
            match key {
                b"path" => self.name = Some(text_of(value)),
                b"size" => {
                    let size = std::str::from_utf8(value)
                        .ok()
                        .and_then(|text| text.parse().ok());
                    let damaged = || Error::corrupt("an extended header has a damaged size");
                    self.size = Some(size.ok_or_else(damaged)?);
                }
                _ => {}
            }
            rest = after;
        }
        Ok(())
    }
}

/// A record `"<length> <key>=<value>\n"`, and what follows it.
fn record(text: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = text.iter().take(20).position(|&byte| byte == b' ')?;
    let len: usize = std::str::from_utf8(&text[..space]).ok()?.parse().ok()?;
    let (record, after) = text.split_at_checked(len)?;
    let record = record.get(space + 1..)?.strip_suffix(b"\n")?;
    let equals = record.iter().position(|&byte| byte == b'=')?;
    Some((&record[..equals], &record[equals + 1..], after))
}

/// One header block.
struct Header {
    name: String,
    size: u64,
    kind: u8,
}

impl Header {
    fn parse(block: &[u8]) -> Result<Self, Error> {
        let wanted = number(&block[148..156]);
        let unsigned = |byte: &u8| u64::from(*byte);
        let sum: u64 = block[..148].iter().chain(&block[156..]).map(unsigned).sum();
        let sum = sum + 8 * u64::from(b' ');
        if wanted != Some(sum) {
            return Err(Error::corrupt("its checksum is wrong")
                .with_hint("the archive is damaged, or no tar: fetch it again"));
        }
        let size = number(&block[124..136]).ok_or_else(|| Error::corrupt("its size is damaged"))?;
        let mut name = text_of(&block[..100]);
        // GNU archives keep other things where POSIX ones keep the first part of a long name.
        if &block[257..263] == b"ustar\0" && block[345] != 0 {
            name = format!("{}/{name}", text_of(&block[345..500]));
        }
        Ok(Self {
            name,
            size,
            kind: block[156],
        })
    }
}

/// Octal digits, or a binary number where the first bit is set.
fn number(field: &[u8]) -> Option<u64> {
    if field[0] & 0x80 != 0 {
        let high = u64::from(field[0] & 0x7F);
        return field[1..].iter().try_fold(high, |all, &byte| {
            let all = all.checked_mul(256)?;
            Some(all | u64::from(byte))
        });
    }
    let text = std::str::from_utf8(field).ok()?;
    let digits = text.trim_matches([' ', '\0']);
    if digits.is_empty() {
        return Some(0);
    }
    u64::from_str_radix(digits, 8).ok()
}

/// Text up to the first zero byte.
fn text_of(bytes: &[u8]) -> String {
    let len = bytes
        .iter()
        .position(|&byte| byte == 0)
        .unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..len]).into_owned()
}
