//! Messages of Arrow IPC, their sizes checked: a broken file must not ask for memory that it cannot
//! fill.

use crate::limits::{ARROW_BUFFER_SIZE_MAX, ARROW_MESSAGE_SIZE_MAX, ARROW_METADATA_SIZE_MAX};
use arrow_buffer::{Buffer, MutableBuffer};
use arrow_ipc::{Block, Message, MessageHeader, root_as_message};
use std::io::{self, Read};

/// The mark of a message. Those of before version 0.15 have none.
pub(super) const CONTINUATION: [u8; 4] = [0xFF; 4];
/// The mark and the size of the description.
pub(super) const PREFIX_SIZE: usize = 8;
/// How much is asked for at once: memory is taken for bytes that came, not for those promised.
const STEP_SIZE: usize = 1 << 20;

/// A message as it is stored: prefix, description and body.
pub(super) struct Frame {
    pub(super) buffer: Buffer,
    pub(super) block: Block,
    pub(super) header: MessageHeader,
}

impl Frame {
    pub(super) fn message(&self) -> Result<Message<'_>, String> {
        message(&self.buffer)
    }
}

/// Reads the message behind a prefix; `None` for the mark of the end.
pub(super) fn read_next(
    reader: &mut impl Read,
    prefix: [u8; PREFIX_SIZE],
) -> Result<Option<Frame>, String> {
    let [a, b, c, d, e, f, g, h] = prefix;
    if [a, b, c, d] != CONTINUATION {
        return Err("no Arrow message, or one from before version 0.15".to_owned());
    }
    let size = u64::from(u32::from_le_bytes([e, f, g, h]));
    if size == 0 {
        return Ok(None);
    }
    let mut buffer = MutableBuffer::new(PREFIX_SIZE);
    buffer.extend_from_slice(&prefix);
    read_description(reader, &mut buffer, size)?;
    finish(reader, buffer).map(Some)
}

/// Reads the message of a block of a file, which begins here.
pub(super) fn read_block(reader: &mut impl Read, block: Block) -> Result<Frame, String> {
    let size = u64::try_from(block.metaDataLength()).map_err(|_| "a block has no size")?;
    let mut buffer = MutableBuffer::new(PREFIX_SIZE);
    read_description(reader, &mut buffer, size)?;
    finish(reader, buffer)
}

fn read_description(
    reader: &mut impl Read,
    buffer: &mut MutableBuffer,
    size: u64,
) -> Result<(), String> {
    if size > ARROW_METADATA_SIZE_MAX {
        return Err(format!(
            "a description of {size} bytes, ARROW_METADATA_SIZE_MAX is {ARROW_METADATA_SIZE_MAX}"
        ));
    }
    read_into(reader, buffer, size)
}

/// Reads the body of a message.
fn finish(reader: &mut impl Read, mut buffer: MutableBuffer) -> Result<Frame, String> {
    let (body_size, header) = {
        let message = message(&buffer)?;
        (message.bodyLength(), message.header_type())
    };
    let body = u64::try_from(body_size)
        .ok()
        .filter(|&size| size <= ARROW_MESSAGE_SIZE_MAX)
        .ok_or_else(|| {
            format!(
                "a body of {body_size} bytes, ARROW_MESSAGE_SIZE_MAX is {ARROW_MESSAGE_SIZE_MAX}"
            )
        })?;
    let start = buffer.len();
    read_into(reader, &mut buffer, body)?;
    check_buffers(&buffer, start)?;
    Ok(Frame {
        buffer: buffer.into(),
        block: Block::new(0, start as i32, body_size),
        header,
    })
}

fn message(buffer: &[u8]) -> Result<Message<'_>, String> {
    let start = if buffer.starts_with(&CONTINUATION) {
        8
    } else {
        4
    };
    let description = buffer
        .get(start..)
        .ok_or("a message is shorter than its prefix")?;
    root_as_message(description)
        .map_err(|error| format!("a broken description of a message: {error}"))
}

/// Appends `size` bytes.
fn read_into(reader: &mut impl Read, buffer: &mut MutableBuffer, size: u64) -> Result<(), String> {
    let end = buffer.len() + size as usize;
    while buffer.len() < end {
        let start = buffer.len();
        buffer.resize(end.min(start + STEP_SIZE), 0);
        reader
            .read_exact(&mut buffer.as_slice_mut()[start..])
            .map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => "the data ends within a message".to_owned(),
                _ => error.to_string(),
            })?;
    }
    Ok(())
}

/// Checks that the buffers of a message lie in its body, and how large they get: memory is taken by
/// these numbers.
fn check_buffers(bytes: &[u8], start: usize) -> Result<(), String> {
    let message = message(bytes)?;
    let batch = match message.header_type() {
        MessageHeader::RecordBatch => message.header_as_record_batch(),
        MessageHeader::DictionaryBatch => message
            .header_as_dictionary_batch()
            .and_then(|dictionary| dictionary.data()),
        _ => None,
    };
    let Some(batch) = batch else {
        return Ok(());
    };
    let body = &bytes[start..];
    let is_compressed = batch.compression().is_some();
    for buffer in batch.buffers().into_iter().flatten() {
        let range = usize::try_from(buffer.offset())
            .ok()
            .zip(usize::try_from(buffer.length()).ok())
            .and_then(|(offset, size)| Some(offset..offset.checked_add(size)?));
        let stored = range
            .and_then(|range| body.get(range))
            .ok_or("a buffer lies outside of its message")?;
        if !is_compressed || stored.is_empty() {
            continue;
        }
        let size = stored.first_chunk().map(|size| i64::from_le_bytes(*size));
        match size {
            Some(-1) => {}
            Some(size) if u64::try_from(size).is_ok_and(|size| size <= ARROW_BUFFER_SIZE_MAX) => {}
            _ => {
                return Err(format!(
                    "a buffer is of no size or larger than ARROW_BUFFER_SIZE_MAX = \
                     {ARROW_BUFFER_SIZE_MAX} bytes"
                ));
            }
        }
    }
    Ok(())
}
