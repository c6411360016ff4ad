//! Stored HTTP responses (RFC 9112) to text.

use super::listing::Compression;
use super::open;
use crate::limits::DOCUMENT_SIZE_MAX;
use crate::{Document, html};
use std::borrow::Cow;
use std::io::{Cursor, Read};

/// A document and what was said of it.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) document: Document,
    pub(super) media_type: Option<String>,
    pub(super) status: Option<u16>,
}

/// The page of a response: status line, fields, body.
pub(super) fn response(block: &[u8]) -> Result<Page, String> {
    let (head, body) = split(block).ok_or("the response has no end of its header")?;
    let head = String::from_utf8_lossy(head);
    let mut lines = head.lines();
    let status = lines
        .next()
        .and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
    let (mut media_type, mut encoding, mut is_chunked) = (None, String::new(), false);
    for line in lines {
        let Some((name, value)) = line.split_once(':') else {
            continue;
        };
        let value = value.trim();
        match name.trim().to_ascii_lowercase().as_str() {
            "content-type" => media_type = Some(value),
            "content-encoding" => encoding = value.to_ascii_lowercase(),
            "transfer-encoding" => is_chunked = value.eq_ignore_ascii_case("chunked"),
            _ => {}
        }
    }
    // Many crawlers store the plain body and leave the fields as they came.
    let body = match is_chunked.then(|| unchunk(body)).flatten() {
        Some(body) => Cow::Owned(body),
        None => Cow::Borrowed(body),
    };
    let body = decompress(body, &encoding)?;
    document(&body, media_type, status)
}

/// The head and the body.
fn split(block: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut start = 0;
    loop {
        let end = start + block[start..].iter().position(|&byte| byte == b'\n')?;
        if matches!(&block[start..end], b"" | b"\r") {
            return Some((&block[..start], &block[end + 1..]));
        }
        start = end + 1;
    }
}

/// A body without the sizes of its chunks; `None` when there are none.
fn unchunk(mut body: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    loop {
        let end = body.iter().take(1024).position(|&byte| byte == b'\n')?;
        let line = std::str::from_utf8(&body[..end]).ok()?;
        let digits = line.split(';').next()?.trim();
        let size = usize::from_str_radix(digits, 16).ok()?;
        body = &body[end + 1..];
        if size == 0 {
            return Some(out);
        }
        out.extend_from_slice(body.get(..size)?);
        body = &body[size..];
        body = body
            .strip_prefix(b"\r\n")
            .or_else(|| body.strip_prefix(b"\n"))?;
    }
}

fn decompress<'a>(body: Cow<'a, [u8]>, encoding: &str) -> Result<Cow<'a, [u8]>, String> {
    let compression = match encoding {
        "gzip" | "x-gzip" if body.starts_with(b"\x1f\x8b") => Compression::Gzip,
        "zstd" if body.starts_with(b"\x28\xb5\x2f\xfd") => Compression::Zstd,
        "" | "identity" | "gzip" | "x-gzip" | "zstd" => return Ok(body),
        other => return Err(format!("the content encoding `{other}` is not read")),
    };
    let mut out = Vec::new();
    open::decompress(Cursor::new(body.into_owned()), compression)
        .and_then(|reader| {
            reader
                .take(DOCUMENT_SIZE_MAX as u64 + 1)
                .read_to_end(&mut out)
        })
        .map_err(|error| format!("cannot read the body: {error}"))?;
    if out.len() > DOCUMENT_SIZE_MAX {
        return Err(format!(
            "the body is larger than DOCUMENT_SIZE_MAX = {DOCUMENT_SIZE_MAX} bytes"
        ));
    }
    Ok(Cow::Owned(out))
}

/// The text of a body.
pub(super) fn document(
    body: &[u8],
    content_type: Option<&str>,
    status: Option<u16>,
) -> Result<Page, String> {
    let (media_type, charset) = content_type.map_or((None, None), |value| {
        let mut parts = value.split(';');
        let media_type = parts.next().map(|name| name.trim().to_ascii_lowercase());
        let charset = parts.find_map(|part| parameter(part, "charset"));
        (media_type.filter(|name| !name.is_empty()), charset)
    });
    let is_html = match media_type.as_deref() {
        Some("text/html" | "application/xhtml+xml") => true,
        Some("text/plain" | "text/markdown") => false,
        Some(other) => return Err(format!("the media type `{other}` is no text")),
        None => body.trim_ascii_start().starts_with(b"<"),
    };
    let charset = charset.or_else(|| is_html.then(|| declared_charset(body)).flatten());
    let text = decode(body, charset.as_deref())?;
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(&text);
    let document = if is_html {
        html::to_text(text)
    } else {
        Document {
            text: text.to_owned(),
            title: None,
        }
    };
    Ok(Page {
        document,
        media_type,
        status,
    })
}

/// The value of `name=value`, without quotes.
fn parameter(part: &str, name: &str) -> Option<String> {
    let (found, value) = part.split_once('=')?;
    let value = value.trim().trim_matches(['"', '\'']).to_ascii_lowercase();
    (found.trim().eq_ignore_ascii_case(name) && !value.is_empty()).then_some(value)
}

/// The character set that a page names in its first bytes, as browsers look for it.
fn declared_charset(body: &[u8]) -> Option<String> {
    let start = String::from_utf8_lossy(&body[..body.len().min(1024)]).to_ascii_lowercase();
    let at = start.find("charset=")? + "charset=".len();
    let value = start[at..].trim_start_matches(['"', '\'', ' ']);
    let end = value
        .find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_'))
        .unwrap_or(value.len());
    (end > 0).then(|| value[..end].to_owned())
}

fn decode(body: &[u8], charset: Option<&str>) -> Result<String, String> {
    let utf8 = std::str::from_utf8(body);
    match charset {
        None => Ok(utf8.map_or_else(|_| windows_1252(body), str::to_owned)),
        Some("utf-8" | "utf8") => utf8
            .map(str::to_owned)
            .map_err(|error| format!("invalid UTF-8: {error}")),
        // Browsers read all of these as windows-1252 (<https://encoding.spec.whatwg.org/>).
        Some("iso-8859-1" | "latin1" | "us-ascii" | "ascii" | "windows-1252" | "cp1252") => {
            Ok(windows_1252(body))
        }
        Some(other) => Err(format!("the character set `{other}` is not read")),
    }
}

fn windows_1252(bytes: &[u8]) -> String {
    // Bytes 0x80 to 0x9F; all others are their own code points.
    const HIGH: &str = "€\u{81}‚ƒ„…†‡ˆ‰Š‹Œ\u{8d}Ž\u{8f}\u{90}‘’“”•–—˜™š›œ\u{9d}žŸ";
    let high: Vec<char> = HIGH.chars().collect();
    let decode = |&byte: &u8| match byte {
        0x80..=0x9F => high[usize::from(byte - 0x80)],
        byte => char::from(byte),
    };
    bytes.iter().map(decode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(block: &[u8]) -> Result<(String, Option<u16>), String> {
        response(block).map(|page| (page.document.text, page.status))
    }

    #[test]
    fn responses_are_read_as_their_fields_say() {
        let gzip = {
            use std::io::Write;
            let mut encoder =
                flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(b"zipped").unwrap();
            encoder.finish().unwrap()
        };
        let zipped = [
            b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nContent-Encoding: gzip\r\n\r\n"
                .as_slice(),
            &gzip,
        ]
        .concat();
        for (block, expected) in [
            (b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<p>a&amp;b".as_slice(), Ok("a&b")),
            (b"HTTP/1.0 404\nContent-Type: text/plain; charset=\"UTF-8\"\n\nplain \xc3\xa9", Ok("plain é")),
            (b"HTTP/1.1 200 OK\r\n\r\n<p>no type", Ok("no type")),
            (b"HTTP/1.1 200 OK\r\nContent-Type: text/html;charset=latin1\r\n\r\n\x80 caf\xe9", Ok("€ café")),
            (
                b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<meta charset='windows-1252'>\xe9",
                Ok("é"),
            ),
            (
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: text/plain\r\n\r\n\
                  3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n",
                Ok("abcde"),
            ),
            (
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: text/plain\r\n\r\nplain",
                Ok("plain"),
            ),
            (&zipped, Ok("zipped")),
            (b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n\r\n", Err("`image/png` is no text")),
            (b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\n\r\n", Err("`br` is not read")),
            (
                b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=shift_jis\r\n\r\n",
                Err("`shift_jis` is not read"),
            ),
            (b"HTTP/1.1 200 OK\r\nContent-Type: text/plain;charset=utf-8\r\n\r\n\xff", Err("invalid UTF-8")),
            (b"HTTP/1.1 200 OK\r\n", Err("no end of its header")),
        ] {
            match (text(block), expected) {
                (Ok((found, _)), Ok(expected)) => assert_eq!(found, expected),
                (Err(found), Err(expected)) => assert!(found.contains(expected), "{found}"),
                (found, expected) => panic!("{found:?}, not {expected:?}"),
            }
        }
    }
}
