//! The footer of an Arrow file: its schema, and where its messages are.

use super::super::foreign;
use super::MAGIC;
use crate::limits::ARROW_METADATA_SIZE_MAX;
use arrow_ipc::convert::try_fb_to_schema;
use arrow_ipc::reader::FileDecoder;
use arrow_ipc::{Block, root_as_footer};
use arrow_schema::Schema;
use std::collections::VecDeque;
use std::io::{Read, Seek, SeekFrom};
use std::sync::Arc;

/// The size of the footer, and the magic word.
const END_SIZE: u64 = 10;

pub(super) struct Footer {
    pub(super) schema: Schema,
    pub(super) decoder: FileDecoder,
    /// The messages in the order in which they are used.
    pub(super) blocks: VecDeque<Block>,
}

/// Reads the footer; `None` when the file was cut, or is no such file.
pub(super) fn read(file: &mut (impl Read + Seek)) -> Option<Footer> {
    let end = file.seek(SeekFrom::End(-(END_SIZE as i64))).ok()?;
    let mut last = [0; END_SIZE as usize];
    file.read_exact(&mut last).ok()?;
    let (size, magic) = last.split_first_chunk::<4>()?;
    let size = u64::from(u32::from_le_bytes(*size));
    if magic != MAGIC || size > ARROW_METADATA_SIZE_MAX {
        return None;
    }
    file.seek(SeekFrom::Start(end.checked_sub(size)?)).ok()?;
    let mut bytes = vec![0; size as usize];
    file.read_exact(&mut bytes).ok()?;
    let footer = root_as_footer(&bytes).ok()?;
    let schema = footer.schema()?;
    let schema = foreign::call(|| try_fb_to_schema(schema)).ok()?;
    let dictionaries = footer.dictionaries().into_iter().flatten();
    let batches = footer.recordBatches().into_iter().flatten();
    Some(Footer {
        decoder: FileDecoder::new(Arc::new(schema.clone()), footer.version()),
        schema,
        blocks: dictionaries.chain(batches).copied().collect(),
    })
}
