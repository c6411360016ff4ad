//! Zip archives: members by name, whole or in part.

use std::collections::HashMap;
use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;

use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

use crate::input::{Cursor, Input, zeroed};
use crate::limits::{ARCHIVE_MEMBERS_MAX, OUTPUT_FACTOR_MAX, output_size_max};
use crate::{Error, ErrorKind};

/// The most bytes that deflate packs into one, and some for small members.
const DEFLATE_FACTOR: u64 = 1032;

/// An open archive.
pub(crate) struct Archive {
    input: Input,
    zip: ZipArchive<Cursor>,
    members: Vec<Member>,
    index: HashMap<Arc<str>, usize>,
}

/// One file in an archive.
#[derive(Clone)]
pub(crate) struct Member {
    pub(crate) name: Arc<str>,
    /// Unpacked, in bytes.
    pub(crate) size: u64,
    pub(crate) index: usize,
    /// Where the bytes lie when they are not packed.
    stored_at: Option<u64>,
}

impl Member {
    /// How many bytes are unpacked to read the bytes up to `end`.
    pub(crate) fn unpacked_by(&self, end: u64) -> u64 {
        self.stored_at.map_or(end, |_| 0)
    }
}

impl Archive {
    pub(crate) fn open(input: &Input) -> Result<Self, Error> {
        let mut zip = ZipArchive::new(input.cursor()).map_err(refused("the archive"))?;
        if zip.len() > ARCHIVE_MEMBERS_MAX {
            let what = format!("cannot read an archive of {} files", zip.len());
            return Err(Error::limit(
                what,
                "ARCHIVE_MEMBERS_MAX",
                ARCHIVE_MEMBERS_MAX,
            ));
        }
        let mut members = Vec::new();
        let mut index = HashMap::new();
        let mut size = 0_u64;
        for at in 0..zip.len() {
            let member = member(&mut zip, at, input.size())?;
            if index.insert(member.name.clone(), at).is_some() {
                let name = member.name;
                return Err(Error::corrupt(format!(
                    "two files in the archive are named `{name}`"
                )));
            }
            size = size.saturating_add(member.size);
            members.push(member);
        }
        // Without overlaps, deflate cannot reach that.
        check_unpacked(size, input.size())?;
        let input = input.clone();
        Ok(Self {
            input,
            zip,
            members,
            index,
        })
    }

    /// Refuses to unpack `size` bytes in all, if that is too much for an archive of this size.
    pub(crate) fn check_unpacked(&self, size: u64) -> Result<(), Error> {
        check_unpacked(size, self.input.size())
    }

    pub(crate) fn members(&self) -> &[Member] {
        &self.members
    }

    pub(crate) fn member(&self, name: &str) -> Option<&Member> {
        self.index.get(name).map(|&at| &self.members[at])
    }

    /// Bytes of a member. The whole of it is checked against its checksum; parts of stored members
    /// are read alone, parts of packed ones need all that stands before them.
    pub(crate) fn read(&self, member: &Member, range: Range<u64>) -> Result<Vec<u8>, Error> {
        let name = &member.name;
        if range.start > range.end || range.end > member.size {
            let (Range { start, end }, size) = (range, member.size);
            return Err(Error::corrupt(format!(
                "cannot read `{name}`: bytes {start} to {end} of {size}"
            )));
        }
        let whole = range == (0..member.size);
        if let (Some(start), false) = (member.stored_at, whole) {
            return self
                .input
                .read(start + range.start..start + range.end, name);
        }
        // A clone has its own position, so that threads can read side by side.
        let mut zip = self.zip.clone();
        let mut file = zip.by_index(member.index).map_err(refused(name))?;
        let failed = |error: io::Error| {
            Error::corrupt(format!("cannot read `{name}`: {error}"))
                .with_hint("the archive is damaged: fetch it again")
        };
        let skipped = io::copy(&mut file.by_ref().take(range.start), &mut io::sink());
        if skipped.map_err(failed)? < range.start {
            return Err(failed(io::ErrorKind::UnexpectedEof.into()));
        }
        let mut bytes = zeroed(range.end - range.start, name)?;
        file.read_exact(&mut bytes).map_err(failed)?;
        // The checksum is compared at the end.
        if whole && file.read(&mut [0]).map_err(failed)? != 0 {
            return Err(Error::corrupt(format!(
                "cannot read `{name}`: it is larger than declared"
            )));
        }
        Ok(bytes)
    }
}

fn member(zip: &mut ZipArchive<Cursor>, index: usize, input_size: u64) -> Result<Member, Error> {
    let what = format!("file {index} of the archive");
    let file = zip.by_index_raw(index).map_err(refused(&what))?;
    let name: Arc<str> = file.name().map_err(refused(&what))?.into();
    let (size, packed) = (file.size(), file.compressed_size());
    if file.encrypted() {
        let message = format!("cannot read `{name}`: it is encrypted");
        return Err(Error::unsupported(message).with_hint("decrypt the archive"));
    }
    let start = file.data_start().unwrap_or(u64::MAX);
    let end = start.checked_add(packed).filter(|&end| end <= input_size);
    let plausible = match file.compression() {
        CompressionMethod::Stored => size == packed,
        CompressionMethod::Deflated => size / DEFLATE_FACTOR <= packed,
        other => {
            let message = format!("cannot read `{name}`: it is packed by method {other}");
            return Err(Error::unsupported(message).with_hint("pack with deflate, or not at all"));
        }
    };
    if end.is_none() || !plausible {
        return Err(Error::corrupt(format!(
            "cannot read `{name}`: {packed} bytes at {start} cannot hold {size} bytes"
        ))
        .with_hint("the archive may be cut off: fetch it again"));
    }
    let stored_at = (file.compression() == CompressionMethod::Stored).then_some(start);
    Ok(Member {
        name,
        size,
        index,
        stored_at,
    })
}

fn check_unpacked(size: u64, input_size: u64) -> Result<(), Error> {
    if size <= output_size_max(input_size) {
        return Ok(());
    }
    let what = format!("an archive of {input_size} bytes asks for {size} bytes to be unpacked");
    Err(Error::limit(what, "OUTPUT_FACTOR_MAX", OUTPUT_FACTOR_MAX))
}

fn refused(what: &str) -> impl FnOnce(ZipError) -> Error {
    move |error| match error {
        ZipError::Io(error) if error.kind() != io::ErrorKind::UnexpectedEof => {
            Error::new(ErrorKind::Io, format!("cannot read {what}: {error}"))
        }
        error => Error::corrupt(format!("cannot read {what}: {error}"))
            .with_hint("the archive may be cut off: fetch it again"),
    }
}
