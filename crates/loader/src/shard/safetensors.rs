//! safetensors files of tokens: a tensor of one axis is one document, or several where a tensor of
//! bounds says so; a tensor of two axes has one document a row.
//!
//! Without a name, the tensor `tokens` is read, or the only one there is. The tensor `<name>.bounds`
//! holds where documents start, and the end of the last, as `I64` or `U64`, in tokens.

use nexus_safetensors::{Dtype, Metadata, SafeTensors, SafeTensorsFile, TensorInfo};

use super::{Documents, Shard, Span, documents_of};
use crate::store::{Access, Store};
use crate::{Error, ErrorKind, Stored};

/// The name that is looked for first.
const NAME: &str = "tokens";

/// A file on disk.
pub(crate) fn open(
    path: &std::path::Path,
    name: Option<&str>,
    access: Access,
) -> Result<Shard, Error> {
    let file = SafeTensorsFile::open(path).map_err(|error| failed(&error))?;
    let start = file.size_bytes() - file.header().data_len();
    shard(
        Store::open(path, access)?,
        file.header(),
        start as u64,
        name,
    )
}

/// A file in memory.
pub(crate) fn open_bytes(store: Store, name: Option<&str>) -> Result<Shard, Error> {
    let bytes = store.bytes(0, store.size(), "the file")?;
    let (header_size, metadata) =
        SafeTensors::read_metadata(&bytes).map_err(|error| failed(&error))?;
    drop(bytes);
    shard(store, &metadata, header_size as u64 + 8, name)
}

fn failed(error: &nexus_safetensors::SafeTensorError) -> Error {
    use nexus_safetensors::ErrorKind as Kind;
    let kind = match error.kind() {
        Kind::InvalidInput => ErrorKind::InvalidInput,
        Kind::NotFound => ErrorKind::NotFound,
        Kind::Unsupported => ErrorKind::Unsupported,
        Kind::LimitReached => ErrorKind::LimitReached,
        Kind::Io => ErrorKind::Io,
        _ => ErrorKind::Corrupt,
    };
    Error::new(kind, error.to_string())
}

fn shard(
    store: Store,
    metadata: &Metadata,
    data_start: u64,
    name: Option<&str>,
) -> Result<Shard, Error> {
    let (name, info) = chosen(&store, metadata, name)?;
    let stored = stored(info.dtype).ok_or_else(|| {
        let message = format!(
            "cannot read tensor `{name}` of `{}` as tokens: it holds {}",
            store.path().display(),
            info.dtype
        );
        Error::unsupported(message).with_hint("tokens are integers")
    })?;
    let start = data_start + info.data_offsets.0 as u64;
    let shape: Vec<u64> = info.shape.iter().map(|&len| len as u64).collect();
    let bounds = metadata.info(&format!("{name}.bounds"));
    if let (Some(bounds), &[len]) = (bounds, shape.as_slice()) {
        let table = data_start + bounds.data_offsets.0 as u64;
        let documents = bounded(&store, start, len, stored, bounds, table)
            .map_err(|error| error.within(format!("cannot read tensor `{name}.bounds`")))?;
        return Ok(Shard::plain(store, stored, documents));
    }
    let documents = documents_of(&store, start, &shape, stored)?;
    Ok(Shard::plain(store, stored, documents))
}

fn chosen<'a>(
    store: &Store,
    metadata: &'a Metadata,
    name: Option<&'a str>,
) -> Result<(&'a str, &'a TensorInfo), Error> {
    let mut all = metadata.iter();
    let path = store.path().display();
    let found = match (name, all.len()) {
        (Some(name), _) => metadata.info(name).map(|info| (name, info)),
        (None, 1) => all.next(),
        (None, _) => metadata.info(NAME).map(|info| (NAME, info)),
    };
    found.ok_or_else(|| {
        let name = name.unwrap_or(NAME);
        Error::not_found(format!("cannot find the tensor `{name}` in `{path}`"))
            .with_hint("name the tensor that holds the tokens")
    })
}

fn stored(dtype: Dtype) -> Option<Stored> {
    Some(match dtype {
        Dtype::U8 => Stored::U8,
        Dtype::I8 => Stored::I8,
        Dtype::U16 => Stored::U16,
        Dtype::I16 => Stored::I16,
        Dtype::U32 => Stored::U32,
        Dtype::I32 => Stored::I32,
        Dtype::U64 => Stored::U64,
        Dtype::I64 => Stored::I64,
        _ => return None,
    })
}

/// Documents between bounds that lie at `table`.
fn bounded(
    store: &Store,
    start: u64,
    len: u64,
    stored: Stored,
    bounds: &TensorInfo,
    table: u64,
) -> Result<Bounded, Error> {
    if !matches!(bounds.dtype, Dtype::I64 | Dtype::U64) || bounds.shape.len() != 1 {
        return Err(Error::unsupported("it is not a row of I64 or U64"));
    }
    let count = bounds.shape[0] as u64;
    let at = |number: u64| store.i64(table + number * 8, "a bound");
    if count == 0 || at(0)? != 0 || u64::try_from(at(count - 1)?) != Ok(len) {
        return Err(Error::corrupt(format!("it does not go from 0 to {len}")));
    }
    Ok(Bounded {
        start,
        len,
        stored,
        table,
        count: count - 1,
    })
}

struct Bounded {
    start: u64,
    len: u64,
    stored: Stored,
    table: u64,
    count: u64,
}

impl Documents for Bounded {
    fn count(&self) -> u64 {
        self.count
    }

    fn span(&self, store: &Store, at: u64) -> Result<Span, Error> {
        let first = store.i64(self.table + at * 8, "a bound")?;
        let end = store.i64(self.table + at * 8 + 8, "a bound")?;
        if first < 0 || first > end || end.cast_unsigned() > self.len {
            let message = format!("document {at} goes from token {first} to {end}");
            return Err(Error::corrupt(message));
        }
        Ok(Span {
            start: self.start + first.cast_unsigned() * self.stored.size() as u64,
            len: (end - first).cast_unsigned(),
        })
    }

    fn runs(&self) -> Option<Vec<Span>> {
        Some(vec![Span {
            start: self.start,
            len: self.len,
        }])
    }
}
