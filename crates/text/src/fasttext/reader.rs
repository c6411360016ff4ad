//! Numbers and byte runs from the front of a model file, each checked against what is left.

use crate::error::Error;

pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(data: &'a [u8]) -> Self {
        Self { rest: data }
    }

    /// The next `size` bytes.
    pub(super) fn bytes(&mut self, size: usize, what: &str) -> Result<&'a [u8], Error> {
        let (bytes, rest) = self.rest.split_at_checked(size).ok_or_else(|| {
            Error::corrupt(format!(
                "cannot read {what} of a fastText model: {size} bytes are needed and {} are left",
                self.rest.len()
            ))
        })?;
        self.rest = rest;
        Ok(bytes)
    }

    /// The bytes up to the next 0.
    pub(super) fn text(&mut self, what: &str) -> Result<&'a [u8], Error> {
        let end = memchr::memchr(0, self.rest).ok_or_else(|| {
            Error::corrupt(format!(
                "cannot read {what} of a fastText model: it has no end"
            ))
        })?;
        let text = &self.rest[..end];
        self.rest = &self.rest[end + 1..];
        Ok(text)
    }

    pub(super) fn u8(&mut self, what: &str) -> Result<u8, Error> {
        Ok(self.bytes(1, what)?[0])
    }

    pub(super) fn flag(&mut self, what: &str) -> Result<bool, Error> {
        Ok(self.u8(what)? != 0)
    }

    pub(super) fn i32(&mut self, what: &str) -> Result<i32, Error> {
        let mut number = [0; 4];
        number.copy_from_slice(self.bytes(4, what)?);
        Ok(i32::from_le_bytes(number))
    }

    pub(super) fn i64(&mut self, what: &str) -> Result<i64, Error> {
        let mut number = [0; 8];
        number.copy_from_slice(self.bytes(8, what)?);
        Ok(i64::from_le_bytes(number))
    }

    /// A number of things, 0 to `max`, stored in 32 bits.
    pub(super) fn count(&mut self, max: usize, limit: &str, what: &str) -> Result<usize, Error> {
        let count = i64::from(self.i32(what)?);
        checked(count, max, limit, what)
    }

    /// A number of things, 0 to `max`, stored in 64 bits.
    pub(super) fn long_count(
        &mut self,
        max: usize,
        limit: &str,
        what: &str,
    ) -> Result<usize, Error> {
        let count = self.i64(what)?;
        checked(count, max, limit, what)
    }

    /// `count` numbers of single precision.
    pub(super) fn floats(&mut self, count: usize, what: &str) -> Result<Vec<f32>, Error> {
        let size = count.saturating_mul(4);
        let (numbers, _) = self.bytes(size, what)?.as_chunks();
        Ok(numbers
            .iter()
            .map(|number| f32::from_le_bytes(*number))
            .collect())
    }
}

fn checked(count: i64, max: usize, limit: &str, what: &str) -> Result<usize, Error> {
    let count = usize::try_from(count).map_err(|_| {
        Error::corrupt(format!(
            "cannot read {what} of a fastText model: it is {count}"
        ))
    })?;
    if count > max {
        return Err(Error::limit(format!(
            "cannot read a fastText model: {what} is {count} and {limit} is {max}"
        )));
    }
    Ok(count)
}
