//! Arrow IPC files and streams (<https://arrow.apache.org/docs/format/Columnar.html>).
//!
//! A file is a stream between a magic word and a footer, which says where the messages are. A file
//! that is compressed as a whole, or was cut, is read as a stream: so of a cut one all whole batches
//! are kept.

mod footer;
mod message;

use super::listing::{Compression, Input};
use super::ranged::{Cursor, Ranged};
use super::table::{self, Pieces};
use super::{BatchLimit, Chunk, Meter, Records, foreign, open};
use crate::Reject;
use crate::limits::ARROW_METADATA_SIZE_MAX;
use arrow_array::RecordBatch;
use arrow_ipc::convert::try_fb_to_schema;
use arrow_ipc::reader::FileDecoder;
use arrow_ipc::{Block, MessageHeader};
use message::{CONTINUATION, Frame, PREFIX_SIZE};
use std::collections::VecDeque;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;
use std::sync::atomic::Ordering;

const MAGIC: &[u8; 6] = b"ARROW1";
/// The largest alignment of messages that writers use.
const ALIGNMENT_MAX: usize = 64;

/// The rows of a file that are still to be read.
pub(super) struct Frames {
    input: Input,
    messages: Messages,
    decoder: FileDecoder,
    pieces: Pieces,
}

/// Where the next message is.
enum Messages {
    /// Behind this one.
    Stream {
        reader: Box<dyn Read + Send>,
        /// Whether a footer follows.
        is_file: bool,
    },
    /// Where the footer says.
    File {
        file: Cursor,
        blocks: VecDeque<Block>,
        blocks_total: usize,
    },
}

impl Frames {
    /// Reads the schema.
    pub(super) fn open(input: &Input, meter: &Arc<Meter>) -> Result<Self, String> {
        if input.compression == Compression::None
            && let Some(frames) = Self::open_file(input, meter)?
        {
            return Ok(frames);
        }
        let mut reader = open::open(input, meter)?;
        let (frame, is_file) = first(&mut reader)
            .map_err(|reason| format!("cannot read the Arrow schema: {reason}"))?;
        let message = frame.message()?;
        let schema = message
            .header_as_schema()
            .ok_or_else(|| format!("the first message is of type {:?}", frame.header))?;
        let version = message.version();
        let schema = foreign::call(|| try_fb_to_schema(schema))?;
        table::check(&schema, input.images.as_deref(), &input.keys)?;
        let decoder = FileDecoder::new(Arc::new(schema), version);
        Ok(Self::new(
            input,
            Messages::Stream { reader, is_file },
            decoder,
        ))
    }

    /// Reads the footer; `None` when there is none.
    fn open_file(input: &Input, meter: &Arc<Meter>) -> Result<Option<Self>, String> {
        let file =
            Ranged::open(input, &meter.fault).map_err(|error| format!("cannot open: {error}"))?;
        let mut file = file.cursor(0);
        let Some(footer) = footer::read(&mut file) else {
            return Ok(None);
        };
        meter.add_file();
        meter.bytes.fetch_add(input.size, Ordering::Relaxed);
        meter.plain.fetch_add(input.size, Ordering::Relaxed);
        table::check(&footer.schema, input.images.as_deref(), &input.keys)?;
        let blocks = footer.blocks;
        Ok(Some(Self::new(
            input,
            Messages::File {
                file,
                blocks_total: blocks.len(),
                blocks,
            },
            footer.decoder,
        )))
    }

    fn new(input: &Input, messages: Messages, decoder: FileDecoder) -> Self {
        Self {
            input: input.clone(),
            messages,
            decoder,
            pieces: Pieces::new(),
        }
    }
}

/// The next batch; `None` at the end.
fn read(messages: &mut Messages, decoder: &mut FileDecoder) -> Result<Option<RecordBatch>, String> {
    loop {
        let Some(frame) = messages.next()? else {
            return Ok(None);
        };
        match frame.header {
            MessageHeader::DictionaryBatch => {
                foreign::call(|| decoder.read_dictionary(&frame.block, &frame.buffer))?;
            }
            MessageHeader::RecordBatch => {
                let read = || decoder.read_record_batch(&frame.block, &frame.buffer);
                if let Some(batch) = foreign::call(read)? {
                    return Ok(Some(batch));
                }
            }
            other => return Err(format!("a message of type {other:?} among the batches")),
        }
    }
}

impl Messages {
    /// The next message; `None` at the end.
    fn next(&mut self) -> Result<Option<Frame>, String> {
        match self {
            Self::File { file, blocks, .. } => {
                let Some(block) = blocks.pop_front() else {
                    return Ok(None);
                };
                let start = u64::try_from(block.offset()).map_err(|_| "a block has no place")?;
                file.seek(SeekFrom::Start(start))
                    .map_err(|error| error.to_string())?;
                message::read_block(file, block).map(Some)
            }
            Self::Stream { reader, is_file } => next_of_stream(reader, *is_file),
        }
    }
}

/// The first message of a stream, and whether that is the inside of a file.
fn first(reader: &mut impl Read) -> Result<(Frame, bool), String> {
    let mut prefix = [0; PREFIX_SIZE];
    let mut read = |prefix: &mut [u8; PREFIX_SIZE]| {
        reader.read_exact(prefix).map_err(|error| error.to_string())
    };
    read(&mut prefix)?;
    let is_file = prefix.starts_with(MAGIC);
    // Writers that align to more than 8 bytes leave zeros behind the magic word.
    let mut padding = if is_file {
        ALIGNMENT_MAX / PREFIX_SIZE
    } else {
        0
    };
    while padding > 0 && (prefix.starts_with(MAGIC) || prefix == [0; PREFIX_SIZE]) {
        read(&mut prefix)?;
        padding -= 1;
    }
    let frame = message::read_next(reader, prefix)?.ok_or("the stream is empty")?;
    Ok((frame, is_file))
}

fn next_of_stream(reader: &mut impl Read, is_file: bool) -> Result<Option<Frame>, String> {
    let mut prefix = [0; PREFIX_SIZE];
    let size = read_some(reader, &mut prefix).map_err(|error| error.to_string())?;
    if size == 0 && !is_file {
        return Ok(None);
    }
    if size < PREFIX_SIZE {
        return Err("the data ends within a message".to_owned());
    }
    // Before the footer stands a mark of the end, but some writers leave it out.
    let frame = if is_file && !prefix.starts_with(&CONTINUATION) {
        None
    } else {
        message::read_next(reader, prefix)?
    };
    if frame.is_none() && is_file {
        check_footer(reader)?;
    }
    Ok(frame)
}

impl Records for Frames {
    fn ahead(&self) -> u64 {
        let (blocks, total) = match &self.messages {
            Messages::File {
                blocks,
                blocks_total,
                ..
            } => (blocks.len(), *blocks_total),
            Messages::Stream { .. } => return 0,
        };
        let part = (blocks as f64 + self.pieces.left()) / total.max(1) as f64;
        (self.input.size as f64 * part) as u64
    }

    fn next(&mut self, limit: BatchLimit, rejects: &mut Vec<Reject>) -> Option<Chunk> {
        let Self {
            input,
            messages,
            decoder,
            pieces,
        } = self;
        match pieces.next(input, limit, |_| read(messages, decoder).transpose())? {
            Ok(chunk) => Some(chunk),
            Err((row, reason)) => {
                let reason = format!("the rest of the file cannot be read: {reason}");
                rejects.push(input.reject(Some(row), reason));
                None
            }
        }
    }
}

/// Reads as much as there is.
fn read_some(reader: &mut impl Read, bytes: &mut [u8]) -> io::Result<usize> {
    let mut size = 0;
    while size < bytes.len() {
        match reader.read(&mut bytes[size..]) {
            Ok(0) => break,
            Ok(count) => size += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(size)
}

/// Reads the rest of a file: the footer, whose blocks have been seen, its size and the magic word.
fn check_footer(reader: &mut impl Read) -> Result<(), String> {
    let mut rest = Vec::new();
    let limit = ARROW_METADATA_SIZE_MAX + 10;
    reader
        .take(limit)
        .read_to_end(&mut rest)
        .map_err(|error| error.to_string())?;
    if rest.ends_with(MAGIC) {
        Ok(())
    } else {
        Err("the file has no footer".to_owned())
    }
}
