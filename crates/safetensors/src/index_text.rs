//! Indices from text, for command lines: `0:10, ::2, -1, None, ...`.

use std::str::FromStr;

use crate::{Index, IndexError, SafeTensorError};

impl Index {
    /// Parses what stands in NumPy's brackets, with or without them. `newaxis` is `None`; numbers
    /// in slices that no `isize` holds are clamped, as Python does.
    ///
    /// ```
    /// use nexus_safetensors::Index;
    ///
    /// let parsed = Index::parse_list("0:10, -1, None, ...")?;
    /// assert_eq!(parsed[1..], [Index::At(-1), Index::NewAxis, Index::Ellipsis]);
    /// # Ok::<(), nexus_safetensors::SafeTensorError>(())
    /// ```
    ///
    /// # Errors
    /// `InvalidIndex` with the part that is not understood.
    pub fn parse_list(text: &str) -> Result<Vec<Self>, SafeTensorError> {
        let inner = text.trim();
        let inner = match inner.strip_prefix('[') {
            Some(rest) => rest
                .strip_suffix(']')
                .ok_or_else(|| syntax(text, "a bracket is not closed"))?,
            None => inner,
        };
        let list = inner.trim();
        if list.is_empty() {
            return Err(syntax(text, "it is empty").into());
        }
        // One comma may end the list, as in Python's tuples.
        list.strip_suffix(',')
            .unwrap_or(list)
            .split(',')
            .map(str::parse)
            .collect()
    }
}

/// Parses one item.
impl FromStr for Index {
    type Err = SafeTensorError;

    fn from_str(text: &str) -> Result<Self, SafeTensorError> {
        match text.trim() {
            "..." | "Ellipsis" => Ok(Self::Ellipsis),
            "None" | "newaxis" | "np.newaxis" => Ok(Self::NewAxis),
            "" => Err(syntax(text, "there is nothing between two commas").into()),
            item if item.contains(':') => Ok(slice(item)?),
            item => match number(item)? {
                Number::Fits(at) => Ok(Self::At(at)),
                Number::Clamped(_) => Err(syntax(item, "the number is too large").into()),
            },
        }
    }
}

fn slice(item: &str) -> Result<Index, IndexError> {
    let mut parts = item.split(':').map(|part| match part.trim() {
        "" | "None" => Ok(None),
        part => number(part).map(|number| match number {
            Number::Fits(at) | Number::Clamped(at) => Some(at),
        }),
    });
    let mut next = || parts.next().unwrap_or(Ok(None));
    let (start, stop, step) = (next()?, next()?, next()?);
    if parts.next().is_some() {
        return Err(syntax(item, "a slice has three parts at most"));
    }
    if step == Some(0) {
        return Err(syntax(item, "the step is zero"));
    }
    Ok(Index::Slice { start, stop, step })
}

enum Number {
    Fits(isize),
    Clamped(isize),
}

fn number(text: &str) -> Result<Number, IndexError> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let reason = "expected an integer, a slice such as `1:5` or `::2`, `None` or `...`";
        return Err(syntax(text, reason));
    }
    // Only digits are left that can go wrong by their number.
    Ok(match text.parse() {
        Ok(number) => Number::Fits(number),
        Err(_) if text.starts_with('-') => Number::Clamped(isize::MIN),
        Err(_) => Number::Clamped(isize::MAX),
    })
}

fn syntax(part: &str, reason: &'static str) -> IndexError {
    IndexError::Syntax {
        part: part.trim().to_owned(),
        reason,
    }
}
