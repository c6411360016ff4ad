//! `.npy` and `.npz` files, by the [format page] of `NumPy`.
//!
//! [format page]: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html

mod header;

use std::collections::BTreeMap;

use nexus_tensor::Layout;

use self::header::{Header, PREFIX_SIZE, header_size};
use crate::archive::{Archive, Member};
use crate::input::Input;
use crate::order::gathered;
use crate::source::{Content, Notes, Read};
use crate::{Entry, Error};

/// One array in a file of its own.
pub(crate) fn open(input: &Input, name: &str) -> Result<Content, Error> {
    let array = Array::parse(name, input.size(), |start, end| {
        input.read(start..end, "the header")
    })?;
    let reader = SingleFile {
        input: input.clone(),
        array: array.clone(),
    };
    Ok(content(
        vec![array.entry],
        Notes::default(),
        Box::new(reader),
    ))
}

/// Arrays in an archive. Other files in it are left out.
pub(crate) fn open_archive(archive: Archive) -> Result<Content, Error> {
    let mut arrays = Vec::new();
    let mut notes = Notes::default();
    for member in archive.members() {
        let Some(name) = member.name.strip_suffix(".npy") else {
            notes.push(|| format!("skipped `{}`: it is no .npy file", member.name));
            continue;
        };
        let array = Array::parse(name, member.size, |start, end| {
            archive.read(member, start..end)
        })
        .map_err(|error| error.within(format_args!("array `{name}`")))?;
        arrays.push((member.clone(), array));
    }
    if arrays.is_empty() {
        return Err(
            Error::unsupported("the archive holds no array and no torch checkpoint")
                .with_hint("an npz file holds .npy files, a torch file holds data.pkl"),
        );
    }
    let entries = arrays
        .iter()
        .map(|(_, array)| array.entry.clone())
        .collect();
    Ok(content(
        entries,
        notes,
        Box::new(Members { archive, arrays }),
    ))
}

fn content(entries: Vec<Entry>, notes: Notes, reader: Box<dyn Read>) -> Content {
    Content {
        entries,
        metadata: BTreeMap::from([("format".to_owned(), "np".to_owned())]),
        notes,
        reader,
    }
}

#[derive(Clone)]
struct Array {
    entry: Entry,
    header: Header,
    /// First byte of the data and the byte after the last.
    data: (u64, u64),
}

impl Array {
    /// `read` gives the bytes of the file from one position to another.
    fn parse(
        name: &str,
        size: u64,
        read: impl Fn(u64, u64) -> Result<Vec<u8>, Error>,
    ) -> Result<Self, Error> {
        let prefix = read(0, size.min(PREFIX_SIZE))?;
        let (text_start, text_size) = header_size(&prefix)?;
        let start = text_start + text_size;
        if start > size {
            return Err(Error::corrupt(format!(
                "the header takes {start} bytes of a file of {size}"
            )));
        }
        let header = Header::parse(&read(text_start, start)?)?;
        let entry = Entry::new(name.to_owned(), header.dtype, header.shape.clone())?;
        let end = start.saturating_add(entry.size_bytes as u64);
        // More bytes may follow: NumPy appends arrays to one file.
        if end > size {
            let needed = entry.size_bytes;
            return Err(Error::corrupt(format!(
                "{} of shape {:?} takes {needed} bytes, and {} are there",
                header.dtype,
                header.shape,
                size - start
            ))
            .with_hint("the file may be cut off: fetch it again"));
        }
        Ok(Self {
            entry,
            header,
            data: (start, end),
        })
    }

    /// Row-major little-endian bytes from the bytes of the file.
    fn ordered(&self, mut bytes: Vec<u8>) -> Result<Vec<u8>, Error> {
        let Header {
            dtype,
            order,
            fortran,
            shape,
        } = &self.header;
        order.to_little(*dtype, &mut bytes);
        if !fortran || shape.len() < 2 {
            return Ok(bytes);
        }
        let reversed: Vec<usize> = shape.iter().rev().copied().collect();
        gathered(*dtype, &Layout::contiguous(reversed)?.transpose(), &bytes)
    }
}

struct SingleFile {
    input: Input,
    array: Array,
}

impl Read for SingleFile {
    fn read(&self, _index: usize) -> Result<Vec<u8>, Error> {
        let (start, end) = self.array.data;
        self.array.ordered(self.input.read(start..end, "the data")?)
    }
}

struct Members {
    archive: Archive,
    arrays: Vec<(Member, Array)>,
}

impl Read for Members {
    fn read(&self, index: usize) -> Result<Vec<u8>, Error> {
        let (member, array) = &self.arrays[index];
        // Whole members are checked against their checksum.
        let mut bytes = self.archive.read(member, 0..member.size)?;
        let (start, end) = array.data;
        bytes.truncate(end as usize);
        bytes.drain(..start as usize);
        array.ordered(bytes)
    }
}
