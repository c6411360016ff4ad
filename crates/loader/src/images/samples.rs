//! Where images and labels lie in files.

use crate::limits::IMAGE_SIZE_MAX;
use crate::shard::{Column, Documents, Prefix};
use crate::store::Store;
use crate::unpack::Source;
use crate::{Error, Stored};

/// Which columns, members or leaves hold images and labels, where the caller says it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Fields<'a> {
    pub(crate) image: Option<&'a str>,
    pub(crate) label: Option<&'a str>,
}

/// Images of one file, or of a part of one that is unpacked by itself.
pub(crate) struct Pictures {
    pub(crate) source: Source,
    pub(crate) samples: Box<dyn Samples>,
}

impl Pictures {
    pub(crate) fn new(source: Source, samples: impl Samples + 'static) -> Self {
        Self {
            source,
            samples: Box::new(samples),
        }
    }

    /// Samples of columns, as MDS and litdata lay them out.
    pub(crate) fn columns(
        source: Source,
        count: u64,
        sizes: &[Option<u32>],
        image: usize,
        label: Option<(usize, Number)>,
    ) -> Result<Self, Error> {
        let column = |chosen: usize| {
            let column = Column {
                count,
                sizes: sizes.to_vec(),
                chosen,
                prefix: Prefix::None,
                stored: Stored::U8,
            };
            column.check(&source)
        };
        let samples = Columns {
            image: column(image)?,
            label: label
                .map(|(label, number)| Ok((column(label)?, number)))
                .transpose()?,
        };
        Ok(Self::new(source, samples))
    }
}

/// How a label is stored.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Number {
    Integer(Stored),
    /// Decimal digits.
    Text,
}

impl Number {
    /// The number of a label.
    pub(crate) fn parse(self, bytes: &[u8]) -> Result<i64, Error> {
        let number = match self {
            Self::Text => std::str::from_utf8(bytes)
                .ok()
                .and_then(|text| text.trim().parse().ok()),
            Self::Integer(stored) if bytes.len() == stored.size() => integer(stored, bytes),
            Self::Integer(_) => None,
        };
        number.ok_or_else(|| {
            let shown = bytes.get(..20).unwrap_or(bytes).escape_ascii();
            Error::corrupt(format!("the label `{shown}` is no number"))
                .with_hint("labels are integers: number the classes")
        })
    }
}

fn integer(stored: Stored, bytes: &[u8]) -> Option<i64> {
    let mut wide = [0; 8];
    wide[..bytes.len()].copy_from_slice(bytes);
    let number = i64::from_le_bytes(wide);
    let unused = 64 - 8 * bytes.len() as u32;
    match stored {
        Stored::U8 | Stored::U16 | Stored::U32 => Some(number),
        Stored::U64 => Some(number).filter(|&number| number >= 0),
        _ => Some(number << unused >> unused),
    }
}

/// The images of a [`Pictures`].
pub(crate) trait Samples: Send + Sync {
    fn count(&self) -> u64;

    /// Whether images have labels.
    fn is_labelled(&self) -> bool;

    /// Puts the file of image `at` into `target`, and gives its label, or any number if it has none.
    fn read(&self, store: &Store, at: u64, target: &mut Vec<u8>) -> Result<i64, Error>;

    /// What people find image `at` by.
    fn name(&self, at: u64) -> String;
}

/// Puts the bytes of an image into `target`.
pub(super) fn fill(
    store: &Store,
    start: u64,
    size: u64,
    target: &mut Vec<u8>,
) -> Result<(), Error> {
    if size > IMAGE_SIZE_MAX {
        let what = format!("the image has {size} bytes");
        return Err(Error::limit(what, "IMAGE_SIZE_MAX", IMAGE_SIZE_MAX).of_one());
    }
    if size > store.size() {
        let path = store.path().display();
        let message = format!("`{path}` ends within the image");
        return Err(Error::corrupt(message).with_hint("the file is cut off: fetch it again"));
    }
    target.clear();
    target.resize(size as usize, 0);
    store.read(start, target, "an image")
}

/// A column of images and one of labels.
struct Columns {
    image: Column,
    label: Option<(Column, Number)>,
}

impl Samples for Columns {
    fn count(&self) -> u64 {
        self.image.count
    }

    fn is_labelled(&self) -> bool {
        self.label.is_some()
    }

    fn read(&self, store: &Store, at: u64, target: &mut Vec<u8>) -> Result<i64, Error> {
        let label = match &self.label {
            None => 0,
            Some((column, number)) => {
                let span = column.span(store, at)?;
                number.parse(&store.bytes(span.start, span.len, "a label")?)?
            }
        };
        let span = self.image.span(store, at)?;
        fill(store, span.start, span.len, target)?;
        Ok(label)
    }

    fn name(&self, at: u64) -> String {
        format!("sample {at}")
    }
}

/// A table of places as an unpacked row group of Parquet has it: `count + 1` places, labels, bytes.
pub(crate) struct Table {
    count: u64,
    labelled: bool,
    /// The number of the first row in the file.
    first: u64,
}

impl Table {
    pub(crate) fn new(count: u64, labelled: bool, first: u64) -> Self {
        Self {
            count,
            labelled,
            first,
        }
    }
}

impl Samples for Table {
    fn count(&self) -> u64 {
        self.count
    }

    fn is_labelled(&self) -> bool {
        self.labelled
    }

    fn read(&self, store: &Store, at: u64, target: &mut Vec<u8>) -> Result<i64, Error> {
        let start = store.u64(at * 8, "a place")?;
        let end = store.u64(at * 8 + 8, "a place")?;
        if start == end {
            let message = "it has no bytes, only a path or nothing";
            return Err(Error::unsupported(message)
                .with_hint("embed the images in the table")
                .of_one());
        }
        fill(store, start, end - start, target)?;
        if !self.labelled {
            return Ok(0);
        }
        store.i64((self.count + 1 + at) * 8, "a label")
    }

    fn name(&self, at: u64) -> String {
        format!("row {}", self.first + at)
    }
}
