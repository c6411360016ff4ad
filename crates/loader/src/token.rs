//! Types of tokens, as they are stored and as they are handed out.

use std::fmt;

use crate::Error;

/// How a shard stores a token: an integer in little-endian order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stored {
    /// Unsigned, 8 bits.
    U8,
    /// Signed, 8 bits.
    I8,
    /// Unsigned, 16 bits.
    U16,
    /// Signed, 16 bits.
    I16,
    /// Unsigned, 32 bits.
    U32,
    /// Signed, 32 bits.
    I32,
    /// Unsigned, 64 bits.
    U64,
    /// Signed, 64 bits.
    I64,
}

impl Stored {
    /// Bytes of a token.
    pub const fn size(self) -> usize {
        match self {
            Self::U8 | Self::I8 => 1,
            Self::U16 | Self::I16 => 2,
            Self::U32 | Self::I32 => 4,
            Self::U64 | Self::I64 => 8,
        }
    }

    /// The type that `NumPy` calls so: `uint16`, ...
    pub fn of_numpy(name: &str) -> Option<Self> {
        Some(match name {
            "uint8" => Self::U8,
            "int8" => Self::I8,
            "uint16" => Self::U16,
            "int16" => Self::I16,
            "uint32" => Self::U32,
            "int32" => Self::I32,
            "uint64" => Self::U64,
            "int64" => Self::I64,
            _ => return None,
        })
    }

    /// The smallest type of batches that holds every token that fits; signed ones are `i64`, save
    /// 32 bits, which are tokens and so not negative.
    pub fn natural(self) -> Token {
        match self {
            Self::U8 | Self::U16 => Token::U16,
            Self::U32 => Token::U32,
            Self::I32 | Self::I16 | Self::I8 => Token::I32,
            Self::U64 | Self::I64 => Token::I64,
        }
    }
}

/// The type of the tokens of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Token {
    /// Unsigned, 16 bits.
    U16,
    /// Unsigned, 32 bits.
    U32,
    /// Signed, 32 bits.
    I32,
    /// Signed, 64 bits.
    I64,
}

impl Token {
    /// Bytes of a token.
    pub const fn size(self) -> usize {
        match self {
            Self::U16 => 2,
            Self::U32 | Self::I32 => 4,
            Self::I64 => 8,
        }
    }

    /// The type that `NumPy` calls so.
    pub fn of_numpy(name: &str) -> Option<Self> {
        let all = [Self::U16, Self::U32, Self::I32, Self::I64];
        all.into_iter().find(|token| token.to_string() == name)
    }

    fn range(self) -> (i64, i64) {
        match self {
            Self::U16 => (0, u16::MAX.into()),
            Self::U32 => (0, u32::MAX.into()),
            Self::I32 => (i32::MIN.into(), i32::MAX.into()),
            Self::I64 => (i64::MIN, i64::MAX),
        }
    }

    /// Whether `value` fits.
    pub(crate) fn holds(self, value: i64) -> bool {
        let (least, most) = self.range();
        (least..=most).contains(&value)
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::U16 => "uint16",
            Self::U32 => "uint32",
            Self::I32 => "int32",
            Self::I64 => "int64",
        })
    }
}

/// Whether stored bytes are those of batches.
pub(crate) fn is_same(stored: Stored, token: Token) -> bool {
    matches!(
        (stored, token),
        (Stored::U16, Token::U16)
            | (Stored::U32, Token::U32)
            | (Stored::I32, Token::I32)
            | (Stored::I64, Token::I64)
    )
}

/// Writes stored tokens as tokens of a batch. Both have the same number.
///
/// # Errors
/// `InvalidInput` when one does not fit.
pub(crate) fn convert(
    stored: Stored,
    source: &[u8],
    token: Token,
    target: &mut [u8],
) -> Result<(), Error> {
    if is_same(stored, token) {
        target.copy_from_slice(source);
        return Ok(());
    }
    let fits = match stored {
        Stored::U8 => widen(source, token, target, |[byte]| byte.into()),
        Stored::I8 => widen(source, token, target, |[byte]| byte.cast_signed().into()),
        Stored::U16 => widen(source, token, target, |b| u16::from_le_bytes(b).into()),
        Stored::I16 => widen(source, token, target, |b| i16::from_le_bytes(b).into()),
        Stored::U32 => widen(source, token, target, |b| u32::from_le_bytes(b).into()),
        Stored::I32 => widen(source, token, target, |b| i32::from_le_bytes(b).into()),
        Stored::I64 => widen(source, token, target, i64::from_le_bytes),
        Stored::U64 => {
            let sound = source.chunks_exact(8).all(|bytes| bytes[7] < 0x80);
            sound && widen(source, token, target, i64::from_le_bytes)
        }
    };
    if fits {
        return Ok(());
    }
    let message = format!("cannot write tokens as {token}: one does not fit");
    Err(Error::invalid(message).with_hint("ask for int64 batches"))
}

fn widen<const N: usize>(
    source: &[u8],
    token: Token,
    target: &mut [u8],
    read: impl Fn([u8; N]) -> i64,
) -> bool {
    match token {
        Token::U16 => each(source, token, target, read, |value| {
            (value as u16).to_le_bytes()
        }),
        Token::U32 | Token::I32 => each(source, token, target, read, |value| {
            (value as u32).to_le_bytes()
        }),
        Token::I64 => each(source, token, target, read, i64::to_le_bytes),
    }
}

/// Converts all, and says whether all fit.
fn each<const N: usize, const M: usize>(
    source: &[u8],
    token: Token,
    target: &mut [u8],
    read: impl Fn([u8; N]) -> i64,
    write: impl Fn(i64) -> [u8; M],
) -> bool {
    let (least, most) = token.range();
    let (sources, _) = source.as_chunks::<N>();
    let (targets, _) = target.as_chunks_mut::<M>();
    let mut outside = false;
    for (source, target) in sources.iter().zip(targets) {
        let value = read(*source);
        outside |= value < least || value > most;
        *target = write(value);
    }
    !outside
}

/// Fills `target` with one token, which fits.
pub(crate) fn fill(token: Token, value: i64, target: &mut [u8]) {
    let bytes = value.to_le_bytes();
    for place in target.chunks_exact_mut(token.size()) {
        place.copy_from_slice(&bytes[..token.size()]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_keep_their_value_or_are_refused() {
        type Case = (Stored, &'static [u8], Token, Option<&'static [u8]>);
        let cases: [Case; 9] = [
            (Stored::U8, &[7, 255], Token::U16, Some(&[7, 0, 255, 0])),
            (Stored::U16, &[1, 2], Token::U16, Some(&[1, 2])),
            (Stored::U16, &[1, 255], Token::U32, Some(&[1, 255, 0, 0])),
            (Stored::I16, &[255, 255], Token::U16, None),
            (
                Stored::I16,
                &[254, 255],
                Token::I32,
                Some(&[254, 255, 255, 255]),
            ),
            (Stored::I32, &[0, 0, 1, 0], Token::U16, None),
            (Stored::I32, &[9, 1, 0, 0], Token::U16, Some(&[9, 1])),
            (Stored::U32, &[255; 4], Token::I32, None),
            (Stored::U64, &[255; 8], Token::I64, None),
        ];
        for (stored, source, token, want) in cases {
            let mut target = vec![0; source.len() / stored.size() * token.size()];
            let done = convert(stored, source, token, &mut target);
            assert_eq!(done.is_ok(), want.is_some(), "{stored:?} as {token}");
            if let Some(want) = want {
                assert_eq!(target, want, "{stored:?} as {token}");
            }
        }
    }
}
